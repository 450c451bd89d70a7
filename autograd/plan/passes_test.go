package plan

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/mesh"
)

var update = flag.Bool("update", false, "rewrite the golden files in testdata")

// passCase is a program and the passes that run over it, in order.
type passCase struct {
	name   string
	passes []string
	build  func(b *builder)
}

// golden compares got with testdata/name, or rewrites the file under -update.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs (go test -update rewrites it); got:\n%s", file, got)
	}
}

// passOptions is what the options of passCases are built with.
var passOptions = Options{Compute: ir.BF16, Target: Target{StoresBF16: true, LogitElements: 300 * 1000}}

// TestPasses compares the dumps before and after each pass with golden files.
func TestPasses(t *testing.T) {
	table := map[string]Pass{}
	for _, pass := range Passes {
		table[pass.Name] = pass
	}
	tested := map[string]bool{"prune": true} // the same function as dce
	for _, c := range passCases {
		for _, name := range c.passes {
			tested[name] = true
		}
		t.Run(c.name, func(t *testing.T) {
			b := newBuilder(c.name)
			b.options = passOptions
			c.build(b)
			var out bytes.Buffer
			fmt.Fprintln(&out, "# before")
			if err := b.p.Dump(&out); err != nil {
				t.Fatal(err)
			}
			link(b.p)
			for _, name := range c.passes {
				pass, ok := table[name]
				if !ok {
					t.Fatalf("no pass %q", name)
				}
				if err := pass.apply(b.p, b.options); err != nil {
					t.Fatal(err)
				}
				fmt.Fprintf(&out, "\n# after %s\n", name)
				if err := b.p.Dump(&out); err != nil {
					t.Fatal(err)
				}
			}
			golden(t, c.name+".txt", out.Bytes())
		})
	}
	for _, pass := range Passes {
		if !tested[pass.Name] {
			t.Errorf("pass %s has no golden file", pass.Name)
		}
	}
}

// TestReport compares the report of a small program with its golden file.
func TestReport(t *testing.T) {
	c := gptConfig{layers: 1, b: 2, t: 64, d: 64, heads: 4, v: 1000, tied: true, grads: "add", clip: true, update: true}
	pl, err := Build(gpt(c), Options{Recompute: true, Target: Target{Workspace: workspaces}})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := pl.WriteReport(&out); err != nil {
		t.Fatal(err)
	}
	golden(t, "report.txt", out.Bytes())
}

func (b *builder) returns(vs ...*ir.Value) { b.p.Outputs = append(b.p.Outputs, vs...) }

func (b *builder) x() *ir.Value { return b.input("x", ir.F32, 4, 4) }

func (b *builder) scale(x *ir.Value, alpha float32) *ir.Value {
	return b.unary(ir.Scale, ir.ScaleAttrs{Alpha: alpha}, x)
}

// addTo emits the accumulation of g into the state.
func (b *builder) addTo(state, g *ir.Value) *ir.Value {
	next := b.p.NewValue(ir.State, state.Name, state.DType, state.Shape...)
	next.Base = state
	return b.emit(ir.Add, nil, []*ir.Value{next}, state, g)
}

// updates emits those of w and u with the norm of their gradients, and their
// averages, for a program of rank 1 of 2.
func (b *builder) updates(dw, du *ir.Value) {
	b.options.Layout.Rank = mesh.Of(1, 2)
	hyper, w, u := b.input("hyper", ir.F32, ir.HyperLen), b.state("w", 4, 4), b.state("u", 4, 4)
	squares, norm, clip := b.temp(1, 2), b.temp(1), b.temp(1)
	b.emit(ir.SumSquares, ir.RootAttrs{}, []*ir.Value{squares}, dw, du)
	b.emit(ir.GradNorm, ir.GradNormAttrs{MaxNorm: 1}, []*ir.Value{norm, clip}, hyper, squares)
	b.emit(ir.AdamW, ir.AdamWAttrs{}, nil, u, du, b.state("exp_avg.u", 4, 4), b.state("exp_avg_sq.u", 4, 4), hyper, clip, nil)
	b.emit(ir.SGD, ir.SGDAttrs{}, nil, w, dw, nil, hyper, clip, nil)
	b.emit(ir.EMA, ir.EMAAttrs{}, nil, b.state("ema.w", 4, 4), w, clip)
	b.emit(ir.EMA, ir.EMAAttrs{}, nil, b.state("ema.u", 4, 4), u, clip)
	b.returns(norm)
}

func (b *builder) sgd(param, g, hyper *ir.Value) {
	b.emit(ir.SGD, ir.SGDAttrs{}, nil, param, g, nil, hyper, nil, nil)
}

var passCases = []passCase{
	{"fold", []string{"fold", "dce"}, func(b *builder) {
		x := b.x()
		y := b.scale(b.scale(x, 2), 3)
		y = b.scale(y, 1)
		y = b.unary(ir.ScaleBy, nil, y, b.constant(0.5))
		y = b.unary(ir.Dropout, ir.DropoutAttrs{Site: 1}, y, b.input("rng", ir.I32, 4))
		y = b.unary(ir.Broadcast, ir.ScaleAttrs{Alpha: 1}, y)
		y = b.unary(ir.ReduceSum, ir.ReduceAttrs{Alpha: 1}, y)
		zero := b.p.NewValue(ir.Const, "", ir.F32, 4, 4)
		y = b.add(zero, y)
		y = b.emit(ir.Reshape, nil, []*ir.Value{b.temp(2, 8)}, y)
		y = b.emit(ir.Reshape, nil, []*ir.Value{b.temp(4, 4)}, y)
		b.returns(b.matmul(y, x, false, false, nil))
	}},
	{"fold-transpose", []string{"fold", "dce"}, func(b *builder) {
		swap := ir.TransposeAttrs{Perm: [ir.MaxAxes]int8{1, 0}}
		x, w := b.input("x", ir.F32, 3, 5), b.input("w", ir.F32, 3, 7)
		xt := b.emit(ir.Transpose, swap, []*ir.Value{b.temp(5, 3)}, x)
		xtt := b.emit(ir.Transpose, swap, []*ir.Value{b.temp(3, 5)}, xt)
		b.returns(b.matmul(xt, w, false, false, nil), b.matmul(xtt, w, true, false, nil))
	}},
	{"fold-keeps", []string{"fold", "dce"}, func(b *builder) {
		// The copy of w and its double are read after w's update; y is an output.
		w, hyper := b.state("w", 4, 4), b.input("hyper", ir.F32, ir.HyperLen)
		x := b.x()
		snapshot := b.scale(w, 1)
		double := b.scale(w, 2)
		y := b.scale(x, 1)
		b.sgd(w, x, hyper)
		b.returns(y, b.add(snapshot, b.scale(double, 3)))
	}},
	{"cse", []string{"cse"}, func(b *builder) {
		x, rng, s := b.x(), b.input("rng", ir.I32, 4), b.state("s", 4, 4)
		y := b.add(b.add(b.scale(x, 2), b.scale(x, 2)), b.unary(ir.ScaleBy, nil, x, b.constant(3)))
		y = b.add(y, b.unary(ir.ScaleBy, nil, x, b.constant(3)))
		d1 := b.unary(ir.Dropout, ir.DropoutAttrs{P: 0.5, Site: 1}, y, rng)
		d2 := b.unary(ir.Dropout, ir.DropoutAttrs{P: 0.5, Site: 2}, y, rng)
		before := b.scale(s, 2)
		after := b.scale(b.addTo(s, y), 2)
		again := b.scale(x, 2)
		b.returns(b.add(d1, d2), before, after, again)
	}},
	{"cse-state", []string{"cse"}, func(b *builder) {
		// The same value has other content after its new definition.
		x, s := b.x(), b.state("s", 4, 4)
		before := b.scale(s, 2)
		b.emit(ir.Add, nil, []*ir.Value{s}, x, x)
		b.returns(b.add(before, b.scale(s, 2)))
	}},
	{"dce", []string{"dce"}, func(b *builder) {
		x, w := b.x(), b.state("w", 7, 4)
		y := b.emit(ir.MatMul, ir.MatMulAttrs{Act: ir.ReLU}, []*ir.Value{b.temp(4, 4), b.temp(4, 4), nil}, x, x, nil, nil, nil)
		b.scale(b.scale(y, 2), 3)
		b.addTo(b.state("s", 4, 4), y)
		targets, lossWeight := b.input("targets", ir.I32, 4), b.input("loss_weight", ir.F32, 1)
		b.returns(b.emit(ir.LinearCrossEntropy, ir.LinearCrossEntropyAttrs{}, []*ir.Value{b.temp(1), b.temp(4), b.temp(4, 4), b.temp(7, 4)}, y, w, targets, lossWeight, nil))
	}},
	{"fuse-activation", []string{"fuse-activation", "fuse-activation-backward"}, func(b *builder) {
		gelu := ir.ActivationAttrs{Act: ir.GELU}
		x, bias := b.x(), b.state("b", 4)
		h := b.matmul(x, x, false, true, bias)
		y := b.unary(ir.Activation, gelu, h)
		z := b.unary(ir.Activation, gelu, b.matmul(y, x, false, false, nil)) // its argument has no other use
		b.backward = true
		dy := b.matmul(z, x, true, false, nil)
		dh := b.unary(ir.ActivationBackward, gelu, h, dy)
		biased := b.unary(ir.ActivationBackward, gelu, h, b.matmul(z, x, false, false, bias)) // no fusion
		b.returns(z, dh, biased)
	}},
	{"fuse-residual", []string{"fuse-residual"}, func(b *builder) {
		x, bias := b.x(), b.state("b", 4)
		y := b.add(x, b.matmul(x, x, false, false, bias))
		m := b.matmul(y, x, false, false, nil)
		b.returns(b.add(y, m), m, b.add(b.scale(y, 2), b.unary(ir.Activation, ir.ActivationAttrs{Act: ir.ReLU}, y))) // no fusions
	}},
	{"fuse-accumulate", []string{"fuse-accumulate"}, func(b *builder) {
		b.backward = true
		x, bias := b.x(), b.state("grad.b", 4)
		m1, m2 := b.matmul(x, x, false, false, nil), b.matmul(x, x, true, false, nil)
		sum := b.add(m1, m2) // into the later product
		b.addTo(bias, b.emit(ir.ColumnSum, nil, []*ir.Value{b.temp(4)}, x, nil))
		m3 := b.matmul(sum, x, false, false, nil)
		late := b.add(b.scale(sum, 3), m3) // m3 sinks to the addition
		m4 := b.matmul(late, x, false, false, nil)
		b.returns(late, b.add(m4, m4))
	}},
	{"fuse-accumulate-tied", []string{"fuse-accumulate", "in-place"}, tied("add")},
	{"fuse-accumulate-tied-set", []string{"fuse-accumulate", "in-place"}, tied("set")},
	{"fuse-accumulate-state-read", []string{"fuse-accumulate"}, func(b *builder) {
		// The old content of the state is read after the product.
		b.backward = true
		x, s := b.x(), b.state("grad.w", 4, 4)
		g := b.matmul(x, x, false, false, nil)
		old := b.scale(s, 2)
		b.addTo(s, g)
		b.returns(old)
	}},
	{"fuse-accumulate-stays", []string{"fuse-accumulate"}, func(b *builder) {
		// The addend depends on another result of the producer.
		b.backward = true
		x, w, n := b.x(), b.state("w", 4), b.input("n", ir.F32, 4)
		dw := b.temp(4, 4)
		dx := b.emit(ir.LayerNormBackward, ir.NormAttrs{}, []*ir.Value{b.temp(4, 4), dw, nil, nil}, x, w, n, n, x, nil)
		b.returns(b.add(b.scale(dw, 2), dx))
	}},
	{"recompute", []string{"recompute", "prune", "in-place"}, func(b *builder) {
		x, rng := b.x(), b.input("rng", ir.I32, 4)
		relu := ir.ActivationAttrs{Act: ir.ReLU}
		var hs, xs []*ir.Value
		for l := range 2 {
			b.block, b.path = l, fmt.Sprintf("blocks.%d", l)
			h := b.unary(ir.Dropout, ir.DropoutAttrs{P: 0.5, Site: uint32(l)}, b.scale(x, 2), rng)
			hs, xs = append(hs, h), append(xs, x)
			x = b.add(x, b.unary(ir.Activation, relu, h))
		}
		b.backward = true
		dy := x
		for l := 1; l >= 0; l-- {
			b.block, b.path = l, fmt.Sprintf("blocks.%d", l)
			dy = b.add(dy, b.unary(ir.ActivationBackward, relu, hs[l], dy))
			dy = b.unary(ir.Mul, nil, dy, xs[l])
		}
		b.returns(dy)
	}},
	{"precision", []string{"precision"}, func(b *builder) {
		x := b.x()
		b.returns(b.scale(b.matmul(x, x, false, false, nil), 2))
	}},
	{"fuse-bias-gradient", []string{"fuse-bias-gradient"}, func(b *builder) {
		x, dy, dz := b.x(), b.scale(b.x(), 2), b.scale(b.x(), 3)
		db := b.emit(ir.ColumnSum, nil, []*ir.Value{b.temp(4)}, dy, nil)
		dw := b.matmul(x, dy, true, false, nil)
		dc := b.emit(ir.ColumnSum, nil, []*ir.Value{b.temp(4)}, dz, nil)
		early := b.scale(dc, 2)                 // wants dc before the product
		dv := b.matmul(dz, x, true, false, nil) // so this takes nothing
		de := b.matmul(dz, x, true, false, nil)
		dd := b.emit(ir.ColumnSum, nil, []*ir.Value{b.temp(4)}, dz, nil)
		b.returns(db, dw, early, dv, de, dd)
	}},
	{"fuse-sums", []string{"fuse-accumulate", "fuse-bias-gradient", "fuse-sums"}, func(b *builder) {
		x, w, n, r := b.x(), b.state("w", 4), b.input("n", ir.F32, 4), b.input("r", ir.F32, 4, 4)
		b.backward = true
		gradient := func(dy *ir.Value) *ir.Value {
			return b.emit(ir.LayerNormBackward, ir.NormAttrs{}, []*ir.Value{b.temp(4, 4), b.temp(4), nil, nil}, x, w, n, n, dy, nil)
		}
		sum := func(x *ir.Value) *ir.Value {
			return b.emit(ir.ColumnSum, nil, []*ir.Value{b.temp(4)}, x, nil)
		}
		whole := b.add(gradient(r), r) // the norm adds r, and has all of the gradient
		dw, db := b.matmul(x, whole, true, false, nil), sum(whole)
		alone := gradient(whole) // no product has its sum
		dc := sum(alone)
		of := gradient(alone)
		dv, dd := b.matmul(of, x, true, false, nil), sum(of) // of the first operand
		other := b.scale(of, 2)
		du, de := b.matmul(of, other, true, false, nil), sum(other) // no fusion: of what a Scale has written
		b.returns(dw, db, dc, dv, dd, du, de)
	}},
	{"storage", []string{"storage"}, func(b *builder) {
		hyper, w, u := b.input("hyper", ir.F32, ir.HyperLen), b.state("w", 4, 4), b.state("u", 4)
		ids := b.input("ids", ir.I32, 4)
		x := b.emit(ir.Embedding, nil, []*ir.Value{b.temp(4, 4)}, ids, w)
		y := b.matmul(x, w, false, false, u) // w is cast once, u as the result is stored
		z := b.scale(y, 2)
		dw := b.matmul(x, z, true, false, nil) // only the update reads it: float32
		du := b.emit(ir.ColumnSum, nil, []*ir.Value{b.temp(4)}, z, nil)
		dz := b.matmul(z, w, false, true, nil)
		de := b.emit(ir.EmbeddingBackward, nil, []*ir.Value{b.temp(4, 4)}, ids, dz, nil)
		sum := b.add(dw, de) // follows its inputs: float32
		b.sgd(w, b.scale(sum, 3), hyper)
		b.sgd(u, du, hyper)
		r := b.emit(ir.Reshape, nil, []*ir.Value{b.temp(16)}, z)
		b.returns(r, b.unary(ir.Softmax, nil, dz), b.matmul(z, z, false, false, nil))
	}},
	{"storage-copies", []string{"shard", "storage", "schedule"}, func(b *builder) {
		// This rank updates u, whose copy it writes on the way; w comes from another and is
		// cast then. The one that only products read has a copy, what steps hand on and what
		// the program writes otherwise have none.
		b.options.Layout.Rank = mesh.Of(0, 2)
		b.options.Layout.Owner = map[string]int{"u": 0, "w": 1}
		hyper, w, u := b.input("hyper", ir.F32, ir.HyperLen), b.state("w", 4, 4), b.state("u", 4, 4)
		memory, frozen, mean := b.state(ir.MemoryPrefix+"m", 4, 4), b.state("frozen", 4, 4), b.state("mean", 4, 4)
		y := b.matmul(b.matmul(memory, w, false, false, nil), b.matmul(u, frozen, false, false, nil), false, false, nil)
		y = b.matmul(y, mean, false, false, nil)
		b.emit(ir.Assign, ir.AssignAttrs{}, nil, mean, y)
		b.sgd(w, b.matmul(y, y, true, false, nil), hyper)
		b.sgd(u, b.matmul(y, y, false, true, nil), hyper)
		b.returns(b.scale(y, 2))
	}},
	{"chunk", []string{"chunk"}, func(b *builder) {
		x, w, targets, lossWeight := b.state("x", 1000, 8), b.state("w", 1000, 8), b.input("targets", ir.I32, 1000), b.input("loss_weight", ir.F32, 1)
		loss := b.emit(ir.LinearCrossEntropy, ir.LinearCrossEntropyAttrs{Rows: 128}, []*ir.Value{b.temp(1), b.temp(1000), nil, nil}, x, w, targets, lossWeight, nil)
		b.returns(loss) // 300 rows fit: four chunks of 256
	}},
	{"schedule", []string{"schedule"}, func(b *builder) {
		hyper, w, u := b.input("hyper", ir.F32, ir.HyperLen), b.state("w", 4, 4), b.state("u", 4, 4)
		x := b.scale(b.x(), 2)
		y := b.matmul(x, w, false, false, nil)
		b.backward = true
		dy := b.matmul(y, u, false, false, nil)
		dx := b.matmul(dy, w, false, true, nil) // reads w: the update of w stays behind it
		dz := b.scale(dx, 2)
		du := b.matmul(y, y, true, false, nil)
		dw := b.matmul(x, dy, true, false, nil)
		b.backward = false
		b.sgd(w, dw, hyper)
		b.sgd(u, du, hyper)
		b.returns(dz)
	}},
	{"shard", []string{"shard"}, func(b *builder) { b.updates(b.matmul(b.x(), b.x(), true, false, nil), b.scale(b.x(), 2)) }},
	{"shard-owned", []string{"shard", "dce"}, func(b *builder) {
		// Of the gradients, the one in state is summed in its place. This rank owns w.
		b.options.Layout.Owner = map[string]int{"u": 0, "w": 1}
		b.updates(b.addTo(b.state("grad.w", 4, 4), b.x()), b.scale(b.x(), 2))
	}},
	{"collectives", []string{"schedule", "in-place"}, func(b *builder) {
		// Sums start behind their last input, beside the rest of the backward pass.
		hyper, w, u := b.input("hyper", ir.F32, ir.HyperLen), b.state("w", 4, 4), b.state("u", 4, 4)
		b.backward = true
		du := b.matmul(b.x(), w, true, false, nil)
		dx := b.matmul(b.x(), u, false, true, nil)
		dw := b.matmul(dx, dx, true, false, nil)
		b.backward = false
		sumW, sumU := b.unary(ir.AllReduce, nil, dw), b.unary(ir.AllReduce, nil, du)
		dw, du = b.unary(ir.Await, nil, sumW), b.unary(ir.Await, nil, sumU)
		b.sgd(w, dw, hyper)
		b.sgd(u, du, hyper)
	}},
	{"collectives-owned", []string{"dce", "schedule", "in-place"}, func(b *builder) {
		// This rank owns w: the update of w precedes its broadcast, that of u is not
		// started before the sums have been awaited, and the sum of du stays.
		hyper, w, u := b.input("hyper", ir.F32, ir.HyperLen), b.state("w", 4, 4), b.state("u", 4, 4)
		b.backward = true
		du := b.matmul(b.x(), w, true, false, nil)
		dx := b.matmul(b.x(), u, false, true, nil)
		dw := b.matmul(dx, dx, true, false, nil)
		b.backward = false
		sumW, sumU := b.unary(ir.ReduceTo, ir.RootAttrs{}, dw), b.unary(ir.ReduceTo, ir.RootAttrs{Root: 1}, du)
		dw = b.unary(ir.Await, nil, sumW)
		b.unary(ir.Await, nil, sumU)
		b.sgd(w, dw, hyper)
		for root, p := range []*ir.Value{w, u} {
			sent := b.p.NewValue(ir.State, p.Name, ir.F32, 4, 4)
			sent.Base = p
			b.emit(ir.BroadcastFrom, ir.RootAttrs{Root: root}, []*ir.Value{sent}, p)
			b.unary(ir.Await, nil, sent)
		}
	}},
	{"in-place", []string{"in-place"}, func(b *builder) {
		x := b.x()
		y := b.scale(x, 2) // x is an input
		z := b.add(y, x)   // y dies
		r := b.emit(ir.Reshape, nil, []*ir.Value{b.temp(16)}, z)
		s := b.unary(ir.Activation, ir.ActivationAttrs{Act: ir.ReLU}, r) // z dies, through r
		twice := b.unary(ir.Mul, nil, s, s)                              // one storage, two arguments
		kept := b.scale(twice, 3)                                        // an output
		dup := b.scale(kept, 4)                                          // kept stays
		gate, up := b.scale(x, 5), b.scale(x, 6)
		b.emit(ir.SwiGLUBackward, nil, []*ir.Value{b.temp(4, 4), b.temp(4, 4)}, gate, up, x)
		b.returns(kept, dup)
	}},
	{"in-place-state", []string{"in-place"}, func(b *builder) {
		// y moves into s; z does not move into t, whose old content is read.
		x, s, u := b.x(), b.state("s", 4, 4), b.state("t", 4, 4)
		y := b.scale(x, 2)
		b.emit(ir.Add, nil, []*ir.Value{s}, y, x)
		z := b.scale(x, 3)
		old := b.matmul(u, x, false, false, nil)
		b.emit(ir.Add, nil, []*ir.Value{u}, z, x)
		b.returns(old)
	}},
}

// tied builds the two terms of a tied embedding's gradient.
func tied(grads string) func(b *builder) {
	return func(b *builder) {
		ids, targets, lossWeight := b.input("ids", ir.I32, 4), b.input("targets", ir.I32, 4), b.input("loss_weight", ir.F32, 1)
		x, w, grad := b.x(), b.state("w", 7, 4), b.state("grad.w", 7, 4)
		dw := b.temp(7, 4)
		dx := b.temp(4, 4)
		b.returns(b.emit(ir.LinearCrossEntropy, ir.LinearCrossEntropyAttrs{}, []*ir.Value{b.temp(1), b.temp(4), dx, dw}, x, w, targets, lossWeight, nil))
		b.backward = true
		rows := b.emit(ir.EmbeddingBackward, nil, []*ir.Value{b.temp(7, 4)}, ids, dx, nil)
		if grads == "set" {
			b.emit(ir.Add, nil, []*ir.Value{grad}, dw, rows)
			return
		}
		b.addTo(grad, b.add(rows, dw))
	}
}
