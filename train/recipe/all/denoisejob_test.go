package all_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/data"
	"example.com/gotrain/data/pairs"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/recipe/all"
)

const denoised = `
run: {dir: DIR/run, seed: 5}
recipe: {kind: denoise}
model: {family: seq2seq, variant: t5, layers: 1, heads: 2, width: 16, context: 32, dropout: 0.25}
tokenizer: {kind: bpe, vocab: 270}
data: {train: [DIR/a.txt], validation_paths: [DIR/held.txt], cache_dir: DIR/cache}
train: {steps: 4, batch: 4, accumulate: 2, sample: "the rays", label_smoothing: 0.125, z_loss: 0.5}
`

// TestDenoiseJob: what a job of span corruption trains on, shows and tells.
func TestDenoiseJob(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.txt"), strings.Repeat("the rays of light are bent by the prism. ", 60))
	write(t, filepath.Join(dir, "held.txt"), strings.Repeat("the light of the prism. ", 30))
	c, err := loaded(t, dir, denoised)
	if err != nil {
		t.Fatal(err)
	}
	planned, err := all.Table().Design(t.Context(), recipe.Env{Config: c})
	if err != nil {
		t.Fatal(err)
	}
	job, lines := told(t, c, recipe.Env{})
	// 35 tokens of text, 5 of them in 2 spans: 30 + 2 and 5 + 2 + 1.
	shape := map[string]int{data.IDs: 8, data.Targets: 8, data.Positions: 8, data.Segments: 8, pairs.SourceIDs: 32, pairs.SourcePositions: 32, pairs.SourceSegments: 32}
	for _, f := range job.Train.Fields() {
		if len(f.Shape) != 1 || f.Shape[0] != shape[f.Name] {
			t.Errorf("field %+v", f)
		}
		delete(shape, f.Name)
	}
	if len(shape) > 0 || job.Unit != (recipe.Unit{Name: "tokens", PerSample: 32}) || job.Train.Stride() != 8 || job.Eval.Stride() != 4 || len(job.Tools) != 1 || job.Epoch != uint64((job.TrainUnits-35)/35) || job.Split == "" {
		t.Errorf("unit %+v, %d rows of %d tokens, %d tools, split %q, no field %v", job.Unit, job.Epoch, job.TrainUnits, len(job.Tools), job.Split, shape)
	}
	for _, j := range []*recipe.Job{planned, job} {
		if v := j.Config.Text().Vocab; v != 272 || len(j.Config.Tokenizer.AddSpecialTokens) > 0 {
			t.Errorf("a vocabulary of %d, and the configuration has got %q", v, j.Config.Tokenizer.AddSpecialTokens)
		}
	}
	if want := "spans: 5 of 35 tokens of a row in 2 spans; sources of 32 tokens, targets of 8"; !slices.Contains(lines, want) {
		t.Errorf("it tells %q, want %q", lines, want)
	}
	if got := lossOf(t, job.Phases[0].Loss); got != "nll/0, ppl/0, smoothing 0.125 z 0.5, rng false" {
		t.Errorf("the loss is %s", got)
	}
	if got := lossOf(t, job.Score); got != "nll/0, ppl/0, bits_per_byte/1, smoothing 0 z 0, rng false" {
		t.Errorf("the score is %s", got)
	}
	if got := job.Next("runs/x"); got != `gotrain sample --model runs/x --prompt "the rays <extra_id_0>"` {
		t.Errorf("the next command is %s", got)
	}
	if keys := kept(t, job, "config.json"); keys["model_type"] != "t5" || keys["eos_token_id"] != 0.0 || keys["decoder_start_token_id"] != 0.0 {
		t.Errorf("config.json says %v", keys)
	}
	running(t, job)
	shown, err := job.Show(t.Context())
	if err != nil || shown.Name != "denoise" || !strings.HasPrefix(shown.Text, "the rays <extra_id_0>\n  → the rays") {
		t.Errorf("it shows %+v, %v", shown, err)
	}

	for fault, set := range map[string][]string{
		"recipe.rate is 0; use a share between 0 and 1":                                    {"recipe.rate=0"},
		"recipe.span is 0.5; use a mean":                                                   {"recipe.span=0.5"},
		"train.document_mask: a row of recipe denoise is one text":                         {"train.document_mask=true"},
		"a row has 2 tokens; recipe denoise needs 4 or more":                               {"train.context=2"},
		"recipe.rate is 0.8: a row of 32 tokens then has a target of 103, which is longer": {"recipe.rate=0.8"},
	} {
		if _, err := loaded(t, dir, denoised, set...); err == nil || !strings.Contains(err.Error(), fault) {
			t.Errorf("%v, want %q", err, fault)
		}
	}
	for fault, set := range map[string]string{
		"a model of family gpt2 has no encoder beside its decoder": "model.family=gpt2",
		"train.sample has 65 tokens; use at most 32":               "train.sample=" + strings.Repeat("x", 64),
	} {
		if c, err = loaded(t, dir, strings.Replace(denoised, "variant: t5, ", "", 1), set, "run.dir="+filepath.Join(dir, "other")); err != nil {
			t.Fatal(err)
		}
		if _, err := all.Table().Open(t.Context(), recipe.Env{Config: c, FS: vfs.OS{}}); err == nil || !strings.Contains(err.Error(), fault) {
			t.Errorf("%v, want %q", err, fault)
		}
	}
}

// TestInspectDenoised: a row as it is shown has what is kept and what is taken out.
func TestInspectDenoised(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.txt"), strings.Repeat("the rays of light are bent by the prism. ", 60))
	write(t, filepath.Join(dir, "held.txt"), strings.Repeat("the light of the prism. ", 30))
	c, err := loaded(t, dir, denoised)
	if err != nil {
		t.Fatal(err)
	}
	env := recipe.Env{Config: c, FS: vfs.OS{}}
	for _, split := range []string{"train", "validation"} {
		view, err := all.Table().Inspect(t.Context(), env, recipe.View{Split: split})
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		if err := view.Print(&b, false); err != nil || !strings.HasPrefix(b.String(), split+" row 0 of ") || !strings.Contains(b.String(), ": 32 tokens → 8\n") || strings.Count(b.String(), `"<extra_id_0>"`) != 2 || strings.Count(b.String(), "\n") != 2+1+32 {
			t.Errorf("%v\n%s", err, b.String())
		}
		if _, err := all.Table().Inspect(t.Context(), env, recipe.View{Split: split, Sample: 1 << 30}); (split == "validation") != errors.Is(err, recipe.ErrView) {
			t.Errorf("far behind the end of %s: %v", split, err)
		}
	}
	if env.Config, err = loaded(t, dir, denoised, "data.validation_paths=[]", fmt.Sprintf("run.dir=%s/none", dir)); err != nil {
		t.Fatal(err)
	}
	if _, err := all.Table().Inspect(t.Context(), env, recipe.View{Split: "validation"}); !errors.Is(err, recipe.ErrView) {
		t.Error(err)
	}
}
