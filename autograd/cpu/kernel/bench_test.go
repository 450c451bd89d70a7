package kernel

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// gemmShapes are the products of a training step of three models and of their
// decoding, as (M, N, K).
var gemmShapes = []struct {
	name           string
	m, n, k        int
	transA, transB bool
	accumulate     bool
}{
	{"gpt0.8M/qkv", 768, 384, 128, false, true, false},
	{"gpt0.8M/proj", 768, 128, 128, false, true, false},
	{"gpt0.8M/up", 768, 512, 128, false, true, false},
	{"gpt0.8M/down", 768, 128, 512, false, true, false},
	{"gpt0.8M/head", 768, 65, 128, false, true, false},
	{"gpt0.8M/up.dx", 768, 128, 512, false, false, false},
	{"gpt0.8M/up.dW", 512, 128, 768, true, false, false},
	{"gpt12M/qkv", 4096, 1152, 384, false, true, false},
	{"gpt12M/up", 4096, 1536, 384, false, true, false},
	{"gpt12M/down", 4096, 384, 1536, false, true, false},
	{"gpt12M/up.dx", 4096, 384, 1536, false, false, false},
	{"gpt12M/up.dW", 1536, 384, 4096, true, false, false},
	{"gpt12M/up.dW+", 1536, 384, 4096, true, false, true},
	{"gpt12M/head", 1024, 4096, 384, false, true, false},
	{"gpt124M/qkv", 256, 2304, 768, false, true, false},
	{"gpt124M/proj", 256, 768, 768, false, true, false},
	{"gpt124M/up", 256, 3072, 768, false, true, false},
	{"gpt124M/up.KN", 256, 3072, 768, false, false, false},
	{"gpt124M/down", 256, 768, 3072, false, true, false},
	{"gpt124M/up.dx", 256, 768, 3072, false, false, false},
	{"gpt124M/up.dW", 3072, 768, 256, true, false, false},
	{"gpt124M/up.dW+", 3072, 768, 256, true, false, true},
	{"gpt124M/head", 256, 50257, 768, false, true, false},
	{"gpt124M/up512", 512, 3072, 768, false, true, false},
	{"gpt124M/up1024", 1024, 3072, 768, false, true, false},
	{"decode/up", 1, 3072, 768, false, true, false},
	{"decode/up.KN", 1, 3072, 768, false, false, false},
	{"decode/head", 1, 50257, 768, false, true, false},
	{"decode/head.KN", 1, 50257, 768, false, false, false},
	{"decode4/head", 4, 50257, 768, false, true, false},
	{"decode8/up", 8, 3072, 768, false, true, false},
	{"decode16/up", 16, 3072, 768, false, true, false},
	{"decode16/down", 16, 768, 3072, false, true, false},
	{"decode16/up.KN", 16, 3072, 768, false, false, false},
	{"decode16/head", 16, 50257, 768, false, true, false},
	{"decode32/up", 32, 3072, 768, false, true, false},
	{"decode48/up", 48, 3072, 768, false, true, false},
}

// BenchmarkGEMM times the shapes of gemmShapes on as many threads as -cpu says.
func BenchmarkGEMM(b *testing.B) {
	pool := NewPool(0)
	defer pool.Close()
	g := NewGEMM(pool, Best())
	rng := rand.New(rand.NewPCG(1, 1))
	for _, bf16 := range []bool{false, true} {
		name, peak := "float32", MeasurePeakF32(pool, Best())
		if bf16 {
			name, peak = "bfloat16", MeasurePeakBF16(pool, Best())
		}
		for _, s := range gemmShapes {
			a := Args{M: s.m, N: s.n, K: s.k, TransA: s.transA, TransB: s.transB, Accumulate: s.accumulate, BF16: bf16}
			a.A, a.LDA = randomMatrix(rng, a.M, a.K, a.TransA, 0)
			a.B, a.LDB = randomMatrix(rng, a.K, a.N, a.TransB, 0)
			a.C, a.LDC = randomMatrix(rng, a.M, a.N, false, 0)
			b.Run(name+"/"+s.name, func(b *testing.B) {
				best := bestTime(b, func() { g.Mul(&a) })
				rate := 2 * float64(a.M) * float64(a.N) * float64(a.K) / best.Seconds() / 1e9
				b.ReportMetric(rate, "GFLOP/s")
				b.ReportMetric(100*rate/peak, "%peak")
				if a.M < 8 {
					b.ReportMetric(4*float64(a.K)*float64(a.N)/best.Seconds()/1e9, "GB/s")
				}
			})
		}
	}
}

// BenchmarkGEMMISA compares the instruction sets on one product.
func BenchmarkGEMMISA(b *testing.B) {
	pool := NewPool(0)
	defer pool.Close()
	rng := rand.New(rand.NewPCG(1, 1))
	a := Args{M: 256, N: 384, K: 384, TransB: true}
	a.A, a.LDA = randomMatrix(rng, a.M, a.K, a.TransA, 0)
	a.B, a.LDB = randomMatrix(rng, a.K, a.N, a.TransB, 0)
	a.C, a.LDC = randomMatrix(rng, a.M, a.N, false, 0)
	for _, isa := range Supported() {
		g := NewGEMM(pool, isa)
		for _, a.BF16 = range []bool{false, true} {
			peak := MeasurePeakF32(pool, isa)
			if a.BF16 {
				peak = MeasurePeakBF16(pool, isa)
			}
			b.Run(fmt.Sprintf("%v/bf16=%v", isa, a.BF16), func(b *testing.B) {
				best := bestTime(b, func() { g.Mul(&a) })
				rate := 2 * float64(a.M) * float64(a.N) * float64(a.K) / best.Seconds() / 1e9
				b.ReportMetric(rate, "GFLOP/s")
				b.ReportMetric(100*rate/peak, "%peak")
			})
		}
	}
}

// bestTime runs f b.N times and returns the shortest time, which other processes
// on the machine disturb least.
func bestTime(b *testing.B, f func()) time.Duration {
	best := time.Duration(1 << 62)
	for b.Loop() {
		start := time.Now()
		f()
		best = min(best, time.Since(start))
	}
	return best
}

// BenchmarkGEMMSerial times products of the size of attention tiles on one worker.
func BenchmarkGEMMSerial(b *testing.B) {
	pool := NewPool(1)
	defer pool.Close()
	g := NewGEMM(pool, Best())
	rng := rand.New(rand.NewPCG(1, 1))
	for _, bf16 := range []bool{false, true} {
		peak := MeasurePeakF32(pool, Best())
		if bf16 {
			peak = MeasurePeakBF16(pool, Best())
		}
		for _, s := range [][3]int{{64, 64, 64}, {64, 128, 64}, {128, 128, 64}, {32, 32, 32}} {
			for mode, name := range []string{"NN", "NT", "TN"} {
				a := Args{M: s[0], N: s[1], K: s[2], TransA: mode == 2, TransB: mode == 1, BF16: bf16}
				const stride = 768 // the tiles are columns of a wider matrix
				a.A, a.LDA = randomMatrix(rng, a.M, a.K, a.TransA, stride-64)
				a.B, a.LDB = randomMatrix(rng, a.K, a.N, a.TransB, stride-64)
				a.C, a.LDC = randomMatrix(rng, a.M, a.N, false, 0)
				b.Run(fmt.Sprintf("%dx%dx%d/%s/bf16=%v", a.M, a.N, a.K, name, bf16), func(b *testing.B) {
					best := bestTime(b, func() { g.MulSerial(0, &a) })
					rate := 2 * float64(a.M) * float64(a.N) * float64(a.K) / best.Seconds() / 1e9
					b.ReportMetric(rate, "GFLOP/s")
					b.ReportMetric(100*rate/peak, "%peak")
				})
			}
		}
	}
}
