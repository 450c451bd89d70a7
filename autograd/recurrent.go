package autograd

import "example.com/gotrain/autograd/ir"

// RecurrentWeights are those of a layer of a recurrent network for its state, under the
// names and in the layout of torch.nn.LSTM and GRU.
type RecurrentWeights struct {
	Hidden     *Node // weight_hh (G·H, P)
	Bias       *Node // bias_hh (G·H), or nil
	Projection *Node // weight_hr (P, H) of an LSTM, or nil: P = H
}

// RecurrentState is what a sequence begins with: Hidden (B, P) and, of an LSTM, Cell
// (B, H); nil is 0.
type RecurrentState struct{ Hidden, Cell *Node }

// RecurrentConfig describes a layer of a recurrent network.
type RecurrentConfig struct {
	Cell    ir.Cell
	Batch   int  // B
	Reverse bool // from the last token of each sequence to the first
}

// Recurrent scans B sequences of T tokens: x (B·T, G·H) is what the inputs give the gates,
// W_ih·input + b_ih, → the state behind each token, (B·T, P). Segments (B·T) int32, or nil,
// make a new beginning with 0 wherever they change. The final state of an LSTM's cell is no
// result; that of the output is the row of y at the last token.
func Recurrent(x *Node, w RecurrentWeights, initial RecurrentState, segments *Node, cfg RecurrentConfig) *Node {
	g := x.g
	if broken(x, w.Hidden, w.Bias, w.Projection, initial.Hidden, initial.Cell, segments) {
		return g.pass()
	}
	hidden, state, ok := recurrentSizes(x, w, cfg)
	rows := ir.Shape{cfg.Batch, state}
	cells := ir.Shape{cfg.Batch, hidden}
	if !ok || initial.Hidden != nil && !initial.Hidden.shape.Equal(rows) || initial.Cell != nil && (!initial.Cell.shape.Equal(cells) || cfg.Cell == ir.GRU) ||
		segments != nil && !segments.shape.Equal(x.shape[:1]) {
		return g.recurrentFault("Recurrent", x, w, cfg, initial.Hidden, initial.Cell, segments)
	}
	n := x.shape[0]
	attrs := ir.RecurrentAttrs{Cell: cfg.Cell, Batch: cfg.Batch, Reverse: cfg.Reverse}
	in := []*Node{x, w.Hidden, w.Bias, w.Projection, initial.Hidden, initial.Cell, segments}
	return g.apply(ir.Recurrent, attrs, in, []spec{f32(n, state), like(x), f32(n, hidden)},
		[]bool{true, true, true, true, true, true, false}, recurrentGradient)
}

// recurrentGradient scans back, and multiplies once for the weights of all tokens.
func recurrentGradient(o *op, in []*Node, y, dy *Node) []*Node {
	g, x, w, wr, n := o.graph, in[0], in[1], in[3], in[0].shape[0]
	attrs := o.attrs.(ir.RecurrentAttrs)
	state, hidden := y.shape[1], w.shape[0]/attrs.Cell.Gates()
	outs := []spec{like(x), {}, f32(n, state), {}, {}, {}, {}}
	if attrs.Cell == ir.GRU {
		outs[1] = like(x)
	}
	if wr != nil {
		outs[3], outs[4] = f32(n, state), f32(n, hidden)
	}
	for i, first := range in[4:6] {
		if first != nil {
			outs[5+i] = like(first)
		}
	}
	dx := g.apply(ir.RecurrentBackward, attrs, []*Node{w, wr, in[4], in[5], in[6], project(y, 1), project(y, 2), y, dy}, outs, nil, nil)
	dg := dx
	if attrs.Cell == ir.GRU {
		dg = project(dx, 1)
	}
	grads := []*Node{dx, MatMul(dg, project(dx, 2), true, false), nil, nil, nil, nil, nil} // (N, G·H)ᵀ × (N, P) → (G·H, P)
	if in[2] != nil {
		grads[2] = columnSum(dg)
	}
	if wr != nil {
		grads[3] = MatMul(project(dx, 3), project(dx, 4), true, false) // (N, P)ᵀ × (N, H) → (P, H)
	}
	for i, first := range in[4:6] {
		if first != nil {
			grads[4+i] = project(dx, 5+i)
		}
	}
	return grads
}

// RecurrentCached is Recurrent for T new tokens of each sequence. The caches hold the state
// behind each token so far, hidden (B·S, P) and, of an LSTM, cell (B·S, H); position (B)
// int32 is the number of tokens, whose last state is where the new ones go on. So the text
// may be cut back to any of its tokens. It has no gradient.
func RecurrentCached(x *Node, w RecurrentWeights, hidden, cell, position *Node, cfg RecurrentConfig) *Node {
	g := x.g
	if broken(x, w.Hidden, w.Bias, w.Projection, hidden, cell, position) {
		return g.pass()
	}
	size, state, ok := recurrentSizes(x, w, cfg)
	if !ok || cfg.Reverse || len(hidden.shape) != 2 || hidden.shape[1] != state || hidden.shape[0]%cfg.Batch != 0 || (cell == nil) != (cfg.Cell == ir.GRU) ||
		cell != nil && !cell.shape.Equal(ir.Shape{hidden.shape[0], size}) || !position.shape.Equal(ir.Shape{cfg.Batch}) {
		return g.recurrentFault("RecurrentCached", x, w, cfg, hidden, cell, position)
	}
	attrs := ir.RecurrentAttrs{Cell: cfg.Cell, Batch: cfg.Batch}
	return g.apply(ir.RecurrentCached, attrs, []*Node{x, w.Hidden, w.Bias, w.Projection, hidden, cell, position},
		[]spec{f32(x.shape[0], state)}, nil, nil)
}

// recurrentSizes returns H and P, and whether x and w fit each other.
func recurrentSizes(x *Node, w RecurrentWeights, cfg RecurrentConfig) (hidden, state int, ok bool) {
	gates := cfg.Cell.Gates()
	if cfg.Batch <= 0 || len(x.shape) != 2 || len(w.Hidden.shape) != 2 || x.shape[0]%cfg.Batch != 0 ||
		x.shape[1]%gates != 0 || w.Hidden.shape[0] != x.shape[1] {
		return 0, 0, false
	}
	hidden, state = x.shape[1]/gates, w.Hidden.shape[1]
	if w.Projection == nil {
		ok = state == hidden
	} else {
		ok = cfg.Cell == ir.LSTM && w.Projection.shape.Equal(ir.Shape{state, hidden})
	}
	return hidden, state, ok && (w.Bias == nil || w.Bias.shape.Equal(ir.Shape{x.shape[1]}))
}

func (g *Graph) recurrentFault(name string, x *Node, w RecurrentWeights, cfg RecurrentConfig, others ...*Node) *Node {
	return g.fail(name, "the parts of a %s over batch %d do not fit: inputs %s, weights %s, others %s",
		cfg.Cell, cfg.Batch, x.shape, shapes(w.Hidden, w.Bias, w.Projection), shapes(others...))
}
