package main

func (g *gen) optimizers() {
	g.kernel("adamW", "func(p, g, m, v []float32, gradScale, decay, oneMinus1, beta2, oneMinus2, rootBC2, eps, step float32)", "is one step of AdamW.", func() {
		p, gr, m1, m2 := g.pointer("p"), g.pointer("g"), g.pointer("m"), g.pointer("v")
		gradScale, decay, oneMinus1, beta2 := g.scalar("gradScale"), g.scalar("decay"), g.scalar("oneMinus1"), g.scalar("beta2")
		oneMinus2, rootBC2, eps, step := g.scalar("oneMinus2"), g.scalar("rootBC2"), g.scalar("eps"), g.scalar("step")
		g.loop(g.length("p"), 2, func(_ int, a access) {
			e := g.mul(a.load(gr), gradScale)
			old := a.load(m1)
			m := g.fma(g.sub(e, old), oneMinus1, old)
			v := g.fma(g.mul(e, oneMinus2), e, g.mul(a.load(m2), beta2))
			a.store(m, m1)
			a.store(v, m2)
			root := g.vec()
			g.VSQRTPS(v, root)
			d := g.div(m, g.fma(root, rootBC2, eps))
			a.store(g.fma(d, step, g.mul(a.load(p), decay)), p)
		}, nil)
	})
	g.kernel("sgd", "func(p, g, buf []float32, lr, momentum, decay, gradScale, fromGrad, fromBuf float32)",
		"is one step of SGD: p -= lr·(fromGrad·g + fromBuf·buf); buf may be nil.", func() {
			p, gr, buf := g.pointer("p"), g.pointer("g"), g.pointer("buf")
			lr, momentum, decay, gradScale := g.scalar("lr"), g.scalar("momentum"), g.scalar("decay"), g.scalar("gradScale")
			fromGrad, fromBuf := g.scalar("fromGrad"), g.scalar("fromBuf")
			g.loop(g.length("p"), 1, func(_ int, a access) {
				old := a.load(p)
				d := g.fma(old, decay, g.mul(a.load(gr), gradScale))
				g.unlessNil(buf, func() {
					b := g.fma(a.load(buf), momentum, d)
					a.store(b, buf)
					g.VMULPS(fromGrad, d, d)
					g.VFMADD231PS(b, fromBuf, d)
				})
				a.store(g.fnma(d, lr, old), p)
			}, nil)
		})
	g.kernel("lion", "func(p, g, m []float32, lr, beta1, oneMinus1, beta2, oneMinus2, decay, gradScale float32)",
		"is one step of Lion.", func() {
			p, gr, m1 := g.pointer("p"), g.pointer("g"), g.pointer("m")
			lr, beta1, oneMinus1 := g.scalar("lr"), g.scalar("beta1"), g.scalar("oneMinus1")
			beta2, oneMinus2, decay, gradScale := g.scalar("beta2"), g.scalar("oneMinus2"), g.scalar("decay"), g.scalar("gradScale")
			g.loop(g.length("p"), 1, func(_ int, a access) {
				e, old := g.mul(a.load(gr), gradScale), a.load(m1)
				u := g.fma(e, oneMinus1, g.mul(old, beta1))
				step := g.or(g.and(u, g.word(1<<31)), lr)
				step = g.choose(g.cmp(equal, u, g.c(0)), g.zero(), step)
				a.store(g.sub(g.mul(a.load(p), decay), step), p)
				a.store(g.fma(e, oneMinus2, g.mul(old, beta2)), m1)
			}, nil)
		})
	g.kernel("ema", "func(avg, p []float32, decay, oneMinus float32)", "sets avg = decay·avg + oneMinus·p.", func() {
		avg, p, decay, oneMinus := g.pointer("avg"), g.pointer("p"), g.scalar("decay"), g.scalar("oneMinus")
		g.loop(g.length("avg"), 4, func(_ int, a access) {
			a.store(g.fma(a.load(p), oneMinus, g.mul(a.load(avg), decay)), avg)
		}, nil)
	})
}
