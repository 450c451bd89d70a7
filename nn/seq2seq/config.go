package seq2seq

import (
	"math"
	"slices"
	"strings"

	"example.com/gotrain/autograd"
	"example.com/gotrain/nn"
)

// Variants.
const (
	Transformer = "transformer" // the original, and Marian
	BART        = "bart"
	T5          = "t5"
	LSTM        = "lstm" // with attention to the source behind each layer of the decoder
)

// Config is the model section of an encoder and a decoder.
type Config struct {
	Variant       string `yaml:"variant,omitempty" json:"variant,omitempty"`               // transformer (default), bart, t5, lstm
	Layers        int    `yaml:"layers" json:"layers"`                                     // of the encoder
	DecoderLayers int    `yaml:"decoder_layers,omitempty" json:"decoder_layers,omitempty"` // default layers
	Heads         int    `yaml:"heads" json:"heads"`                                       // H
	Width         int    `yaml:"width" json:"width"`                                       // D, a multiple of heads
	HeadDim       int    `yaml:"head_dim,omitempty" json:"head_dim,omitempty"`             // hd of t5; default width / heads
	FFN           int    `yaml:"ffn,omitempty" json:"ffn,omitempty"`                       // F; default 4·width; of lstm there is none
	Context       int    `yaml:"context" json:"context"`                                   // most tokens of either side
	Vocab         int    `yaml:"vocab" json:"vocab,omitempty"`                             // V of both sides; 0 takes the tokenizer's

	// Dropout zeroes embeddings and the results of the branches of a block, in training
	// only. Attention weights are never dropped.
	Dropout    float64 `yaml:"dropout" json:"dropout"`
	Activation string  `yaml:"activation,omitempty" json:"activation,omitempty"` // gelu, gelu_tanh, silu, relu, relu2; default relu, of bart gelu, gated gelu_tanh
	NormEps    float64 `yaml:"norm_eps,omitempty" json:"norm_eps,omitempty"`     // default 1e-5, of t5 1e-6
	Tied       *bool   `yaml:"tied,omitempty" json:"tied,omitempty"`             // the head is the token table; default true
	// ScaleEmbeddings multiplies the tokens' embeddings by √width; default true, of bart, t5
	// and lstm false.
	ScaleEmbeddings *bool `yaml:"scale_embeddings,omitempty" json:"scale_embeddings,omitempty"`
	// LogitsBias adds final_logits_bias to the logits, which files may hold and training
	// leaves as it is; default false.
	LogitsBias *bool `yaml:"logits_bias,omitempty" json:"logits_bias,omitempty"`
	// InitStd is the standard deviation of the first weights; default 1/√width, of bart
	// 0.02.
	InitStd float64 `yaml:"init_std,omitempty" json:"init_std,omitempty"`

	// Keys of t5. Gated multiplies the activation of the feed-forward layer by a second
	// projection, as T5 1.1 does. Scores have a bias for each of Buckets of distances, the
	// last of which begins before MaxDistance tokens; defaults 32 and 128. ScaleLogits
	// divides the logits by √width; default whether the head is tied.
	Gated       bool  `yaml:"gated,omitempty" json:"gated,omitempty"`
	Buckets     int   `yaml:"buckets,omitempty" json:"buckets,omitempty"`
	MaxDistance int   `yaml:"max_distance,omitempty" json:"max_distance,omitempty"`
	ScaleLogits *bool `yaml:"scale_logits,omitempty" json:"scale_logits,omitempty"`
}

// SetDefaults fills in every default that is left open.
func (c *Config) SetDefaults() {
	nn.Default(&c.Variant, Transformer)
	nn.Default(&c.DecoderLayers, c.Layers)
	nn.Default(&c.FFN, 4*c.Width)
	if c.Variant == T5 {
		c.setT5Defaults()
	}
	nn.Default(&c.NormEps, 1e-5)
	if c.Variant == BART {
		nn.Default(&c.Activation, "gelu")
		nn.Default(&c.InitStd, 0.02)
	} else if c.Width > 0 {
		nn.Default(&c.InitStd, 1/math.Sqrt(float64(c.Width)))
	}
	nn.Default(&c.Activation, "relu")
	flag(&c.Tied, true)
	flag(&c.ScaleEmbeddings, c.Variant == Transformer)
	flag(&c.LogitsBias, false)
}

// flag gives an optional flag the value unless it has one.
func flag(flag **bool, value bool) {
	if *flag == nil {
		*flag = nn.Bool(value)
	}
}

// Validate returns all faults of c, with its defaults filled in, or nil.
func (c *Config) Validate() error {
	var f nn.Faults
	f.Size("layers", c.Layers, nn.MaxLayers)
	f.OptionalSize("decoder_layers", c.DecoderLayers, nn.MaxLayers)
	f.Size("heads", c.Heads, nn.MaxSize)
	f.Size("width", c.Width, nn.MaxSize)
	f.Size("context", c.Context, nn.MaxSize)
	f.OptionalSize("ffn", c.FFN, nn.MaxSize)
	f.OptionalSize("vocab", c.Vocab, nn.MaxSize)
	full := *c
	full.SetDefaults()
	f.Dropout("dropout", full.Dropout)
	f.Activation("activation", full.Activation)
	f.NormEps("norm_eps", full.NormEps)
	if c.Width > 0 {
		f.InitStd("init_std", full.InitStd)
	}
	c.checkT5(&f, full)
	if c.Heads > 0 && c.Width > 0 && c.Width%c.Heads != 0 && c.HeadDim == 0 {
		f.Add("width", "%d does not divide into %d heads: use a multiple, such as %d", c.Width, c.Heads, max(1, c.Width/c.Heads)*c.Heads)
	}
	if variants := []string{Transformer, BART, T5, LSTM}; !slices.Contains(variants, full.Variant) {
		f.Add("variant", "%q is not one of %s", full.Variant, strings.Join(variants, ", "))
	}
	if full.Variant == LSTM && c.Width%2 != 0 {
		f.Add("width", "%d is odd, and each direction of the encoder has half of it: use %d", c.Width, c.Width+1)
	}
	return f.Err()
}

// Text returns what training on text wants to know.
func (c *Config) Text() nn.Text {
	return nn.Text{Context: c.Context, Vocab: c.Vocab, Dropout: c.Dropout}
}

// SetText changes it.
func (c *Config) SetText(t nn.Text) { c.Context, c.Vocab, c.Dropout = t.Context, t.Vocab, t.Dropout }

// Head tells whether the head is the table of tokens; see nn.HeadConfig.
func (c *Config) Head() (head, table string, tied bool) {
	if c.Variant == T5 {
		return "lm_head.weight", "shared.weight", nn.IsSet(c.Tied)
	}
	return "lm_head.weight", "model.shared.weight", nn.IsSet(c.Tied)
}

// SetTied makes them one or two.
func (c *Config) SetTied(tied bool) { c.Tied = nn.Bool(tied) }

// HeadBias names the constant that is added to the logits; see nn.BiasConfig.
func (c *Config) HeadBias() (name string, there bool) {
	return "final_logits_bias", nn.IsSet(c.LogitsBias)
}

// SetHeadBias takes it away or puts it there.
func (c *Config) SetHeadBias(there bool) { c.LogitsBias = nn.Bool(there) }

// style is what the layers of a full configuration have in common.
func (c *Config) style() nn.Style {
	return nn.Style{Layout: autograd.OutIn, InitStd: c.InitStd, ResidualStd: c.InitStd, NormEps: c.NormEps, Bias: c.Variant != T5, Dropout: c.Dropout}
}
