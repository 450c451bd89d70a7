package seq2seq

import (
	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/nn"
)

// scan is a layer of an LSTM over the target: (N, D) → (N, D).
func (c *Config) scan(b *nn.Builder, x *autograd.Node) *autograd.Node {
	return b.Recurrent(x, nn.RecurrentLayer{Cell: ir.LSTM, Hidden: c.Width, Bias: true})
}

// scanBoth is a layer of LSTMs over the source, half of its width from each end: (N, D) →
// (N, D).
func (c *Config) scanBoth(b *nn.Builder, x *autograd.Node) *autograd.Node {
	layer := nn.RecurrentLayer{Cell: ir.LSTM, Hidden: c.Width / 2, Bias: true}
	forward := b.Recurrent(x, layer)
	layer.Reverse = true
	return b.Dropout(autograd.Concat(1, forward, b.Recurrent(x, layer)))
}
