package gpt2

import (
	"math"
	"slices"
	"strings"

	"example.com/gotrain/autograd"
	"example.com/gotrain/nn"
)

// Encodings of the position.
const (
	Learned    = "learned"    // a trained table
	Sinusoidal = "sinusoidal" // the constant table of Vaswani et al. 2017
	NoPosition = "none"       // only the causal mask tells positions apart
	ALiBi      = nn.ALiBi     // biases of scores by distance; the model is an MPT (MosaicML 2023)
)

// Config is the model section of a GPT-2.
type Config struct {
	Layers  int `yaml:"layers" json:"layers"`                         // blocks
	Heads   int `yaml:"heads" json:"heads"`                           // H
	KVHeads int `yaml:"kv_heads,omitempty" json:"kv_heads,omitempty"` // that of heads
	HeadDim int `yaml:"head_dim,omitempty" json:"head_dim,omitempty"` // hd, width / heads
	Width   int `yaml:"width" json:"width"`                           // D
	FFN     int `yaml:"ffn,omitempty" json:"ffn,omitempty"`           // F; default 4·width
	Context int `yaml:"context" json:"context"`                       // most tokens of a sequence
	Vocab   int `yaml:"vocab" json:"vocab,omitempty"`                 // V; 0 takes the tokenizer's

	// Dropout zeroes embeddings and the results of both branches of a block,
	// in training only.
	Dropout float64 `yaml:"dropout" json:"dropout"`
	// AttentionDropout zeroes weights of attention, in training only, and on the CPU.
	AttentionDropout float64 `yaml:"attention_dropout,omitempty" json:"attention_dropout,omitempty"`

	Activation string  `yaml:"activation,omitempty" json:"activation,omitempty"` // gelu, gelu_tanh (default), silu, relu, relu2; default of alibi gelu
	NormEps    float64 `yaml:"norm_eps,omitempty" json:"norm_eps,omitempty"`     // default 1e-5
	Tied       *bool   `yaml:"tied,omitempty" json:"tied,omitempty"`             // the head is the token table; default true
	Bias       *bool   `yaml:"bias,omitempty" json:"bias,omitempty"`             // of linear layers and LayerNorm; default true, of alibi false
	Positions  string  `yaml:"positions,omitempty" json:"positions,omitempty"`   // learned (default), sinusoidal, alibi, none

	// Attention lets tokens see patterns of blocks in place of all before them.
	Attention *nn.AttentionOptions `yaml:"attention,omitempty" json:"attention,omitempty"`

	// InitStd is the standard deviation of the first weights; default 0.02.
	InitStd float64 `yaml:"init_std,omitempty" json:"init_std,omitempty"`
	// ScaleResidual divides it by √(2·layers) for the projections that add to
	// the residual stream; default true.
	ScaleResidual *bool `yaml:"scale_residual,omitempty" json:"scale_residual,omitempty"`
}

// SetDefaults fills in every default that is left open.
func (c *Config) SetDefaults() {
	nn.Default(&c.KVHeads, c.Heads)
	if c.Heads > 0 {
		nn.Default(&c.HeadDim, c.Width/c.Heads)
	}
	nn.Default(&c.NormEps, 1e-5)
	nn.Default(&c.InitStd, 0.02)
	nn.Default(&c.FFN, 4*c.Width)
	nn.Default(&c.Positions, Learned)
	if c.Positions == ALiBi {
		nn.Default(&c.Activation, "gelu")
		if c.Bias == nil {
			c.Bias = nn.Bool(false)
		}
	}
	nn.Default(&c.Activation, "gelu_tanh")
	c.Attention = c.Attention.WithDefaults()
	for _, flag := range []**bool{&c.Tied, &c.Bias, &c.ScaleResidual} {
		if *flag == nil {
			*flag = nn.Bool(true)
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
	if c.Heads > 0 && c.Width > 0 && c.HeadDim*c.Heads != c.Width {
		if c.Width%c.Heads != 0 {
			f.Add("width", "%d does not divide into %d heads: use a multiple, such as %d", c.Width, c.Heads, max(1, c.Width/c.Heads)*c.Heads)
		} else {
			f.Add("head_dim", "is width / heads = %d in family %s: leave it out", c.Width/c.Heads, Name)
		}
	}
	if c.KVHeads != c.Heads {
		f.Add("kv_heads", "family %s has as many key as query heads: leave it out, or use family llama", Name)
	}
	if known := []string{Learned, Sinusoidal, ALiBi, NoPosition}; !slices.Contains(known, c.Positions) {
		f.Add("positions", "%q is not one of %s of family %s", c.Positions, strings.Join(known, ", "), Name)
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
	return "lm_head.weight", "transformer.wte.weight", nn.IsSet(c.Tied)
}

// SetTied makes them one or two.
func (c *Config) SetTied(tied bool) { c.Tied = nn.Bool(tied) }

// style is what the layers of a full configuration have in common.
func (c *Config) style() nn.Style {
	s := nn.Style{
		Layout: autograd.InOut, InitStd: c.InitStd, ResidualStd: c.InitStd,
		NormEps: c.NormEps, Bias: nn.IsSet(c.Bias), Dropout: c.Dropout, AttentionDropout: c.AttentionDropout,
	}
	if c.Positions == ALiBi {
		s.Layout = autograd.OutIn
	}
	if nn.IsSet(c.ScaleResidual) {
		s.ResidualStd /= math.Sqrt(2 * float64(c.Layers))
	}
	return s
}
