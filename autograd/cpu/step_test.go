package cpu_test

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/cpu"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/plan"
)

// gptConfig is a GPT-2: learned positions, pre-norm blocks, packed attention,
// tied output.
type gptConfig struct {
	layers, width, heads, length, batch, vocab int
}

// loss returns the graph up to the loss.
func (c gptConfig) loss() (*autograd.Graph, *autograd.Node) {
	g := autograd.NewGraph()
	d, n := c.width, c.batch*c.length
	ids, positions := g.Ints("ids", n), g.Ints("positions", n)
	targets, lossWeight := g.Ints("targets", n), g.Floats("loss_weight", 1)
	wte := g.Param("wte", c.vocab, d)
	linear := func(x *autograd.Node, name string, in, out int) *autograd.Node {
		return autograd.Linear(x, g.Param(name+".weight", out, in), g.Param(name+".bias", out), autograd.OutIn)
	}
	layerNorm := func(x *autograd.Node, name string) *autograd.Node {
		return autograd.LayerNorm(x, g.Param(name+".weight", d), g.Param(name+".bias", d), 1e-5)
	}
	x := autograd.Add(autograd.Embedding(ids, wte), autograd.Embedding(positions, g.Param("wpe", c.length, d)))
	for i := range c.layers {
		name := fmt.Sprintf("h.%d", i)
		g.Block(i, name, func() {
			qkv := linear(layerNorm(x, name+".ln_1"), name+".qkv", d, 3*d)
			a := autograd.PackedAttention(qkv, autograd.AttentionMask{}, autograd.AttentionConfig{Batch: c.batch, Heads: c.heads, Causal: true})
			x = autograd.Add(x, linear(a, name+".proj", d, d))
			h := autograd.Activation(linear(layerNorm(x, name+".ln_2"), name+".up", d, 4*d), ir.GELUTanh)
			x = autograd.Add(x, linear(h, name+".down", 4*d, d))
		})
	}
	loss, _ := autograd.LinearCrossEntropy(layerNorm(x, "ln_f"), wte, targets, lossWeight, autograd.LossConfig{})
	return g, loss
}

// train returns the training program: loss, gradients and AdamW with clipping.
func (c gptConfig) train() (*ir.Program, error) {
	g, loss := c.loss()
	p, grads, err := g.LowerTrain("train", g.Grad(loss), autograd.GradTemp, loss)
	if err != nil {
		return nil, err
	}
	appendAdamW(p, grads)
	return p, nil
}

// appendAdamW emits clipping at 1 and the update of every parameter.
func appendAdamW(p *ir.Program, grads []autograd.Gradient) {
	hyper := p.NewValue(ir.Input, "hyper", ir.F32, ir.HyperLen)
	norm, clip := p.NewValue(ir.Temp, "norm", ir.F32, 1), p.NewValue(ir.Temp, "clip", ir.F32, 1)
	var in []*ir.Value
	for _, g := range grads {
		in = append(in, g.Grad)
	}
	squares := p.NewValue(ir.Temp, "squares", ir.F32, 1, 2)
	p.Emit(&ir.Instr{Kind: ir.SumSquares, In: in, Out: []*ir.Value{squares}, Block: -1})
	p.Emit(&ir.Instr{Kind: ir.GradNorm, Attrs: ir.GradNormAttrs{MaxNorm: 1}, In: []*ir.Value{hyper, squares}, Out: []*ir.Value{norm, clip}, Block: -1})
	for _, g := range grads {
		m := p.NewValue(ir.State, "exp_avg."+g.Param.Name, ir.F32, g.Param.Shape...)
		v := p.NewValue(ir.State, "exp_avg_sq."+g.Param.Name, ir.F32, g.Param.Shape...)
		p.Emit(&ir.Instr{
			Kind: ir.AdamW, Attrs: ir.AdamWAttrs{Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, Decay: 0.1, LRScale: 1}, Block: -1,
			In: []*ir.Value{g.Param, g.Grad, m, v, hyper, clip, nil},
		})
	}
	p.Outputs = append(p.Outputs, norm)
}

// capturing remembers the buffer that it allocated last.
type capturing struct {
	exec.Backend
	last exec.Buffer
}

func (c *capturing) Alloc(bytes int64) (exec.Buffer, error) {
	buf, err := c.Backend.Alloc(bytes)
	c.last = buf
	return buf, err
}

// trainer is a training program bound to a back end, with random parameters and
// one random batch.
type trainer struct {
	*exec.Session
	store *exec.Store
	arena exec.Region
	steps int
}

// poison fills the arena with NaN.
func (t *trainer) poison(tb testing.TB) {
	if err := t.store.Backend().Upload(t.arena, bytes.Repeat([]byte{0xff}, int(t.arena.Bytes))); err != nil {
		tb.Fatal(err)
	}
}

func newTrainer(tb testing.TB, b *cpu.Backend, c gptConfig, opt plan.Options) *trainer {
	tb.Helper()
	check := func(err error) {
		if err != nil {
			tb.Helper()
			tb.Fatal(err)
		}
	}
	p, err := c.train()
	check(err)
	opt.Target = b.Target()
	pl, err := plan.Build(p, opt)
	check(err)
	t := &trainer{store: exec.NewStore(b)}
	memory := &capturing{Backend: b}
	arena, err := exec.NewArena(memory, pl.Arena)
	check(err)
	t.arena = exec.Region{Buffer: memory.last, Bytes: pl.Arena}
	t.Session, err = exec.NewSession(pl, t.store, arena)
	check(err)

	rng := rand.New(rand.NewPCG(1, 2))
	for _, name := range t.store.Names() {
		s := t.store.Get(name)
		data := make([]float32, s.Shape.Size())
		switch {
		case len(s.Shape) == 2 && (name == "wte" || name[:1] == "h" || name == "wpe"):
			for i := range data {
				data[i] = float32(0.02 * rng.NormFloat64())
			}
		case len(name) > 7 && name[len(name)-7:] == ".weight" && name[:3] != "exp":
			for i := range data {
				data[i] = 1
			}
		}
		check(t.store.Write(name, data))
	}
	n := c.batch * c.length
	ids, positions, targets := make([]int32, n), make([]int32, n), make([]int32, n)
	for i := range n {
		ids[i], targets[i] = int32(rng.IntN(c.vocab)), int32(rng.IntN(c.vocab))
		positions[i] = int32(i % c.length)
	}
	check(t.SetInts("ids", ids))
	check(t.SetInts("positions", positions))
	check(t.SetInts("targets", targets))
	check(t.SetFloats("loss_weight", []float32{1 / float32(n)}))
	return t
}

// step runs one training step and returns its loss.
func (t *trainer) step(tb testing.TB) float32 {
	t.steps++
	var hyper [ir.HyperLen]float32
	hyper[ir.LR] = 1e-3
	hyper[ir.BC1] = float32(1 - math.Pow(0.9, float64(t.steps)))
	hyper[ir.BC2] = float32(1 - math.Pow(0.95, float64(t.steps)))
	var loss [1]float32
	for _, err := range []error{t.SetFloats("hyper", hyper[:]), t.Run(), t.Output(0, loss[:])} {
		if err != nil {
			tb.Fatal(err)
		}
	}
	return loss[0]
}

var tinyGPT = gptConfig{layers: 2, width: 32, heads: 2, length: 16, batch: 4, vocab: 50}

func TestStepLearns(t *testing.T) {
	tr := newTrainer(t, newBackend(t, cpu.Config{}), tinyGPT, plan.Options{})
	first := tr.step(t)
	if want := math.Log(float64(tinyGPT.vocab)); math.Abs(float64(first)-want) > 0.1 {
		t.Errorf("the first loss is %v, want about ln %d = %.3f", first, tinyGPT.vocab, want)
	}
	var last float32
	for range 200 {
		last = tr.step(t)
	}
	if last > 1 {
		t.Errorf("after 200 steps on one batch the loss is %v, want it memorised, below 1", last)
	}
}

func TestStepDoesNotAllocate(t *testing.T) {
	tr := newTrainer(t, newBackend(t, cpu.Config{Threads: 2}), tinyGPT, plan.Options{})
	tr.step(t)
	if n := testing.AllocsPerRun(10, func() {
		if err := tr.Run(); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("a step allocates %v times, want 0", n)
	}
}

// TestStepThreads trains on 1, 2 and 3 threads, with and without recomputation,
// on an arena that is full of NaN before each step: losses and parameters have
// the same bits.
func TestStepThreads(t *testing.T) {
	c := gptConfig{layers: 1, width: 96, heads: 3, length: 70, batch: 2, vocab: 130}
	for _, opt := range []plan.Options{{}, {Compute: ir.BF16}} {
		var want []float32
		for _, threads := range []int{1, 2, 3} {
			for _, recompute := range []bool{false, true} {
				opt.Recompute = recompute
				tr := newTrainer(t, newBackend(t, cpu.Config{Threads: threads}), c, opt)
				var got []float32
				for range 3 {
					if threads > 1 {
						tr.poison(t)
					}
					got = append(got, tr.step(t))
				}
				for _, name := range tr.store.Names() {
					data := make([]float32, tr.store.Get(name).Shape.Size())
					if err := tr.store.Read(name, data); err != nil {
						t.Fatal(err)
					}
					got = append(got, data...)
				}
				if want == nil {
					want = got
				}
				for i := range want {
					if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
						t.Fatalf("%d threads, recompute %t, %s: value %d is %v, want the bits of %v", threads, recompute, opt.Compute, i, got[i], want[i])
					}
				}
			}
		}
	}
}

// BenchmarkStep runs training steps with AdamW and clipping: a character model
// of 0.8M parameters, one of 14M and GPT-2 124M.
func BenchmarkStep(b *testing.B) {
	for _, c := range []struct {
		name string
		gptConfig
	}{
		{"char", gptConfig{layers: 4, width: 128, heads: 4, length: 64, batch: 12, vocab: 65}},
		{"small", gptConfig{layers: 6, width: 384, heads: 6, length: 256, batch: 16, vocab: 4096}},
		{"gpt2", gptConfig{layers: 12, width: 768, heads: 12, length: 64, batch: 4, vocab: 50257}},
	} {
		for _, compute := range []struct {
			name  string
			dtype ir.DType
		}{{"f32", ir.F32}, {"bf16", ir.BF16}} {
			b.Run(c.name+"/"+compute.name, func(b *testing.B) {
				back, err := cpu.New(cpu.Config{})
				if err != nil {
					b.Fatal(err)
				}
				defer back.Close()
				tr := newTrainer(b, back, c.gptConfig, plan.Options{Compute: compute.dtype})
				b.ResetTimer()
				for range b.N {
					tr.step(b)
				}
				b.ReportMetric(float64(c.batch*c.length*b.N)/b.Elapsed().Seconds(), "tokens/s")
			})
		}
	}
}
