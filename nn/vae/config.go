// Package vae is the variational autoencoder of latent diffusion (Kingma & Welling 2014,
// Esser et al. 2021, Rombach et al. 2022): diffusers' AutoencoderKL, with its names.
package vae

import (
	"errors"

	"example.com/gotrain/autograd"
	"example.com/gotrain/nn"
)

// Config is the model section of a VAE.
type Config struct {
	Channels  int    `yaml:"channels,omitempty" json:"channels,omitempty"`     // of pictures; 0 takes the data's
	Latent    int    `yaml:"latent,omitempty" json:"latent,omitempty"`         // channels of latents; default 4
	Widths    []int  `yaml:"widths" json:"widths"`                             // channels of each level; between two a side halves
	Layers    int    `yaml:"layers,omitempty" json:"layers,omitempty"`         // residual blocks of a level, the decoder has one more; default 1
	Groups    int    `yaml:"groups,omitempty" json:"groups,omitempty"`         // of group norms; default 32, or what divides all widths
	Attention *bool  `yaml:"attention,omitempty" json:"attention,omitempty"`   // of the pixels of the smallest level; default true
	Quantized *bool  `yaml:"quant_conv,omitempty" json:"quant_conv,omitempty"` // a layer of one pixel before and behind the latents; default true
	Output    string `yaml:"output,omitempty" json:"output,omitempty"`         // what the decoder gives, pixels or logits; "" takes what the recipe learns
}

// Outputs of decoders.
const (
	Pixels = "pixels" // in [-1, 1]
	Logits = "logits" // of pixels in [0, 1]
)

// MaxLevels bounds the levels: latents of a side of 1 of pictures of 2048.
const MaxLevels = 12

// SetDefaults fills in every default that is left open.
func (c *Config) SetDefaults() {
	nn.Default(&c.Latent, 4)
	nn.Default(&c.Layers, 1)
	if c.Groups == 0 {
		c.Groups = 32
		for _, w := range c.Widths {
			c.Groups = divisor(c.Groups, w)
		}
	}
	if c.Attention == nil {
		c.Attention = nn.Bool(true)
	}
	if c.Quantized == nil {
		c.Quantized = nn.Bool(true)
	}
}

// divisor is the greatest number that divides both.
func divisor(a, b int) int {
	for b > 0 {
		a, b = b, a%b
	}
	return max(a, 1)
}

// Validate returns all faults of c, or nil.
func (c *Config) Validate() error {
	var f nn.Faults
	f.OptionalSize("channels", c.Channels, nn.MaxSize)
	f.OptionalSize("latent", c.Latent, nn.MaxSize)
	f.OptionalSize("layers", c.Layers, nn.MaxLayers)
	f.OptionalSize("groups", c.Groups, nn.MaxSize)
	if c.Output != "" && c.Output != Pixels && c.Output != Logits {
		f.Add("output", "is %q; use %s or %s, or leave it out", c.Output, Pixels, Logits)
	}
	if len(c.Widths) < 1 || len(c.Widths) > MaxLevels {
		f.Add("widths", "names %d levels: give the channels of each, 1 to %d of them, such as [32, 64]", len(c.Widths), MaxLevels)
	}
	for _, w := range c.Widths {
		f.Size("widths", w, nn.MaxSize)
		if c.Groups > 0 && w > 0 && w%c.Groups != 0 {
			f.Add("groups", "%d does not divide %d channels of widths: use a divisor of all, or leave it out", c.Groups, w)
		}
	}
	return f.Err()
}

// Picture are the sizes of pictures and latents; see nn.AutoencoderConfig.
func (c *Config) Picture() (channels, latent, factor int) {
	full := *c
	full.SetDefaults()
	return full.Channels, full.Latent, 1 << (len(full.Widths) - 1)
}

// SetChannels changes the channels of pictures.
func (c *Config) SetChannels(n int) { c.Channels = n }

// Logits tells whether the decoder gives logits; see nn.AutoencoderConfig. Checkpoints of
// earlier versions leave it open.
func (c *Config) Logits() (bool, error) {
	if c.Output == "" {
		return false, errors.New("the autoencoder was saved without whether it gives pixels or logits of them, so that its pictures cannot be read: train it again")
	}
	return c.Output == Logits, nil
}

// SetLogits changes what the decoder gives.
func (c *Config) SetLogits(logits bool) {
	c.Output = Pixels
	if logits {
		c.Output = Logits
	}
}

// style is what the layers have in common.
func style() nn.Style {
	return nn.Style{Layout: autograd.OutIn, InitStd: 0.02, NormEps: 1e-6, Bias: true}
}
