package main

import (
	"runtime/debug"
	"time"

	"gotrain/autograd/cpu/kernel"
	"gotrain/train"
)

// machine is what this machine reaches, all threads together.
type machine struct {
	Threads   int     `json:"threads"`
	ISA       string  `json:"isa"`
	F32       float64 `json:"peak_f32_gflops"`
	BF16      float64 `json:"peak_bf16_gflops"`
	Bandwidth float64 `json:"bandwidth_gb_per_s"` // of a copy, read and written bytes together
}

// copyBytes is what measureMachine copies: more than caches hold.
const copyBytes = 24 << 20

// measureMachine takes a few tenths of a second and wants an idle machine.
func measureMachine(threads int) machine {
	// Another program that takes a core for a moment spoils a trial: the best counts.
	m := measureFor(threads, "float32")
	for range 3 {
		again := measureFor(threads, "float32", "bfloat16")
		m.F32, m.BF16, m.Bandwidth = max(m.F32, again.F32), max(m.BF16, again.BF16), max(m.Bandwidth, again.Bandwidth)
	}
	return m
}

// measureFor measures the bandwidth and the arithmetic of the precisions, once.
func measureFor(threads int, precisions ...string) machine {
	pool := kernel.NewPool(threads)
	defer pool.Close()
	isa := kernel.Best()
	m := machine{Threads: pool.Threads(), ISA: isa.String(), Bandwidth: measureBandwidth(pool) / 1e9}
	for _, p := range precisions {
		if p == "bfloat16" {
			m.BF16 = kernel.MeasurePeakBF16(pool, isa)
		} else {
			m.F32 = kernel.MeasurePeakF32(pool, isa)
		}
	}
	return m
}

// measureBandwidth copies memory on all workers and returns bytes a second, the
// best of a few rounds.
func measureBandwidth(pool *kernel.Pool) float64 {
	const rounds, grain = 3, 1 << 20
	src, dst := make([]byte, copyBytes), make([]byte, copyBytes)
	for i := 0; i < copyBytes; i += 4096 {
		src[i] = 1 // pages that nobody wrote are all the same one
	}
	best := time.Duration(1<<63 - 1)
	for range rounds {
		start := time.Now()
		pool.ForRange(copyBytes, grain, func(lo, hi, _ int) { copy(dst[lo:hi], src[lo:hi]) })
		best = min(best, time.Since(start))
	}
	src, dst = nil, nil
	debug.FreeOSMemory() // the memory is the model's now
	return 2 * copyBytes / best.Seconds()
}

// productBuffers is the memory of the matrix product on threads threads.
func productBuffers(threads int) int64 {
	pool := kernel.NewPool(threads)
	defer pool.Close()
	return int64(kernel.NewGEMM(pool, kernel.Best()).Bytes())
}

// peak is the rate of the arithmetic that precision uses, in GFLOP/s.
func (m machine) peak(precision string) float64 {
	if precision == "bfloat16" {
		return m.BF16
	}
	return m.F32
}

// forecast is what train.Predict wants to know.
func (m machine) forecast(precision string) train.Machine {
	return train.Machine{FLOPS: 1e9 * m.peak(precision), FLOPS32: 1e9 * m.F32, Bandwidth: 1e9 * m.Bandwidth}
}
