// Package gan has the two halves of generative adversarial networks (Goodfellow et al.
// 2014): the DCGAN of Radford et al. 2016, with the names of PyTorch's tutorial, and a
// residual network whose layers follow a style, after StyleGAN (Karras et al. 2019).
package gan

import (
	"math/bits"

	"example.com/gotrain/autograd"
	"example.com/gotrain/nn"
)

// Config is the model section of both families.
type Config struct {
	Part     string `yaml:"part,omitempty" json:"part,omitempty"`         // generator or discriminator; the recipe makes both
	Channels int    `yaml:"channels,omitempty" json:"channels,omitempty"` // of pictures; 0 takes the data's
	Size     int    `yaml:"size,omitempty" json:"size,omitempty"`         // pixels of a side, 4·2ⁿ; 0 takes the data's
	Latent   int    `yaml:"latent,omitempty" json:"latent,omitempty"`     // random numbers of a picture; default 100
	Width    int    `yaml:"width,omitempty" json:"width,omitempty"`       // channels of the largest level, twice as many of each below, at most 8 times; default 64
	Spectral bool   `yaml:"spectral,omitempty" json:"spectral,omitempty"` // the discriminator's weights are divided by their largest singular value
}

// smallest is the side of the smallest level.
const smallest = 4

// widest is how many times the channels of the largest level the smallest has at most.
const widest = 8

// MaxLevels bounds the levels: pictures of 2048 pixels.
const MaxLevels = 10

// SetDefaults fills in every default that is left open.
func (c *Config) SetDefaults() {
	nn.Default(&c.Latent, 100)
	nn.Default(&c.Width, 64)
}

// Validate returns all faults of c, or nil.
func (c *Config) Validate() error {
	var f nn.Faults
	if c.Part != "" && c.Part != nn.GeneratorPart && c.Part != nn.DiscriminatorPart {
		f.Add("part", "%q is neither %s nor %s", c.Part, nn.GeneratorPart, nn.DiscriminatorPart)
	}
	f.OptionalSize("channels", c.Channels, nn.MaxSize)
	f.OptionalSize("latent", c.Latent, nn.MaxSize)
	f.OptionalSize("width", c.Width, nn.MaxSize)
	if c.Size != 0 && (c.Size < 2*smallest || c.Size > smallest<<MaxLevels || bits.OnesCount(uint(c.Size)) != 1) {
		f.Add("size", "%d pixels do not halve down to %d: use 8, 16, 32, 64 and so on up to %d", c.Size, smallest, smallest<<MaxLevels)
	}
	return f.Err()
}

// ForPart is the configuration of a part, for pictures of the data where it leaves them open.
func (c *Config) ForPart(part string, channels, size int) nn.AdversarialConfig {
	of := *c
	of.Part = part
	nn.Default(&of.Channels, channels)
	nn.Default(&of.Size, size)
	return &of
}

// Picture are the channels and the side of pictures, 0 where they are left open.
func (c *Config) Picture() (channels, size int) { return c.Channels, c.Size }

// levels is how often a picture halves.
func (c *Config) levels() int { return bits.Len(uint(c.Size/smallest)) - 1 }

// width is the number of channels behind so many halvings of a picture.
func (c *Config) width(halvings int) int { return c.Width << min(halvings, bits.Len(widest)-1) }

// complete checks a configuration of one part and fills it in.
func (c *Config) complete() error {
	if err := c.Validate(); err != nil {
		return err
	}
	c.SetDefaults()
	var f nn.Faults
	if c.Part == "" {
		f.Add("part", "is missing: a model is a %s or a %s", nn.GeneratorPart, nn.DiscriminatorPart)
	}
	if c.Channels == 0 || c.Size == 0 {
		f.Add("size", "and channels are missing: they are those of the pictures")
	}
	return f.Err()
}

// initStd is that of DCGAN's first weights.
const initStd = 0.02

// style is what the layers have in common.
func style() nn.Style {
	return nn.Style{Layout: autograd.OutIn, InitStd: initStd, NormEps: 1e-5, Bias: true}
}
