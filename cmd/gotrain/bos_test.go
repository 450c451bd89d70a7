package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/gotrain/data/bpe"
	"example.com/gotrain/data/hf"
	"example.com/gotrain/data/tokenizers"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn/hub/manifest"
)

// framed writes a tokenizer that puts <s> before a text, whose texts end with a token of a name that no family uses.
func framed(t *testing.T, dir string) {
	t.Helper()
	b, err := bpe.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	cfg := b.Config()
	cfg.Added = []bpe.AddedToken{{ID: 256, Content: "<s>", Special: true}, {ID: 257, Content: "<|fin|>", Special: true}}
	cfg.Tokens = append(cfg.Tokens[:256:256], "<s>", "<|fin|>")
	cfg.Frame = hf.Frame{Before: []int32{256}}
	tokens, err := bpe.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := tokenizers.Save(vfs.OS{}, dir, tokens, hf.Roles{BOS: "<s>", EOS: "<|fin|>"}); err != nil {
		t.Fatal(err)
	}
}

// TestSpecialTokensInFront: what the tokenizer puts before a text stands before it in training, sample, score and eval, unless
// a flag or the configuration says otherwise; texts end where the model's files say.
func TestSpecialTokensInFront(t *testing.T) {
	dir := t.TempDir()
	framed(t, filepath.Join(dir, "tokenizer"))
	write(t, filepath.Join(dir, "train.jsonl"), strings.Repeat(`{"text": "some words to learn"}`+"\n", 9))
	config := write(t, filepath.Join(dir, "tiny.yaml"), strings.ReplaceAll(`
run:       {dir: DIR/run}
threads:   1
model:     {family: llama, layers: 1, heads: 2, width: 16, context: 24}
tokenizer: {path: DIR/tokenizer}
data:      {train: [DIR/train.jsonl], format: jsonl, cache_dir: DIR/cache}
train:     {steps: 2, batch: 2, sample: "so", sample_tokens: 2}
`, "DIR", dir))
	must(t, "pretrain", "--config", config)
	var row struct{ Inputs, Targets []int32 }
	mustJSON(t, &row, "data", "inspect", "--config", config, "--sample", "1")
	begins := 0
	for i, id := range row.Inputs {
		if id == 256 && (i == 0 || row.Targets[i-1] == -1 && row.Inputs[i-1] == 257) {
			begins++
		}
	}
	if begins == 0 {
		t.Errorf("documents do not begin with <s>: %v", row.Inputs)
	}
	checkPrompts(t, dir, filepath.Join(dir, "run"), false)
	checkEnds(t, filepath.Join(dir, "run"))

	must(t, "pretrain", "--config", config, "--set", "data.bos=false", "--run", filepath.Join(dir, "bare"))
	checkPrompts(t, dir, filepath.Join(dir, "bare"), true)
}

// checkPrompts asks a model with its tokens in front and, with --no-bos or trained without, bare.
func checkPrompts(t *testing.T, dir, model string, bare bool) {
	t.Helper()
	questions := write(t, filepath.Join(dir, "questions.jsonl"), `{"prompt": "", "completion": "abc"}
{"prompt": "abc", "completion": "<|fin|>"}
{"prompt": "<s>abc", "completion": "<|fin|>"}
{"prompt": "abc ", "completion": "d"}
`)
	text := write(t, filepath.Join(dir, "text.txt"), "abc")
	for _, flag := range []bool{false, true} {
		args, put := []string{"--model", model}, 1
		if flag {
			args = append(args, "--no-bos")
		}
		if flag || bare {
			put = 0
		}
		for prompt, tokens := range map[string]int{"ab": 2 + put, "": 1, "a<s>": 2 + put, "<s>a": 2 + put} {
			var s struct {
				PromptTokens int `json:"prompt_tokens"`
			}
			mustJSON(t, &s, append([]string{"sample", "--prompt", prompt, "--max-tokens", "1"}, args...)...)
			if s.PromptTokens != tokens {
				t.Errorf("%s --no-bos=%t: %q has %d tokens, want %d", model, flag, prompt, s.PromptTokens, tokens)
			}
		}
		var score struct {
			Results []struct {
				LogLikelihood float64 `json:"log_likelihood"`
				Tokens        int
			}
		}
		mustJSON(t, &score, append([]string{"score", "--data", questions}, args...)...)
		r := score.Results
		if r[0].Tokens != 3 || r[1].Tokens != 1 || r[3].Tokens != 2 {
			t.Errorf("%s --no-bos=%t: %+v", model, flag, r)
		}
		if same := r[1].LogLikelihood == r[2].LogLikelihood; same == (put == 0) {
			t.Errorf("%s --no-bos=%t: a prompt that begins with <s> scores %v, one that does not %v", model, flag, r[2].LogLikelihood, r[1].LogLikelihood)
		}
		var e struct {
			NLL    float64
			Tokens int
			Bits   float64 `json:"bits_per_byte"`
		}
		mustJSON(t, &e, append([]string{"eval", "--data", text}, args...)...)
		if e.Tokens != 3+put {
			t.Errorf("%s --no-bos=%t: eval scores %d tokens", model, flag, e.Tokens)
		}
		if sum := -(r[0].LogLikelihood + r[1].LogLikelihood); put == 1 && math.Abs(e.NLL*4-sum) > 1e-4 {
			t.Errorf("%s: eval finds %v nats, score %v", model, e.NLL*4, sum)
		}
		if want := e.NLL * float64(e.Tokens) / math.Ln2 / float64(2+put); math.Abs(e.Bits-want) > 1e-6 {
			t.Errorf("%s --no-bos=%t: %v bits per byte, want %v", model, flag, e.Bits, want)
		}
	}
	if o := gotrain(t, "", "sample", "--model", model, "--prompt", "<s>a", "--max-tokens", "1"); strings.Contains(o.errOut, "--no-bos leaves that out") == bare {
		t.Errorf("%s: a prompt that spells <s>: %s", model, o.errOut)
	}
}

// checkEnds has generation_config.json, else config.json, say where a text ends.
func checkEnds(t *testing.T, run string) {
	t.Helper()
	latest, err := filepath.EvalSymlinks(filepath.Join(run, "checkpoints", "latest"))
	if err != nil {
		t.Fatal(err)
	}
	model := t.TempDir()
	if err := os.CopyFS(model, os.DirFS(latest)); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(model, manifest.Name)); err != nil {
		t.Fatal(err)
	}
	sample := func() (s struct {
		Tokens  []int32
		EndedBy string `json:"ended_by"`
	}) {
		mustJSON(t, &s, "sample", "--model", model, "--prompt", "some", "--greedy", "--max-tokens", "4")
		return s
	}
	first := sample().Tokens[0]
	generation := filepath.Join(model, "generation_config.json")
	write(t, generation, fmt.Sprintf(`{"eos_token_id": [3, %d]}`, first))
	if s := sample(); len(s.Tokens) != 0 || s.EndedBy != "stop" {
		t.Errorf("a list of generation_config.json: %+v", s)
	}
	write(t, generation, fmt.Sprintf(`{"eos_token_id": %d}`, first))
	if s := sample(); len(s.Tokens) != 0 {
		t.Errorf("a number of generation_config.json: %+v", s)
	}
	write(t, generation, `{}`)
	if s := sample(); len(s.Tokens) != 4 {
		t.Errorf("config.json: %+v", s)
	}
	config := filepath.Join(model, "config.json")
	raw, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	var keys map[string]any
	if err := json.Unmarshal(raw, &keys); err != nil {
		t.Fatal(err)
	}
	if keys["eos_token_id"] != 257.0 || keys["bos_token_id"] != 256.0 {
		t.Errorf("the checkpoint ends with %v and begins with %v", keys["eos_token_id"], keys["bos_token_id"])
	}
	keys["eos_token_id"] = []int32{first}
	if raw, err = json.Marshal(keys); err != nil {
		t.Fatal(err)
	}
	write(t, config, string(raw))
	if s := sample(); len(s.Tokens) != 0 {
		t.Errorf("a list of config.json: %+v", s)
	}
	delete(keys, "eos_token_id")
	if raw, err = json.Marshal(keys); err != nil {
		t.Fatal(err)
	}
	write(t, config, string(raw))
	tokenizer := filepath.Join(model, "tokenizer_config.json")
	raw, err = os.ReadFile(tokenizer)
	if err != nil {
		t.Fatal(err)
	}
	write(t, tokenizer, strings.ReplaceAll(string(raw), `"eos_token": "<|fin|>"`, fmt.Sprintf(`"eos_token": %q`, string(rune(first)))))
	if s := sample(); first >= 128 || len(s.Tokens) != 0 {
		t.Errorf("eos_token %d of tokenizer_config.json: %+v", first, s)
	}
}
