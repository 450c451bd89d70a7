package ir

import "testing"

// TestCost counts pairs of tokens and multiplications one by one.
func TestCost(t *testing.T) {
	value := func(shape ...int) *Value { return &Value{Shape: shape} }
	attention := AttentionAttrs{Batch: 2, Heads: 4, KVHeads: 2, HeadDim: 8, Causal: true}
	window, cross := attention, attention
	window.Window, cross.Causal = 2, false
	q, k := value(2*6, 32), value(2*6, 16)
	short := value(2*3, 32)
	for _, c := range []struct {
		name string
		in   Instr
		want Cost // without bytes
	}{
		{"product", Instr{Kind: MatMul, Attrs: MatMulAttrs{TransA: true}, In: []*Value{value(7, 3), value(7, 5)}, Out: []*Value{value(3, 5)}},
			Cost{Products: 2 * 3 * 5 * 7, Model: 2 * 3 * 5 * 7}},
		{"loss", Instr{Kind: LinearCrossEntropy, In: []*Value{value(6, 3), value(9, 3)}, Out: []*Value{nil, nil, value(6, 3), nil}},
			Cost{Products: 2 * 2 * 6 * 9 * 3, Model: 2 * 2 * 6 * 9 * 3}},
		{"log-probabilities", Instr{Kind: LinearLogProb, In: []*Value{value(6, 3), value(9, 3)}},
			Cost{Products: 2 * 6 * 9 * 3, Model: 2 * 6 * 9 * 3}},
		{"log-probabilities of top classes", Instr{Kind: LinearTopLogProb, In: []*Value{value(6, 3), value(9, 3), value(6, 2)}},
			Cost{Products: 2 * 6 * 9 * 3, Model: 2 * 6 * 9 * 3}},
		{"gradient of log-probabilities", Instr{Kind: LinearLogProbBackward, In: []*Value{value(6, 3), value(9, 3)}, Out: []*Value{value(6, 3), nil}},
			Cost{Products: 2 * 2 * 6 * 9 * 3, Model: 2 * 6 * 9 * 3}},
		{"causal", Instr{Kind: Attention, Attrs: attention, In: []*Value{q, k, k}},
			Cost{Attention: 2 * 2 * 2 * 4 * 8 * 21, Keys: 6, Model: 2 * 2 * 2 * 4 * 8 * 21}},
		{"window", Instr{Kind: AttentionBackward, Attrs: window, In: []*Value{q, k, k}},
			Cost{Attention: 5 * 2 * 2 * 4 * 8 * 11, Keys: 6, Model: 4 * 2 * 2 * 4 * 8 * 11}},
		{"cross", Instr{Kind: Attention, Attrs: cross, In: []*Value{short, k, k}},
			Cost{Attention: 2 * 2 * 2 * 4 * 8 * 18, Keys: 6, Model: 2 * 2 * 2 * 4 * 8 * 18}},
		{"continued", Instr{Kind: Attention, Attrs: attention, In: []*Value{short, k, k}}, // sees 4, 5 and 6 keys
			Cost{Attention: 2 * 2 * 2 * 4 * 8 * 15, Keys: 6, Model: 2 * 2 * 2 * 4 * 8 * 15}},
		{"decode", Instr{Kind: AttentionCached, Attrs: attention, In: []*Value{value(2, 32), nil, nil, value(2*50, 16)}},
			Cost{Attention: 2 * 2 * 2 * 4 * 8 * 50, Keys: 50, Model: 2 * 2 * 2 * 4 * 8 * 50}},
		{"relative", Instr{Kind: RelativeAttention, Attrs: RelativeAttrs{Batch: 2, Heads: 3, HeadDim: 8, Window: 2}, In: []*Value{value(2*3, 24), value(2*5, 24)}}, // sees 2 keys each
			Cost{Attention: 3 * 2 * 2 * 3 * 8 * 6, Keys: 5, Model: 3 * 2 * 2 * 3 * 8 * 6}},
		{"relative backward", Instr{Kind: RelativeAttentionBackward, Attrs: RelativeAttrs{Batch: 2, Heads: 3, HeadDim: 8}, In: []*Value{value(2*3, 24), value(2*5, 24)}}, // 3, 4 and 5
			Cost{Attention: 8 * 2 * 2 * 3 * 8 * 12, Keys: 5, Model: 6 * 2 * 2 * 3 * 8 * 12}},
		{"relative decode", Instr{Kind: RelativeAttentionCached, Attrs: RelativeAttrs{Batch: 2, Heads: 3, HeadDim: 8, Window: 10}, In: []*Value{value(2, 24), nil, nil, nil, nil, value(2*50, 24)}},
			Cost{Attention: 3 * 2 * 2 * 3 * 8 * 10, Keys: 50, Model: 3 * 2 * 2 * 3 * 8 * 10}},
		{"attention backward", Instr{Kind: AttentionBackward, Attrs: cross, In: []*Value{short, k, k}},
			Cost{Attention: 5 * 2 * 2 * 4 * 8 * 18, Keys: 6, Model: 4 * 2 * 2 * 4 * 8 * 18}},
		{"lstm", Instr{Kind: Recurrent, Attrs: RecurrentAttrs{Batch: 2}, In: []*Value{value(6, 40), value(40, 10), nil, nil, nil, nil, nil}},
			Cost{Products: 2 * 6 * 40 * 10, Model: 2 * 6 * 40 * 10}},
		{"projected lstm", Instr{Kind: RecurrentCached, Attrs: RecurrentAttrs{Batch: 2}, In: []*Value{value(6, 40), value(40, 4), nil, value(4, 10)}},
			Cost{Products: 2 * 6 * (40*4 + 4*10), Model: 2 * 6 * (40*4 + 4*10)}},
		{"lstm backward", Instr{Kind: RecurrentBackward, Attrs: RecurrentAttrs{Batch: 2}, In: []*Value{value(40, 4), value(4, 10), nil, nil, nil, value(6, 40)}},
			Cost{Products: 2 * 6 * (40*4 + 4*10), Model: 2 * 6 * (40*4 + 4*10)}},
		{"loss alone", Instr{Kind: LinearCrossEntropy, In: []*Value{value(6, 3), value(9, 3)}, Out: []*Value{nil, nil, nil, nil}},
			Cost{Products: 2 * 6 * 9 * 3, Model: 2 * 6 * 9 * 3}},
		{"loss with gradients", Instr{Kind: LinearCrossEntropy, In: []*Value{value(6, 3), value(9, 3)}, Out: []*Value{nil, nil, value(6, 3), value(9, 3)}},
			Cost{Products: 3 * 2 * 6 * 9 * 3, Model: 3 * 2 * 6 * 9 * 3}},
		{"muon of a tall matrix", Instr{Kind: Muon, Attrs: MuonAttrs{NewtonSchulz: 2}, In: []*Value{value(10, 3), nil, nil, nil, nil, nil}},
			Cost{Products: 2 * 2 * (3*3*10 + 3*3*3 + 3*3*10)}},
		{"muon", Instr{Kind: Muon, Attrs: MuonAttrs{NewtonSchulz: 5}, In: []*Value{value(3, 10), nil, nil, nil, nil, nil}},
			Cost{Products: 5 * 2 * (3*3*10 + 3*3*3 + 3*3*10)}},
		{"sum", Instr{Kind: Add, In: []*Value{q, q}, Out: []*Value{q}}, Cost{}},
	} {
		got := c.in.Cost()
		var bytes float64
		for _, v := range append(c.in.In, c.in.Out...) {
			if v != nil {
				bytes += 4 * float64(v.Shape.Size())
			}
		}
		if c.in.Kind == Muon {
			bytes *= 2 // its parameter is read and written
		}
		if c.want.Bytes = bytes; got != c.want {
			t.Errorf("%s: got %+v, want %+v", c.name, got, c.want)
		}
	}
}

// TestBytes: what is read in part, and what is read and written.
func TestBytes(t *testing.T) {
	value := func(d DType, shape ...int) *Value { return &Value{Shape: shape, DType: d} }
	p, hyper, narrow := value(F32, 5, 6), value(F32, HyperLen), value(BF16, 5, 6)
	for _, c := range []struct {
		in   Instr
		want float64
	}{
		{Instr{Kind: Embedding, In: []*Value{value(I32, 3), value(F32, 100, 6)}, Out: []*Value{value(BF16, 3, 6)}}, 3*4 + 3*6*4 + 3*6*2},
		{Instr{Kind: Embedding, In: []*Value{value(I32, 3), value(F32, 2, 6)}, Out: []*Value{value(F32, 3, 6)}}, 3*4 + 2*6*4 + 3*6*4},
		{Instr{Kind: Slice, In: []*Value{value(BF16, 9, 6)}, Out: []*Value{value(BF16, 2, 6)}}, 2 * 2 * 6 * 2},
		{Instr{Kind: AdamW, In: []*Value{p, p, p, p, hyper, nil, nil}}, 30*28 + HyperLen*4},
		{Instr{Kind: AdamW, In: []*Value{p, p, p, p, hyper, nil, narrow}}, 30*30 + HyperLen*4},
		{Instr{Kind: SGD, In: []*Value{p, p, nil, hyper, nil, narrow}}, 30*14 + HyperLen*4},
		{Instr{Kind: EMA, In: []*Value{p, p, nil}}, 30 * 12},
		{Instr{Kind: Assign, In: []*Value{p, p}}, 30 * 8},
	} {
		if got := c.in.Cost().Bytes; got != c.want {
			t.Errorf("%s moves %g bytes, want %g", c.in.Kind, got, c.want)
		}
	}
}
