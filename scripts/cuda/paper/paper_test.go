package main

import (
	"math"
	"testing"

	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/plan"
)

// TestPaper: no step takes longer by paper than it may.
func TestPaper(t *testing.T) {
	for _, w := range workloads {
		s, err := stepOf(w)
		if err != nil {
			t.Fatal(err)
		}
		if ms := 1e3 * s.total(); w.ms > 0 && ms > w.ms {
			t.Errorf("%s: %.1f ms by paper, at most %g: %v", w.name, ms, w.ms, s.seconds)
		}
		if mfu := s.mfu(); mfu < w.mfu {
			t.Errorf("%s: MFU %.3f by paper, at least %.3f: %v", w.name, mfu, w.mfu, s.seconds)
		}
	}
}

// TestTimeOf adds up by hand the time of an instruction of each class: arithmetic, bytes, what the kernels reach.
func TestTimeOf(t *testing.T) {
	v := func(shape ...int) *ir.Value { return &ir.Value{Shape: shape, DType: ir.BF16} }
	attention := func(hd int) ir.Attrs {
		return ir.AttentionAttrs{Batch: 1, Heads: 2, KVHeads: 2, HeadDim: hd}
	}
	for _, c := range []struct {
		class string
		in    ir.Instr
		want  float64
	}{
		{"products", ir.Instr{Kind: ir.MatMul, Attrs: ir.MatMulAttrs{}, In: []*ir.Value{v(100, 200), v(200, 300)}, Out: []*ir.Value{v(100, 300)}},
			2*100*200*300/790e12 + 2*(100*200+200*300+100*300)/4.3e12},
		{"head", ir.Instr{Kind: ir.LinearCrossEntropy, In: []*ir.Value{v(100, 8), v(500, 8)}, Out: []*ir.Value{nil, nil, v(100, 8), v(500, 8)}},
			3*2*100*8*500/790e12 + 2*2*(100*8+500*8)/4.3e12 + 5*2*100*500/4.3e12},
		{"attention", ir.Instr{Kind: ir.Attention, Attrs: attention(64), In: []*ir.Value{v(10, 128), v(10, 128), v(10, 128)}}, 2*2*2*64*100/200e12 + 3*2*1280/4.3e12},
		{"attention", ir.Instr{Kind: ir.Attention, Attrs: attention(65), In: []*ir.Value{v(10, 130), v(10, 130), v(10, 130)}}, 2*2*2*65*100/300e12 + 3*2*1300/4.3e12},
		{"attention backward", ir.Instr{Kind: ir.AttentionBackward, Attrs: attention(64), In: []*ir.Value{v(10, 128), v(10, 128)}}, 5*2*2*64*100/(0.85*189e12) + 2*2*1280/4.3e12},
		{"attention backward", ir.Instr{Kind: ir.AttentionBackward, Attrs: attention(128), In: []*ir.Value{v(10, 256), v(10, 256)}}, 5*2*2*128*100/(0.85*259e12) + 2*2*2560/4.3e12},
		{"norms", ir.Instr{Kind: ir.RMSNorm, In: []*ir.Value{v(10, 768)}}, 2 * 7680 / 4.3e12 / 0.8},
		{"norms", ir.Instr{Kind: ir.LayerNormBackward, In: []*ir.Value{v(10, 769)}}, 2 * 7690 / 4.3e12 / 0.65},
		{"optimizer", ir.Instr{Kind: ir.AdamW, In: []*ir.Value{v(1000), v(1000), v(1000), v(1000), nil, nil, nil}}, 2 * 7000 / 4.3e12 / 0.9}, // p, m and v are written too
		{"optimizer", ir.Instr{Kind: ir.Cast, In: []*ir.Value{v(1000)}}, 2 * 1000 / 4.3e12 / 0.9},
		{"rest", ir.Instr{Kind: ir.Add, In: []*ir.Value{v(1000), v(1000)}, Out: []*ir.Value{v(1000)}}, 2 * 3000 / 4.3e12 / 0.9},
	} {
		class, got := timeOf(&c.in)
		if class != c.class || math.Abs(got-c.want) > 1e-9*c.want {
			t.Errorf("%s is %s, %v s; want %s, %v s", c.in.Kind, class, got, c.class, c.want)
		}
	}
	var s step
	s.add(&plan.Plan{Program: &ir.Program{Instrs: []*ir.Instr{{Kind: ir.Add, In: []*ir.Value{v(1000)}}}}, Launches: make([]plan.Launch, 3)})
	s.model = 989e12 * 1e-6
	if want := 3*0.7e-6 + 2000/4.3e12/0.9; math.Abs(s.total()-want) > 1e-12 || math.Abs(s.mfu()-1e-6/want) > 1e-6 {
		t.Errorf("a step of %v s, MFU %v; want %v s", s.total(), s.mfu(), want)
	}
}
