package backend

import (
	"slices"
	"testing"

	"example.com/gotrain/autograd/ir"
)

// TestCut checks that the parts of a sum hold every element of its runs once, as
// reduce.cu reads a cut, and that their number is about what was asked for.
func TestCut(t *testing.T) {
	for _, runs := range []int{1, 2, 7, 100} {
		for _, run := range []int{1, 5, 64, 1000} {
			for _, parts := range []int{0, 1, 2, 3, 10, 99, 640} {
				c := newCut(runs, run, parts)
				seen := make([]int, runs*run)
				for part := range c.parts {
					first, start := part/c.pieces*c.together, part%c.pieces*c.length
					for r := first; r < min(runs, first+c.together); r++ {
						for e := start; e < min(run, start+c.length); e++ {
							seen[r*run+e]++
						}
					}
					if first >= runs || start >= run {
						t.Errorf("newCut(%d, %d, %d) = %+v: part %d is empty", runs, run, parts, c, part)
					}
				}
				for i, n := range seen {
					if n != 1 {
						t.Fatalf("newCut(%d, %d, %d) = %+v: element %d is in %d parts", runs, run, parts, c, i, n)
					}
				}
				if c.parts > max(1, parts) {
					t.Errorf("newCut(%d, %d, %d) makes %d parts", runs, run, parts, c.parts)
				}
			}
		}
	}
}

// TestReduction checks how shapes of all forms are reduced.
func TestReduction(t *testing.T) {
	for _, c := range []struct {
		name    string
		shape   ir.Shape
		axes    []int
		want    reduction
		scratch int64
	}{
		{"nothing", ir.Shape{4, 5}, nil,
			reduction{columns: true, width: 20, height: 1, cut: cut{1, 1, 1, 1, 1}}, 0},
		{"all", ir.Shape{1000, 1024}, []int{0, 1},
			reduction{width: 1024000, height: 1, cut: cut{1, 250, 1, 4096, 250}}, 1000},
		{"rows", ir.Shape{3, 4, 5}, []int{2},
			reduction{width: 5, height: 1, kept: lattice{{12, 5}}, cut: cut{1, 1, 1, 5, 1}}, 0},
		{"columns", ir.Shape{3, 4, 5}, []int{1},
			reduction{columns: true, width: 5, height: 4, kept: lattice{{3, 20}}, cut: cut{1, 1, 1, 4, 1}}, 0},
		{"long columns", ir.Shape{640, 128}, []int{0},
			reduction{columns: true, width: 128, height: 640, cut: cut{1, 10, 1, 64, 10}}, 4 * 10 * 128},
		{"matrices", ir.Shape{256, 2, 32, 4}, []int{0, 2},
			reduction{columns: true, width: 4, height: 32, kept: lattice{{2, 128}}, reduced: lattice{{256, 256}}, cut: cut{256, 1, 2, 32, 128}}, 4 * 128 * 8},
	} {
		var attrs ir.ReduceAttrs
		for _, a := range c.axes {
			attrs.Axes[a] = true
		}
		in := &ir.Instr{Kind: ir.ReduceSum, Attrs: attrs, In: []*ir.Value{{Shape: c.shape}}}
		got := newReduction(in)
		if !equal(got, c.want) {
			t.Errorf("%s: got %+v, want %+v", c.name, got, c.want)
		}
		if n := scratchReduceSum(in); n != c.scratch {
			t.Errorf("%s: %d bytes of workspace, want %d", c.name, n, c.scratch)
		}
	}
}

func equal(a, b reduction) bool {
	return a.columns == b.columns && a.width == b.width && a.height == b.height && a.cut == b.cut &&
		slices.Equal(a.kept, b.kept) && slices.Equal(a.reduced, b.reduced)
}
