package gan

import (
	"fmt"

	"example.com/gotrain/autograd"
	"example.com/gotrain/nn"
)

// network is the two halves of a family.
type network struct {
	draw  func(c *Config, b *nn.Builder, z *autograd.Node, s nn.Statistics) nn.Pictures
	judge func(c *Config, b *nn.Builder, x nn.Pictures, s nn.Statistics) *autograd.Node
}

// part is a half of a network.
type part struct {
	nn.Core
	config  Config
	network network
}

// Generator is the half that draws.
type Generator struct{ part }

// Discriminator is the half that judges.
type Discriminator struct{ part }

// newModel returns a *Generator or a *Discriminator, or all faults of c and t.
func newModel(family string, c Config, t nn.Tuning, n network) (nn.Model, error) {
	if err := c.complete(); err != nil {
		return nil, err
	}
	p := part{config: c, network: n}
	var err error
	p.Core, err = nn.NewCore(family, t, style(), func(b *nn.Builder) {
		if c.Part == nn.GeneratorPart {
			n.draw(&p.config, b, b.Graph.Floats("z", 1, c.Latent), nn.RunningStatistics)
			return
		}
		x := nn.Pictures{X: b.Graph.Floats("x", c.Size*c.Size, c.Channels), Batch: 1, Height: c.Size, Width: c.Size}
		n.judge(&p.config, b, x, nn.RunningStatistics)
	})
	if err != nil {
		return nil, err
	}
	if c.Part == nn.GeneratorPart {
		return &Generator{p}, nil
	}
	return &Discriminator{p}, nil
}

// Config returns the configuration, with all defaults.
func (p *part) Config() any { c := p.config; return &c }

// HuggingFace tells that transformers has no such model.
func (p *part) HuggingFace() (map[string]any, error) {
	return nil, fmt.Errorf("%w: it is half of a GAN", nn.ErrNoCounterpart)
}

// Latent is the number of random numbers that a picture is made of.
func (m *Generator) Latent() int { return m.config.Latent }

// Draw makes a picture of each row of z (rows, Latent), normal numbers.
func (m *Generator) Draw(g *autograd.Graph, z *autograd.Node, s nn.Statistics) nn.Pictures {
	return m.network.draw(&m.config, m.Builder(g, nn.Inputs{}), z, s)
}

// Judge gives (rows, 1), more for what it takes for true.
func (m *Discriminator) Judge(g *autograd.Graph, x nn.Pictures, s nn.Statistics) *autograd.Node {
	return m.network.judge(&m.config, m.Builder(g, nn.Inputs{}), x, s)
}
