package unet

import (
	"fmt"
	"slices"

	"example.com/gotrain/autograd"
	"example.com/gotrain/nn"
)

// ControlConfig is the configuration of a Control: that of its U-Net, and how conditions are read.
type ControlConfig struct {
	Config `yaml:"-"`
	// Condition are the channels of the layers that read a condition. Each but the last has a
	// layer behind it that halves the sides, so that there are one more than sides of a picture
	// halve on the way to the latents.
	Condition []int `yaml:"condition,omitempty" json:"condition,omitempty"`
}

// ConditionChannels are those of a condition.
const ConditionChannels = 3

// SetCondition fills in the layers for conditions that have factor times the side of what the
// U-Net denoises: widths that double from 16.
func (c *ControlConfig) SetCondition(factor int) {
	if len(c.Condition) > 0 {
		return
	}
	for width := 16; factor >= 1; factor, width = factor/2, 2*width {
		c.Condition = append(c.Condition, width)
	}
}

// Factor is how many pixels of a condition's side there are for one of what the U-Net denoises.
func (c ControlConfig) Factor() int { return 1 << (len(c.Condition) - 1) }

// Validate returns all faults of c, or nil.
func (c *ControlConfig) Validate() error {
	var f nn.Faults
	if n := len(c.Condition); n < 1 || n > MaxLevels {
		f.Add("condition", "names %d layers: give the channels of each, 1 to %d of them, such as [16, 32]", n, MaxLevels)
	}
	for _, width := range c.Condition {
		f.Size("condition", width, nn.MaxSize)
	}
	if err := f.Err(); err != nil {
		return err
	}
	return c.Config.Validate()
}

// Control lets a U-Net heed a picture, such as contours or depths (Zhang et al. 2023): diffusers'
// ControlNetModel, with its names. It is a copy of the U-Net's way down and middle that sees the
// condition too; what it tells at each place goes through a convolution that begins at zero and is
// added there, so that a new one changes nothing.
type Control struct {
	nn.Core
	config ControlConfig
}

// Added is what a Control adds to a U-Net.
type Added struct {
	Skips  []nn.Pictures // to the states that the way up takes
	Middle nn.Pictures
}

// Scale is factor times what is added.
func (a *Added) Scale(factor float64) *Added {
	scaled := &Added{Middle: a.Middle.Scale(factor)}
	for _, skip := range a.Skips {
		scaled.Skips = append(scaled.Skips, skip.Scale(factor))
	}
	return scaled
}

// NewControl returns the model of a configuration, or all faults of c and t.
func NewControl(c ControlConfig, t nn.Tuning) (*Control, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	c.Condition = slices.Clone(c.Condition)
	c.SetDefaults()
	m := &Control{config: c}
	side := 1 << (len(c.Widths) - 1)
	var err error
	m.Core, err = nn.NewCore("controlnet", t, style(), func(b *nn.Builder) {
		pictures := func(name string, side, channels int) nn.Pictures {
			return nn.Pictures{X: b.Graph.Floats(name, side*side, channels), Batch: 1, Height: side, Width: side}
		}
		m.tell(b, pictures("x", side, c.Channels), b.Graph.Floats("times", 1, c.Widths[0]), b.Graph.Floats("context", 1, c.Context), pictures("condition", side*c.Factor(), ConditionChannels))
	})
	return m, err
}

// Config returns the configuration, with all defaults.
func (m *Control) Config() any { c := m.config; return &c }

// HuggingFace tells that transformers has no such model: it is diffusers' ControlNetModel.
func (m *Control) HuggingFace() (map[string]any, error) {
	return nil, fmt.Errorf("%w: it is a ControlNetModel of diffusers", nn.ErrNoCounterpart)
}

// Tell is what is added to the U-Net that sees x, times and context, as Model.Denoise has them,
// under a condition of Factor times the sides of x, with elements in [0, 1].
func (m *Control) Tell(g *autograd.Graph, x nn.Pictures, times, context *autograd.Node, condition nn.Pictures) *Added {
	return m.tell(m.Builder(g, nn.Inputs{}), x, times, context, condition)
}

func (m *Control) tell(b *nn.Builder, x nn.Pictures, times, context *autograd.Node, condition nn.Pictures) *Added {
	c := m.config
	p := &pass{Builder: b, config: c.Config, context: context}
	p.embed(times)
	x = b.Conv("conv_in", x, c.Widths[0], nn.Same(3))
	b.In("controlnet_cond_embedding", func() { x = x.Add(p.condition(condition, c)) })
	middle, skips := p.encode(x)
	zero := nn.ConvLayer{Kernel: 1, Stride: 1, Zero: true}
	added := &Added{Middle: b.Conv("controlnet_mid_block", middle, middle.Channels(), zero)}
	for i, skip := range skips {
		added.Skips = append(added.Skips, b.Conv(fmt.Sprintf("controlnet_down_blocks.%d", i), skip, skip.Channels(), zero))
	}
	return added
}

// condition reads a condition: (B·Factor·H·Factor·W, 3) → (B·H·W, widths[0]).
func (p *pass) condition(x nn.Pictures, c ControlConfig) nn.Pictures {
	x = p.Conv("conv_in", x, c.Condition[0], nn.Same(3)).SiLU()
	for i, width := range c.Condition[:len(c.Condition)-1] {
		x = p.Conv(fmt.Sprintf("blocks.%d", 2*i), x, width, nn.Same(3)).SiLU()
		halved := nn.ConvLayer{Kernel: 3, Stride: 2, Pad: [4]int{1, 1, 1, 1}}
		x = p.Conv(fmt.Sprintf("blocks.%d", 2*i+1), x, c.Condition[i+1], halved).SiLU()
	}
	last := nn.Same(3)
	last.Zero = true
	return p.Conv("conv_out", x, c.Widths[0], last)
}
