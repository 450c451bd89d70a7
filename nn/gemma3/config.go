package gemma3

import (
	"math"

	"example.com/gotrain/autograd"
	"example.com/gotrain/nn"
)

// Config is the model section of a Gemma 3.
type Config struct {
	Layers  int `yaml:"layers" json:"layers"`                         // blocks
	Heads   int `yaml:"heads" json:"heads"`                           // H
	KVHeads int `yaml:"kv_heads,omitempty" json:"kv_heads,omitempty"` // G, divides heads; default heads
	HeadDim int `yaml:"head_dim,omitempty" json:"head_dim,omitempty"` // hd; default width / heads
	Width   int `yaml:"width" json:"width"`                           // D, a multiple of heads
	FFN     int `yaml:"ffn,omitempty" json:"ffn,omitempty"`           // F; default 4·width
	Context int `yaml:"context" json:"context"`                       // most tokens of a sequence
	Vocab   int `yaml:"vocab" json:"vocab,omitempty"`                 // V; 0 takes the tokenizer's

	// Dropout zeroes embeddings and the results of both branches of a block,
	// in training only. Attention weights are never dropped.
	Dropout    float64 `yaml:"dropout" json:"dropout"`
	Activation string  `yaml:"activation,omitempty" json:"activation,omitempty"` // gelu, gelu_tanh (default), silu, relu, relu2
	NormEps    float64 `yaml:"norm_eps,omitempty" json:"norm_eps,omitempty"`     // default 1e-6
	Tied       *bool   `yaml:"tied,omitempty" json:"tied,omitempty"`             // the head is the token table; default true

	// SlidingWindow is how many tokens, the last of them itself, a token of a local layer
	// attends to; default 512. One layer of GlobalEvery, the last, is global: its tokens
	// attend to all before; default 6.
	SlidingWindow int `yaml:"sliding_window,omitempty" json:"sliding_window,omitempty"`
	GlobalEvery   int `yaml:"global_every,omitempty" json:"global_every,omitempty"`
	// RopeTheta is the base of the rotary frequencies of global layers, LocalRopeTheta that
	// of local ones; default 1e6 and 10000. RopeFactor divides the positions of global
	// layers; default 1.
	RopeTheta      float64 `yaml:"rope_theta,omitempty" json:"rope_theta,omitempty"`
	LocalRopeTheta float64 `yaml:"local_rope_theta,omitempty" json:"local_rope_theta,omitempty"`
	RopeFactor     float64 `yaml:"rope_factor,omitempty" json:"rope_factor,omitempty"`
	// QueryScale is s in the scores q·k/√s; default head_dim.
	QueryScale    float64 `yaml:"query_scale,omitempty" json:"query_scale,omitempty"`
	AttentionBias bool    `yaml:"attention_bias" json:"attention_bias,omitempty"` // of the four projections of attention

	// InitStd is the standard deviation of the first weights; default 0.02.
	InitStd float64 `yaml:"init_std,omitempty" json:"init_std,omitempty"`
}

// SetDefaults fills in every default that is left open.
func (c *Config) SetDefaults() {
	nn.Default(&c.KVHeads, c.Heads)
	if c.Heads > 0 {
		nn.Default(&c.HeadDim, c.Width/c.Heads)
	}
	nn.Default(&c.NormEps, 1e-6)
	nn.Default(&c.InitStd, 0.02)
	nn.Default(&c.FFN, 4*c.Width)
	nn.Default(&c.Activation, "gelu_tanh")
	nn.Default(&c.SlidingWindow, 512)
	nn.Default(&c.GlobalEvery, 6)
	nn.Default(&c.RopeTheta, 1e6)
	nn.Default(&c.LocalRopeTheta, 10000)
	nn.Default(&c.RopeFactor, 1)
	nn.Default(&c.QueryScale, float64(c.HeadDim))
	if c.Tied == nil {
		c.Tied = nn.Bool(true)
	}
}

// Validate returns all faults of c, with its defaults filled in, or nil.
func (c *Config) Validate() error {
	var f nn.Faults
	f.Size("layers", c.Layers, nn.MaxLayers)
	f.Size("heads", c.Heads, nn.MaxSize)
	f.Size("width", c.Width, nn.MaxSize)
	f.Size("context", c.Context, nn.MaxSize)
	f.OptionalSize("kv_heads", c.KVHeads, nn.MaxSize)
	f.OptionalSize("head_dim", c.HeadDim, nn.MaxSize)
	f.OptionalSize("ffn", c.FFN, nn.MaxSize)
	f.OptionalSize("vocab", c.Vocab, nn.MaxSize)
	f.OptionalSize("sliding_window", c.SlidingWindow, nn.MaxSize)
	f.OptionalSize("global_every", c.GlobalEvery, nn.MaxSize)
	full := *c
	full.SetDefaults()
	full.check(&f)
	return f.Err()
}

// check wants the parts of a full configuration to fit.
func (c *Config) check(f *nn.Faults) {
	f.Dropout("dropout", c.Dropout)
	f.Activation("activation", c.Activation)
	f.NormEps("norm_eps", c.NormEps)
	f.InitStd("init_std", c.InitStd)
	if c.Heads > 0 && c.Width > 0 {
		if c.Width%c.Heads != 0 {
			f.Add("width", "%d does not divide into %d heads, as transformers wants it whatever head_dim is: use a multiple, such as %d", c.Width, c.Heads, max(1, c.Width/c.Heads)*c.Heads)
		} else if c.HeadDim%2 != 0 {
			f.Add("head_dim", "%d is odd, but rotary positions turn pairs: use an even one (width / heads is the default)", c.HeadDim)
		}
	}
	if c.KVHeads > 0 && c.Heads > 0 && c.Heads%c.KVHeads != 0 {
		f.Add("kv_heads", "%d does not divide the %d heads", c.KVHeads, c.Heads)
	}
	for key, theta := range map[string]float64{"rope_theta": c.RopeTheta, "local_rope_theta": c.LocalRopeTheta} {
		if !(theta > 1 && theta < 1e12) {
			f.Add(key, "%g is outside (1, 1e12)", theta)
		}
	}
	if !(c.RopeFactor > 0 && c.RopeFactor < 1e6) {
		f.Add("rope_factor", "%g is outside (0, 1e6): it is the new context by the old one", c.RopeFactor)
	}
	if !(c.QueryScale > 0 && c.QueryScale < 1e6 || c.HeadDim == 0) {
		f.Add("query_scale", "%g is outside (0, 1e6): head_dim is usual", c.QueryScale)
	}
}

// Text returns what training on text wants to know.
func (c *Config) Text() nn.Text {
	return nn.Text{Context: c.Context, Vocab: c.Vocab, Dropout: c.Dropout}
}

// SetText changes it.
func (c *Config) SetText(t nn.Text) { c.Context, c.Vocab, c.Dropout = t.Context, t.Vocab, t.Dropout }

// Head tells whether the head is the table of tokens; see nn.HeadConfig.
func (c *Config) Head() (head, table string, tied bool) {
	return "lm_head.weight", "model.embed_tokens.weight", nn.IsSet(c.Tied)
}

// SetTied makes them one or two.
func (c *Config) SetTied(tied bool) { c.Tied = nn.Bool(tied) }

// Extend lets a base go on with a longer context and other rotary positions; see
// nn.Extending.
func (c *Config) Extend(base nn.Configuration) ([]string, error) {
	var f nn.Faults
	if was := base.(*Config); c.Context < was.Context {
		f.Add("context", "%d is shorter than that of the base, %d: leave it out, and set train.context for shorter sequences", c.Context, was.Context)
	}
	return []string{"context", "rope_theta", "local_rope_theta", "rope_factor"}, f.Err()
}

// global tells whether the tokens of a layer attend to all before.
func (c *Config) global(layer int) bool { return (layer+1)%c.GlobalEvery == 0 }

// rope returns base and scaling of the rotary positions of a layer.
func (c *Config) rope(layer int) (theta float64, scaling autograd.RoPEScaling) {
	switch {
	case !c.global(layer):
		return c.LocalRopeTheta, scaling
	case c.RopeFactor != 1:
		scaling = autograd.RoPEScaling{Kind: autograd.LinearScaling, Factor: c.RopeFactor}
	}
	return c.RopeTheta, scaling
}

// attentionConfig is what a layer's attention does.
func (c *Config) attentionConfig(layer int) autograd.AttentionConfig {
	a := autograd.AttentionConfig{Heads: c.Heads, KVHeads: c.KVHeads, Causal: true, Scale: float32(1 / math.Sqrt(c.QueryScale))}
	if !c.global(layer) {
		a.Window = c.SlidingWindow
	}
	return a
}

// style is what the layers of a full configuration have in common.
func (c *Config) style() nn.Style {
	return nn.Style{Layout: autograd.OutIn, InitStd: c.InitStd, ResidualStd: c.InitStd, NormEps: c.NormEps, Dropout: c.Dropout}
}
