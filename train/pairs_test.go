package train

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/gotrain/train/config"
)

// pairsConfig trains a small encoder and decoder on pairs of a made language.
func pairsConfig(t *testing.T) Config {
	t.Helper()
	dir := t.TempDir()
	text := strings.Repeat("the rays of light are refracted by glass and water, or reflected by the prism; red and blue are colours of it. ", 20)
	for name, content := range map[string]string{"text.txt": text, "c.yaml": strings.ReplaceAll(`
run:       {dir: DIR/run, seed: 7}
recipe:    {kind: seq2seq, translations: 4, shown: 1, beams: 2}
model:     {family: seq2seq, layers: 1, heads: 2, width: 16, context: 32, dropout: 0.1}
tokenizer: {kind: bpe, vocab: 300}
data:      {format: pairs, train: [DIR/text.txt], validation: 0.1, pairs: {cipher: 80}}
train:     {steps: 12, batch: 2, accumulate: 2, save_every: 4, eval_every: 6, label_smoothing: 0.1}
optimizer: {warmup: 3}
`, "DIR", dir)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	c, err := config.Load(filepath.Join(dir, "c.yaml"), nil, tables)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestPairs: a run on pairs gives the same bits at any number of threads, stopped after every
// step, and cut into other micro-batches; evaluations measure BLEU and say how.
func TestPairs(t *testing.T) {
	cfg := pairsConfig(t)
	r := mustTrain(t, cfg, deps(t, 1))
	want := bits(t, cfg.Run.Dir)
	v := r.Validation
	if v == nil || !(v.Get("bleu") >= 0) || !(v.Get("chrf") >= 0) || len(v.Notes) != 2 || !strings.Contains(v.Notes[0].Text, "tok:13a|smooth:exp|version:2.6.0") {
		t.Errorf("the evaluation measures %+v", v)
	}
	cfg.Run.Dir += "-stops"
	trainByStops(t, cfg, deps(t, 3), want)

	cfg.Run.Dir += "-micro"
	cfg.Train.Batch, cfg.Train.Accumulate = 4, 1
	other := mustTrain(t, cfg, deps(t, 2))
	if a, b := v.Get("nll"), other.Validation.Get("nll"); a-b > 1e-4 || b-a > 1e-4 {
		t.Errorf("a step in one part has a loss of %g after 12 steps, in two of %g", b, a)
	}
}
