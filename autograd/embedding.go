package autograd

import (
	"math"

	"example.com/gotrain/autograd/ir"
)

// Embedding looks up rows: ids (N) int32, table (V, D) → (N, D). Ids outside
// [0, V) are a fault of the host that the loader excludes.
func Embedding(ids, table *Node) *Node {
	g := table.g
	if broken(ids, table) {
		return g.pass()
	}
	if ids.dtype != ir.I32 || len(ids.shape) != 1 || len(table.shape) != 2 {
		return g.fail("Embedding", "wants ids (N) int32 and a table (V, D), got %s", shapes(ids, table))
	}
	return g.apply(ir.Embedding, nil, []*Node{ids, table},
		[]spec{f32(ids.shape[0], table.shape[1])}, []bool{false, table.dtype == ir.F32},
		func(o *op, in []*Node, _, dy *Node) []*Node {
			return []*Node{nil, g.apply(ir.EmbeddingBackward, nil, []*Node{in[0], dy, nil}, []spec{like(in[1])}, nil, nil)}
		})
}

// SinusoidalTable returns the constant position encodings of Vaswani et al.
// 2017, (length, width): sin in even columns, cos in odd ones, wavelengths from
// 2π to 10000·2π.
func (g *Graph) SinusoidalTable(name string, length, width int) *Node {
	return g.Table(name, func() []float32 {
		t := make([]float32, length*width)
		for pos := range length {
			for i := 0; i < width; i++ {
				angle := float64(pos) / math.Pow(10000, float64(i/2*2)/float64(width))
				if i%2 == 0 {
					t[pos*width+i] = float32(math.Sin(angle))
				} else {
					t[pos*width+i] = float32(math.Cos(angle))
				}
			}
		}
		return t
	}, length, width)
}
