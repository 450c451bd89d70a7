//go:build gpu

package backend

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	device "example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
)

// trafficChild is set in the process that runs the kernels, with the simulator counting.
const trafficChild = "GOTRAIN_TEST_TRAFFIC"

// traffic is an instruction whose tensors are large beside what caches keep.
type traffic struct {
	name    string
	kind    ir.Kind
	attrs   ir.Attrs
	in, out []ir.Shape
}

func trafficCases() []traffic {
	x, w, rows := ir.Shape{256, 768}, ir.Shape{768}, ir.Shape{256}
	one, logits, targets := ir.Shape{1}, ir.Shape{16, 24576}, ir.Shape{16}
	hyper, wide := ir.Shape{ir.HyperLen}, ir.Shape{256, 1600}
	shapes := func(all ...ir.Shape) []ir.Shape { return all }
	cases := []traffic{
		{"", ir.Embedding, nil, shapes(rows, ir.Shape{900, 768}), shapes(x)},
		{"", ir.EmbeddingBackward, nil, shapes(rows, x, nil), shapes(x)},
		{"", ir.ColumnSum, nil, shapes(x, nil), shapes(w)},
		{"", ir.RoPE, ir.RoPEAttrs{Heads: 12, HeadDim: 64}, shapes(x, ir.Shape{64, 64}, rows), shapes(x)},
		{"", ir.Dropout, ir.DropoutAttrs{P: 0.1}, shapes(x, ir.Shape{4}), shapes(x)},
		{"", ir.Softmax, nil, shapes(x), shapes(x)},
		{"", ir.SoftmaxBackward, nil, shapes(x, x), shapes(x)},
		{"", ir.CrossEntropy, ir.LossAttrs{}, shapes(logits, targets, one), shapes(one, targets, targets)},
		{"", ir.CrossEntropyBackward, ir.LossAttrs{}, shapes(logits, targets, one, targets, one), shapes(logits)},
		{"", ir.MSE, nil, shapes(x, x), shapes(one)},
		{"", ir.MSEBackward, nil, shapes(x, x, one), shapes(x)},
		{"", ir.SumPool, ir.ResampleAttrs{Batch: 4, Height: 8, Width: 8, Factor: [2]int{2, 2}, Alpha: 1}, shapes(ir.Shape{1024, 768}), shapes(x)},
		{"", ir.Normal, ir.NormalAttrs{}, shapes(ir.Shape{4}), shapes(x)},
		{"", ir.Scale, ir.ScaleAttrs{Alpha: 2}, shapes(x), shapes(x)},
		{"", ir.ScaleBy, nil, shapes(x, one), shapes(x)},
		{"", ir.ScaleColumns, nil, shapes(x, w, w), shapes(x)},
		{"", ir.Add, nil, shapes(x, x), shapes(x)},
		{"", ir.Mul, nil, shapes(x, x), shapes(x)},
		{"", ir.Transpose, ir.TransposeAttrs{Perm: [ir.MaxAxes]int8{1, 0}}, shapes(x), shapes(ir.Shape{768, 256})},
		{"", ir.Slice, ir.SliceAttrs{Axis: 1, Start: 128, End: 640}, shapes(x), shapes(ir.Shape{256, 512})},
		{"", ir.SliceBackward, ir.SliceAttrs{Axis: 1, Start: 128, End: 640}, shapes(ir.Shape{256, 512}), shapes(x)},
		{"", ir.Concat, ir.ConcatAttrs{Axis: 1}, shapes(x, x), shapes(ir.Shape{256, 1536})},
		{"", ir.ReduceSum, ir.ReduceAttrs{Alpha: 1, Axes: [ir.MaxAxes]bool{true}}, shapes(x), shapes(ir.Shape{1, 768})},
		{"of rows", ir.ReduceSum, ir.ReduceAttrs{Alpha: 1, Axes: [ir.MaxAxes]bool{false, true}}, shapes(x), shapes(ir.Shape{256, 1})},
		{"", ir.Broadcast, ir.ScaleAttrs{Alpha: 1}, shapes(ir.Shape{1, 768}), shapes(x)},
		{"", ir.Cast, nil, shapes(x), shapes(x)},
		{"", ir.ToFloat, ir.ToFloatAttrs{Scale: 1}, shapes(x), shapes(x)},
		{"", ir.Assign, ir.AssignAttrs{}, shapes(x, x), nil},
		{"", ir.SumSquares, ir.RootAttrs{}, shapes(x, wide), shapes(ir.Shape{1, 2})},
		{"", ir.AdamW, ir.AdamWAttrs{}, shapes(x, x, x, x, hyper, one, nil), nil},
		{"copied", ir.AdamW, ir.AdamWAttrs{}, shapes(x, x, x, x, hyper, one, x), nil},
		{"copied", ir.SGD, ir.SGDAttrs{Beta1: 0.9}, shapes(x, x, x, hyper, one, x), nil},
		{"without momentum", ir.SGD, ir.SGDAttrs{}, shapes(x, x, nil, hyper, one, nil), nil},
		{"copied", ir.Lion, ir.LionAttrs{}, shapes(x, x, x, hyper, one, x), nil},
		{"", ir.EMA, ir.EMAAttrs{}, shapes(x, x, one), nil},
	}
	for _, x := range shapes(x, wide) {
		w := ir.Shape{x[1]}
		name := fmt.Sprint(x[1])
		cases = append(cases,
			traffic{name, ir.LayerNorm, ir.NormAttrs{}, shapes(x, w, w), shapes(x, rows, rows)},
			traffic{name, ir.LayerNormBackward, ir.NormAttrs{}, shapes(x, w, rows, rows, x, nil), shapes(x, w, w, nil)},
			traffic{name + " added", ir.LayerNormBackward, ir.NormAttrs{}, shapes(x, w, rows, rows, x, x), shapes(x, w, w, nil)},
			traffic{name + " added and summed", ir.LayerNormBackward, ir.NormAttrs{}, shapes(x, w, rows, rows, x, x), shapes(x, w, w, w)},
			traffic{name, ir.RMSNorm, ir.NormAttrs{}, shapes(x, w), shapes(x, rows)},
			traffic{name + " added", ir.RMSNormBackward, ir.NormAttrs{}, shapes(x, w, rows, x, x), shapes(x, w)},
			traffic{name, ir.SwiGLU, nil, shapes(x, x), shapes(x)},
			traffic{name, ir.SwiGLUBackward, nil, shapes(x, x, x), shapes(x, x)})
	}
	for _, act := range []ir.Act{ir.GELU, ir.GELUTanh, ir.SiLU, ir.ReLU} {
		cases = append(cases,
			traffic{act.String(), ir.Activation, ir.ActivationAttrs{Act: act}, shapes(x), shapes(x)},
			traffic{act.String(), ir.ActivationBackward, ir.ActivationAttrs{Act: act}, shapes(x, x), shapes(x)})
	}
	return cases
}

// unbound are the kinds whose time is not that of memory, or that run no kernel of ours.
var unbound = map[ir.Kind]string{
	ir.MatMul: "product", ir.LinearCrossEntropy: "products", ir.LinearLogProb: "products", ir.LinearLogProbBackward: "products", ir.LinearTopLogProb: "products", ir.LinearTopLogProbBackward: "products", ir.Muon: "products",
	ir.Attention: "products", ir.AttentionBackward: "products", ir.AttentionCached: "products",
	ir.RelativeAttention: "products", ir.RelativeAttentionBackward: "products", ir.RelativeAttentionCached: "products",
	ir.Recurrent: "products", ir.RecurrentBackward: "products", ir.RecurrentCached: "products",
	ir.InverseNorms: "a product of few columns", ir.Conv: "products", ir.ConvInput: "products", ir.ConvWeights: "products",
	ir.GroupNorm: "caches keep a group", ir.GroupNormBackward: "caches keep a group", ir.Upsample: "caches keep a pixel", ir.MaxPool: "caches keep a window", ir.MaxPoolBackward: "caches keep a window",
	ir.Map: "scalars of losses", ir.MapBackward: "scalars of losses", ir.SegmentSum: "scalars of losses", ir.SegmentBroadcast: "scalars of losses",
	ir.Reshape: "no kernel", ir.Await: "no kernel", ir.GradNorm: "some numbers",
	ir.AllReduce: "between ranks", ir.ReduceTo: "between ranks", ir.BroadcastFrom: "between ranks",
}

// TestTraffic counts the bytes that the kernels of an instruction read and write of
// device memory, on the simulator that looks at every access, and compares them with
// ir.Cost: what is read twice, or in vain, is a fault.
func TestTraffic(t *testing.T) {
	if os.Getenv(trafficChild) != "" {
		countTraffic(t)
		return
	}
	tried := map[ir.Kind]bool{}
	for _, c := range trafficCases() {
		tried[c.kind] = true
	}
	for kind := ir.Invalid + 1; kind < ir.NumKinds; kind++ {
		if tried[kind] == (unbound[kind] != "") {
			t.Errorf("%s: a case is there: %t; reason for having none: %q", kind, tried[kind], unbound[kind])
		}
	}
	child := exec.Command(os.Args[0], "-test.run=^TestTraffic$", "-test.v")
	child.Env = append(os.Environ(), trafficChild+"=1", "CUDASIM_COUNTS="+t.TempDir()+"/counts")
	out, err := child.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if strings.Contains(string(out), "--- SKIP") {
		t.Skip("nobody counts but the simulator of -s thread")
	}
}

func countTraffic(t *testing.T) {
	b, err := Open(Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for _, c := range trafficCases() {
		for _, elem := range []ir.DType{ir.F32, ir.BF16} {
			in, args := c.instruction(t, b, elem)
			if elem == ir.BF16 && in.Elem(ir.Elem) == ir.F32 {
				continue
			}
			name := strings.Join(strings.Fields(fmt.Sprint(c.kind, " ", c.name, " ", elem)), " ")
			launch, err := b.Bind(in, args)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			before := counted()
			launch()
			if err := b.Sync(); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			got, kernels := moved(counted()[len(before):], args.Workspace.Bytes)
			if len(kernels) > 0 && got == 0 {
				t.Skip("nobody counts")
			}
			want := in.Cost().Bytes
			if ratio := got / want; ratio > 1.03 || ratio < 0.97 {
				t.Errorf("%s moves %.0f bytes, %.2f times %.0f: %v", name, got, ratio, want, kernels)
			}
		}
	}
}

// counted is what the simulator has written so far.
func counted() string {
	text, _ := os.ReadFile(os.Getenv("CUDASIM_COUNTS")) // which may not be there yet
	return string(text)
}

// cached is the size of an allocation that a cache keeps: weights of norms, statistics.
const cached = 40 << 10

// moved adds up what launches have moved, but for the workspace, and what is small once.
func moved(lines string, workspace int64) (bytes float64, kernels []string) {
	small := map[float64]bool{}
	for line := range strings.Lines(lines) {
		fields := strings.Fields(line)
		kernels = append(kernels, fields[0])
		for _, f := range fields[4:] {
			var size, read, written float64
			fmt.Sscanf(strings.ReplaceAll(f, ":", " "), "%f %f %f", &size, &read, &written)
			switch {
			case workspace > 0 && size == float64(workspace):
			case size <= cached:
				small[size] = true
			default:
				bytes += read + written
			}
		}
	}
	for size := range maps.Keys(small) {
		bytes += size
	}
	return bytes, kernels
}

// instruction gives the case memory, an allocation for each argument.
func (c *traffic) instruction(t *testing.T, b device.Backend, elem ir.DType) (*ir.Instr, device.Args) {
	info, draw := &ir.Kinds[c.kind], rand.New(rand.NewPCG(1, 2))
	in := &ir.Instr{Kind: c.kind, Attrs: c.attrs, Block: -1}
	var args device.Args
	if in.Attrs == nil {
		in.Attrs = info.Attrs
	}
	place := func(a ir.Arg, shape ir.Shape, class ir.Class, output bool) (*ir.Value, device.Region) {
		if shape == nil {
			return nil, device.Region{}
		}
		v := &ir.Value{Shape: shape, Class: class}
		switch a.Type {
		case ir.Elem, ir.Result:
			v.DType = elem
		case ir.Int32, ir.Integer:
			v.DType = ir.I32
		case ir.BFloat16:
			v.DType = ir.BF16
		case ir.AnyFloat:
			if output {
				v.DType = ir.BF16
			}
		}
		if v.DType == ir.I32 {
			return v, indices(t, b, v, c.rows())
		}
		return v, upload(t, b, v, draw, 0)
	}
	for i, shape := range c.in {
		class := ir.Temp
		if slices.Contains(info.Mutates, i) {
			class = ir.State
		}
		v, region := place(info.Input(i), shape, class, false)
		in.In, args.In = append(in.In, v), append(args.In, region)
	}
	for i, shape := range c.out {
		v, region := place(info.Out[i], shape, ir.Temp, true)
		in.Out, args.Out = append(in.Out, v), append(args.Out, region)
	}
	if bytes := workspace([]*ir.Instr{in}); bytes > 0 {
		// Of a size that no tensor has.
		_, args.Workspace = argument(t, b, ir.Shape{int(bytes+3)/4 + 12_345})
	}
	return in, args
}

// rows bounds the indices of a case.
func (c *traffic) rows() int {
	if c.kind == ir.RoPE {
		return 64
	}
	return 256
}

// indices returns memory with the numbers below limit, in turn.
func indices(t *testing.T, b device.Backend, v *ir.Value, limit int) device.Region {
	buf, err := b.Alloc(v.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	var host []byte
	for i := range v.Shape.Size() {
		host = binary.LittleEndian.AppendUint32(host, uint32(i%limit))
	}
	region := device.Region{Buffer: buf, Bytes: v.Bytes()}
	if err := b.Upload(region, host); err != nil {
		t.Fatal(err)
	}
	return region
}
