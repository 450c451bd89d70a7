// Package gpt2 is GPT-2 (Radford et al. 2019, "Language Models are Unsupervised
// Multitask Learners"), with the parameter names and layouts of Hugging Face's
// GPT2LMHeadModel; with ALiBi in place of positions, those of MptForCausalLM.
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
		ModelTypes: []string{typeGPT2, typeMPT}, Keys: keys, Parse: fromHuggingFace,
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
	names := c.names()
	b.In("transformer", func() {
		head = b.Embedding("wte", c.Vocab, c.Width) // (V, D)
		x := autograd.Embedding(b.IDs, head)        // (N) → (N, D)
		attention := autograd.AttentionConfig{Heads: c.Heads, KVHeads: c.Heads, Causal: true}
		switch c.Positions {
		case Learned:
			x = autograd.Add(x, autograd.Embedding(b.Positions, b.Embedding("wpe", c.Context, c.Width)))
		case Sinusoidal:
			x = autograd.Add(x, b.Sinusoids("wpe", c.Width))
		case ALiBi:
			attention = b.ALiBi(c.Heads, attention)
		}
		x = b.Dropout(x)
		for i := range c.Layers {
			b.Block(i, fmt.Sprintf(names.block, i), func() { x = c.block(b, x, names, attention) })
		}
		hidden = b.LayerNorm(names.norm, x) // (N, D)
	})
	if !nn.IsSet(c.Tied) {
		head = b.Embedding("lm_head", c.Vocab, c.Width) // (V, D)
	}
	return hidden, head
}

// names are how files call the layers: those of a block, and the last norm.
type names struct{ block, norm1, qkv, proj, norm2, up, down, norm string }

func (c *Config) names() names {
	if c.Positions == ALiBi {
		return names{"blocks.%d", "norm_1", "attn.Wqkv", "attn.out_proj", "norm_2", "ffn.up_proj", "ffn.down_proj", "norm_f"}
	}
	return names{"h.%d", "ln_1", "attn.c_attn", "attn.c_proj", "ln_2", "mlp.c_fc", "mlp.c_proj", "ln_f"}
}

// block is (N, D) → (N, D): attention, then the feed-forward layer, each added
// to the residual stream x.
func (c *Config) block(b *nn.Builder, x *autograd.Node, names names, attention autograd.AttentionConfig) *autograd.Node {
	d := c.Width
	attention.Sparse = c.Attention.Sparsity(b.Index())
	h := b.LayerNorm(names.norm1, x)
	h = b.Linear(names.qkv, h, 3*d)             // (N, D) → (N, 3D)
	h = b.PackedAttention("attn", h, attention) // (N, 3D) → (N, D)
	h = b.Residual(names.proj, h, d)            // (N, D)
	x = autograd.Add(x, b.Dropout(h))
	h = b.LayerNorm(names.norm2, x)
	h = b.Linear(names.up, h, c.FFN) // (N, D) → (N, F)
	h = autograd.Activation(h, nn.Act(c.Activation))
	h = b.Residual(names.down, h, d) // (N, F) → (N, D)
	return autograd.Add(x, b.Dropout(h))
}
