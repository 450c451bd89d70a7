package lstm

import (
	"cmp"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/nn"
)

// Kinds of layers.
const (
	LSTM = "lstm"
	GRU  = "gru"
)

// cells are the kinds, and what torch calls them.
var cells = map[string]struct {
	cell  ir.Cell
	torch string
}{LSTM: {ir.LSTM, "LSTM"}, GRU: {ir.GRU, "GRU"}}

// Config is the model section of a recurrent language model.
type Config struct {
	Kind       string `yaml:"kind,omitempty" json:"kind,omitempty"`             // lstm (default) or gru
	Layers     int    `yaml:"layers" json:"layers"`                             // one above the other
	Width      int    `yaml:"width" json:"width"`                               // H, units of a layer
	Projection int    `yaml:"projection,omitempty" json:"projection,omitempty"` // P, width of an LSTM's state (Sak et al. 2014); default none: that of its units
	Embedding  int    `yaml:"embedding,omitempty" json:"embedding,omitempty"`   // E, width of the token table; default that of the state
	Context    int    `yaml:"context" json:"context"`                           // most tokens of a sequence
	Vocab      int    `yaml:"vocab" json:"vocab,omitempty"`                     // V; 0 takes the tokenizer's

	// Dropout zeroes what a layer gives to the next, in training only; as in torch, not
	// what the last one gives.
	Dropout float64 `yaml:"dropout" json:"dropout"`
	Tied    *bool   `yaml:"tied,omitempty" json:"tied,omitempty"` // the head is the token table; default true where their widths are one
	Bias    *bool   `yaml:"bias,omitempty" json:"bias,omitempty"` // of the layers, torch's two; default true

	// InitStd is the standard deviation of the first token table and head; default 0.1.
	// Layers begin as torch's, uniform within 1/√width.
	InitStd float64 `yaml:"init_std,omitempty" json:"init_std,omitempty"`
}

// state is the width of what a layer gives, P.
func (c *Config) state() int { return cmp.Or(c.Projection, c.Width) }

// SetDefaults fills in every default that is left open.
func (c *Config) SetDefaults() {
	nn.Default(&c.Kind, LSTM)
	nn.Default(&c.Embedding, c.state())
	nn.Default(&c.InitStd, 0.1)
	if c.Tied == nil {
		c.Tied = nn.Bool(c.Embedding == c.state())
	}
	if c.Bias == nil {
		c.Bias = nn.Bool(true)
	}
}

// Validate returns all faults of c, with its defaults filled in, or nil.
func (c *Config) Validate() error {
	var f nn.Faults
	f.Size("layers", c.Layers, nn.MaxLayers)
	f.Size("width", c.Width, nn.MaxSize)
	f.Size("context", c.Context, nn.MaxSize)
	f.OptionalSize("projection", c.Projection, nn.MaxSize)
	f.OptionalSize("embedding", c.Embedding, nn.MaxSize)
	f.OptionalSize("vocab", c.Vocab, nn.MaxSize)
	full := *c
	full.SetDefaults()
	full.check(&f)
	return f.Err()
}

// check wants the parts of a full configuration to fit.
func (c *Config) check(f *nn.Faults) {
	f.Dropout("dropout", c.Dropout)
	f.InitStd("init_std", c.InitStd)
	if _, ok := cells[c.Kind]; !ok {
		f.Add("kind", "%q is not one of %s, %s of family %s", c.Kind, LSTM, GRU, Name)
	}
	if c.Projection != 0 && c.Kind == GRU {
		f.Add("projection", "a GRU has none: leave it out, or use kind %s", LSTM)
	}
	if c.Projection >= c.Width && c.Projection > 0 && c.Width > 0 {
		f.Add("projection", "%d is not below the width of %d: leave it out for states as wide as that", c.Projection, c.Width)
	}
	if nn.IsSet(c.Tied) && c.Embedding != c.state() {
		f.Add("tied", "the head reads states of %d and the token table has rows of %d: set embedding to %d, or tied to false", c.state(), c.Embedding, c.state())
	}
	if c.Dropout > 0 && c.Layers == 1 {
		f.Add("dropout", "acts between layers, and there is one: leave it out, or use more layers")
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
	return "head.weight", "embedding.weight", nn.IsSet(c.Tied)
}

// SetTied makes them one or two.
func (c *Config) SetTied(tied bool) { c.Tied = nn.Bool(tied) }

// Extend lets a base go on with another context, which no parameter knows; see
// nn.Extending.
func (c *Config) Extend(nn.Configuration) ([]string, error) { return []string{"context"}, nil }

// style is what the layers of a full configuration have in common.
func (c *Config) style() nn.Style {
	return nn.Style{Layout: autograd.OutIn, InitStd: c.InitStd, ResidualStd: c.InitStd, Dropout: c.Dropout}
}
