package nn

import (
	"example.com/gotrain/autograd"
)

// Core is what the models of all families have; a family's Model embeds it. It is
// read-only.
type Core struct {
	family string
	tuning Tuning
	style  Style
	params []Param
}

// Style is what the layers of a model have in common.
type Style struct {
	Layout autograd.WeightLayout // of the weights of linear layers
	// InitStd is the standard deviation of the first weights and tables,
	// ResidualStd that of projections that add to the residual stream.
	InitStd, ResidualStd float64
	NormEps              float64
	Bias                 bool    // linear layers and LayerNorm have one
	Dropout              float64 // in training only
	AttentionDropout     float64 // of the weights of attention, in training only
}

// NewCore runs forward, which builds all layers of a model of the family on the
// builder of an empty graph, and keeps the parameters that it declares. The error
// tells what is wrong with the graph, with the tuning's adapter or with its frozen
// parameters.
func NewCore(family string, t Tuning, s Style, forward func(*Builder)) (Core, error) {
	t.Adapter = t.Adapter.WithDefaults()
	c := Core{family: family, tuning: t, style: s}
	b := c.Builder(autograd.NewGraph(), Inputs{})
	forward(b)
	if err := b.Graph.Err(); err != nil {
		return Core{}, err
	}
	c.params = b.params
	return c, b.checkSets()
}

// Builder returns a builder of the model's layers over g.
func (c *Core) Builder(g *autograd.Graph, in Inputs) *Builder {
	return &Builder{Inputs: in, Graph: g, style: c.style, tuning: c.tuning, block: -1}
}

// Family returns the family's name.
func (c *Core) Family() string { return c.family }

// Tuning returns what the run has decided, with its defaults filled in.
func (c *Core) Tuning() Tuning { return c.tuning }

// Params returns the parameters in the order of their declaration.
func (c *Core) Params() []Param { return c.params }

// Random tells whether a training graph draws random numbers.
func (c *Core) Random() bool {
	return c.style.Dropout > 0 || c.style.AttentionDropout > 0 || c.tuning.Adapter.Dropout > 0
}
