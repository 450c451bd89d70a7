package plan

import (
	"slices"

	"example.com/gotrain/autograd/ir"
)

// inPlace lets an output take the storage of an input that dies at the
// instruction, where the kind's Overwrites allow it: both have the same bytes,
// the input's root is a temp that is no program output, and no other argument
// shares it. The pairs of a kind stand in the order of preference; all free
// the same bytes, those of the output.
//
// An output that defines a state from nothing is the other way round: the
// dying input moves into the state's storage, if nothing touches the state
// between, so that a sum of gradients grows where it ends up.
func inPlace(p *ir.Program, opt Options) {
	lives := lifetimes(p)
	touched := map[*ir.Value][]int{}
	for i, in := range p.Instrs {
		eachState(in, func(root *ir.Value, _ bool) { touched[root] = append(touched[root], i) })
	}
	for i, in := range p.Instrs {
		for _, pair := range ir.Kinds[in.Kind].Overwrites {
			out, x := in.Out[pair[0]], in.In[pair[1]]
			if allowed := opt.Target.InPlace; allowed != nil && !allowed(in, pair[0], pair[1]) {
				continue
			}
			if out == nil || x == nil || out.Base != nil || out.Bytes() != x.Bytes() ||
				shared(in, pair[1]) || slices.ContainsFunc(in.In, func(v *ir.Value) bool { return v != nil && v.Root() == out }) {
				continue
			}
			root := x.Root()
			life := &lives[root.ID]
			if root.Class != ir.Temp || life.last != i {
				continue
			}
			switch out.Class {
			case ir.Temp:
				out.Base = root
				life.last = lives[out.ID].last
			case ir.State:
				if !touchedBetween(touched[out], life.def, i) {
					root.Base = out
				}
			}
		}
	}
}

// shared tells whether another input of in has the storage of input j.
func shared(in *ir.Instr, j int) bool {
	for k, v := range in.In {
		if k != j && v != nil && v.Root() == in.In[j].Root() {
			return true
		}
	}
	return false
}

// touchedBetween tells whether one of the positions is in [from, to).
func touchedBetween(positions []int, from, to int) bool {
	for _, pos := range positions {
		if from <= pos && pos < to {
			return true
		}
	}
	return false
}
