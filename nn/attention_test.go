package nn_test

import (
	"strings"
	"testing"

	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/bert"
	"example.com/gotrain/nn/gpt2"
	"example.com/gotrain/nn/llama"
)

// TestEncoderAttention: models that read from both sides take patterns and linformer, whose
// keys they check.
func TestEncoderAttention(t *testing.T) {
	for _, c := range []struct {
		o    nn.AttentionOptions
		want string // "" is no error
	}{
		{nn.AttentionOptions{Kind: "linformer", Rank: 8}, ""},
		{nn.AttentionOptions{Kind: "linformer", Rank: 256, Share: "layers"}, ""},
		{nn.AttentionOptions{Kind: "strided", Stride: 2}, ""},
		{nn.AttentionOptions{Kind: "linformer"}, "model.attention.rank: 0 keys and values of the 256 of a row"},
		{nn.AttentionOptions{Kind: "linformer", Rank: 257}, "model.attention.rank: 257"},
		{nn.AttentionOptions{Kind: "linformer", Rank: 8, Share: "all"}, `model.attention.share: "all" is not one of none, heads, key_value, layers`},
		{nn.AttentionOptions{Kind: "linformer", Rank: 8, Stride: 2}, "model.attention: has keys of another kind than linformer"},
		{nn.AttentionOptions{Kind: "strided", Stride: 2, Rank: 8}, "model.attention: has keys of another kind than strided"},
		{nn.AttentionOptions{Kind: "latent", Latents: 64}, "model.attention.kind: latent is of causal models"},
		{nn.AttentionOptions{Kind: "full"}, `model.attention.kind: "full" is not one of strided, fixed, local_global, linformer`},
	} {
		b := bert.Config{Layers: 1, Heads: 1, Width: 8, Context: 256, Vocab: 8, Attention: &c.o}
		err := b.Validate()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%+v: %v, want %q", c.o, err, c.want)
		}
	}
}

// TestAttentionOptions holds the defaults of each kind, and that families refuse what
// describes no pattern by its key.
func TestAttentionOptions(t *testing.T) {
	for _, c := range []struct {
		o    nn.AttentionOptions
		want ir.Sparsity
	}{
		{nn.AttentionOptions{Kind: "strided", Stride: 8}, ir.Sparsity{Pattern: ir.Strided, Block: 64, Local: 1, Stride: 8}},
		{nn.AttentionOptions{Kind: "strided", Block: 128, Local: 2, Stride: 4}, ir.Sparsity{Pattern: ir.Strided, Block: 128, Local: 2, Stride: 4}},
		{nn.AttentionOptions{Kind: "fixed", Stride: 4}, ir.Sparsity{Pattern: ir.Fixed, Block: 64, Stride: 4, Global: 1}},
		{nn.AttentionOptions{Kind: "local_global", Local: 3}, ir.Sparsity{Pattern: ir.LocalGlobal, Block: 64, Local: 3, Global: 1}},
	} {
		if got := c.o.WithDefaults().Sparsity(0); got != c.want {
			t.Errorf("%+v: %+v, want %+v", c.o, got, c.want)
		}
	}
	if none := (*nn.AttentionOptions)(nil); none.WithDefaults() != nil || none.Sparsity(0) != (ir.Sparsity{}) {
		t.Error("no options are some")
	}
	for _, c := range []struct {
		o    nn.AttentionOptions
		want []string
	}{
		{nn.AttentionOptions{Kind: "linformer"}, []string{"model.attention.kind", "later", "strided"}},
		{nn.AttentionOptions{Kind: "dense"}, []string{"model.attention.kind", "dense", "leave attention out"}},
		{nn.AttentionOptions{}, []string{"model.attention.kind", `""`}},
		{nn.AttentionOptions{Kind: "strided"}, []string{"model.attention:", "stride is 0"}},
		{nn.AttentionOptions{Kind: "fixed", Stride: 4, Block: 100}, []string{"model.attention:", "block 100"}},
		{nn.AttentionOptions{Kind: "latent"}, []string{"model.attention.latents", "0 is no multiple of 64"}},
		{nn.AttentionOptions{Kind: "latent", Latents: 100}, []string{"model.attention.latents", "100"}},
		{nn.AttentionOptions{Kind: "latent", Latents: 64, Block: 64}, []string{"model.attention:", "another kind than latent"}},
	} {
		g := gpt2.Config{Layers: 1, Heads: 1, Width: 8, Context: 256, Vocab: 8, Attention: &c.o}
		l := llama.Config{Layers: 1, Heads: 1, Width: 8, Context: 256, Vocab: 8, Attention: &c.o}
		for _, err := range []error{g.Validate(), l.Validate()} {
			for _, part := range c.want {
				if err == nil || !strings.Contains(err.Error(), part) {
					t.Errorf("%+v: %v lacks %q", c.o, err, part)
				}
			}
		}
	}
	l := llama.Config{Layers: 1, Heads: 1, Width: 8, Context: 256, Vocab: 8, SlidingWindow: 4, Attention: &nn.AttentionOptions{Kind: "fixed", Stride: 2}}
	if err := l.Validate(); err == nil || !strings.Contains(err.Error(), "sliding_window") {
		t.Errorf("a window beside a pattern: %v", err)
	}
}
