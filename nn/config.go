package nn

import (
	"math"

	"gotrain/autograd"
	"gotrain/autograd/ir"
)

// Families that Config.Family names.
const (
	GPT2  = "gpt2"  // Radford et al. 2019: LayerNorm, absolute positions, GELU
	Llama = "llama" // Touvron et al. 2023: RMSNorm, rotary positions, SwiGLU, grouped heads
)

// Encodings of the position that Config.Positions names.
const (
	Learned    = "learned"    // a trained table, GPT-2's
	Sinusoidal = "sinusoidal" // the constant table of Vaswani et al. 2017
	NoPosition = "none"       // only the causal mask tells positions apart
	Rotary     = "rope"       // Su et al. 2021, Llama's
)

// Config is the model section of a configuration. A zero value means the
// family's default, which WithDefaults fills in.
type Config struct {
	Family  string `yaml:"family" json:"family"`                         // gpt2 or llama
	Layers  int    `yaml:"layers" json:"layers"`                         // blocks
	Heads   int    `yaml:"heads" json:"heads"`                           // H
	KVHeads int    `yaml:"kv_heads,omitempty" json:"kv_heads,omitempty"` // G, divides heads; default heads
	HeadDim int    `yaml:"head_dim,omitempty" json:"head_dim,omitempty"` // hd; default width / heads
	Width   int    `yaml:"width" json:"width"`                           // D
	FFN     int    `yaml:"ffn,omitempty" json:"ffn,omitempty"`           // F; default gpt2 4·width, llama 8/3·width rounded up to 64
	Context int    `yaml:"context" json:"context"`                       // most tokens of a sequence
	Vocab   int    `yaml:"vocab" json:"vocab,omitempty"`                 // V; 0 takes the tokenizer's

	// Dropout zeroes embeddings and the results of both branches of a block,
	// in training only. Attention weights are never dropped.
	Dropout    float64 `yaml:"dropout" json:"dropout"`
	Activation string  `yaml:"activation,omitempty" json:"activation,omitempty"` // gelu, gelu_tanh, silu, relu, relu2; default gpt2 gelu_tanh, llama silu (SwiGLU)
	NormEps    float64 `yaml:"norm_eps,omitempty" json:"norm_eps,omitempty"`     // default 1e-5
	Tied       *bool   `yaml:"tied,omitempty" json:"tied,omitempty"`             // the head is the token table; default gpt2 true, llama false
	Bias       *bool   `yaml:"bias,omitempty" json:"bias,omitempty"`             // of linear layers and LayerNorm; default gpt2 true, llama false

	// Positions is learned, sinusoidal or none for gpt2, rope for llama.
	Positions string `yaml:"positions,omitempty" json:"positions,omitempty"`
	// RopeTheta is the base of the rotary frequencies; default 10000.
	RopeTheta float64 `yaml:"rope_theta,omitempty" json:"rope_theta,omitempty"`
	// RopeScaling stretches rotary positions beyond the context that the model
	// was first trained on.
	RopeScaling *RopeScaling `yaml:"rope_scaling,omitempty" json:"rope_scaling,omitempty"`
	// QKVBias gives the projections to queries, keys and values a bias whatever
	// Bias says, as Qwen 2 does.
	QKVBias bool `yaml:"qkv_bias" json:"qkv_bias,omitempty"`
	// QKNorm normalises the query and key of each head, as Qwen 3 does.
	QKNorm bool `yaml:"qk_norm" json:"qk_norm,omitempty"`
	// SlidingWindow limits a token to the last so many, itself included, as
	// Mistral does; 0 means all.
	SlidingWindow int `yaml:"sliding_window" json:"sliding_window,omitempty"`

	// InitStd is the standard deviation of the first weights; default 0.02.
	InitStd float64 `yaml:"init_std,omitempty" json:"init_std,omitempty"`
	// ScaleResidual divides it by √(2·layers) for the projections that add to
	// the residual stream; default gpt2 true, llama false.
	ScaleResidual *bool `yaml:"scale_residual,omitempty" json:"scale_residual,omitempty"`

	// Adapter and Freeze say which parameters are trained. They belong to a run,
	// not to the model: they stand in sections of their own and in no config.json.
	Adapter Adapter `yaml:"-" json:"-"`
	// Freeze holds patterns over the names of parameters (package path's Match,
	// where * stands for dots too): what matches one is not trained.
	Freeze []string `yaml:"-" json:"-"`
}

// RopeScaling is how rotary positions are stretched; see autograd.RoPEScaling.
type RopeScaling struct {
	Type            string  `yaml:"type" json:"type"`     // linear, llama3, yarn
	Factor          float64 `yaml:"factor" json:"factor"` // new context / old context
	Original        int     `yaml:"original,omitempty" json:"original,omitempty"`
	LowFreqFactor   float64 `yaml:"low_freq_factor,omitempty" json:"low_freq_factor,omitempty"`   // llama3; default 1
	HighFreqFactor  float64 `yaml:"high_freq_factor,omitempty" json:"high_freq_factor,omitempty"` // llama3; default 4
	BetaFast        float64 `yaml:"beta_fast,omitempty" json:"beta_fast,omitempty"`               // yarn; default 32
	BetaSlow        float64 `yaml:"beta_slow,omitempty" json:"beta_slow,omitempty"`               // yarn; default 1
	AttentionFactor float64 `yaml:"attention_factor,omitempty" json:"attention_factor,omitempty"` // yarn; default 0.1·ln(factor) + 1
}

// withDefaults fills in what the type leaves open. The old context is by default
// the new one by the factor.
func (s RopeScaling) withDefaults(context int) *RopeScaling {
	switch s.Type {
	case autograd.Llama3Scaling:
		setDefault(&s.LowFreqFactor, 1)
		setDefault(&s.HighFreqFactor, 4)
	case autograd.YaRNScaling:
		setDefault(&s.BetaFast, 32)
		setDefault(&s.BetaSlow, 1)
		if s.Factor > 0 {
			setDefault(&s.AttentionFactor, 0.1*math.Log(max(s.Factor, 1))+1)
		}
	default:
		return &s
	}
	if s.Factor > 0 {
		setDefault(&s.Original, int(float64(context)/s.Factor))
	}
	return &s
}

// ropeScaling is what package autograd wants to know.
func (c Config) ropeScaling() autograd.RoPEScaling {
	s := c.RopeScaling
	if s == nil {
		return autograd.RoPEScaling{}
	}
	return autograd.RoPEScaling{
		Kind: s.Type, Factor: s.Factor, Original: s.Original, LowFrequency: s.LowFreqFactor, HighFrequency: s.HighFreqFactor,
		BetaFast: s.BetaFast, BetaSlow: s.BetaSlow, Attention: s.AttentionFactor,
	}
}

// ffnMultiple is what the default width of Llama's feed-forward layer is
// rounded up to.
const ffnMultiple = 64

// WithDefaults returns c with every default of its family filled in. Faults
// stay for Validate to find.
func (c Config) WithDefaults() Config {
	llama := c.Family == Llama
	c.Adapter = c.Adapter.WithDefaults()
	setDefault(&c.KVHeads, c.Heads)
	if c.Heads > 0 {
		setDefault(&c.HeadDim, c.Width/c.Heads)
	}
	setDefault(&c.NormEps, 1e-5)
	setDefault(&c.InitStd, 0.02)
	if llama {
		setDefault(&c.FFN, (8*c.Width/3+ffnMultiple-1)/ffnMultiple*ffnMultiple)
		setDefault(&c.Activation, "silu")
		setDefault(&c.Positions, Rotary)
		setDefault(&c.RopeTheta, 10000)
		if c.RopeScaling != nil {
			c.RopeScaling = c.RopeScaling.withDefaults(c.Context)
		}
	} else {
		setDefault(&c.FFN, 4*c.Width)
		setDefault(&c.Activation, "gelu_tanh")
		setDefault(&c.Positions, Learned)
	}
	for _, flag := range []**bool{&c.Tied, &c.Bias, &c.ScaleResidual} {
		if *flag == nil {
			*flag = Bool(!llama)
		}
	}
	return c
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Bool returns a pointer to v, for the optional flags of Config.
func Bool(v bool) *bool { return &v }

func isSet(flag *bool) bool { return flag != nil && *flag }

// IsTied tells whether the head is the token table.
func (c Config) IsTied() bool { return isSet(c.Tied) }

// HasBias tells whether linear layers and LayerNorm have a bias.
func (c Config) HasBias() bool { return isSet(c.Bias) }

// Act returns the activation; Validate has checked its name.
func (c Config) Act() ir.Act { return activations[c.Activation] }

var activations = map[string]ir.Act{
	"gelu":      ir.GELU,
	"gelu_tanh": ir.GELUTanh,
	"silu":      ir.SiLU,
	"relu":      ir.ReLU,
	"relu2":     ir.ReLU2,
}
