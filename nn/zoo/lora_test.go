package zoo

import (
	"encoding/json"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/plan"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/gpt2"
	"example.com/gotrain/nn/nntest"
	"example.com/gotrain/optim"
)

// loraGolden is a file of scripts/golden/lora.py, which documents the fields.
type loraGolden struct {
	golden
	LoRA struct {
		R         int
		Alpha     float64 `json:"lora_alpha"`
		Targets   any     `json:"target_modules"`
		UseRSLoRA bool    `json:"use_rslora"`
		UseDoRA   bool    `json:"use_dora"`
		// Alphas has names of layers for its expressions here.
		Alphas map[string]float64 `json:"alpha_pattern"`
	}
	Losses    []float64
	Optimizer struct {
		LR, Eps     float64
		Betas       []float64
		WeightDecay float64 `json:"weight_decay"`
	}
	Merged map[string]nntest.Tensor
}

func (g loraGolden) adapter() nn.Adapter {
	a := nn.Adapter{Rank: g.LoRA.R, Alpha: g.LoRA.Alpha, RSLoRA: g.LoRA.UseRSLoRA, DoRA: g.LoRA.UseDoRA}
	for name, w := range g.Weights {
		if layer, ok := strings.CutSuffix(name, nn.LoRAA); ok && w.Shape[0] != a.Rank {
			a.Ranks = append(a.Ranks, nn.Entry(layer, float64(w.Shape[0])))
		}
	}
	for name, alpha := range g.LoRA.Alphas {
		a.Alphas = append(a.Alphas, nn.Entry(name, alpha))
	}
	switch targets := g.LoRA.Targets.(type) {
	case string:
		if a.Targets = []string{targets}; targets == nn.AllLinear {
			break
		}
		a.Targets = nil // a regular expression: the weights tell which layers it means
		for name := range g.Weights {
			if layer, ok := strings.CutSuffix(name, nn.LoRAA); ok {
				a.Targets = append(a.Targets, layer)
			}
		}
	case []any:
		for _, t := range targets {
			a.Targets = append(a.Targets, t.(string))
		}
	}
	return a
}

// TestLoRAGolden holds logits, gradients, ten losses and merged weights against
// peft, on programs that are planned in every way.
func TestLoRAGolden(t *testing.T) {
	paths, err := filepath.Glob("testdata/lora/*.json.gz")
	if err != nil || len(paths) != 8 {
		t.Fatalf("golden files: %v, %v", paths, err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".json.gz"), func(t *testing.T) {
			var g loraGolden
			nntest.Read(t, path, &g)
			m := newModel(t, parse(t, g.Config), nn.Tuning{Adapter: g.adapter()})
			if len(m.Params()) != len(g.Weights) || len(nn.Trainable(m.Params())) != len(g.Grads) {
				t.Fatalf("%d parameters, %d of them trained; peft has %d and %d", len(m.Params()), len(nn.Trainable(m.Params())), len(g.Weights), len(g.Grads))
			}
			store := nntest.Open(t)
			weights := func(p nn.Param) []float32 {
				w, ok := g.Weights[p.Name]
				if !ok || !p.Shape.Equal(w.Shape) {
					t.Fatalf("%s %s: peft has %v", p.Name, p.Shape, w.Shape)
				}
				return w.Floats()
			}
			write(t, store, m, weights)
			for _, opt := range []plan.Options{{}, {NoFuse: true}, {Recompute: true}} {
				checkGolden(t, g.golden, m, store, opt)
				write(t, store, m, weights)
				checkLosses(t, g, m, store, opt)
				write(t, store, m, weights)
			}
			checkMerged(t, g, m)
		})
	}
}

// checkLosses trains ten steps on the batch.
func checkLosses(t *testing.T, g loraGolden, m nn.LanguageModel, store *exec.Store, opt plan.Options) {
	t.Helper()
	cfg := optim.Default()
	cfg.LR, cfg.Betas, cfg.Eps, cfg.WeightDecay, cfg.Clip, cfg.Schedule, cfg.Warmup = g.Optimizer.LR, g.Optimizer.Betas, g.Optimizer.Eps, g.Optimizer.WeightDecay, 0, "constant", 0
	graph := autograd.NewGraph()
	loss, _ := nn.Training(graph, m, nn.Rows{Batch: g.Batch, Length: g.Length}, autograd.LossConfig{})
	p, grads, err := graph.LowerTrain("step", graph.Grad(loss), autograd.GradTemp, loss)
	if err != nil {
		t.Fatal(err)
	}
	optim.Append(p, grads, map[string]optim.Rule{}, cfg, false)
	for _, in := range p.Instrs {
		if a, ok := in.Attrs.(ir.AdamWAttrs); ok {
			a.Decay = float32(cfg.WeightDecay)
			in.Attrs = a
		}
	}
	for _, name := range store.Names() {
		if optim.IsState(name) {
			if err := store.Write(name, make([]float32, store.Get(name).Shape.Size())); err != nil {
				t.Fatal(err)
			}
		}
	}
	s := nntest.Session(t, store, p, opt)
	setInts(t, s, "ids", g.IDs)
	setInts(t, s, "positions", positions(g.Batch, g.Length))
	setInts(t, s, "targets", g.Targets)
	if err := s.SetFloats("loss_weight", []float32{1 / float32(counted(g.Targets))}); err != nil {
		t.Fatal(err)
	}
	for step, want := range g.Losses {
		hyper := cfg.Hyper(step, len(g.Losses), step, 0)
		if err := s.SetFloats("hyper", hyper[:]); err != nil {
			t.Fatal(err)
		}
		run(t, s)
		near(t, "loss", output(t, s, 0), []float32{float32(want)}, 2e-4)
	}
	for _, name := range store.Names() {
		if base, ok := strings.CutPrefix(name, "exp_avg."); ok && !strings.Contains(base, ".lora_") {
			t.Errorf("the optimizer has state for %s, which is frozen", base)
		}
	}
}

// checkMerged compares merged weights with those of merge_and_unload, in parts
// of any size, and takes the change back.
func checkMerged(t *testing.T, g loraGolden, m nn.LanguageModel) {
	t.Helper()
	adapter := m.Tuning().Adapter
	merged := 0
	for _, p := range m.Params() {
		layer := strings.TrimSuffix(p.Name, ".weight")
		a, adapted := g.Weights[layer+nn.LoRAA]
		want, checked := g.Merged[p.Name]
		if !adapted || !checked || p.Adapter {
			continue
		}
		merged++
		d := nn.NewDelta(p.Layout, a.Floats(), g.Weights[layer+nn.LoRAB].Floats(), adapter.RankOf(layer), adapter.ScaleOf(layer))
		base := g.Weights[p.Name].Floats()
		if adapter.DoRA {
			whole := func(yield func(int, []float32) error) error { return yield(0, append([]float32(nil), base...)) }
			if err := d.Direct(p, g.Weights[layer+nn.DoRAM].Floats(), whole); err != nil {
				t.Fatal(err)
			}
		}
		whole := append([]float32(nil), base...)
		d.Merge(whole, 0)
		near(t, "merged "+p.Name, whole, want.Floats(), 1e-6)
		parts := append([]float32(nil), base...)
		for at := 0; at < len(parts); at += 7 {
			d.Merge(parts[at:min(at+7, len(parts))], at)
		}
		for i := range parts {
			if math.Float32bits(parts[i]) != math.Float32bits(whole[i]) {
				t.Fatalf("%s: element %d merges to %g in parts, to %g at once", p.Name, i, parts[i], whole[i])
			}
		}
		if adapter.DoRA {
			continue
		}
		d.Unmerge(whole, 0)
		near(t, "unmerged "+p.Name, whole, base, 3e-7)
	}
	if merged == 0 {
		t.Error("no merged weight was compared")
	}
}

func counted(targets []int32) int {
	n := 0
	for _, target := range targets {
		if target >= 0 {
			n++
		}
	}
	return n
}

func TestLoRAOfAllLayersNamesThemAsPeft(t *testing.T) {
	m, err := gpt2.New(gpt2.Config{Layers: 1, Heads: 2, Width: 8, Context: 4, Vocab: 11}, nn.Tuning{Adapter: nn.Adapter{Rank: 2}})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range nn.Adapters(m.Params()) {
		names = append(names, p.Name)
	}
	text, err := json.Marshal(names)
	if err != nil {
		t.Fatal(err)
	}
	want := `["transformer.h.0.attn.c_attn.lora_A.weight","transformer.h.0.attn.c_attn.lora_B.weight",` +
		`"transformer.h.0.attn.c_proj.lora_A.weight","transformer.h.0.attn.c_proj.lora_B.weight",` +
		`"transformer.h.0.mlp.c_fc.lora_A.weight","transformer.h.0.mlp.c_fc.lora_B.weight",` +
		`"transformer.h.0.mlp.c_proj.lora_A.weight","transformer.h.0.mlp.c_proj.lora_B.weight"]`
	if string(text) != want {
		t.Errorf("got %s\nwant %s", text, want)
	}
}
