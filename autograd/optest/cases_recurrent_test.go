package optest

import "example.com/gotrain/autograd/ir"

// recurrentShape is a layer of a recurrent network over some sequences.
type recurrentShape struct {
	name                           string
	cell                           ir.Cell
	batch, tokens, hidden, project int
	bias, first, segments, reverse bool
	bf16, bare                     bool // bare: without the outputs that only a gradient reads
}

var recurrentShapes = []recurrentShape{
	{name: "one token", cell: ir.LSTM, batch: 2, tokens: 1, hidden: 5, bias: true},
	{name: "few tokens", cell: ir.LSTM, batch: 3, tokens: 3, hidden: 17, first: true, segments: true},
	{name: "many tokens", cell: ir.LSTM, batch: 3, tokens: 6, hidden: 33, bias: true, segments: true},
	{name: "panels", cell: ir.LSTM, batch: 9, tokens: 4, hidden: 112, bias: true, first: true},
	{name: "bf16", cell: ir.LSTM, batch: 3, tokens: 4, hidden: 48, bias: true, first: true, bf16: true},
	{name: "reverse", cell: ir.LSTM, batch: 2, tokens: 5, hidden: 16, bias: true, first: true, segments: true, reverse: true},
	{name: "bare", cell: ir.LSTM, batch: 2, tokens: 7, hidden: 32, bias: true, bare: true},
	{name: "projection few tokens", cell: ir.LSTM, batch: 2, tokens: 2, hidden: 20, project: 7, bias: true, first: true},
	{name: "projection", cell: ir.LSTM, batch: 3, tokens: 5, hidden: 64, project: 24, bias: true, first: true, segments: true},
	{name: "projection bare", cell: ir.LSTM, batch: 3, tokens: 5, hidden: 16, project: 40, bare: true},
	{name: "one token", cell: ir.GRU, batch: 2, tokens: 1, hidden: 5, bias: true},
	{name: "few tokens", cell: ir.GRU, batch: 3, tokens: 3, hidden: 17, first: true, segments: true},
	{name: "many tokens", cell: ir.GRU, batch: 3, tokens: 6, hidden: 33, bias: true, segments: true},
	{name: "panels", cell: ir.GRU, batch: 9, tokens: 4, hidden: 112, bias: true, first: true},
	{name: "bf16", cell: ir.GRU, batch: 3, tokens: 4, hidden: 48, bias: true, first: true, bf16: true},
	{name: "reverse", cell: ir.GRU, batch: 2, tokens: 5, hidden: 16, bias: true, first: true, segments: true, reverse: true},
	{name: "bare", cell: ir.GRU, batch: 2, tokens: 7, hidden: 32, bias: true, bare: true},
}

// fraction draws from [0, 1), as gates are.
func fraction(shape ...int) arg { return fill(draw.Float64, shape) }

func recurrentCases() (list []opCase) {
	for _, r := range recurrentShapes {
		list = append(list, r.cases()...)
	}
	return append(list,
		recurrentShape{cell: ir.LSTM, batch: 2, tokens: 1, hidden: 12, bias: true}.cached("one token", 0, 4),
		recurrentShape{cell: ir.LSTM, batch: 2, tokens: 6, hidden: 32}.cached("prompt", 3, 0),
		recurrentShape{cell: ir.LSTM, batch: 1, tokens: 5, hidden: 32, project: 8, bias: true}.cached("projection", 2),
		recurrentShape{cell: ir.LSTM, batch: 1, tokens: 2, hidden: 12, project: 8}.cached("projection few tokens", 5),
		recurrentShape{cell: ir.GRU, batch: 2, tokens: 1, hidden: 12, bias: true}.cached("gru one token", 0, 4),
		recurrentShape{cell: ir.GRU, batch: 2, tokens: 6, hidden: 32}.cached("gru prompt", 3, 0),
	)
}

// small draws weights with which states neither vanish nor saturate.
func small(shape ...int) arg { return about(0, shape...) }

// sizes returns H, P and G·H.
func (r recurrentShape) sizes() (hidden, state, gates int) {
	state = r.hidden
	if r.project > 0 {
		state = r.project
	}
	return r.hidden, state, r.cell.Gates() * r.hidden
}

// weights returns w, b and wr.
func (r recurrentShape) weights() (w, b, wr arg) {
	hidden, state, gates := r.sizes()
	w = small(gates, state)
	if r.bias {
		b = normal(gates)
	}
	if r.project > 0 {
		wr = small(state, hidden)
	}
	return w, b, wr
}

func (r recurrentShape) attrs() ir.RecurrentAttrs {
	a := ir.RecurrentAttrs{Cell: r.cell, Batch: r.batch, Reverse: r.reverse}
	if r.bf16 {
		a.Compute = ir.BF16
	}
	return a
}

// cases are a scan and its gradient.
func (r recurrentShape) cases() []opCase {
	hidden, state, gates := r.sizes()
	n := r.batch * r.tokens
	w, b, wr := r.weights()
	var h0, c0, segments arg
	if r.first {
		h0 = small(r.batch, state)
		if r.cell == ir.LSTM {
			c0 = normal(r.batch, hidden)
		}
	}
	if r.segments {
		segments = documents(r.batch, r.tokens, 2, 1)
	}
	name := r.cell.String() + " " + r.name
	out := []ir.Shape{s(n, state), s(n, gates), s(n, hidden)}
	if r.bare {
		out[1], out[2] = nil, nil
	}
	back := []ir.Shape{s(n, gates), nil, nil, nil, nil, nil, nil}
	if !r.bare {
		back[2] = s(n, state)
		if r.cell == ir.GRU {
			back[1] = s(n, gates)
		}
		if r.project > 0 {
			back[3], back[4] = s(n, state), s(n, hidden)
		}
	}
	if r.first {
		back[5] = s(r.batch, state)
		if r.cell == ir.LSTM {
			back[6] = s(r.batch, hidden)
		}
	}
	return []opCase{
		{name, ir.Recurrent, r.attrs(), []arg{normal(n, gates), w, b, wr, h0, c0, segments}, out},
		{name, ir.RecurrentBackward, r.attrs(),
			[]arg{w, wr, h0, c0, segments, fraction(n, gates), normal(n, hidden), small(n, state), normal(n, state)}, back},
	}
}

// cached is a scan that goes on behind the tokens of position.
func (r recurrentShape) cached(name string, position ...int32) opCase {
	hidden, state, gates := r.sizes()
	const capacity = 9
	w, b, wr := r.weights()
	var cells arg
	if r.cell == ir.LSTM {
		cells = normal(r.batch*capacity, hidden)
	}
	return opCase{name, ir.RecurrentCached, r.attrs(),
		[]arg{normal(r.batch*r.tokens, gates), w, b, wr, small(r.batch*capacity, state), cells, ints(position...)}, []ir.Shape{s(r.batch*r.tokens, state)}}
}
