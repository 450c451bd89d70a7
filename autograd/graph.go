package autograd

import (
	"fmt"
	"strings"

	"gorgonia.org/gorgonia"

	"example.com/gotrain/autograd/ir"
)

// Graph is an expression graph under construction.
type Graph struct {
	g      *gorgonia.ExprGraph
	nodes  map[*gorgonia.Node]*Node
	names  map[string]*Node
	tables map[string]*Node
	params []*Node
	inputs []*Node
	writes []write
	wrt    []*Node // what Grad differentiated by; nil before it
	sites  uint32
	draws  uint32 // calls of Normal
	err    error
	scope  scope
}

// scope is what new ops inherit: where in the model they stand.
type scope struct {
	path     string
	block    int
	backward bool
}

// Node is a tensor of a Graph: a parameter, an input, a table or the result of
// an op.
type Node struct {
	g     *Graph
	n     *gorgonia.Node // nil once the graph has an error
	shape ir.Shape
	dtype ir.DType
	class ir.Class
	name  string
	table []float32
}

// NewGraph returns an empty graph.
func NewGraph() *Graph {
	return &Graph{
		g:      gorgonia.NewGraph(),
		nodes:  map[*gorgonia.Node]*Node{},
		names:  map[string]*Node{},
		tables: map[string]*Node{},
		scope:  scope{block: -1},
	}
}

// Err returns the first fault of the constructors, or nil.
func (g *Graph) Err() error { return g.err }

// In runs build with name appended to the path of the ops that it makes.
func (g *Graph) In(name string, build func()) {
	saved := g.scope
	if g.scope.path != "" {
		name = g.scope.path + "." + name
	}
	g.scope.path = name
	build()
	g.scope = saved
}

// Block is In for a block of layers: its activations may be recomputed in the
// backward pass (plan.Options.Recompute). Blocks do not nest.
func (g *Graph) Block(index int, name string, build func()) {
	g.In(name, func() {
		g.scope.block = index
		build()
	})
}

// Param declares a trainable float32 parameter. Its name is unique in the graph
// and names the state that holds it.
func (g *Graph) Param(name string, shape ...int) *Node {
	p := g.leaf(ir.State, name, ir.F32, shape)
	if p.n != nil {
		g.params = append(g.params, p)
	}
	return p
}

// State declares persistent float32 memory that is not trained: a key/value
// cache, or a frozen parameter. Grad does not differentiate by it, so that neither
// its gradient nor what only that would read is computed or kept.
func (g *Graph) State(name string, shape ...int) *Node {
	return g.leaf(ir.State, name, ir.F32, shape)
}

// Stored is State of a frozen weight that lies in memory as dtype: float32, bfloat16, or a
// matrix that is quantised. Linear, Embedding and LinearCrossEntropy read it, and decode it
// as they go.
func (g *Graph) Stored(name string, dtype ir.DType, shape ...int) *Node {
	if err := dtype.CheckStored(shape); err != nil {
		return g.fail("Stored", "%q: %v", name, err)
	}
	if dtype != ir.F32 && dtype != ir.BF16 && !dtype.Quantised() {
		return g.fail("Stored", "%q is %s, which is no type of weights", name, dtype)
	}
	return g.leaf(ir.State, name, dtype, shape)
}

// Input declares an input that the host writes before a run: float32, int32, or
// packed, which ToFloat decodes. Two inputs of one name are an error.
func (g *Graph) Input(name string, dtype ir.DType, shape ...int) *Node {
	if dtype != ir.F32 && dtype != ir.I32 && !dtype.Packed() {
		return g.fail("Input", "%q is %s, which the host does not write", name, dtype)
	}
	return g.leaf(ir.Input, name, dtype, shape)
}

// Ints is Input of int32.
func (g *Graph) Ints(name string, shape ...int) *Node { return g.Input(name, ir.I32, shape...) }

// Floats is Input of float32.
func (g *Graph) Floats(name string, shape ...int) *Node { return g.Input(name, ir.F32, shape...) }

// Table returns the constant of that name, which data computes the first time.
func (g *Graph) Table(name string, data func() []float32, shape ...int) *Node {
	if t := g.tables[name]; t != nil {
		if !t.shape.Equal(shape) {
			return g.fail("Table", "%q has shape %s, not %s", name, t.shape, ir.Shape(shape))
		}
		return t
	}
	return g.constant(name, ir.F32, data, shape)
}

// Zeros returns the constant of that name, n integers 0.
func (g *Graph) Zeros(name string, n int) *Node {
	if z := g.tables[name]; z != nil {
		return z
	}
	return g.constant(name, ir.I32, func() []float32 { return make([]float32, n) }, []int{n}) // 0 has the same bits
}

func (g *Graph) constant(name string, dtype ir.DType, data func() []float32, shape []int) *Node {
	t := g.leaf(ir.Table, name, dtype, shape)
	if t.n != nil {
		t.table = data()
		g.tables[name] = t
	}
	return t
}

// Declared returns the parameter, state, input or table of that name, nil where none
// is declared. A second forward pass of a model takes its parameters so.
func (g *Graph) Declared(name string) *Node { return g.names[name] }

// Params returns the parameters in the order of their declaration.
func (g *Graph) Params() []*Node { return g.params }

// Inputs returns the inputs in the order of their declaration.
func (g *Graph) Inputs() []*Node { return g.inputs }

// Name returns the name of a parameter, input or table.
func (n *Node) Name() string { return n.name }

// Named returns n as an output of programs with a name: Lower(program,
// loss.Named("loss")).
func (n *Node) Named(name string) *Node {
	named := *n
	named.name = name
	return &named
}

// DType returns the type of the node's elements.
func (n *Node) DType() ir.DType { return n.dtype }

// Shape returns the node's shape; it is not to be modified.
func (n *Node) Shape() ir.Shape { return n.shape }

// Graph returns the graph that the node belongs to.
func (n *Node) Graph() *Graph { return n.g }

func (g *Graph) leaf(class ir.Class, name string, dtype ir.DType, shape []int) *Node {
	if g.err != nil {
		return &Node{g: g}
	}
	for _, d := range shape {
		if d <= 0 {
			return g.fail("Param", "%q has shape %s: every axis must be positive", name, ir.Shape(shape))
		}
	}
	if name == "" || g.names[name] != nil {
		return g.fail("Param", "the name %q is empty or taken: Gorgonia would merge the two nodes", name)
	}
	raw := gorgonia.NewTensor(g.g, elementOf(dtype), len(shape), gorgonia.WithShape(shape...), gorgonia.WithName(name))
	n := &Node{g: g, n: raw, shape: append(ir.Shape(nil), shape...), dtype: dtype, class: class, name: name}
	g.nodes[raw], g.names[name] = n, n
	if class == ir.Input {
		g.inputs = append(g.inputs, n)
	}
	return n
}

// fail records the first error, with the path of the layer, and returns a node
// that later constructors pass on.
func (g *Graph) fail(op, format string, args ...any) *Node {
	if g.err == nil {
		msg := op + ": " + fmt.Sprintf(format, args...)
		if g.scope.path != "" {
			msg += " at " + g.scope.path
		}
		g.err = fmt.Errorf("%s", msg)
	}
	return &Node{g: g}
}

// broken tells whether any node comes from a failed constructor.
func broken(nodes ...*Node) bool {
	for _, n := range nodes {
		if n != nil && n.n == nil {
			return true
		}
	}
	return false
}

// shapes writes the shapes of nodes as "(2, 3) × (3, 4)".
func shapes(nodes ...*Node) string {
	var parts []string
	for _, n := range nodes {
		if n != nil {
			parts = append(parts, n.shape.String())
		}
	}
	return strings.Join(parts, " × ")
}
