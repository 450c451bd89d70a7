package main

func (g *gen) norms() {
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
