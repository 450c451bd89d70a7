package convert

import (
	"path/filepath"
	"strings"
	"testing"

	"example.com/gotrain/data/bpe"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/gemma3"
	"example.com/gotrain/nn/hub/gguf"
)

// TestGemma3Norms: llama.cpp multiplies by what is stored, transformers by 1 more.
func TestGemma3Norms(t *testing.T) {
	dir := t.TempDir()
	m := newModel(t, models()["gemma3"])
	writeModel(t, filepath.Join(dir, "hf"), m, randomTensors(m), testTokenizer(t, bpe.GPT2, false))
	_, want := values(t, filepath.Join(dir, "hf"))
	if _, err := Convert(t.Context(), filepath.Join(dir, "hf"), filepath.Join(dir, "m.gguf"), Options{Format: GGUF}, testDeps()); err != nil {
		t.Fatal(err)
	}
	f, err := gguf.Open(filepath.Join(dir, "m.gguf"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for stored, name := range map[string]string{
		"blk.1.attn_norm.weight": "input_layernorm", "blk.1.post_attention_norm.weight": "post_attention_layernorm", "blk.1.ffn_norm.weight": "pre_feedforward_layernorm",
		"blk.1.post_ffw_norm.weight": "post_feedforward_layernorm", "blk.1.attn_q_norm.weight": "self_attn.q_norm", "blk.1.ffn_up.weight": "mlp.up_proj",
	} {
		tensor, ok := f.Tensor(stored)
		got, of := make([]float32, 1), want["model.layers.1."+name+".weight"]
		if !ok {
			t.Fatalf("there is no %s", stored)
		}
		tensor.Shape, tensor.Data = []int{1}, tensor.Data[:4]
		if err := tensor.CopyFloat32(got); err != nil {
			t.Fatal(err)
		}
		offset := float32(0)
		if strings.Contains(stored, "norm") {
			offset = 1
		}
		if got[0] != of[0]+offset {
			t.Errorf("%s begins with %g, %s with %g", stored, got[0], name, of[0])
		}
	}
}

// TestGemma3ThatLlamaCppLacks: what llama.cpp has fixed is no other there.
func TestGemma3ThatLlamaCppLacks(t *testing.T) {
	for want, change := range map[string]func(*gemma3.Config){
		"has query_pre_attn_scalar 6, this model 9":      func(c *gemma3.Config) { c.QueryScale = 9 },
		"has one global layer of 6, this model of 2":     func(c *gemma3.Config) { c.GlobalEvery = 2 },
		"by the base 10000, this model by 77":            func(c *gemma3.Config) { c.LocalRopeTheta = 77 },
		"has the activation gelu_pytorch_tanh":           func(c *gemma3.Config) { c.Activation = "relu" },
		"llama.cpp's gemma3 has no biases of this model": func(c *gemma3.Config) { c.AttentionBias = true },
	} {
		dir := t.TempDir()
		c := gemma3.Config{Layers: 2, Heads: 4, HeadDim: 6, Width: 32, FFN: 32, Context: 64, Vocab: 272}
		change(&c)
		m := newModel(t, nn.Spec{Family: gemma3.Name, Config: &c})
		writeModel(t, filepath.Join(dir, "hf"), m, randomTensors(m), testTokenizer(t, bpe.GPT2, false))
		if _, err := Convert(t.Context(), filepath.Join(dir, "hf"), filepath.Join(dir, "m.gguf"), Options{Format: GGUF}, testDeps()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
