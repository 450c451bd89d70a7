//go:build gpu

package backend

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/plan"
)

// threeProducts is a program of three MatMuls: with GELU behind it, with sums beside it, and the
// first once more.
func threeProducts(t *testing.T) *plan.Plan {
	t.Helper()
	const m, n, k = 24, 32, 300
	p := &ir.Program{Name: "products"}
	x, w := p.NewValue(ir.State, "x", ir.BF16, m, k), p.NewValue(ir.State, "w", ir.BF16, k, n)
	bias, dy := p.NewValue(ir.State, "bias", ir.BF16, n), p.NewValue(ir.State, "dy", ir.BF16, m, n)
	for range 2 {
		up := &ir.Instr{Kind: ir.MatMul, Block: -1, Attrs: ir.MatMulAttrs{Compute: ir.BF16, Act: ir.GELUTanh}, In: []*ir.Value{x, w, bias, nil, nil},
			Out: []*ir.Value{p.NewValue(ir.Temp, "", ir.BF16, m, n), p.NewValue(ir.Temp, "", ir.BF16, m, n), nil}}
		p.Emit(up)
		p.Outputs = append(p.Outputs, up.Out[:2]...)
	}
	weight := &ir.Instr{Kind: ir.MatMul, Block: -1, Attrs: ir.MatMulAttrs{Compute: ir.BF16, TransA: true}, In: []*ir.Value{x, dy, nil, nil, nil},
		Out: []*ir.Value{p.NewValue(ir.Temp, "", ir.F32, k, n), nil, p.NewValue(ir.Temp, "", ir.F32, n)}}
	p.Emit(weight)
	p.Outputs = append(p.Outputs, weight.Out[0], weight.Out[2])
	built, err := plan.Build(p, plan.Options{Target: Target(), NoFuse: true})
	if err != nil {
		t.Fatal(err)
	}
	return built
}

// names are those of the ways, each with the first word of what it is for.
func names(ways exec.Ways) []string {
	var all []string
	for id, w := range ways {
		word, _, _ := strings.Cut(id, " ")
		all = append(all, word+" "+w.Name)
	}
	slices.Sort(all)
	return all
}

// openSimulated opens the back end on the simulator, whose times the test plants.
func openSimulated(t *testing.T) *Backend {
	t.Helper()
	opened, err := Open(Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { opened.Close() })
	b := opened.(*Backend)
	if !strings.Contains(b.device.Info().Name, "imulator") {
		t.Skip("times are planted in the simulator")
	}
	return b
}

// TestChoose takes the fastest of planted times, keeps what it is told, and leaves each at
// its first way where nothing is to be timed.
func TestChoose(t *testing.T) {
	p := []*plan.Plan{threeProducts(t)}
	var ways []exec.Ways
	for _, c := range []struct {
		times       string
		activations string // way of the activation behind the product
		sums        string // way of the sums beside the product
	}{
		{"product/0=2,product/1=3,activation=1,column=1", "fused", "fused"},
		{"product/0=3,product/1=2,product/1/epilogue 164=9,product/0/epilogue 164=8,product/1/epilogue 256=9,product/0/epilogue 256=9,activation=1,column=1", "separate", "separate"},
		{"product/0=2,product/1=1.99,product/0/epilogue 164=2.9,product/1/epilogue 164=2.95,activation=1,column=0.01", "fused", "separate"},
	} {
		t.Setenv("CUDASIM_TIMES", c.times)
		b := openSimulated(t)
		made, err := b.Choose(p, nil, true)
		if err != nil {
			t.Fatal(err)
		}
		chosen := made.Ways
		got := names(chosen)
		if !slices.Contains(got, "activation "+c.activations) || !slices.Contains(got, "sums "+c.sums) {
			t.Errorf("%s: chosen is %v", c.times, got)
		}
		if len(made.Timed) != 6 { // two products behind each of two ways, and the two choices between those
			t.Errorf("%v are timed", made.Timed)
		}
		for id, times := range made.Timed {
			if w, ok := chosen[id]; ok && times[w.Name] != w.MS || len(times) != 2 {
				t.Errorf("%s: the times are %v, the way is %+v", id, times, w)
			}
		}
		ways = append(ways, chosen)
	}
	if slices.Equal(names(ways[0]), names(ways[1])) {
		t.Errorf("other times give the same ways %v", names(ways[0]))
	}
	// What is known is not timed, whatever the times.
	b := openSimulated(t)
	again, err := b.Choose(p, ways[1], true)
	if err != nil || len(again.Timed) != 0 || !maps.Equal(again.Ways, ways[1]) {
		t.Errorf("of known ways %v come %+v, %v", ways[1], again, err)
	}
	// A way that is not to be had is timed anew, the others stay.
	damaged := maps.Clone(ways[1])
	for id := range damaged {
		if strings.HasPrefix(id, "sums") {
			damaged[id] = exec.Way{Name: "by hand"}
		}
	}
	if again, err = openSimulated(t).Choose(p, damaged, true); err != nil || len(again.Timed) == len(ways[1]) ||
		slices.IndexFunc(slices.Collect(maps.Keys(again.Timed)), func(id string) bool { return strings.HasPrefix(id, "sums") }) < 0 {
		t.Errorf("a way that is not there: %+v, %v", again, err)
	}
	// Untimed, each is the first, and sums are in a kernel of their own.
	untimed, err := openSimulated(t).Choose(p, nil, false)
	if got := names(untimed.Ways); err != nil || len(untimed.Timed) != 0 || !slices.Contains(got, "sums separate") || !slices.Contains(got, "activation fused") {
		t.Errorf("untimed: %v, %d timed, %v", got, len(untimed.Timed), err)
	}
}

// TestChosenBits: the ways differ by rounding, and the same ways give the same bits.
func TestChosenBits(t *testing.T) {
	p := threeProducts(t)
	run := func(known exec.Ways, times string) ([]float32, exec.Ways) {
		t.Helper()
		t.Setenv("CUDASIM_TIMES", times)
		b := openSimulated(t)
		chosen, err := b.Choose([]*plan.Plan{p}, known, true)
		if err != nil {
			t.Fatal(err)
		}
		store := exec.NewStore(b)
		for _, v := range p.Program.Values {
			if v.Class != ir.State {
				continue
			}
			if _, err := store.Ensure(v.Name, v.DType, v.Shape); err != nil {
				t.Fatal(err)
			}
			if err := store.WriteBytes(v.Name, slices.Repeat(normals(), int(v.Bytes())/len(normals())+1)[:v.Bytes()]); err != nil {
				t.Fatal(err)
			}
		}
		arena, err := exec.NewArena(b, p.Arena)
		if err != nil {
			t.Fatal(err)
		}
		s, err := exec.NewSession(p, store, arena)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Run(); err != nil {
			t.Fatal(err)
		}
		y := make([]float32, p.Program.Outputs[4].Shape.Size())
		if err := s.Output(4, y); err != nil {
			t.Fatal(err)
		}
		return y, chosen.Ways
	}
	first, chosen := run(nil, "product/0=1,product/1=2")
	other, _ := run(nil, "product/0=2,product/1=1")
	if slices.Equal(first, other) {
		t.Error("another algorithm gives the same bits: the test proves nothing")
	}
	if again, _ := run(chosen, "product/0=2,product/1=1"); !slices.Equal(again, first) {
		t.Error("the ways that were chosen give other bits")
	}
}
