package train

import (
	"gotrain/autograd"
	"gotrain/nn"
)

// Objective is what a run minimises. The loop, the optimizer and checkpoints do
// not know it: it makes the graphs of a micro-batch and names what they read.
// The zero Objective is the NLL of the next token, as packed text and
// instructions have it.
//
// A graph reads the inputs of nn.Training (ids, targets, positions, segments,
// loss_weight, rng), of which a batch has loss_weight set to 1/(its counted targets), and the
// float32 inputs that Inputs names, whose values data.Batch.Extra holds. The
// parameters that training changes are those of the model that are not frozen,
// and none other: what another model contributes, such as a reference, comes as
// an input.
type Objective struct {
	Name   string
	Inputs []string
	// Training builds the graph of the loss, a scalar, and of the NLL of each
	// target in nats, (N), which the metrics show.
	Training func(m nn.LanguageModel, s nn.Rows, cfg autograd.LossConfig) (g *autograd.Graph, loss, nll *autograd.Node)
	// Evaluation builds the graph of what is reported of held-out data in the
	// place of the NLL, (N).
	Evaluation func(m nn.LanguageModel, s nn.Rows) (g *autograd.Graph, nll *autograd.Node)
}

func (o Objective) training(m nn.LanguageModel, s nn.Rows, cfg autograd.LossConfig) (g *autograd.Graph, loss, nll *autograd.Node) {
	if o.Training == nil {
		return nn.Training(m, s, cfg)
	}
	return o.Training(m, s, cfg)
}

func (o Objective) evaluation(m nn.LanguageModel, s nn.Rows) (g *autograd.Graph, nll *autograd.Node) {
	if o.Evaluation == nil {
		g, _, nll = nn.Evaluation(m, s)
		return g, nll
	}
	return o.Evaluation(m, s)
}
