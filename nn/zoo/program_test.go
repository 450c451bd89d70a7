package zoo

import (
	"bytes"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/gpt2"
	"example.com/gotrain/nn/llama"
	"example.com/gotrain/optim"
)

var update = flag.Bool("update", false, "rewrite what is in testdata/programs, borders.txt and keys.txt")

// programCase is a small model that has something switched on everywhere, and what
// trains it. Numbers that could be taken for one another differ: dropouts, epsilons,
// heads and key heads, the rates of both kinds of parameters.
type programCase struct {
	name      string
	spec      nn.Spec
	tuning    nn.Tuning
	optimizer func(c *optim.Config)
	segments  bool
}

func programCases() []programCase {
	adapter := nn.Adapter{Rank: 2, Alpha: 3, Dropout: 0.125, RSLoRA: true, Targets: []string{"q_proj", "down_proj"}}
	return []programCase{
		{"gpt2-adamw", nn.Spec{Family: gpt2.Name, Config: &gpt2.Config{
			Layers: 2, Heads: 2, Width: 8, FFN: 12, Context: 6, Vocab: 11, Dropout: 0.25, NormEps: 1e-4, InitStd: 0.5,
		}}, nn.Tuning{}, func(c *optim.Config) { c.EMA, c.Eps, c.Clip = 0.75, 1e-6, 0.5 }, true},
		{"gpt2-lion", nn.Spec{Family: gpt2.Name, Config: &gpt2.Config{
			Layers: 1, Heads: 2, Width: 8, Context: 6, Vocab: 11, Activation: "relu", Tied: nn.Bool(false), Bias: nn.Bool(false),
			Positions: gpt2.Sinusoidal, ScaleResidual: nn.Bool(false),
		}}, nn.Tuning{Role: "generator", Freeze: []string{"transformer.h.0.ln_?.weight"}},
			func(c *optim.Config) { c.Kind, c.InBackward, c.Clip, c.Betas = "lion", true, 0, []float64{0.8, 0.6} }, false},
		{"llama-muon", nn.Spec{Family: llama.Name, Config: &llama.Config{
			Layers: 2, Heads: 4, KVHeads: 2, HeadDim: 2, Width: 6, FFN: 10, Context: 6, Vocab: 11, Dropout: 0.25, NormEps: 1e-3, QKVBias: true, QKNorm: true,
			SlidingWindow: 3, RopeTheta: 500, InitStd: 0.5, ScaleResidual: nn.Bool(true),
			RopeScaling: &llama.RopeScaling{Type: autograd.Llama3Scaling, Factor: 4, Original: 8},
		}}, nn.Tuning{}, func(c *optim.Config) { c.Kind, c.MatrixLR, c.Momentum, c.LR = "muon", 0.03, 0.7, 0.004 }, true},
		{"llama-lora-sgd", nn.Spec{Family: llama.Name, Config: &llama.Config{
			Layers: 1, Heads: 2, KVHeads: 1, Width: 8, FFN: 10, Context: 6, Vocab: 11, Dropout: 0.25, Tied: nn.Bool(true), Bias: nn.Bool(true), Activation: "gelu",
		}}, nn.Tuning{Adapter: adapter}, func(c *optim.Config) { c.Kind, c.Momentum, c.WeightDecay = "sgd", 0.7, 0.02 }, false},
	}
}

// step is the program of a training step as package autograd leaves it, before the
// passes of package plan.
func (c programCase) step(t *testing.T) (nn.LanguageModel, optim.Config, *ir.Program) {
	t.Helper()
	m, cfg := newModel(t, c.spec, c.tuning), optim.Default()
	c.optimizer(&cfg)
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	g := autograd.NewGraph()
	loss, nll := nn.Training(g, m, nn.Rows{Batch: 2, Length: 6, Segments: c.segments}, autograd.LossConfig{Smoothing: 0.125, ZLoss: 0.0625})
	p, grads, err := g.LowerTrain("step", g.Grad(loss), autograd.GradTemp, nll.Named("nll"))
	if err != nil {
		t.Fatal(err)
	}
	rules := map[string]optim.Rule{}
	for _, param := range m.Params() {
		rules[param.State()] = optim.Rule{Decay: param.Decay, Matrix: param.Matrix}
	}
	optim.Append(p, grads, rules, cfg, true)
	if err := ir.Verify(p); err != nil {
		t.Fatal(err)
	}
	return m, cfg, p
}

// paramTable lists all that is said of the parameters.
func paramTable(params []nn.Param) string {
	var b strings.Builder
	for _, p := range params {
		fmt.Fprintf(&b, "%s %s init %g+%.4g·z±%.4g block %d", p.State(), p.Shape, p.Init.Value, p.Init.Std, p.Init.Bound, p.Block)
		for _, flag := range []struct {
			name string
			set  bool
		}{{"decay", p.Decay}, {"matrix", p.Matrix}, {"frozen", p.Frozen}, {"adapter", p.Adapter}, {"outin", p.Matrix && bool(p.Layout)}} {
			if flag.set {
				b.WriteString(" " + flag.name)
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func dump(t *testing.T, b *bytes.Buffer, p *ir.Program) {
	t.Helper()
	b.WriteByte('\n')
	if err := p.Dump(b); err != nil {
		t.Fatal(err)
	}
}

// TestPrograms compares parameters and programs with golden texts: each instruction
// of a step, of an evaluation and of decoding, with its attributes and in its order.
// What the texts may say is ruled by the other tests of this file.
func TestPrograms(t *testing.T) {
	for _, c := range programCases() {
		t.Run(c.name, func(t *testing.T) {
			m, _, p := c.step(t)
			out := bytes.NewBufferString(paramTable(m.Params()))
			dump(t, out, p)
			g := autograd.NewGraph()
			loss, nll := nn.Evaluation(g, m, nn.Rows{Batch: 2, Length: 6})
			eval, err := g.Lower("eval", loss, nll)
			if err != nil {
				t.Fatal(err)
			}
			dump(t, out, eval)
			for _, length := range []int{3, 1} {
				g, logits := nn.Decode(m, 1, length, 5)
				decode, err := g.Lower(fmt.Sprintf("decode.%d", length), logits)
				if err != nil {
					t.Fatal(err)
				}
				dump(t, out, decode)
			}
			file := filepath.Join("testdata", "programs", c.name+".txt")
			if *update {
				if err := os.WriteFile(file, out.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got, lines := strings.Split(out.String(), "\n"), strings.Split(string(want), "\n")
			for i := range max(len(got), len(lines)) {
				if i >= len(got) || i >= len(lines) || got[i] != lines[i] {
					t.Fatalf("line %d of %s differs (go test -update rewrites it):\n got %q\nwant %q", i+1, file, got[min(i, len(got)-1)], lines[min(i, len(lines)-1)])
				}
			}
		})
	}
}

// TestDropoutOfPrograms: each place that drops has a mask of its own, which its
// gradient draws again, with the probability of the model or of the adapter.
func TestDropoutOfPrograms(t *testing.T) {
	for _, c := range programCases() {
		m, _, p := c.step(t)
		text := m.Config().(nn.TextConfig).Text()
		sites, backward := map[uint32]ir.DropoutAttrs{}, map[uint32]ir.DropoutAttrs{}
		ofModel, ofAdapter := 0, 0
		for _, in := range p.Instrs {
			a, ok := in.Attrs.(ir.DropoutAttrs)
			if !ok {
				continue
			}
			of := sites
			if in.Backward {
				of = backward
			}
			if _, twice := of[a.Site]; twice {
				t.Errorf("%s: two masks of site %d, one at %q", c.name, a.Site, in.Path)
			}
			of[a.Site] = a
			want := text.Dropout
			if strings.HasSuffix(in.Path, ".lora") {
				want = m.Tuning().Adapter.Dropout
			}
			if a.P != float32(want) {
				t.Errorf("%s: dropout of %g at %q, want %g", c.name, a.P, in.Path, want)
			}
			switch {
			case in.Backward:
			case strings.HasSuffix(in.Path, ".lora"):
				ofAdapter++
			default:
				ofModel++
			}
		}
		for site, a := range backward {
			if sites[site] != a {
				t.Errorf("%s: the gradient draws %+v, the forward pass %+v", c.name, a, sites[site])
			}
		}
		layers, adapted := layersOf(m), len(nn.Adapters(m.Params()))/2
		if text.Dropout > 0 && ofModel != 1+2*layers || text.Dropout == 0 && ofModel != 0 {
			t.Errorf("%s: %d places of the model drop, want the embedding and both branches of %d blocks", c.name, ofModel, layers)
		}
		if ofAdapter != adapted {
			t.Errorf("%s: %d places of the adapter drop, want %d", c.name, ofAdapter, adapted)
		}
	}
}

// layersOf is the number of blocks.
func layersOf(m nn.LanguageModel) int {
	n := 0
	for _, p := range m.Params() {
		n = max(n, p.Block+1)
	}
	return n
}

// headDimOf returns the sizes of attention that a configuration asks for.
func attentionOf(m nn.LanguageModel) (a ir.AttentionAttrs, eps float64) {
	a = ir.AttentionAttrs{Batch: 2, Causal: true}
	switch c := m.Config().(type) {
	case *gpt2.Config:
		a.Heads, a.KVHeads, a.HeadDim, a.Packed, eps = c.Heads, c.Heads, c.Width/c.Heads, true, c.NormEps
	case *llama.Config:
		a.Heads, a.KVHeads, a.HeadDim, a.Window, eps = c.Heads, c.KVHeads, c.HeadDim, c.SlidingWindow, c.NormEps
	}
	a.Scale = float32(1 / math.Sqrt(float64(a.HeadDim)))
	return a, eps
}

// TestAttributesOfPrograms: norms have the configuration's epsilon, attention its
// heads and window, rotations the heads of what they rotate, and a gradient what its
// forward pass has. The loss has what the step asks for.
func TestAttributesOfPrograms(t *testing.T) {
	for _, c := range programCases() {
		m, _, p := c.step(t)
		attention, eps := attentionOf(m)
		loss := ir.LossAttrs{Smoothing: 0.125, ZLoss: 0.0625}
		seen := map[ir.Kind]int{}
		for _, in := range p.Instrs {
			if !in.Backward || in.Kind == ir.AttentionBackward {
				seen[in.Kind]++
			}
			switch a := in.Attrs.(type) {
			case ir.NormAttrs:
				if a.Eps != float32(eps) {
					t.Errorf("%s: %s at %q has epsilon %g, want %g", c.name, in.Kind, in.Path, a.Eps, eps)
				}
			case ir.AttentionAttrs:
				if a != attention {
					t.Errorf("%s: %s at %q has %+v, want %+v", c.name, in.Kind, in.Path, a, attention)
				}
				if segments := in.In[3] != nil; segments != c.segments {
					t.Errorf("%s: %s at %q has segments: %t", c.name, in.Kind, in.Path, segments)
				}
			case ir.RoPEAttrs:
				if heads := in.In[0].Shape.Cols() / attention.HeadDim; a != (ir.RoPEAttrs{Heads: heads, HeadDim: attention.HeadDim, Inverse: in.Backward}) {
					t.Errorf("%s: RoPE at %q has %+v, backward %t, for %d heads of %d", c.name, in.Path, a, in.Backward, heads, attention.HeadDim)
				}
			case ir.LinearCrossEntropyAttrs:
				if a.LossAttrs != loss {
					t.Errorf("%s: the loss has %+v, want %+v", c.name, a.LossAttrs, loss)
				}
			}
		}
		layers := layersOf(m)
		if seen[ir.Attention] != layers || seen[ir.AttentionBackward] != layers || seen[ir.LinearCrossEntropy] != 1 {
			t.Errorf("%s: %v", c.name, seen)
		}
		if m.Family() == llama.Name && (seen[ir.RoPE] != 2*layers || seen[ir.LayerNorm] != 0) {
			t.Errorf("%s: %d rotations, %d LayerNorms", c.name, seen[ir.RoPE], seen[ir.LayerNorm])
		}
		if m.Family() == gpt2.Name && (seen[ir.LayerNorm] != 2*layers+1 || seen[ir.RoPE] != 0) {
			t.Errorf("%s: %d rotations, %d LayerNorms", c.name, seen[ir.RoPE], seen[ir.LayerNorm])
		}
	}
}

// TestEvaluationHasNoTraining: an evaluation has neither dropout nor terms that only
// shape the gradient; it reads what it needs, random numbers not among it.
func TestEvaluationHasNoTraining(t *testing.T) {
	for _, c := range programCases() {
		g := autograd.NewGraph()
		loss, nll := nn.Evaluation(g, newModel(t, c.spec, c.tuning), nn.Rows{Batch: 2, Length: 6, Segments: true})
		p, err := g.Lower("eval", loss, nll)
		if err != nil {
			t.Fatal(err)
		}
		for _, in := range p.Instrs {
			a, isLoss := in.Attrs.(ir.LinearCrossEntropyAttrs)
			if in.Kind == ir.Dropout || isLoss && a.LossAttrs != (ir.LossAttrs{}) {
				t.Errorf("%s: %s %+v at %q", c.name, in.Kind, in.Attrs, in.Path)
			}
		}
		var inputs []string
		for _, in := range p.Inputs() {
			inputs = append(inputs, in.Name)
		}
		slices.Sort(inputs)
		if want := []string{"ids", "loss_weight", "positions", "segments", "targets"}; !slices.Equal(inputs, want) {
			t.Errorf("%s: it reads %q, want %q", c.name, inputs, want)
		}
	}
}

// TestBlocksOfPrograms: recomputation and caches go by the block, which is that of the
// path.
func TestBlocksOfPrograms(t *testing.T) {
	block := regexp.MustCompile(`(?:^|\.)(?:h|layers)\.(\d+)(?:\.|$)`)
	for _, c := range programCases() {
		m, _, p := c.step(t)
		of := func(name string) int {
			if found := block.FindStringSubmatch(name); found != nil {
				return int(found[1][0] - '0')
			}
			return -1
		}
		for _, in := range p.Instrs {
			if in.Path != "" && in.Block != of(in.Path) {
				t.Errorf("%s: %s at %q is of block %d", c.name, in.Kind, in.Path, in.Block)
			}
		}
		first := slices.IndexFunc(p.Instrs, func(in *ir.Instr) bool { return in.Backward })
		for _, in := range p.Instrs[first:] {
			if !in.Backward && in.Path != "optimizer" {
				t.Errorf("%s: %s at %q is no part of the backward pass", c.name, in.Kind, in.Path)
			}
		}
		for _, param := range m.Params() {
			if param.Block != of(param.Name) {
				t.Errorf("%s: parameter %s is of block %d", c.name, param.Name, param.Block)
			}
		}
		g, logits := nn.Decode(m, 2, 3, 5)
		decode, err := g.Lower("decode", logits)
		if err != nil {
			t.Fatal(err)
		}
		attention, _ := attentionOf(m)
		attention.Packed = false
		caches := map[string]bool{}
		for _, in := range decode.Instrs {
			if in.Kind != ir.AttentionCached {
				continue
			}
			if in.Attrs != attention {
				t.Errorf("%s: %s at %q has %+v, want %+v", c.name, in.Kind, in.Path, in.Attrs, attention)
			}
			k, v := in.In[3], in.In[4]
			if wantK, wantV := m.Tuning().State(fmt.Sprintf("cache.k.%d", in.Block)), m.Tuning().State(fmt.Sprintf("cache.v.%d", in.Block)); k.Name != wantK || v.Name != wantV || caches[k.Name] || k.Shape.Rows() != 2*5 {
				t.Errorf("%s: block %d has caches %s and %s of %s", c.name, in.Block, k.Name, v.Name, k.Shape)
			}
			caches[k.Name] = true
		}
		if len(caches) != layersOf(m) {
			t.Errorf("%s: %d caches of keys for %d blocks", c.name, len(caches), layersOf(m))
		}
	}
}

// TestRulesOfParameters: weight decay is for what has two axes, Muon for hidden
// matrices only, and first values are those of the kind of parameter.
func TestRulesOfParameters(t *testing.T) {
	for _, c := range programCases() {
		m := newModel(t, c.spec, c.tuning)
		std, residual := initOf(m)
		for _, p := range m.Params() {
			table := strings.HasSuffix(p.Name, "wte.weight") || strings.HasSuffix(p.Name, "wpe.weight") ||
				strings.HasSuffix(p.Name, "embed_tokens.weight") || p.Name == "lm_head.weight"
			if p.Decay != (len(p.Shape) == 2) || p.Matrix != (len(p.Shape) == 2 && !table) {
				t.Errorf("%s: %s %s: decay %t, matrix %t", c.name, p.Name, p.Shape, p.Decay, p.Matrix)
			}
			want := nn.Init{Std: std}
			switch {
			case strings.HasSuffix(p.Name, nn.LoRAA):
				want = nn.Init{Bound: 1 / math.Sqrt(float64(p.Shape[1]))}
			case strings.HasSuffix(p.Name, nn.LoRAB), strings.HasSuffix(p.Name, ".bias"):
				want = nn.Init{}
			case len(p.Shape) == 1:
				want = nn.Init{Value: 1}
			case strings.HasSuffix(p.Name, "c_proj.weight"), strings.HasSuffix(p.Name, "o_proj.weight"), strings.HasSuffix(p.Name, "down_proj.weight"):
				want = nn.Init{Std: residual}
			}
			if p.Init != want {
				t.Errorf("%s: %s begins with %+v, want %+v", c.name, p.Name, p.Init, want)
			}
			frozen := c.tuning.Adapter.Rank > 0 && !p.Adapter || slices.ContainsFunc(c.tuning.Freeze, func(pattern string) bool {
				ok, err := filepath.Match(pattern, p.Name)
				return ok && err == nil
			})
			if p.Frozen != frozen {
				t.Errorf("%s: %s is frozen: %t", c.name, p.Name, p.Frozen)
			}
		}
	}
}

// initOf returns the standard deviations of a configuration: those of the projections
// that add to the residual stream are divided by √(2·layers).
func initOf(m nn.LanguageModel) (std, residual float64) {
	scaled, layers := false, 0
	switch c := m.Config().(type) {
	case *gpt2.Config:
		std, scaled, layers = c.InitStd, *c.ScaleResidual, c.Layers
	case *llama.Config:
		std, scaled, layers = c.InitStd, *c.ScaleResidual, c.Layers
	}
	if residual = std; scaled {
		residual = std / math.Sqrt(float64(2*layers))
	}
	return std, residual
}

// TestUpdatesOfPrograms: each trained parameter is updated once, from its gradient,
// with its states; weight decay and the learning rate go by the rule of the parameter.
func TestUpdatesOfPrograms(t *testing.T) {
	for _, c := range programCases() {
		m, cfg, p := c.step(t)
		params := map[string]nn.Param{}
		for _, param := range nn.Trainable(m.Params()) {
			params[param.State()] = param
		}
		updated := map[string]bool{}
		for _, in := range p.Instrs {
			if ir.Kinds[in.Kind].Update != ir.ByGradient {
				continue
			}
			name := in.In[0].Name
			param, trained := params[name]
			if !trained || updated[name] || !in.In[1].Shape.Equal(param.Shape) {
				t.Errorf("%s: %s of %s from a gradient %s", c.name, in.Kind, name, in.In[1].Shape)
			}
			updated[name] = true
			decay := float32(0)
			if param.Decay {
				decay = float32(cfg.WeightDecay)
			}
			beta1, beta2, momentum := float32(cfg.Betas[0]), float32(cfg.Betas[1]), float32(cfg.Momentum)
			var want ir.Attrs
			switch {
			case cfg.Kind == "muon" && param.Matrix:
				want = ir.MuonAttrs{Beta1: momentum, Decay: decay, LRScale: float32(cfg.MatrixLR / cfg.LR), Nesterov: cfg.Nesterov, NewtonSchulz: 5}
			case cfg.Kind == "adamw", cfg.Kind == "muon":
				want = ir.AdamWAttrs{Eps: float32(cfg.Eps), Beta1: beta1, Beta2: beta2, Decay: decay, LRScale: 1}
			case cfg.Kind == "lion":
				want = ir.LionAttrs{Beta1: beta1, Beta2: beta2, Decay: decay, LRScale: 1}
			case cfg.Kind == "sgd":
				want = ir.SGDAttrs{Beta1: momentum, Decay: decay, LRScale: 1, Nesterov: cfg.Nesterov}
			}
			if in.Attrs != want {
				t.Errorf("%s: %s has %+v, want %+v", c.name, name, in.Attrs, want)
			}
			for i, a := range ir.Kinds[in.Kind].In[2:] {
				v := in.In[2+i]
				state := map[string]string{"m": "momentum.", "v": "exp_avg_sq."}[a.Name] + name
				if in.Kind == ir.AdamW && a.Name == "m" {
					state = "exp_avg." + name
				}
				switch {
				case a.Name == "hyper" && v.Name != "hyper", a.Name == "clip" && (v != nil) != (cfg.Clip > 0 || !cfg.InBackward),
					(a.Name == "m" || a.Name == "v") && v.Name != state:
					t.Errorf("%s: %s of %s has %v as %s", c.name, in.Kind, name, v, a.Name)
				}
			}
		}
		if len(updated) != len(params) {
			t.Errorf("%s: %d of %d parameters are updated", c.name, len(updated), len(params))
		}
	}
}
