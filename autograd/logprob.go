package autograd

import "example.com/gotrain/autograd/ir"

// LogProbConfig says under which distribution LinearLogProb asks for the targets.
type LogProbConfig struct {
	Temperature float32 // that logits are divided by; 0 is 1
	Entropy     bool    // is wanted as well
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
