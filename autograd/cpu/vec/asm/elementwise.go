package main

import "github.com/mmcloughlin/avo/reg"

// mapKernel emits dst = f(sources).
func (g *gen) mapKernel(name, signature, doc, dst string, sources []string, unroll int, f func(x []vec) vec) {
	g.kernel(name, signature, doc, func() {
		to := g.pointer(dst)
		var from []reg.Register
		for _, s := range sources {
			from = append(from, g.pointer(s))
		}
		g.loop(g.length(dst), unroll, func(_ int, m access) {
			var x []vec
			for _, p := range from {
				x = append(x, m.load(p))
			}
			m.store(f(x), to)
		}, nil)
	})
}

const (
	unarySignature  = "func(dst, x []float32)"
	binarySignature = "func(dst, a, b []float32)"
	gradSignature   = "func(dx, x, dy []float32)"
)

func (g *gen) unary(name, doc string, unroll int, f func(x vec) vec) {
	g.mapKernel(name, unarySignature, doc, "dst", []string{"x"}, unroll, func(x []vec) vec { return f(x[0]) })
}

// gradient emits dx = f(x, dy).
func (g *gen) gradient(name, doc string, unroll int, f func(x, dy vec) vec) {
	g.mapKernel(name, gradSignature, doc, "dx", []string{"x", "dy"}, unroll, func(x []vec) vec { return f(x[0], x[1]) })
}

func (g *gen) elementwise() {
	ab := []string{"a", "b"}
	g.mapKernel("add", binarySignature, "sets dst = a + b.", "dst", ab, 4, func(x []vec) vec { return g.add(x[0], x[1]) })
	g.mapKernel("sub", binarySignature, "sets dst = a - b.", "dst", ab, 4, func(x []vec) vec { return g.sub(x[0], x[1]) })
	g.mapKernel("mul", binarySignature, "sets dst = a·b.", "dst", ab, 4, func(x []vec) vec { return g.mul(x[0], x[1]) })
	g.kernel("scale", "func(dst, x []float32, c float32)", "sets dst = c·x.", func() {
		dst, x, c := g.pointer("dst"), g.pointer("x"), g.scalar("c")
		g.loop(g.length("dst"), 4, func(_ int, m access) { m.store(g.mul(c, m.load(x)), dst) }, nil)
	})
	g.kernel("axpy", "func(y []float32, a float32, x []float32)", "sets y += a·x.", func() {
		y, a, x := g.pointer("y"), g.scalar("a"), g.pointer("x")
		g.loop(g.length("y"), 4, func(_ int, m access) { m.store(g.fma(a, m.load(x), m.load(y)), y) }, nil)
	})
	g.unary("exp", "sets dst = eˣ.", 2, g.exp)
	g.unary("log", "sets dst = ln x.", 1, g.log)
	g.unary("tanh", "sets dst = tanh x.", 1, g.tanh)
	g.unary("sigmoid", "sets dst = 1/(1+e⁻ˣ).", 2, g.sigmoid)
	g.unary("erf", "sets dst = erf x.", 1, g.erf)
}
