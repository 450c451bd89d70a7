package device

import (
	"fmt"
	"runtime/debug"
	"time"

	"example.com/gotrain/autograd/cpu/kernel"
)

// Machine is what a device reaches: the CPU, measured, all threads together; or a
// GPU, from its clocks and its architecture. Rates are in 10⁹ a second.
type Machine struct {
	GPU       string  `json:"gpu,omitempty"`
	Threads   int     `json:"threads"`
	ISA       string  `json:"isa,omitempty"`
	F32       float64 `json:"peak_f32_gflops"`
	TF32      float64 `json:"peak_tf32_gflops"`
	BF16      float64 `json:"peak_bf16_gflops"`
	Bandwidth float64 `json:"bandwidth_gb_per_s"` // of a copy, read and written bytes together
}

// copyBytes is what measureBandwidth copies: more than caches hold.
const copyBytes = 24 << 20

// Measure takes a few tenths of a second and wants an idle machine.
func (d Device) Measure() Machine {
	// Another program that takes a core for a moment spoils a trial: the best counts.
	m := d.MeasureFor("float32")
	if d.Card != nil {
		return m
	}
	for range 3 {
		again := d.MeasureFor("float32", "bfloat16")
		m.F32, m.BF16, m.Bandwidth = max(m.F32, again.F32), max(m.BF16, again.BF16), max(m.Bandwidth, again.Bandwidth)
	}
	m.TF32 = m.F32
	return m
}

// MeasureFor measures the bandwidth and the arithmetic of the precisions, once.
func (d Device) MeasureFor(precisions ...string) Machine {
	if c := d.Card; c != nil {
		return Machine{GPU: c.Name, F32: c.F32 / 1e9, TF32: c.TF32 / 1e9, BF16: c.BF16 / 1e9, Bandwidth: c.Bandwidth / 1e9}
	}
	pool := kernel.NewPool(d.Threads)
	defer pool.Close()
	isa := kernel.Best()
	m := Machine{Threads: pool.Threads(), ISA: isa.String(), Bandwidth: measureBandwidth(pool) / 1e9}
	for _, p := range precisions {
		if p == "bfloat16" {
			m.BF16 = kernel.MeasurePeakBF16(pool, isa)
		} else {
			m.F32 = kernel.MeasurePeakF32(pool, isa)
			m.TF32 = m.F32
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

// Peak is the rate of the arithmetic that a precision (float32, tf32, bfloat16)
// uses, in GFLOP/s.
func (m Machine) Peak(precision string) float64 {
	switch precision {
	case "bfloat16":
		return m.BF16
	case "tf32":
		return m.TF32
	}
	return m.F32
}

// The fractions of peak that the kernels reach. On the CPU they are measured
// (LOG.md) and attention computes in float32 whatever the precision; on a GPU
// they are what libraries reach on an H100, not yet measured with ours.
const (
	cpuProducts, cpuAttention = 0.85, 0.65
	gpuProducts, gpuAttention = 0.65, 0.35
)

// Reached is what our kernels reach of the peak in a precision, in GFLOP/s: matrix
// products, and attention over long sequences.
func (m Machine) Reached(precision string) (products, attention float64) {
	products, attention = m.Assumed()
	if m.GPU != "" {
		return products * m.Peak(precision), attention * m.Peak(precision)
	}
	return products * m.Peak(precision), attention * m.F32
}

// Kind names the machine without what was measured of it.
func (m Machine) Kind() string {
	if m.GPU != "" {
		return m.GPU
	}
	return fmt.Sprintf("%d threads, %s", m.Threads, m.ISA)
}

// Assumed are the shares of the peak that matrix products and attention over long
// sequences are taken to reach; see [Machine.Reached].
func (m Machine) Assumed() (products, attention float64) {
	if m.GPU != "" {
		return gpuProducts, gpuAttention
	}
	return cpuProducts, cpuAttention
}

// String tells the peaks in a line.
func (m Machine) String() string {
	if m.GPU != "" {
		return fmt.Sprintf("%s: %.0f TFLOP/s float32, %.0f tf32, %.0f bfloat16, %.2f TB/s", m.GPU, m.F32/1e3, m.TF32/1e3, m.BF16/1e3, m.Bandwidth/1e3)
	}
	return fmt.Sprintf("%s: %.0f GFLOP/s float32, %.0f bfloat16, %.1f GB/s", m.Kind(), m.F32, m.BF16, m.Bandwidth)
}
