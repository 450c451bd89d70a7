package backend

import (
	"testing"

	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/plan"
)

func shaped(d ir.DType, shape ...int) *ir.Value { return &ir.Value{Shape: shape, DType: d} }

// TestWorkspaces gives the bytes of scratch of each kind whose number is simple; those
// of layouts have tests of their own.
func TestWorkspaces(t *testing.T) {
	var target plan.Target = Target()
	for _, c := range []struct {
		name   string
		launch []*ir.Instr
		want   int64
	}{
		{"a loss each row", []*ir.Instr{{Kind: ir.CrossEntropy, In: []*ir.Value{shaped(ir.BF16, 37, 50304), shaped(ir.I32, 37)}}}, 4 * 37},
		{"a sum each chunk of each gradient", []*ir.Instr{{Kind: ir.SumSquares, In: []*ir.Value{shaped(ir.F32, 5), shaped(ir.F32, 3, normChunk), shaped(ir.F32, normChunk+1)}}}, 4 * (1 + 3 + 2)},
		{"mean squares", []*ir.Instr{{Kind: ir.MSE, In: []*ir.Value{shaped(ir.F32, 100, 1000), shaped(ir.F32, 100, 1000)}}}, 4 * 7},
		{"many squares", []*ir.Instr{{Kind: ir.MSE, In: []*ir.Value{shaped(ir.F32, 5<<10, 16<<10)}}}, 4 * 1024},
		{"no scratch", []*ir.Instr{{Kind: ir.Add, In: []*ir.Value{shaped(ir.F32, 8), shaped(ir.F32, 8)}}}, 0},
	} {
		if got := target.Workspace(c.launch); got != c.want {
			t.Errorf("%s: %d bytes, want %d", c.name, got, c.want)
		}
	}
	// Kinds that need scratch memory have some.
	for _, c := range []*ir.Instr{
		{Kind: ir.LayerNormBackward, In: []*ir.Value{shaped(ir.F32, 64, 32)}, Out: []*ir.Value{shaped(ir.F32, 64, 32), shaped(ir.F32, 32), shaped(ir.F32, 32)}},
		{Kind: ir.RMSNormBackward, In: []*ir.Value{shaped(ir.F32, 64, 32)}, Out: []*ir.Value{shaped(ir.F32, 64, 32), shaped(ir.F32, 32)}},
		{Kind: ir.EmbeddingBackward, In: []*ir.Value{shaped(ir.I32, 64)}, Out: []*ir.Value{shaped(ir.F32, 100, 32)}},
		{Kind: ir.LinearCrossEntropy, Attrs: ir.LinearCrossEntropyAttrs{}, In: []*ir.Value{shaped(ir.F32, 8, 4), shaped(ir.F32, 16, 4)}},
		muonInstr(8, 8, ir.F32),
	} {
		if target.Workspace([]*ir.Instr{c}) == 0 {
			t.Errorf("%v has no scratch memory", c.Kind)
		}
	}
}

// TestReserved: memory that every plan leaves is that of cuBLASLt, of all slots of the
// copies and of the fault of a kernel; only a MatMul's input that is read late has a
// place of its own.
func TestReserved(t *testing.T) {
	target := Target()
	if want := int64(32<<20 + 8<<20 + 256); target.Reserved != want {
		t.Errorf("%d bytes are reserved, want %d", target.Reserved, want)
	}
	for kind := range ir.NumKinds {
		for x := range 6 {
			want := kind != ir.MatMul || x != 4 // ir.MatMul's pre
			if got := target.InPlace(&ir.Instr{Kind: kind}, 0, x); got != want {
				t.Errorf("%v over input %d: %t, want %t", kind, x, got, want)
			}
		}
	}
	if !target.StoresBF16 || !target.FusesSums {
		t.Errorf("%+v", target)
	}
}
