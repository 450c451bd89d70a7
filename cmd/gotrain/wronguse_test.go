package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/gotrain/data/bpe"
)

// TestWrongUse wants the exit code, one line that names the fault on standard
// error, and nothing on standard output.
func TestWrongUse(t *testing.T) {
	dir := t.TempDir()
	config := writeConfig(t, dir)
	in := func(name string) string { return filepath.Join(dir, name) }
	tokenizer := in("tokenizer")
	must(t, "tokenizer", "train", "--config", config, "--out", tokenizer)
	unknown := write(t, in("unknown.yaml"), "model: {layerz: 3}\n")
	broken := write(t, in("broken.yaml"), "model: {layers: [\n")
	shard := write(t, in("bad.gtsh"), "GTSH and no more")
	longShard := write(t, in("long-bad.gtsh"), strings.Repeat("GTSH and no more", 2))
	good := write(t, in("good.jsonl"), `{"prompt":"a","completion":"b"}`+"\n")
	malformed := write(t, in("malformed.jsonl"), `{"prompt":"a","completion":"b"}`+"\n"+`{"prompt":`+"\n")
	number := write(t, in("number.jsonl"), `{"prompt":"a","completion":3}`+"\n")
	absent := write(t, in("absent.jsonl"), "\n\n"+`{"prompt":"a"}`+"\n")
	empty := write(t, in("empty.jsonl"), "")
	truncated := in("truncated")
	if err := os.Mkdir(truncated, 0o777); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(truncated, "model.safetensors"), "\x10\x00")
	write(t, filepath.Join(truncated, "config.json"), `{"model_type": "gpt2"`)

	for _, c := range []struct {
		code int
		want string // in the line
		args []string
	}{
		{2, `no command "nope"`, []string{"nope"}},
		{2, "do you mean sample", []string{"sampel"}},
		{2, "unknown flag: --nope", []string{"--nope"}},

		{2, "needs --config", []string{"pretrain"}},
		{2, "no such file", []string{"pretrain", "--config", in("nope.yaml")}},
		{2, "unknown.yaml:1:9: unknown key", []string{"pretrain", "--config", unknown}},
		{2, "broken.yaml:1:", []string{"pretrain", "--config", broken}},
		{2, "--set", []string{"pretrain", "--config", config, "--set", "nope"}},
		{2, "unknown flag: --steps", []string{"pretrain", "--config", config, "--steps", "3"}},
		{2, "name files and directories to learn from", []string{"pretrain", "--config", config, "x"}},
		{2, "device cuda:99: ", []string{"pretrain", "--config", config, "--device", "cuda:99"}},
		{2, "--resume", []string{"pretrain", "--config", config, "--resume", in("nope")}},
		{2, "nope.txt", []string{"pretrain", "--config", config, "--dry-run", "--set", "data.train=[nope.txt]"}},
		{2, "RUN_DIR", []string{"resume"}},
		{2, "config.yaml", []string{"resume", in("nope")}},

		{2, "needs --model", []string{"sample", "--json"}},
		{2, "no such file", []string{"sample", "--json", "--prompt", "x", "--model", in("nope")}},
		{2, "is a file", []string{"sample", "--json", "--prompt", "x", "--model", config}},
		{2, "holds no model.safetensors", []string{"sample", "--json", "--prompt", "x", "--model", dir}},
		{1, "config.json", []string{"sample", "--json", "--prompt", "x", "--model", truncated}},
		{2, "temperature", []string{"sample", "--json", "--prompt", "x", "--model", dir, "--temperature", "-1"}},
		{2, "top-p", []string{"sample", "--json", "--prompt", "x", "--model", dir, "--top-p", "7"}},
		{2, "--max-tokens", []string{"sample", "--json", "--prompt", "x", "--model", dir, "--max-tokens", "-3"}},
		{2, `--top-k is "many"`, []string{"sample", "--json", "--prompt", "x", "--model", dir, "--top-k", "many"}},
		{2, "--precision", []string{"sample", "--json", "--prompt", "x", "--model", dir, "--precision", "int4"}},

		{2, "needs --data", []string{"eval", "--json", "--model", dir}},
		{2, "no such file", []string{"eval", "--json", "--model", dir, "--data", in("nope")}},
		{2, "format", []string{"eval", "--json", "--model", dir, "--data", good, "--format", "xml"}},
		{2, "--stride", []string{"eval", "--json", "--model", dir, "--stride", "8", "--format", "instruct", "--data", good}},
		{2, "--batch", []string{"eval", "--json", "--model", dir, "--data", good, "--batch", "0"}},
		{2, "holds no model", []string{"eval", "--json", "--model", dir, "--data", good}},

		{2, "needs --data", []string{"score", "--json", "--model", dir}},
		{2, "nope", []string{"score", "--json", "--model", dir, "--data", in("nope")}},
		{1, "malformed.jsonl:2: not a JSON object", []string{"score", "--json", "--model", dir, "--data", malformed}},
		{1, `number.jsonl:1: "completion" is a number`, []string{"score", "--json", "--model", dir, "--data", number}},
		{1, `absent.jsonl:3: there is no "completion"`, []string{"score", "--json", "--model", dir, "--data", absent}},
		{1, "no lines", []string{"score", "--json", "--model", dir, "--data", empty}},
		{2, "holds no model", []string{"score", "--json", "--model", dir, "--data", good}},

		{2, "wants two arguments, SRC and DST", []string{"import", "--json", dir}},
		{2, "no such file", []string{"import", "--json", in("nope"), in("out")}},
		{2, "exists already", []string{"import", "--json", truncated, dir}},
		{1, "config.json", []string{"import", "--json", truncated, in("out")}},
		{1, "holds no config.json", []string{"import", "--json", dir, in("out")}},
		{1, `bad.gtsh: does not begin with "GGUF"`, []string{"import", "--json", longShard, in("out")}},
		{1, "bad.gtsh: 16 bytes are too few for a GGUF file", []string{"import", "--json", shard, in("out")}},
		{2, "wants two arguments, SRC and DST", []string{"export", "--json"}},
		{2, "no such file", []string{"export", "--json", in("nope"), in("out")}},
		{2, "holds no model", []string{"export", "--json", dir, in("out")}},
		{2, `--format is "onnx"; use hf, gguf or peft`, []string{"export", "--json", truncated, in("out"), "--format", "onnx"}},
		{2, `--type is "q3_k"; use f32`, []string{"export", "--json", truncated, in("out.gguf"), "--type", "q3_k"}},
		{2, "--type q8_0 goes with --format gguf", []string{"export", "--json", truncated, in("out"), "--type", "q8_0"}},
		{2, "--type q4_k goes with --format gguf", []string{"export", "--json", truncated, in("out"), "--type", "q4_k"}},
		{2, "leave one of them out", []string{"export", "--json", truncated, in("out"), "--measure", in("corpus.txt"), "--verify=false"}},

		{2, "wants a subcommand: decode, encode, info, train", []string{"tokenizer"}},
		{2, "either --config or --data", []string{"tokenizer", "train", "--out", in("out")}},
		{2, "exists already", []string{"tokenizer", "train", "--out", tokenizer, "--data", good}},
		{2, "--vocab goes with --data", []string{"tokenizer", "train", "--out", in("out"), "--config", config, "--vocab", "300"}},
		{2, "257 or more", []string{"tokenizer", "train", "--out", in("out"), "--data", good, "--vocab", "3"}},
		{2, "pattern", []string{"tokenizer", "train", "--out", in("out"), "--data", good, "--pattern", "zig"}},
		{2, "needs --tokenizer", []string{"tokenizer", "encode", "x"}},
		{2, "quotes", []string{"tokenizer", "encode", "--tokenizer", tokenizer, "x", "y"}},
		{2, "holds no tokenizer.json", []string{"tokenizer", "encode", "--tokenizer", truncated, "x"}},
		{1, "unknown.yaml", []string{"tokenizer", "encode", "--tokenizer", unknown, "x"}},
		{2, "id 2 of 2 is 257", []string{"tokenizer", "decode", "--tokenizer", tokenizer, "--json", "1", "257"}},
		{2, "whole numbers", []string{"tokenizer", "decode", "--tokenizer", tokenizer, "--json", "one"}},
		{2, "nope", []string{"tokenizer", "info", "--tokenizer", tokenizer, "--json", "--data", in("nope")}},

		{2, "wants a subcommand", []string{"data"}},
		{2, "needs --config", []string{"data", "prepare", "--json"}},
		{2, "nope.txt", []string{"data", "prepare", "--json", "--config", config, "--set", "data.train=[nope.txt]"}},
		{2, "--split", []string{"data", "inspect", "--json", "--config", config, "--split", "test"}},

		{2, "needs --config", []string{"plan", "--json"}},
		{2, "nope.json", []string{"plan", "--json", "--config", config, "--set", "tokenizer.path=nope.json"}},
		{2, "--price is -1", []string{"plan", "--config", config, "--price", "-1"}},
		{2, "device is", []string{"plan", "--json", "--config", config, "--device", "tpu"}},
		{2, "--ranks is 0", []string{"plan", "--json", "--config", config, "--ranks", "0"}},

		{2, "wants a subcommand", []string{"inspect"}},
		{2, "FILE", []string{"inspect", "config"}},
		{2, "no such file", []string{"inspect", "config", in("nope")}},
		{2, "holds no model", []string{"inspect", "checkpoint", "--json", dir}},
		{1, "model.safetensors", []string{"inspect", "checkpoint", "--json", truncated}},
		{2, "the programs are step, eval", []string{"inspect", "plan", config, "--program", "x"}},
		{1, "bad.gtsh", []string{"inspect", "shard", "--json", shard}},
		{2, "no such file", []string{"inspect", "shard", "--json", in("nope")}},

		{2, "takes no arguments", []string{"doctor", "--json", "x"}},
		{2, "--precision", []string{"bench", "--json", "--precision", "int4"}},
		{2, "0.8m", []string{"bench", "--json", "--step=9b"}},
		{2, "LayerNorm", []string{"bench", "--json", "--kernels=Norm"}},
		{2, "small", []string{"bench", "--json", "--shapes", "large"}},
		{2, "exclude each other", []string{"bench", "--json", "--step", "--kernels"}},
		{2, "--seconds", []string{"bench", "--json", "--seconds", "0"}},
		{2, "takes no arguments", []string{"version", "--json", "x"}},
	} {
		o := gotrain(t, "", c.args...)
		line, more, _ := strings.Cut(o.errOut, "\n")
		if o.code != c.code || o.out != "" || more != "" || !strings.Contains(line, c.want) {
			t.Errorf("gotrain %s\nexit code %d, want %d\noutput %q\nerror %q\nwant one line with %q",
				strings.Join(c.args, " "), o.code, c.code, o.out, o.errOut, c.want)
		}
	}
	if _, err := os.Stat(in("run")); err == nil {
		t.Error("wrong use leaves a run directory")
	}
}

func FuzzParseIDs(f *testing.F) {
	t, err := bpe.Bytes()
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{"1 2 3", "-1", "257", "99999999999", "a"} {
		f.Add(s)
	}
	f.Fuzz(func(tt *testing.T, text string) {
		fields := strings.Fields(text)
		ids, err := parseIDs(t, fields)
		if err == nil && len(ids) != len(fields) {
			tt.Errorf("%q gives %d ids", text, len(ids))
		}
	})
}
