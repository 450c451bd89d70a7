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
	for _, s := range benchAttention {
		for _, v := range Available() {
			b.Run(fmt.Sprintf("T%d_hd%d/%s", s.t, s.hd, v.Name()), func(b *testing.B) {
				a := withSegments(Attention{B: 1, T: s.t, S: s.t, Heads: 1, KVHeads: 1, HeadDim: s.hd, Causal: true}, nil)
				x := fusedTensors(&a, rand.New(rand.NewPCG(1, 1)))
				forward, backward := make([]float32, a.ForwardScratch()), make([]float32, a.BackwardScratch())
				b.Run("forward", func(b *testing.B) {
					best(b, attentionFLOPs(&a, 2), "GFLOP/s", func() {
						for tile := range a.QueryTiles() {
							v.AttentionForward(&a, x, 0, 0, tile, forward)
						}
					})
				})
				b.Run("backward", func(b *testing.B) {
					best(b, attentionFLOPs(&a, 5), "GFLOP/s", func() { v.AttentionBackward(&a, x, 0, 0, backward) })
				})
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

// aligned returns n normal floats on a page, as the buffers of a plan lie.
func aligned(rng *rand.Rand, n int) []float32 {
	x := make([]float32, n+1<<14)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	return x[:n]
}

// benchSize is beyond the L2 cache: 4 MiB a slice.
const benchSize = 1 << 20

func BenchmarkMaps(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	x, y, z, w := aligned(rng, benchSize), aligned(rng, benchSize), aligned(rng, benchSize), aligned(rng, benchSize)
	for i := range w {
		w[i] = max(w[i], -w[i]) // second moments
	}
	half := make([]BF16, benchSize)
	for _, c := range []struct {
		name  string
		bytes int // an element
		f     func(v *Impl)
	}{
		{"Add", 12, func(v *Impl) { v.Add(y, x, z) }},
		{"AXPY", 12, func(v *Impl) { v.AXPY(y, 1e-3, x) }},
		{"Exp", 8, func(v *Impl) { v.Exp(y, x) }},
		{"Tanh", 8, func(v *Impl) { v.Tanh(y, x) }},
		{"Erf", 8, func(v *Impl) { v.Erf(y, x) }},
		{"GELU", 8, func(v *Impl) { v.GELU(y, x) }},
		{"GELUBackward", 12, func(v *Impl) { v.GELUBackward(y, x, z) }},
		{"GELUTanh", 8, func(v *Impl) { v.GELUTanh(y, x) }},
		{"GELUTanhBackward", 12, func(v *Impl) { v.GELUTanhBackward(y, x, z) }},
		{"SwiGLU", 12, func(v *Impl) { v.SwiGLU(y, x, z) }},
		{"Dropout", 8, func(v *Impl) { v.Dropout(y, x, 0.1, DropoutKey{Seed: 1}, 0) }},
		{"ToBF16", 6, func(v *Impl) { v.ToBF16(half, x) }},
		{"FromBF16", 6, func(v *Impl) { v.FromBF16(y, half) }},
		{"AdamW", 28, func(v *Impl) {
			v.AdamWStep(y, x, z, w, AdamW{LR: 1e-3, Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, BC1: 1, BC2: 1, GradScale: 1})
		}},
		{"SumSquares", 4, func(v *Impl) { v.SumSquares(x) }},
		{"Dot", 8, func(v *Impl) { v.Dot(x, z) }},
		{"AllFinite", 4, func(v *Impl) { v.AllFinite(x) }},
	} {
		for _, v := range Available() {
			b.Run(c.name+"/"+v.Name(), func(b *testing.B) {
				best(b, float64(c.bytes*benchSize), "GB/s", func() { c.f(v) })
			})
		}
	}
}

func BenchmarkRows(b *testing.B) {
	const rows, d = 512, 768
	rng := rand.New(rand.NewPCG(1, 1))
	x, y, dy := aligned(rng, rows*d), aligned(rng, rows*d), aligned(rng, rows*d)
	w, dw, db := aligned(rng, d), aligned(rng, d), aligned(rng, d)
	mean, rstd := make([]float32, rows), make([]float32, rows)
	Generic.Fill(rstd, 1)
	logits := aligned(rng, 8*50257)
	for _, c := range []struct {
		name  string
		bytes int
		f     func(v *Impl)
	}{
		{"LayerNorm", 8 * rows * d, func(v *Impl) { v.LayerNorm(y, mean, rstd, x, w, w, 1e-5) }},
		{"LayerNormBackward", 12 * rows * d, func(v *Impl) { v.LayerNormBackward(y, dw, db, x, w, mean, rstd, dy, nil) }},
		{"RMSNorm", 8 * rows * d, func(v *Impl) { v.RMSNorm(y, rstd, x, w, 1e-5) }},
		{"RMSNormBackward", 12 * rows * d, func(v *Impl) { v.RMSNormBackward(y, dw, x, w, rstd, dy, nil) }},
		{"ColumnSum", 4 * rows * d, func(v *Impl) { v.ColumnSum(db, dy, false) }},
		{"AddBias", 8 * rows * d, func(v *Impl) { v.AddBias(y, x, w) }},
		{"Softmax", 8 * rows * d, func(v *Impl) {
			for r := range rows {
				v.Softmax(y[r*d:][:d], x[r*d:][:d], 1)
			}
		}},
		{"CrossEntropyBackward", 8 * len(logits), func(v *Impl) {
			for r := range 8 {
				v.CrossEntropyBackward(logits[r*50257:][:50257], r, Loss{}, 1)
			}
		}},
		{"Transpose", 8 * rows * d, func(v *Impl) { v.Transpose(y, rows, x, d, rows, d) }},
	} {
		for _, v := range Available() {
			b.Run(c.name+"/"+v.Name(), func(b *testing.B) {
				best(b, float64(c.bytes), "GB/s", func() { c.f(v) })
			})
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	a := withSegments(Attention{B: 1, T: 1, S: 1024, Heads: 1, KVHeads: 1, HeadDim: 64}, nil)
	x := randomTensors(&a, rand.New(rand.NewPCG(1, 1)))
	scratch := make([]float32, a.S)
	for _, v := range Available() {
		b.Run(v.Name(), func(b *testing.B) {
			best(b, float64(8*a.S*a.HeadDim), "GB/s", func() {
				v.AttentionDecode(&a, x.Out.Data, x.Q.Data, x.K, x.V, nil, a.S, scratch)
			})
		})
	}
}

// BenchmarkTile measures the product under attention alone: the bound of what
// attention can reach.
func BenchmarkTile(b *testing.B) {
	x, ones := make([]float32, 3*4096), make([]float32, 64)
	for _, s := range []struct{ m, n, k int }{{64, 64, 64}, {8, 32, 32}, {8, 16, 32}} {
		for _, v := range Available() {
			b.Run(fmt.Sprintf("%dx%dx%d/%s", s.m, s.n, s.k, v.Name()), func(b *testing.B) {
				const calls = 20
				best(b, calls*float64(2*s.m*s.n*s.k), "GFLOP/s", func() {
					for range calls {
						v.tile(x[2*4096:], 64, s.m, s.n, s.k, x, 64, 1, x[4096:], 64, ones)
					}
				})
			})
		}
	}
}
