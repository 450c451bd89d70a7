package backend

import (
	"fmt"
	"slices"
	"testing"

	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/plan"
	"example.com/gotrain/cuda/kernels"
)

// TestWorkspacesOfAttention adds up by hand what lies in the scratch memory of attention.
func TestWorkspacesOfAttention(t *testing.T) {
	attention := func(kind ir.Kind, elem ir.DType, tokens, keys int, segments string) *ir.Instr {
		in := &ir.Instr{Kind: kind, Attrs: ir.AttentionAttrs{Batch: 2, Heads: 3, KVHeads: 3, HeadDim: 64, Scale: 1},
			In: []*ir.Value{shaped(elem, 2*tokens, 192), shaped(elem, 2*keys, 192), shaped(elem, 2*keys, 192), nil, nil}, Out: []*ir.Value{shaped(elem, 2*tokens, 192)}}
		for _, s := range segments {
			in.In[map[rune]int{'q': 3, 'k': 4}[s]] = shaped(ir.I32, 2*tokens)
		}
		return whole(in)
	}
	cached := func(tokens, capacity, hd int) *ir.Instr {
		return whole(&ir.Instr{Kind: ir.AttentionCached, Attrs: ir.AttentionAttrs{Batch: 2, Heads: 3, KVHeads: 3, HeadDim: hd, Scale: 1},
			In: []*ir.Value{shaped(ir.F32, 2*tokens, 3*hd), shaped(ir.F32, 2*tokens, 3*hd), shaped(ir.F32, 2*tokens, 3*hd), shaped(ir.F32, 2*capacity, 3*hd)}})
	}
	biased := attention(ir.AttentionBackward, ir.BF16, 100, 100, "")
	biased.In[9], biased.Out[3] = shaped(ir.F32, 3, 50), shaped(ir.F32, 3, 50)
	crossed := attention(ir.AttentionBackward, ir.BF16, 20, 300, "")
	crossed.In[9], crossed.Out[3] = biased.In[9], biased.Out[3]
	fixed := attention(ir.AttentionBackward, ir.BF16, 100, 100, "")
	fixed.In[9] = biased.In[9]
	sparse := attention(ir.AttentionBackward, ir.BF16, 100, 100, "")
	attrs := sparse.Attrs.(ir.AttentionAttrs)
	attrs.Sparse = ir.Sparsity{Pattern: ir.Strided, Block: 64, Local: 1, Stride: 2}
	sparse.Attrs = attrs
	packed := attention(ir.AttentionBackward, ir.F32, 65, 0, "q")
	attrs.Sparse, attrs.Packed = ir.Sparsity{}, true
	packed.Attrs = attrs
	summed, summedPacked := attention(ir.AttentionBackward, ir.BF16, 100, 130, ""), attention(ir.AttentionBackward, ir.BF16, 100, 0, "")
	summed.Out[1], summed.Out[2], summed.Out[4], summed.Out[6] = summed.In[1], summed.In[2], shaped(ir.F32, 192), shaped(ir.F32, 192)
	summedPacked.Attrs, summedPacked.Out[4] = attrs, shaped(ir.F32, 3*192)
	ofKeys := attention(ir.AttentionBackward, ir.BF16, 100, 130, "")
	ofKeys.Out[1], ofKeys.Out[5] = ofKeys.In[1], shaped(ir.F32, 192)
	read := attention(ir.AttentionBackward, ir.F32, 1, 5000, "")
	read.Out[1], read.Out[5] = read.In[1], shaped(ir.F32, 192)
	relative := &ir.Instr{Kind: ir.RelativeAttentionBackward, Attrs: ir.RelativeAttrs{Batch: 2, Heads: 3, HeadDim: 8}, In: []*ir.Value{shaped(ir.F32, 2*5, 24), shaped(ir.F32, 2*7, 24)}}
	for name, c := range map[string]struct {
		in   *ir.Instr
		want int64
	}{
		"no segments":            {attention(ir.Attention, ir.F32, 100, 100, ""), 0},
		"segments":               {attention(ir.Attention, ir.F32, 100, 100, "q"), 8 * 2 * 2},
		"segments of a few":      {attention(ir.Attention, ir.BF16, 64, 64, "q"), 16},
		"segments of both":       {attention(ir.Attention, ir.F32, 64, 200, "qk"), 8*2*1 + 8*2*4},
		"gradients":              {attention(ir.AttentionBackward, ir.F32, 100, 100, ""), 8 * 2 * 3 * 128},
		"gradients of segments":  {attention(ir.AttentionBackward, ir.F32, 129, 100, "q"), 8*2*3 + 8*2*3*192},
		"gradients packed":       {packed, 8*2*2 + 8*2*3*128},
		"gradients in one pass":  {attention(ir.AttentionBackward, ir.BF16, 100, 100, ""), 8*768 + 4*768*64 + 4*(1+24)},
		"with sums":              {summed, 8*768 + 4*768*64 + 4*(1+24) + 4*2*4*192 + 4*2*3*2*192},
		"with sums, packed":      {summedPacked, 8*768 + 4*768*64 + 4*(1+24) + 4*2*4*192 + 4*2*2*2*192},
		"with sums of keys":      {ofKeys, 8*768 + 4*768*64 + 4*(1+24) + 4*2*3*2*192},
		"with sums read":         {read, 4 * 154 * 192},
		"gradients of a pattern": {sparse, 8*768 + 4*768*64 + 4*(1+24)},
		"gradients of a bias":    {biased, 8*768 + 4*768*64 + 4*(1+24) + 4*2*4*3*50},
		"beside a fixed bias":    {fixed, 8*768 + 4*768*64 + 4*(1+24)},
		"of a bias over keys":    {crossed, 8*384 + 4*384*64 + 4*(1+12) + 4*2*5*3*50},
		"one token":              {cached(1, 600, 16), 4 * 2 * 3 * 3 * (2 + 16)},
		"one token, one block":   {cached(1, 256, 16), 0},
		"one token, two blocks":  {cached(1, 257, 64), 4 * 2 * 3 * 2 * (2 + 64)},
		"two tokens":             {cached(2, 600, 16), 0},
		"by distances":           {relative, 4 * 2 * 3 * 5},
	} {
		if got := Target().Workspace([]*ir.Instr{c.in}); got != c.want {
			t.Errorf("%s: %d bytes, want %d", name, got, c.want)
		}
	}
	s := attentionOf(attention(ir.AttentionBackward, ir.BF16, 100, 100, "q")).gradientScratch()
	if want := (gradientScratch{stats: 32, sums: 32 + 6144, flags: 32 + 6144 + 196608, count: 25, parts: 32 + 6144 + 196608 + 100, end: 32 + 6144 + 196608 + 100}); s != want {
		t.Errorf("%+v, want %+v", s, want)
	}
}

// TestWorkspacesOfRecurrence lays out by hand what passes between the steps, each part at a multiple of 256 bytes.
func TestWorkspacesOfRecurrence(t *testing.T) {
	forward := func(kind ir.Kind, cell ir.Cell, gates, state int, wr *ir.Value) *ir.Instr {
		return &ir.Instr{Kind: kind, Attrs: ir.RecurrentAttrs{Batch: 20, Cell: cell}, Out: []*ir.Value{shaped(ir.BF16, 60, state), nil, nil},
			In: []*ir.Value{shaped(ir.BF16, 60, gates), shaped(ir.BF16, gates, state), nil, wr, nil, nil, nil}}
	}
	backward := func(wr *ir.Value, state int) *ir.Instr {
		return &ir.Instr{Kind: ir.RecurrentBackward, Attrs: ir.RecurrentAttrs{Batch: 20},
			In: []*ir.Value{shaped(ir.BF16, 40, state), wr, nil, nil, nil, shaped(ir.BF16, 60, 40), shaped(ir.F32, 60, 10)}}
	}
	wr := shaped(ir.BF16, 4, 10)
	for name, c := range map[string]struct {
		in                                           *ir.Instr
		tokens, hidden, state, gates                 int
		carry, products, operand, other, full, bytes int64
	}{
		"LSTM":               {forward(ir.Recurrent, ir.LSTM, 40, 10, nil), 3, 10, 10, 40, 0, 1024, 1024 + 3328, 0, 0, 1024 + 3328 + 512},
		"GRU":                {forward(ir.RecurrentCached, ir.GRU, 30, 10, nil), 3, 10, 10, 30, 0, 1024, 1024 + 2560, 0, 0, 1024 + 2560 + 512},
		"projected":          {forward(ir.Recurrent, ir.LSTM, 40, 4, wr), 3, 10, 4, 40, 0, 1024, 1024 + 3328, 4352 + 256, 0, 4608 + 512},
		"wide projection":    {forward(ir.Recurrent, ir.LSTM, 40, 50, shaped(ir.BF16, 50, 10)), 3, 10, 50, 40, 0, 1024, 1024 + 4096, 5120 + 2048, 0, 7168 + 512},
		"backward":           {backward(nil, 10), 3, 10, 10, 40, 0, 1024, 1024 + 1024, 0, 0, 2048 + 1792},
		"backward projected": {backward(wr, 4), 3, 10, 4, 40, 0, 1024, 1024 + 512, 1536 + 1792, 3328 + 256, 3584 + 1024},
	} {
		r := recurrenceOf(c.in)
		if r.tokens != c.tokens || r.hidden != c.hidden || r.state != c.state || r.gates != c.gates || r.dtype != ir.BF16 {
			t.Errorf("%s: %+v", name, r)
		}
		got := [...]int64{r.carry, r.products, r.operand, r.other, r.full, r.bytes}
		if want := [...]int64{c.carry, c.products, c.operand, c.other, c.full, c.bytes}; got != want {
			t.Errorf("%s: offsets %v, want %v", name, got, want)
		}
		if n := Target().Workspace([]*ir.Instr{c.in}); n != c.bytes {
			t.Errorf("%s: %d bytes, want %d", name, n, c.bytes)
		}
	}
}

// TestWorkspacesOfSums: partial sums of the operand that a MatMul adds up.
func TestWorkspacesOfSums(t *testing.T) {
	a, b, sum := shaped(ir.F32, 128, 32), shaped(ir.F32, 640, 96), shaped(ir.F32, 96)
	for name, c := range map[string]struct {
		in   *ir.Instr
		want int64
	}{
		"none": {&ir.Instr{Kind: ir.MatMul, Attrs: ir.MatMulAttrs{}, In: []*ir.Value{a, b}, Out: []*ir.Value{sum, nil, nil}}, 0},
		"of b": {&ir.Instr{Kind: ir.MatMul, Attrs: ir.MatMulAttrs{}, In: []*ir.Value{a, b}, Out: []*ir.Value{sum, nil, sum}}, 4 * 10 * 96},
		"of a": {&ir.Instr{Kind: ir.MatMul, Attrs: ir.MatMulAttrs{SumA: true}, In: []*ir.Value{a, b}, Out: []*ir.Value{sum, nil, sum}}, 4 * 2 * 32},
	} {
		if got := Target().Workspace([]*ir.Instr{c.in}); got != c.want {
			t.Errorf("%s: %d bytes, want %d", name, got, c.want)
		}
	}
}

// TestSharedMemoryOfKernels gives the tile, the threads and the bytes of each kernel of attention.
func TestSharedMemoryOfKernels(t *testing.T) {
	var got []string
	show := func(k attentionKernel) { got = append(got, fmt.Sprint(k)) }
	for _, f := range flashes {
		show(f.kernel())
	}
	for _, g := range gradients {
		show(g.kernel())
	}
	for _, hd := range []int{64, 128} {
		for _, kind := range []ir.Kind{ir.Attention, ir.AttentionBackward} {
			for _, k := range attentionOf(headInstr(kind, ir.BF16, hd, 64)).hopperKernels() {
				show(k)
			}
		}
	}
	for _, elem := range []ir.DType{ir.F32, ir.BF16} {
		show(attentionOf(headInstr(ir.Attention, elem, 64, 64)).generalKernel())
		show(attentionOf(headInstr(ir.AttentionCached, elem, 64, 9)).generalKernel())
		show(attentionOf(headInstr(ir.AttentionCached, elem, 64, 1)).tokenKernel())
		keys, queries := attentionOf(headInstr(ir.AttentionBackward, elem, 64, 64)).generalGradients()
		show(keys)
		show(queries)
	}
	show(attentionOf(headInstr(ir.AttentionCached, ir.F32, 50, 1)).tokenKernel())
	in := headInstr(ir.AttentionBackward, ir.BF16, 64, 64)
	attrs := in.Attrs.(ir.AttentionAttrs)
	attrs.Sparse = ir.Sparsity{Pattern: ir.Fixed, Block: 64, Stride: 2, Global: 1}
	in.Attrs = attrs
	keys, queries := attentionOf(in).generalGradients()
	show(keys)
	show(queries)
	in.Kind = ir.Attention
	show(attentionOf(in).generalKernel())
	want := []string{
		"{attention_d32_bf16 128 128 20480}", "{attention_d64_bf16 128 128 40960}", "{attention_rows64_d64_bf16 64 128 32768}", "{attention_rows256_d64_bf16 256 256 57344}",
		"{attention_d96_bf16 128 128 61440}", "{attention_d128_bf16 128 128 81920}", "{attention_rows64_d128_bf16 64 128 65536}", "{attention_warps8_d128_bf16 128 256 81920}",
		"{attention_d256_bf16 64 128 81920}",
		"{attention_sparse_d32_bf16 64 128 16384}", "{attention_sparse_d64_bf16 64 128 32768}", "{attention_sparse_d96_bf16 64 128 49152}",
		"{attention_sparse_d128_bf16 64 128 65536}", "{attention_sparse_d256_bf16 64 128 81920}",
		"{attention_dropped_d32_bf16 64 128 16384}", "{attention_dropped_d64_bf16 64 128 32768}", "{attention_dropped_d96_bf16 64 128 49152}",
		"{attention_dropped_d128_bf16 64 128 65536}", "{attention_dropped_d256_bf16 64 128 81920}",
		"{attention_biased_d32_bf16 64 128 16384}", "{attention_biased_d64_bf16 64 128 32768}", "{attention_biased_d96_bf16 64 128 49152}",
		"{attention_biased_d128_bf16 64 128 65536}", "{attention_biased_d256_bf16 64 128 81920}",
		"{attention_backward_d32_bf16 128 128 50176}", "{attention_backward_d64_bf16 128 128 82944}", "{attention_backward_keys64_d64_bf16 64 128 58368}",
		"{attention_backward_d96_bf16 64 128 82944}", "{attention_backward_d128_bf16 128 256 148480}", "{attention_backward_keys64_d128_bf16 64 128 70144}",
		"{attention_backward_d256_bf16 64 256 139776}",
		"{attention_backward_sparse_d32_bf16 64 128 33792}", "{attention_backward_sparse_d64_bf16 64 128 58368}", "{attention_backward_sparse_d96_bf16 64 128 82944}",
		"{attention_backward_sparse_d128_bf16 64 128 70144}", "{attention_backward_sparse_d256_bf16 64 256 139776}",
		"{attention_backward_dropped_d32_bf16 64 128 33792}", "{attention_backward_dropped_d64_bf16 64 128 58368}", "{attention_backward_dropped_d96_bf16 64 128 82944}",
		"{attention_backward_dropped_d128_bf16 64 128 70144}", "{attention_backward_dropped_d256_bf16 64 256 139776}",
		"{attention_backward_biased_d32_bf16 64 128 33792}", "{attention_backward_biased_d64_bf16 64 128 58368}", "{attention_backward_biased_d96_bf16 64 128 82944}",
		"{attention_backward_biased_d128_bf16 64 128 70144}", "{attention_backward_biased_d256_bf16 64 256 139776}",
		"{attention_hopper_d64_bf16 128 384 82944}", "{attention_hopper_keys_d64_bf16 128 384 103424}", "{attention_hopper_queries_d64_bf16 128 384 99328}",
		"{attention_hopper_d128_bf16 128 384 164864}", "{attention_hopper_keys_d128_bf16 128 384 201728}", "{attention_hopper_queries_d128_bf16 128 384 197632}",
		"{attention_general_f32 32 256 30464}", "{attention_general_f32 32 256 30464}", "{attention_cached_token_f32 1 256 43008}",
		"{attention_backward_general_keys_f32 32 256 43264}", "{attention_backward_general_queries_f32 32 256 43264}",
		"{attention_general_bf16 32 256 17408}", "{attention_general_cached_bf16 32 256 26112}", "{attention_cached_token_bf16 1 256 43008}",
		"{attention_backward_general_keys_bf16 32 256 25856}", "{attention_backward_general_queries_bf16 32 256 25856}",
		"{attention_cached_token_f32 1 256 41472}",
		"{attention_backward_sparse_keys_bf16 32 256 25856}", "{attention_backward_sparse_queries_bf16 32 256 25856}", "{attention_sparse_bf16 32 256 17408}",
	}
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Fatalf("kernel %d: %v, want %v", i, got[min(i, len(got)-1):], want[min(i, len(want)-1):])
		}
	}
	for _, k := range flashes {
		if _, ok := kernels.Signatures[k.kernel().name]; !ok {
			t.Errorf("%s is no kernel", k.kernel().name)
		}
	}
}

// TestRelativeLimits: shared memory of decoding by distances, to the byte.
func TestRelativeLimits(t *testing.T) {
	decode := func(window, hd int) *ir.Instr {
		return &ir.Instr{Kind: ir.RelativeAttentionCached, Attrs: ir.RelativeAttrs{Batch: 1, Heads: 1, HeadDim: hd, Window: window},
			In: []*ir.Value{shaped(ir.F32, 1, hd), nil, nil, nil, nil, shaped(ir.F32, 9, hd)}}
	}
	for _, c := range []struct{ window, hd, bytes int }{{100, 64, 4 * (100 + 256)}, {100, 96, 4 * (100 + 192)}, {100, 256, 4 * (100 + 256)}, {1, 200, 4 * (1 + 200)}, {10, 1, 4 * (10 + 256)}} {
		if a := relativeOf(decode(c.window, c.hd)); a.cachedBytes() != c.bytes || a.keys != 9 || a.queries != 1 {
			t.Errorf("%+v: %d bytes of %+v", c, a.cachedBytes(), a)
		}
	}
	for _, c := range []struct {
		in *ir.Instr
		ok bool
	}{
		{decode(12288-256, 64), true}, {decode(12288-255, 64), false}, {decode(10, 256), true}, {decode(10, 257), false},
		{&ir.Instr{Kind: ir.RelativeAttention, Attrs: ir.RelativeAttrs{Batch: 1, Heads: 1, HeadDim: 64, Window: 1 << 20}, In: []*ir.Value{shaped(ir.F32, 4, 64), shaped(ir.F32, 4, 64)}}, true},
	} {
		if err := checkRelative(c.in); (err == nil) != c.ok {
			t.Errorf("%+v: %v", c.in.Attrs, err)
		}
	}
}

// TestCards holds NVIDIA's data sheets, as they are printed, and the table's names.
func TestCards(t *testing.T) {
	var names []string
	for _, c := range []struct {
		name                    string
		f32, tf32, bf16, gbytes float64 // TFLOP/s, TB/s
		mib                     int64
		shared                  int // KiB
	}{
		{"h100-sxm", 66.9, 494.7, 989.4, 3.35, 81559, 227}, {"h200", 66.9, 494.7, 989.4, 4.8, 143771, 227}, {"b200", 75, 1125, 2250, 7.7, 183359, 227},
		{"a100-80gb", 19.5, 156, 311.9, 2.039, 81920, 163}, {"l40s", 91.6, 91.6, 183.2, 0.864, 46068, 99}, {"rtx-4090", 82.6, 82.6, 165.2, 1.008, 24564, 99},
	} {
		names = append(names, c.name)
		got, ok := FindCard(c.name)
		want := Card{c.name, c.f32 * 1e12, c.tf32 * 1e12, c.bf16 * 1e12, c.gbytes * 1e12, c.mib << 20, 0, c.shared << 10}
		near := func(a, b float64) bool { return a > b*(1-1e-9) && a < b*(1+1e-9) }
		if !ok || got.Name != want.Name || !near(got.F32, want.F32) || !near(got.TF32, want.TF32) || !near(got.BF16, want.BF16) || !near(got.Bandwidth, want.Bandwidth) ||
			got.Memory != want.Memory || got.Free != 0 || got.Shared != want.Shared {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
	if !slices.Equal(CardNames(), names) || DefaultCard != "h100-sxm" {
		t.Errorf("names %q, default %s", CardNames(), DefaultCard)
	}
	if c, ok := FindCard("H200"); !ok || c.Name != "h200" {
		t.Error("names do not depend on case")
	}
	if _, ok := FindCard("h300"); ok {
		t.Error("h300 is a card")
	}
}

// TestCheckOfPlans: a plan is refused for any of its instructions that no kernel holds, of each kind of attention.
func TestCheckOfPlans(t *testing.T) {
	card, _ := FindCard("h100-sxm")
	relative := func(kind ir.Kind, hd int) *ir.Instr {
		x := shaped(ir.F32, 4, hd)
		return &ir.Instr{Kind: kind, Attrs: ir.RelativeAttrs{Batch: 1, Heads: 1, HeadDim: hd, Window: 4}, In: []*ir.Value{x, x, x, x, x, x, x, x, x}}
	}
	for _, kind := range []ir.Kind{ir.Attention, ir.AttentionBackward, ir.AttentionCached} {
		checkPlan(t, card, headInstr(kind, ir.F32, 256, 64), true)
		checkPlan(t, card, headInstr(kind, ir.F32, 257, 64), false)
	}
	for _, kind := range []ir.Kind{ir.RelativeAttention, ir.RelativeAttentionBackward, ir.RelativeAttentionCached} {
		checkPlan(t, card, relative(kind, 256), true)
		checkPlan(t, card, relative(kind, 257), false)
	}
}

func checkPlan(t *testing.T, card Card, in *ir.Instr, ok bool) {
	t.Helper()
	p := &plan.Plan{Program: &ir.Program{Instrs: []*ir.Instr{{Kind: ir.Add}, in}}}
	if err := card.Check(p, AttentionMMA); (err == nil) != ok {
		t.Errorf("%s with %+v: %v", in.Kind, in.Attrs, err)
	}
}

// TestLayoutOfMuon lays out by hand matrices whose partial sums take more than the 256 bytes that parts are rounded to.
func TestLayoutOfMuon(t *testing.T) {
	m := muonBatch{muonClass: muonClass{rows: 2048, cols: 1024, iterations: 5, compute: ir.BF16}, side: 1024, operand: ir.BF16}
	m.layout(3)
	const mib = 1 << 20
	want := [...]int64{0, 12 * mib, 24 * mib, 30 * mib, 42 * mib, 48 * mib, 48*mib + 3*512} // 128 sums of each matrix
	if got := [...]int64{m.x, m.next, m.a, m.square, m.poly, m.partial, m.bytes}; got != want {
		t.Errorf("%v, want %v", got, want)
	}
	m.operand = ir.F32
	m.layout(1)
	want = [...]int64{0, 8 * mib, 16 * mib, 20 * mib, 20 * mib, 24 * mib, 24*mib + 512}
	if got := [...]int64{m.x, m.next, m.a, m.square, m.poly, m.partial, m.bytes}; got != want {
		t.Errorf("in float32 %v, want %v", got, want)
	}
}
