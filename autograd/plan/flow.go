package plan

import (
	"slices"

	"example.com/gotrain/autograd/ir"
)

// flow knows, while a fusing pass rewrites a program, where each value is
// defined and read and where state is touched. A pass replaces instructions
// in place and sets removed ones to nil, so that positions never shift.
type flow struct {
	p        *ir.Program
	isOutput []bool
	def      []int                    // by value ID; -1 without a defining instruction
	uses     [][]int                  // by value ID: positions of the readers, once an argument
	touches  map[*ir.Value][]stateUse // by state root
}

type stateUse struct {
	pos   int
	write bool
}

func newFlow(p *ir.Program) *flow {
	f := &flow{p: p, isOutput: outputs(p), def: make([]int, len(p.Values)),
		uses: make([][]int, len(p.Values)), touches: map[*ir.Value][]stateUse{}}
	for i := range f.def {
		f.def[i] = -1
	}
	for i, in := range p.Instrs {
		f.put(i, in)
	}
	return f
}

// newState adds another content of the state root to the program.
func (f *flow) newState(root *ir.Value) *ir.Value {
	v := f.p.NewValue(ir.State, root.Name, root.DType, root.Shape...)
	v.Base = root
	f.isOutput = append(f.isOutput, false)
	f.def = append(f.def, -1)
	f.uses = append(f.uses, nil)
	return v
}

// put places in at position i, which take or nothing has emptied.
func (f *flow) put(i int, in *ir.Instr) {
	f.p.Instrs[i] = in
	for _, v := range in.In {
		if v != nil {
			f.uses[v.ID] = append(f.uses[v.ID], i)
		}
	}
	for _, v := range in.Out {
		if v != nil {
			f.def[v.ID] = i
		}
	}
	eachState(in, func(root *ir.Value, write bool) {
		f.touches[root] = append(f.touches[root], stateUse{i, write})
	})
}

// take removes and returns the instruction at position i.
func (f *flow) take(i int) *ir.Instr {
	in := f.p.Instrs[i]
	f.p.Instrs[i] = nil
	for _, v := range in.In {
		if v != nil {
			f.uses[v.ID] = slices.DeleteFunc(f.uses[v.ID], func(pos int) bool { return pos == i })
		}
	}
	for _, v := range in.Out {
		if v != nil {
			f.def[v.ID] = -1
		}
	}
	eachState(in, func(root *ir.Value, _ bool) {
		f.touches[root] = slices.DeleteFunc(f.touches[root], func(u stateUse) bool { return u.pos == i })
	})
	return in
}

// eachState calls visit for each state that in reads or writes, by root.
func eachState(in *ir.Instr, visit func(root *ir.Value, write bool)) {
	eachStorage(in, func(root *ir.Value, write bool) {
		if root.Class == ir.State {
			visit(root, write)
		}
	})
}

// eachStorage calls visit for each storage that in reads or writes, by root.
func eachStorage(in *ir.Instr, visit func(root *ir.Value, write bool)) {
	for _, v := range in.In {
		if v != nil {
			visit(v.Root(), false)
		}
	}
	if info := &ir.Kinds[in.Kind]; info.Alias && !info.Awaits {
		return // writes nothing
	}
	in.Writes(func(v *ir.Value) { visit(v.Root(), true) })
}

// only tells whether the instruction at position i is v's one reader, through
// one argument.
func (f *flow) only(v *ir.Value, i int) bool {
	return !f.isOutput[v.ID] && len(f.uses[v.ID]) == 1 && f.uses[v.ID][0] == i
}

// place returns the position for the fusion of the producer at i with the
// consumer at j of its output g: i when the consumer's other inputs are there
// by then, else j when nothing between needs the producer, else -1.
func (f *flow) place(i, j int, g *ir.Value) int {
	if f.canRise(i, j, g) {
		return i
	}
	if f.canSink(i, j, g) {
		return j
	}
	return -1
}

// canRise tells whether the instruction at j could run at position i < j,
// given g there.
func (f *flow) canRise(i, j int, g *ir.Value) bool {
	for _, v := range f.p.Instrs[j].In {
		if v != nil && v != g && f.def[v.ID] >= i {
			return false
		}
	}
	return !f.clash(f.p.Instrs[j], i, j-1)
}

// canSink tells whether the instruction at i could run at position j > i,
// whose instruction reads its output g.
func (f *flow) canSink(i, j int, g *ir.Value) bool {
	for _, v := range f.p.Instrs[i].Out {
		if v == nil || v == g {
			continue
		}
		for _, use := range f.uses[v.ID] {
			if use <= j {
				return false
			}
		}
	}
	return !f.clash(f.p.Instrs[i], i+1, j)
}

// clash tells whether an instruction in positions [from, to] touches state in
// a way that in must not be moved across.
func (f *flow) clash(in *ir.Instr, from, to int) bool {
	found := false
	eachState(in, func(root *ir.Value, write bool) {
		for _, u := range f.touches[root] {
			if from <= u.pos && u.pos <= to && (write || u.write) {
				found = true
			}
		}
	})
	return found
}
