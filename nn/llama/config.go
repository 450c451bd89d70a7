package llama

import (
	"math"

	"example.com/gotrain/autograd"
	"example.com/gotrain/nn"
)

// Encodings of the position.
const (
	Rotary = "rope"   // Su et al. 2021
	ALiBi  = nn.ALiBi // biases of scores by distance
)

// Config is the model section of a Llama.
type Config struct {
	Layers  int `yaml:"layers" json:"layers"`                         // blocks
	Heads   int `yaml:"heads" json:"heads"`                           // H
	KVHeads int `yaml:"kv_heads,omitempty" json:"kv_heads,omitempty"` // G, divides heads; default heads
	HeadDim int `yaml:"head_dim,omitempty" json:"head_dim,omitempty"` // hd; default width / heads
	Width   int `yaml:"width" json:"width"`                           // D
	FFN     int `yaml:"ffn,omitempty" json:"ffn,omitempty"`           // F; default 8/3·width rounded up to 64
	Context int `yaml:"context" json:"context"`                       // most tokens of a sequence
	Vocab   int `yaml:"vocab" json:"vocab,omitempty"`                 // V; 0 takes the tokenizer's

	// Dropout zeroes embeddings and the results of both branches of a block,
	// in training only.
	Dropout float64 `yaml:"dropout" json:"dropout"`
	// AttentionDropout zeroes weights of attention, in training only, and on the CPU.
	AttentionDropout float64 `yaml:"attention_dropout,omitempty" json:"attention_dropout,omitempty"`

	Activation string  `yaml:"activation,omitempty" json:"activation,omitempty"` // gelu, gelu_tanh, silu (default, SwiGLU), relu, relu2
	NormEps    float64 `yaml:"norm_eps,omitempty" json:"norm_eps,omitempty"`     // default 1e-5
	Tied       *bool   `yaml:"tied,omitempty" json:"tied,omitempty"`             // the head is the token table; default false
	Bias       *bool   `yaml:"bias,omitempty" json:"bias,omitempty"`             // of linear layers; default false
	Positions  string  `yaml:"positions,omitempty" json:"positions,omitempty"`   // rope (default), alibi

	// RopeTheta is the base of the rotary frequencies; default 10000.
	RopeTheta float64 `yaml:"rope_theta,omitempty" json:"rope_theta,omitempty"`
	// RopeScaling stretches rotary positions beyond the context that the model
	// was first trained on.
	RopeScaling *RopeScaling `yaml:"rope_scaling,omitempty" json:"rope_scaling,omitempty"`
	// QKVBias gives the projections to queries, keys and values a bias whatever
	// Bias says, as Qwen 2 does.
	QKVBias bool `yaml:"qkv_bias" json:"qkv_bias,omitempty"`
	// AttentionBias gives those and the projection behind attention a bias,
	// MLPBias the feed-forward layer, as Llama may do with either alone.
	AttentionBias bool `yaml:"attention_bias" json:"attention_bias,omitempty"`
	MLPBias       bool `yaml:"mlp_bias" json:"mlp_bias,omitempty"`
	// QKNorm normalises the query and key of each head, as Qwen 3 does.
	QKNorm bool `yaml:"qk_norm" json:"qk_norm,omitempty"`
	// SlidingWindow limits a token to the last so many, itself included, as
	// Mistral does; 0 means all.
	SlidingWindow int `yaml:"sliding_window" json:"sliding_window,omitempty"`

	// Attention lets tokens see patterns of blocks in place of all before them.
	Attention *nn.AttentionOptions `yaml:"attention,omitempty" json:"attention,omitempty"`

	// InitStd is the standard deviation of the first weights; default 0.02.
	InitStd float64 `yaml:"init_std,omitempty" json:"init_std,omitempty"`
	// ScaleResidual divides it by √(2·layers) for the projections that add to
	// the residual stream; default false.
	ScaleResidual *bool `yaml:"scale_residual,omitempty" json:"scale_residual,omitempty"`
}

// ffnMultiple is what the default width of the feed-forward layer is rounded up
// to.
const ffnMultiple = 64

// SetDefaults fills in every default that is left open.
func (c *Config) SetDefaults() {
	nn.Default(&c.KVHeads, c.Heads)
	if c.Heads > 0 {
		nn.Default(&c.HeadDim, c.Width/c.Heads)
	}
	nn.Default(&c.NormEps, 1e-5)
	nn.Default(&c.InitStd, 0.02)
	nn.Default(&c.FFN, (8*c.Width/3+ffnMultiple-1)/ffnMultiple*ffnMultiple)
	nn.Default(&c.Activation, "silu")
	nn.Default(&c.Positions, Rotary)
	c.Attention = c.Attention.WithDefaults()
	nn.Default(&c.RopeTheta, 10000)
	if c.RopeScaling != nil {
		c.RopeScaling = c.RopeScaling.withDefaults(c.Context)
	}
	for _, flag := range []**bool{&c.Tied, &c.Bias, &c.ScaleResidual} {
		if *flag == nil {
			*flag = nn.Bool(false)
		}
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
	full := *c
	full.SetDefaults()
	full.check(&f)
	return f.Err()
}

// check wants the parts of a full configuration to fit.
func (c *Config) check(f *nn.Faults) {
	f.Dropout("dropout", c.Dropout)
	f.Dropout("attention_dropout", c.AttentionDropout)
	f.Activation("activation", c.Activation)
	f.NormEps("norm_eps", c.NormEps)
	f.Attention("attention", c.Attention)
	f.InitStd("init_std", c.InitStd)
	switch {
	case c.Heads <= 0 || c.Width <= 0:
	case c.HeadDim == 0:
		f.Add("width", "%d is less than the %d heads: raise it, or set head_dim", c.Width, c.Heads)
	case c.HeadDim == c.Width/c.Heads && c.Width%c.Heads != 0:
		f.Add("width", "%d does not divide into %d heads: use a multiple, such as %d, or set head_dim", c.Width, c.Heads, c.HeadDim*c.Heads)
	case c.HeadDim%2 != 0 && c.Positions != ALiBi:
		f.Add("head_dim", "%d is odd, but rotary positions turn pairs: use an even one (width / heads is the default)", c.HeadDim)
	}
	if c.KVHeads > 0 && c.Heads > 0 && c.Heads%c.KVHeads != 0 {
		f.Add("kv_heads", "%d does not divide the %d heads", c.KVHeads, c.Heads)
	}
	if c.Positions != Rotary && c.Positions != ALiBi {
		f.Add("positions", "%q is not one of %s, %s of family %s: gpt2 has others", c.Positions, Rotary, ALiBi, Name)
	}
	if c.Positions == ALiBi && c.RopeScaling != nil {
		f.Add("rope_scaling", "is of positions %s: leave it out", Rotary)
	}
	if !(c.RopeTheta > 1 && c.RopeTheta < 1e12) {
		f.Add("rope_theta", "%g is outside (1, 1e12): 10000 is usual", c.RopeTheta)
	}
	if c.Attention != nil && c.SlidingWindow > 0 {
		f.Add("attention", "excludes sliding_window: leave one of them out; kind local_global has a window of blocks")
	}
	if c.RopeScaling != nil {
		c.RopeScaling.check(f, c.HeadDim)
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

// style is what the layers of a full configuration have in common.
func (c *Config) style() nn.Style {
	s := nn.Style{
		Layout: autograd.OutIn, InitStd: c.InitStd, ResidualStd: c.InitStd,
		NormEps: c.NormEps, Bias: nn.IsSet(c.Bias), Dropout: c.Dropout, AttentionDropout: c.AttentionDropout,
	}
	if nn.IsSet(c.ScaleResidual) {
		s.ResidualStd /= math.Sqrt(2 * float64(c.Layers))
	}
	return s
}
