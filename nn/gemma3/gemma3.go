// Package gemma3 is the text model of Gemma 3 (Gemma Team 2025, "Gemma 3 Technical
// Report"), with the parameter names of Hugging Face's Gemma3ForCausalLM: five layers
// with a sliding window, then one without, which differ in the base of their rotary
// positions; normalised queries and keys; norms before and behind attention and
// feed-forward layer, which multiply by 1 + weight; embeddings that are multiplied by
// √D.
package gemma3

import (
	"fmt"
	"math"

	"example.com/gotrain/autograd"
	"example.com/gotrain/nn"
)

// Name is the family's.
const Name = "gemma3"

// Family is the row of Gemma 3 in the table of families.
func Family() nn.Family {
	return nn.NewFamily(Name, Config{Layers: 6, Heads: 4, Width: 128, Context: 128}, New, &nn.Hub{
		ModelTypes: []string{typeText}, Keys: keys, Parse: fromHuggingFace,
	})
}

// Model is a Gemma 3, an nn.LanguageModel. It is read-only and safe for concurrent
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

// forward builds all layers; see nn.LanguageModel.
func (c *Config) forward(b *nn.Builder) (hidden, head *autograd.Node) {
	b.In("model", func() {
		head = b.Embedding("embed_tokens", c.Vocab, c.Width) // (V, D)
		x := autograd.Embedding(b.IDs, head)                 // (N) → (N, D)
		x = b.Dropout(autograd.Scale(x, float32(math.Sqrt(float64(c.Width)))))
		for i := range c.Layers {
			b.Block(i, fmt.Sprintf("layers.%d", i), func() { x = c.block(b, x, i) })
		}
		hidden = b.OffsetRMSNorm("norm", x) // (N, D)
	})
	if !nn.IsSet(c.Tied) {
		head = b.Embedding("lm_head", c.Vocab, c.Width) // (V, D)
	}
	return hidden, head
}

// block is (N, D) → (N, D): attention, then the feed-forward layer, each normalised
// before and behind and added to the residual stream x.
func (c *Config) block(b *nn.Builder, x *autograd.Node, layer int) *autograd.Node {
	h := c.attention(b, b.OffsetRMSNorm("input_layernorm", x), layer)
	x = autograd.Add(x, b.Dropout(b.OffsetRMSNorm("post_attention_layernorm", h)))
	h = c.feedForward(b, b.OffsetRMSNorm("pre_feedforward_layernorm", x))
	return autograd.Add(x, b.Dropout(b.OffsetRMSNorm("post_feedforward_layernorm", h)))
}

// attention is (N, D) → (N, D), with H query heads over G key and value heads.
func (c *Config) attention(b *nn.Builder, x *autograd.Node, layer int) *autograd.Node {
	bias := c.AttentionBias
	q := b.LinearBias("self_attn.q_proj", x, c.Heads*c.HeadDim, bias)   // (N, D) → (N, H·hd)
	k := b.LinearBias("self_attn.k_proj", x, c.KVHeads*c.HeadDim, bias) // (N, D) → (N, G·hd)
	v := b.LinearBias("self_attn.v_proj", x, c.KVHeads*c.HeadDim, bias) // (N, D) → (N, G·hd)
	q = b.OffsetHeadNorm("self_attn.q_norm", q, c.Heads)
	k = b.OffsetHeadNorm("self_attn.k_norm", k, c.KVHeads)
	theta, scaling := c.rope(layer)
	q, k = b.RoPE(q, c.Heads, theta, scaling), b.RoPE(k, c.KVHeads, theta, scaling)
	y := b.Attention("self_attn", q, k, v, c.attentionConfig(layer)) // (N, H·hd)
	return b.ResidualBias("self_attn.o_proj", y, c.Width, bias)      // (N, H·hd) → (N, D)
}

// feedForward is (N, D) → (N, D): down(act(gate(x))∘up(x)).
func (c *Config) feedForward(b *nn.Builder, x *autograd.Node) *autograd.Node {
	gate := b.Linear("mlp.gate_proj", x, c.FFN) // (N, D) → (N, F)
	up := b.Linear("mlp.up_proj", x, c.FFN)     // (N, D) → (N, F)
	h := autograd.Mul(autograd.Activation(gate, nn.Act(c.Activation)), up)
	return b.Residual("mlp.down_proj", h, c.Width) // (N, F) → (N, D)
}
