package main

import (
	"math"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// doubles accumulates vectors of floats in float64: two registers, one for each
// half of a vector.
type doubles struct {
	g    *gen
	half [2]vec
}

func (g *gen) doubles() doubles { return doubles{g, [2]vec{g.zero(), g.zero()}} }

// split widens a vector to its two halves in float64.
func (g *gen) split(x vec) (lo, hi vec) {
	lo, hi = g.vec(), g.vec()
	if g.lanes == 16 {
		upper := g.YMM()
		g.VEXTRACTF64X4(operand.U8(1), x, upper)
		g.VCVTPS2PD(x.AsY(), lo)
		g.VCVTPS2PD(upper, hi)
	} else {
		upper := g.XMM()
		g.VEXTRACTF128(operand.U8(1), x, upper)
		g.VCVTPS2PD(x.AsX(), lo)
		g.VCVTPS2PD(upper, hi)
	}
	return lo, hi
}

func (d doubles) add(x vec) {
	lo, hi := d.g.split(x)
	d.g.VADDPD(lo, d.half[0], d.half[0])
	d.g.VADDPD(hi, d.half[1], d.half[1])
}

// addProduct adds x·y, exactly.
func (d doubles) addProduct(x, y vec) {
	x0, x1 := d.g.split(x)
	y0, y1 := x0, x1
	if x != y {
		y0, y1 = d.g.split(y)
	}
	d.g.VFMADD231PD(x0, y0, d.half[0])
	d.g.VFMADD231PD(x1, y1, d.half[1])
}

// sum adds up everything into the low lane of the result.
func sumDoubles(ds ...doubles) vec {
	g := ds[0].g
	total := ds[0].half[0]
	for i, d := range ds {
		if i > 0 {
			g.VADDPD(d.half[0], total, total)
		}
		g.VADDPD(d.half[1], total, total)
	}
	if g.lanes == 16 {
		upper := g.YMM()
		g.VEXTRACTF64X4(operand.U8(1), total, upper)
		g.VADDPD(upper, total.AsY(), total.AsY())
	}
	upper := g.XMM()
	g.VEXTRACTF128(operand.U8(1), total.AsY(), upper)
	g.VADDPD(upper, total.AsX(), total.AsX())
	g.VUNPCKHPD(total.AsX(), total.AsX(), upper)
	g.VADDSD(upper, total.AsX(), total.AsX())
	return total
}

// fold combines the lanes of x by op (VADDPS or VMAXPS) into the low one.
func (g *gen) fold(x vec, op func(...operand.Op)) vec {
	if g.lanes == 16 {
		upper := g.YMM()
		g.VEXTRACTF64X4(operand.U8(1), x, upper)
		op(upper, x.AsY(), x.AsY())
	}
	upper := g.XMM()
	g.VEXTRACTF128(operand.U8(1), x.AsY(), upper)
	op(upper, x.AsX(), x.AsX())
	g.VPSHUFD(operand.U8(0x4e), x.AsX(), upper)
	op(upper, x.AsX(), x.AsX())
	g.VPSHUFD(operand.U8(0xb1), x.AsX(), upper)
	op(upper, x.AsX(), x.AsX())
	return x
}

// result stores the low lane of x.
func (g *gen) result(x vec, i int) { g.Store(x.AsX(), g.ReturnIndex(i)) }

// reduceDoubles emits a float64 sum over a slice with two sets of accumulators.
func (g *gen) reduceDoubles(name, signature, doc, slice string, prepare func() func(d doubles, m access)) {
	g.kernel(name, signature, doc, func() {
		body := prepare()
		d := []doubles{g.doubles(), g.doubles()}
		g.loop(g.length(slice), 2, func(u int, m access) { body(d[u], m) }, nil)
		g.result(sumDoubles(d...), 0)
	})
}

func (g *gen) reductions() {
	g.reduceDoubles("sum", "func(x []float32) float64", "returns Σ x.", "x", func() func(doubles, access) {
		x := g.pointer("x")
		return func(d doubles, m access) { d.add(m.load(x)) }
	})
	g.reduceDoubles("dot", "func(x, y []float32) float64", "returns Σ x·y.", "x", func() func(doubles, access) {
		x, y := g.pointer("x"), g.pointer("y")
		return func(d doubles, m access) { d.addProduct(m.load(x), m.load(y)) }
	})
	g.reduceDoubles("sumSquares", "func(x []float32) float64", "returns Σ x².", "x", func() func(doubles, access) {
		x := g.pointer("x")
		return func(d doubles, m access) {
			e := m.load(x)
			d.addProduct(e, e)
		}
	})
	g.maximum("max", "returns the largest element.", math.Inf(-1), func(x vec) vec { return x })
	g.maximum("maxAbs", "returns the largest |x|.", 0, g.abs)
	g.kernel("allFinite", "func(x []float32) bool", "reports whether no element is infinite or NaN: x·0 is then 0.", func() {
		x := g.pointer("x")
		zero, bad := g.zero(), []vec{g.zero(), g.zero(), g.zero(), g.zero()}
		g.loop(g.length("x"), 4, func(u int, m access) { g.VFMADD231PS(m.load(x), zero, bad[u]) }, nil)
		total := g.add(g.add(bad[0], bad[1]), g.add(bad[2], bad[3]))
		g.fold(total, g.VADDPS)
		ok := g.GP8()
		g.VUCOMISS(total.AsX(), total.AsX())
		g.SETPC(ok)
		g.Store(ok, g.ReturnIndex(0))
	})
	g.kernel("addRows8", "func(dst []float32, x *float32)", "adds eight rows of len(dst) floats, the first at x, to dst.", func() {
		dst, n, stride := g.pointer("dst"), g.length("dst"), g.GP64()
		g.MOVQ(n, stride)
		g.SHLQ(operand.U8(2), stride)
		rows := []reg.Register{g.pointer("*x")}
		for range 7 {
			p := g.GP64()
			g.MOVQ(rows[len(rows)-1], p)
			g.ADDQ(stride, p)
			rows = append(rows, p)
		}
		g.loop(n, 1, func(_ int, m access) {
			var x []vec
			for _, p := range rows {
				x = append(x, m.load(p))
			}
			for len(x) > 1 { // pairwise
				for i := range len(x) / 2 {
					x[i] = g.add(x[2*i], x[2*i+1])
				}
				x = x[:len(x)/2]
			}
			m.store(g.add(x[0], m.load(dst)), dst)
		}, nil)
	})
}

func (g *gen) maximum(name, doc string, identity float64, f func(vec) vec) {
	g.kernel(name, "func(x []float32) float32", doc, func() {
		x := g.pointer("x")
		var top []vec
		for range 4 {
			top = append(top, g.copyOf(g.c(identity)))
		}
		g.loop(g.length("x"), 4, func(u int, m access) {
			g.VMAXPS(f(m.loadOr(x, g.c(identity))), top[u], top[u])
		}, nil)
		total := g.max(g.max(top[0], top[1]), g.max(top[2], top[3]))
		g.result(g.fold(total, g.VMAXPS), 0)
	})
}
