package vec_test

import (
	"fmt"

	"example.com/gotrain/autograd/cpu/vec"
)

// One row through softmax, and a classifier's loss with its gradient.
func Example() {
	v := vec.Best()

	p := make([]float32, 3)
	v.Softmax(p, []float32{1, 2, 3}, 1)
	fmt.Printf("%.3f\n", p)

	logits := []float32{1, 2, 3}
	loss, _, lse := v.CrossEntropyBackward(logits, 2, vec.Loss{}, 1)
	fmt.Printf("loss %.3f, log-sum-exp %.3f, gradient %.3f\n", loss, lse, logits)
	// Output:
	// [0.090 0.245 0.665]
	// loss 0.408, log-sum-exp 3.408, gradient [0.090 0.245 -0.335]
}

// Causal attention of two heads over a fused projection of q, k and v, one unit
// of work at a time; a caller would spread the units over its threads.
func ExampleImpl_AttentionForward() {
	const t, heads, hd = 4, 2, 8
	a := vec.Attention{B: 1, T: t, S: t, Heads: heads, KVHeads: heads, HeadDim: hd, Scale: 0.35, Causal: true}
	if err := a.Validate(); err != nil {
		fmt.Println(err)
		return
	}
	const model = heads * hd
	qkv := make([]float32, t*3*model)
	for i := range qkv {
		qkv[i] = float32(i/(3*model)) + 1 // token 0 holds ones, token 1 twos, …
	}
	out := make([]float32, t*model)
	x := vec.AttentionTensors{
		Q:   vec.Heads{Data: qkv, LD: 3 * model},
		K:   vec.Heads{Data: qkv[model:], LD: 3 * model},
		V:   vec.Heads{Data: qkv[2*model:], LD: 3 * model},
		Out: vec.Heads{Data: out, LD: model},
		LSE: make([]float32, heads*t),
	}
	v, scratch := vec.Best(), make([]float32, a.ForwardScratch())
	for head := range heads {
		for tile := range a.QueryTiles() {
			v.AttentionForward(&a, &x, 0, head, tile, scratch)
		}
	}
	for token := range t {
		fmt.Printf("%.2f ", out[token*model])
	}
	// Output: 1.00 2.00 3.00 4.00
}
