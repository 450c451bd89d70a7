// Package leaf holds the proof that a family, a recipe and a kind of data are leaves:
// all of them stand in this test package, and no other file knows of them.
package leaf

import (
	"fmt"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/nn"
)

// Config is the family's own section: two layers from inputs to outputs.
type Config struct {
	Channels int `yaml:"channels" json:"channels"` // of the hidden layer
	Inputs   int `yaml:"inputs" json:"inputs"`
	Outputs  int `yaml:"outputs" json:"outputs"`
}

// SetDefaults has nothing to fill in.
func (c *Config) SetDefaults() {}

// Validate returns all faults.
func (c *Config) Validate() error {
	var f nn.Faults
	f.Size("channels", c.Channels, nn.MaxSize)
	return f.Err()
}

// family is the row of the toy family.
func family() nn.Family { return nn.NewFamily("toy", Config{Channels: 6}, newToy, nil) }

// toy is y = relu(x·W + b)·V + c, x (N, Inputs), y (N, Outputs).
type toy struct {
	nn.Core
	config Config
}

func newToy(c Config, t nn.Tuning) (*toy, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	m := &toy{config: c}
	var err error
	m.Core, err = nn.NewCore("toy", t, nn.Style{Layout: autograd.OutIn, InitStd: 0.3, Bias: true}, func(b *nn.Builder) {
		m.forward(b, b.Graph.Floats("x", 1, c.Inputs))
	})
	return m, err
}

func (m *toy) Config() any { c := m.config; return &c }

func (m *toy) HuggingFace() (map[string]any, error) {
	return nil, fmt.Errorf("%w: it is a toy", nn.ErrNoCounterpart)
}

// apply adds the model to a graph.
func (m *toy) apply(g *autograd.Graph, x *autograd.Node) *autograd.Node {
	return m.forward(m.Builder(g, nn.Inputs{}), x)
}

func (m *toy) forward(b *nn.Builder, x *autograd.Node) *autograd.Node {
	h := autograd.Activation(b.Linear("up", x, m.config.Channels), ir.ReLU)
	return b.Linear("down", h, m.config.Outputs)
}
