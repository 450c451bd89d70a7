package autograd

import (
	"example.com/gotrain/autograd/ir"
)

// Memory declares float32 memory that a program hands on to its next run: what Write
// gives it there is what the next one reads, zeros at first. Its rows, along the first
// axis, are those of a micro-batch: each sample of a step has a row of its own, which the
// sample at the same place in the next step gets. Evaluations have rows apart from those
// of training, and begin with zeros. Grad does not differentiate by it, so that a loss
// does not reach back over the steps before.
func (g *Graph) Memory(name string, shape ...int) *Node {
	if len(shape) == 0 {
		return g.fail("Memory", "%q has no axis of samples", name)
	}
	return g.leaf(ir.State, ir.MemoryPrefix+name, ir.F32, shape)
}

// Running declares float32 memory of a whole run, such as running statistics: every
// micro-batch and every evaluation reads the same, and on several ranks Write gives it
// the mean of theirs. Grad does not differentiate by it.
func (g *Graph) Running(name string, shape ...int) *Node {
	return g.leaf(ir.State, ir.RunningPrefix+name, ir.F32, shape)
}

// Write has the programs of the graph end with state = next, where it is finite: a step
// that overflows, and that the guard leaves out, does not spoil those behind it. The
// whole run reads what was there before it.
func (g *Graph) Write(state, next *Node) {
	if broken(state, next) {
		return
	}
	switch {
	case state.class != ir.State || !ir.IsMemory(state.name) && !ir.IsRunning(state.name):
		g.fail("Write", "%q is no Memory and no Running of the graph", state.name)
	case !state.shape.Equal(next.shape) || next.dtype != ir.F32:
		g.fail("Write", "%q is %s, not %s%s", state.name, state.shape, next.dtype, next.shape)
	}
	for _, w := range g.writes {
		if w.state == state {
			g.fail("Write", "%q is written twice", state.name)
		}
	}
	g.writes = append(g.writes, write{state, next})
}

// write is a state with what it gets at the end of a run.
type write struct{ state, next *Node }

// writeStates appends the instructions of Write.
func (l *lowering) writeStates() {
	for _, w := range l.g.writes {
		l.p.Emit(&ir.Instr{
			Kind: ir.Assign, Attrs: ir.AssignAttrs{Mean: ir.IsRunning(w.state.name)},
			In: []*ir.Value{l.value[w.state.n], l.value[w.next.n]}, Path: w.state.name, Block: -1,
		})
	}
}
