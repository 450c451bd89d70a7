// Package bert is BERT (Devlin et al. 2019, "BERT: Pre-training of Deep Bidirectional
// Transformers"), with the parameter names and layouts of Hugging Face's
// BertForPreTraining, BertForMaskedLM, BertForSequenceClassification and BertModel,
// which differ in their heads alone.
package bert

import (
	"errors"
	"fmt"

	"example.com/gotrain/autograd"
	"example.com/gotrain/nn"
)

// Name is the family's.
const Name = "bert"

// Family is the row of BERT in the table of families.
func Family() nn.Family {
	return nn.NewFamily(Name, Config{Layers: 4, Heads: 4, Width: 128, Context: 128}, New, &nn.Hub{
		ModelTypes: []string{"bert"}, Keys: keys, Parse: fromHuggingFace,
	})
}

// Model is a BERT, an nn.TextEncoder. It is read-only and safe for concurrent use.
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

// Economy tells what the model has in place of attention to all pairs; see nn.Economical.
func (m *Model) Economy() *nn.Economy {
	c := &m.config
	return c.Attention.Economy(nn.Shape{Layers: c.Layers, Heads: c.Heads, KVHeads: c.Heads, HeadDim: c.Width / c.Heads})
}

// Encode adds the forward pass to g; see nn.TextEncoder.
func (m *Model) Encode(g *autograd.Graph, in nn.EncoderInputs) nn.Encoded {
	return m.config.forward(m.Builder(g, in.Inputs), in)
}

// forward builds all layers.
func (c *Config) forward(b *nn.Builder, in nn.EncoderInputs) (out nn.Encoded) {
	var tokens *autograd.Node // (V, D)
	b.In("bert", func() {
		var x *autograd.Node
		b.In("embeddings", func() { tokens, x = c.embed(b, in) })
		shared := b.SharedMixtures(c.Attention, c.Heads, c.Context)
		for i := range c.Layers {
			b.Block(i, fmt.Sprintf("encoder.layer.%d", i), func() { x = c.block(b, x, shared) })
		}
		out.Hidden = x // (N, D)
		if *c.Pooled {
			out.Pooled = autograd.Tanh(b.Linear("pooler.dense", b.First(x), c.Width)) // (B, D)
		}
	})
	if *c.Masked {
		b.In("cls.predictions", func() { out.Masked = c.predict(b, tokens, out.Hidden, in.Asked) })
	}
	if c.Next {
		out.Next = b.Linear("cls.seq_relationship", out.Pooled, 2) // (B, D) → (B, 2)
	}
	if n := len(c.Labels); n > 0 {
		out.Classes = b.Linear("classifier", b.Dropout(out.Pooled), n) // (B, D) → (B, labels)
	}
	return out
}

// embed looks tokens, positions and kinds of text up: (N) → (N, D).
func (c *Config) embed(b *nn.Builder, in nn.EncoderInputs) (tokens, x *autograd.Node) {
	tokens = b.Embedding("word_embeddings", c.Vocab, c.Width)
	x = autograd.Embedding(b.IDs, tokens)
	x = autograd.Add(x, autograd.Embedding(b.Positions, b.Embedding("position_embeddings", c.Context, c.Width)))
	x = autograd.Add(x, autograd.Embedding(in.Kinds, b.Embedding("token_type_embeddings", c.Kinds, c.Width)))
	return tokens, b.Dropout(b.LayerNorm("LayerNorm", x))
}

// block is (N, D) → (N, D): attention, then the feed-forward layer, each added to its
// input and normalised.
func (c *Config) block(b *nn.Builder, x *autograd.Node, shared nn.Mixtures) *autograd.Node {
	d := c.Width
	h := b.Dropout(b.Residual("attention.output.dense", c.attention(b, x, shared), d))
	x = b.LayerNorm("attention.output.LayerNorm", autograd.Add(x, h))
	h = b.Linear("intermediate.dense", x, c.FFN) // (N, D) → (N, F)
	h = autograd.Activation(h, nn.Act(c.Activation))
	h = b.Dropout(b.Residual("output.dense", h, d)) // (N, F) → (N, D)
	return b.LayerNorm("output.LayerNorm", autograd.Add(x, h))
}

// attention is (N, D) → (N, D), with the mixtures of all layers where they share some.
func (c *Config) attention(b *nn.Builder, x *autograd.Node, shared nn.Mixtures) (y *autograd.Node) {
	d := c.Width
	q, k, v := b.Linear("attention.self.query", x, d), b.Linear("attention.self.key", x, d), b.Linear("attention.self.value", x, d)
	cfg := autograd.AttentionConfig{Heads: c.Heads, Sparse: c.Attention.Sparsity(b.Index())}
	if !c.Attention.IsLinformer() {
		return b.Attention("attention.self", q, k, v, cfg)
	}
	b.In("attention.self", func() {
		y = b.MixedAttention("mixed", q, k, v, b.Mixtures(c.Attention, c.Heads, c.Context, shared), cfg)
	})
	return y
}

// predict gives the logits of the tokens that are asked for: (N, D) → (A, V). Rows of x
// are looked up as those of a table.
func (c *Config) predict(b *nn.Builder, tokens, x, asked *autograd.Node) *autograd.Node {
	if asked != nil {
		x = autograd.Embedding(asked, x)
	}
	x = autograd.Activation(b.Linear("transform.dense", x, c.Width), nn.Act(c.Activation))
	x = b.LayerNorm("transform.LayerNorm", x)
	bias := "bias"
	if !nn.IsSet(c.Tied) {
		tokens, bias = b.Embedding("decoder", c.Vocab, c.Width), "decoder.bias"
	}
	return autograd.Linear(x, tokens, b.Bias(bias, c.Vocab), autograd.OutIn)
}
