package train

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/gotrain/data"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/bert"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/recipe/classify"
)

// classifyConfig trains a small BERT to tell bright things from dark ones, of pairs of texts.
func classifyConfig(t testing.TB) Config {
	t.Helper()
	c := maskedConfig(t)
	path := filepath.Join(t.TempDir(), "labelled.csv")
	var b strings.Builder
	b.WriteString("text,more,label\n")
	for i := range 120 {
		word, label := "bright clear", "good"
		if i%2 == 0 {
			word, label = "dark dull", "bad"
		}
		fmt.Fprintf(&b, "the prism %d,is %s,%s\n", i%7, word, label)
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o666); err != nil {
		t.Fatal(err)
	}
	d := &classify.Data{Config: data.Config{Format: data.FormatText, Paths: []string{path}, TextKey: "text", Validation: 0.3}, LabelKey: "label", PairKey: "more"}
	for _, err := range []error{c.Data.Set(classify.Format, d), c.Recipe.Set(classify.Name, &classify.Config{})} {
		if err != nil {
			t.Fatal(err)
		}
	}
	c.Train.Steps, c.Train.EvalEvery, c.Train.SaveEvery, c.Optimizer.LR = 40, 20, 10, 1e-2
	return c
}

// TestClassify begins from a model that fills masks, learns the classes of pairs of texts, and goes
// on to the same bits after each stop. The classes are kept with the model.
func TestClassify(t *testing.T) {
	base := maskedConfig(t)
	base.Train.Steps = 2
	mustTrain(t, base, deps(t, 2))

	cfg := classifyConfig(t)
	cfg.Base = filepath.Join(base.Run.Dir, "checkpoints", "latest")
	cfg.Tokenizer = config.TokenizerConfig{Path: cfg.Base}
	r := mustTrain(t, cfg, deps(t, 2))
	if a, f := r.Validation.Get("accuracy"), r.Validation.Get("f1"); a < 0.95 || f < 0.95 {
		t.Errorf("accuracy %g, F1 %g", a, f)
	}
	if o := r.Config.Model.Value().(*bert.Config).Outputs(); fmt.Sprint(o) != fmt.Sprint(nn.Outputs{Pooled: true, Labels: []string{"bad", "good"}}) {
		t.Errorf("the model tells %+v", o)
	}
	text, err := os.ReadFile(filepath.Join(r.Checkpoint, "config.json"))
	if err != nil || !bytes.Contains(text, []byte(`"BertForSequenceClassification"`)) || !bytes.Contains(text, []byte(`"1": "good"`)) {
		t.Errorf("%s, %v", text, err)
	}
	want := bits(t, cfg.Run.Dir)
	cfg.Run.Dir = filepath.Join(t.TempDir(), "stopped")
	cfg.Train.LogEvery = 1
	trainByStops(t, cfg, deps(t, 2), want)
}

// TestClassifyFaults: labels that the model does not know, one class only, an adapter.
func TestClassifyFaults(t *testing.T) {
	for want, change := range map[string]func(*classify.Config, *classify.Data){
		`the label "good" is none of ["bad" "worse"]`: func(c *classify.Config, _ *classify.Data) { c.Labels = []string{"bad", "worse"} },
		`no column "class"`:                           func(_ *classify.Config, d *classify.Data) { d.LabelKey = "class" },
	} {
		c := classifyConfig(t)
		own, d := &classify.Config{}, c.Data.Value().(*classify.Data)
		change(own, d)
		for _, err := range []error{c.Recipe.Set(classify.Name, own), c.Data.Set(classify.Format, d)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		if _, err := Train(t.Context(), c, deps(t, 1)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	c := classifyConfig(t)
	c.LoRA.Rank, c.Train.DocumentMask = 2, true
	if err := c.Validate(tables); err == nil || !strings.Contains(err.Error(), "lora: recipe classify trains a head") || !strings.Contains(err.Error(), "train.document_mask") {
		t.Errorf("%v", err)
	}
}
