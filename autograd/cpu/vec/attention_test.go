package vec

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// attentionCases cover tile edges, grouping, masks and head sizes that are no
// multiple of the vector length.
var attentionCases = []Attention{
	{B: 1, T: 1, S: 1, Heads: 1, KVHeads: 1, HeadDim: 4},
	{B: 2, T: 5, S: 5, Heads: 4, KVHeads: 2, HeadDim: 8, Causal: true},
	{B: 1, T: 64, S: 64, Heads: 1, KVHeads: 1, HeadDim: 32, Causal: true},
	{B: 1, T: 130, S: 130, Heads: 2, KVHeads: 1, HeadDim: 64, Causal: true},
	{B: 1, T: 130, S: 130, Heads: 1, KVHeads: 1, HeadDim: 64},
	{B: 2, T: 77, S: 77, Heads: 3, KVHeads: 3, HeadDim: 20, Causal: true},
	{B: 1, T: 40, S: 100, Heads: 2, KVHeads: 2, HeadDim: 16, Causal: true},
	{B: 1, T: 100, S: 40, Heads: 2, KVHeads: 2, HeadDim: 16, Causal: true},
	{B: 1, T: 3, S: 200, Heads: 4, KVHeads: 1, HeadDim: 48},
	{B: 1, T: 200, S: 200, Heads: 1, KVHeads: 1, HeadDim: 33, Causal: true, Window: 70},
	{B: 1, T: 200, S: 200, Heads: 1, KVHeads: 1, HeadDim: 32, Causal: true, Window: 1},
	{B: 1, T: 150, S: 150, Heads: 2, KVHeads: 1, HeadDim: 16, Window: 9},
	{B: 1, T: 80, S: 90, Heads: 1, KVHeads: 1, HeadDim: 128, Causal: true},
	{B: 2, T: 90, S: 90, Heads: 2, KVHeads: 1, HeadDim: 24, Causal: true, QuerySegments: []int32{}},
	{B: 2, T: 70, S: 70, Heads: 1, KVHeads: 1, HeadDim: 16, QuerySegments: []int32{}},
	{B: 1, T: 256, S: 256, Heads: 1, KVHeads: 1, HeadDim: 16, Causal: true, Window: 100, QuerySegments: []int32{}},
}

func attentionName(a *Attention) string {
	return fmt.Sprintf("B%d_T%d_S%d_H%d_KV%d_hd%d_causal=%v_w%d_seg=%v",
		a.B, a.T, a.S, a.Heads, a.KVHeads, a.HeadDim, a.Causal, a.Window, a.QuerySegments != nil)
}

// withSegments replaces an empty segment list by random runs that end in padding.
func withSegments(a Attention, rng *rand.Rand) Attention {
	a.Scale = float32(1 / math.Sqrt(float64(a.HeadDim)))
	if a.QuerySegments == nil {
		return a
	}
	a.QuerySegments = nil
	for range a.B {
		row := make([]int32, a.T)
		id := int32(0)
		for i := range row {
			if rng.IntN(25) == 0 {
				id++
			}
			row[i] = id
			if i >= a.T-a.T/8 {
				row[i] = -1
			}
		}
		a.QuerySegments = append(a.QuerySegments, row...)
	}
	a.KeySegments = slices.Clone(a.QuerySegments)
	return a
}

// randomTensors puts q, k and v side by side as a fused projection does, and the
// gradients likewise. Destinations are filled with NaN: they must be written.
func randomTensors(a *Attention, rng *rand.Rand) *AttentionTensors {
	hd := a.HeadDim
	heads := func(rows, n int, gradient bool) Heads {
		h := Heads{Data: make([]float32, rows*(n*hd+3)), LD: n*hd + 3}
		for i := range h.Data {
			h.Data[i] = float32(rng.NormFloat64())
			if gradient {
				h.Data[i] = float32(math.NaN())
			}
		}
		return h
	}
	q, s := a.B*a.T, a.B*a.S
	return &AttentionTensors{
		Q: heads(q, a.Heads, false), K: heads(s, a.KVHeads, false), V: heads(s, a.KVHeads, false),
		Out: heads(q, a.Heads, true), LSE: make([]float32, a.B*a.Heads*a.T),
		DQ: heads(q, a.Heads, true), DK: heads(s, a.KVHeads, true), DV: heads(s, a.KVHeads, true),
		DOut: heads(q, a.Heads, false),
	}
}

func runAttention(v *Impl, a *Attention, t *AttentionTensors) {
	forward, backward := make([]float32, a.ForwardScratch()), make([]float32, a.BackwardScratch())
	for i := range forward {
		forward[i] = float32(math.NaN())
	}
	for i := range backward {
		backward[i] = float32(math.NaN())
	}
	for b := range a.B {
		for h := range a.Heads {
			for tile := range a.QueryTiles() {
				v.AttentionForward(a, t, b, h, tile, forward)
			}
		}
	}
	for b := range a.B {
		for h := range a.KVHeads {
			v.AttentionBackward(a, t, b, h, backward)
		}
	}
}

// visible is the definition of the masks.
func visible(a *Attention, b, t, s int) bool {
	position := t + a.S - a.T
	if a.Causal && s > position {
		return false
	}
	if a.Window > 0 && (s <= position-a.Window || s >= position+a.Window) {
		return false
	}
	if a.QuerySegments != nil {
		id := a.QuerySegments[b*a.T+t]
		return id >= 0 && id == a.KeySegments[b*a.S+s]
	}
	return true
}

// attentionReference is attention by the textbook, T×S scores in float64.
func attentionReference(a *Attention, x *AttentionTensors) (out, lse, dq, dk, dv []float64) {
	hd, group := a.HeadDim, a.Heads/a.KVHeads
	at := func(h Heads, token, head, d int) float64 { return float64(h.Data[token*h.LD+head*hd+d]) }
	out, dq = make([]float64, a.B*a.T*a.Heads*hd), make([]float64, a.B*a.T*a.Heads*hd)
	dk, dv = make([]float64, a.B*a.S*a.KVHeads*hd), make([]float64, a.B*a.S*a.KVHeads*hd)
	lse = make([]float64, a.B*a.Heads*a.T)
	p, dp := make([]float64, a.S), make([]float64, a.S)
	for row := range lse {
		b, h, t := row/(a.Heads*a.T), row/a.T%a.Heads, row%a.T
		q, kv := b*a.T+t, h/group
		sum := 0.0
		for s := range a.S {
			p[s], dp[s] = 0, 0
			if !visible(a, b, t, s) {
				continue
			}
			for d := range hd {
				p[s] += at(x.Q, q, h, d) * at(x.K, b*a.S+s, kv, d) * float64(a.Scale)
				dp[s] += at(x.DOut, q, h, d) * at(x.V, b*a.S+s, kv, d)
			}
			p[s] = math.Exp(p[s])
			sum += p[s]
		}
		lse[row] = math.Log(sum)
		if sum == 0 {
			continue
		}
		delta := 0.0
		for s := range p {
			p[s] /= sum
			delta += p[s] * dp[s]
		}
		for s := range p {
			ds := p[s] * (dp[s] - delta) * float64(a.Scale)
			for d := range hd {
				out[(q*a.Heads+h)*hd+d] += p[s] * at(x.V, b*a.S+s, kv, d)
				dv[((b*a.S+s)*a.KVHeads+kv)*hd+d] += p[s] * at(x.DOut, q, h, d)
				dq[(q*a.Heads+h)*hd+d] += ds * at(x.K, b*a.S+s, kv, d)
				dk[((b*a.S+s)*a.KVHeads+kv)*hd+d] += ds * at(x.Q, q, h, d)
			}
		}
	}
	return out, lse, dq, dk, dv
}

// dense copies n columns of each row.
func dense(h Heads, n int) []float32 {
	var x []float32
	for lo := 0; lo+n <= len(h.Data); lo += h.LD {
		x = append(x, h.Data[lo:lo+n]...)
	}
	return x
}

// randomCases draws shapes and masks.
func randomCases(n int, rng *rand.Rand) []Attention {
	var cases []Attention
	for range n {
		kv := 1 + rng.IntN(2)
		a := Attention{B: 1 + rng.IntN(2), T: 1 + rng.IntN(150), KVHeads: kv, Heads: kv * (1 + rng.IntN(2)),
			HeadDim: 1 + rng.IntN(40), Causal: rng.IntN(3) > 0}
		a.S = a.T
		switch rng.IntN(3) {
		case 0:
			a.S = 1 + rng.IntN(150)
		case 1:
			a.QuerySegments = []int32{}
		}
		if rng.IntN(3) == 0 {
			a.Window = 1 + rng.IntN(100)
		}
		cases = append(cases, a)
	}
	return cases
}

func TestAttention(t *testing.T) {
	cases := append(attentionCases, randomCases(40, rand.New(rand.NewPCG(8, 8)))...)
	for _, c := range cases {
		rng := rand.New(rand.NewPCG(1, 2))
		a := withSegments(c, rng)
		if err := a.Validate(); err != nil {
			t.Fatal(err)
		}
		x := randomTensors(&a, rng)
		out, lse, dq, dk, dv := attentionReference(&a, x)
		for _, v := range Available() {
			t.Run(v.Name()+"/"+attentionName(&a), func(t *testing.T) {
				runAttention(v, &a, x)
				n, m := a.Heads*a.HeadDim, a.KVHeads*a.HeadDim
				near(t, "out", dense(x.Out, n), out, 5e-6)
				near(t, "lse", x.LSE, lse, 5e-6)
				near(t, "dq", dense(x.DQ, n), dq, 3e-5)
				near(t, "dk", dense(x.DK, m), dk, 3e-5)
				near(t, "dv", dense(x.DV, m), dv, 3e-5)
			})
		}
	}
}

// TestAttentionLargeScores lets one key win by so much that the others' weights
// vanish and exponentials without the maximum would overflow.
func TestAttentionLargeScores(t *testing.T) {
	const n, hd, winner = 100, 16, 37
	a := Attention{B: 1, T: n, S: n, Heads: 1, KVHeads: 1, HeadDim: hd, Scale: 1}
	x := randomTensors(&a, rand.New(rand.NewPCG(1, 1)))
	for s := range n {
		x.K.Data[s*x.K.LD] = -50
		x.Q.Data[s*x.Q.LD] = 100
	}
	x.K.Data[winner*x.K.LD] = 50
	for _, v := range Available() {
		runAttention(v, &a, x)
		out := dense(x.Out, hd)
		for i := range n {
			equal(t, v.Name(), out[i*hd:][:hd], x.V.Data[winner*x.V.LD:][:hd])
		}
		if !v.AllFinite(dense(x.DQ, hd)) || !v.AllFinite(dense(x.DK, hd)) || !v.AllFinite(dense(x.DV, hd)) {
			t.Errorf("%s: a gradient is not finite", v.Name())
		}
	}
}

func TestAttentionDecode(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, c := range []Attention{
		{B: 1, T: 1, S: 1, Heads: 1, KVHeads: 1, HeadDim: 64},
		{B: 1, T: 1, S: 203, Heads: 1, KVHeads: 1, HeadDim: 64},
		{B: 1, T: 1, S: 31, Heads: 1, KVHeads: 1, HeadDim: 37},
		{B: 1, T: 1, S: 90, Heads: 1, KVHeads: 1, HeadDim: 8},
	} {
		a := withSegments(c, rng)
		x := randomTensors(&a, rng)
		want, _, _, _, _ := attentionReference(&a, x)
		for _, v := range Available() {
			v.AttentionDecode(&a, x.Out.Data, x.Q.Data, x.K, x.V, nil, a.S, make([]float32, a.S))
			near(t, v.Name()+"/"+attentionName(&a), x.Out.Data[:a.HeadDim], want, 5e-6)
		}
	}
}

func TestAttentionValidate(t *testing.T) {
	bad := Attention{B: 1, T: 4, S: 4, Heads: 3, KVHeads: 2, HeadDim: 0, Window: -1, QuerySegments: []int32{0}}
	if err := bad.Validate(); err == nil {
		t.Fatal("no error")
	}
}

func TestAttentionAllocates(t *testing.T) {
	a := withSegments(Attention{B: 1, T: 70, S: 70, Heads: 1, KVHeads: 1, HeadDim: 32, Causal: true}, nil)
	x := randomTensors(&a, rand.New(rand.NewPCG(5, 6)))
	forward, backward := make([]float32, a.ForwardScratch()), make([]float32, a.BackwardScratch())
	for _, v := range Available() {
		if n := testing.AllocsPerRun(2, func() {
			v.AttentionForward(&a, x, 0, 0, 1, forward)
			v.AttentionBackward(&a, x, 0, 0, backward)
		}); n != 0 {
			t.Errorf("%s: %v allocations", v.Name(), n)
		}
	}
}
