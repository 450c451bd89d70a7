package vae

import (
	"fmt"

	"example.com/gotrain/autograd"
	"example.com/gotrain/nn"
)

// Family is the row of the table of families.
func Family() nn.Family { return nn.NewFamily("vae", Config{}, New, nil) }

// Model is a VAE.
type Model struct {
	nn.Core
	config Config
}

// New returns the model of a configuration, or all faults of c and t.
func New(c Config, t nn.Tuning) (*Model, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	c.SetDefaults()
	if c.Channels == 0 {
		var f nn.Faults
		f.Add("channels", "is missing: they are those of the pictures")
		return nil, f.Err()
	}
	m := &Model{config: c}
	side := 1 << (len(c.Widths) - 1)
	var err error
	m.Core, err = nn.NewCore("vae", t, style(), func(b *nn.Builder) {
		x := nn.Pictures{X: b.Graph.Floats("x", side*side, c.Channels), Batch: 1, Height: side, Width: side}
		mean, _ := m.encode(b, x)
		m.decode(b, mean)
	})
	return m, err
}

// Config returns the configuration, with all defaults.
func (m *Model) Config() any { c := m.config; return &c }

// HuggingFace tells that transformers has no such model: it is diffusers' AutoencoderKL.
func (m *Model) HuggingFace() (map[string]any, error) {
	return nil, fmt.Errorf("%w: it is an AutoencoderKL of diffusers", nn.ErrNoCounterpart)
}

// Encode gives mean and log-variance of the latents of pictures whose sides are multiples of
// the factor of Config.Picture.
func (m *Model) Encode(g *autograd.Graph, x nn.Pictures) (mean, logVariance nn.Pictures) {
	return m.encode(m.Builder(g, nn.Inputs{}), x)
}

// Decode gives the pictures of latents.
func (m *Model) Decode(g *autograd.Graph, z nn.Pictures) nn.Pictures {
	return m.decode(m.Builder(g, nn.Inputs{}), z)
}

func (m *Model) encode(b *nn.Builder, x nn.Pictures) (mean, logVariance nn.Pictures) {
	c := m.config
	b.In("encoder", func() {
		x = b.Conv("conv_in", x, c.Widths[0], nn.Same(3))
		for i, width := range c.Widths {
			b.In(fmt.Sprintf("down_blocks.%d", i), func() {
				for j := range c.Layers {
					x = m.residual(b, fmt.Sprintf("resnets.%d", j), x, width)
				}
				if i+1 < len(c.Widths) {
					x = b.Conv("downsamplers.0.conv", x, width, nn.ConvLayer{Kernel: 3, Stride: 2, Pad: [4]int{0, 0, 1, 1}})
				}
			})
		}
		x = m.middle(b, x)
		x = b.GroupNorm("conv_norm_out", x, c.Groups, "silu")
		x = b.Conv("conv_out", x, 2*c.Latent, nn.Same(3))
	})
	if nn.IsSet(c.Quantized) {
		x = b.Conv("quant_conv", x, 2*c.Latent, nn.Same(1))
	}
	mean, logVariance = x, x
	mean.X = autograd.Slice(x.X, 1, 0, c.Latent)
	logVariance.X = autograd.Clip(autograd.Slice(x.X, 1, c.Latent, 2*c.Latent), -30, 20)
	return mean, logVariance
}

func (m *Model) decode(b *nn.Builder, z nn.Pictures) nn.Pictures {
	c := m.config
	x := z
	if nn.IsSet(c.Quantized) {
		x = b.Conv("post_quant_conv", x, c.Latent, nn.Same(1))
	}
	b.In("decoder", func() {
		last := len(c.Widths) - 1
		x = b.Conv("conv_in", x, c.Widths[last], nn.Same(3))
		x = m.middle(b, x)
		for i := range c.Widths {
			width := c.Widths[last-i]
			b.In(fmt.Sprintf("up_blocks.%d", i), func() {
				for j := range c.Layers + 1 {
					x = m.residual(b, fmt.Sprintf("resnets.%d", j), x, width)
				}
				if i < last {
					x = b.Conv("upsamplers.0.conv", x.Double(), width, nn.Same(3))
				}
			})
		}
		x = b.GroupNorm("conv_norm_out", x, c.Groups, "silu")
		x = b.Conv("conv_out", x, c.Channels, nn.Same(3))
	})
	return x
}

// middle is the block of the smallest level.
func (m *Model) middle(b *nn.Builder, x nn.Pictures) nn.Pictures {
	b.In("mid_block", func() {
		width := x.Channels()
		x = m.residual(b, "resnets.0", x, width)
		if nn.IsSet(m.config.Attention) {
			b.In("attentions.0", func() {
				x = x.Add(b.SelfAttention(b.GroupNorm("group_norm", x, m.config.Groups, ""), 1))
			})
		}
		x = m.residual(b, "resnets.1", x, width)
	})
	return x
}

// residual is a residual block of two convolutions (He et al. 2016), norms before them.
func (m *Model) residual(b *nn.Builder, name string, x nn.Pictures, width int) nn.Pictures {
	b.In(name, func() {
		h := b.GroupNorm("norm1", x, m.config.Groups, "silu")
		h = b.Conv("conv1", h, width, nn.Same(3))
		h = b.GroupNorm("norm2", h, m.config.Groups, "silu")
		h = b.Conv("conv2", h, width, nn.Same(3))
		if x.Channels() != width {
			x = b.Conv("conv_shortcut", x, width, nn.Same(1))
		}
		x = x.Add(h)
	})
	return x
}
