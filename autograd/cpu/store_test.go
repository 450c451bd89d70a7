package cpu_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"example.com/gotrain/autograd/cpu"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/plan"
)

// TestStoreParts writes and reads a state in parts, each at its place.
func TestStoreParts(t *testing.T) {
	store := exec.NewStore(newBackend(t, cpu.Config{Threads: 2}))
	if _, err := store.Ensure("w", ir.F32, ir.Shape{4, 5}); err != nil {
		t.Fatal(err)
	}
	want := make([]float32, 20)
	for i := range want {
		want[i] = float32(i + 1)
	}
	for _, at := range []int{11, 3, 0, 17} { // in any order
		end := map[int]int{0: 3, 3: 11, 11: 17, 17: 20}[at]
		if err := store.WriteAt("w", at, want[at:end]); err != nil {
			t.Fatal(err)
		}
	}
	got := make([]float32, 20)
	if err := store.Read("w", got); err != nil || !slices.Equal(got, want) {
		t.Errorf("read %v, %v, want %v", got, err, want)
	}
	part := make([]float32, 4)
	if err := store.ReadAt("w", 9, part); err != nil || !slices.Equal(part, want[9:13]) {
		t.Errorf("elements from 9 on are %v, %v", part, err)
	}
	if view := store.View("w"); !slices.Equal(view, want) {
		t.Errorf("they lie as %v", view)
	}
	for _, at := range []int{-1, 17} {
		if err := store.WriteAt("w", at, part); err == nil {
			t.Errorf("4 elements of 20 were written at %d", at)
		}
	}
	if _, err := store.Ensure("w", ir.F32, ir.Shape{5, 4}); err == nil {
		t.Error("a state has two shapes")
	}
	if _, err := store.Ensure("w", ir.I32, ir.Shape{4, 5}); err == nil {
		t.Error("a state has two types")
	}
	if _, err := store.Ensure("bits", ir.U4, ir.Shape{7}); err != nil {
		t.Fatal(err)
	}
	if n := store.Bytes(); n != 80+4 {
		t.Errorf("the store has %d bytes, want 84", n)
	}
	if names := store.Names(); !slices.Equal(names, []string{"bits", "w"}) {
		t.Errorf("the states are %q", names)
	}
}

// TestSnapshotOfMany copies several states, each into memory of its own.
func TestSnapshotOfMany(t *testing.T) {
	store := exec.NewStore(newBackend(t, cpu.Config{Threads: 2}))
	names := []string{"c", "a", "d", "b"}
	fill := func(base float32) map[string][]float32 {
		all := map[string][]float32{}
		for i, name := range names {
			all[name] = make([]float32, 3+2*i)
			for k := range all[name] {
				all[name][k] = base + float32(100*i+k)
			}
			if _, err := store.Ensure(name, ir.F32, ir.Shape{3 + 2*i}); err != nil {
				t.Fatal(err)
			}
			if err := store.Write(name, all[name]); err != nil {
				t.Fatal(err)
			}
		}
		return all
	}
	want := fill(1)
	s, err := exec.NewSnapshot(store, names, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Take(); err != nil {
		t.Fatal(err)
	}
	fill(2)
	for name := range want {
		if !slices.Equal(s.View(name), want[name]) {
			t.Errorf("%s is %v, was %v", name, s.View(name), want[name])
		}
	}
}

// bind plans p and binds it to b.
func bind(t *testing.T, b *cpu.Backend, p *ir.Program) *exec.Session {
	t.Helper()
	pl, err := plan.Build(p, plan.Options{Target: b.Target(), NoFuse: true})
	if err != nil {
		t.Fatal(err)
	}
	arena, err := exec.NewArena(b, max(pl.Arena, plan.Align))
	if err != nil {
		t.Fatal(err)
	}
	s, err := exec.NewSession(pl, exec.NewStore(b), arena)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestConstants: a constant has its value in every element.
func TestConstants(t *testing.T) {
	p := &ir.Program{Name: "constants"}
	x, c, y := p.NewValue(ir.Input, "x", ir.F32, 5), p.NewValue(ir.Const, "", ir.F32, 5), p.NewValue(ir.Temp, "", ir.F32, 5)
	c.Const = 2.5
	p.Emit(&ir.Instr{Kind: ir.Add, In: []*ir.Value{x, c}, Out: []*ir.Value{y}, Block: -1})
	p.Outputs = []*ir.Value{y}
	s, got := bind(t, newBackend(t, cpu.Config{Threads: 1}), p), make([]float32, 5)
	for _, err := range []error{s.SetFloats("x", []float32{0, 1, 2, 3, 4}), s.Run(), s.Output(0, got)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if want := []float32{2.5, 3.5, 4.5, 5.5, 6.5}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestFindNonFinite finds the first instruction whose results hold a NaN or an infinity,
// wherever in them it stands; numbers of any size are none, what measures norms may
// say so, and no state is updated on the way.
func TestFindNonFinite(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	for _, c := range []struct {
		at    int
		value float32
		want  string
	}{
		{0, 1, ""}, {0, math.MaxFloat32, ""}, {3, -math.MaxFloat32, ""}, {6, 0x1p127, ""}, {2, math.SmallestNonzeroFloat32, ""},
		{0, inf, "first"}, {1, nan, "first"}, {5, -inf, "first"}, {6, nan, "first"}, {3, math.Float32frombits(0xffc00001), "first"},
	} {
		p := &ir.Program{Name: "search"}
		x, hyper := p.NewValue(ir.Input, "x", ir.F32, 7), p.NewValue(ir.Input, "hyper", ir.F32, ir.HyperLen)
		half, quarter := p.NewValue(ir.Temp, "", ir.F32, 7), p.NewValue(ir.Temp, "", ir.F32, 7)
		squares, norm, clip := p.NewValue(ir.Temp, "", ir.F32, 1, 2), p.NewValue(ir.Temp, "", ir.F32, 1), p.NewValue(ir.Temp, "", ir.F32, 1)
		w := p.NewValue(ir.State, "w", ir.F32, 7)
		p.Emit(&ir.Instr{Kind: ir.Scale, Attrs: ir.ScaleAttrs{Alpha: 0.5}, In: []*ir.Value{x}, Out: []*ir.Value{half}, Path: "first", Block: -1})
		p.Emit(&ir.Instr{Kind: ir.SumSquares, In: []*ir.Value{half}, Out: []*ir.Value{squares}, Path: "squares", Block: -1})
		p.Emit(&ir.Instr{Kind: ir.GradNorm, In: []*ir.Value{hyper, squares}, Out: []*ir.Value{norm, clip}, Path: "norm", Block: -1})
		p.Emit(&ir.Instr{Kind: ir.SGD, Attrs: ir.SGDAttrs{LRScale: 1}, In: []*ir.Value{w, half, nil, hyper, nil, nil}, Path: "update", Block: -1})
		p.Emit(&ir.Instr{Kind: ir.Softmax, In: []*ir.Value{half}, Out: []*ir.Value{quarter}, Path: "second", Block: -1})
		p.Outputs = []*ir.Value{quarter, norm}
		b := newBackend(t, cpu.Config{Threads: 1})
		pl, err := plan.Build(p, plan.Options{Target: b.Target(), NoFuse: true})
		if err != nil {
			t.Fatal(err)
		}
		arena, err := exec.NewArena(b, pl.Arena)
		if err != nil {
			t.Fatal(err)
		}
		store := exec.NewStore(b)
		s, err := exec.NewSession(pl, store, arena)
		if err != nil {
			t.Fatal(err)
		}
		data := make([]float32, 7)
		data[c.at] = c.value
		if err := s.SetFloats("x", data); err != nil {
			t.Fatal(err)
		}
		if err := s.SetFloats("hyper", []float32{1, 1, 1, 0, 1, 0, 0, 0}); err != nil {
			t.Fatal(err)
		}
		in, err := s.FindNonFinite()
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if in != nil {
			got = in.Path
		}
		if got != c.want {
			t.Errorf("%g at %d: found %q, want %q", c.value, c.at, got, c.want)
		}
		state := make([]float32, 7)
		if err := store.Read("w", state); err != nil || !slices.Equal(state, make([]float32, 7)) {
			t.Errorf("%g at %d: the search updates a state to %v, %v", c.value, c.at, state, err)
		}
	}
}

// TestFindNonFiniteBF16 looks into results of two bytes.
func TestFindNonFiniteBF16(t *testing.T) {
	for _, c := range []struct {
		at    int
		value float32
		want  bool
	}{{0, 3e38, false}, {4, -3e38, false}, {0, float32(math.Inf(1)), true}, {1, float32(math.NaN()), true}, {4, float32(math.Inf(-1)), true}} {
		p := &ir.Program{Name: "narrow"}
		x, narrow, wide := p.NewValue(ir.Input, "x", ir.F32, 5), p.NewValue(ir.Temp, "", ir.BF16, 5), p.NewValue(ir.Temp, "", ir.F32, 5)
		p.Emit(&ir.Instr{Kind: ir.Cast, In: []*ir.Value{x}, Out: []*ir.Value{narrow}, Path: "narrow", Block: -1})
		p.Emit(&ir.Instr{Kind: ir.Cast, In: []*ir.Value{narrow}, Out: []*ir.Value{wide}, Path: "wide", Block: -1})
		p.Outputs = []*ir.Value{wide}
		s, data := bind(t, newBackend(t, cpu.Config{Threads: 1}), p), make([]float32, 5)
		data[c.at] = c.value
		if err := s.SetFloats("x", data); err != nil {
			t.Fatal(err)
		}
		in, err := s.FindNonFinite()
		if err != nil || (in != nil) != c.want || in != nil && in.Path != "narrow" {
			t.Errorf("%g at %d: found %v, %v", c.value, c.at, in, err)
		}
	}
}

// TestSquaresTo48Bits: the two words of a sum of squares hold more than one float32.
func TestSquaresTo48Bits(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, sizes := range [][]int{{1}, {1000, 3}, {150_000, 70_000, 1}} {
		p := &ir.Program{Name: "squares"}
		var in []*ir.Value
		for i, n := range sizes {
			in = append(in, p.NewValue(ir.Input, string(rune('a'+i)), ir.F32, n))
		}
		y := p.NewValue(ir.Temp, "", ir.F32, 1, 2)
		p.Emit(&ir.Instr{Kind: ir.SumSquares, In: in, Out: []*ir.Value{y}, Block: -1})
		p.Outputs = []*ir.Value{y}
		s, want, got := bind(t, newBackend(t, cpu.Config{Threads: 2}), p), 0.0, make([]float32, 2)
		for _, v := range in {
			data := make([]float32, v.Shape.Size())
			for i := range data {
				data[i] = float32(rng.NormFloat64())
				want += float64(data[i]) * float64(data[i])
			}
			if err := s.SetFloats(v.Name, data); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Run(); err != nil {
			t.Fatal(err)
		}
		if err := s.Output(0, got); err != nil {
			t.Fatal(err)
		}
		if off := math.Abs(float64(got[0])+float64(got[1])-want) / want; off > 1e-12 {
			t.Errorf("%v: %g + %g is off by %.2g of %g", sizes, got[0], got[1], off, want)
		}
	}
}
