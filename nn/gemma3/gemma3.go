// Package gemma3 is the text model of Gemma 3 (Gemma Team 2025, "Gemma 3 Technical
// Report"), with the parameter names of Hugging Face's Gemma3ForCausalLM: five layers
// with a sliding window, then one without, which differ in the base of their rotary
// positions; normalised queries and keys; norms before and behind attention and
// feed-forward layer, which multiply by 1 + weight; embeddings that are multiplied by
// √D.
package gemma3

import (
	"errors"
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
type Model struct {
	nn.Core
	config Config
}

// New returns the model of c, whose defaults it fills in. It returns all faults
// of c and t at once.
func New(c Config, t nn.Tuning) (*Model, error) {
	if err := errors.Join(nn.Complete(&c), t.Validate()); err != nil {
		return nil, err
	}
	c.SetDefaults()
	m := &Model{config: c}
	var err error
	m.Core, err = nn.NewCore(Name, t, c.style(), func(b *nn.Builder) {
		b.Inputs = nn.NewInputs(b.Graph, 1, 1)
		m.forward(b)
	})
	if err != nil {
		return nil, err
	}
	return m, nil
}

// Config returns a pointer to the Config with all defaults filled in.
func (m *Model) Config() any { c := m.config; return &c }

// Vocab is the number of tokens that the model knows.
func (m *Model) Vocab() int { return m.config.Vocab }

// Context is the most tokens of a sequence.
func (m *Model) Context() int { return m.config.Context }

// Build adds the forward pass to g; see nn.LanguageModel.
func (m *Model) Build(g *autograd.Graph, in nn.Inputs) (hidden, head *autograd.Node) {
	return m.forward(m.Builder(g, in))
}

func (m *Model) forward(b *nn.Builder) (hidden, head *autograd.Node) {
	c := m.config
	b.In("model", func() {
		head = b.Embedding("embed_tokens", c.Vocab, c.Width) // (V, D)
		x := autograd.Embedding(b.IDs, head)                 // (N) → (N, D)
		x = b.Dropout(autograd.Scale(x, float32(math.Sqrt(float64(c.Width)))))
		for i := range c.Layers {
			b.Block(i, fmt.Sprintf("layers.%d", i), func() { x = m.block(b, x, i) })
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
func (m *Model) block(b *nn.Builder, x *autograd.Node, layer int) *autograd.Node {
	h := m.attention(b, b.OffsetRMSNorm("input_layernorm", x), layer)
	x = autograd.Add(x, b.Dropout(b.OffsetRMSNorm("post_attention_layernorm", h)))
	h = m.feedForward(b, b.OffsetRMSNorm("pre_feedforward_layernorm", x))
	return autograd.Add(x, b.Dropout(b.OffsetRMSNorm("post_feedforward_layernorm", h)))
}

// attention is (N, D) → (N, D), with H query heads over G key and value heads.
func (m *Model) attention(b *nn.Builder, x *autograd.Node, layer int) *autograd.Node {
	c, bias := m.config, m.config.AttentionBias
	q := b.LinearBias("self_attn.q_proj", x, c.Heads*c.HeadDim, bias)   // (N, D) → (N, H·hd)
	k := b.LinearBias("self_attn.k_proj", x, c.KVHeads*c.HeadDim, bias) // (N, D) → (N, G·hd)
	v := b.LinearBias("self_attn.v_proj", x, c.KVHeads*c.HeadDim, bias) // (N, D) → (N, G·hd)
	q = b.OffsetHeadNorm("self_attn.q_norm", q, c.Heads)
	k = b.OffsetHeadNorm("self_attn.k_norm", k, c.KVHeads)
	theta, scaling := c.rope(layer)
	q, k = b.RoPE(q, c.Heads, theta, scaling), b.RoPE(k, c.KVHeads, theta, scaling)
	y := b.Attention("self_attn", q, k, v, c.attention(layer))  // (N, H·hd)
	return b.ResidualBias("self_attn.o_proj", y, c.Width, bias) // (N, H·hd) → (N, D)
}

// feedForward is (N, D) → (N, D): down(act(gate(x))∘up(x)).
func (m *Model) feedForward(b *nn.Builder, x *autograd.Node) *autograd.Node {
	c := m.config
	gate := b.Linear("mlp.gate_proj", x, c.FFN) // (N, D) → (N, F)
	up := b.Linear("mlp.up_proj", x, c.FFN)     // (N, D) → (N, F)
	h := autograd.Mul(autograd.Activation(gate, nn.Act(c.Activation)), up)
	return b.Residual("mlp.down_proj", h, c.Width) // (N, F) → (N, D)
}
