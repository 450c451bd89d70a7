// Package llama is Llama (Touvron et al. 2023) with the parameter names of
// Hugging Face's LlamaForCausalLM. With grouped heads and a sliding window it is
// Mistral 7B (Jiang et al. 2023), with biases of queries, keys and values
// Qwen 2 (Yang et al. 2024), with normalised queries and keys Qwen 3 (Yang et
// al. 2025).
package llama

import (
	"fmt"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/nn"
)

// Name is the family's.
const Name = "llama"

// Family is the row of Llama in the table of families.
func Family() nn.Family {
	return nn.NewFamily(Name, Config{Layers: 4, Heads: 4, Width: 128, Context: 128}, New, &nn.Hub{
		ModelTypes: []string{typeLlama, typeMistral, typeQwen2, typeQwen3}, Keys: keys, Parse: fromHuggingFace,
	})
}

// Model is a Llama, an nn.LanguageModel. It is read-only and safe for concurrent
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
	return c.Attention.Economy(nn.Shape{Layers: c.Layers, Heads: c.Heads, KVHeads: c.KVHeads, HeadDim: c.HeadDim, Causal: true})
}

// forward builds all layers; see nn.LanguageModel.
func (c *Config) forward(b *nn.Builder) (hidden, head *autograd.Node) {
	b.In("model", func() {
		head = b.Embedding("embed_tokens", c.Vocab, c.Width) // (V, D)
		x := b.Dropout(autograd.Embedding(b.IDs, head))      // (N) → (N, D)
		attention := autograd.AttentionConfig{Heads: c.Heads, KVHeads: c.KVHeads, Causal: true, Window: c.SlidingWindow}
		if c.Positions == ALiBi {
			attention = b.ALiBi(c.Heads, attention)
		}
		for i := range c.Layers {
			b.Block(i, fmt.Sprintf("layers.%d", i), func() { x = c.block(b, x, attention) })
		}
		hidden = b.RMSNorm("norm", x) // (N, D)
	})
	if !nn.IsSet(c.Tied) {
		head = b.Embedding("lm_head", c.Vocab, c.Width) // (V, D)
	}
	return hidden, head
}

// block is (N, D) → (N, D): attention, then the feed-forward layer, each added
// to the residual stream x.
func (c *Config) block(b *nn.Builder, x *autograd.Node, attention autograd.AttentionConfig) *autograd.Node {
	h := c.attention(b, b.RMSNorm("input_layernorm", x), attention)
	x = autograd.Add(x, b.Dropout(h))
	h = c.feedForward(b, b.RMSNorm("post_attention_layernorm", x))
	return autograd.Add(x, b.Dropout(h))
}

// attention is (N, D) → (N, D), with H query heads over G key and value heads.
func (c *Config) attention(b *nn.Builder, x *autograd.Node, cfg autograd.AttentionConfig) *autograd.Node {
	cfg.Sparse = c.Attention.Sparsity(b.Index())
	bias := nn.IsSet(c.Bias) || c.AttentionBias || c.QKVBias
	q := b.LinearBias("self_attn.q_proj", x, c.Heads*c.HeadDim, bias)   // (N, D) → (N, H·hd)
	k := b.LinearBias("self_attn.k_proj", x, c.KVHeads*c.HeadDim, bias) // (N, D) → (N, G·hd)
	v := b.LinearBias("self_attn.v_proj", x, c.KVHeads*c.HeadDim, bias) // (N, D) → (N, G·hd)
	if c.QKNorm {
		q = b.HeadNorm("self_attn.q_norm", q, c.Heads)
		k = b.HeadNorm("self_attn.k_norm", k, c.KVHeads)
	}
	if c.Positions == Rotary {
		q, k = b.RoPE(q, c.Heads, c.RopeTheta, c.RopeScaling.scaling()), b.RoPE(k, c.KVHeads, c.RopeTheta, c.RopeScaling.scaling())
	}
	y := b.Attention("self_attn", q, k, v, cfg)                                                // (N, H·hd)
	return b.ResidualBias("self_attn.o_proj", y, c.Width, nn.IsSet(c.Bias) || c.AttentionBias) // (N, H·hd) → (N, D)
}

// feedForward is (N, D) → (N, D): down(act(gate(x))∘up(x)).
func (c *Config) feedForward(b *nn.Builder, x *autograd.Node) *autograd.Node {
	bias := nn.IsSet(c.Bias) || c.MLPBias
	gate := b.LinearBias("mlp.gate_proj", x, c.FFN, bias) // (N, D) → (N, F)
	up := b.LinearBias("mlp.up_proj", x, c.FFN, bias)     // (N, D) → (N, F)
	var h *autograd.Node
	if act := nn.Act(c.Activation); act == ir.SiLU {
		h = autograd.SwiGLU(gate, up)
	} else {
		h = autograd.Mul(autograd.Activation(gate, act), up)
	}
	return b.ResidualBias("mlp.down_proj", h, c.Width, bias) // (N, F) → (N, D)
}
