package cpu

import (
	"unsafe"

	"example.com/gotrain/autograd/cpu/kernel"
	"example.com/gotrain/autograd/ir"
)

// scanBack is a RecurrentBackward. A step, from the last to the first, multiplies the
// gradients of the gates of the step behind it by the weights, adds dy, and goes back
// through the gates; a panel of units is a task.
type scanBack struct {
	*call
	recurrence
	gate, cell, y, dy, h0, c0                 []float32
	dx, dg, previous, dprojected, full, dh, c []float32 // dh (B, P): gradient of the states; c (B, H): of the cells
	dfull                                     []float32 // (B, H): the gradient before the projection, dh without one
	carry                                     []float32 // (B, H): what z leaves of dh
	back                                      []float32 // (B, G·H): of w·h + b; 0 where the sequence began
	zeros                                     []float32 // (H)
	rows                                      [2][]float32
	stateRows                                 []float32
	weights, projection                       kernel.Panels
	product, project                          kernel.Args

	s                           int
	pack, states, units, before func()
}

// packedBack is packed: the gates of a panel of units have to begin at whole vectors of the
// operand.
func (r *recurrence) packedBack() bool { return r.packed() && r.hidden%16 == 0 }

func scratchRecurrentBackward(b *Backend, in *ir.Instr) int {
	s := scanBack{call: &call{Backend: b, Instr: in}, recurrence: recurrenceOf(in)}
	var r room
	s.place(&r)
	return r.used
}

func (s *scanBack) place(r *room) {
	bf16 := s.Compute == ir.BF16
	s.dh, s.c = r.take(s.Batch*s.state), r.take(s.Batch*s.hidden)
	s.dfull = s.dh
	if s.projected {
		s.dfull = r.take(s.Batch * s.hidden)
	}
	s.carry, s.zeros = r.take(s.Batch*s.hidden), r.take(max(s.hidden, s.state))
	s.back = r.take(s.Batch * s.gates)
	if !s.packedBack() {
		return
	}
	panels := func(n, k int) kernel.Panels {
		return s.gemm.NewPanels(n, k, bf16, r.take(s.gemm.PanelFloats(n, k, bf16)))
	}
	s.weights = panels(s.state, s.gates)
	for i := range s.rows {
		s.rows[i] = r.take(s.gemm.RowFloats(s.Batch, s.gates, bf16))
	}
	if s.projected {
		s.projection = panels(s.hidden, s.state)
		s.stateRows = r.take(s.gemm.RowFloats(s.Batch, s.state, bf16))
	}
}

func bindRecurrentBackward(c *call) func() {
	s := &scanBack{
		call: c, recurrence: recurrenceOf(c.Instr), h0: c.x(2), c0: c.x(3), gate: c.x(5), cell: c.x(6), y: c.x(7), dy: c.x(8),
		dx: c.y(0), dg: c.y(1), previous: c.y(2), dprojected: c.y(3), full: c.y(4),
	}
	s.resets = c.ids(4)
	s.place(&room{data: c.scratch()})
	w, wr := c.x(0), c.x(1)
	bf16 := s.Compute == ir.BF16
	s.product = kernel.Args{M: s.Batch, N: s.state, K: s.gates, A: s.back, LDA: s.gates, B: w, LDB: s.state,
		C: s.dh, LDC: s.state, LDR: s.tokens * s.state, BF16: bf16}
	s.project = kernel.Args{M: s.Batch, N: s.hidden, K: s.state, A: s.dh, LDA: s.state, B: wr, LDB: s.hidden, C: s.dfull, LDC: s.hidden, BF16: bf16}
	s.tasks(w, wr)
	s.before = c.split(s.Batch*s.tokens, rowGrain(streamGrain, s.state), func(lo, hi, _ int) {
		for row := lo; row < hi; row++ {
			b, step := row/s.tokens, row%s.tokens
			if s.Reverse {
				step = s.tokens - 1 - step
			}
			copy(s.previous[row*s.state:][:s.state], s.stateBefore(b, step))
		}
	})
	dh0, dc0 := c.y(5), c.y(6)
	return func() {
		clear(s.zeros)
		s.run()
		if s.previous != nil {
			s.before()
		}
		s.first(dh0, dc0)
	}
}

// tasks makes those of a step.
func (s *scanBack) tasks(w, wr []float32) {
	if !s.packedBack() {
		s.states = s.each(s.Batch, s.Batch*s.state, func(b, _ int) { s.finishState(b, 0, s.state) })
		s.units = s.each(s.Batch, 4*s.Batch*s.gates, func(b, _ int) { s.unit(b, 0, s.hidden) })
		return
	}
	s.pack = s.each(s.weights.Count(), s.gates*s.state, func(panel, _ int) { s.gemm.PackPanel(&s.weights, panel, w, s.state, false) })
	s.states = s.each(s.weights.Count(), s.work(s.gates, s.state), s.statePanel)
	if s.projected {
		pack := s.pack
		packProjection := s.each(s.projection.Count(), s.state*s.hidden, func(panel, _ int) { s.gemm.PackPanel(&s.projection, panel, wr, s.hidden, false) })
		s.pack = func() { pack(); packProjection() }
		s.units = s.each(s.projection.Count(), s.work(s.state, s.hidden), s.unitPanel)
	}
}

func (s *scanBack) run() {
	packed := s.packedBack()
	if packed {
		s.pack()
	}
	clear(s.c)
	clear(s.carry)
	for s.s = s.tokens - 1; s.s >= 0; s.s-- {
		s.product.Residual = s.dy[s.at(0, s.s)*s.state:]
		if !packed && s.s < s.tokens-1 {
			s.gemm.Mul(&s.product)
		}
		s.states()
		if !packed && s.projected {
			s.gemm.Mul(&s.project)
		}
		if !packed || s.projected {
			s.units()
		}
	}
}

// statePanel computes a panel of the gradients of the states.
func (s *scanBack) statePanel(panel, worker int) {
	if s.s < s.tokens-1 {
		s.gemm.MulPanel(worker, &s.product, s.rows[(s.s+1)%2], &s.weights, panel)
	}
	from, to := s.weights.Columns(panel)
	for b := range s.Batch {
		s.finishState(b, from, to)
	}
	if s.projected {
		s.gemm.PackRows(s.stateRows, s.dh, s.state, s.Batch, s.state, from, to, s.Compute == ir.BF16)
		return
	}
	s.unitRange(from, to)
}

// unitPanel goes back through the projection for a panel of units.
func (s *scanBack) unitPanel(panel, worker int) {
	s.gemm.MulPanel(worker, &s.project, s.stateRows, &s.projection, panel)
	s.unitRange(s.projection.Columns(panel))
}

// unitRange goes back through the gates of units [from, to), and lays out what the next
// step multiplies.
func (s *scanBack) unitRange(from, to int) {
	for b := range s.Batch {
		s.unit(b, from, to)
	}
	for gate := range s.Cell.Gates() {
		at := gate * s.hidden
		s.gemm.PackRows(s.rows[s.s%2], s.back, s.gates, s.Batch, s.gates, at+from, at+to, s.Compute == ir.BF16)
	}
}

// finishState completes the gradient of states [from, to) of sequence b.
func (s *scanBack) finishState(b, from, to int) {
	dh, row := s.dh[b*s.state+from:b*s.state+to], s.at(b, s.s)
	if s.s == s.tokens-1 {
		copy(dh, s.dy[row*s.state+from:])
	}
	if s.Cell == ir.GRU {
		s.vec.Add(dh, dh, s.carry[b*s.hidden+from:b*s.hidden+to])
	}
	if s.dprojected != nil {
		copy(s.dprojected[row*s.state+from:], dh)
	}
}

// unit goes back through the gates of units [from, to) of sequence b.
func (s *scanBack) unit(b, from, to int) {
	n, row := s.hidden, s.at(b, s.s)
	gate, dx, back := s.gate[row*s.gates:][:s.gates], s.dx[row*s.gates:][:s.gates], s.back[b*s.gates:][:s.gates]
	dh, dc := s.dfull[b*n+from:b*n+to], s.c[b*n+from:b*n+to]
	cell := s.cell[row*n+from : row*n+to]
	part := func(i int) []float32 { return dx[i*n+from : i*n+to] }
	if s.full != nil {
		full := s.full[row*n+from : row*n+to]
		s.vec.Tanh(full, cell)
		s.vec.Mul(full, full, gate[3*n+from:])
	}
	if unsafe.SliceData(dx) != unsafe.SliceData(gate) {
		for i := range s.Cell.Gates() {
			copy(part(i), gate[i*n+from:])
		}
	}
	begins := s.begins(b, s.s)
	if s.Cell == ir.GRU {
		s.vec.GRUBackward(part(0), part(1), part(2), cell, s.stateBefore(b, s.s)[from:], dh, back[2*n+from:])
		copy(back[from:to], part(0))
		copy(back[n+from:n+to], part(1))
		if s.dg != nil {
			for i := range 3 {
				copy(s.dg[row*s.gates+i*n+from:], back[i*n+from:i*n+to])
			}
		}
		copy(s.carry[b*n+from:], dh)
	} else {
		s.vec.LSTMBackward(part(0), part(1), part(2), part(3), cell, s.cellBefore(b)[from:], dh, dc)
		for i := range 4 {
			copy(back[i*n+from:i*n+to], part(i))
		}
	}
	if !begins {
		return
	}
	for i := range s.Cell.Gates() {
		clear(back[i*n+from : i*n+to])
	}
	clear(dc)
	clear(s.carry[b*n+from : b*n+to])
}

// stateBefore is the state (P) from which step s of sequence b went on.
func (s *scanBack) stateBefore(b, step int) []float32 {
	switch {
	case step == 0 && s.h0 != nil:
		return s.h0[b*s.state:][:s.state]
	case step == 0 || s.begins(b, step):
		return s.zeros[:s.state]
	}
	return s.y[s.at(b, step-1)*s.state:][:s.state]
}

// cellBefore is the cell (H) from which the step of sequence b went on.
func (s *scanBack) cellBefore(b int) []float32 {
	switch {
	case s.s == 0 && s.c0 != nil:
		return s.c0[b*s.hidden:][:s.hidden]
	case s.s == 0 || s.begins(b, s.s):
		return s.zeros[:s.hidden]
	}
	return s.cell[s.at(b, s.s-1)*s.hidden:][:s.hidden]
}

// first gives the gradients of the states with which the sequences began.
func (s *scanBack) first(dh0, dc0 []float32) {
	if dh0 != nil {
		s.product.Residual, s.product.C = nil, dh0
		s.gemm.Mul(&s.product)
		s.product.C = s.dh
		if s.Cell == ir.GRU {
			s.vec.Add(dh0, dh0, s.carry)
		}
	}
	copy(dc0, s.c)
}
