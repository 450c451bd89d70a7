package autograd

import "example.com/gotrain/autograd/ir"

// MatMul multiplies the last two axes, a (…, M, K) × b (…, K, N) → (…, M, N);
// transA and transB say that a is stored (…, K, M) and b (…, N, K). Leading
// axes are batches and must be equal. Gradients: da = dy·bᵀ, db = aᵀ·dy.
func MatMul(a, b *Node, transA, transB bool) *Node { return matmul(a, b, nil, transA, transB) }

// WeightLayout tells how a Linear weight is stored.
type WeightLayout bool

const (
	OutIn WeightLayout = true  // (out, in), as torch.nn.Linear
	InOut WeightLayout = false // (in, out), as GPT-2's Conv1D
)

// Linear is x·w + bias with x (N, in), w in the given layout, bias (out) or nil
// → (N, out).
func Linear(x, w, bias *Node, layout WeightLayout) *Node {
	return matmul(x, w, bias, false, bool(layout))
}

func matmul(a, b, bias *Node, transA, transB bool) *Node {
	g := a.g
	if broken(a, b, bias) {
		return g.pass()
	}
	if len(a.shape) < 2 || len(a.shape) != len(b.shape) {
		return g.fail("MatMul", "wants two tensors with the same number of axes, at least 2: %s", shapes(a, b))
	}
	r := len(a.shape)
	m, k := a.shape[r-2], a.shape[r-1]
	if transA {
		m, k = k, m
	}
	k2, n := b.shape[r-2], b.shape[r-1]
	if transB {
		k2, n = n, k2
	}
	if k != k2 {
		return g.fail("MatMul", "inner dimensions differ: %s", shapes(a, b))
	}
	if !a.shape[:r-2].Equal(b.shape[:r-2]) {
		return g.fail("MatMul", "batch dimensions differ: %s", shapes(a, b))
	}
	if bias != nil && !bias.shape.Equal(ir.Shape{n}) {
		return g.fail("MatMul", "bias has shape %s, want (%d)", bias.shape, n)
	}
	if b.dtype != ir.F32 && r != 2 {
		return g.fail("MatMul", "%s weights are no batch: %s", b.dtype, shapes(a, b))
	}
	shape := append(append(ir.Shape(nil), a.shape[:r-2]...), m, n)
	return g.apply(ir.MatMul, ir.MatMulAttrs{TransA: transA, TransB: transB}, []*Node{a, b, bias, nil, nil},
		[]spec{f32(shape...), f32(shape...), f32(n)}, []bool{true, b.dtype == ir.F32, true, false, false},
		func(o *op, in []*Node, _, dy *Node) []*Node {
			grads := make([]*Node, 5)
			if transA {
				grads[0] = MatMul(in[1], dy, transB, true)
			} else {
				grads[0] = MatMul(dy, in[1], false, !transB)
			}
			switch {
			case in[1].dtype != ir.F32: // frozen
			case transB:
				grads[1] = MatMul(dy, in[0], true, transA)
			default:
				grads[1] = MatMul(in[0], dy, !transA, false)
			}
			if in[2] != nil {
				grads[2] = columnSum(dy)
			}
			return grads
		})
}

// columnSum sums the rows of x (N, D) → (D); it is the gradient of a bias.
func columnSum(x *Node) *Node {
	return x.g.apply(ir.ColumnSum, nil, []*Node{x, nil}, []spec{f32(x.shape.Cols())}, nil, nil)
}
