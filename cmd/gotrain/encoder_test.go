package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

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
	var filled struct {
		Masks []struct {
			Candidates []struct{ Probability float64 }
		}
	}
	o := gotrain(t, "", "sample", "--model", run, "--prompt", "the [MASK] of [MASK]", "--json", "--top-k", "3", "--device", "cpu")
	if err := json.Unmarshal([]byte(o.out), &filled); err != nil || len(filled.Masks) != 2 || len(filled.Masks[1].Candidates) != 3 {
		t.Errorf("%s, %v", o.out, err)
	}
}
