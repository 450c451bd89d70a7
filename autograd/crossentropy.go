package autograd

import (
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/plan"
)

// LossConfig shapes the training loss. Reported NLL is free of both terms.
type LossConfig struct {
	Smoothing float32 // label smoothing ε, as torch.nn.functional.cross_entropy
	ZLoss     float32 // coefficient of lse² (Chowdhery et al. 2022)
}

// CrossEntropy scores logits (N, V) against targets (N) int32, of which those
// below 0 are ignored. lossWeight (1) scales the sum over targets: 1/count gives the
// mean. It returns the loss, a scalar, and the NLL of each target in nats, (N).
func CrossEntropy(logits, targets, lossWeight *Node, cfg LossConfig) (loss, nll *Node) {
	g := logits.g
	if broken(logits, targets, lossWeight) {
		return g.pass(), g.pass()
	}
	if len(logits.shape) != 2 || !targets.shape.Equal(logits.shape[:1]) || lossWeight.shape.Size() != 1 {
		n := g.fail("CrossEntropy", "wants logits (N, V), targets (N), loss weight (1): %s", shapes(logits, targets, lossWeight))
		return n, n
	}
	rows := logits.shape[0]
	attrs := ir.LossAttrs{Smoothing: cfg.Smoothing, ZLoss: cfg.ZLoss}
	loss = g.apply(ir.CrossEntropy, attrs, []*Node{logits, targets, lossWeight},
		[]spec{f32(), f32(rows), f32(rows)}, []bool{true, false, false},
		func(o *op, in []*Node, loss, dloss *Node) []*Node {
			return []*Node{g.apply(ir.CrossEntropyBackward, attrs,
				[]*Node{in[0], in[1], in[2], project(loss, 2), dloss}, []spec{like(in[0])}, nil, nil), nil, nil}
		})
	return loss, project(loss, 1)
}

// LogSumExp returns ln Σ exp of the rows of logits (N, V), (N), without a gradient. The
// kind asks for classes (N) int32, of which any do.
func LogSumExp(logits, classes *Node) *Node {
	one := logits.g.Table("one", func() []float32 { return []float32{1} }, 1)
	loss, _ := CrossEntropy(logits, classes, one, LossConfig{})
	return project(loss, 2)
}

// logitElements bounds the chunk of logits that LinearCrossEntropy and LinearLogProb
// hold, as long as it has plan.MinLogitRows rows.
const logitElements = 4 << 20

// logitRows is the number of rows of that chunk.
func logitRows(x, w *Node) int {
	return min(x.shape[0], max(plan.MinLogitRows, logitElements/w.shape[0]/64*64))
}

// LinearCrossEntropy is CrossEntropy(x·wᵀ, …) with x (N, D), w (V, D), without
// ever holding the (N, V) logits: a chunk of rows at a time gives its losses and
// at once its part of the gradients.
func LinearCrossEntropy(x, w, targets, lossWeight *Node, cfg LossConfig) (loss, nll *Node) {
	g := x.g
	if broken(x, w, targets, lossWeight) {
		return g.pass(), g.pass()
	}
	if len(x.shape) != 2 || len(w.shape) != 2 || x.shape[1] != w.shape[1] || !targets.shape.Equal(x.shape[:1]) || lossWeight.shape.Size() != 1 {
		n := g.fail("LinearCrossEntropy", "wants x (N, D), w (V, D), targets (N), loss weight (1): %s", shapes(x, w, targets, lossWeight))
		return n, n
	}
	attrs := ir.LinearCrossEntropyAttrs{LossAttrs: ir.LossAttrs{Smoothing: cfg.Smoothing, ZLoss: cfg.ZLoss}, Rows: logitRows(x, w)}
	loss = g.apply(ir.LinearCrossEntropy, attrs, []*Node{x, w, targets, lossWeight, nil},
		[]spec{f32(), f32(x.shape[0]), like(x), f32(w.shape...)}, []bool{true, w.dtype == ir.F32, false, false, false},
		func(o *op, in []*Node, loss, dloss *Node) []*Node {
			grads := []*Node{scaleBy(project(loss, 2), dloss), nil, nil, nil, nil}
			if in[1].dtype == ir.F32 {
				grads[1] = scaleBy(project(loss, 3), dloss)
			}
			return grads
		})
	return loss, project(loss, 1)
}

// MSE is the mean of (x - target)², a scalar. target has no gradient.
func MSE(x, target *Node) *Node {
	g := x.g
	if broken(x, target) {
		return g.pass()
	}
	if !x.shape.Equal(target.shape) {
		return g.fail("MSE", "shapes differ: %s", shapes(x, target))
	}
	return g.apply(ir.MSE, nil, []*Node{x, target}, []spec{f32()}, []bool{true, false},
		func(o *op, in []*Node, _, dloss *Node) []*Node {
			return []*Node{g.apply(ir.MSEBackward, nil, []*Node{in[0], in[1], dloss}, []spec{like(in[0])}, nil, nil), nil}
		})
}
