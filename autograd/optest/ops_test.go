package optest

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"testing"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
)

var nan = float32(math.NaN())

// tolerance of sums in float32 against sums in float64.
func tolerance(c *opCase, e elements) float64 {
	switch {
	case e.elem == ir.BF16 && isLogits(c.kind):
		return 4e-2 // logits of 30 rounded to 8 bits
	case e.elem == ir.BF16:
		return 1.5e-2 // results and what passes between the steps of a kernel have 8 bits
	case c.computesBF16():
		return 2e-3 // an operand that rounds the other way
	}
	return 2e-5
}

// isLogits tells whether logits pass between the steps of a kind.
func isLogits(k ir.Kind) bool {
	_, ok := ir.Kinds[k].Attrs.(ir.Chunked)
	return ok
}

// TestDefinition compares every implementation with the definition.
func TestDefinition(t *testing.T) {
	want := make([]map[elements][]result, len(cases))
	for _, b := range append(backends(), askedBackends()...) {
		opened := open(t, b, 2)
		for i := range cases {
			for _, e := range b.variants(&cases[i], opened) {
				t.Run(fmt.Sprintf("%s/%s/%s", b.name, &cases[i], e), func(t *testing.T) {
					c := cases[i].rounded(e)
					if want[i] == nil {
						want[i] = map[elements][]result{}
					}
					if want[i][e] == nil {
						want[i][e] = define(c)
					}
					got := runCase(t, opened, c, e, nan, noAlias)
					if err := errors.Join(near(got, want[i][e], tolerance(c, e)), c.copied(got)); err != nil {
						t.Error(err)
					}
				})
			}
		}
	}
}

// copied tells whether the copy of a parameter is what became of that, rounded. Where the
// step is skipped it stays as it was.
func (c *opCase) copied(got []result) error {
	position := ir.Kinds[c.kind].Copy
	if position == 0 || c.in[position].absent() {
		return nil
	}
	p := slices.Clone(got[0].data)
	if clip := c.in[position-1]; !clip.absent() && clip.floats[0] != clip.floats[0] {
		p = slices.Clone(c.in[position].floats)
	}
	for i, x := range p {
		p[i] = roundBF16(x)
	}
	return sameBits(got[len(got)-1:], []result{{"copy", p}})
}

// TestMemory runs every case on an arena full of NaN and in place of each input
// that ir.Kinds allows: neither changes a bit.
func TestMemory(t *testing.T) {
	for _, b := range append(backends(), askedBackends()...) {
		opened := open(t, b, 2)
		for i := range cases {
			c := &cases[i]
			for _, e := range b.variants(c, opened) {
				t.Run(fmt.Sprintf("%s/%s/%s", b.name, c, e), func(t *testing.T) {
					want := runCase(t, opened, c, e, 0, noAlias)
					if err := sameBits(runCase(t, opened, c, e, nan, noAlias), want); err != nil {
						t.Errorf("on an arena of NaN: %v", err)
					}
					for _, pair := range c.pairs(opened, e) {
						if err := sameBits(runCase(t, opened, c, e, nan, pair), want); err != nil {
							t.Errorf("in place, %v: %v", ir.Kinds[c.kind].Overwrites[pair], err)
						}
					}
				})
			}
		}
	}
}

// pairs lists the entries of ir.Info.Overwrites that apply to c on b.
func (c *opCase) pairs(b exec.Backend, e elements) (list []int) {
	allowed := b.Target().InPlace
	for pair, o := range ir.Kinds[c.kind].Overwrites {
		if c.in[o[1]].absent() || c.out[o[0]] == nil || c.out[o[0]].Size() != c.in[o[1]].shape.Size() ||
			c.elem(e, o[0], true) != c.elem(e, o[1], false) {
			continue
		}
		if allowed == nil || allowed(&ir.Instr{Kind: c.kind, Attrs: c.attrs}, o[0], o[1]) {
			list = append(list, pair)
		}
	}
	return list
}

// TestThreads runs every case on 1, 2 and 3 threads: the bits are the same.
func TestThreads(t *testing.T) {
	all := cpuBackends()
	best := all[len(all)-1]
	one := open(t, best, 1)
	for _, threads := range []int{2, 3} {
		more := open(t, best, threads)
		for i := range cases {
			c := &cases[i]
			t.Run(fmt.Sprintf("%d/%s", threads, c), func(t *testing.T) {
				if err := sameBits(runCase(t, more, c, float32s, 0, noAlias), runCase(t, one, c, float32s, 0, noAlias)); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// TestNoAllocation runs every case on two threads: a run allocates nothing.
// testing.AllocsPerRun would leave the threads one processor.
func TestNoAllocation(t *testing.T) {
	all := backends()
	last := all[len(all)-1]
	b := open(t, last, 2)
	for i := range cases {
		c := &cases[i]
		if last.takes != nil && !last.takes(c, float32s) {
			continue
		}
		r, err := c.bind(b, float32s, noAlias)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.run(b, 0); err != nil {
			t.Fatal(err)
		}
		const runs = 2
		fewest := uint64(math.MaxUint64) // the runtime itself allocates now and then
		for attempt := 0; attempt < 5 && fewest > 0; attempt++ {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for range runs {
				if err := r.session.Run(); err != nil {
					t.Fatal(err)
				}
			}
			runtime.ReadMemStats(&after)
			fewest = min(fewest, after.Mallocs-before.Mallocs)
		}
		if fewest != 0 {
			t.Errorf("%s: %d runs allocate %d times, want 0", c, runs, fewest)
		}
	}
}
