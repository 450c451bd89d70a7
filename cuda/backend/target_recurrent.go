package backend

import "example.com/gotrain/autograd/ir"

// recurrence is the shape of a Recurrent or one of its kin, and where its workspace has
// what passes between the steps: carry (B, H) and the products of a step in float32, then
// operands in the element type of the instruction.
type recurrence struct {
	ir.RecurrentAttrs
	tokens, hidden, state, gates int // T, H, P, G·H
	projected                    bool
	backward                     bool
	dtype                        ir.DType

	carry, products, operand, other, full int64 // offsets
	bytes                                 int64
}

func recurrenceOf(in *ir.Instr) recurrence {
	x, w, wr := in.In[0], in.In[1], in.In[3]
	backward := in.Kind == ir.RecurrentBackward
	if backward {
		x, w, wr = in.In[5], in.In[0], in.In[1]
	}
	a := in.Attrs.(ir.RecurrentAttrs)
	r := recurrence{
		RecurrentAttrs: a, tokens: x.Shape[0] / a.Batch, gates: w.Shape[0], hidden: w.Shape[0] / a.Cell.Gates(), state: w.Shape[1],
		projected: wr != nil, backward: backward, dtype: in.Elem(ir.Elem),
	}
	r.place()
	return r
}

// place lays out the workspace: forward the products are those of the gates, or the projected
// states, operand the states and other what is projected; backward operand is the gradient
// of the gates, products those of the states, other what goes through the projection, and
// full (B, H) what comes of it.
func (r *recurrence) place() {
	const align = 256
	take := func(elements int, d ir.DType) int64 {
		at := r.bytes
		r.bytes += (int64(r.Batch*elements*d.Bits()/8) + align - 1) / align * align
		return at
	}
	r.carry = take(r.hidden, ir.F32)
	if r.backward {
		r.products, r.operand = take(r.state, ir.F32), take(r.gates, r.dtype)
		if r.projected {
			r.other, r.full = take(r.state, r.dtype), take(r.hidden, ir.F32)
		}
		return
	}
	r.products, r.operand = take(max(r.gates, r.state), ir.F32), take(r.state, r.dtype)
	if r.projected {
		r.other = take(r.hidden, r.dtype)
	}
}

func scratchRecurrent(in *ir.Instr) int64 {
	r := recurrenceOf(in)
	return r.bytes
}
