package unet

import (
	"fmt"
	"math"

	"example.com/gotrain/autograd"
	"example.com/gotrain/nn"
)

// Family is the row of the table of families.
func Family() nn.Family { return nn.NewFamily("unet", Config{}, New, nil) }

// Model is a U-Net.
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
	var f nn.Faults
	if c.Channels == 0 {
		f.Add("channels", "is missing: they are those of the pictures")
	}
	if c.Context == 0 {
		f.Add("context", "is missing: it is the width of the text encoder")
	}
	if err := f.Err(); err != nil {
		return nil, err
	}
	m := &Model{config: c}
	side := 1 << (len(c.Widths) - 1)
	var err error
	m.Core, err = nn.NewCore("unet", t, style(), func(b *nn.Builder) {
		x := nn.Pictures{X: b.Graph.Floats("x", side*side, c.Channels), Batch: 1, Height: side, Width: side}
		m.denoise(b, x, b.Graph.Floats("times", 1, m.TimeWidth()), b.Graph.Floats("context", 1, c.Context), nil)
	})
	return m, err
}

// Config returns the configuration, with all defaults.
func (m *Model) Config() any { c := m.config; return &c }

// HuggingFace tells that transformers has no such model: it is diffusers' UNet2DConditionModel.
func (m *Model) HuggingFace() (map[string]any, error) {
	return nil, fmt.Errorf("%w: it is a UNet2DConditionModel of diffusers", nn.ErrNoCounterpart)
}

// TimeWidth is part of nn.Denoiser.
func (m *Model) TimeWidth() int { return m.config.Widths[0] }

// Denoise is part of nn.Denoiser. Sides are multiples of the factor of Config.Denoised.
func (m *Model) Denoise(g *autograd.Graph, x nn.Pictures, times, context *autograd.Node) nn.Pictures {
	return m.denoise(m.Builder(g, nn.Inputs{}), x, times, context, nil)
}

// DenoiseUnder is Denoise with what a Control adds.
func (m *Model) DenoiseUnder(g *autograd.Graph, x nn.Pictures, times, context *autograd.Node, added *Added) nn.Pictures {
	return m.denoise(m.Builder(g, nn.Inputs{}), x, times, context, added)
}

// pass is one forward pass.
type pass struct {
	*nn.Builder
	config  Config
	time    *autograd.Node // (B, 4·widths[0]), behind SiLU
	context *autograd.Node // (B·L, D)
}

func (m *Model) denoise(b *nn.Builder, x nn.Pictures, times, context *autograd.Node, added *Added) nn.Pictures {
	c := m.config
	p := &pass{Builder: b, config: c, context: context}
	p.embed(times)
	x, skips := p.encode(b.Conv("conv_in", x, c.Widths[0], nn.Same(3)))
	if added != nil {
		x = x.Add(added.Middle)
		for i, more := range added.Skips {
			skips[i] = skips[i].Add(more)
		}
	}
	x = p.decode(x, skips)
	x = b.GroupNorm("conv_norm_out", x, c.Groups, "silu")
	return b.Conv("conv_out", x, c.Channels, nn.Same(3))
}

// embed reads the times.
func (p *pass) embed(times *autograd.Node) {
	p.In("time_embedding", func() {
		width := 4 * p.config.Widths[0]
		p.time = p.linear("linear_2", autograd.Activation(p.linear("linear_1", times, width, true), nn.Act("silu")), width, true)
		p.time = autograd.Activation(p.time, nn.Act("silu")) // before each projection
	})
}

// encode is the way down and the middle. Skips are x and the states on the way.
func (p *pass) encode(x nn.Pictures) (middle nn.Pictures, skips []nn.Pictures) {
	c := p.config
	skips = []nn.Pictures{x}
	last := len(c.Widths) - 1
	for i, width := range c.Widths {
		p.In(fmt.Sprintf("down_blocks.%d", i), func() {
			for j := range c.Layers {
				x = p.residual(fmt.Sprintf("resnets.%d", j), x, width)
				if c.Attention[i] {
					x = p.transformer(fmt.Sprintf("attentions.%d", j), x, c.Heads[i])
				}
				skips = append(skips, x)
			}
			if i < last {
				x = p.Conv("downsamplers.0.conv", x, width, nn.ConvLayer{Kernel: 3, Stride: 2, Pad: [4]int{1, 1, 1, 1}})
				skips = append(skips, x)
			}
		})
	}
	p.In("mid_block", func() {
		width := c.Widths[last]
		x = p.residual("resnets.0", x, width)
		x = p.transformer("attentions.0", x, c.Heads[last])
		x = p.residual("resnets.1", x, width)
	})
	return x, skips
}

// decode is the way up, which takes the skips from the last on.
func (p *pass) decode(x nn.Pictures, skips []nn.Pictures) nn.Pictures {
	c := p.config
	last := len(c.Widths) - 1
	for i := range c.Widths {
		level := last - i
		width := c.Widths[level]
		p.In(fmt.Sprintf("up_blocks.%d", i), func() {
			for j := range c.Layers + 1 {
				skip := skips[len(skips)-1]
				skips = skips[:len(skips)-1]
				x.X = autograd.Concat(1, x.X, skip.X)
				x = p.residual(fmt.Sprintf("resnets.%d", j), x, width)
				if c.Attention[level] {
					x = p.transformer(fmt.Sprintf("attentions.%d", j), x, c.Heads[level])
				}
			}
			if level > 0 {
				x = p.Conv("upsamplers.0.conv", x.Double(), width, nn.Same(3))
			}
		})
	}
	return x
}

// residual is a residual block of two convolutions, norms before them, that learns the time
// between them.
func (p *pass) residual(name string, x nn.Pictures, width int) nn.Pictures {
	p.In(name, func() {
		h := p.GroupNorm("norm1", x, p.config.Groups, "silu")
		h = p.Conv("conv1", h, width, nn.Same(3))
		time := p.linear("time_emb_proj", p.time, width, true) // (B, W)
		pixels := h.Height * h.Width
		time = autograd.Broadcast(autograd.Reshape(time, h.Batch, 1, width), h.Batch, pixels, width)
		h.X = autograd.Add(h.X, autograd.Reshape(time, h.Batch*pixels, width))
		h = p.GroupNorm("norm2", h, p.config.Groups, "silu")
		h = p.Conv("conv2", h, width, nn.Same(3))
		if x.Channels() != width {
			x = p.Conv("conv_shortcut", x, width, nn.Same(1))
		}
		x = x.Add(h)
	})
	return x
}

// transformer lets pixels attend to each other and to the caption.
func (p *pass) transformer(name string, x nn.Pictures, heads int) nn.Pictures {
	p.In(name, func() {
		width := x.Channels()
		h := x
		p.Eps(attentionEps, func() { h = p.GroupNorm("norm", x, p.config.Groups, "") })
		project := func(name string) {
			if p.config.Linear {
				h.X = p.linear(name, h.X, width, true)
			} else {
				h = p.Conv(name, h, width, nn.Same(1))
			}
		}
		project("proj_in")
		for i := range p.config.Transforms {
			p.In(fmt.Sprintf("transformer_blocks.%d", i), func() { h.X = p.block(h, heads) })
		}
		project("proj_out")
		x = x.Add(h)
	})
	return x
}

// block is a transformer block over pixels: attention to all, to the caption, and a feed-forward
// layer with a gate (GEGLU, Shazeer 2020).
func (p *pass) block(x nn.Pictures, heads int) *autograd.Node {
	h, width := x.X, x.Channels()
	attend := func(name string, q, kv *autograd.Node) (y *autograd.Node) {
		p.In(name, func() {
			q, k, v := p.linear("to_q", q, width, false), p.linear("to_k", kv, width, false), p.linear("to_v", kv, width, false)
			y = p.CrossAttention("attention", q, k, v, autograd.AttentionMask{}, autograd.AttentionConfig{Batch: x.Batch, Heads: heads})
			y = p.linear("to_out.0", y, width, true)
		})
		return y
	}
	n := p.LayerNorm("norm1", h)
	h = autograd.Add(h, attend("attn1", n, n))
	h = autograd.Add(h, attend("attn2", p.LayerNorm("norm2", h), p.context))
	n = p.LayerNorm("norm3", h)
	p.In("ff.net", func() {
		both := p.linear("0.proj", n, 8*width, true)
		gate := autograd.Activation(autograd.Slice(both, 1, 4*width, 8*width), nn.Act("gelu"))
		n = p.linear("2", autograd.Mul(autograd.Slice(both, 1, 0, 4*width), gate), width, true)
	})
	return autograd.Add(h, n)
}

// linear is a linear layer whose first weights have the deviation of torch's, 1/√(3·in).
func (p *pass) linear(name string, x *autograd.Node, out int, bias bool) (y *autograd.Node) {
	p.Std(1/math.Sqrt(3*float64(x.Shape().Cols())), func() { y = p.LinearBias(name, x, out, bias) })
	return y
}
