package kernel

import (
	"slices"
	"time"
)

const (
	peakRounds = 200_000 // of a loop: about a millisecond
	peakTrials = 25      // of which the fastest counts
)

// MeasurePeakF32 is the highest rate of float32 arithmetic of isa on all workers
// of pool, in GFLOP/s: multiply-adds on registers, each counting as two
// operations. All workers run at once; the fastest millisecond of any of them
// times their number is the result, which other processes hardly disturb, but
// which flatters a processor whose cores differ. It takes some tens of
// milliseconds.
func MeasurePeakF32(pool *Pool, isa ISA) float64 { return measurePeak(pool, isa.kernels(false)) }

// MeasurePeakBF16 is MeasurePeakF32 for products of bfloat16 with float32 sums.
func MeasurePeakBF16(pool *Pool, isa ISA) float64 { return measurePeak(pool, isa.kernels(true)) }

func measurePeak(pool *Pool, kn kernels) float64 {
	times := make([]time.Duration, peakTrials*pool.Threads())
	pool.For(len(times), func(task, _ int) {
		start := time.Now()
		kn.peak(peakRounds)
		times[task] = time.Since(start)
	})
	best := max(slices.Min(times), 1)
	return float64(pool.Threads()*peakRounds*kn.peakOps) / float64(best.Nanoseconds())
}

// peakGeneric runs n rounds of 12 multiply-adds.
func peakGeneric(n int) {
	var s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11 float32
	x, y := float32(n), float32(1)
	for range n {
		s0 += x * y
		s1 += x * y
		s2 += x * y
		s3 += x * y
		s4 += x * y
		s5 += x * y
		s6 += x * y
		s7 += x * y
		s8 += x * y
		s9 += x * y
		s10 += x * y
		s11 += x * y
		y += 1
	}
	peakSink(s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7 + s8 + s9 + s10 + s11)
}

// peakSink keeps the sums of peakGeneric alive.
//
//go:noinline
func peakSink(float32) {}
