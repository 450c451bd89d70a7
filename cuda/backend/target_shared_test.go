package backend

import (
	"strings"
	"testing"

	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/plan"
	"example.com/gotrain/cuda/kernels"
)

// headInstr is attention of one head of hd elements, of 64 tokens, or one over a cache.
func headInstr(kind ir.Kind, elem ir.DType, hd, tokens int) *ir.Instr {
	x := shaped(elem, tokens, hd)
	in := &ir.Instr{Kind: kind, Path: "attn", Attrs: ir.AttentionAttrs{Batch: 1, Heads: 1, KVHeads: 1, HeadDim: hd, Scale: 1},
		In: []*ir.Value{x, x, x, shaped(ir.F32, 64, hd), shaped(ir.F32, 64, hd)}, Out: []*ir.Value{x}}
	return whole(in)
}

// whole gives an instruction the places of the optional arguments that it lacks.
func whole(in *ir.Instr) *ir.Instr {
	info := &ir.Kinds[in.Kind]
	in.In = append(in.In, make([]*ir.Value, len(info.In)-len(in.In))...)
	in.Out = append(in.Out, make([]*ir.Value, max(0, len(info.Out)-len(in.Out)))...)
	return in
}

// TestCheckAttention: what training and decoding take on blocks of 99 KiB, the least of
// all cards: bfloat16 has all heads up to 256.
func TestCheckAttention(t *testing.T) {
	const small, large = 99 << 10, 227 << 10
	for _, elem := range []ir.DType{ir.BF16, ir.F32} {
		for hd := 1; hd <= 257; hd++ {
			for _, c := range []struct {
				kind   ir.Kind
				tokens int
				most   int // the largest head in float32 on small blocks
			}{{ir.Attention, 64, 252}, {ir.AttentionBackward, 64, 180}, {ir.AttentionCached, 9, 252}, {ir.AttentionCached, 1, 256}} {
				in := headInstr(c.kind, elem, hd, c.tokens)
				if err := checkAttention(in, large); (err == nil) != (hd <= 256) {
					t.Errorf("%v of %d in %v on large blocks: %v", c.kind, hd, elem, err)
				}
				want := hd <= 256 && (elem == ir.BF16 || hd <= c.most)
				if err := checkAttention(in, small); (err == nil) != want {
					t.Errorf("%v of %d in %v on small blocks: %v", c.kind, hd, elem, err)
				}
			}
		}
	}
	in := headInstr(ir.AttentionBackward, ir.F32, 256, 64)
	p := &plan.Plan{Program: &ir.Program{Instrs: []*ir.Instr{{Kind: ir.Add}, in}}}
	card, _ := FindCard("rtx-4090")
	const want = `AttentionBackward at "attn": heads of 256 in f32 take 141696 bytes of shared memory, a block of this card has 101376: use more heads, which are smaller, or precision: bfloat16`
	if err := card.Check(p, AttentionMMA); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %q", err, want)
	}
	for _, name := range []string{"h100-sxm", "a100-80gb", "b200"} {
		if card, _ := FindCard(name); card.Check(p, AttentionMMA) != nil {
			t.Errorf("%s: %v", name, card.Check(p, AttentionMMA))
		}
	}
}

// TestKeysOfTiles: heads of 128 take the tile of 128 keys where it fits, to the byte.
func TestKeysOfTiles(t *testing.T) {
	a := attentionOf(headInstr(ir.AttentionBackward, ir.BF16, 128, 64))
	whole := 148480 + kernels.Signatures["attention_backward_d128_bf16"].Shared
	for perBlock, want := range map[int]attentionKernel{
		whole:     {"attention_backward_d128_bf16", 128, 256, 148480},
		whole - 1: {"attention_backward_keys64_d128_bf16", 64, 128, 70144},
	} {
		if all := a.gradientKernels(perBlock); len(all) == 0 || all[0] != want {
			t.Errorf("with %d bytes: %+v, want %+v", perBlock, all, want)
		}
	}
}

// TestRestFits: kernels of other kinds, whose shared memory has a bound of its own, run
// on blocks of 99 KiB.
func TestRestFits(t *testing.T) {
	one := [3]int{1, 1, 1}
	for name, shared := range map[string]int{"crossentropy_rows_bf16": classifyShared, "crossentropy_rows_f32": classifyShared,
		"layernorm_backward_bf16": mostSumsBytes, "layernorm_backward_f32": mostSumsBytes, "rmsnorm_backward_bf16": mostSumsBytes} {
		if err := checkLaunch(name, kernels.Signatures[name], one, [3]int{kernels.Signatures[name].Threads, 1, 1}, shared, 99<<10); err != nil {
			t.Error(err)
		}
	}
}

// TestHopperFits: heads of 64 and 128 in bfloat16 on cards of compute capability 9.0, and
// nothing else.
func TestHopperFits(t *testing.T) {
	for _, c := range []struct {
		card    string
		head    int
		elem    ir.DType
		pattern ir.Sparsity
		want    string // "" is no error
	}{
		{"h200", 64, ir.BF16, ir.Sparsity{}, ""},
		{"h100-sxm", 128, ir.BF16, ir.Sparsity{}, ""},
		{"h200", 96, ir.BF16, ir.Sparsity{}, "no pattern, bf16 and heads of 96"},
		{"h200", 64, ir.F32, ir.Sparsity{}, "no pattern, f32 and heads of 64"},
		{"h200", 64, ir.BF16, ir.Sparsity{Pattern: ir.Strided, Block: 64, Local: 1, Stride: 2}, "a pattern, bf16 and heads of 64"},
		{"b200", 64, ir.BF16, ir.Sparsity{}, "b200 has 10.0"},
		{"rtx-4090", 64, ir.BF16, ir.Sparsity{}, "rtx-4090 has 8.9"},
	} {
		in := headInstr(ir.Attention, c.elem, c.head, 64)
		attrs := in.Attrs.(ir.AttentionAttrs)
		attrs.Sparse = c.pattern
		in.Attrs = attrs
		p := &plan.Plan{Program: &ir.Program{Instrs: []*ir.Instr{in}}}
		card, _ := FindCard(c.card)
		if err := card.Check(p, AttentionHopper); c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s, heads of %d in %s: %v, want %q", c.card, c.head, c.elem, err, c.want)
		}
	}
}

// TestKernelsOfViews: which kernels drop weights and take a bias, with patterns of blocks and
// small blocks or without.
func TestKernelsOfViews(t *testing.T) {
	const small, large = 99 << 10, 227 << 10
	for _, c := range []struct {
		kind     ir.Kind
		elem     ir.DType
		hd       int
		drop     float32
		biased   bool
		pattern  ir.Pattern
		perBlock int
		want     string
	}{
		{ir.Attention, ir.BF16, 64, 0.1, false, ir.Dense, large, "attention_dropped_d64_bf16"},
		{ir.Attention, ir.BF16, 64, 0.1, true, ir.Dense, large, "attention_dropped_bf16"},
		{ir.Attention, ir.BF16, 64, 0.1, false, ir.Strided, large, "attention_dropped_bf16"},
		{ir.Attention, ir.BF16, 20, 0.1, false, ir.Dense, large, "attention_dropped_bf16"},
		{ir.Attention, ir.F32, 64, 0.1, false, ir.Dense, large, "attention_dropped_f32"},
		{ir.AttentionBackward, ir.BF16, 256, 0.1, false, ir.Dense, large, "attention_backward_dropped_d256_bf16"},
		{ir.AttentionBackward, ir.BF16, 256, 0.1, false, ir.Dense, small, "attention_backward_dropped_keys_bf16 attention_backward_dropped_queries_bf16"},
		{ir.AttentionBackward, ir.BF16, 128, 0.1, false, ir.Dense, small, "attention_backward_dropped_d128_bf16"},
		{ir.AttentionBackward, ir.BF16, 128, 0.1, true, ir.Dense, small, "attention_backward_dropped_keys_bf16 attention_backward_dropped_queries_bf16"},
		{ir.Attention, ir.BF16, 64, 0, true, ir.Dense, large, "attention_biased_d64_bf16"},
		{ir.Attention, ir.BF16, 64, 0, true, ir.Strided, large, "attention_biased_bf16"},
		{ir.AttentionBackward, ir.BF16, 96, 0, true, ir.Dense, small, "attention_backward_biased_d96_bf16"},
		{ir.AttentionBackward, ir.BF16, 64, 0, true, ir.Strided, large, "attention_backward_biased_keys_bf16 attention_backward_biased_queries_bf16"},
		{ir.AttentionBackward, ir.F32, 64, 0, true, ir.Dense, large, "attention_backward_biased_keys_f32 attention_backward_biased_queries_f32"},
	} {
		in := headInstr(c.kind, c.elem, c.hd, 64)
		attrs := in.Attrs.(ir.AttentionAttrs)
		attrs.Drop.P, attrs.Sparse.Pattern = c.drop, c.pattern
		in.Attrs = attrs
		if c.biased {
			in.In[len(in.In)-1] = shaped(ir.F32, 1, 5)
		}
		if err := checkAttention(in, c.perBlock); err != nil {
			t.Error(err)
		}
		var names []string
		for _, k := range attentionOf(in).kernels(c.perBlock) {
			names = append(names, k.name)
		}
		if got := strings.Join(names, " "); got != c.want {
			t.Errorf("%v of %d in %v, dropout %v, bias %v, pattern %v: %s, want %s", c.kind, c.hd, c.elem, c.drop, c.biased, c.pattern, got, c.want)
		}
		if err := checkHopper(in, large); err == nil || !strings.Contains(err.Error(), "no dropout of weights") {
			t.Errorf("hopper: %v", err)
		}
	}
}
