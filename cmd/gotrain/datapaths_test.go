package main

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPathsOfSeveralFormats: files of one format are one set of data, of several they are sources, which the configuration's
// own give way to.
func TestPathsOfSeveralFormats(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.MkdirAll("tables", 0o777); err != nil {
		t.Fatal(err)
	}
	text := strings.Repeat("rays of light, of which the most refrangible are blue. ", 60)
	write(t, filepath.Join("tables", "a.csv"), "id,text\n1,\""+text+"\"\n2,\""+text+"\"\n")
	write(t, filepath.Join("tables", "b.csv"), "id,text\n3,\""+strings.ToUpper(text)+"\"\n")
	write(t, "book.txt", text+text)
	config := write(t, "c.yaml", strings.ReplaceAll(`
run: {dir: run}
model: {family: gpt2, layers: 1, heads: 2, width: 16, context: 16}
tokenizer: {kind: bytes}
data: {cache_dir: cache, sources: [{train: [none.txt]}]}
train: {steps: 2, batch: 4, sample: ""}
`, "DIR", "."))
	for _, test := range []struct {
		paths []string
		want  string
	}{
		{[]string{"tables"}, "shards     9903 training tokens"},
		{[]string{"tables/a.csv", "book.txt"}, "source     a: "},
		{[]string{"book.txt", "tables"}, "source     tables: "},
	} {
		o := gotrain(t, "", append([]string{"pretrain", "--config", config, "--resume", "none"}, test.paths...)...)
		if o.code != 0 || !strings.Contains(o.errOut, test.want) {
			t.Errorf("%q: exit code %d, want %q\n%s", test.paths, o.code, test.want, o.errOut)
		}
	}
	if o := gotrain(t, "", "pretrain", "--config", config, "tables", "--set", "data.text_key=body"); o.code != 2 || !strings.Contains(o.errOut, `no column "body" (set data.text_key to one of "id", "text")`) {
		t.Errorf("another key: exit code %d\n%s", o.code, o.errOut)
	}
}

// TestTokenFiles: a folder of nanoGPT has its tokens read as they are, with the tokenizer of GPT-2, and val.bin held out.
func TestTokenFiles(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.MkdirAll("shakespeare", 0o777); err != nil {
		t.Fatal(err)
	}
	tokens := func(n int) string {
		var b []byte
		for i := range n {
			b = binary.LittleEndian.AppendUint16(b, uint16(i*i%50257))
		}
		return string(b)
	}
	write(t, "shakespeare/train.bin", tokens(3000))
	write(t, "shakespeare/val.bin", tokens(500))
	write(t, "shakespeare/prepare.py", "import os\n")
	small := []string{"--set", "train.steps=1", "--set", "train.batch=2", "--set", "model.layers=1", "--set", "model.heads=2", "--set", "model.kv_heads=2",
		"--set", "model.width=8", "--set", "model.context=32", "--set", "train.sample="}
	o := gotrain(t, "", append([]string{"pretrain", "shakespeare"}, small...)...)
	if o.code != 0 || !strings.Contains(o.errOut, "shards     3000 training tokens in shakespeare") || !strings.Contains(o.errOut, "validation: nll") {
		t.Errorf("exit code %d\n%s", o.code, o.errOut)
	}
	o = gotrain(t, "", append([]string{"pretrain", "shakespeare/val.bin", "--dry-run"}, small...)...)
	if o.code != 0 || !strings.Contains(o.errOut, "shards     500 training tokens") {
		t.Errorf("exit code %d\n%s", o.code, o.errOut)
	}
	o = gotrain(t, "", append([]string{"pretrain", "shakespeare", "--run", "runs/other", "--set", "tokenizer.path="}, small...)...)
	if o.code != 2 || !strings.Contains(o.errOut, "set tokenizer.path to the one that made them, such as gpt2") {
		t.Errorf("without a tokenizer: exit code %d\n%s", o.code, o.errOut)
	}
}
