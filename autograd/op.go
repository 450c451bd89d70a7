package autograd

import (
	"errors"
	"fmt"
	"hash"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"example.com/gotrain/autograd/ir"
)

// spec is the shape and dtype of one result.
type spec struct {
	shape ir.Shape
	dtype ir.DType
}

// f32 is a float32 result; no axes make a scalar.
func f32(shape ...int) spec { return spec{append(ir.Shape{}, shape...), ir.F32} }

func like(n *Node) spec { return spec{n.shape, n.dtype} }

// gradient returns the gradient of each of in, given that of out, with nil
// where diff is false. in holds nil for absent optionals.
type gradient func(o *op, in []*Node, out, dy *Node) []*Node

// op adapts every kind to Gorgonia's Op and SDOp.
type op struct {
	kind  ir.Kind
	attrs ir.Attrs
	id    uint32 // unique: Gorgonia merges nodes of equal hash, which is unsound
	graph *Graph
	scope scope
	index int   // of a projection
	args  []int // position in in of each child
	in    []spec
	out   []spec
	diff  []bool // by position in in
	grad  gradient
}

var _ gorgonia.SDOp = (*op)(nil)

// projection selects result index of its only child.
const projection = ir.NumKinds

// apply adds an op to the graph. in follows ir.Kinds[kind].In, whose dtypes it must
// have; diff tells which inputs have a gradient (nil: none).
func (g *Graph) apply(kind ir.Kind, attrs ir.Attrs, in []*Node, out []spec, diff []bool, grad gradient) *Node {
	if g.err != nil || broken(in...) {
		return &Node{g: g}
	}
	if kind != projection {
		info := &ir.Kinds[kind]
		for i, n := range in {
			if a := info.Input(i); n != nil && !a.Type.Takes(n.dtype) {
				return g.fail(kind.String(), "input %q is %s%s, want %s", a.Name, n.dtype, n.shape, a.Type)
			}
		}
	}
	g.sites++
	o := &op{kind: kind, attrs: attrs, id: g.sites, graph: g, scope: g.scope, out: out, diff: diff, grad: grad}
	o.in = make([]spec, len(in))
	var children gorgonia.Nodes
	for i, n := range in {
		if n == nil {
			continue
		}
		o.in[i] = like(n)
		o.args = append(o.args, i)
		children = append(children, n.n)
	}
	raw, err := gorgonia.ApplyOp(o, children...)
	if err != nil {
		return g.fail(kind.String(), "%v", err)
	}
	return g.wrap(raw, out[0])
}

// project returns result i of the op that made n. It runs nothing.
func project(n *Node, i int) *Node {
	if broken(n) {
		return n
	}
	made := n.n.Op().(*op)
	p := n.g.apply(projection, nil, []*Node{n}, []spec{made.out[i]}, nil, nil)
	if p.n != nil {
		p.n.Op().(*op).index = i
	}
	return p
}

func (g *Graph) wrap(raw *gorgonia.Node, s spec) *Node {
	if n := g.nodes[raw]; n != nil {
		return n
	}
	n := &Node{g: g, n: raw, shape: s.shape, dtype: s.dtype}
	g.nodes[raw] = n
	return n
}

// find returns our node of a Gorgonia node, also for those that Grad made.
func (g *Graph) find(raw *gorgonia.Node) *Node {
	if n := g.nodes[raw]; n != nil {
		return n
	}
	return g.wrap(raw, f32(raw.Shape()...))
}

// Arity is part of gorgonia.Op.
func (o *op) Arity() int { return len(o.args) }

// Type builds a new type at each call: Gorgonia returns it to a pool.
func (o *op) Type() hm.Type {
	var types []hm.Type
	for _, i := range o.args {
		types = append(types, typeOf(o.in[i]))
	}
	return hm.NewFnType(append(types, typeOf(o.out[0]))...)
}

func typeOf(s spec) hm.Type {
	dt := elementOf(s.dtype)
	if len(s.shape) == 0 {
		return dt
	}
	return gorgonia.TensorType{Dims: len(s.shape), Of: dt}
}

// elementOf is what Gorgonia takes a dtype for: it has a byte where elements are
// smaller, which nothing computes with.
func elementOf(d ir.DType) tensor.Dtype {
	switch d {
	case ir.F32:
		return tensor.Float32
	case ir.I32:
		return tensor.Int32
	}
	return tensor.Uint8
}

// InferShape is part of gorgonia.Op.
func (o *op) InferShape(...gorgonia.DimSizer) (tensor.Shape, error) {
	return append(tensor.Shape(nil), o.out[0].shape...), nil
}

// Do is part of gorgonia.Op; programs run through package exec.
func (o *op) Do(...gorgonia.Value) (gorgonia.Value, error) {
	return nil, errors.New("autograd: ops run in package exec, not in a Gorgonia machine")
}

// ReturnsPtr is part of gorgonia.Op.
func (o *op) ReturnsPtr() bool { return true }

// CallsExtern is part of gorgonia.Op.
func (o *op) CallsExtern() bool { return false }

// OverwritesInput is part of gorgonia.Op.
func (o *op) OverwritesInput() int { return -1 }

// WriteHash is part of gorgonia.Op.
func (o *op) WriteHash(h hash.Hash) {
	fmt.Fprintf(h, "gotrain op %d", o.id)
}

// Hashcode is part of gorgonia.Op.
func (o *op) Hashcode() uint32 { return o.id }

// String is part of gorgonia.Op.
func (o *op) String() string {
	if o.kind == projection {
		return "projection"
	}
	return o.kind.String()
}

// DiffWRT is part of gorgonia.SDOp.
func (o *op) DiffWRT(children int) []bool {
	diff := make([]bool, children)
	if o.diff != nil {
		for child, i := range o.args {
			diff[child] = o.diff[i]
		}
	}
	return diff
}

// SymDiff is part of gorgonia.SDOp: it builds the gradient ops in the scope of
// the op that they belong to.
func (o *op) SymDiff(children gorgonia.Nodes, out, dy *gorgonia.Node) (gorgonia.Nodes, error) {
	g := o.graph
	if o.grad == nil {
		return nil, fmt.Errorf("%s has no gradient at %s", o, o.scope.path)
	}
	saved := g.scope
	g.scope = o.scope
	g.scope.backward = true
	defer func() { g.scope = saved }()

	in := make([]*Node, len(o.in))
	for child, i := range o.args {
		in[i] = g.find(children[child])
	}
	grads := o.grad(o, in, g.find(out), g.find(dy))
	if g.err != nil {
		return nil, g.err
	}
	result := make(gorgonia.Nodes, len(o.args))
	for child, i := range o.args {
		if o.diff[i] {
			if grads[i] == nil {
				return nil, fmt.Errorf("%s: no gradient for input %d at %s", o, i, o.scope.path)
			}
			result[child] = grads[i].n
		}
	}
	return result, nil
}
