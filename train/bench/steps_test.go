package bench

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/data"
	"example.com/gotrain/nn/gpt2"
	"example.com/gotrain/train/device"
)

// TestMiddle is the median without the first step, which warms up.
func TestMiddle(t *testing.T) {
	for _, tc := range []struct {
		times []time.Duration
		want  time.Duration
	}{
		{[]time.Duration{1, 7, 3, 5}, 5}, {[]time.Duration{100, 9, 2, 2, 8, 7}, 7}, {[]time.Duration{0, 4, 4}, 4},
	} {
		if got := middle(tc.times); got != tc.want {
			t.Errorf("the median of %v is %d, want %d", tc.times, got, tc.want)
		}
	}
	if got := sum([]time.Duration{1, 2, 4}); got != 7 {
		t.Errorf("1 + 2 + 4 = %d", got)
	}
}

// bound is a back end that keeps the instructions which it runs.
type bound struct {
	exec.Backend
	instrs []*ir.Instr
}

func (b *bound) Bind(in *ir.Instr, args exec.Args) (exec.Launch, error) {
	b.instrs = append(b.instrs, in)
	return b.Backend.Bind(in, args)
}

// TestTimingByHand: the figures of a measurement follow from the median step, and its
// products are of the precision that was asked for.
func TestTimingByHand(t *testing.T) {
	d, err := device.Find("cpu", 1)
	if err != nil {
		t.Fatal(err)
	}
	const layers, width, length, vocab, rows = 1, 32, 8, 50, 6
	for precision, want := range map[string]ir.DType{"float32": ir.F32, "bfloat16": ir.BF16} {
		s := reference("probe", 2, gpt2.Config{Layers: layers, Heads: 2, Width: width, Context: length, Vocab: vocab})
		s.Config.Train.Accumulate, s.Config.Optimizer.InBackward = 3, false
		opened, err := openForSteps(d, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		b := &bound{Backend: opened.Backend}
		opened.Backend = b
		got, err := Options{Precision: precision, Peak: 20}.time(s, opened)
		if err != nil {
			t.Fatal(err)
		}
		if err := opened.Close(); err != nil {
			t.Fatal(err)
		}
		rate := rows * length / (got.StepMS / 1e3)
		flops := 6*(12*width*width*layers+vocab*width) + 12*layers*width*float64(length+1)/2
		for name, x := range map[string][2]float64{
			"tokens/s": {got.TokensPerS, rate}, "GFLOP/s": {got.GFLOPS, rate * flops / 1e9}, "share of the peak": {got.FractionOfPeak, rate * flops / 1e9 / 20},
		} {
			if !(x[0] > 0) || math.Abs(x[0]/x[1]-1) > 1e-9 {
				t.Errorf("%s: %g %s, want %g", precision, x[0], name, x[1])
			}
		}
		const params = vocab*width + length*width + layers*(12*width*width+13*width) + 2*width
		if got.Name != "probe" || got.Params != params || got.Batch != rows || got.Context != length || got.Vocab != vocab || got.Steps < 4 ||
			got.Layers != layers || got.Heads != 2 || got.Width != width || got.PlannedBytes < 4*params*4 || got.GPU != nil {
			t.Errorf("%s: %+v", precision, got)
		}
		products := 0
		for _, in := range b.instrs {
			if a, ok := in.Attrs.(ir.MatMulAttrs); ok {
				if products++; a.Compute != want {
					t.Errorf("%s: a product of %s operands", precision, a.Compute)
				}
			}
		}
		if products == 0 {
			t.Errorf("%s: there are no products among %d instructions", precision, len(b.instrs))
		}
	}
}

// TestReferenceSteps are what PyTorch is measured with too: AdamW without clipping, applied
// as soon as gradients are there.
func TestReferenceSteps(t *testing.T) {
	var got []string
	for _, s := range all() {
		o, m := s.Config.Optimizer, s.Config.Model.Value().(*gpt2.Config)
		if o.Kind != "adamw" || o.Clip != 0 || !o.InBackward || s.Config.Train.Accumulate != 1 || s.Config.Train.Sample != "" || m.Dropout != 0 {
			t.Errorf("%s: %+v, %+v", s.Name, o, m)
		}
		got = append(got, fmt.Sprintf("%s %d×%d %d %d %d %d", s.Name, s.Config.Train.Batch, m.Context, m.Layers, m.Heads, m.Width, m.Vocab))
	}
	want := []string{
		"tiny 2×32 2 2 128 67",
		"0.8m 12×64 4 4 128 65", "12.3m 16×256 6 6 384 4096", "124m 4×64 12 12 768 50257",
		"124m-b16 16×1024 12 12 768 50304", "124m-b32 32×1024 12 12 768 50304", "124m-b64 64×1024 12 12 768 50304", "124m-50257 32×1024 12 12 768 50257",
		"1558m-b4 4×1024 48 25 1600 50304", "1558m-b8 8×1024 48 25 1600 50304", "1558m-b16 16×1024 48 25 1600 50304",
	}
	if !slices.Equal(got, want) {
		t.Errorf("the steps are %q, want %q", got, want)
	}
}

// TestRandomBatch has many different tokens, all of the vocabulary, and every target counts.
func TestRandomBatch(t *testing.T) {
	b := RandomBatch(8, 64, 50)
	for _, field := range []string{data.IDs, data.Targets} {
		seen := map[int32]bool{}
		for _, id := range b.Ints[field] {
			seen[id] = true
			if id < 0 || id >= 50 {
				t.Fatalf("%s has token %d of 50", field, id)
			}
		}
		if len(b.Ints[field]) != 512 || len(seen) < 45 {
			t.Errorf("%s: %d tokens, %d different ones", field, len(b.Ints[field]), len(seen))
		}
	}
	if b.Weight != 512 || slices.Equal(b.Ints[data.IDs], b.Ints[data.Targets]) {
		t.Errorf("the weight is %g", b.Weight)
	}
	for i, p := range b.Ints[data.Positions] {
		if p != int32(i%64) {
			t.Fatalf("position %d is %d", i, p)
		}
	}
}
