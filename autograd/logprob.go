package autograd

import "example.com/gotrain/autograd/ir"

// LogProbConfig says under which distribution LinearLogProb asks for the targets.
type LogProbConfig struct {
	Temperature float32 // that logits are divided by; 0 is 1
	Entropy     bool    // is wanted as well
	// Kept is the most tokens of a truncated distribution (KeptLogProb); 0 is for the whole one.
	Kept int
}

// LinearLogProb returns the log-probability of each target, (N), under
// softmax(x·wᵀ / Temperature) with x (N, D), w (V, D) and targets (N) int32, without
// ever holding the (N, V) logits; it is 0 for targets below 0. entropy (N) in nats is
// nil unless it is asked for. Both have gradients by x and w, for which a chunk of
// logits at a time is computed again. lse (N) is the log-sum-exp of the logits and has
// none.
func LinearLogProb(x, w, targets *Node, cfg LogProbConfig) (logp, entropy, lse *Node) {
	g := x.g
	if broken(x, w, targets) {
		return g.pass(), g.pass(), g.pass()
	}
	if len(x.shape) != 2 || len(w.shape) != 2 || x.shape[1] != w.shape[1] || !targets.shape.Equal(x.shape[:1]) || cfg.Temperature < 0 {
		n := g.fail("LinearLogProb", "wants x (N, D), w (V, D), targets (N), a temperature of 0 or more: %s, %g", shapes(x, w, targets), cfg.Temperature)
		return n, n, n
	}
	n, results := x.shape[0], 1
	if cfg.Entropy {
		results = 2
	}
	attrs := ir.LinearLogProbAttrs{Scale: 1, Entropy: cfg.Entropy, Rows: logitRows(x, w)}
	if cfg.Temperature != 0 {
		attrs.Scale = 1 / cfg.Temperature
	}
	y := g.apply(ir.LinearLogProb, attrs, []*Node{x, w, targets}, []spec{f32(results, n), f32(n)}, []bool{true, w.dtype == ir.F32, false},
		func(o *op, in []*Node, _, dy *Node) []*Node {
			dx := g.apply(ir.LinearLogProbBackward, attrs, []*Node{in[0], in[1], in[2], dy, nil}, []spec{like(in[0]), f32(in[1].shape...)}, nil, nil)
			grads := []*Node{dx, nil, nil}
			if in[1].dtype == ir.F32 {
				grads[1] = project(dx, 1)
			}
			return grads
		})
	if !cfg.Entropy {
		return Reshape(y, n), nil, project(y, 1)
	}
	row := func(i int) *Node { return Reshape(Slice(y, 0, i, i+1), n) }
	return row(0), row(1), project(y, 1)
}

// MaxTop is the most classes a row that LinearTopLogProb takes.
const MaxTop = 1024

// LinearTopLogProb returns log-probabilities of some classes of each row, (N, K), under
// softmax(x·wᵀ / temperature) with x (N, D), w (V, D) and classes (N, K) int32, which differ
// within a row, without ever holding the (N, V) logits. Where K < V, column K of (N, K + 1) is
// that of all other classes together, summed up and not the difference to 1. Classes below
// 0 give 0, and so does a row whose first is. A temperature of 0 is 1.
func LinearTopLogProb(x, w, classes *Node, temperature float32) *Node {
	g := x.g
	if broken(x, w, classes) {
		return g.pass()
	}
	if len(x.shape) != 2 || len(w.shape) != 2 || len(classes.shape) != 2 || x.shape[1] != w.shape[1] || classes.shape[0] != x.shape[0] ||
		classes.shape[1] < 1 || classes.shape[1] > min(MaxTop, w.shape[0]) || temperature < 0 {
		return g.fail("LinearTopLogProb", "wants x (N, D), w (V, D), classes (N, K), of which there are 1 to %d but no more than V, a temperature of 0 or more: %s, %g", MaxTop, shapes(x, w, classes), temperature)
	}
	n, k := x.shape[0], classes.shape[1]
	attrs := ir.LinearTopLogProbAttrs{Scale: 1, Rest: k < w.shape[0], Rows: logitRows(x, w)}
	if temperature != 0 {
		attrs.Scale = 1 / temperature
	}
	if attrs.Rest {
		k++
	}
	return g.apply(ir.LinearTopLogProb, attrs, []*Node{x, w, classes}, []spec{f32(n, k)}, []bool{true, w.dtype == ir.F32, false},
		func(o *op, in []*Node, _, dy *Node) []*Node {
			dx := g.apply(ir.LinearTopLogProbBackward, attrs, []*Node{in[0], in[1], in[2], dy, nil}, []spec{like(in[0]), f32(in[1].shape...)}, nil, nil)
			grads := []*Node{dx, nil, nil}
			if in[1].dtype == ir.F32 {
				grads[1] = project(dx, 1)
			}
			return grads
		})
}

// out is what is added to the log-probability of a place that holds no token.
const out = -1e30

// KeptLogProb is LinearLogProb of a truncated distribution: that of softmax(x·wᵀ / Temperature)
// over the tokens that a sampler has kept. kept (N, Kept) int32 has in each row the target, then
// each other token that was kept, then -1; a row of -1 scores 0. Kept is as in LinearTopLogProb.
func KeptLogProb(x, w, kept *Node, cfg LogProbConfig) (logp, entropy *Node) {
	g := x.g
	if broken(x, w, kept) {
		return g.pass(), g.pass()
	}
	if len(kept.shape) != 2 || kept.shape[1] != cfg.Kept {
		n := g.fail("KeptLogProb", "wants kept (N, %d): %s", cfg.Kept, shapes(x, w, kept))
		return n, n
	}
	n, k := kept.shape[0], cfg.Kept
	z := LinearTopLogProb(x, w, kept, cfg.Temperature)
	if broken(z) {
		return z, z
	}
	first := Slice(z, 1, 0, 1)
	if k > 1 {
		token := Step(Shift(ToFloat(kept, 1, 0), 1)) // 1 where a token is, else 0
		empty := Shift(Scale(token, -out), out)
		others := Add(Slice(z, 1, 1, k), Slice(empty, 1, 1, k))
		first = Concat(1, first, others)
	}
	p := Softmax(first) // (N, Kept)
	logp = Reshape(Log(Slice(p, 1, 0, 1)), n)
	if !cfg.Entropy {
		return logp, nil
	}
	lnp := Log(Clip(p, 1e-30, 1))
	return logp, Reshape(Scale(Sum(Mul(p, lnp), 1), -1), n)
}
