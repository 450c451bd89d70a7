package autograd

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"

	"gorgonia.org/gorgonia"

	"example.com/gotrain/autograd/ir"
)

// Grad differentiates a scalar loss by the parameters wrt, in their order, or by
// all, in that of Params, when none is given. What leads to other parameters only is
// not differentiated: a generator learns through a discriminator that stays as it
// is. A graph is differentiated once.
func (g *Graph) Grad(loss *Node, wrt ...*Node) []*Node {
	if g.err != nil {
		return nil
	}
	if g.wrt != nil {
		g.fail("Grad", "the graph is differentiated already: Gorgonia would add up both gradients")
		return nil
	}
	if len(loss.shape) != 0 {
		g.fail("Grad", "the loss must be a scalar, not %s", loss.shape)
		return nil
	}
	if len(wrt) == 0 {
		wrt = g.params
	}
	inputs := make(gorgonia.Nodes, len(wrt))
	for i, p := range wrt {
		if !slices.Contains(g.params, p) || slices.Contains(wrt[:i], p) {
			g.fail("Grad", "%q is no parameter of the graph, or is named twice", p.name)
			return nil
		}
		inputs[i] = p.n
	}
	g.wrt = append([]*Node{}, wrt...)
	raw, err := gorgonia.Grad(loss.n, inputs...)
	if g.err != nil {
		return nil
	}
	if err != nil {
		g.fail("Grad", "%v", err)
		return nil
	}
	grads := make([]*Node, len(raw))
	for i, n := range raw {
		grads[i] = g.find(n)
	}
	return grads
}

// Lower returns the program that computes outputs, under the names that they have
// (see Node.Named), or the graph's first error.
// Node ids rise as Gorgonia creates nodes, so their order is a topological one:
// forward first, then backward in Grad's order.
func (g *Graph) Lower(name string, outputs ...*Node) (*ir.Program, error) {
	if g.err != nil {
		return nil, g.err
	}
	l := lowering{g: g, p: &ir.Program{Name: name}, value: map[*gorgonia.Node]*ir.Value{}, instr: map[*gorgonia.Node]*ir.Instr{}}
	roots := slices.Clone(outputs)
	for _, w := range g.writes {
		roots = append(roots, w.state, w.next)
	}
	for _, n := range l.needed(roots) {
		if err := l.lower(n); err != nil {
			return nil, err
		}
	}
	l.writeStates()
	for _, o := range outputs {
		if err := l.output(o); err != nil {
			return nil, err
		}
	}
	return l.p, ir.Verify(l.p)
}

// output appends an output under the name of its node.
func (l *lowering) output(o *Node) error {
	v := l.value[o.n]
	switch {
	case o.name == "" || o.name == v.Name:
	case v.Class != ir.Temp || v.Name != "":
		return fmt.Errorf("autograd: output %q is %s %q already", o.name, v.Class, v.Name)
	case l.p.Output(o.name) >= 0:
		return fmt.Errorf("autograd: two outputs are named %q", o.name)
	default:
		v.Name = o.name
	}
	l.p.Outputs = append(l.p.Outputs, v)
	return nil
}

type lowering struct {
	g        *Graph
	p        *ir.Program
	value    map[*gorgonia.Node]*ir.Value
	instr    map[*gorgonia.Node]*ir.Instr
	children map[*gorgonia.Node]gorgonia.Nodes
}

// needed returns the nodes that the roots depend on, in id order.
func (l *lowering) needed(roots []*Node) gorgonia.Nodes {
	l.children = map[*gorgonia.Node]gorgonia.Nodes{}
	var stack, order gorgonia.Nodes
	for _, r := range roots {
		stack = append(stack, r.n)
	}
	for len(stack) > 0 {
		n := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if _, done := l.children[n]; done {
			continue
		}
		var kids gorgonia.Nodes
		// Gorgonia gives the ordered inputs of a node through From only.
		for it := l.g.g.From(n.ID()); it != nil && it.Next(); {
			kids = append(kids, it.Node().(*gorgonia.Node))
		}
		l.children[n] = kids
		stack = append(stack, kids...)
		order = append(order, n)
	}
	sort.Slice(order, func(i, j int) bool { return order[i].ID() < order[j].ID() })
	return order
}

func (l *lowering) lower(n *gorgonia.Node) error {
	kids := l.children[n]
	switch o := n.Op().(type) {
	case nil:
		l.leaf(n)
	case *op:
		if o.kind == projection {
			l.value[n] = l.instr[kids[0]].Out[o.index]
			return nil
		}
		in := &ir.Instr{Kind: o.kind, Attrs: o.attrs, Path: o.scope.path, Backward: o.scope.backward, Block: o.scope.block}
		in.In = make([]*ir.Value, len(o.in))
		for child, i := range o.args {
			in.In[i] = l.value[kids[child]]
		}
		for _, s := range o.out {
			var v *ir.Value
			if s.shape != nil {
				v = l.p.NewValue(ir.Temp, "", s.dtype, s.shape...)
			}
			in.Out = append(in.Out, v)
		}
		l.define(n, in)
	default:
		if len(kids) == 0 && n.Value() != nil { // the 1 that Grad starts from
			one, ok := n.Value().Data().(float32)
			if !ok {
				return fmt.Errorf("autograd: Gorgonia made a constant of type %T", n.Value().Data())
			}
			v := l.p.NewValue(ir.Const, "", ir.F32)
			v.Const = one
			l.value[n] = v
			return nil
		}
		if len(kids) != 2 || !strings.HasPrefix(o.String(), "+ ") { // Grad sums the gradients of a node that is used twice
			return errors.New("autograd: Gorgonia made an op that is not ours: " + o.String())
		}
		v := l.p.NewValue(ir.Temp, "", ir.F32, n.Shape()...)
		l.define(n, &ir.Instr{Kind: ir.Add, Backward: true, Block: -1, In: []*ir.Value{l.value[kids[0]], l.value[kids[1]]}, Out: []*ir.Value{v}})
	}
	return nil
}

func (l *lowering) define(n *gorgonia.Node, in *ir.Instr) {
	l.p.Emit(in)
	l.instr[n] = in
	l.value[n] = in.Out[0]
}

func (l *lowering) leaf(n *gorgonia.Node) {
	node := l.g.nodes[n]
	v := l.p.NewValue(node.class, node.name, node.dtype, node.shape...)
	v.Data = node.table
	l.value[n] = v
}

// GradMode tells where LowerTrain leaves the gradients.
type GradMode uint8

const (
	GradTemp  GradMode = iota // in the arena, for optimizer instructions of the same program
	GradStore                 // in the state "grad.NAME", overwritten
	GradAdd                   // added to the state "grad.NAME"
)

// Gradient is a parameter of a program with its gradient there.
type Gradient struct{ Param, Grad *ir.Value }

// GradState is the name of the state that holds the gradient of a parameter.
func GradState(param string) string { return "grad." + param }

// LowerTrain is Lower with the gradients that Grad returned.
// Package optim appends the update to a GradTemp program.
func (g *Graph) LowerTrain(name string, grads []*Node, mode GradMode, outputs ...*Node) (*ir.Program, []Gradient, error) {
	if g.err != nil {
		return nil, nil, g.err
	}
	p, err := g.Lower(name, append(append([]*Node(nil), outputs...), grads...)...)
	if err != nil {
		return nil, nil, err
	}
	values := p.Outputs[len(outputs):]
	p.Outputs = p.Outputs[:len(outputs)]
	gradients := make([]Gradient, len(grads))
	for i, param := range g.wrt {
		v := values[i]
		if mode != GradTemp {
			v = storeGrad(p, v, GradState(param.name), mode)
		}
		gradients[i] = Gradient{Param: p.Lookup(ir.State, param.name), Grad: v}
		if gradients[i].Param == nil { // the loss reads no element of it, as of an unused table
			return nil, nil, fmt.Errorf("autograd: the loss does not depend on parameter %q", param.name)
		}
	}
	return p, gradients, ir.Verify(p)
}

// storeGrad appends the instruction that moves or adds the gradient v to its
// state; package plan fuses it into the instruction that computes v.
func storeGrad(p *ir.Program, v *ir.Value, state string, mode GradMode) *ir.Value {
	out := p.NewValue(ir.State, state, ir.F32, v.Shape...)
	in := &ir.Instr{Kind: ir.Scale, Attrs: ir.ScaleAttrs{Alpha: 1}, In: []*ir.Value{v}, Out: []*ir.Value{out}, Backward: true, Block: -1}
	if mode == GradAdd {
		sum := p.NewValue(ir.State, state, ir.F32, v.Shape...)
		sum.Base = out
		in.Kind, in.Attrs, in.In, in.Out = ir.Add, nil, []*ir.Value{out, v}, []*ir.Value{sum}
		out = sum
	}
	p.Emit(in)
	return out
}
