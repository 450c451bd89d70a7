// Package perceiver is a Perceiver that reads texts (Jaegle et al. 2021, "Perceiver IO"): a
// few latents attend to all tokens of a row, then to each other in all further layers, and
// what is told of a token is asked of the latents. Its cost is linear in the tokens.
//
// Parameters have the names of transformers' PerceiverModel with a text preprocessor, a
// basic decoder and an embedding decoder.
package perceiver

import (
	"errors"
	"fmt"

	"example.com/gotrain/autograd"
	"example.com/gotrain/nn"
)

// Name is the family's.
const Name = "perceiver"

// Family is the row of the Perceiver in the table of families.
func Family() nn.Family {
	return nn.NewFamily(Name, Config{Layers: 4, Heads: 4, Width: 128, Latents: 32, Context: 256}, New, nil)
}

// Model is a Perceiver, an nn.TextEncoder. It is read-only and safe for concurrent use.
type Model struct {
	nn.Core
	config Config // with all defaults filled in
}

// New returns the model of c, whose defaults it fills in. It returns all faults of c and
// t at once.
func New(c Config, t nn.Tuning) (*Model, error) {
	m := &Model{config: c}
	if err := errors.Join(nn.Complete(&m.config), t.Validate()); err != nil {
		return nil, err
	}
	m.config.SetDefaults()
	var err error
	m.Core, err = nn.NewCore(Name, t, m.config.style(), func(b *nn.Builder) {
		in := nn.NewEncoderInputs(b.Graph, 1, 1)
		b.Inputs = in.Inputs
		m.config.forward(b, in)
	})
	return m, err
}

// Config returns a pointer to a copy of the configuration with all defaults filled in.
func (m *Model) Config() any { c := m.config; return &c }

// Vocab is the number of tokens that the model knows.
func (m *Model) Vocab() int { return m.config.Vocab }

// Context is the most tokens of a row.
func (m *Model) Context() int { return m.config.Context }

// Outputs are what the model tells of a text.
func (m *Model) Outputs() nn.Outputs { return m.config.Outputs() }

// HuggingFace returns an error: the decoder of PerceiverForMaskedLM has 8 heads of 32 for
// queries and keys whatever the width of its values.
func (m *Model) HuggingFace() (map[string]any, error) {
	return nil, fmt.Errorf("%w: the decoder of PerceiverForMaskedLM has heads of 32; transformers' PerceiverModel takes the parameters perceiver.* of model.safetensors", nn.ErrNoCounterpart)
}

// Encode adds the forward pass to g; see nn.TextEncoder. Kinds of text are not told apart.
func (m *Model) Encode(g *autograd.Graph, in nn.EncoderInputs) nn.Encoded {
	return m.config.forward(m.Builder(g, in.Inputs), in)
}

// forward builds all layers.
func (c *Config) forward(b *nn.Builder, in nn.EncoderInputs) (out nn.Encoded) {
	var tokens *autograd.Node // (V, D)
	b.In("perceiver", func() {
		first := b.Rows("embeddings.latents", c.Latents, c.LatentWidth)
		var x *autograd.Node // (N, D)
		b.In("input_preprocessor", func() {
			tokens = b.Embedding("embeddings", c.Vocab, c.Width)
			x = autograd.Add(autograd.Embedding(b.IDs, tokens), autograd.Embedding(b.Positions, b.Embedding("position_embeddings", c.Context, c.Width)))
		})
		latents := c.read(b, first, x) // (B·L, E)
		b.In("decoder", func() {
			asks := autograd.Embedding(b.Positions, b.Rows("output_position_encodings.position_embeddings", c.Context, c.Width)) // (N, D)
			b.In("decoding_cross_attention", func() { out.Hidden = c.layer(b, asks, latents, autograd.AttentionMask{}, false) })
		})
	})
	if *c.Masked {
		asked := out.Hidden
		if in.Asked != nil {
			asked = autograd.Embedding(in.Asked, asked) // (A, D)
		}
		out.Masked = autograd.Linear(asked, tokens, b.Bias(bias, c.Vocab), autograd.OutIn) // (A, D) × (V, D)ᵀ → (A, V)
	}
	if *c.Pooled {
		out.Pooled = autograd.Tanh(b.Linear(pooler, b.First(out.Hidden), c.Width)) // (B, D)
	}
	if c.Next {
		out.Next = b.Linear(next, out.Pooled, 2) // (B, D) → (B, 2)
	}
	if n := len(c.Labels); n > 0 {
		out.Classes = b.Linear(classify, b.Dropout(out.Pooled), n) // (B, D) → (B, labels)
	}
	return out
}

// read has the latents (L, E) of each row attend to its tokens x (N, D), then to each other:
// → (B·L, E).
func (c *Config) read(b *nn.Builder, latents, x *autograd.Node) (z *autograd.Node) {
	z = autograd.Broadcast(autograd.Reshape(latents, 1, c.Latents, c.LatentWidth), b.Batch, c.Latents, c.LatentWidth)
	z = autograd.Reshape(z, b.Batch*c.Latents, c.LatentWidth)
	var mask autograd.AttentionMask
	if b.Segments != nil { // tokens of segment 0 are seen, padding is not
		mask = autograd.AttentionMask{Query: b.Zeros("latent_segments", b.Batch*c.Latents), Key: b.Segments}
	}
	b.In("encoder", func() {
		b.Block(0, "cross_attention", func() { z = c.layer(b, z, x, mask, true) })
		for i := range c.Layers {
			b.Block(1+i, fmt.Sprintf("self_attends.%d", i), func() { z = c.layer(b, z, nil, autograd.AttentionMask{}, true) })
		}
	})
	return z
}

// layer is (B·M, W) → (B·M, W): attention from x to others (B·S, F), nil for x itself, then the
// feed-forward layer. Only with residual x is added to what attention gives.
func (c *Config) layer(b *nn.Builder, x, others *autograd.Node, mask autograd.AttentionMask, residual bool) *autograd.Node {
	width := x.Shape().Cols()
	var h *autograd.Node
	b.In("attention", func() {
		normed := b.LayerNorm("self.layernorm1", x)
		inner, keys := width, normed // of queries, keys and values
		if others != nil {
			inner, keys = c.Width, b.LayerNorm("self.layernorm2", others)
		}
		q, k, v := b.Linear("self.query", normed, inner), b.Linear("self.key", keys, inner), b.Linear("self.value", keys, inner)
		h = b.CrossAttention("self", q, k, v, mask, autograd.AttentionConfig{Batch: b.Batch, Heads: c.Heads}) // (B·M, inner)
		h = b.Dropout(b.Residual("output.dense", h, width))
	})
	if residual {
		h = autograd.Add(x, h)
	}
	y := b.Linear("mlp.dense1", b.LayerNorm("layernorm", h), c.Widening*width) // (B·M, W) → (B·M, w·W)
	y = autograd.Activation(y, nn.Act(c.Activation))
	return autograd.Add(h, b.Dropout(b.Residual("mlp.dense2", y, width)))
}

// Economy tells what the model has in place of attention of all tokens to all in as many
// layers; see nn.Economical.
func (m *Model) Economy() *nn.Economy {
	c := &m.config
	return nn.LatentEconomy(fmt.Sprintf("%d latents", c.Latents), c.Heads, c.Width/c.Heads, c.LatentWidth/c.Heads, c.Layers, c.Latents)
}
