package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// encoders are small models that read from both sides, by what they set over masksConfig.
var encoders = map[string][]string{
	"bert":      nil,
	"linformer": {"--set", "model.attention={kind: linformer, rank: 4}"},
	"perceiver": {"--set", "model.family=perceiver", "--set", "model.latents=4"},
}

// masksConfig writes a configuration of a small BERT, and its text.
func masksConfig(t *testing.T, dir string) (config, text string) {
	t.Helper()
	text = write(t, filepath.Join(dir, "a.txt"), strings.Repeat("the rays of light are bent by the prism. ", 60))
	return write(t, filepath.Join(dir, "c.yaml"), strings.ReplaceAll(`
run: {dir: DIR/run}
recipe: {kind: mlm}
model: {family: bert, layers: 1, heads: 2, width: 16, context: 16}
tokenizer: {kind: wordpiece, vocab: 60}
data: {train: [DIR/a.txt], cache_dir: DIR}
train: {steps: 2, batch: 4, sample: ""}
`, "DIR", dir)), text
}

// TestMasksOfEncoders trains a model of each kind, resumes it, fills masks, embeds and makes a
// classifier of it.
func TestMasksOfEncoders(t *testing.T) {
	for name, set := range encoders {
		dir := t.TempDir()
		config, _ := masksConfig(t, dir)
		runDir, classifier := filepath.Join(dir, "run"), filepath.Join(dir, "classifier")
		for _, steps := range []string{"2", "4"} {
			must(t, append([]string{"pretrain", "--config", config, "--device", "cpu", "--set", "train.steps=" + steps}, set...)...)
		}
		labelled := write(t, filepath.Join(dir, "l.csv"), "text,label\nthe rays,good\nthe prism,bad\nlight rays,good\nthe bent prism,bad\n")
		classify := write(t, filepath.Join(dir, "d.yaml"), `
run: {dir: `+classifier+`}
recipe: {kind: classify}
data: {format: labelled, train: [`+labelled+`]}
train: {steps: 1, batch: 2}
`)
		must(t, "finetune", "--config", classify, "--base", runDir, "--device", "cpu")
		for want, args := range map[string][]string{
			`"candidates"`:  {"sample", "--model", runDir, "--prompt", "the [MASK] of light", "--json"},
			`"embedding":[`: {"embed", "--model", runDir, "--text", "rays of light"},
			"accuracy":      {"eval", "--model", classifier, "--data", labelled},
		} {
			if out := must(t, append(args, "--device", "cpu")...); !strings.Contains(out, want) {
				t.Errorf("%s: %q gives %q", name, args, out)
			}
		}
	}
}

// TestMasks trains a small BERT and fills masks, scores, embeds and classifies with it. What it
// cannot do has one clear error.
func TestMasks(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
		return path
	}
	config, text := masksConfig(t, dir)
	run := filepath.Join(dir, "run")
	if o := gotrain(t, "", "pretrain", "--config", config, "--device", "cpu"); o.code != 0 {
		t.Fatal(o.errOut)
	}
	questions := file("q.jsonl", `{"prompt": "the rays of", "completion": " light"}`+"\n")
	labelled := file("l.csv", "text,label\nthe rays,good\nthe prism,bad\nlight rays,good\nthe bent prism,bad\n")
	classifier := filepath.Join(dir, "classifier")
	classify := file("d.yaml", `
run: {dir: `+classifier+`}
recipe: {kind: classify}
data: {format: labelled, train: [`+labelled+`]}
train: {steps: 1, batch: 2}
`)
	if o := gotrain(t, "", "finetune", "--config", classify, "--base", run, "--device", "cpu"); o.code != 0 {
		t.Fatal(o.errOut)
	}
	for _, c := range []struct {
		args       []string
		status     int
		out, fault string
	}{
		{[]string{"sample", "--model", run, "--prompt", "the [MASK] of light", "--json"}, 0, `"candidates"`, ""},
		{[]string{"sample", "--model", run, "--prompt", "the rays"}, 2, "", `"the rays" has no [MASK]: put one where a token is asked for`},
		{[]string{"sample", "--model", run, "--prompt", "the [MASK]", "--temperature", "1"}, 2, "", "--temperature says how a text goes on"},
		{[]string{"score", "--model", run, "--data", questions}, 0, "1 tokens", ""},
		{[]string{"eval", "--model", run, "--data", text}, 0, "pseudo ppl", ""},
		{[]string{"embed", "--model", run, "--text", "rays of light"}, 0, `"embedding":[`, ""},
		{[]string{"embed", "--model", run, "--text", " "}, 1, "", "the text is empty"},
		{[]string{"chat", "--model", run}, 2, "", "takes language models"},
		{[]string{"sample", "--model", classifier, "--prompt", "the rays"}, 0, "%  good", ""},
		{[]string{"eval", "--model", classifier, "--data", labelled}, 0, "accuracy", ""},
		{[]string{"eval", "--model", classifier, "--data", file("m.csv", "text,label\nthe rays,odd\n")}, 1, "", `the label "odd" is none of the model's classes ["bad" "good"]`},
		{[]string{"score", "--model", classifier, "--data", questions}, 1, "", `the completion " light" is none of the classes ["bad" "good"]`},
		{[]string{"data", "inspect", "--config", config, "--json"}, 0, `"asked"`, ""},
	} {
		if c.args[0] != "data" {
			c.args = append(c.args, "--device", "cpu")
		}
		o := gotrain(t, "", c.args...)
		if o.code != c.status || !strings.Contains(o.out, c.out) || !strings.Contains(o.errOut, c.fault) {
			t.Errorf("%q: exit code %d, %q, %q", c.args, o.code, o.out, o.errOut)
		}
	}
	checkEmbeddings(t, run)
	checkEncoderScores(t, run, text, classifier, labelled)
	var filled struct {
		Model, Prompt, Text string
		Masks               []struct {
			Candidates []struct {
				ID          int32
				Token       string
				Probability float64
			}
		}
	}
	o := gotrain(t, "", "sample", "--model", run, "--prompt", "the [MASK] of [MASK]", "--json", "--top-k", "3", "--device", "cpu")
	if err := json.Unmarshal([]byte(o.out), &filled); err != nil || len(filled.Masks) != 2 || len(filled.Masks[1].Candidates) != 3 {
		t.Errorf("%s, %v", o.out, err)
	}
	first := []string{filled.Masks[0].Candidates[0].Token, filled.Masks[1].Candidates[0].Token}
	if filled.Prompt != "the [MASK] of [MASK]" || filled.Text != fmt.Sprintf("the %s of %s", first[0], first[1]) && !strings.Contains(first[0]+first[1], "##") {
		t.Errorf("%+v", filled)
	}
	var shown strings.Builder
	fmt.Fprintln(&shown, filled.Text)
	for i, m := range filled.Masks {
		for k, c := range m.Candidates {
			name := ""
			if k == 0 {
				name = fmt.Sprintf("[MASK] %d", i+1)
			} else if c.Probability > m.Candidates[k-1].Probability {
				t.Errorf("the candidates are %+v", m.Candidates)
			}
			fmt.Fprintf(&shown, "  %-10s %6.2f%%  %s\n", name, 100*c.Probability, c.Token)
		}
	}
	if got := must(t, "sample", "--model", run, "--prompt", "the [MASK] of [MASK]", "--top-k", "3", "--device", "cpu"); got != shown.String() {
		t.Errorf("printed is\n%swant\n%s", got, shown.String())
	}
	if got := must(t, "sample", "--model", run, "--prompt", "the [MASK]", "--device", "cpu"); strings.Count(got, "\n") != 1+5 {
		t.Errorf("without --top-k there are\n%s", got)
	}
}

// checkEmbeddings: a vector is what the flags say, in each form that it is printed in.
func checkEmbeddings(t *testing.T, run string) {
	t.Helper()
	type embedding struct {
		Text      string
		Embedding []float64
	}
	embed := func(args ...string) (mean struct {
		Model, Pooling string
		Normalized     bool
		Embeddings     []embedding
	}) {
		t.Helper()
		mustJSON(t, &mean, append([]string{"embed", "--model", run, "--device", "cpu"}, args...)...)
		return mean
	}
	length := func(x []float64) (sum float64) {
		for _, v := range x {
			sum += v * v
		}
		return math.Sqrt(sum)
	}
	plain := embed("--text", "the rays", "--text", "light")
	if plain.Pooling != "mean" || plain.Normalized || len(plain.Embeddings) != 2 || plain.Embeddings[0].Text != "the rays" || plain.Embeddings[1].Text != "light" || len(plain.Embeddings[0].Embedding) != 16 || !strings.HasPrefix(plain.Model, run) {
		t.Fatalf("%+v", plain)
	}
	unit := embed("--text", "the rays", "--normalize", "--batch", "1")
	x, n := plain.Embeddings[0].Embedding, length(plain.Embeddings[0].Embedding)
	for i, v := range unit.Embeddings[0].Embedding {
		if math.Abs(v-x[i]/n) > 1e-5 {
			t.Fatalf("scaled to length 1 %v, of %v", unit, x)
		}
	}
	first := embed("--text", "the rays", "--pooling", "first")
	if !unit.Normalized || unit.Pooling != "mean" || math.Abs(length(unit.Embeddings[0].Embedding)-1) > 1e-5 || first.Pooling != "first" || first.Normalized || slices.Equal(first.Embeddings[0].Embedding, x) {
		t.Errorf("%+v, %+v", unit, first)
	}
	if again := embed("--text", "the rays", "--pooling", "mean", "--normalize=false"); !slices.Equal(again.Embeddings[0].Embedding, x) {
		t.Errorf("the mean is %v, was %v", again, x)
	}
	table := write(t, filepath.Join(t.TempDir(), "t.csv"), "title,more\nthe rays,x\nlight,y\n")
	if of := embed("--data", table, "--text-key", "title"); len(of.Embeddings) != 2 || of.Embeddings[1].Text != "light" || math.Abs(of.Embeddings[0].Embedding[3]-x[3]) > 1e-5 {
		t.Errorf("of a table %+v", of)
	}
	o := gotrain(t, "", "embed", "--model", run, "--device", "cpu", "--text", strings.Repeat("rays ", 40), "--text", "a <b>")
	lines := strings.Split(o.out, "\n")
	if o.code != 0 || len(lines) != 3 || !strings.HasPrefix(lines[1], `{"text":"a <b>","embedding":[`) || o.errOut != "note: 1 of 2 texts are longer than 16 tokens and lose their end\n" {
		t.Errorf("%+v", o)
	}
}

// checkEncoderScores: what eval and sample print is what they write as JSON, and that adds up.
func checkEncoderScores(t *testing.T, run, text, classifier, labelled string) {
	t.Helper()
	var s struct {
		Model             string
		Tokens, Documents int
		NLL               float64 `json:"pseudo_nll"`
		PPL               float64 `json:"pseudo_ppl"`
		Accuracy          float64
	}
	mustJSON(t, &s, "eval", "--model", run, "--data", text, "--device", "cpu")
	if want := fmt.Sprintf("pseudo nll  %.4f nats per token, each masked by itself\npseudo ppl  %.3f\naccuracy    %.2f%%\ntokens      %d of text in 1 documents\n", s.NLL, math.Exp(s.NLL), 100*s.Accuracy, s.Tokens); s.Tokens < 540 || s.Documents != 1 || s.Accuracy >= 1 || math.Abs(s.PPL-math.Exp(s.NLL)) > 1e-6*s.PPL ||
		must(t, "eval", "--model", run, "--data", text, "--device", "cpu", "--batch", "5") != want {
		t.Errorf("%+v, printed as\n%swant\n%s", s, must(t, "eval", "--model", run, "--data", text, "--device", "cpu", "--batch", "5"), want)
	}
	type class struct {
		Precision, Recall, F1 float64
		Texts                 int
	}
	var c struct {
		Texts, Cut        int
		NLL, Accuracy, F1 float64
		Classes           map[string]class
	}
	mustJSON(t, &c, "eval", "--model", classifier, "--data", labelled, "--device", "cpu")
	bad, good := c.Classes["bad"], c.Classes["good"]
	want := fmt.Sprintf("accuracy  %.2f%%\nF1        %.4f, the mean of the classes'\nnll       %.4f nats\ntexts     4, of which 0 were cut\n  bad              precision %.4f  recall %.4f  F1 %.4f  texts 2\n  good             precision %.4f  recall %.4f  F1 %.4f  texts 2\n",
		100*c.Accuracy, c.F1, c.NLL, bad.Precision, bad.Recall, bad.F1, good.Precision, good.Recall, good.F1)
	if got := must(t, "eval", "--model", classifier, "--data", labelled, "--device", "cpu"); got != want || math.Abs(c.Accuracy-(bad.Recall+good.Recall)/2) > 1e-9 || math.Abs(c.F1-(bad.F1+good.F1)/2) > 1e-9 {
		t.Errorf("%+v is printed as\n%swant\n%s", c, got, want)
	}
	renamed := write(t, filepath.Join(t.TempDir(), "r.csv"), "words,kind,more\nthe rays,good,x\nlight,bad,y\n")
	var r struct{ Texts int }
	mustJSON(t, &r, "eval", "--model", classifier, "--data", renamed, "--text-key", "words", "--label-key", "kind", "--device", "cpu")
	if r.Texts != 2 {
		t.Errorf("%+v", r)
	}
	for _, wrong := range [][]string{{"--text-key", "words"}, {"--label-key", "kind"}, {"--text-key", "words", "--label-key", "kind", "--pair-key", "none"}} {
		if o := gotrain(t, "", append([]string{"eval", "--model", classifier, "--data", renamed, "--device", "cpu"}, wrong...)...); o.code == 0 || !strings.Contains(o.errOut, "r.csv") {
			t.Errorf("%q: %+v", wrong, o)
		}
	}
	var told struct {
		Prompt, Label string
		Classes       []struct {
			Label       string
			Probability float64
		}
	}
	mustJSON(t, &told, "sample", "--model", classifier, "--prompt", "the rays", "--device", "cpu")
	if len(told.Classes) != 2 || told.Label != told.Classes[0].Label || told.Prompt != "the rays" || told.Classes[0].Probability < told.Classes[1].Probability || math.Abs(told.Classes[0].Probability+told.Classes[1].Probability-1) > 1e-6 {
		t.Errorf("%+v", told)
	}
	o := gotrain(t, "", "sample", "--model", classifier, "--prompt", "the rays", "--device", "cpu")
	if want := fmt.Sprintf("%6.2f%%  %s\n%6.2f%%  %s\n", 100*told.Classes[0].Probability, told.Classes[0].Label, 100*told.Classes[1].Probability, told.Classes[1].Label); o.out != want || o.errOut != "" {
		t.Errorf("%+v, want %q", o, want)
	}
	if o := gotrain(t, "", "sample", "--model", classifier, "--prompt", strings.Repeat("rays ", 40), "--device", "cpu"); !strings.HasPrefix(o.errOut, "note: the prompt is longer than the model's context of 16 tokens") {
		t.Errorf("%+v", o)
	}
	for _, flag := range []string{"--stride=2", "--base-too", "--template=chatml", "--date=2026-01-01", "--no-bos"} {
		name, _, _ := strings.Cut(flag, "=")
		if o := gotrain(t, "", "eval", "--model", run, "--data", text, flag); o.code != 2 || !strings.Contains(o.errOut, name+" goes with language models") {
			t.Errorf("%s: %+v", flag, o)
		}
	}
	for _, flag := range []string{"--temperature=1", "--top-p=0.5", "--min-p=0.5", "--repetition-penalty=1.5", "--seed=2", "--greedy", "--stop=x", "--count=2", "--no-bos"} {
		name, _, _ := strings.Cut(flag, "=")
		if o := gotrain(t, "", "sample", "--model", run, "--prompt", "the [MASK]", flag); o.code != 2 || !strings.Contains(o.errOut, name+" says how a text goes on") {
			t.Errorf("%s: %+v", flag, o)
		}
	}
	question := write(t, filepath.Join(t.TempDir(), "q.jsonl"), `{"question":"What melts?","choices":["ice","sand"],"answer":0,"subject":"heat"}`)
	if o := gotrain(t, "", "eval", "--model", run, "--task", question, "--chat"); o.code != 2 || !strings.Contains(o.errOut, "--chat goes with language models; a model of family bert is none") {
		t.Errorf("%+v", o)
	}
	if o := gotrain(t, "", "eval", "--model", run); o.code != 2 || !strings.Contains(o.errOut, "needs --data") {
		t.Errorf("%+v", o)
	}
	if o := gotrain(t, "", "eval", "--model", run, "--data", text, "--batch", "0"); o.code != 2 || !strings.Contains(o.errOut, "--batch is 0") {
		t.Errorf("%+v", o)
	}
}
