package nn_test

import (
	"strings"
	"testing"

	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/gpt2"
	"example.com/gotrain/nn/llama"
)

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
		if got := c.o.WithDefaults().Sparsity(); got != c.want {
			t.Errorf("%+v: %+v, want %+v", c.o, got, c.want)
		}
	}
	if none := (*nn.AttentionOptions)(nil); none.WithDefaults() != nil || none.Sparsity() != (ir.Sparsity{}) {
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
