package main

import (
	"runtime"
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
const copyBytes = 64 << 20

// measureMachine takes about a fifth of a second and wants an idle machine.
func measureMachine(threads int) machine {
	pool := kernel.NewPool(threads)
	defer pool.Close()
	isa := kernel.Best()
	return machine{
		Threads: pool.Threads(), ISA: isa.String(),
		F32: kernel.MeasurePeakF32(pool, isa), BF16: kernel.MeasurePeakBF16(pool, isa),
		Bandwidth: measureBandwidth(pool) / 1e9,
	}
}

// measurePeak measures the arithmetic that precision uses, in operations a
// second.
func measurePeak(threads int, precision string) float64 {
	pool := kernel.NewPool(threads)
	defer pool.Close()
	if precision == "bfloat16" {
		return 1e9 * kernel.MeasurePeakBF16(pool, kernel.Best())
	}
	return 1e9 * kernel.MeasurePeakF32(pool, kernel.Best())
}

// measureBandwidth copies memory on all workers and returns bytes a second, the
// best of a few rounds.
func measureBandwidth(pool *kernel.Pool) float64 {
	const rounds, grain = 5, 1 << 20
	src, dst := make([]byte, copyBytes), make([]byte, copyBytes)
	best := time.Duration(1<<63 - 1)
	for range rounds {
		start := time.Now()
		pool.ForRange(copyBytes, grain, func(lo, hi, _ int) { copy(dst[lo:hi], src[lo:hi]) })
		best = min(best, time.Since(start))
	}
	runtime.KeepAlive(src)
	src, dst = nil, nil
	debug.FreeOSMemory() // the memory is the model's now
	return 2 * copyBytes / best.Seconds()
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
	return train.Machine{FLOPS: 1e9 * m.peak(precision), Bandwidth: 1e9 * m.Bandwidth}
}
