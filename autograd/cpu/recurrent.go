package cpu

import (
	"example.com/gotrain/autograd/cpu/kernel"
	"example.com/gotrain/autograd/ir"
)

// packSteps is the number of steps from which the weights of a recurrence are laid out as
// panels before the first; fewer multiply by the weights where they are.
const packSteps = 4

// recurrence is the shape of a Recurrent or one of its kin.
type recurrence struct {
	ir.RecurrentAttrs
	tokens, hidden, state int // T, H, P
	gates                 int // G·H
	projected             bool
	resets                []int32 // where they change, a sequence begins anew
}

func recurrenceOf(in *ir.Instr) recurrence {
	x, w, wr := in.In[0], in.In[1], in.In[3]
	if in.Kind == ir.RecurrentBackward {
		x, w, wr = in.In[5], in.In[0], in.In[1]
	}
	attrs := in.Attrs.(ir.RecurrentAttrs)
	return recurrence{
		RecurrentAttrs: attrs, tokens: x.Shape[0] / attrs.Batch, gates: w.Shape[0],
		hidden: w.Shape[0] / attrs.Cell.Gates(), state: w.Shape[1], projected: wr != nil,
	}
}

// at is the row of step s of sequence b.
func (r *recurrence) at(b, s int) int {
	if r.Reverse {
		s = r.tokens - 1 - s
	}
	return b*r.tokens + s
}

// begins tells whether sequence b begins anew with 0 at step s, not the first.
func (r *recurrence) begins(b, s int) bool {
	return r.resets != nil && s > 0 && s < r.tokens && r.resets[r.at(b, s)] != r.resets[r.at(b, s-1)]
}

// work is the size of a product of all sequences with n·k weights, as each takes it.
func (r *recurrence) work(n, k int) int { return r.Batch * n * k / 16 }

// room hands out the workspace, or counts what is wanted of it where data is nil.
type room struct {
	data []float32
	used int
}

func (r *room) take(n int) []float32 {
	at := r.used
	r.used += aligned(n)
	if r.data == nil {
		return nil
	}
	return r.data[at:][:n:n]
}

// scan is a Recurrent, or a RecurrentCached. A step multiplies the states of all sequences
// by the weights and applies the gates: the columns of a panel of units, in all gates, are
// one task, with which the next step's operand is laid out. Under a projection the states
// are a second product of the step.
type scan struct {
	*call
	recurrence
	x, bias, y, gate, cell []float32 // gate, cell: nil where they are not wanted
	position               []int32   // of a RecurrentCached, whose cell is the cache
	capacity               int       // rows of its caches
	gateRow, cellRow       int       // floats from a sequence to the next

	h, c, full []float32 // the states: (B, P), (B, H), and before the projection (B, H)
	rows       [2][]float32
	fullRows   []float32
	parts      []kernel.Panels // of w: a gate each
	projection kernel.Panels
	products   []kernel.Args
	project    kernel.Args

	s                        int // the step in progress
	pack, apply, projectUnit func()
}

func scratchRecurrent(b *Backend, in *ir.Instr) int {
	s := scan{call: &call{Backend: b, Instr: in}, recurrence: recurrenceOf(in)}
	var r room
	s.place(&r)
	return r.used
}

// packed tells whether the weights are laid out before the first step.
func (r *recurrence) packed() bool { return r.tokens >= packSteps }

// place takes the workspace.
func (s *scan) place(r *room) {
	bf16 := s.Compute == ir.BF16
	s.h, s.c = r.take(s.Batch*s.state), r.take(s.Batch*s.hidden)
	if s.projected {
		s.full = r.take(s.Batch * s.hidden)
	}
	if s.Kind == ir.RecurrentCached || s.Out[1] == nil {
		s.gate, s.gateRow = r.take(s.Batch*s.gates), s.gates
	}
	if s.Cell == ir.GRU && (s.Kind == ir.RecurrentCached || s.Out[2] == nil) {
		s.cell, s.cellRow = r.take(s.Batch*s.hidden), s.hidden
	}
	if !s.packed() {
		return
	}
	panels := func(n, k int) kernel.Panels {
		return s.gemm.NewPanels(n, k, bf16, r.take(s.gemm.PanelFloats(n, k, bf16)))
	}
	for range s.Cell.Gates() {
		s.parts = append(s.parts, panels(s.hidden, s.state))
	}
	for i := range s.rows {
		s.rows[i] = r.take(s.gemm.RowFloats(s.Batch, s.state, bf16))
	}
	if s.projected {
		s.projection = panels(s.state, s.hidden)
		s.fullRows = r.take(s.gemm.RowFloats(s.Batch, s.hidden, bf16))
	}
}

func bindRecurrent(c *call) func() {
	s := &scan{call: c, recurrence: recurrenceOf(c.Instr), x: c.x(0), bias: c.x(2), y: c.y(0), gate: c.y(1), cell: c.y(2)}
	s.resets = c.ids(6)
	s.gateRow, s.cellRow = s.tokens*s.gates, s.tokens*s.hidden
	s.bind()
	h0, c0 := c.x(4), c.x(5)
	return func() {
		clear(s.h[copy(s.h, h0):])
		clear(s.c[copy(s.c, c0):])
		s.run()
	}
}

func bindRecurrentCached(c *call) func() {
	s := &scan{call: c, recurrence: recurrenceOf(c.Instr), x: c.x(0), bias: c.x(2), y: c.y(0), position: c.ids(6)}
	s.capacity = c.In[4].Shape[0] / s.Batch
	hcache, ccache := c.x(4), c.x(5)
	s.bind()
	if s.Cell == ir.LSTM {
		s.cell = ccache
	}
	return func() {
		for b, p := range s.position {
			if p < 0 || int(p)+s.tokens > s.capacity {
				c.fault(c.Instr, "sequence %d: %d tokens at position %d do not fit the cache of %d", b, s.tokens, p, s.capacity)
				return
			}
			before := b*s.capacity + int(p) - 1
			h, cell := s.h[b*s.state:][:s.state], s.c[b*s.hidden:][:s.hidden]
			if p == 0 {
				clear(h)
				clear(cell)
				continue
			}
			copy(h, hcache[before*s.state:])
			if ccache != nil {
				copy(cell, ccache[before*s.hidden:])
			}
		}
		s.run()
		for b, p := range s.position {
			copy(hcache[(b*s.capacity+int(p))*s.state:], s.y[b*s.tokens*s.state:][:s.tokens*s.state])
		}
	}
}

// bind makes the products and the tasks of a step.
func (s *scan) bind() {
	s.place(&room{data: s.scratch()})
	w, wr := s.call.x(1), s.call.x(3)
	g := kernel.Args{M: s.Batch, N: s.hidden, K: s.state, A: s.h, LDA: s.state, TransB: true, LDB: s.state, LDR: s.tokens * s.gates, BF16: s.Compute == ir.BF16}
	sizes := []int{4 * s.hidden}
	if s.Cell == ir.GRU {
		sizes = []int{2 * s.hidden, s.hidden} // r and z; q, which is not added to x
	}
	if s.packed() {
		sizes = sizes[:0]
		for range s.Cell.Gates() {
			sizes = append(sizes, s.hidden)
		}
	}
	from := 0
	for _, n := range sizes {
		g.N, g.B, g.LDC = n, w[from*s.state:], s.gateRow
		if s.bias != nil {
			g.Bias = s.bias[from:]
		}
		if s.Cell == ir.GRU && from == 2*s.hidden {
			g.LDC = s.cellRow
		}
		s.products = append(s.products, g)
		from += n
	}
	s.project = kernel.Args{M: s.Batch, N: s.state, K: s.hidden, A: s.full, LDA: s.hidden, B: wr, LDB: s.hidden, TransB: true,
		LDC: s.tokens * s.state, BF16: g.BF16}
	if !s.packed() {
		s.apply = s.each(s.Batch, 4*s.Batch*s.gates, func(b, _ int) { s.units(b, 0, s.hidden) })
		s.projectUnit = s.each(s.Batch, s.Batch*s.state, func(b, _ int) { s.states(b, 0, s.state) })
		return
	}
	panels := s.parts[0].Count()
	s.pack = s.each(len(s.parts)*panels, s.gates*s.state, func(task, _ int) {
		part := task / panels
		s.gemm.PackPanel(&s.parts[part], task%panels, w[part*s.hidden*s.state:], s.state, true)
	})
	s.apply = s.each(panels, s.work(s.gates, s.state), s.panel)
	if s.projected {
		pack := s.pack
		packProjection := s.each(s.projection.Count(), s.state*s.hidden, func(panel, _ int) { s.gemm.PackPanel(&s.projection, panel, wr, s.hidden, true) })
		s.pack = func() { pack(); packProjection() }
		s.projectUnit = s.each(s.projection.Count(), s.work(s.state, s.hidden), s.projectPanel)
	}
}

// run scans from the states in h and c.
func (s *scan) run() {
	if s.packed() {
		s.pack()
		s.gemm.PackRows(s.rows[0], s.h, s.state, s.Batch, s.state, 0, s.state, s.Compute == ir.BF16)
	}
	for s.s = 0; s.s < s.tokens; s.s++ {
		row, from := s.at(0, s.s), 0
		for i := range s.products {
			p := &s.products[i]
			if s.Cell == ir.GRU && from == 2*s.hidden {
				p.C, p.Residual = s.cell[s.cellAt(0):], nil
			} else {
				p.C, p.Residual = s.gate[s.gateAt(0)+from:], s.x[row*s.gates+from:]
			}
			if from += p.N; !s.packed() {
				s.gemm.Mul(p)
			}
		}
		s.apply()
		if !s.projected {
			continue
		}
		s.project.C = s.y[row*s.state:]
		if !s.packed() {
			s.gemm.Mul(&s.project)
		}
		s.projectUnit()
	}
}

// gateAt is where the gates of sequence b are.
func (s *scan) gateAt(b int) int {
	if s.gateRow == s.gates { // of the step alone, or of the only one
		return b * s.gates
	}
	return s.at(b, s.s) * s.gates
}

// cellAt is where the cell of sequence b goes.
func (s *scan) cellAt(b int) int {
	switch {
	case s.position != nil && s.Cell == ir.LSTM:
		return (b*s.capacity + int(s.position[b]) + s.s) * s.hidden
	case s.cellRow == s.hidden:
		return b * s.hidden
	}
	return s.at(b, s.s) * s.hidden
}

// panel computes a panel of units.
func (s *scan) panel(panel, worker int) {
	bf16 := s.Compute == ir.BF16
	for i := range s.parts {
		s.gemm.MulPanel(worker, &s.products[i], s.rows[s.s%2], &s.parts[i], panel)
	}
	from, to := s.parts[0].Columns(panel)
	for b := range s.Batch {
		s.units(b, from, to)
	}
	if s.projected {
		s.gemm.PackRows(s.fullRows, s.full, s.hidden, s.Batch, s.hidden, from, to, bf16)
	} else {
		s.gemm.PackRows(s.rows[(s.s+1)%2], s.h, s.state, s.Batch, s.state, from, to, bf16)
	}
}

// projectPanel computes a panel of projected states.
func (s *scan) projectPanel(panel, worker int) {
	s.gemm.MulPanel(worker, &s.project, s.fullRows, &s.projection, panel)
	from, to := s.projection.Columns(panel)
	for b := range s.Batch {
		s.states(b, from, to)
	}
	s.gemm.PackRows(s.rows[(s.s+1)%2], s.h, s.state, s.Batch, s.state, from, to, s.Compute == ir.BF16)
}

// units applies the gates of units [from, to) of sequence b.
func (s *scan) units(b, from, to int) {
	n, row := s.hidden, s.at(b, s.s)
	gate := s.gate[s.gateAt(b):]
	part := func(i int) []float32 { return gate[i*n+from : i*n+to] }
	c, h := s.c[b*n+from:b*n+to], s.h
	if s.projected {
		h = s.full
	}
	h = h[b*n+from : b*n+to]
	if s.Cell == ir.GRU {
		at := s.cellAt(b)
		s.vec.GRU(part(0), part(1), part(2), s.x[row*s.gates+2*n+from:], s.cell[at+from:at+to], h)
	} else {
		s.vec.LSTM(part(0), part(1), part(2), part(3), c, h)
		if s.cell != nil {
			copy(s.cell[s.cellAt(b)+from:], c)
		}
	}
	begins := s.begins(b, s.s+1)
	if begins {
		clear(c)
	}
	if s.projected {
		return
	}
	copy(s.y[row*n+from:], h)
	if begins {
		clear(h)
	}
}

// states keeps the projected states [from, to) of sequence b.
func (s *scan) states(b, from, to int) {
	h := s.h[b*s.state+from : b*s.state+to]
	copy(h, s.y[s.at(b, s.s)*s.state+from:])
	if s.begins(b, s.s+1) {
		clear(h)
	}
}
