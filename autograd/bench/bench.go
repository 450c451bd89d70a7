// Package bench measures kernels: one instruction on a back end, against the peaks of
// its device.
//
// [Cases] are the instructions of training steps in the shapes that a size of machine
// runs; [Case.Time] measures one, and [Case.Result] says what that is of the peak. Whole
// steps are measured by train/bench.
package bench

import (
	"math"
	"time"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/plan"
)

// Case is one instruction to measure.
type Case struct {
	Name  string
	Kind  ir.Kind
	Shape Shape
	FLOPs float64 // 0 where the memory is the bound
	sums  bool    // a gradient of a weight, which is float32 in every precision
	emit  func(p *ir.Program)
}

// Shape is the shape of a Case: M, N, K of a product, the rest of
// other kinds.
type Shape struct {
	M       int  `json:"m,omitempty"`
	N       int  `json:"n,omitempty"`
	K       int  `json:"k,omitempty"`
	TransA  bool `json:"trans_a,omitempty"`
	TransB  bool `json:"trans_b,omitempty"`
	Batch   int  `json:"batch,omitempty"`
	Length  int  `json:"length,omitempty"`
	Heads   int  `json:"heads,omitempty"`
	HeadDim int  `json:"head_dim,omitempty"`
	Rows    int  `json:"rows,omitempty"`
	Width   int  `json:"width,omitempty"`
	Vocab   int  `json:"vocab,omitempty"`
	Params  int  `json:"params,omitempty"`
	Side    int  `json:"side,omitempty"` // of pictures, in pixels
	In      int  `json:"in,omitempty"`   // channels
	Out     int  `json:"out,omitempty"`
}

// Timing is the fastest run of a kernel and the bytes that it reads and writes.
type Timing struct {
	Seconds float64
	Bytes   int64
	// WayMS are the times in milliseconds of all ways to compute it, by what they
	// compute and their name, on a back end that has several; the fastest is measured.
	WayMS map[string]map[string]float64
}

// Result is the speed of a kernel.
type Result struct {
	Name           string  `json:"name"`
	Kind           string  `json:"kind"`
	Shape          Shape   `json:"shape"`
	MS             float64 `json:"ms"` // the fastest
	GFLOPS         float64 `json:"gflops,omitempty"`
	GBPerS         float64 `json:"gb_per_s"`         // arguments and results, each once
	FractionOfPeak float64 `json:"fraction_of_peak"` // of arithmetic where there are gflops, else of bandwidth

	WayMS map[string]map[string]float64 `json:"way_ms,omitempty"` // Timing's
}

// Result compares a timing with the peaks of the device, in GFLOP/s and GB/s; 0 where
// they are not known.
func (k Case) Result(t Timing, arithmetic, bandwidth float64) Result {
	r := Result{Name: k.Name, Kind: k.Kind.String(), Shape: k.Shape, MS: 1e3 * t.Seconds, GBPerS: float64(t.Bytes) / t.Seconds / 1e9, WayMS: t.WayMS}
	if k.FLOPs > 0 {
		r.GFLOPS = k.FLOPs / t.Seconds / 1e9
		r.FractionOfPeak = ratio(r.GFLOPS, arithmetic)
	} else {
		r.FractionOfPeak = ratio(r.GBPerS, bandwidth)
	}
	return r
}

// ratio is 0 where the peak is not known.
func ratio(x, peak float64) float64 {
	if peak <= 0 {
		return 0
	}
	return x / peak
}

// What is measured at a time on a back end that records: launches for about
// batchSeconds, so that the start and the end of a batch, some 20 µs, do not
// count; over as many sets of arguments as no card's cache holds.
const (
	batchSeconds = 0.02
	mostLaunches = 1000
	cacheBytes   = 256 << 20
	mostSets     = 8
)

// Time runs the instruction for about budget seconds, by itself, with
// arguments in the types that a training step of this precision gives them. It
// measures single launches, by the fastest of several ways to compute it; where the back end records, batches of launches
// recorded as one, each launch with other arguments than the last.
func (k Case) Time(b exec.Backend, compute ir.DType, budget float64) (Timing, error) {
	p, err := k.instruction(b.Target(), compute)
	if err != nil {
		return Timing{}, err
	}
	in := p.Program.Instrs[0]
	t := Timing{Seconds: math.Inf(1), Bytes: Traffic(in)}
	if chooser, ok := b.(exec.Chooser); ok {
		chosen, err := chooser.Choose([]*plan.Plan{p}, nil, true)
		if err != nil {
			return Timing{}, err
		}
		t.WayMS = chosen.Timed
	}
	recorder, records := b.(exec.Recorder)
	sets := 1
	if records {
		sets = int(min(mostSets, 1+cacheBytes/max(t.Bytes, cacheBytes/mostSets)))
	}
	launches := make([]exec.Launch, sets)
	for i := range launches {
		args, err := k.arguments(in, b, uint64(i))
		if err != nil {
			return Timing{}, err
		}
		if launches[i], err = b.Bind(in, args); err != nil {
			return Timing{}, err
		}
	}
	batch, count := launches[0], 1
	if records {
		if batch, count, err = record(recorder, b, launches); err != nil {
			return Timing{}, err
		}
	}
	for began, runs := time.Now(), 0; runs < 3 || time.Since(began).Seconds() < budget; runs++ {
		seconds, err := wallTime(batch, b)
		if err != nil {
			return t, err
		}
		t.Seconds = min(t.Seconds, seconds/float64(count))
	}
	return t, nil
}

// record makes one launch of many, and tells of how many.
func record(r exec.Recorder, b exec.Backend, launches []exec.Launch) (exec.Launch, int, error) {
	var once float64
	for range 2 { // the first one may load the kernel
		var err error
		if once, err = wallTime(launches[0], b); err != nil {
			return nil, 0, err
		}
	}
	count := int(min(mostLaunches, max(1, batchSeconds/once)))
	batch, err := r.Record(func() {
		for i := range count {
			launches[i%len(launches)]()
		}
	})
	return batch, count, err
}

// wallTime is the time of a launch until the device is done, in seconds.
func wallTime(launch exec.Launch, b exec.Backend) (float64, error) {
	start := time.Now()
	launch()
	err := b.Sync()
	return time.Since(start).Seconds(), err
}
