package main

import (
	"math"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func (g *gen) norms() {
	g.kernel("layerStats", "func(x []float32, eps float32) (mean, rstd float32)",
		"returns the mean of x and 1/√(Σ (x-mean)²/D + eps).", func() {
			x, n := g.pointer("x"), g.length("x")
			total := g.doubles()
			part := g.vec()
			g.loop(n, 4, func(u int, m access) { g.gather(u, part, m.load(x)) }, func() { total.add(part) })
			mean := sumDoubles(total).AsX()
			g.VDIVSD(g.asDouble(n), mean, mean)
			g.VCVTSD2SS(mean, mean, mean)
			g.Store(mean, g.ReturnIndex(0))
			g.rstd(x, n, g.broadcast(mean), 1)
		})
	g.kernel("rmsStats", "func(x []float32, eps float32) (rstd float32)", "returns 1/√(Σ x²/D + eps).", func() {
		g.rstd(g.pointer("x"), g.length("x"), g.zero(), 0)
	})
	g.kernel("normalize", "func(y, x, w, b []float32, mean, rstd float32)",
		"sets y = (x-mean)·rstd·w + b; b may be nil.", func() {
			y, x, w, b := g.pointer("y"), g.pointer("x"), g.pointer("w"), g.pointer("b")
			mean, rstd := g.scalar("mean"), g.scalar("rstd")
			g.loop(g.length("y"), 2, func(_ int, m access) {
				r := g.mul(g.mul(g.sub(m.load(x), mean), rstd), m.load(w))
				g.unlessNil(b, func() { g.VADDPS(m.load(b), r, r) })
				m.store(r, y)
			}, nil)
		})
	g.kernel("rmsNormalize", "func(y, x, w []float32, rstd float32)", "sets y = x·rstd·w.", func() {
		y, x, w, rstd := g.pointer("y"), g.pointer("x"), g.pointer("w"), g.scalar("rstd")
		g.loop(g.length("y"), 2, func(_ int, m access) {
			m.store(g.mul(g.mul(m.load(x), rstd), m.load(w)), y)
		}, nil)
	})
	g.kernel("normGrad", "func(dw, db, x, w, dy []float32, mean, rstd float32) (sumG, sumGX float32)",
		"adds dy·n to dw and dy to db (nil: not wanted) and returns Σ g and Σ g·n, n = (x-mean)·rstd, g = dy·w.", func() {
			dw, db := g.pointer("dw"), g.pointer("db")
			x, w, dy := g.pointer("x"), g.pointer("w"), g.pointer("dy")
			mean, rstd := g.scalar("mean"), g.scalar("rstd")
			sumG, sumGX := []vec{g.zero(), g.zero()}, []vec{g.zero(), g.zero()}
			g.loop(g.length("x"), 2, func(u int, m access) {
				n := g.mul(g.sub(m.load(x), mean), rstd)
				d := m.load(dy) // 0 beyond the end
				t := g.mul(d, m.load(w))
				g.VADDPS(t, sumG[u], sumG[u])
				g.VFMADD231PS(t, n, sumGX[u])
				g.unlessNil(dw, func() { m.store(g.fma(d, n, m.load(dw)), dw) })
				g.unlessNil(db, func() { m.store(g.add(d, m.load(db)), db) })
			}, nil)
			g.result(g.fold(g.add(sumG[0], sumG[1]), g.VADDPS), 0)
			g.result(g.fold(g.add(sumGX[0], sumGX[1]), g.VADDPS), 1)
		})
	g.kernel("normInput", "func(dx, x, w, dy, addend []float32, mean, rstd, meanG, meanGX float32)",
		"sets dx = rstd·(dy·w - meanG - n·meanGX) + addend, n = (x-mean)·rstd; addend may be nil.", func() {
			dx, x, w, dy, addend := g.pointer("dx"), g.pointer("x"), g.pointer("w"), g.pointer("dy"), g.pointer("addend")
			mean, rstd, meanG, meanGX := g.scalar("mean"), g.scalar("rstd"), g.scalar("meanG"), g.scalar("meanGX")
			g.loop(g.length("dx"), 2, func(_ int, m access) {
				n := g.mul(g.sub(m.load(x), mean), rstd)
				r := g.sub(g.mul(m.load(dy), m.load(w)), meanG)
				r = g.mul(g.fnma(n, meanGX, r), rstd)
				g.unlessNil(addend, func() { g.VADDPS(m.load(addend), r, r) })
				m.store(r, dx)
			}, nil)
		})
}

// gather adds up the vectors of one iteration in float32.
func (g *gen) gather(u int, part, x vec) {
	if u == 0 {
		g.VMOVUPS(x, part)
	} else {
		g.VADDPS(x, part, part)
	}
}

// asDouble converts an integer.
func (g *gen) asDouble(n reg.Register) reg.VecVirtual {
	d := g.XMM()
	g.VXORPS(d, d, d)
	g.VCVTSI2SDQ(n, d, d)
	return d
}

// rstd stores 1/√(Σ (x-mean)²/n + eps) as a result.
func (g *gen) rstd(x, n reg.GPVirtual, mean vec, result int) {
	total := g.doubles()
	part := g.vec()
	g.loop(n, 4, func(u int, m access) {
		d := m.keep(g.sub(m.load(x), mean))
		if u == 0 {
			g.VMULPS(d, d, part)
		} else {
			g.VFMADD231PS(d, d, part)
		}
	}, func() { total.add(part) })
	s := sumDoubles(total).AsX()
	g.VDIVSD(g.asDouble(n), s, s)
	eps, one, bits := g.XMM(), g.XMM(), g.GP64()
	g.Load(g.Param("eps"), eps)
	g.VCVTSS2SD(eps, eps, eps)
	g.VADDSD(eps, s, s)
	g.VSQRTSD(s, s, s)
	g.MOVQ(operand.U64(math.Float64bits(1)), bits)
	g.VMOVQ(bits, one)
	g.VDIVSD(s, one, one)
	g.VCVTSD2SS(one, one, one)
	g.Store(one, g.ReturnIndex(result))
}
