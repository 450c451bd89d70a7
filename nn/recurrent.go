package nn

import (
	"cmp"
	"fmt"
	"math"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/ir"
)

// RecurrentLayer is a layer of torch.nn.LSTM or torch.nn.GRU.
type RecurrentLayer struct {
	Index      int // I in the names of its parameters
	Cell       ir.Cell
	Hidden     int  // H
	Projection int  // of an LSTM's state, P; 0 is none, P = H
	Bias       bool // both of torch's
	Reverse    bool // from the last token to the first, as the second direction of torch's; without a cache
}

// Recurrent is the layer over the sequences of x (N, in) → (N, P). It declares torch's
// "weight_ih_lI" (G·H, in), "weight_hh_lI" (G·H, P), "bias_ih_lI" and "bias_hh_lI" (G·H) and, for a
// projection, "weight_hr_lI" (P, H), all with "_reverse" behind them where the layer is, with
// torch's first values. Each segment begins with
// states of 0. With a cache it goes on from the states "cache.h.B" and "cache.c.B" of
// block B, which hold those behind every token.
func (b *Builder) Recurrent(x *autograd.Node, l RecurrentLayer) *autograd.Node {
	gates, state := l.Cell.Gates()*l.Hidden, cmp.Or(l.Projection, l.Hidden)
	first := Init{Bound: 1 / math.Sqrt(float64(l.Hidden))}
	suffix := ""
	if l.Reverse {
		suffix = "_reverse"
	}
	weight := func(name string, rows, cols int) *autograd.Node {
		return b.param(Param{Name: fmt.Sprintf("weight_%s_l%d%s", name, l.Index, suffix), Shape: ir.Shape{rows, cols}, Init: first, Decay: true, Matrix: true, Layout: autograd.OutIn})
	}
	bias := func(name string) *autograd.Node {
		if !l.Bias {
			return nil
		}
		return b.param(Param{Name: fmt.Sprintf("bias_%s_l%d%s", name, l.Index, suffix), Shape: ir.Shape{gates}, Init: first})
	}
	in, inBias := weight("ih", gates, x.Shape().Cols()), bias("ih")
	w := autograd.RecurrentWeights{Hidden: weight("hh", gates, state), Bias: bias("hh")}
	if l.Projection > 0 {
		w.Projection = weight("hr", state, l.Hidden)
	}
	cfg := autograd.RecurrentConfig{Cell: l.Cell, Batch: b.Batch, Reverse: l.Reverse}
	return b.layer(fmt.Sprintf("l%d%s", l.Index, suffix), func() *autograd.Node {
		x = autograd.Linear(x, in, inBias, autograd.OutIn) // (N, in) → (N, G·H)
		if b.Cache == nil {
			return autograd.Recurrent(x, w, autograd.RecurrentState{}, b.Segments, cfg)
		}
		hidden := b.cache("h", state)
		var cell *autograd.Node
		if l.Cell == ir.LSTM {
			cell = b.cache("c", l.Hidden)
		}
		return autograd.RecurrentCached(x, w, hidden, cell, b.Cache.Position, cfg)
	})
}
