// Package clip is CLIP (Radford et al. 2021), which puts pictures and captions into one space, with
// the names of transformers' CLIPModel ([Pair]), and its text encoder alone ([Model], CLIPTextModel),
// which tells a denoiser what a caption says. Stable Diffusion 1 has OpenAI's; version 2 has
// OpenCLIP's without its last layer, so that the penultimate is the last.
package clip

import (
	"fmt"

	"example.com/gotrain/autograd"
	"example.com/gotrain/nn"
)

// name is the family's.
const name = "clip_text"

// Config is the model section of a text encoder.
type Config struct {
	Layers     int     `yaml:"layers" json:"layers"`                             // blocks
	Heads      int     `yaml:"heads" json:"heads"`                               // of attention
	Width      int     `yaml:"width" json:"width"`                               // D
	FFN        int     `yaml:"ffn,omitempty" json:"ffn,omitempty"`               // default 4·width
	Context    int     `yaml:"context,omitempty" json:"context,omitempty"`       // tokens of a caption; default 77
	Vocab      int     `yaml:"vocab,omitempty" json:"vocab,omitempty"`           // 0 takes the tokenizer's
	Activation string  `yaml:"activation,omitempty" json:"activation,omitempty"` // quick_gelu (default), OpenAI's, or one of other families; gelu is OpenCLIP's
	NormEps    float64 `yaml:"norm_eps,omitempty" json:"norm_eps,omitempty"`     // default 1e-5
	InitStd    float64 `yaml:"init_std,omitempty" json:"init_std,omitempty"`     // of the first weights; default 0.02
}

// quickGELU is x·σ(1.702·x), which only CLIP has.
const quickGELU = "quick_gelu"

// SetDefaults fills in every default that is left open.
func (c *Config) SetDefaults() {
	nn.Default(&c.FFN, 4*c.Width)
	nn.Default(&c.Context, 77)
	nn.Default(&c.Activation, quickGELU)
	nn.Default(&c.NormEps, 1e-5)
	nn.Default(&c.InitStd, 0.02)
}

// Validate returns all faults of c, or nil.
func (c *Config) Validate() error {
	var f nn.Faults
	full := *c
	full.SetDefaults()
	f.Size("layers", c.Layers, nn.MaxLayers)
	f.Size("heads", c.Heads, nn.MaxSize)
	f.Size("width", c.Width, nn.MaxSize)
	f.OptionalSize("ffn", c.FFN, nn.MaxSize)
	f.OptionalSize("context", c.Context, nn.MaxSize)
	f.OptionalSize("vocab", c.Vocab, nn.MaxSize)
	f.Heads("width", c.Width, c.Heads)
	if full.Activation != quickGELU {
		f.Activation("activation", full.Activation)
	}
	f.NormEps("norm_eps", full.NormEps)
	f.InitStd("init_std", full.InitStd)
	return f.Err()
}

// Model is a text encoder.
type Model struct {
	nn.Core
	config Config
}

// New returns the model of a configuration, or all faults of c and t.
func New(c Config, t nn.Tuning) (*Model, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	c.SetDefaults()
	if c.Vocab == 0 {
		var f nn.Faults
		f.Add("vocab", "is missing: it is the tokenizer's")
		return nil, f.Err()
	}
	m := &Model{config: c}
	var err error
	m.Core, err = nn.NewCore(name, t, nn.Style{Layout: autograd.OutIn, InitStd: c.InitStd, ResidualStd: c.InitStd, NormEps: c.NormEps, Bias: true}, func(b *nn.Builder) {
		b.Inputs = nn.NewInputs(b.Graph, 1, 1)
		m.encode(b)
	})
	return m, err
}

// Config returns the configuration, with all defaults.
func (m *Model) Config() any { c := m.config; return &c }

// HuggingFace returns the keys of transformers' CLIPTextConfig.
func (m *Model) HuggingFace() (map[string]any, error) {
	c := m.config
	keys := c.keys()
	keys["architectures"], keys["dtype"], keys["projection_dim"] = []string{"CLIPTextModel"}, "float32", c.Width
	return keys, nil
}

// keys are those of a CLIPTextConfig.
func (c Config) keys() map[string]any {
	return map[string]any{
		"model_type": modelType, "hidden_size": c.Width, "intermediate_size": c.FFN, "num_hidden_layers": c.Layers, "num_attention_heads": c.Heads,
		"max_position_embeddings": c.Context, "vocab_size": c.Vocab, "hidden_act": activationName(c.Activation), "layer_norm_eps": c.NormEps,
		"initializer_range": c.InitStd,
	}
}

// activationName is transformers' name of an activation.
func activationName(own string) string {
	if own == quickGELU {
		return own
	}
	return nn.ActivationName(own)
}

// Context is the number of tokens of a caption.
func (m *Model) Context() int { return m.config.Context }

// Width is that of the states.
func (m *Model) Width() int { return m.config.Width }

// Encode gives the states of captions, (B·Context, D), of tokens ids (B·Context) int32. Each
// token sees those before it, padding included, as in CLIP.
func (m *Model) Encode(g *autograd.Graph, ids *autograd.Node) *autograd.Node {
	length := m.config.Context
	batch := ids.Shape().Size() / length
	return m.encode(m.Builder(g, nn.Inputs{Batch: batch, Length: length, IDs: ids}))
}

// encode builds all layers.
func (m *Model) encode(b *nn.Builder) *autograd.Node { return m.config.encode(b) }

// encode builds the text encoder: states of all tokens, (B·L, D).
func (c Config) encode(b *nn.Builder) (x *autograd.Node) {
	b.In("text_model", func() {
		b.In("embeddings", func() {
			x = autograd.Embedding(b.IDs, b.Embedding("token_embedding", c.Vocab, c.Width))
			places := b.Embedding("position_embedding", c.Context, c.Width) // (C, D)
			places = autograd.Slice(places, 0, 0, b.Length)
			places = autograd.Broadcast(autograd.Reshape(places, 1, b.Length, c.Width), b.Batch, b.Length, c.Width)
			x = autograd.Add(x, autograd.Reshape(places, b.Batch*b.Length, c.Width))
		})
		tower := tower{c.Layers, c.Heads, c.Width, c.FFN, c.Activation, true, 0}
		x = b.LayerNorm("final_layer_norm", tower.run(b, x))
	})
	return x
}

// tower are the blocks of either encoder.
type tower struct {
	layers, heads, width, ffn int
	activation                string
	causal                    bool
	first                     int // number of its first block in the model
}

// run is (N, D) → (N, D), of b.Batch rows.
func (t tower) run(b *nn.Builder, x *autograd.Node) *autograd.Node {
	for i := range t.layers {
		b.Block(t.first+i, fmt.Sprintf("encoder.layers.%d", i), func() { x = t.block(b, x) })
	}
	return x
}

// block is (N, D) → (N, D): attention and the feed-forward layer, each behind a norm and added.
func (t tower) block(b *nn.Builder, x *autograd.Node) *autograd.Node {
	h := b.LayerNorm("layer_norm1", x)
	b.In("self_attn", func() {
		q, k, v := b.Linear("q_proj", h, t.width), b.Linear("k_proj", h, t.width), b.Linear("v_proj", h, t.width)
		h = b.Attention("attention", q, k, v, autograd.AttentionConfig{Heads: t.heads, Causal: t.causal})
		h = b.Residual("out_proj", h, t.width)
	})
	x = autograd.Add(x, h)
	h = b.Linear("mlp.fc1", b.LayerNorm("layer_norm2", x), t.ffn)
	if t.activation == quickGELU {
		h = autograd.Mul(h, autograd.Sigmoid(autograd.Scale(h, 1.702)))
	} else {
		h = autograd.Activation(h, nn.Act(t.activation))
	}
	return autograd.Add(x, b.Residual("mlp.fc2", h, t.width))
}
