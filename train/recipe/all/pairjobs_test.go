package all_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/data/vfs"
	"example.com/gotrain/train/eval/bleu"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/recipe/all"
	"example.com/gotrain/train/recipe/text"
)

const paired = `
run: {dir: DIR/run, seed: 5}
recipe: {kind: seq2seq, translations: 3, shown: 2}
model: {family: seq2seq, layers: 1, heads: 2, width: 16, context: 24, dropout: 0.25}
tokenizer: {kind: bytes}
data: {format: pairs, train: [DIR/p.tsv], validation_paths: [DIR/held.tsv], cache_dir: DIR}
train: {steps: 4, batch: 2, accumulate: 3, label_smoothing: 0.125, z_loss: 0.5}
`

// TestPairsJob: what a job of pairs trains on, measures, shows and tells.
func TestPairsJob(t *testing.T) {
	dir := t.TempDir()
	long := strings.Repeat("x", 30)
	write(t, filepath.Join(dir, "p.tsv"), "source\ttarget\nred\trot\ngreen trees\tBaum\n"+long+"\ty\nblue\tblau\n")
	write(t, filepath.Join(dir, "held.tsv"), "source\ttarget\none\teins\ntwo\tzwei\nthree\tdrei\nfour\tvier\n")
	c, err := loaded(t, dir, paired)
	if err != nil {
		t.Fatal(err)
	}
	job, lines := told(t, c, recipe.Env{})
	// Bytes and an end: targets of 3 + 4 + 4 and 4·4 bytes; sources of 3 + 11 + 4.
	if job.Unit != (recipe.Unit{Name: "tokens", PerSample: 24}) || job.TrainUnits != 14 || job.EvalUnits != 20 || job.Train.Stride() != 6 || job.Eval.Stride() != 2 || len(job.Tools) != 1 || job.VocabFrom != "the tokenizer" || job.Split == "" {
		t.Errorf("unit %+v, %d and %d tokens, %d tools, from %s, split %q", job.Unit, job.TrainUnits, job.EvalUnits, len(job.Tools), job.VocabFrom, job.Split)
	}
	density := func(tokens int) float64 { return 100 * float64(tokens) / float64(24*job.Epoch) }
	for _, want := range []string{
		fmt.Sprintf("pairs: 3, 18 tokens of sources and 14 of targets; rows of 24 full to %.1f%% and %.1f%%", density(18), density(14)), "held out: 4 pairs",
		"left out: 1 pairs with a side of more than 24 tokens, the first at " + filepath.Join(dir, "p.tsv") + ":4",
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("it tells %q, want %q", lines, want)
		}
	}
	if got := lossOf(t, job.Phases[0].Loss); got != "nll/0, ppl/0, smoothing 0.125 z 0.5, rng true" {
		t.Errorf("the loss is %s", got)
	}
	if got := lossOf(t, job.Score); got != "nll/0, ppl/0, bits_per_byte/1, smoothing 0 z 0, rng false" {
		t.Errorf("the score is %s", got)
	}
	if got := job.Next("runs/x"); got != "gotrain sample --model runs/x --prompt one" {
		t.Errorf("the next command is %s", got)
	}
	if keys := kept(t, job, "config.json"); keys["decoder_start_token_id"] != 256.0 || keys["eos_token_id"] != 256.0 || keys["pad_token_id"] != 256.0 {
		t.Errorf("config.json says %v", keys)
	}
	if len(job.Facts) != 2 || job.Facts[0].Name != "tokenizer" || !strings.Contains(job.Facts[1].Value, "Pairs:3") {
		t.Errorf("ranks compare %+v", job.Facts)
	}
	running(t, job)
	shown, err := job.Show(t.Context())
	if err != nil || shown.Name != "translations" {
		t.Fatalf("%+v, %v", shown, err)
	}
	parts := strings.Split(shown.Text, "\n")
	if parts[0] != "one" || !strings.HasPrefix(parts[1], "  → ") || !strings.Contains(shown.Text, "\n  = eins\ntwo\n  → ") || !strings.HasSuffix(shown.Text, "\n  = zwei") {
		t.Errorf("it shows\n%s", shown.Text)
	}
	measured, err := job.Measure(t.Context())
	if err != nil || len(measured.Values) != 2 || measured.Values[0].Name != "bleu" || measured.Values[1].Name != "chrf" || len(measured.Notes) != 2 || measured.Notes[0] != (recipe.Note{Name: "bleu_signature", Text: bleu.Signature}) || measured.Notes[1] != (recipe.Note{Name: "chrf_signature", Text: bleu.ChrFSignature}) {
		t.Errorf("%+v, %v", measured, err)
	}
	var corpus bleu.Corpus
	translated := func(n int) (all []string) {
		c, err := loaded(t, dir, paired, fmt.Sprintf("recipe.shown=%d", n), "run.dir="+filepath.Join(dir, fmt.Sprint("run", n)))
		if err != nil {
			t.Fatal(err)
		}
		job, _ := told(t, c, recipe.Env{})
		running(t, job)
		s, err := job.Show(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.SplitSeq(s.Text, "\n") {
			if text, ok := strings.CutPrefix(line, "  → "); ok {
				all = append(all, text)
			}
		}
		return all
	}
	if all := translated(3); len(all) == 3 { // unless a text has a line end
		for i, want := range []string{"eins", "zwei", "drei"} {
			corpus.Add(all[i], want)
		}
		if math.Abs(corpus.ChrF()-measured.Values[1].Value) > 1e-9 || math.Abs(corpus.BLEU()-measured.Values[0].Value) > 1e-9 {
			t.Errorf("%+v of %q, want %g and %g", measured, all, corpus.BLEU(), corpus.ChrF())
		}
	}
	for set, want := range map[string][2]bool{"recipe.translations=0": {}, "recipe.shown=0": {true, false}, "recipe.translations=1": {true, true}} {
		c, err := loaded(t, dir, paired, set, "run.dir="+filepath.Join(dir, "other"))
		if err != nil {
			t.Fatal(err)
		}
		if job, _ := told(t, c, recipe.Env{}); (job.Measure != nil) != want[0] || (job.Show != nil) != want[1] || (len(job.Tools) > 0) != want[0] {
			t.Errorf("%s: measures %t, shows %t, %d tools", set, job.Measure != nil, job.Show != nil, len(job.Tools))
		}
	}
	same := write(t, filepath.Join(dir, "same.tsv"), "source\ttarget\nred\trot\nblue\tblue\n")
	if c, err = loaded(t, dir, paired, "data.train=["+same+"]", "run.dir="+filepath.Join(dir, "same")); err != nil {
		t.Fatal(err)
	}
	if _, lines := told(t, c, recipe.Env{}); !slices.Contains(lines, "copies: 1 pairs whose target is their source, the first at "+same+":3; take them out if they should not be learnt") {
		t.Errorf("it tells %q", lines)
	}
	for fault, set := range map[string]string{
		"recipe.translations is -1; use 0 for none": "recipe.translations=-1", "recipe.shown is -1; use 0 for none": "recipe.shown=-1",
		"recipe.beams is 0, outside [1, 64]": "recipe.beams=0", "recipe.beams is 65": "recipe.beams=65",
		"data.sources are for text":                 "data.sources=[{name: a, train: [x]}]",
		"data.pairs.cipher makes pairs of one text": "data.pairs.cipher=5",
	} {
		if _, err := loaded(t, dir, paired, set); err == nil || !strings.Contains(err.Error(), fault) {
			t.Errorf("%v, want %q", err, fault)
		}
	}
	if _, err := loaded(t, dir, paired, "recipe.beams=64"); err != nil {
		t.Error(err)
	}
}

// TestInspectPairs: a pair as it is shown has each token of both sides, and the counts of all.
func TestInspectPairs(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "p.tsv"), "source\ttarget\nred\trote\nab\tx\n"+strings.Repeat("x", 30)+"\ty\nblue\tb\n")
	write(t, filepath.Join(dir, "held.tsv"), "source\ttarget\none\teins\n")
	c, err := loaded(t, dir, paired)
	if err != nil {
		t.Fatal(err)
	}
	env := recipe.Env{Config: c, FS: vfs.OS{}}
	view, err := all.Table().Inspect(t.Context(), env, recipe.View{Split: "train", Sample: 0})
	if err != nil {
		t.Fatal(err)
	}
	var r struct {
		Split, From             string
		Sample                  int
		Rows                    int
		SourceDensity           float64 `json:"source_density"`
		TargetDensity           float64 `json:"target_density"`
		Source, Inputs, Targets []int32
		SourceTexts             []string `json:"source_texts"`
		TargetTexts             []string `json:"target_texts"`
	}
	raw, err := json.Marshal(view)
	if err = errors.Join(err, json.Unmarshal(raw, &r)); err != nil {
		t.Fatal(err)
	}
	if r.Split != "train" || r.Sample != 0 || r.From != filepath.Join(dir, "p.tsv")+":2" || !slices.Equal(r.Source, []int32{'r', 'e', 'd'}) || !slices.Equal(r.Inputs, []int32{256, 'r', 'o', 't', 'e'}) || !slices.Equal(r.Targets, []int32{'r', 'o', 't', 'e', 256}) ||
		!slices.Equal(r.SourceTexts, []string{"r", "e", "d"}) || strings.Join(r.TargetTexts, "|") != "r|o|t|e|<|endoftext|>" || math.Abs(r.SourceDensity-9/float64(24*r.Rows)) > 1e-9 || math.Abs(r.TargetDensity-9/float64(24*r.Rows)) > 1e-9 {
		t.Errorf("%+v", r)
	}
	var b strings.Builder
	if err := view.Print(&b, false); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf(`pairs    3, 1 left out as too long, the first at %[1]s:4
tokens   9 of sources, 9 of targets
rows     %[2]d, full to %.1[3]f%% and %.1[3]f%%
pair     0 of train, %[1]s:2: 3 tokens → 5

place  source token                      input  target token
    0     114 "r"                          256     114 "r"
    1     101 "e"                          114     111 "o"
    2     100 "d"                          111     116 "t"
    3       - -                            116     101 "e"
    4       - -                            101     256 "<|endoftext|>"
`, filepath.Join(dir, "p.tsv"), r.Rows, 100*r.SourceDensity)
	if b.String() != want {
		t.Errorf("printed\n%s\nwant\n%s", b.String(), want)
	}
	b.Reset()
	if err := view.Print(&b, true); err != nil || !strings.HasSuffix(b.String(), text.EvenToken+"r"+text.Plain+text.OddToken+"e"+text.Plain+text.EvenToken+"d"+text.Plain+"\n"+
		text.EvenToken+"r"+text.Plain+text.OddToken+"o"+text.Plain+text.EvenToken+"t"+text.Plain+text.OddToken+"e"+text.Plain+text.EvenToken+"<|endoftext|>"+text.Plain+"\n") {
		t.Errorf("in colours %q, %v", b.String(), err)
	}
	if env.Config, err = loaded(t, dir, paired, "data.pairs.packing=false"); err != nil {
		t.Fatal(err)
	}
	alone, err := all.Table().Inspect(t.Context(), env, recipe.View{Split: "train"})
	if err != nil {
		t.Fatal(err)
	}
	if b.Reset(); alone.Print(&b, false) != nil || !strings.Contains(b.String(), "\nrows     3, full to 12.5% and 12.5%\n") {
		t.Errorf("a pair a row:\n%s", b.String())
	}
	for want, v := range map[string]recipe.View{"--sample is 3; there are pairs 0 to 2": {Split: "train", Sample: 3}, "--sample is 1; there are pairs 0 to 0": {Split: "validation", Sample: 1}} {
		if _, err := all.Table().Inspect(t.Context(), env, v); !errors.Is(err, recipe.ErrView) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if env.Config, err = loaded(t, dir, paired, "data.validation_paths=[]"); err != nil {
		t.Fatal(err)
	}
	if _, err := all.Table().Inspect(t.Context(), env, recipe.View{Split: "validation"}); !errors.Is(err, recipe.ErrView) || !strings.Contains(err.Error(), "holds no pairs out") {
		t.Error(err)
	}
}
