package train

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/gotrain/data"
	"example.com/gotrain/data/instruct"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/gpt2"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/recipe/distill"
	"example.com/gotrain/train/recipe/text"
)

// distillConfig trains a teacher, and has a smaller model learn from it.
func distillConfig(t *testing.T, change func(*distill.Config)) Config {
	t.Helper()
	teacher := tinyConfig(t)
	teacher.Train.Steps, teacher.Train.Batch, teacher.Optimizer.LR, teacher.Optimizer.EMA = 60, 8, 1e-2, 0
	mustTrain(t, teacher, deps(t, 2))
	c := teacher
	c.Run.Dir += "-student"
	setGPT2(t, &c, func(m *gpt2.Config) { m.Layers, m.Width, m.Dropout = 1, 8, 0.1 })
	c.Tokenizer = config.TokenizerConfig{Path: filepath.Join(teacher.Run.Dir, "checkpoints", "latest")}
	own := distill.Config{Teacher: teacher.Run.Dir, Divergence: distill.Forward, Beta: 0.5, Temperature: 1, Weight: 1, TopK: 8}
	if change != nil {
		change(&own)
	}
	if err := c.Recipe.Set(distill.Name, &own); err != nil {
		t.Fatal(err)
	}
	c.Train.Steps, c.Train.Batch, c.Train.Accumulate, c.Train.Sample = 12, 2, 2, ""
	return c
}

// TestDistillation: the student comes near its teacher, to the same bits at any number of
// threads and stopped after every step, and with the same losses in other micro-batches and on
// two ranks.
func TestDistillation(t *testing.T) {
	cfg := distillConfig(t, nil)
	d := deps(t, 1)
	losses := columns(&d, "loss")
	told := ""
	d.Listener.Phase = func(p recipe.Prepared) { told += p.Name + ": " + p.Detail + "\n" }
	r := mustTrain(t, cfg, d)
	l := *losses
	if kl := r.Validation.Get("kl"); !(l[len(l)-1] < l[0]-0.05) || !(kl > 0 && kl < l[0]) {
		t.Errorf("the loss went from %g to %g, held out the divergence is %g", l[0], l[len(l)-1], kl)
	}
	if !strings.Contains(told, "the 8 likeliest tokens, 52 bytes a token of text") || !strings.Contains(told, "computes what") {
		t.Errorf("what is kept is not told: %s", told)
	}
	want := bits(t, cfg.Run.Dir)

	stops := cfg
	stops.Run.Dir += "-stops"
	trainByStops(t, stops, deps(t, 3), want)

	micro := cfg
	setGPT2(t, &micro, func(m *gpt2.Config) { m.Dropout = 0 })
	micro.Run.Dir += "-micro"
	d = deps(t, 1)
	parts := columns(&d, "loss")
	mustTrain(t, micro, d)
	micro.Run.Dir += "-one"
	micro.Train.Batch, micro.Train.Accumulate = 4, 1
	d = deps(t, 2)
	one := columns(&d, "loss")
	mustTrain(t, micro, d)
	micro.Run.Dir += "-ranks"
	var two *[]float64
	errs, _ := trainRanks(t, t.Context(), micro, 2, func(rank int, _ *Config, d *Deps) {
		if rank == 0 {
			two = columns(d, "loss")
		}
	})
	if err := errors.Join(append(errs, near(*one, *parts), near(*two, *parts))...); err != nil {
		t.Error(err)
	}
}

// TestDistillationVariants trains by the other divergences, at another temperature, with the
// whole distribution, beside the text's own tokens, with documents apart, in bfloat16, and an
// adapter.
func TestDistillationVariants(t *testing.T) {
	for name, change := range map[string]func(*Config, *distill.Config){
		"reverse":  func(_ *Config, o *distill.Config) { o.Divergence = distill.Reverse },
		"jsd":      func(_ *Config, o *distill.Config) { o.Divergence, o.Beta = distill.JSD, 0.25 },
		"mixed":    func(_ *Config, o *distill.Config) { o.Weight, o.Temperature = 0.5, 2 },
		"whole":    func(_ *Config, o *distill.Config) { o.TopK = 1024 },
		"masked":   func(c *Config, _ *distill.Config) { c.Train.DocumentMask = true },
		"bfloat16": func(c *Config, _ *distill.Config) { c.Precision = "bfloat16" },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := distillConfig(t, nil)
			own := *cfg.Recipe.Value().(*distill.Config)
			change(&cfg, &own)
			if err := cfg.Recipe.Set(distill.Name, &own); err != nil {
				t.Fatal(err)
			}
			d := deps(t, 2)
			losses := columns(&d, "loss")
			mustTrain(t, cfg, d)
			if l := *losses; !(l[len(l)-1] < l[0]) || math.IsNaN(l[0]) {
				t.Errorf("losses %v", l)
			}
		})
	}
}

// TestDistillationOfAnAdapter: an adapter learns, and a run that is stopped goes on to the same
// bits.
func TestDistillationOfAnAdapter(t *testing.T) {
	base := distillConfig(t, nil)
	mustTrain(t, base, deps(t, 2))
	cfg := base
	cfg.Run.Dir += "-adapter"
	cfg.LoRA = nn.Adapter{Rank: 4, Dropout: 0.1}
	cfg.Base = filepath.Join(base.Run.Dir, "checkpoints", "latest")
	cfg.Tokenizer = config.TokenizerConfig{Path: cfg.Base}
	mustTrain(t, cfg, deps(t, 1))
	want := bits(t, cfg.Run.Dir)
	cfg.Run.Dir += "-stops"
	trainByStops(t, cfg, deps(t, 2), want)
}

// TestTeachersFile: what is damaged or lacking is computed again, to the same bits; a run of
// more steps computes what it needs.
func TestTeachersFile(t *testing.T) {
	cfg := distillConfig(t, nil)
	mustTrain(t, cfg, deps(t, 1))
	file := filepath.Join(cfg.Run.Dir, distill.File)
	made, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	again := cfg
	again.Run.Dir += "-again"
	if err := os.MkdirAll(again.Run.Dir, 0o777); err != nil {
		t.Fatal(err)
	}
	damaged := bytes.Clone(made[:2*len(made)/3])
	if err := os.WriteFile(filepath.Join(again.Run.Dir, distill.File), damaged, 0o666); err != nil {
		t.Fatal(err)
	}
	mustTrain(t, again, deps(t, 1))
	if !bytes.Equal(bits(t, again.Run.Dir), bits(t, cfg.Run.Dir)) {
		t.Error("after a damaged file the run is another one")
	}
	if now, err := os.ReadFile(filepath.Join(again.Run.Dir, distill.File)); err != nil || !bytes.Equal(now, made) {
		t.Errorf("the file is not made again: %d and %d bytes, %v", len(now), len(made), err)
	}
	again.Train.Steps = 16
	mustTrain(t, again, deps(t, 1))
	if now, err := os.Stat(filepath.Join(again.Run.Dir, distill.File)); err != nil || now.Size() <= int64(len(made)) {
		t.Errorf("more steps did not add to the file: %v", err)
	}
}

// TestTeachersThatDoNotFit are refused with what helps.
func TestTeachersThatDoNotFit(t *testing.T) {
	cfg := distillConfig(t, nil)
	for want, change := range map[string]func(*Config, *distill.Config){
		"recipe.teacher:":                     func(_ *Config, o *distill.Config) { o.Teacher = filepath.Join(cfg.Run.Dir, "nothing") },
		"reads 16 tokens, and a row has 32":   func(c *Config, _ *distill.Config) { setGPT2(t, c, func(m *gpt2.Config) { m.Context = 32 }) },
		"set tokenizer.path to the teacher's": func(c *Config, _ *distill.Config) { c.Tokenizer = config.TokenizerConfig{Kind: "bpe", Vocab: 300} },
		"has another tokenizer":               func(c *Config, _ *distill.Config) { c.Tokenizer = config.TokenizerConfig{Kind: "bytes"} },
		"train.label_smoothing":               func(c *Config, _ *distill.Config) { c.Train.Smoothing = 0.1 },
	} {
		c, own := cfg, *cfg.Recipe.Value().(*distill.Config)
		change(&c, &own)
		if err := c.Recipe.Set(distill.Name, &own); err != nil {
			t.Fatal(err)
		}
		if _, err := Train(t.Context(), c, deps(t, 1)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// TestDistillationOfConversations: what the assistant says is learnt from a teacher, each
// conversation kept once however rows are packed, to the same bits after each stop.
func TestDistillationOfConversations(t *testing.T) {
	cfg := distillConfig(t, nil)
	var lines bytes.Buffer
	for i := range 40 {
		fmt.Fprintf(&lines, `{"messages": [{"role": "user", "content": "q%d"}, {"role": "assistant", "content": "%s"}]}`+"\n", i, strings.Repeat("light ", 1+i%3))
	}
	path := filepath.Join(t.TempDir(), "talks.jsonl")
	if err := os.WriteFile(path, lines.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
	talks := &text.InstructData{Config: data.Config{Format: data.FormatText, TextKey: "text", Paths: []string{path}, Validation: 0.3}, Instruct: instruct.Default()}
	talks.Instruct.Template, talks.Instruct.Truncate = "plain", instruct.TruncateLeft
	if err := cfg.Data.Set(text.FormatInstruct, talks); err != nil {
		t.Fatal(err)
	}
	cfg.Train.DocumentMask, cfg.Train.Steps = true, 16
	d := deps(t, 1)
	losses := columns(&d, "loss")
	r := mustTrain(t, cfg, d)
	if l := *losses; !(l[len(l)-1] < l[0]) || !(r.Validation.Get("kl") > 0) {
		t.Errorf("losses %v, held out %g", l, r.Validation.Get("kl"))
	}
	want := bits(t, cfg.Run.Dir)
	file, err := os.ReadFile(filepath.Join(cfg.Run.Dir, distill.File))
	if err != nil {
		t.Fatal(err)
	}
	cfg.Run.Dir += "-stops"
	trainByStops(t, cfg, deps(t, 2), want)
	if again, err := os.ReadFile(filepath.Join(cfg.Run.Dir, distill.File)); err != nil || !bytes.Equal(again, file) {
		t.Errorf("the file grows with epochs, of which it has all conversations: %d and %d bytes, %v", len(again), len(file), err)
	}
}
