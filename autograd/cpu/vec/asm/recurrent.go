package main

func (g *gen) recurrent() {
	saved := g.isa.constants
	g.isa.constants = min(saved, 14) // the gates that wait need registers too
	defer func() { g.isa.constants = saved }()
	g.kernel("lstm", "func(i, f, n, o, c, h []float32)",
		"applies the gates of an LSTM in place, then sets c = f·c + i·n and h = o·tanh(c).", func() {
			i, f, n, o := g.pointer("i"), g.pointer("f"), g.pointer("n"), g.pointer("o")
			c, h := g.pointer("c"), g.pointer("h")
			g.loop(g.length("i"), 1, func(_ int, m access) {
				in := g.sigmoid(m.load(i))
				m.store(in, i)
				new := g.tanh(m.load(n))
				m.store(new, n)
				new = g.mul(new, in)
				forget := g.sigmoid(m.load(f))
				m.store(forget, f)
				cell := g.fma(forget, m.load(c), new)
				m.store(cell, c)
				out := g.sigmoid(m.load(o))
				m.store(out, o)
				m.store(g.mul(out, g.tanh(cell)), h)
			}, nil)
		})
	g.kernel("lstmBackward", "func(i, f, n, o, c, before, dh, dc []float32)",
		"turns the gates of an LSTM into the gradients of what they were applied to, and dc into that of the cell before.", func() {
			i, f, n, o := g.pointer("i"), g.pointer("f"), g.pointer("n"), g.pointer("o")
			c, before, dh, dc := g.pointer("c"), g.pointer("before"), g.pointer("dh"), g.pointer("dc")
			g.loop(g.length("i"), 1, func(_ int, m access) {
				one := g.in(g.c(1))
				t, out, d := g.tanh(m.load(c)), m.load(o), m.load(dh)
				// dc += dh·o·(1 - t²); do = dh·t·o·(1 - o).
				dOut := g.mul(d, out)
				dCell := g.fma(dOut, g.fnma(t, t, one), m.load(dc))
				m.store(g.mul(g.mul(dOut, t), g.sub(one, out)), o)
				in, new, forget := m.load(i), m.load(n), m.load(f)
				dIn := g.mul(dCell, in)
				m.store(g.mul(g.mul(dIn, new), g.sub(one, in)), i)
				m.store(g.mul(dIn, g.fnma(new, new, one)), n)
				dForget := g.mul(dCell, forget)
				m.store(g.mul(g.mul(dForget, m.load(before)), g.sub(one, forget)), f)
				m.store(dForget, dc)
			}, nil)
		})
	g.kernel("gru", "func(r, z, n, x, q, h []float32)",
		"applies the gates r and z of a GRU in place, then sets n = tanh(x + r·q) and h = (1 - z)·n + z·h.", func() {
			r, z, n, x := g.pointer("r"), g.pointer("z"), g.pointer("n"), g.pointer("x")
			q, h := g.pointer("q"), g.pointer("h")
			g.loop(g.length("r"), 1, func(_ int, m access) {
				reset := g.sigmoid(m.load(r))
				m.store(reset, r)
				new := g.tanh(g.fma(reset, m.load(q), m.load(x)))
				m.store(new, n)
				keep := g.sigmoid(m.load(z))
				m.store(keep, z)
				m.store(g.fma(keep, g.sub(m.load(h), new), new), h)
			}, nil)
		})
	g.kernel("gruBackward", "func(r, z, n, q, before, dh, dq []float32)",
		"turns the gates of a GRU into the gradients of what they were applied to, sets dq and multiplies dh by z.", func() {
			r, z, n, q := g.pointer("r"), g.pointer("z"), g.pointer("n"), g.pointer("q")
			before, dh, dq := g.pointer("before"), g.pointer("dh"), g.pointer("dq")
			g.loop(g.length("r"), 1, func(_ int, m access) {
				one := g.in(g.c(1))
				d, keep, new := m.load(dh), m.load(z), m.load(n)
				dKeep := g.mul(d, keep)
				m.store(dKeep, dh)
				rest := g.sub(one, keep)
				m.store(g.mul(g.mul(dKeep, rest), g.sub(m.load(before), new)), z)
				dNew := g.mul(g.mul(d, rest), g.fnma(new, new, one))
				m.store(dNew, n)
				reset := m.load(r)
				dq0 := g.mul(dNew, reset)
				m.store(dq0, dq)
				m.store(g.mul(g.mul(dq0, m.load(q)), g.sub(one, reset)), r)
			}, nil)
		})
}
