package vec

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// benchAttention lists the shapes of the training configurations: T, head size.
var benchAttention = []struct{ t, hd int }{{64, 32}, {256, 64}, {512, 64}, {1024, 64}, {2048, 64}, {1024, 128}}

// attentionFLOPs counts only the pairs that a causal mask leaves: 4·hd each for
// the two products of the forward pass, 10·hd for the five of the backward.
func attentionFLOPs(a *Attention, products float64) float64 {
	return products * 2 * float64(a.HeadDim) * float64(a.T) * float64(a.T+1) / 2
}

func BenchmarkAttention(b *testing.B) {
	for _, v := range Available() {
		for _, s := range benchAttention {
			a := withSegments(Attention{B: 1, T: s.t, S: s.t, Heads: 1, KVHeads: 1, HeadDim: s.hd, Causal: true}, nil)
			x := fusedTensors(&a, rand.New(rand.NewPCG(1, 1)))
			forward, backward := make([]float32, a.ForwardScratch()), make([]float32, a.BackwardScratch())
			name := fmt.Sprintf("T%d_hd%d/%s", s.t, s.hd, v.Name())
			b.Run("forward/"+name, func(b *testing.B) {
				best(b, attentionFLOPs(&a, 2), "GFLOP/s", func() {
					for tile := range a.QueryTiles() {
						v.AttentionForward(&a, x, 0, 0, tile, forward)
					}
				})
			})
			b.Run("backward/"+name, func(b *testing.B) {
				best(b, attentionFLOPs(&a, 5), "GFLOP/s", func() { v.AttentionBackward(&a, x, 0, 0, backward) })
			})
		}
	}
}

// best reports the rate of the fastest call, work·10⁻⁹ a second: what the code
// does when nothing else runs on the core.
func best(b *testing.B, work float64, unit string, f func()) {
	fastest := time.Duration(math.MaxInt64)
	for range b.N {
		start := time.Now()
		f()
		fastest = min(fastest, time.Since(start))
	}
	b.ReportMetric(work/float64(fastest.Nanoseconds()), "best-"+unit)
}

// fusedTensors lays q, k and v out as a model with 12 heads of hd does.
func fusedTensors(a *Attention, rng *rand.Rand) *AttentionTensors {
	model := 12 * a.HeadDim
	qkv := func() (q, k, v Heads) {
		x := make([]float32, a.T*3*model)
		for i := range x {
			x[i] = float32(rng.NormFloat64())
		}
		return Heads{x, 3 * model}, Heads{x[model:], 3 * model}, Heads{x[2*model:], 3 * model}
	}
	x := &AttentionTensors{LSE: make([]float32, a.T)}
	x.Q, x.K, x.V = qkv()
	x.DQ, x.DK, x.DV = qkv()
	x.Out = Heads{make([]float32, a.T*model), model}
	x.DOut, _, _ = qkv()
	return x
}
