//go:build gpu

package backend

import (
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/cuda"
)

// recurrentCall is a Recurrent or one of its kin while it is bound: steps are what it
// launches, a product and a kernel for each token.
type recurrentCall struct {
	*call
	recurrence
	steps []func()
}

func (c *call) recurrent() *recurrentCall {
	return &recurrentCall{call: c, recurrence: recurrenceOf(c.Instr)}
}

func (r *recurrentCall) do(step func()) { r.steps = append(r.steps, step) }

// place of the workspace.
func (r *recurrentCall) at(offset int64) cuda.Ptr { return r.scratch() + cuda.Ptr(offset) }

// threads is the grid of a kernel with a thread an element.
func threads(elements int) cuda.Dim {
	return cuda.Dim{X: divideUp(elements, elementBlock.X), Y: 1, Z: 1}
}

// multiplication is the product of an operand (B, k) with weights, → float32 (B, n).
func (r *recurrentCall) multiplication(n, k int, transposed bool) cuda.Product {
	return cuda.Product{
		Batch: 1, M: r.Batch, N: n, K: k, TransB: transposed, AB: dtype(r.recurrence.dtype), D: cuda.Float32, TF32: r.Compute == ir.TF32,
	}
}

func (r *recurrentCall) gru() int32     { return flag(r.Cell == ir.GRU) }
func (r *recurrentCall) reverse() int32 { return flag(r.Reverse) }

func bindRecurrent(c *call) func() {
	r := c.recurrent()
	r.scan(c.in(4), c.in(5), c.in(6), 0, 0, c.out(1), c.out(2))
	return sequence(r.steps...)
}

func bindRecurrentCached(c *call) func() {
	r := c.recurrent()
	capacity, position := c.In[4].Shape[0]/r.Batch, c.in(6)
	r.scan(c.in(4), c.in(5), 0, position, capacity, 0, c.in(5))
	elements := r.Batch * r.tokens * r.state
	r.do(r.launchElem("recurrent_keep", threads(elements), elementBlock, 0,
		c.out(0), c.in(4), position, int32(r.tokens), int32(capacity), int32(r.state), int64(elements)))
	return sequence(r.steps...)
}

// scan launches the steps. With a capacity h0 and c0 are the caches, and cell one too.
func (r *recurrentCall) scan(h0, c0, segments, position cuda.Ptr, capacity int, gates, cell cuda.Ptr) {
	var fault cuda.Ptr
	var check int32
	if capacity > 0 {
		fault, check = r.checks("position", capacity-r.tokens+1)
	}
	carry, product, h, full := r.at(r.carry), r.at(r.products), r.at(r.operand), r.at(r.other)
	y, x := r.out(0), r.in(0)
	r.do(r.launchElem("recurrent_begin", threads(r.Batch*max(r.hidden, r.state)), elementBlock, 0,
		h0, c0, position, h, carry, fault, check, int32(r.Batch), int32(r.tokens), int32(capacity), int32(r.hidden), int32(r.state), r.gru()))
	multiply := r.multiply(r.multiplication(r.gates, r.state, true), h, r.in(1), 0, product, 0, 0)
	stepY, stepH := y, h
	var project func()
	if r.projected {
		stepY, stepH = 0, full
		project = r.multiply(r.multiplication(r.state, r.hidden, true), full, r.in(3), 0, product, 0, 0)
	}
	units, states := r.Batch*r.hidden, r.Batch*r.state
	for s := range r.tokens {
		r.do(multiply)
		r.do(r.launchElem("recurrent_step", threads(units), elementBlock, 0,
			x, product, r.in(2), carry, stepH, stepY, gates, cell, segments, position,
			int32(s), int32(r.tokens), r.reverse(), int32(capacity), int32(r.hidden), r.gru(), int32(units)))
		if r.projected {
			r.do(project)
			r.do(r.launchElem("recurrent_project", threads(states), elementBlock, 0,
				product, h, y, segments, int32(s), int32(r.tokens), r.reverse(), int32(r.state), int32(states)))
		}
	}
}

func bindRecurrentBackward(c *call) func() {
	r := c.recurrent()
	h0, c0, segments := c.in(2), c.in(3), c.in(4)
	carry, product, inner := r.at(r.carry), r.at(r.products), r.at(r.operand)
	multiply := r.multiply(r.multiplication(r.state, r.gates, false), inner, c.in(0), 0, product, 0, 0)
	stepDY, stepProduct := c.in(8), product
	var project func()
	if r.projected {
		stepDY, stepProduct = 0, r.at(r.full)
		project = r.multiply(r.multiplication(r.hidden, r.state, false), r.at(r.other), c.in(1), 0, stepProduct, 0, 0)
	}
	units, states := r.Batch*r.hidden, r.Batch*r.state
	for s := r.tokens - 1; s >= 0; s-- {
		if s < r.tokens-1 {
			r.do(multiply)
		}
		if r.projected {
			r.do(r.launchElem("recurrent_back_project", threads(states), elementBlock, 0,
				c.in(8), product, r.at(r.other), c.out(3), int32(s), int32(r.tokens), r.reverse(), int32(r.state), int32(states)))
			r.do(project)
		}
		r.do(r.launchElem("recurrent_back", threads(units), elementBlock, 0,
			c.in(5), c.in(6), c.in(7), h0, c0, segments, stepDY, stepProduct, carry, c.out(0), c.out(1), inner, c.out(4),
			int32(s), int32(r.tokens), r.reverse(), int32(r.hidden), r.gru(), int32(units)))
	}
	if before := c.out(2); before != 0 {
		elements := r.tokens * states
		r.do(r.launchElem("recurrent_previous", threads(elements), elementBlock, 0,
			c.in(7), h0, segments, before, int32(r.tokens), r.reverse(), int32(r.state), int64(elements)))
	}
	if dh0, dc0 := c.out(5), c.out(6); dh0 != 0 || dc0 != 0 {
		r.do(multiply)
		r.do(r.launch("recurrent_first", threads(max(units, states)), elementBlock, 0, product, carry, dh0, dc0, int32(states), int32(units), r.gru()))
	}
	return sequence(r.steps...)
}
