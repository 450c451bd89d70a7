// Package seq2seq is a model of an encoder and a decoder: the original Transformer (Vaswani et
// al. 2017, "Attention Is All You Need": sinusoidal positions, norms behind each branch,
// ReLU), whose parameters are called as in Hugging Face's MarianMTModel, which computes
// the same; and BART (Lewis et al. 2020), with learned positions and a norm of the
// embeddings, as in BartForConditionalGeneration; and T5 (Raffel et al. 2020), whose
// attention has biases by distance, as in T5ForConditionalGeneration. Beside them stands what
// came before (Luong et al. 2015): LSTMs with attention to the source.
//
// Shape legend: B batch, S source and T target tokens of a row, N = B·T, M = B·S, D width,
// H heads, hd their width, F feed-forward width, V vocabulary.
package seq2seq

import (
	"errors"
	"fmt"
	"math"

	"example.com/gotrain/autograd"
	"example.com/gotrain/nn"
)

// Name is the family's.
const Name = "seq2seq"

// Family is the row of the table of families.
func Family() nn.Family {
	return nn.NewFamily(Name, Config{Layers: 3, Heads: 4, Width: 256, Context: 128}, New, &nn.Hub{
		ModelTypes: []string{typeMarian, typeBART, typeT5}, Keys: keys, Parse: fromHuggingFace,
	})
}

// Model is an encoder and a decoder, an nn.PairModel. It is read-only and safe for
// concurrent use.
type Model struct {
	nn.Core
	config Config // with all defaults filled in
}

// New returns the model of c, whose defaults it fills in. It returns all faults of c and t
// at once.
func New(c Config, t nn.Tuning) (*Model, error) {
	if err := errors.Join(nn.Complete(&c), t.Validate()); err != nil {
		return nil, err
	}
	c.SetDefaults()
	core, err := nn.NewCore(Name, t, c.style(), func(b *nn.Builder) {
		b.Inputs = nn.NewInputs(b.Graph, 1, 1)
		c.forward(b, nn.PairInputs{Source: b.Inputs, Target: b.Inputs})
	})
	return &Model{core, c}, err
}

// Config returns a pointer to a copy of the configuration with all defaults filled in.
func (m *Model) Config() any { c := m.config; return &c }

// Vocab is the number of tokens that the model knows.
func (m *Model) Vocab() int { return m.config.Vocab }

// Context is the most tokens of either side.
func (m *Model) Context() int { return m.config.Context }

// BuildPair adds the forward pass to g; see nn.PairModel.
func (m *Model) BuildPair(g *autograd.Graph, in nn.PairInputs) (hidden, head *autograd.Node) {
	return m.config.forward(m.Builder(g, in.Target), in)
}

// BuildMemory adds the encoder and the keys and values of each layer of the decoder to g;
// see nn.PairModel.
func (m *Model) BuildMemory(g *autograd.Graph, source nn.Inputs) []nn.MemoryState {
	b := m.Builder(g, source)
	var states []nn.MemoryState
	names := m.config.names()
	names.trunk(b, func() {
		x := m.config.encoder(b, m.config.table(b))
		for i := range m.config.DecoderLayers {
			b.Block(m.config.Layers+i, fmt.Sprintf("decoder."+names.block+names.crossLayer, i), func() {
				k, v := m.config.keysValues(b, names.cross, x)
				names := memoryNames(source.Batch, source.Length, i)
				states = append(states, nn.MemoryState{State: m.Tuning().State(names[0]), Value: k}, nn.MemoryState{State: m.Tuning().State(names[1]), Value: v})
			})
		}
	})
	return states
}

// memoryNames are the states of the keys and values of sources in a layer of the decoder.
func memoryNames(batch, length, layer int) [2]string {
	prefix := fmt.Sprintf("memory.%d.%d", batch, length)
	return [2]string{fmt.Sprintf("%s.k.%d", prefix, layer), fmt.Sprintf("%s.v.%d", prefix, layer)}
}

// forward builds all layers; see nn.PairModel. b has the inputs of the target.
func (c *Config) forward(b *nn.Builder, in nn.PairInputs) (hidden, head *autograd.Node) {
	c.names().trunk(b, func() {
		head = c.table(b) // (V, D)
		var x *autograd.Node
		if in.Memory == nil {
			target := b.Inputs
			b.Inputs = in.Source
			x = c.encoder(b, head) // (M, D)
			b.Inputs = target
		}
		hidden = c.decoder(b, head, x, in) // (N, D)
	})
	if !nn.IsSet(c.Tied) {
		head = b.Embedding("lm_head", c.Vocab, c.Width) // (V, D)
	}
	if nn.IsSet(c.LogitsBias) {
		return c.withBias(b, hidden, head)
	}
	return hidden, head
}

// names are how files call the layers.
type names struct {
	model                 string // what all but the head is in
	block                 string // of a side, by its number
	crossLayer            string // the part of a block with the attention to the source
	self, cross           string
	query, key, value, to string // projections of attention
}

func (c *Config) names() names {
	if c.Variant == T5 {
		return names{"", "block.%d", ".layer.1", "SelfAttention", "EncDecAttention", "q", "k", "v", "o"}
	}
	return names{"model", "layers.%d", "", "self_attn", "encoder_attn", "q_proj", "k_proj", "v_proj", "out_proj"}
}

// trunk runs build in what all but the head is in.
func (n names) trunk(b *nn.Builder, build func()) {
	if n.model == "" {
		build()
		return
	}
	b.In(n.model, build)
}

// table is that of the tokens of both sides, (V, D).
func (c *Config) table(b *nn.Builder) (table *autograd.Node) {
	std := c.InitStd
	if c.Variant == T5 {
		std *= math.Sqrt(float64(c.Width)) // rows as large as those of a norm
	}
	b.Std(std, func() { table = b.Embedding("shared", c.Vocab, c.Width) })
	return table
}

// encoder is the tokens of the builder's inputs → (N, D).
func (c *Config) encoder(b *nn.Builder, table *autograd.Node) (x *autograd.Node) {
	if c.Variant == T5 {
		return c.t5Encoder(b, table)
	}
	b.In("encoder", func() {
		x = c.embed(b, table)
		for i := range c.Layers {
			b.Block(i, fmt.Sprintf("layers.%d", i), func() {
				if c.Variant == LSTM {
					x = c.scanBoth(b, x)
					return
				}
				x = c.residual(b, "self_attn_layer_norm", x, c.attention(b, x, autograd.AttentionConfig{}))
				x = c.residual(b, "final_layer_norm", x, c.feedForward(b, x))
			})
		}
	})
	return x
}

// decoder is the target tokens and the encoded source x (M, D), nil where the memory has
// its keys and values → (N, D).
func (c *Config) decoder(b *nn.Builder, table, x *autograd.Node, in nn.PairInputs) (y *autograd.Node) {
	if c.Variant == T5 {
		return c.t5Decoder(b, table, x, in)
	}
	b.In("decoder", func() {
		y = c.embed(b, table)
		for i := range c.DecoderLayers {
			b.Block(c.Layers+i, fmt.Sprintf("layers.%d", i), func() {
				if c.Variant == LSTM {
					y = c.scan(b, y)
					y = c.residual(b, "encoder_attn_layer_norm", y, c.cross(b, y, x, in, i))
					return
				}
				y = c.residual(b, "self_attn_layer_norm", y, c.attention(b, y, autograd.AttentionConfig{Causal: true}))
				y = c.residual(b, "encoder_attn_layer_norm", y, c.cross(b, y, x, in, i))
				y = c.residual(b, "final_layer_norm", y, c.feedForward(b, y))
			})
		}
	})
	return y
}

// embed looks up tokens and positions: (N) → (N, D).
func (c *Config) embed(b *nn.Builder, table *autograd.Node) *autograd.Node {
	x := autograd.Embedding(b.IDs, table)
	if nn.IsSet(c.ScaleEmbeddings) {
		x = autograd.Scale(x, float32(math.Sqrt(float64(c.Width))))
	}
	switch c.Variant {
	case LSTM: // which knows the order by itself
	case BART:
		// The first two rows are those of padding, which nothing reads.
		positions := b.Embedding("embed_positions", c.Context+learnedOffset, c.Width)
		positions = autograd.Slice(positions, 0, learnedOffset, c.Context+learnedOffset)
		x = b.LayerNorm("layernorm_embedding", autograd.Add(x, autograd.Embedding(b.Positions, positions)))
	default:
		x = autograd.Add(x, autograd.Embedding(b.Positions, b.Table("embed_positions", b.Span(), c.Width, c.sinusoid)))
	}
	return b.Dropout(x)
}

// learnedOffset is how many rows BART's positions have before the first.
const learnedOffset = 2

// sinusoid is the position table of Vaswani et al. 2017 with the sines of a position before
// its cosines, as their program and Marian have it.
func (c *Config) sinusoid(position, column int) float32 {
	half := (c.Width + 1) / 2
	wave, f := column, math.Sin
	if column >= half {
		wave, f = column-half, math.Cos
	}
	return float32(f(float64(position) / math.Pow(10000, float64(2*wave)/float64(c.Width))))
}

// residual adds a branch to x and normalises the sum: (N, D), (N, D) → (N, D).
func (c *Config) residual(b *nn.Builder, norm string, x, branch *autograd.Node) *autograd.Node {
	return b.LayerNorm(norm, autograd.Add(x, b.Dropout(branch)))
}

// attention attends among the tokens of a side: (N, D) → (N, D).
func (c *Config) attention(b *nn.Builder, x *autograd.Node, cfg autograd.AttentionConfig) *autograd.Node {
	self := c.names().self
	k, v := c.keysValues(b, self, x)
	q := c.query(b, self, x)
	cfg.Heads, cfg.Scale = c.Heads, c.scale()
	return c.result(b, self, b.Attention(self, q, k, v, cfg))
}

// inner is H·hd, the width of queries, keys and values.
func (c *Config) inner() int {
	if c.Variant == T5 {
		return c.Heads * c.HeadDim
	}
	return c.Width
}

// scale is that of scores, 0 for 1/√hd.
func (c *Config) scale() float32 {
	if c.Variant == T5 {
		return 1
	}
	return 0
}

// query is (N, D) → (N, H·hd).
func (c *Config) query(b *nn.Builder, name string, x *autograd.Node) (q *autograd.Node) {
	std := c.InitStd
	if c.Variant == T5 {
		std /= math.Sqrt(float64(c.HeadDim)) // in place of a scale of scores
	}
	b.Std(std, func() { q = b.Linear(name+"."+c.names().query, x, c.inner()) })
	return q
}

// keysValues are the keys and values (N, H·hd) of x (N, D).
func (c *Config) keysValues(b *nn.Builder, name string, x *autograd.Node) (k, v *autograd.Node) {
	n := c.names()
	return b.Linear(name+"."+n.key, x, c.inner()), b.Linear(name+"."+n.value, x, c.inner())
}

// result is (N, H·hd) → (N, D).
func (c *Config) result(b *nn.Builder, name string, x *autograd.Node) *autograd.Node {
	std := c.InitStd * math.Sqrt(float64(c.Width)/float64(c.inner()))
	b.Std(std, func() { x = b.Residual(name+"."+c.names().to, x, c.Width) })
	return x
}

// cross attends from the target tokens y (N, D) to the encoded source x (M, D), or to its
// keys and values in the memory → (N, D).
func (c *Config) cross(b *nn.Builder, y, x *autograd.Node, in nn.PairInputs, layer int) *autograd.Node {
	var k, v *autograd.Node
	cross := c.names().cross
	mask, batch := autograd.AttentionMask{Query: b.Segments, Key: in.Source.Segments}, b.Batch
	if m := in.Memory; m != nil {
		names := memoryNames(m.Batch, m.Length, layer)
		k, v = b.State(names[0], m.Batch*m.Length, c.inner()), b.State(names[1], m.Batch*m.Length, c.inner())
		mask, batch = autograd.AttentionMask{Query: m.Queries, Key: m.Segments}, m.Batch
	} else {
		k, v = c.keysValues(b, cross, x)
	}
	q := c.query(b, cross, y)
	h := b.CrossAttention(cross, q, k, v, mask, autograd.AttentionConfig{Batch: batch, Heads: c.Heads, Scale: c.scale()})
	return c.result(b, cross, h)
}

// feedForward is (N, D) → (N, D).
func (c *Config) feedForward(b *nn.Builder, x *autograd.Node) *autograd.Node {
	h := autograd.Activation(b.Linear("fc1", x, c.FFN), nn.Act(c.Activation)) // (N, D) → (N, F)
	return b.Residual("fc2", h, c.Width)                                      // (N, F) → (N, D)
}

// biasColumns is the width of what withBias puts behind hidden and head: rows of both stay
// aligned.
const biasColumns = 8

// withBias makes the product of hidden (N, D) and head (V, D) have the bias of the logits:
// it puts a column of ones, and zeros, behind hidden and the bias behind the head.
func (c *Config) withBias(b *nn.Builder, hidden, head *autograd.Node) (h, w *autograd.Node) {
	bias := b.Constant("final_logits_bias", 1, c.Vocab)
	b.In("head", func() {
		one := b.Table("one", hidden.Shape().Rows(), biasColumns, func(_, column int) float32 {
			if column == 0 {
				return 1
			}
			return 0
		})
		column := autograd.Broadcast(autograd.Reshape(bias, c.Vocab, 1), c.Vocab, biasColumns)
		h, w = autograd.Concat(1, hidden, one), autograd.Concat(1, head, column) // (N, D+8), (V, D+8)
	})
	return h, w
}
