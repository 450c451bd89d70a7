package xl

import (
	"example.com/gotrain/autograd"
	"example.com/gotrain/nn"
)

// Config is the model section of a Transformer-XL.
type Config struct {
	Layers  int `yaml:"layers" json:"layers"`                         // blocks
	Heads   int `yaml:"heads" json:"heads"`                           // H
	HeadDim int `yaml:"head_dim,omitempty" json:"head_dim,omitempty"` // hd; default width / heads
	Width   int `yaml:"width" json:"width"`                           // D
	FFN     int `yaml:"ffn,omitempty" json:"ffn,omitempty"`           // F; default 4·width
	Context int `yaml:"context" json:"context"`                       // T, tokens of a segment
	Memory  int `yaml:"memory" json:"memory"`                         // M, tokens before a segment that are remembered; 0 is none
	Vocab   int `yaml:"vocab" json:"vocab,omitempty"`                 // V; 0 takes the tokenizer's

	// Dropout zeroes embeddings, the results of both branches of a block and what is
	// inside the feed-forward layer, in training only.
	Dropout    float64 `yaml:"dropout" json:"dropout"`
	Activation string  `yaml:"activation,omitempty" json:"activation,omitempty"` // gelu, gelu_tanh, silu, relu (default), relu2
	NormEps    float64 `yaml:"norm_eps,omitempty" json:"norm_eps,omitempty"`     // default 1e-5
	Tied       *bool   `yaml:"tied,omitempty" json:"tied,omitempty"`             // the head is the token table; default true
	// PreNorm normalises before each branch of a block instead of behind it; default
	// true. The paper's models are false.
	PreNorm *bool `yaml:"pre_norm,omitempty" json:"pre_norm,omitempty"`
	// SameLength has every token see as many tokens as the memory holds, itself
	// included, and not the whole memory and what of its segment is before it.
	SameLength bool `yaml:"same_length" json:"same_length,omitempty"`

	InitStd float64 `yaml:"init_std,omitempty" json:"init_std,omitempty"` // of the first weights; default 0.02
}

// SetDefaults fills in every default that is left open.
func (c *Config) SetDefaults() {
	if c.Heads > 0 {
		nn.Default(&c.HeadDim, c.Width/c.Heads)
	}
	nn.Default(&c.NormEps, 1e-5)
	nn.Default(&c.InitStd, 0.02)
	nn.Default(&c.FFN, 4*c.Width)
	nn.Default(&c.Activation, "relu")
	for _, flag := range []**bool{&c.Tied, &c.PreNorm} {
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
	f.OptionalSize("memory", c.Memory, nn.MaxSize)
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
	f.Activation("activation", c.Activation)
	f.NormEps("norm_eps", c.NormEps)
	f.InitStd("init_std", c.InitStd)
	switch {
	case c.Heads <= 0 || c.Width <= 0:
	case c.HeadDim == 0:
		f.Add("width", "%d is less than the %d heads: raise it, or set head_dim", c.Width, c.Heads)
	case c.HeadDim == c.Width/c.Heads && c.Width%c.Heads != 0:
		f.Add("width", "%d does not divide into %d heads: use a multiple, such as %d, or set head_dim", c.Width, c.Heads, c.HeadDim*c.Heads)
	}
	if c.Width%2 != 0 {
		f.Add("width", "%d is odd, but distances have a sine and a cosine of each frequency: use an even one", c.Width)
	}
	if c.SameLength && c.Memory == 0 {
		f.Add("same_length", "every token would see as many tokens as the memory holds, which is none: set memory, or leave same_length out")
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
	return headName + ".weight", "transformer." + tableName + ".weight", nn.IsSet(c.Tied)
}

// SetTied makes them one or two.
func (c *Config) SetTied(tied bool) { c.Tied = nn.Bool(tied) }

// style is what the layers of a full configuration have in common.
func (c *Config) style() nn.Style {
	return nn.Style{Layout: autograd.OutIn, InitStd: c.InitStd, ResidualStd: c.InitStd, NormEps: c.NormEps, Bias: true, Dropout: c.Dropout}
}
