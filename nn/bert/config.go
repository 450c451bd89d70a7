package bert

import (
	"strings"

	"example.com/gotrain/autograd"
	"example.com/gotrain/nn"
)

// Config is the model section of a BERT.
type Config struct {
	Layers  int `yaml:"layers" json:"layers"`                   // blocks
	Heads   int `yaml:"heads" json:"heads"`                     // H
	Width   int `yaml:"width" json:"width"`                     // D
	FFN     int `yaml:"ffn,omitempty" json:"ffn,omitempty"`     // F; default 4·width
	Context int `yaml:"context" json:"context"`                 // most tokens of a row
	Vocab   int `yaml:"vocab" json:"vocab,omitempty"`           // V; 0 takes the tokenizer's
	Kinds   int `yaml:"kinds,omitempty" json:"kinds,omitempty"` // of texts in a row, each with an embedding; default 2
	// Dropout zeroes embeddings, the results of both branches of a block and the pooled
	// state, in training only. Attention weights are never dropped.
	Dropout    float64 `yaml:"dropout" json:"dropout"`
	Activation string  `yaml:"activation,omitempty" json:"activation,omitempty"` // gelu (default), gelu_tanh, silu, relu, relu2
	NormEps    float64 `yaml:"norm_eps,omitempty" json:"norm_eps,omitempty"`     // default 1e-12
	Tied       *bool   `yaml:"tied,omitempty" json:"tied,omitempty"`             // the decoder is the token table; default true
	InitStd    float64 `yaml:"init_std,omitempty" json:"init_std,omitempty"`     // of the first weights; default 0.02

	// Attention lets tokens see patterns of blocks, or few mixtures, in place of all others.
	Attention *nn.AttentionOptions `yaml:"attention,omitempty" json:"attention,omitempty"`

	// Masked, Pooled, Next and Labels are the heads, which recipes choose: of masked
	// tokens (default true), a pooled state (where one of the next two needs it), the
	// next sentence, and classes of texts.
	Masked *bool    `yaml:"masked,omitempty" json:"masked,omitempty"`
	Pooled *bool    `yaml:"pooled,omitempty" json:"pooled,omitempty"`
	Next   bool     `yaml:"next,omitempty" json:"next,omitempty"`
	Labels []string `yaml:"labels,omitempty" json:"labels,omitempty"`
}

// SetDefaults fills in every default that is left open.
func (c *Config) SetDefaults() {
	nn.Default(&c.FFN, 4*c.Width)
	nn.Default(&c.Kinds, 2)
	nn.Default(&c.Activation, "gelu")
	nn.Default(&c.NormEps, 1e-12)
	nn.Default(&c.InitStd, 0.02)
	c.Attention = c.Attention.WithDefaults()
	if c.Tied == nil {
		c.Tied = nn.Bool(true)
	}
	if c.Masked == nil {
		c.Masked = nn.Bool(true)
	}
	if c.Pooled == nil {
		c.Pooled = nn.Bool(c.Next || len(c.Labels) > 0)
	}
}

// Validate returns all faults of c, with its defaults filled in, or nil.
func (c *Config) Validate() error {
	var f nn.Faults
	f.Size("layers", c.Layers, nn.MaxLayers)
	f.Size("heads", c.Heads, nn.MaxSize)
	f.Size("width", c.Width, nn.MaxSize)
	f.Size("context", c.Context, nn.MaxSize)
	f.OptionalSize("ffn", c.FFN, nn.MaxSize)
	f.OptionalSize("kinds", c.Kinds, nn.MaxSize)
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
	f.EncoderAttention("attention", c.Attention, c.Context)
	f.Heads("width", c.Width, c.Heads)
	f.Outputs(c.Pooled, c.Next, c.Labels)
}

// Text returns what training on text wants to know.
func (c *Config) Text() nn.Text {
	return nn.Text{Context: c.Context, Vocab: c.Vocab, Dropout: c.Dropout}
}

// SetText changes it.
func (c *Config) SetText(t nn.Text) { c.Context, c.Vocab, c.Dropout = t.Context, t.Vocab, t.Dropout }

// Names of the parameters that are one where the decoder is tied, and of those that tell
// that weights have a head.
const (
	decoder  = "cls.predictions.decoder.weight"
	table    = "bert.embeddings.word_embeddings.weight"
	masked   = "cls.predictions.transform.dense.weight"
	pooled   = "bert.pooler.dense.weight"
	next     = "cls.seq_relationship.weight"
	classify = "classifier.weight"
)

// Head tells whether the decoder is the table of tokens; see nn.HeadConfig.
func (c *Config) Head() (head, tokens string, tied bool) { return decoder, table, nn.IsSet(c.Tied) }

// SetTied makes them one or two.
func (c *Config) SetTied(tied bool) { c.Tied = nn.Bool(tied) }

// Outputs are what models of c tell of a text; see nn.EncoderConfig.
func (c *Config) Outputs() nn.Outputs {
	full := *c
	full.SetDefaults()
	return nn.Outputs{Masked: *full.Masked, Pooled: *full.Pooled, Next: c.Next, Labels: c.Labels}
}

// SetOutputs changes that.
func (c *Config) SetOutputs(o nn.Outputs) {
	c.Masked, c.Pooled, c.Next, c.Labels = nn.Bool(o.Masked), nn.Bool(o.Pooled), o.Next, o.Labels
}

// OfHead tells whether a parameter belongs to a head.
func (c *Config) OfHead(param string) bool {
	for _, prefix := range []string{"cls.", "bert.pooler.", "classifier."} {
		if strings.HasPrefix(param, prefix) {
			return true
		}
	}
	return false
}

// Stored gives c the heads that weights have. Classes that nothing names are two, as in
// transformers.
func (c *Config) Stored(has func(param string) bool) {
	o := nn.Outputs{Masked: has(masked), Pooled: has(pooled), Next: has(next), Labels: c.Labels}
	switch {
	case !has(classify):
		o.Labels = nil
	case len(o.Labels) == 0:
		o.Labels = unnamed(2)
	}
	c.SetOutputs(o)
}

// Extend lets a base go on with other heads, and with another pattern of attention, which
// has no parameters; see nn.Extending.
func (c *Config) Extend(base nn.Configuration) ([]string, error) {
	was := base.(*Config)
	var f nn.Faults
	if c.Context != was.Context {
		f.Add("context", "%d is not that of the base, which has learned %d positions and nothing of others: leave it out, and set train.context for shorter rows", c.Context, was.Context)
	}
	keys := []string{"masked", "pooled", "next", "labels", "context"}
	if !c.Attention.IsLinformer() && !was.Attention.IsLinformer() {
		keys = append(keys, "attention")
	}
	return keys, f.Err()
}

// style is what the layers of a full configuration have in common.
func (c *Config) style() nn.Style {
	return nn.Style{Layout: autograd.OutIn, InitStd: c.InitStd, ResidualStd: c.InitStd, NormEps: c.NormEps, Bias: true, Dropout: c.Dropout}
}
