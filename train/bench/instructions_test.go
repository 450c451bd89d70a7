package bench

import (
	"math"
	"testing"
	"time"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/train/device"
)

// TestInstructionsByHand adds up times, arithmetic and bytes by shape and by kind.
func TestInstructionsByHand(t *testing.T) {
	product := func(m, n, k int) *ir.Instr {
		p := &ir.Program{}
		return &ir.Instr{Kind: ir.MatMul, Attrs: ir.MatMulAttrs{Compute: ir.F32},
			In:  []*ir.Value{p.NewValue(ir.State, "a", ir.F32, m, k), p.NewValue(ir.State, "b", ir.F32, k, n), nil, nil, nil},
			Out: []*ir.Value{p.NewValue(ir.Temp, "y", ir.F32, m, n), nil, nil}}
	}
	one, other := product(10, 20, 30), product(5, 20, 30)
	groups := []exec.Group{
		{Instrs: []*ir.Instr{one, one}, Launches: 2, Time: 3 * time.Microsecond},
		{Instrs: []*ir.Instr{other}, Launches: 1, Time: time.Microsecond},
		{Instrs: []*ir.Instr{one}, Launches: 1, Time: time.Microsecond},
	}
	byShape, byKind := instructions(groups, 1e3, 10)
	if len(byShape) != 2 || len(byKind) != 1 {
		t.Fatalf("%d shapes, %d kinds", len(byShape), len(byKind))
	}
	near := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 1e-9*want {
			t.Errorf("%s is %g, want %g", what, got, want)
		}
	}
	first := byShape[0]
	if first.Count != 3 || first.Kind != "MatMul" || first.What != "f32(10, 30) f32(30, 20) → f32(10, 20)" {
		t.Errorf("%+v", first)
	}
	near("time", first.MS, 0.004)
	near("share", first.Share, 0.8)
	near("arithmetic", first.GFLOPS, 3*2*10*20*30/0.004/1e6)
	near("traffic", first.GBPerS, 3*4*(300+600+200)/0.004/1e6)
	near("share of the peak", first.FractionOfPeak, max(first.GFLOPS/1e3, first.GBPerS/10))
	near("time of the kind", byKind[0].MS, 0.005)
	if byKind[0].Count != 4 || byKind[0].What != "" {
		t.Errorf("%+v", byKind[0])
	}
}

// TestByInstruction: the launches of a step are all there, and the same bits come twice.
func TestByInstruction(t *testing.T) {
	d, err := device.Find("cpu", 1)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Options{Precision: "float32", Seconds: 0.001, Peak: 100, Bandwidth: 10, ByInstruction: true, Repeat: true}.Measure(Steps("small")[0], d, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]Instruction{}
	share := 0.0
	for _, k := range got.ByKind {
		kinds[k.Kind] = k
		share += k.Share
	}
	// Two layers: four products forward and eight backward each.
	if n := kinds["MatMul"].Count; n != 24 {
		t.Errorf("%d products, want 24", n)
	}
	if kinds["Attention"].Count != 2 || kinds["AttentionBackward"].Count != 2 || kinds["AdamW"].Count == 0 || kinds["LinearCrossEntropy"].GFLOPS <= 0 {
		t.Errorf("%+v", got.ByKind)
	}
	if math.Abs(share-1) > 1e-9 {
		t.Errorf("shares add up to %g", share)
	}
	if len(got.Bits) != 2 || got.Bits[0] != got.Bits[1] {
		t.Errorf("the bits are %v", got.Bits)
	}
}
