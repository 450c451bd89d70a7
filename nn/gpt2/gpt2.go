// Package gpt2 is GPT-2 (Radford et al. 2019, "Language Models are Unsupervised
// Multitask Learners"), with the parameter names and layouts of Hugging Face's
// GPT2LMHeadModel.
package gpt2

import (
	"fmt"

	"example.com/gotrain/autograd"
	"example.com/gotrain/nn"
)

// Name is the family's.
const Name = "gpt2"

// Family is the row of GPT-2 in the table of families.
func Family() nn.Family {
	return nn.NewFamily(Name, Config{Layers: 4, Heads: 4, Width: 128, Context: 128}, New, &nn.Hub{
		ModelTypes: []string{"gpt2"}, Keys: keys, Parse: fromHuggingFace,
	})
}

// Model is a GPT-2, an nn.LanguageModel. It is read-only and safe for concurrent
// use.
type Model struct{ nn.Decoder[Config, *Config] }

// New returns the model of c, whose defaults it fills in. It returns all faults
// of c and t at once.
func New(c Config, t nn.Tuning) (*Model, error) {
	d, err := nn.NewDecoder(Name, c, t, (*Config).style, (*Config).forward)
	if err != nil {
		return nil, err
	}
	return &Model{d}, nil
}

// Economy tells what the model has in place of attention to all pairs; see nn.Economical.
func (m *Model) Economy() *nn.Economy {
	c := m.Config().(*Config)
	return c.Attention.Economy(nn.Shape{Layers: c.Layers, Heads: c.Heads, KVHeads: c.Heads, HeadDim: c.Width / c.Heads, Causal: true})
}

// forward builds all layers; see nn.LanguageModel.
func (c *Config) forward(b *nn.Builder) (hidden, head *autograd.Node) {
	b.In("transformer", func() {
		head = b.Embedding("wte", c.Vocab, c.Width) // (V, D)
		x := autograd.Embedding(b.IDs, head)        // (N) → (N, D)
		switch c.Positions {
		case Learned:
			x = autograd.Add(x, autograd.Embedding(b.Positions, b.Embedding("wpe", c.Context, c.Width)))
		case Sinusoidal:
			x = autograd.Add(x, b.Sinusoids("wpe", c.Width))
		}
		x = b.Dropout(x)
		for i := range c.Layers {
			b.Block(i, fmt.Sprintf("h.%d", i), func() { x = c.block(b, x) })
		}
		hidden = b.LayerNorm("ln_f", x) // (N, D)
	})
	if !nn.IsSet(c.Tied) {
		head = b.Embedding("lm_head", c.Vocab, c.Width) // (V, D)
	}
	return hidden, head
}

// block is (N, D) → (N, D): attention, then the feed-forward layer, each added
// to the residual stream x.
func (c *Config) block(b *nn.Builder, x *autograd.Node) *autograd.Node {
	d := c.Width
	h := b.LayerNorm("ln_1", x)
	h = b.Linear("attn.c_attn", h, 3*d) // (N, D) → (N, 3D)
	h = b.PackedAttention("attn", h, autograd.AttentionConfig{
		Heads: c.Heads, KVHeads: c.Heads, Causal: true, Sparse: c.Attention.Sparsity(b.Index()),
	}) // (N, 3D) → (N, D)
	h = b.Residual("attn.c_proj", h, d) // (N, D)
	x = autograd.Add(x, b.Dropout(h))
	h = b.LayerNorm("ln_2", x)
	h = b.Linear("mlp.c_fc", h, c.FFN) // (N, D) → (N, F)
	h = autograd.Activation(h, nn.Act(c.Activation))
	h = b.Residual("mlp.c_proj", h, d) // (N, F) → (N, D)
	return autograd.Add(x, b.Dropout(h))
}
