package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// access is how one vector of an iteration reads and writes slices.
type access struct {
	g      *gen
	index  reg.Register // in floats
	disp   int          // in bytes
	masked bool
	mask   reg.Register
}

func (m access) at(base reg.Register) operand.Mem {
	return operand.Mem{Base: base, Index: m.index, Scale: 4, Disp: m.disp}
}

// load reads a vector; lanes beyond the end are 0.
func (m access) load(base reg.Register) vec {
	r := m.g.vec()
	switch {
	case !m.masked:
		m.g.VMOVUPS(m.at(base), r)
	case m.g.lanes == 16:
		m.g.VMOVUPS_Z(m.at(base), m.mask, r)
	default:
		m.g.VMASKMOVPS(m.at(base), m.mask, r)
	}
	return r
}

// loadOr reads a vector; lanes beyond the end are those of other.
func (m access) loadOr(base reg.Register, other operand.Op) vec {
	r := m.load(base)
	if m.masked {
		r = m.g.choose(m.mask, r, m.g.in(other))
	}
	return r
}

// keep returns r with the lanes beyond the end set to 0.
func (m access) keep(r vec) vec {
	if m.masked {
		return m.g.zeroUnless(m.mask, r)
	}
	return r
}

func (m access) store(r vec, base reg.Register) {
	switch {
	case !m.masked:
		m.g.VMOVUPS(r, m.at(base))
	case m.g.lanes == 16:
		m.g.VMOVUPS(r, m.mask, m.at(base))
	default:
		m.g.VMASKMOVPS(r, m.mask, m.at(base))
	}
}

// loop runs over n elements: unroll vectors at a time, then one, then the rest
// under a mask. body is called with the number of the vector in its iteration;
// after, if not nil, ends each iteration.
func (g *gen) loop(n reg.GPVirtual, unroll int, body func(u int, m access), after func()) {
	index, left := g.GP64(), g.GP64()
	g.XORQ(index, index)
	g.MOVQ(n, left)
	iteration := func(vectors int, m access) {
		for u := range vectors {
			m.disp = 4 * g.lanes * u
			body(u, m)
		}
		if after != nil {
			after()
		}
	}
	steps := []int{unroll, 1}
	if unroll == 1 {
		steps = steps[1:]
	}
	for _, vectors := range steps {
		size := operand.I32(vectors * g.lanes)
		top, end := g.label("loop"), g.label("end")
		g.CMPQ(left, size)
		g.JL(operand.LabelRef(end))
		g.Label(top)
		iteration(vectors, access{g: g, index: index})
		g.ADDQ(size, index)
		g.SUBQ(size, left)
		g.CMPQ(left, size)
		g.JGE(operand.LabelRef(top))
		g.Label(end)
	}
	done := g.label("done")
	g.TESTQ(left, left)
	g.JZ(operand.LabelRef(done))
	iteration(1, access{g: g, index: index, masked: true, mask: g.firstLanes(left)})
	g.Label(done)
}

// firstLanes makes the mask of the first n lanes, 0 < n < lanes.
func (g *gen) firstLanes(n reg.Register) reg.Register {
	if g.lanes == 16 {
		bits, k := g.GP32(), g.K()
		g.MOVL(operand.U32(0xffff), bits)
		g.BZHIL(n.(reg.GPVirtual).As32(), bits, bits)
		g.KMOVW(bits, k)
		return k
	}
	table, mask := g.GP64(), g.vec()
	g.LEAQ(g.maskTable(), table)
	address := g.GP64()
	g.MOVQ(operand.I32(g.lanes), address)
	g.SUBQ(n, address)
	g.VMOVUPS(operand.Mem{Base: table, Index: address, Scale: 4}, mask)
	return mask
}

// maskTable is lanes words of ones followed by lanes words of zeros.
func (g *gen) maskTable() operand.Mem {
	words := make([]uint32, 2*g.lanes)
	for i := range g.lanes {
		words[i] = 1<<32 - 1
	}
	return g.table("laneMask", words)
}

// counted repeats the body n times; it runs not at all when n is 0.
func (g *gen) counted(n reg.GPVirtual, body func()) {
	top, end := g.label("next"), g.label("last")
	left := g.GP64()
	g.MOVQ(n, left)
	g.TESTQ(left, left)
	g.JZ(operand.LabelRef(end))
	g.Label(top)
	body()
	g.DECQ(left)
	g.JNZ(operand.LabelRef(top))
	g.Label(end)
}
