package perceiver

import (
	"strings"

	"example.com/gotrain/autograd"
	"example.com/gotrain/nn"
)

// Config is the model section of a Perceiver.
type Config struct {
	Layers      int `yaml:"layers" json:"layers"`                                 // of latents that attend to each other
	Heads       int `yaml:"heads" json:"heads"`                                   // H, of all attention
	Width       int `yaml:"width" json:"width"`                                   // D, of tokens and of what is told of them
	Latents     int `yaml:"latents" json:"latents"`                               // L, of a row
	LatentWidth int `yaml:"latent_width,omitempty" json:"latent_width,omitempty"` // E; default width
	Widening    int `yaml:"widening,omitempty" json:"widening,omitempty"`         // of feed-forward layers, times their input; default 4
	Context     int `yaml:"context" json:"context"`                               // most tokens of a row
	Vocab       int `yaml:"vocab" json:"vocab,omitempty"`                         // V; 0 takes the tokenizer's
	// Dropout zeroes the results of both branches of a layer and the pooled state, in
	// training only.
	Dropout    float64 `yaml:"dropout" json:"dropout"`
	Activation string  `yaml:"activation,omitempty" json:"activation,omitempty"` // gelu (default), gelu_tanh, silu, relu, relu2
	NormEps    float64 `yaml:"norm_eps,omitempty" json:"norm_eps,omitempty"`     // default 1e-5
	InitStd    float64 `yaml:"init_std,omitempty" json:"init_std,omitempty"`     // of the first weights; default 0.02

	// Masked, Pooled, Next and Labels are the heads, which recipes choose; see package bert.
	Masked *bool    `yaml:"masked,omitempty" json:"masked,omitempty"`
	Pooled *bool    `yaml:"pooled,omitempty" json:"pooled,omitempty"`
	Next   bool     `yaml:"next,omitempty" json:"next,omitempty"`
	Labels []string `yaml:"labels,omitempty" json:"labels,omitempty"`
}

// SetDefaults fills in every default that is left open.
func (c *Config) SetDefaults() {
	nn.Default(&c.LatentWidth, c.Width)
	nn.Default(&c.Widening, 4)
	nn.Default(&c.Activation, "gelu")
	nn.Default(&c.NormEps, 1e-5)
	nn.Default(&c.InitStd, 0.02)
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
	f.Size("latents", c.Latents, nn.MaxSize)
	f.Size("context", c.Context, nn.MaxSize)
	f.OptionalSize("latent_width", c.LatentWidth, nn.MaxSize)
	f.OptionalSize("widening", c.Widening, nn.MaxLayers)
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
	f.Heads("width", c.Width, c.Heads)
	if c.LatentWidth != c.Width {
		f.Heads("latent_width", c.LatentWidth, c.Heads)
	}
	f.Outputs(c.Pooled, c.Next, c.Labels)
}

// Text returns what training on text wants to know.
func (c *Config) Text() nn.Text {
	return nn.Text{Context: c.Context, Vocab: c.Vocab, Dropout: c.Dropout}
}

// SetText changes it.
func (c *Config) SetText(t nn.Text) { c.Context, c.Vocab, c.Dropout = t.Context, t.Vocab, t.Dropout }

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

// Names of parameters, by which weights tell that they have a head, and their parts.
const (
	bias     = "embedding_decoder.bias"
	pooler   = "pooler.dense"
	next     = "seq_relationship"
	classify = "classifier"
)

// OfHead tells whether a parameter belongs to a head.
func (c *Config) OfHead(param string) bool {
	for _, prefix := range []string{bias, pooler, next, classify} {
		if strings.HasPrefix(param, prefix) {
			return true
		}
	}
	return false
}

// Stored gives c the heads that weights have.
func (c *Config) Stored(has func(param string) bool) {
	o := nn.Outputs{Masked: has(bias), Pooled: has(pooler + ".weight"), Next: has(next + ".weight")}
	if has(classify + ".weight") {
		o.Labels = c.Labels
	}
	c.SetOutputs(o)
}

// Extend lets a base go on with other heads; see nn.Extending.
func (c *Config) Extend(base nn.Configuration) ([]string, error) {
	was := base.(*Config)
	var f nn.Faults
	if c.Context != was.Context {
		f.Add("context", "%d is not that of the base, which has learned %d positions and nothing of others: leave it out, and set train.context for shorter rows", c.Context, was.Context)
	}
	return []string{"masked", "pooled", "next", "labels", "context"}, f.Err()
}

// style is what the layers of a full configuration have in common.
func (c *Config) style() nn.Style {
	return nn.Style{Layout: autograd.OutIn, InitStd: c.InitStd, ResidualStd: c.InitStd, NormEps: c.NormEps, Bias: true, Dropout: c.Dropout}
}
