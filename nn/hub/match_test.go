package hub_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/gpt2"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/nn/hub/peft"
	"example.com/gotrain/nn/hub/safetensors"
	"example.com/gotrain/nn/llama"
	"example.com/gotrain/nn/zoo"
)

// tiny are a GPT-2 with 12 parameters a block and a tied Llama.
func tiny(t testing.TB, family string) nn.Model {
	t.Helper()
	var spec nn.Spec
	switch family {
	case gpt2.Name:
		spec = nn.Spec{Family: family, Config: &gpt2.Config{Layers: 1, Heads: 2, Width: 8, Context: 16, Vocab: 9}}
	default:
		spec = nn.Spec{Family: family, Config: &llama.Config{Layers: 2, Heads: 2, Width: 8, FFN: 8, Context: 16, Vocab: 9, Tied: nn.Bool(true)}}
	}
	m, err := zoo.Families().New(spec, nn.Tuning{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// numbered are the parameters of m as float32, each filled with its number.
func numbered(m nn.Model, name func(string) string) []safetensors.Tensor {
	var all []safetensors.Tensor
	for i, p := range m.Params() {
		all = append(all, filled(name(p.Name), float32(i+1), p.Shape...))
	}
	return all
}

func filled(name string, value float32, shape ...int) safetensors.Tensor {
	size := 1
	for _, n := range shape {
		size *= n
	}
	return safetensors.Tensor{Name: name, DType: safetensors.F32, Shape: shape, Data: safetensors.Bytes(slices.Repeat([]float32{value}, size))}
}

func same(name string) string { return name }

// weights writes tensors and opens them.
func weights(t testing.TB, tensors []safetensors.Tensor) *safetensors.Dir {
	t.Helper()
	dir := t.TempDir()
	writeTensors(t, dir, tensors)
	w, err := safetensors.OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

func writeTensors(t testing.TB, dir string, tensors []safetensors.Tensor) {
	t.Helper()
	var file bytes.Buffer
	if err := safetensors.Write(&file, tensors, nil); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, hub.ModelFile), file.String())
}

func writeFile(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

// TestWrappedNames takes off what programs put into the names of tensors, and says so.
func TestWrappedNames(t *testing.T) {
	for _, c := range []struct {
		family string
		name   func(string) string
		note   string
	}{
		{gpt2.Name, same, ""},
		{gpt2.Name, func(s string) string { return strings.TrimPrefix(s, "transformer.") }, ""},
		{gpt2.Name, func(s string) string { return "_orig_mod." + s }, `"_orig_mod.", which torch.compile has put there`},
		{gpt2.Name, func(s string) string { return "module." + strings.TrimPrefix(s, "transformer.") }, `"module.", which DistributedDataParallel`},
		{gpt2.Name, func(s string) string { return strings.Replace(s, "h.0.", "h.0._orig_mod.", 1) }, `"_orig_mod."`},
		{llama.Name, func(s string) string { return "module._orig_mod." + s }, `"_orig_mod."`},
		{llama.Name, func(s string) string { return "base_model.model." + s }, `"base_model.model.", which peft`},
		{llama.Name, func(s string) string { return "model." + s }, `"model."`},
		{llama.Name, func(s string) string { return "model.language_model." + strings.TrimPrefix(s, "model.") }, `"language_model."`},
		{llama.Name, func(s string) string {
			return "_fsdp_wrapped_module." + strings.Replace(s, "layers.1.", "layers.1._checkpoint_wrapped_module.", 1)
		}, `"_checkpoint_wrapped_module.", which activation checkpointing`},
	} {
		m := tiny(t, c.family)
		match, err := hub.MatchTensors(weights(t, numbered(m, c.name)), m.Params())
		if err != nil {
			t.Errorf("%s: %v", c.name("x"), err)
			continue
		}
		for _, p := range m.Params() {
			if got := match.Tensors[p.Name]; got != c.name(p.Name) {
				t.Errorf("%s is tensor %q, want %q", p.Name, got, c.name(p.Name))
			}
		}
		if text := strings.Join(match.Notes, "\n"); (text == "") != (c.note == "") || !strings.Contains(text, c.note) || len(match.Left) > 0 {
			t.Errorf("notes %q, want %q; left out %v", match.Notes, c.note, match.Left)
		}
	}
}

// FuzzMatchNames gives one tensor any name: it is the parameter's, known, or an error of
// one line that names it.
func FuzzMatchNames(f *testing.F) {
	m := tiny(f, llama.Name)
	for _, name := range []string{"model.norm.weight", "_orig_mod.model.norm.weight", "module.module._orig_mod._orig_mod.norm.weight", "model.model.model.", "lm_head.weight",
		"base_model.model.lm_head.weight", "x._orig_mod.", ".attn.bias", ".rotary_emb.inv_freq", "", "language_model.norm.weight\n"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if !utf8.ValidString(name) || name == "__metadata__" || slices.ContainsFunc(m.Params(), func(p nn.Param) bool { return p.Name == name }) {
			return
		}
		tensors := append(numbered(m, same), filled(name, 3, 8))
		var file bytes.Buffer
		if safetensors.Write(&file, tensors, nil) != nil {
			return
		}
		dir := t.TempDir()
		writeFile(t, filepath.Join(dir, hub.ModelFile), file.String())
		w, err := safetensors.OpenDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		match, err := hub.MatchTensors(w, m.Params())
		if err != nil {
			if text := err.Error(); !strings.Contains(text, fmt.Sprintf("%q", name)) || strings.Contains(text, "\n") {
				t.Errorf("%q: %v", name, err)
			}
			return
		}
		if len(match.Left) != 1 || match.Left[0].Tensor != name {
			t.Errorf("%q is neither a parameter nor left out", name)
		}
	})
}

// TestLeftOut leaves out what changes nothing and says why; anything else is an error of
// one line that names it.
func TestLeftOut(t *testing.T) {
	for _, c := range []struct {
		family string
		extra  safetensors.Tensor
		why    string
		fault  string
	}{
		{gpt2.Name, filled("h.0.attn.bias", 1, 1, 1, 16, 16), "causal mask", ""},
		{gpt2.Name, filled("transformer.h.0.attn.masked_bias", 1), "causal mask", ""},
		{gpt2.Name, filled("h.0.attn.bias", 1, 16), "", `tensor "h.0.attn.bias" [16] belongs to no parameter`},
		{llama.Name, filled("model.layers.0.self_attn.rotary_emb.inv_freq", 1, 2), "frequencies", ""},
		{llama.Name, filled("lm_head.weight", 1, 9, 8), "a copy of model.embed_tokens.weight, to which the head is tied", ""},
		{llama.Name, filled("lm_head.weight", 7, 9, 8), "", `tensor "lm_head.weight" [9 8] belongs to no parameter`},
		{llama.Name, filled("score.weight", 1, 2, 8), "", `tensor "score.weight" [2 8] belongs to no parameter`},
		{llama.Name, filled("model.layers.2.mlp.up_proj.weight", 1, 8, 8), "", `tensor "model.layers.2.mlp.up_proj.weight" [8 8] belongs to no parameter`},
		{llama.Name, filled("model.layers.0.self_attn.q_proj.bias", 1, 8), "", "config.json says that this layer has no bias"},
		{llama.Name, filled("model.layers.0.self_attn.q_proj.lora_A.default.weight", 1, 2, 8), "", "merge_and_unload"},
		{llama.Name, filled("_orig_mod.model.norm.weight", 1, 8), "", `are both parameter "model.norm.weight"`},
	} {
		m := tiny(t, c.family)
		match, err := hub.MatchTensors(weights(t, append(numbered(m, same), c.extra)), m.Params())
		if c.fault != "" {
			if err == nil || !strings.Contains(err.Error(), c.fault) || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), hub.ModelFile+": ") {
				t.Errorf("%s: %v, want %q", c.extra.Name, err, c.fault)
			}
			continue
		}
		if err != nil || len(match.Left) != 1 || match.Left[0].Tensor != c.extra.Name || !strings.Contains(match.Left[0].Why, c.why) {
			t.Errorf("%s: %+v, %v, want %q", c.extra.Name, match.Left, err, c.why)
		}
	}
}

// TestMissing says in one line which parameters lack a tensor and what is there.
func TestMissing(t *testing.T) {
	m := tiny(t, llama.Name)
	for want, tensors := range map[string][]safetensors.Tensor{
		`there is no tensor for parameter "model.norm.weight" (8): the weights and config.json do not belong together`: numbered(m, same)[:len(m.Params())-1],
		`for parameter "model.embed_tokens.weight" (9, 8) and for 19 more; of no parameter there is "base.`:            numbered(m, func(s string) string { return "base." + s }),
		`"model.layers.0.self_attn.q_proj.base_layer.weight" is of a model with an adapter in it`: numbered(m, func(s string) string {
			return strings.Replace(s, "q_proj.weight", "q_proj.base_layer.weight", 1)
		}),
	} {
		if _, err := hub.MatchTensors(weights(t, tensors), m.Params()); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v, want %s", err, want)
		}
	}
	// An index promises it.
	dir := t.TempDir()
	writeTensors(t, dir, numbered(m, same)[1:])
	if err := os.Rename(filepath.Join(dir, hub.ModelFile), filepath.Join(dir, "a.safetensors")); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, safetensors.IndexName), `{"weight_map": {"model.norm.weight": "a.safetensors", "model.embed_tokens.weight": "a.safetensors", "lm_head.weight": "a.safetensors"}}`)
	w, err := safetensors.OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if _, err := hub.MatchTensors(w, m.Params()); err == nil || !strings.Contains(err.Error(), "it is in a.safetensors: the download or copy is incomplete") {
		t.Errorf("a promised tensor: %v", err)
	}
	if _, err := hub.MatchTensors(w, m.Params()[1:]); err != nil {
		t.Errorf("a promised tensor that nobody needs: %v", err)
	}
}

// TestHeads loads models whose configuration ties the head to the table: what is stored
// decides, as in transformers.
func TestHeads(t *testing.T) {
	m := tiny(t, llama.Name)
	config, err := nn.ConfigJSON(m, nn.SpecialTokens{BOS: -1, PAD: -1})
	if err != nil {
		t.Fatal(err)
	}
	bf16 := filled("lm_head.weight", 0, 9, 8)
	bf16.DType, bf16.Data = safetensors.BF16, bytes.Repeat([]byte{0x80, 0x3f}, 72)
	for _, c := range []struct {
		tensors []safetensors.Tensor
		tied    bool
		head    float32
	}{
		{numbered(m, same), true, 1},
		{append(numbered(m, same), filled("lm_head.weight", 1, 9, 8)), true, 1},
		{append(numbered(m, same), bf16), true, 1},
		{append(numbered(m, same), filled("lm_head.weight", 5, 9, 8)), false, 5},
		{append(numbered(m, func(s string) string { return "_orig_mod." + s }), filled("_orig_mod.lm_head.weight", 5, 9, 8)), false, 5},
		{append(numbered(m, same)[1:], filled("lm_head.weight", 5, 9, 8)), true, 5}, // the head is the table
	} {
		dir := t.TempDir()
		writeTensors(t, dir, c.tensors)
		writeFile(t, filepath.Join(dir, hub.ConfigFile), string(config))
		d, err := hub.Describe(dir, zoo.Families())
		if err != nil {
			t.Fatal(err)
		}
		model, err := zoo.Families().New(d.Spec, nn.Tuning{})
		if err != nil {
			t.Fatal(err)
		}
		_, _, tied := model.Config().(nn.HeadConfig).Head()
		if tied != c.tied || (len(d.Notes) > 0) == c.tied {
			t.Errorf("tied %v, notes %q", tied, d.Notes)
		}
		store := begun(t, model)
		if err := hub.LoadParams(store, dir, model.Params()); err != nil {
			t.Fatal(err)
		}
		head := model.Params()[0]
		if last := model.Params()[len(model.Params())-1]; !tied {
			head = last
		}
		if got := values(t, store, head); got[0] != c.head || got[len(got)-1] != c.head {
			t.Errorf("the head holds %g, want %g", got[0], c.head)
		}
	}
}

// TestDescribeSpecialTokens reads both files that name special tokens.
func TestDescribeSpecialTokens(t *testing.T) {
	m := tiny(t, llama.Name)
	config, err := nn.ConfigJSON(m, nn.SpecialTokens{BOS: 1, PAD: -1, EOS: []int{2}})
	if err != nil {
		t.Fatal(err)
	}
	for generation, want := range map[string]string{
		"": "{1 -1 [2] []} []",
		`{"eos_token_id": [3, 4], "do_sample": true}`: "{1 -1 [3 4] []} []",
		`{"pad_token_id": 0, "surprise": 1}`:          "{1 0 [2] []} [DIR/generation_config.json: the key surprise is not known here and changes nothing]",
		`{"repetition_penalty": 1.1, "num_beams": 1, "suppress_tokens": [1, 2], "bad_words_ids": null, "temperature": 0.7}`: "{1 -1 [2] []} [DIR/generation_config.json: repetition_penalty 1.1 is not heeded: a text is sampled as the flags of a command say DIR/generation_config.json: suppress_tokens [1,2] is not heeded: a text is sampled as the flags of a command say]",
		`{"decoder_start_token_id": 4}`: "{1 -1 [2] [4]} []",
		`{"decoder_start_token_id": 9}`: "DIR/generation_config.json: decoder_start_token_id 9: outside the vocabulary of 9 tokens: correct it, or take it out",
		`{"eos_token_id": 9}`:           "DIR/generation_config.json: eos_token_id 9: outside the vocabulary of 9 tokens: correct it, or take it out",
		"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n": "DIR/generation_config.json: it is a pointer of Git LFS, not the file itself: run `git lfs install` and `git lfs pull` in its folder, or download the file",
	} {
		dir := t.TempDir()
		writeTensors(t, dir, numbered(m, same))
		writeFile(t, filepath.Join(dir, hub.ConfigFile), string(config))
		if generation != "" {
			writeFile(t, filepath.Join(dir, hub.GenerationFile), generation)
		}
		d, err := hub.Describe(dir, zoo.Families())
		got := fmt.Sprint(d.Special, d.Notes)
		if err != nil {
			got = err.Error()
		}
		if got := strings.ReplaceAll(got, dir, "DIR"); got != want {
			t.Errorf("%s: %s, want %s", generation, got, want)
		}
	}
}

// TestPathsWithPatterns finds models and adapters in folders whose names would be
// patterns or variables elsewhere.
func TestPathsWithPatterns(t *testing.T) {
	m := tiny(t, llama.Name)
	config, err := nn.ConfigJSON(m, nn.SpecialTokens{BOS: -1, PAD: -1})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"my [v2] model", "cost$5", "${HOME}", "a*b?", "~", `back\slash`} {
		dir := filepath.Join(t.TempDir(), name, "checkpoints", "latest")
		if err := os.MkdirAll(dir, 0o777); err != nil {
			t.Fatal(err)
		}
		writeTensors(t, dir, numbered(m, same))
		writeFile(t, filepath.Join(dir, hub.ConfigFile), string(config))
		found, err := hub.FindCheckpoint(filepath.Dir(filepath.Dir(dir)))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, err := hub.Describe(found, zoo.Families()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		shards, err := hub.OpenTensors(found, hub.ModelFile)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := shards.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestNotesOf collects what a user should know of all files.
func TestNotesOf(t *testing.T) {
	m := tiny(t, llama.Name)
	config, err := nn.ConfigJSON(m, nn.SpecialTokens{BOS: -1, PAD: -1})
	if err != nil {
		t.Fatal(err)
	}
	dir, adapter := t.TempDir(), t.TempDir()
	writeTensors(t, dir, numbered(m, func(s string) string { return "module." + s }))
	writeFile(t, filepath.Join(dir, hub.ConfigFile), strings.Replace(string(config), "{", `{"surprise": 1,`, 1))
	writeFile(t, filepath.Join(dir, hub.GenerationFile), `{"num_beams": 4}`)
	writeFile(t, filepath.Join(adapter, peft.ConfigFile), `{"peft_type": "LORA", "r": 2, "target_modules": ["q_proj"], "more": null}`)
	writeTensors(t, adapter, []safetensors.Tensor{
		filled("base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight", 1, 2, 8), filled("base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight", 1, 8, 2),
	})
	if err := os.Rename(filepath.Join(adapter, hub.ModelFile), filepath.Join(adapter, peft.WeightsFile)); err != nil {
		t.Fatal(err)
	}
	want := []string{"config.json: the key surprise", "generation_config.json: num_beams 4 is not heeded", `"module.", which DistributedDataParallel`, "adapter_config.json: the key more"}
	for n, adapter := range map[int]string{3: "", 4: adapter} {
		notes, err := hub.NotesOf(vfs.OS{}, dir, adapter, zoo.Families())
		if err != nil || len(notes) != n {
			t.Fatalf("%q, %v, want %d", notes, err, n)
		}
		for i, note := range notes {
			if !strings.Contains(note, want[i]) {
				t.Errorf("note %q, want %q", note, want[i])
			}
		}
	}
}
