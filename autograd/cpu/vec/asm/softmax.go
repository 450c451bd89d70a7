package main

import "github.com/mmcloughlin/avo/reg"

func (g *gen) softmax() {
	g.expSum("expSum", "func(dst, x []float32, scale, max float32) float64",
		"sets dst = exp(scale·x - max) and returns its sum.", true)
	g.expSum("sumExp", "func(x []float32, scale, max float32) float64",
		"returns Σ exp(scale·x - max).", false)
	g.kernel("softmaxGrad", "func(dx, y, dy []float32, scale, dot float32)", "sets dx = scale·y·(dy - dot).", func() {
		dx, y, dy := g.pointer("dx"), g.pointer("y"), g.pointer("dy")
		scale, dot := g.scalar("scale"), g.scalar("dot")
		g.loop(g.length("dx"), 2, func(_ int, m access) {
			m.store(g.mul(g.mul(m.load(y), scale), g.sub(m.load(dy), dot)), dx)
		}, nil)
	})
	g.kernel("affine", "func(x []float32, a, b float32)", "sets x = a·x + b.", func() {
		x, a, b := g.pointer("x"), g.scalar("a"), g.scalar("b")
		g.loop(g.length("x"), 4, func(_ int, m access) { m.store(g.fma(m.load(x), a, b), x) }, nil)
	})
}

// expSum adds the vectors of one iteration in float32, iterations in float64.
func (g *gen) expSum(name, signature, doc string, store bool) {
	g.kernel(name, signature, doc, func() {
		var dst reg.Register
		if store {
			dst = g.pointer("dst")
		}
		x, scale, max := g.pointer("x"), g.scalar("scale"), g.scalar("max")
		total := g.doubles()
		part := g.vec()
		g.loop(g.length("x"), 4, func(u int, m access) {
			e := m.load(x)
			g.VFMSUB213PS(max, scale, e)
			e = m.keep(g.expNegative(e))
			if store {
				m.store(e, dst)
			}
			g.gather(u, part, e)
		}, func() { total.add(part) })
		g.result(sumDoubles(total), 0)
	})
}
