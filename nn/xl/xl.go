// Package xl is Transformer-XL (Dai et al. 2019, "Transformer-XL: Attentive Language
// Models beyond a Fixed-Length Context"): a language model that reads a text in segments
// of Context tokens, and whose layers attend to what they had of the Memory tokens before
// as well. Positions enter as distances only, so that a segment may stand anywhere.
//
// Parameters have the names of transformers' TransfoXLLMHeadModel, which version 5 no
// longer has; qkv_net is three matrices here, since queries are of the segment alone.
package xl

import (
	"fmt"
	"math"

	"example.com/gotrain/autograd"
	"example.com/gotrain/nn"
)

// Name is the family's.
const Name = "xl"

const (
	tableName = "word_emb.emb_layers.0"
	headName  = "crit.out_layers.0"
)

// Family is the row of Transformer-XL in the table of families.
func Family() nn.Family {
	return nn.NewFamily(Name, Config{Layers: 4, Heads: 4, Width: 128, Context: 128, Memory: 128}, New, nil)
}

// Model is a Transformer-XL, an nn.Remembering. It is read-only and safe for concurrent
// use.
type Model struct{ nn.Decoder[Config, *Config] }

// New returns the model of c, whose defaults it fills in. It returns all faults of c and
// t at once.
func New(c Config, t nn.Tuning) (*Model, error) {
	d, err := nn.NewDecoder(Name, c, t, (*Config).style, (*Config).forward)
	if err != nil {
		return nil, err
	}
	return &Model{d}, nil
}

// Memory is the number of tokens before a segment that are remembered.
func (m *Model) Memory() int { return m.Config().(*Config).Memory }

// Context is the most tokens that a token may see: those of a segment and its memory.
// What is read at once may be as long.
func (m *Model) Context() int {
	c := m.Config().(*Config)
	return c.Memory + c.Context
}

// HuggingFace returns ErrNoCounterpart: transformers has dropped TransfoXLLMHeadModel.
func (m *Model) HuggingFace() (map[string]any, error) {
	return nil, fmt.Errorf("%w: Transformer-XL is no part of it from version 5 on", nn.ErrNoCounterpart)
}

// forward builds all layers; see nn.LanguageModel.
func (c *Config) forward(b *nn.Builder) (hidden, head *autograd.Node) {
	b.In("transformer", func() {
		head = b.Embedding(tableName, c.Vocab, c.Width)                        // (V, D)
		x := autograd.Embedding(b.IDs, head)                                   // (N) → (N, D)
		x = b.Dropout(autograd.Scale(x, float32(math.Sqrt(float64(c.Width))))) // (N, D)
		r := c.distances(b)                                                    // (S, D)
		for i := range c.Layers {
			b.Block(i, fmt.Sprintf("layers.%d", i), func() { x = c.block(b, x, r) })
		}
		hidden = b.Dropout(x) // (N, D)
	})
	if !nn.IsSet(c.Tied) {
		head = b.Embedding(headName, c.Vocab, c.Width) // (V, D)
	}
	return hidden, head
}

// distances are the sinusoids of the distances that a query may see (S, D), the farthest
// first: sines of all frequencies, then cosines.
func (c *Config) distances(b *nn.Builder) *autograd.Node {
	rows := b.Length
	switch {
	case b.Cache != nil:
		rows = c.window(b)
	case b.Carried:
		rows += c.Memory
	}
	half := c.Width / 2
	return b.Table("pos_emb", rows, c.Width, func(row, column int) float32 {
		angle := float64(rows-1-row) * math.Pow(10000, -2*float64(column%half)/float64(c.Width))
		if column < half {
			return float32(math.Sin(angle))
		}
		return float32(math.Cos(angle))
	})
}

// window is the number of keys that a new token sees in a cache.
func (c *Config) window(b *nn.Builder) int {
	window := c.Memory + c.Context
	if c.SameLength {
		window = c.Memory
	}
	return min(window, b.Cache.Rows)
}

// block is (N, D) → (N, D): attention over memory and segment, then the feed-forward
// layer, each added to x. What it was given it remembers.
func (c *Config) block(b *nn.Builder, x, r *autograd.Node) *autograd.Node {
	all := c.remember(b, x) // (B·S, D)
	pre := nn.IsSet(c.PreNorm)
	var h *autograd.Node
	b.In("dec_attn", func() {
		if !pre {
			h = b.LayerNorm("layer_norm", autograd.Add(x, b.Dropout(c.attention(b, x, all, r))))
			return
		}
		keys := b.LayerNorm("layer_norm", all)
		h = autograd.Add(x, b.Dropout(c.attention(b, c.segment(b, keys), keys, r)))
	})
	b.In("pos_ff", func() {
		if !pre {
			h = b.LayerNorm("layer_norm", autograd.Add(h, c.feedForward(b, h)))
			return
		}
		h = autograd.Add(h, c.feedForward(b, b.LayerNorm("layer_norm", h)))
	})
	return h
}

// remember returns the memory of the block with x (B·T, D) behind it, (B·S, D), and
// has the last M rows of these be the memory of the next step.
func (c *Config) remember(b *nn.Builder, x *autograd.Node) *autograd.Node {
	if !b.Carried || c.Memory == 0 {
		return x
	}
	s := c.Memory + b.Length
	memory := b.Memory("memory", b.Batch, c.Memory, c.Width)                           // (B, M, D)
	all := autograd.Concat(1, memory, autograd.Reshape(x, b.Batch, b.Length, c.Width)) // (B, S, D)
	next := autograd.Slice(all, 1, b.Length, s)                                        // (B, M, D)
	b.Graph.Write(memory, next)
	return autograd.Reshape(all, b.Batch*s, c.Width)
}

// segment is what of x (B·S, D) belongs to the segment, (B·T, D).
func (c *Config) segment(b *nn.Builder, x *autograd.Node) *autograd.Node {
	s := x.Shape().Rows() / b.Batch
	if s == b.Length {
		return x
	}
	last := autograd.Slice(autograd.Reshape(x, b.Batch, s, c.Width), 1, s-b.Length, s) // (B, T, D)
	return autograd.Reshape(last, b.Batch*b.Length, c.Width)
}

// attention is (B·T, D) → (B·T, D) over keys (B·S, D) at distances r (S, D).
func (c *Config) attention(b *nn.Builder, x, keys, r *autograd.Node) *autograd.Node {
	wide := c.Heads * c.HeadDim
	q := b.LinearBias("q_net", x, wide, false)                                           // (B·T, D) → (B·T, H·hd)
	k := b.LinearBias("k_net", keys, wide, false)                                        // (B·S, D) → (B·S, H·hd)
	v := b.LinearBias("v_net", keys, wide, false)                                        // (B·S, D) → (B·S, H·hd)
	d := b.Apart(func() *autograd.Node { return b.LinearBias("r_net", r, wide, false) }) // (S, D) → (S, H·hd)
	cfg := autograd.RelativeConfig{Heads: c.Heads}
	if c.SameLength {
		cfg.Window = c.Memory
	}
	if b.Cache != nil {
		cfg.Window = r.Shape()[0]
	}
	y := b.RelativeAttention("attn", b.HeadBias("r_w_bias", q, c.Heads), k, v, b.HeadBias("r_r_bias", q, c.Heads), d, cfg) // (B·T, H·hd)
	return b.ResidualBias("o_net", y, c.Width, false)
}

// feedForward is (N, D) → (N, D).
func (c *Config) feedForward(b *nn.Builder, x *autograd.Node) *autograd.Node {
	h := b.Linear("CoreNet.0", x, c.FFN) // (N, D) → (N, F)
	h = b.Dropout(autograd.Activation(h, nn.Act(c.Activation)))
	return b.Dropout(b.Residual("CoreNet.3", h, c.Width)) // (N, F) → (N, D)
}
