package main

import "math"

// Constants of GELUTanh: x·σ(x·(first + cubic·x²)).
var (
	geluFirst = 2 * math.Sqrt(2/math.Pi)
	geluCubic = geluFirst * 0.044715
)

func (g *gen) activations() {
	g.unary("relu", "sets dst = max(x, 0).", 4, g.positive)
	g.gradient("reluBackward", "sets dx = dy where x > 0, else 0.", 2, func(x, dy vec) vec {
		return g.zeroUnless(g.cmp(greater, x, g.c(0)), dy)
	})
	g.unary("relu2", "sets dst = max(x, 0)².", 4, func(x vec) vec {
		p := g.positive(x)
		return g.mul(p, p)
	})
	g.gradient("relu2Backward", "sets dx = 2·max(x, 0)·dy.", 2, func(x, dy vec) vec {
		p := g.positive(x)
		return g.mul(g.add(p, p), dy)
	})
	g.unary("gelu", "sets dst = x·Φ(x) = max(x, 0) - |x|·Φ(-|x|).", 2, func(x vec) vec {
		a := g.normalArgument(x)
		q, _ := g.normalTail(a)
		return g.fnma(a, q, g.positive(x))
	})
	g.gradient("geluBackward", "sets dx = dy·(Φ(x) + x·φ(x)).", 1, func(x, dy vec) vec {
		a := g.normalArgument(x)
		q, e := g.normalTail(a)
		// For x < 0 Φ + x·φ = q - a·φ, for x ≥ 0 it is 1 - that.
		s := g.fnma(g.mul(a, g.c(1/math.Sqrt(2*math.Pi))), e, q)
		up := g.sub(g.in(g.c(1)), s)
		return g.mul(g.choose(g.cmp(less, x, g.c(0)), s, up), dy)
	})
	g.unary("geluTanh", "sets dst = x·σ(2√(2/π)(x + 0.044715x³)).", 2, func(x vec) vec {
		_, u := g.geluArgument(x)
		return g.mul(x, g.sigmoid(u))
	})
	g.gradient("geluTanhBackward", "sets dx = dy·geluTanh'(x).", 1, func(x, dy vec) vec {
		c, u := g.geluArgument(x)
		s, slope := g.sigmoidAndSlope(u)
		du := g.polynomial(g.mul(c, c), geluFirst, 3*geluCubic)
		return g.mul(g.fma(g.mul(c, du), slope, s), dy)
	})
	g.unary("silu", "sets dst = x·σ(x).", 2, func(x vec) vec { return g.mul(x, g.sigmoid(x)) })
	g.gradient("siluBackward", "sets dx = dy·silu'(x).", 1, func(x, dy vec) vec {
		s, slope := g.sigmoidAndSlope(x)
		return g.mul(g.fma(x, slope, s), dy)
	})
	g.mapKernel("swiGLU", "func(dst, gate, up []float32)", "sets dst = silu(gate)·up.", "dst", []string{"gate", "up"}, 2,
		func(x []vec) vec { return g.mul(g.mul(x[0], g.sigmoid(x[0])), x[1]) })
	g.kernel("swiGLUBackward", "func(dgate, dup, gate, up, dy []float32)",
		"sets dgate = dy·up·silu'(gate) and dup = dy·silu(gate).", func() {
			dgate, dup := g.pointer("dgate"), g.pointer("dup")
			gate, up, dy := g.pointer("gate"), g.pointer("up"), g.pointer("dy")
			g.loop(g.length("dgate"), 1, func(_ int, m access) {
				x, u, d := m.load(gate), m.load(up), m.load(dy)
				s, slope := g.sigmoidAndSlope(x)
				m.store(g.mul(g.mul(g.fma(x, slope, s), u), d), dgate)
				m.store(g.mul(g.mul(x, s), d), dup)
			}, nil)
		})
}

// positive returns max(x, 0); NaN passes.
func (g *gen) positive(x vec) vec { return g.max(g.zero(), x) }

// normalArgument returns |x|, at most 20: beyond, Φ(-|x|) is 0 and must not meet
// infinity.
func (g *gen) normalArgument(x vec) vec { return g.min(g.in(g.c(20)), g.abs(x)) }

// geluArgument returns u = c·(first + cubic·c²) for c, x held to ±11, beyond
// which σ(u) is 0 or 1.
func (g *gen) geluArgument(x vec) (c, u vec) {
	c = g.max(g.in(g.c(-11)), g.min(g.in(g.c(11)), x))
	return c, g.mul(c, g.polynomial(g.mul(c, c), geluFirst, geluCubic))
}
