package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// pairsConfig writes a configuration of a small encoder and decoder, and its pairs.
func pairsConfig(t *testing.T, dir string) string {
	t.Helper()
	var table strings.Builder
	table.WriteString("source\ttarget\n")
	for i := range 120 {
		fmt.Fprintf(&table, "line %d of text\ttext of line %d\n", i%40, i%40)
	}
	write(t, filepath.Join(dir, "pairs.tsv"), table.String())
	return write(t, filepath.Join(dir, "pairs.yaml"), strings.ReplaceAll(`
run:       {dir: DIR/run, seed: 7}
threads:   2
recipe:    {kind: seq2seq, translations: 8, shown: 1}
model:     {family: seq2seq, layers: 1, heads: 2, width: 32, context: 32}
tokenizer: {kind: bpe, vocab: 280}
data:      {format: pairs, train: [DIR/pairs.tsv], validation: 0.2, cache_dir: DIR/cache}
train:     {steps: 60, batch: 4, eval_every: 30, save_every: 30, label_smoothing: 0.1}
optimizer: {lr: 5e-3, warmup: 10}
`, "DIR", dir))
}

// TestPairs goes the way of a user of an encoder and a decoder: look at the data, plan,
// train, translate, evaluate, score.
func TestPairs(t *testing.T) {
	dir := t.TempDir()
	config, runDir, file := pairsConfig(t, dir), filepath.Join(dir, "run"), filepath.Join(dir, "pairs.tsv")
	shown := must(t, "data", "inspect", "--config", config)
	for _, want := range []string{"pairs ", "full to", "pair     0 of train, " + file + ":", "source", "<|endoftext|>"} {
		if !strings.Contains(shown, want) {
			t.Errorf("data inspect lacks %q\n%s", want, shown)
		}
	}
	plan := must(t, "plan", "--config", config)
	if !strings.Contains(plan, "parameters") {
		t.Errorf("plan\n%s", plan)
	}
	must(t, "pretrain", "--config", config)
	record := lastRecord(t, runDir)
	if record["bleu"] == nil || !strings.HasPrefix(record["bleu_signature"].(string), "nrefs:1|case:mixed") {
		t.Errorf("the last evaluation is %v", record)
	}

	if got := must(t, "sample", "--model", runDir, "--prompt", "line 3 of text\nline 4 of text"); strings.Count(got, "\n") != 2 {
		t.Errorf("two lines give %q", got)
	}
	var sampled struct {
		Beam         int
		Translations []struct {
			Source, Text string
			Score        float64
			EndedBy      string `json:"ended_by"`
		}
	}
	unmarshal(t, must(t, "sample", "--model", runDir, "--prompt", "line 3 of text", "--json", "--beam", "2"), &sampled)
	if len(sampled.Translations) != 1 || sampled.Beam != 2 || sampled.Translations[0].Source != "line 3 of text" || sampled.Translations[0].Score >= 0 {
		t.Errorf("%+v", sampled)
	}

	tuning := write(t, filepath.Join(dir, "tune.yaml"), strings.ReplaceAll(`
run:   {dir: DIR/tuned}
data:  {format: pairs, train: [DIR/pairs.tsv]}
train: {steps: 2, batch: 2, save: sync}
lora:  {rank: 2}
`, "DIR", dir))
	must(t, "finetune", "--config", tuning, "--base", runDir)
	adapter, err := os.ReadFile(filepath.Join(dir, "tuned", "checkpoints", "latest", "adapter_config.json"))
	if err != nil || !strings.Contains(string(adapter), `"task_type": "SEQ_2_SEQ_LM"`) {
		t.Errorf("%v\n%s", err, adapter)
	}
	must(t, "sample", "--model", filepath.Join(dir, "tuned"), "--prompt", "line 3 of text")

	exported := filepath.Join(dir, "exported")
	must(t, "export", runDir, exported)
	imported := filepath.Join(dir, "imported")
	must(t, "import", exported, imported)
	if got, want := must(t, "sample", "--model", imported, "--prompt", "line 3 of text"), must(t, "sample", "--model", runDir, "--prompt", "line 3 of text"); got != want {
		t.Errorf("the model that was exported and imported writes %q, want %q", got, want)
	}

	var scored map[string]any
	unmarshal(t, must(t, "eval", "--model", runDir, "--data", file, "--json"), &scored)
	if scored["pairs"] != 120.0 || scored["bleu"] == nil || scored["chrf"] == nil || scored["nll"].(float64) <= 0 {
		t.Errorf("%v", scored)
	}
	scored = nil
	unmarshal(t, must(t, "eval", "--model", runDir, "--data", file, "--metric", "nll", "--json"), &scored)
	if scored["bleu"] != nil {
		t.Errorf("%v", scored)
	}
	text := must(t, "eval", "--model", runDir, "--data", file, "--metric", "bleu", "--beam", "1")
	if !strings.Contains(text, "bleu ") || strings.Contains(text, "chrf ") {
		t.Errorf("%s", text)
	}

	questions := write(t, filepath.Join(dir, "q.jsonl"), `{"prompt": "line 3 of text", "completion": "text of line 3"}`+"\n"+`{"prompt": "line 3 of text", "completion": "line line line line"}`)
	var likely struct {
		Results []struct {
			LogLikelihood float64 `json:"log_likelihood"`
		}
	}
	unmarshal(t, must(t, "score", "--model", runDir, "--data", questions, "--json"), &likely)
	if len(likely.Results) != 2 || likely.Results[0].LogLikelihood <= likely.Results[1].LogLikelihood {
		t.Errorf("%+v", likely)
	}

	for want, args := range map[string][]string{
		"--temperature is for language models":                     {"sample", "--model", runDir, "--prompt", "x", "--temperature", "1"},
		"--beam is 0":                                              {"sample", "--model", runDir, "--prompt", "x", "--beam", "0"},
		"there is nothing to translate":                            {"sample", "--model", runDir, "--prompt", " "},
		`--metric is "wer"`:                                        {"eval", "--model", runDir, "--data", file, "--metric", "wer"},
		`names no column "nothing"`:                                {"eval", "--model", runDir, "--data", file, "--source", "nothing"},
		"takes language models; a model of family seq2seq is none": {"chat", "--model", runDir},
	} {
		if o := gotrain(t, "", args...); o.code == 0 || !strings.Contains(o.errOut, want) {
			t.Errorf("%v: exit %d, %q, want %q", args, o.code, o.errOut, want)
		}
	}
}

// TestPairFaults: each fault of pairs has its one error.
func TestPairFaults(t *testing.T) {
	dir := t.TempDir()
	config := pairsConfig(t, dir)
	write(t, filepath.Join(dir, "a.txt"), "one\ntwo\nthree\n")
	write(t, filepath.Join(dir, "b.txt"), "eins\nzwei\n")
	write(t, filepath.Join(dir, "empty.tsv"), "source\ttarget\na\tb\n\tc\n")
	at := func(name string) string { return filepath.Join(dir, name) }
	for want, set := range map[string][]string{
		"line 3 of it has no target":        {"data.train=[" + at("a.txt") + "]", "data.pairs.targets=[" + at("b.txt") + "]"},
		"empty.tsv:3: the source is empty":  {"data.train=[" + at("empty.tsv") + "]"},
		"longer than a row of 2 tokens":     {"train.context=2"},
		`names no column "english"`:         {"data.pairs.source=english"},
		"recipe.beams is 0":                 {"recipe.beams=0"},
		"has no encoder beside its decoder": {"model={family: gpt2, layers: 1, heads: 1, width: 8, context: 16}"},
	} {
		args := []string{"pretrain", "--config", config, "--dry-run"}
		for _, s := range set {
			args = append(args, "--set", s)
		}
		if o := gotrain(t, "", args...); o.code == 0 || !strings.Contains(o.errOut, want) {
			t.Errorf("%v: exit %d, %q, want %q", set, o.code, o.errOut, want)
		}
	}
}

// TestDataCipher: the command writes the pairs that data.pairs.cipher makes.
func TestDataCipher(t *testing.T) {
	dir := t.TempDir()
	text := write(t, filepath.Join(dir, "text.txt"), strings.Repeat("the rays of light are many and none of them is like another in colour. ", 20))
	out := filepath.Join(dir, "pairs.tsv")
	must(t, "data", "cipher", "--out", out, "--data", text, "--count", "30")
	raw, err := os.ReadFile(out)
	if err != nil || strings.Count(string(raw), "\n") != 31 || !strings.HasPrefix(string(raw), "source\ttarget\n") {
		t.Errorf("%v\n%s", err, raw)
	}
	if o := gotrain(t, "", "data", "cipher", "--out", out, "--data", text, "--count", "100000"); o.code == 0 || !strings.Contains(o.errOut, "ask for fewer") {
		t.Errorf("exit %d, %q", o.code, o.errOut)
	}
}

// lastRecord is the last line of a run's metrics.
func lastRecord(t *testing.T, runDir string) map[string]any {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(runDir, "metrics.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(raw)), "\n")
	var record map[string]any
	unmarshal(t, lines[len(lines)-1], &record)
	return record
}

func unmarshal(t *testing.T, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
}
