package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestDenoise goes the way of a user of span corruption: look at a row, plan, train, and have spans put back.
func TestDenoise(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.txt"), strings.Repeat("the rays of light are bent by the prism. ", 80))
	config, run := write(t, filepath.Join(dir, "t5.yaml"), strings.ReplaceAll(`
run:       {dir: DIR/run, seed: 7}
threads:   2
recipe:    {kind: denoise}
model:     {family: seq2seq, variant: t5, layers: 1, heads: 2, width: 16, context: 32}
tokenizer: {kind: bpe, vocab: 270}
data:      {train: [DIR/a.txt], validation: 0.1, cache_dir: DIR/cache}
train:     {steps: 4, batch: 2, eval_every: 2, save_every: 2, sample: "the rays of <extra_id_0> are"}
`, "DIR", dir)), filepath.Join(dir, "run")
	if got := must(t, "data", "inspect", "--config", config); !strings.Contains(got, "train row 0 of ") || strings.Count(got, `"<extra_id_0>"`) != 2 {
		t.Errorf("data inspect\n%s", got)
	}
	must(t, "plan", "--config", config)
	must(t, "pretrain", "--config", config)
	must(t, "resume", run, "--set", "train.steps=6")
	if got := must(t, "sample", "--model", run, "--prompt", "the rays of <extra_id_0> are", "--max-tokens", "4"); !strings.HasPrefix(got, "the rays of") || strings.Contains(got, "extra_id") {
		t.Errorf("sample gives %q", got)
	}
	var sampled struct {
		Translations []struct{ Source, Text string }
	}
	unmarshal(t, must(t, "sample", "--model", run, "--prompt", "no span is missing", "--json"), &sampled)
	if len(sampled.Translations) != 1 || strings.Contains(sampled.Translations[0].Text, "no span is missing") || strings.Contains(sampled.Translations[0].Text, "extra_id") {
		t.Errorf("of a text without sentinels %+v", sampled)
	}
}
