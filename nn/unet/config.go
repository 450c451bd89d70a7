// Package unet is the denoiser of latent diffusion (Ronneberger et al. 2015, Ho et al. 2020,
// Rombach et al. 2022): diffusers' UNet2DConditionModel, with its names, of Stable Diffusion 1
// and 2 by configuration.
package unet

import (
	"slices"

	"example.com/gotrain/autograd"
	"example.com/gotrain/nn"
)

// Config is the model section of a U-Net.
type Config struct {
	Channels   int    `yaml:"channels,omitempty" json:"channels,omitempty"`     // of pictures; 0 takes the data's
	Context    int    `yaml:"context,omitempty" json:"context,omitempty"`       // width of the states of captions; 0 takes the text encoder's
	Widths     []int  `yaml:"widths" json:"widths"`                             // channels of each level; between two a side halves
	Layers     int    `yaml:"layers,omitempty" json:"layers,omitempty"`         // residual blocks of a level, one more on the way up; default 2
	Groups     int    `yaml:"groups,omitempty" json:"groups,omitempty"`         // of group norms; default 32, or what divides all widths
	Heads      []int  `yaml:"heads,omitempty" json:"heads,omitempty"`           // of attention, of each level or one number for all; default 8
	Attention  []bool `yaml:"attention,omitempty" json:"attention,omitempty"`   // levels whose pixels attend; default all but the smallest
	Linear     bool   `yaml:"linear,omitempty" json:"linear,omitempty"`         // projections around attention as linear layers, as in version 2
	Transforms int    `yaml:"transforms,omitempty" json:"transforms,omitempty"` // transformer blocks of each attention; default 1
}

// MaxLevels bounds the levels.
const MaxLevels = 12

// SetDefaults fills in every default that is left open.
func (c *Config) SetDefaults() {
	nn.Default(&c.Layers, 2)
	nn.Default(&c.Transforms, 1)
	if c.Groups == 0 {
		c.Groups = 32
		for _, w := range c.Widths {
			c.Groups = divisor(c.Groups, w)
		}
	}
	switch len(c.Heads) {
	case 0:
		c.Heads = slices.Repeat([]int{8}, len(c.Widths))
	case 1:
		c.Heads = slices.Repeat(c.Heads, len(c.Widths))
	}
	if len(c.Attention) == 0 {
		for i := range c.Widths {
			c.Attention = append(c.Attention, i+1 < len(c.Widths))
		}
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
	f.OptionalSize("context", c.Context, nn.MaxSize)
	f.OptionalSize("layers", c.Layers, nn.MaxLayers)
	f.OptionalSize("transforms", c.Transforms, nn.MaxLayers)
	f.OptionalSize("groups", c.Groups, nn.MaxSize)
	levels := len(c.Widths)
	if levels < 1 || levels > MaxLevels {
		f.Add("widths", "names %d levels: give the channels of each, 1 to %d of them, such as [32, 64]", levels, MaxLevels)
	}
	if n := len(c.Heads); n > 1 && n != levels {
		f.Add("heads", "are of %d levels, and there are %d: give one number for all, or one for each", n, levels)
	}
	if n := len(c.Attention); n > 0 && n != levels {
		f.Add("attention", "is of %d levels, and there are %d: say true or false for each", n, levels)
	}
	full := *c
	full.Widths = slices.Clone(c.Widths)
	full.SetDefaults()
	for i, w := range c.Widths {
		f.Size("widths", w, nn.MaxSize)
		if c.Groups > 0 && w > 0 && w%c.Groups != 0 {
			f.Add("groups", "%d does not divide %d channels of widths: use a divisor of all, or leave it out", c.Groups, w)
		}
		if i < len(full.Heads) && len(full.Attention) == levels && (full.Attention[i] || i+1 == levels) {
			f.Size("heads", full.Heads[i], nn.MaxSize)
			f.Heads("widths", w, full.Heads[i])
		}
	}
	if levels > 0 && c.Widths[0]%2 != 0 {
		f.Add("widths", "begins with %d: use an even number, for times are as many sines as cosines", c.Widths[0])
	}
	return f.Err()
}

// Denoised are the sizes of pictures and captions; see nn.DenoiserConfig.
func (c *Config) Denoised() (channels, factor, context int) {
	return c.Channels, 1 << (len(c.Widths) - 1), c.Context
}

// SetDenoised changes the sizes of pictures and captions.
func (c *Config) SetDenoised(channels, context int) { c.Channels, c.Context = channels, context }

// Epsilons of norms, diffusers'.
const (
	blockEps     = 1e-5 // of residual blocks, and of layer norms
	attentionEps = 1e-6 // of the group norm before attention
)

// style is what the layers have in common.
func style() nn.Style {
	return nn.Style{Layout: autograd.OutIn, NormEps: blockEps, Bias: true}
}
