package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"time"

	"gotrain/autograd/exec"
	"gotrain/autograd/ir"
	"gotrain/autograd/plan"
	"gotrain/train/device"
)

// kernelCase is one instruction to measure.
type kernelCase struct {
	name  string
	kind  ir.Kind
	shape kernelShape
	flops float64 // 0 where the memory is the bound
	sums  bool    // a gradient of a weight, which is float32 in every precision
	emit  func(p *ir.Program)
}

// kernelResult is the speed of a kernel.
type kernelResult struct {
	Name           string      `json:"name"`
	Kind           string      `json:"kind"`
	Shape          kernelShape `json:"shape"`
	MS             float64     `json:"ms"` // the fastest
	GFLOPS         float64     `json:"gflops,omitempty"`
	GBPerS         float64     `json:"gb_per_s"`         // arguments and results, each once
	FractionOfPeak float64     `json:"fraction_of_peak"` // of arithmetic where there are gflops, else of bandwidth
}

func (k kernelCase) result(seconds timed, m device.Machine, precision string) kernelResult {
	r := kernelResult{Name: k.name, Kind: k.kind.String(), Shape: k.shape, MS: 1e3 * seconds.best, GBPerS: float64(seconds.bytes) / seconds.best / 1e9}
	if k.flops > 0 {
		r.GFLOPS = k.flops / seconds.best / 1e9
		r.FractionOfPeak = ratio(r.GFLOPS, m.Peak(precision))
	} else {
		r.FractionOfPeak = ratio(r.GBPerS, m.Bandwidth)
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

func (r kernelResult) print(w io.Writer) {
	gflops := "-"
	if r.GFLOPS > 0 {
		gflops = fmt.Sprintf("%.1f", r.GFLOPS)
	}
	fmt.Fprintf(w, "%-52s %9.3f %9s %9.1f  %10.0f%%\n", r.Name, r.MS, gflops, r.GBPerS, 100*r.FractionOfPeak)
}

// timed is the fastest run of a kernel and the bytes that it reads and writes.
type timed struct {
	best  float64 // seconds
	bytes int64
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

// timeKernel runs the instruction for about budget seconds, by itself, with
// arguments in the types that a training step of this precision gives them. It
// measures single launches; where the back end records, batches of launches
// recorded as one, each launch with other arguments than the last.
func timeKernel(k kernelCase, b exec.Backend, compute ir.DType, budget float64) (timed, error) {
	in, err := k.instruction(b.Target(), compute)
	if err != nil {
		return timed{}, err
	}
	t := timed{best: math.Inf(1), bytes: traffic(in)}
	recorder, records := b.(exec.Recorder)
	sets := 1
	if records {
		sets = int(min(mostSets, 1+cacheBytes/max(t.bytes, cacheBytes/mostSets)))
	}
	launches := make([]exec.Launch, sets)
	for i := range launches {
		args, err := k.arguments(in, b, uint64(i))
		if err != nil {
			return timed{}, err
		}
		if launches[i], err = b.Bind(in, args); err != nil {
			return timed{}, err
		}
	}
	batch, count := launches[0], 1
	if records {
		if batch, count, err = record(recorder, b, launches); err != nil {
			return timed{}, err
		}
	}
	for began, runs := time.Now(), 0; runs < 3 || time.Since(began).Seconds() < budget; runs++ {
		seconds, err := wallTime(batch, b)
		if err != nil {
			return t, err
		}
		t.best = min(t.best, seconds/float64(count))
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

// instruction plans the case and gives its element arguments the type that they
// have in a step. Casts, which the planner would put around the instruction
// since its arguments are state, are left out.
func (k kernelCase) instruction(target plan.Target, compute ir.DType) (*ir.Instr, error) {
	p := &ir.Program{Name: "bench"}
	k.emit(p)
	wide := target
	wide.StoresBF16 = false
	built, err := plan.Build(p, plan.Options{Compute: compute, Target: wide})
	if err != nil {
		return nil, err
	}
	in := built.Program.Instrs[0]
	if target.StoresBF16 && compute == ir.BF16 {
		in.Elems(func(group int, v **ir.Value) {
			if group == 0 || !k.sums {
				(*v).DType = ir.BF16
			}
		})
	}
	return in, nil
}

// arguments allocates what in reads, writes and works in, and fills it: floats
// below 1 of both signs, but for those that are never negative, and integers
// below the size of the vocabulary.
func (k kernelCase) arguments(in *ir.Instr, b exec.Backend, seed uint64) (exec.Args, error) {
	r := rand.New(rand.NewPCG(1, seed))
	var args exec.Args
	for _, v := range in.In {
		if v == nil {
			args.In = append(args.In, exec.Region{})
			continue
		}
		region, err := allocate(b, v.Bytes())
		if err != nil {
			return args, err
		}
		if err := b.Upload(region, k.random(v, r)); err != nil {
			return args, err
		}
		args.In = append(args.In, region)
	}
	for _, v := range in.Out {
		var region exec.Region
		if v != nil {
			var err error
			if region, err = allocate(b, v.Bytes()); err != nil {
				return args, err
			}
		}
		args.Out = append(args.Out, region)
	}
	if scratch := b.Target().Workspace; scratch != nil {
		if bytes := scratch([]*ir.Instr{in}); bytes > 0 {
			var err error
			args.Workspace, err = allocate(b, bytes)
			return args, err
		}
	}
	return args, nil
}

func allocate(b exec.Backend, bytes int64) (exec.Region, error) {
	buf, err := b.Alloc(bytes)
	if err != nil {
		return exec.Region{}, err
	}
	return exec.Region{Buffer: buf, Bytes: bytes}, nil
}

// period is after how many elements the random numbers of an argument repeat;
// prime, so that no two rows are alike.
const period = 1_000_003

// random are the bytes of an argument.
func (k kernelCase) random(v *ir.Value, r *rand.Rand) []byte {
	size := int(v.Bytes())
	out := make([]byte, 0, size)
	for len(out) < min(size, period*v.DType.Bits()/8) {
		if v.DType == ir.I32 {
			out = binary.LittleEndian.AppendUint32(out, uint32(r.IntN(k.shape.Vocab)))
			continue
		}
		x := 2*r.Float32() - 1
		if neverNegative(v.Name) {
			x = (x + 1) / 2
		}
		if v.DType == ir.BF16 {
			out = binary.LittleEndian.AppendUint16(out, uint16(math.Float32bits(x)>>16))
		} else {
			out = binary.LittleEndian.AppendUint32(out, math.Float32bits(x))
		}
	}
	for len(out) < size {
		out = append(out, out[:min(len(out), size-len(out))]...)
	}
	return out
}

func neverNegative(argument string) bool {
	switch argument {
	case "exp_avg_sq.p", "rstd", "hyper", "loss_weight":
		return true
	}
	return false
}

// traffic counts arguments and results once, what is updated in place twice.
func traffic(in *ir.Instr) int64 {
	var n int64
	for _, v := range in.In {
		if v != nil {
			n += v.Bytes()
		}
	}
	in.Writes(func(v *ir.Value) { n += v.Bytes() })
	return n
}
