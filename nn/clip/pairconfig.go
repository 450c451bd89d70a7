package clip

import (
	"example.com/gotrain/nn"
)

// PairName is the family's of pictures and captions.
const PairName = "clip"

// PairConfig is the model section of both encoders.
type PairConfig struct {
	Text        Config        `yaml:"text" json:"text"`
	Picture     PictureConfig `yaml:"picture" json:"picture"`
	Projection  int           `yaml:"projection" json:"projection"`                       // E, of the space of both
	Temperature float64       `yaml:"temperature,omitempty" json:"temperature,omitempty"` // τ at the beginning: cosines are divided by it; default 0.07
}

// PictureConfig is the encoder of pictures, a Vision Transformer (Dosovitskiy et al. 2021).
type PictureConfig struct {
	Layers     int     `yaml:"layers" json:"layers"`                             // blocks
	Heads      int     `yaml:"heads" json:"heads"`                               // of attention
	Width      int     `yaml:"width" json:"width"`                               // D
	FFN        int     `yaml:"ffn,omitempty" json:"ffn,omitempty"`               // default 4·width
	Patch      int     `yaml:"patch" json:"patch"`                               // pixels of a side of what is a token
	Size       int     `yaml:"size,omitempty" json:"size,omitempty"`             // pixels of a side; 0 takes the data's
	Channels   int     `yaml:"channels,omitempty" json:"channels,omitempty"`     // of pictures; 0 takes the data's
	Activation string  `yaml:"activation,omitempty" json:"activation,omitempty"` // as that of the text encoder
	NormEps    float64 `yaml:"norm_eps,omitempty" json:"norm_eps,omitempty"`     // default 1e-5
}

// SetDefaults fills in every default that is left open.
func (c *PairConfig) SetDefaults() {
	c.Text.SetDefaults()
	nn.Default(&c.Picture.FFN, 4*c.Picture.Width)
	nn.Default(&c.Picture.Activation, c.Text.Activation)
	nn.Default(&c.Picture.NormEps, 1e-5)
	nn.Default(&c.Temperature, 0.07)
}

// Validate returns all faults of c, or nil.
func (c *PairConfig) Validate() error {
	var f nn.Faults
	full := *c
	full.SetDefaults()
	if err := c.Text.Validate(); err != nil {
		f.Add("text", "%v", err)
	}
	p := full.Picture
	f.Size("picture.layers", p.Layers, nn.MaxLayers)
	f.Size("picture.heads", p.Heads, nn.MaxSize)
	f.Size("picture.width", p.Width, nn.MaxSize)
	f.OptionalSize("picture.ffn", p.FFN, nn.MaxSize)
	f.Size("picture.patch", p.Patch, nn.MaxSize)
	f.OptionalSize("picture.size", p.Size, nn.MaxSize)
	f.OptionalSize("picture.channels", p.Channels, nn.MaxSize)
	f.Heads("picture.width", p.Width, p.Heads)
	if p.Patch > 0 && p.Size%p.Patch != 0 {
		f.Add("picture.patch", "%d does not divide pictures of %d pixels: use a divisor of their side", p.Patch, p.Size)
	}
	if p.Activation != quickGELU {
		f.Activation("picture.activation", p.Activation)
	}
	f.NormEps("picture.norm_eps", p.NormEps)
	f.Size("projection", c.Projection, nn.MaxSize)
	if !(full.Temperature >= 0.01 && full.Temperature <= 100) {
		f.Add("temperature", "is %g; use 0.01 to 100, such as 0.07", full.Temperature)
	}
	return f.Err()
}
