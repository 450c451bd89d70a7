package plan

import (
	"fmt"
	"slices"
	"testing"

	"example.com/gotrain/autograd/ir"
)

// TestPrecisionOfEveryProduct: each kind that spends its time in products computes them
// in the precision of the plan.
func TestPrecisionOfEveryProduct(t *testing.T) {
	for _, compute := range []ir.DType{ir.TF32, ir.BF16} {
		p := &ir.Program{}
		for kind := range ir.Kinds {
			if _, ok := ir.Kinds[kind].Attrs.(ir.Products); ok {
				p.Emit(&ir.Instr{Kind: ir.Kind(kind)})
			}
		}
		if len(p.Instrs) < 3 {
			t.Fatalf("%d kinds of products", len(p.Instrs))
		}
		precision(p, Options{Compute: compute})
		for _, in := range p.Instrs {
			if got := in.Attrs.(ir.Products).Precision(); got != compute {
				t.Errorf("%s computes in %s, want %s", in.Kind, got, compute)
			}
		}
	}
}

// permuted gives the elements of x, of that shape, with axis i of the result being axis
// perm[i].
func permuted(x []int, shape []int, perm []int) (y []int, out []int) {
	for _, p := range perm {
		out = append(out, shape[p])
	}
	for i := range x {
		index, rest := make([]int, len(shape)), i
		for a := len(out) - 1; a >= 0; a-- {
			index[perm[a]], rest = rest%out[a], rest/out[a]
		}
		at := 0
		for a, n := range index {
			at = at*shape[a] + n
		}
		y = append(y, x[at])
	}
	return y, out
}

// permutations of n axes.
func permutations(n int) (all [][]int) {
	if n == 0 {
		return [][]int{{}}
	}
	for _, p := range permutations(n - 1) {
		for i := range n {
			all = append(all, slices.Insert(slices.Clone(p), i, n-1))
		}
	}
	return all
}

func attrsOf(perm []int) (a ir.TransposeAttrs) {
	for i, p := range perm {
		a.Perm[i] = int8(p)
	}
	return a
}

// TestFoldTransposes joins each two permutations of three axes and moves each two
// elements with both.
func TestFoldTransposes(t *testing.T) {
	shape := []int{2, 3, 4}
	x := make([]int, 24)
	for i := range x {
		x[i] = i
	}
	for _, first := range permutations(3) {
		for _, second := range permutations(3) {
			between, mid := permuted(x, shape, first)
			want, out := permuted(between, mid, second)
			b := newBuilder("transposes")
			in := b.input("x", ir.F32, shape...)
			y := b.emit(ir.Transpose, attrsOf(first), []*ir.Value{b.temp(mid...)}, in)
			b.returns(b.emit(ir.Transpose, attrsOf(second), []*ir.Value{b.temp(out...)}, y))
			pl, err := Build(b.p, Options{})
			if err != nil {
				t.Fatal(err)
			}
			got, dims := x, shape
			for _, instr := range pl.Program.Instrs {
				var perm []int
				for i := range 3 {
					perm = append(perm, int(instr.Attrs.(ir.TransposeAttrs).Perm[i]))
				}
				got, dims = permuted(got, dims, perm)
			}
			if !slices.Equal(got, want) || !slices.Equal(dims, out) {
				t.Errorf("%v then %v becomes %d instructions that give %v %v, want %v %v", first, second, len(pl.Program.Instrs), dims, got, out, want)
			}
		}
	}
}

// TestFoldTransposesOfBatches: only where the last two axes change places and no other
// does, a product takes the transposition over.
func TestFoldTransposesOfBatches(t *testing.T) {
	for _, perm := range permutations(3) {
		for operand := range 2 {
			b := newBuilder("batches")
			ins := []*ir.Value{b.input("x", ir.F32, 4, 4, 4), b.input("y", ir.F32, 4, 4, 4)}
			ins[operand] = b.emit(ir.Transpose, attrsOf(perm), []*ir.Value{b.temp(4, 4, 4)}, ins[operand])
			b.returns(b.emit(ir.MatMul, ir.MatMulAttrs{TransB: true}, []*ir.Value{b.temp(4, 4, 4), nil, nil}, ins[0], ins[1], nil, nil, nil))
			pl, err := Build(b.p, Options{})
			if err != nil {
				t.Fatal(err)
			}
			last := pl.Program.Instrs[len(pl.Program.Instrs)-1]
			a := last.Attrs.(ir.MatMulAttrs)
			want, instrs := ir.MatMulAttrs{TransB: true}, 2
			switch {
			case slices.Equal(perm, []int{0, 1, 2}):
				instrs = 1
			case slices.Equal(perm, []int{0, 2, 1}):
				want, instrs = ir.MatMulAttrs{TransA: operand == 0, TransB: operand == 0}, 1
			}
			if len(pl.Program.Instrs) != instrs || a != want {
				t.Errorf("operand %d by %v: %d instructions, %+v; want %d, %+v", operand, perm, len(pl.Program.Instrs), a, instrs, want)
			}
		}
	}
}

// TestConstantsDifferByShape: sums of constants of one value and of other sizes are not
// the same.
func TestConstantsDifferByShape(t *testing.T) {
	b := newBuilder("constants")
	sum := func(shape ...int) *ir.Value {
		c := b.p.NewValue(ir.Const, "", ir.F32, shape...)
		c.Const = 2
		return b.emit(ir.ReduceSum, ir.ReduceAttrs{Alpha: 1, Axes: [ir.MaxAxes]bool{false, true}}, []*ir.Value{b.temp(2, 1)}, c)
	}
	b.returns(b.add(sum(2, 3), sum(2, 5)), b.add(sum(2, 3), sum(2, 5)))
	cse(b.p, Options{})
	sums := 0
	for _, in := range b.p.Instrs {
		if in != nil && in.Kind == ir.ReduceSum {
			sums++
		}
	}
	if sums != 2 {
		t.Errorf("%d different sums, want 2", sums)
	}
}

// TestSumsOfManyTerms adds up to four terms in every order of nesting, of producers that
// take an addend and others, and runs the plan: no term is lost.
func TestSumsOfManyTerms(t *testing.T) {
	build := func(kinds [4]int, nesting int) *ir.Program {
		b := newBuilder("sums")
		x, v, ids := b.x(), b.input("v", ir.F32, 4), b.input("ids", ir.I32, 4)
		b.backward = nesting%2 == 0
		term := func(i int) *ir.Value {
			switch kinds[i] {
			case 0:
				return b.matmul(x, x, i%2 == 0, i > 1, nil)
			case 1:
				return b.emit(ir.EmbeddingBackward, nil, []*ir.Value{b.temp(4, 4)}, ids, b.scale(x, float32(i+1)/2), nil)
			case 2:
				return b.emit(ir.LayerNormBackward, ir.NormAttrs{Eps: float32(i)}, []*ir.Value{b.temp(4, 4), b.temp(4), nil, nil}, x, v, v, v, x, nil)
			}
			return b.scale(x, float32(i+1)/4)
		}
		var y *ir.Value
		switch nesting / 2 {
		case 0:
			y = b.add(b.add(b.add(term(0), term(1)), term(2)), term(3))
		case 1:
			y = b.add(term(0), b.add(term(1), b.add(term(2), term(3))))
		case 2:
			y = b.add(b.add(term(0), term(1)), b.add(term(2), term(3)))
		case 3: // into a state
			y = b.addTo(b.state("sum", 4, 4), b.add(b.add(term(0), term(1)), term(2)))
		}
		if y.Class == ir.Temp {
			b.returns(y)
		}
		return b.p
	}
	for code := range 4 * 4 * 4 * 4 {
		kinds := [4]int{code % 4, code / 4 % 4, code / 16 % 4, code / 64}
		for nesting := range 8 {
			wantOuts, wantState := evaluate(build(kinds, nesting), nil)
			pl, err := Build(build(kinds, nesting), Options{})
			if err != nil {
				t.Fatal(err)
			}
			gotOuts, gotState := evaluate(pl.Program, pl)
			if err := nearly(wantOuts, gotOuts, wantState, gotState); err != nil {
				t.Fatalf("terms %v, nesting %d: %v", kinds, nesting, err)
			}
		}
	}
}

// nearly is sameBits up to the order of sums.
func nearly(wantOuts, gotOuts [][]float32, wantState, gotState map[string][]float32) error {
	for name, want := range wantState {
		wantOuts, gotOuts = append(wantOuts, want), append(gotOuts, gotState[name])
	}
	for k, want := range wantOuts {
		for i := range want {
			if d := gotOuts[k][i] - want[i]; !(d < 1e-4 && d > -1e-4) {
				return fmt.Errorf("output %d differs at %d: %v, want %v", k, i, gotOuts[k][i], want[i])
			}
		}
	}
	return nil
}

// TestFoldTransposesOfTwoAxes: a product takes no transposition over that swaps axes of
// the batch too.
func TestFoldTransposesOfTwoAxes(t *testing.T) {
	for _, perm := range permutations(4) {
		in := &ir.Instr{Kind: ir.Transpose, Attrs: attrsOf(perm), Out: []*ir.Value{{Shape: ir.Shape{2, 2, 2, 2}}}}
		if got, want := swapsLast(in), slices.Equal(perm, []int{0, 1, 3, 2}); got != want {
			t.Errorf("%v swaps the last two alone: %t, want %t", perm, got, want)
		}
	}
}

// TestRecomputeNothingThatChanges: what a block reads of a state that changes before the
// backward pass ends is kept; of another state it is computed again.
func TestRecomputeNothingThatChanges(t *testing.T) {
	for _, changes := range []string{"", "w", "u", "behind"} {
		b := newBuilder("recompute")
		x, w, u := b.x(), b.state("w", 4, 4), b.state("u", 4, 4)
		b.block = 0
		h := b.unary(ir.Mul, nil, w, x)
		y := b.add(x, b.unary(ir.Activation, ir.ActivationAttrs{Act: ir.ReLU}, h))
		b.block = -1
		if changes == "w" {
			b.addTo(w, y)
		} else if changes == "u" {
			b.addTo(u, y)
		}
		b.block, b.backward = 0, true
		dy := b.unary(ir.ActivationBackward, ir.ActivationAttrs{Act: ir.ReLU}, h, y)
		b.block, b.backward = -1, false
		if changes == "behind" {
			b.addTo(w, dy)
		}
		b.returns(dy)
		recompute(b.p, Options{})
		muls := 0
		for _, in := range b.p.Instrs {
			if in.Kind == ir.Mul {
				muls++
			}
		}
		want := 2
		if changes == "w" {
			want = 1
		}
		if muls != want {
			t.Errorf("%q changes: computed %d times, want %d", changes, muls, want)
		}
	}
}

// TestConflicts: instructions are not of one launch when one writes what another reads
// or writes, whichever comes first.
func TestConflicts(t *testing.T) {
	a, b, c, d := &ir.Value{}, &ir.Value{}, &ir.Value{}, &ir.Value{}
	add := func(y, x1, x2 *ir.Value) *ir.Instr {
		return &ir.Instr{Kind: ir.Add, In: []*ir.Value{x1, x2}, Out: []*ir.Value{y}}
	}
	part := &ir.Value{Base: a}
	for name, tt := range map[string]struct {
		first, second *ir.Instr
		want          bool
	}{
		"read twice":              {add(b, a, a), add(c, a, a), false},
		"written and read":        {add(b, a, a), add(c, a, b), true},
		"read and written":        {add(c, a, b), add(b, d, d), true},
		"written twice":           {add(c, a, a), add(c, b, b), true},
		"read, a part is written": {add(c, a, b), add(part, d, d), true},
		"nothing in common":       {add(c, a, a), add(d, b, b), false},
	} {
		s := storages{}
		s.add(tt.first)
		if got := s.conflict(tt.second); got != tt.want {
			t.Errorf("%s: %t, want %t", name, got, tt.want)
		}
	}
}

// TestRiseOverReaders: an instruction that writes a state is not moved to one that reads
// it, nor over one between.
func TestRiseOverReaders(t *testing.T) {
	for reader, want := range map[int]bool{-1: true, 0: false, 1: false} {
		b := newBuilder("rise")
		x, s, u := b.x(), b.state("s", 4, 4), b.state("u", 4, 4)
		read := func(at int) *ir.Value {
			if at == reader {
				return s
			}
			return u
		}
		g := b.add(x, read(0))
		between := b.add(x, read(1))
		b.returns(b.addTo(s, g), between)
		f := newFlow(b.p)
		f.p.Instrs[2].In = []*ir.Value{x, g} // writes s and does not read it
		if got := f.canRise(0, 2, g); got != want {
			t.Errorf("the state is read at %d: may rise: %t, want %t", reader, got, want)
		}
	}
}

// TestFusionsKeepWhatIsRead: an intermediate result that something else reads, or that is
// an output, is there after a fusion, too.
func TestFusionsKeepWhatIsRead(t *testing.T) {
	act := ir.ActivationAttrs{Act: ir.GELUTanh}
	for name, build := range map[string]func(b *builder, x, y *ir.Value) []*ir.Value{
		"activation": func(b *builder, x, y *ir.Value) []*ir.Value {
			h := b.matmul(x, y, false, false, nil)
			return []*ir.Value{b.unary(ir.Activation, act, h), h}
		},
		"activation backward": func(b *builder, x, y *ir.Value) []*ir.Value {
			dy := b.matmul(x, y, false, true, nil)
			return []*ir.Value{b.unary(ir.ActivationBackward, act, x, dy), dy}
		},
		"activation backward, read again": func(b *builder, x, y *ir.Value) []*ir.Value {
			dy := b.matmul(x, y, false, true, nil)
			dx := b.unary(ir.ActivationBackward, act, y, dy)
			return []*ir.Value{b.add(dx, b.scale(dy, 2))}
		},
		"activation backward of itself": func(b *builder, x, y *ir.Value) []*ir.Value {
			dy := b.matmul(x, y, false, false, nil)
			return []*ir.Value{b.unary(ir.ActivationBackward, act, dy, dy)}
		},
		"sum of rows": func(b *builder, x, y *ir.Value) []*ir.Value {
			w, n := b.state("w", 4), b.input("n", ir.F32, 4)
			dx := b.emit(ir.LayerNormBackward, ir.NormAttrs{}, []*ir.Value{b.temp(4, 4), b.temp(4), nil, nil}, x, w, n, n, y, nil)
			sum := b.emit(ir.ColumnSum, nil, []*ir.Value{b.temp(4)}, dx, nil)
			return []*ir.Value{sum, b.matmul(x, dx, true, false, nil), dx}
		},
		"addend": func(b *builder, x, y *ir.Value) []*ir.Value {
			h := b.matmul(x, y, false, false, nil)
			return []*ir.Value{b.add(h, x), b.add(h, y)}
		},
		"addend that is the product": func(b *builder, x, y *ir.Value) []*ir.Value {
			h := b.matmul(x, y, false, false, nil)
			return []*ir.Value{b.add(h, h)}
		},
		"transposed": func(b *builder, x, y *ir.Value) []*ir.Value {
			u := b.unary(ir.Transpose, ir.TransposeAttrs{Perm: [ir.MaxAxes]int8{1, 0}}, x)
			return []*ir.Value{b.matmul(u, y, false, false, nil), u}
		},
		"scaled": func(b *builder, x, y *ir.Value) []*ir.Value {
			h := b.scale(b.matmul(x, y, true, false, nil), 0.5)
			return []*ir.Value{b.unary(ir.Activation, act, h), h}
		},
	} {
		program := func() *ir.Program {
			b := newBuilder("fusions")
			x, y := b.input("x", ir.F32, 4, 4), b.input("y", ir.F32, 4, 4)
			for _, v := range build(b, x, y) {
				b.returns(v)
			}
			return b.p
		}
		want, wantState := evaluate(program(), nil)
		for _, opt := range []Options{{}, {Recompute: true}, {Target: Target{FusesSums: true}}} {
			pl, err := Build(program(), opt)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			got, gotState := evaluate(pl.Program, pl)
			if err := sameBits(want, got, wantState, gotState); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}
