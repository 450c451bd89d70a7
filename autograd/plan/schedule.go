package plan

import (
	"slices"

	"example.com/gotrain/autograd/ir"
)

// schedule moves three sorts of instructions up as far as their operands and
// the hazards of state allow, and leaves all others in their order:
//
//   - optimizer updates, so that a gradient dies as soon as its parameter has
//     no more readers; those that wait for GradNorm's clip stay behind it;
//   - products and sums of the backward pass that end the life of more bytes
//     than they create, as weight gradients do with activations;
//   - collectives, so that they run concurrently with the rest of the backward pass. What
//     may differ between ranks are the updates, and the broadcasts of their results
//     stay behind every Await and collective before them: so all ranks start all
//     collectives in the same order.
//
// Each instruction gets an anchor: its own position, or, when it moves, the
// last anchor of the instructions that must come before it. Sorting by anchor,
// then by position, keeps all dependencies, because an instruction's anchor is
// never before the anchors of those that it depends on.
func schedule(p *ir.Program, _ Options) {
	s := newScheduler(p)
	for i, in := range p.Instrs {
		early, info := s.earliest(in), &ir.Kinds[in.Kind]
		s.anchor[i] = i
		if info.Update != ir.NoUpdate || info.Collective || in.Backward && info.WeightGradient && s.saves(i, early) {
			s.anchor[i] = early
		}
		s.record(i, in)
	}
	order := make([]int, len(p.Instrs))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return s.anchor[a] - s.anchor[b] })
	instrs := make([]*ir.Instr, len(order))
	for i, from := range order {
		instrs[i] = p.Instrs[from]
	}
	p.Instrs = instrs
}

type scheduler struct {
	p        *ir.Program
	isOutput []bool
	anchor   []int
	defined  []int             // by value ID: the anchor of its definition, -1 for none
	readers  [][]int           // by root ID: positions of the readers
	written  map[*ir.Value]int // by state root: the last anchor of its writers
	read     map[*ir.Value]int // … and of its readers
	met      int               // the last anchor of the collectives and Awaits, -1 for none
}

func newScheduler(p *ir.Program) *scheduler {
	s := &scheduler{p: p, isOutput: rootOutputs(p), anchor: make([]int, len(p.Instrs)),
		defined: make([]int, len(p.Values)), readers: make([][]int, len(p.Values)),
		written: map[*ir.Value]int{}, read: map[*ir.Value]int{}, met: -1}
	for i := range s.defined {
		s.defined[i] = -1
	}
	for i, in := range p.Instrs {
		for _, v := range in.In {
			if v != nil && v.Root().Class == ir.Temp {
				id := v.Root().ID
				s.readers[id] = append(s.readers[id], i)
			}
		}
	}
	return s
}

// earliest returns the last anchor that in must not come before.
func (s *scheduler) earliest(in *ir.Instr) int {
	early := -1
	after := func(anchor int, ok bool) {
		if ok {
			early = max(early, anchor)
		}
	}
	for _, v := range in.In {
		if v != nil {
			after(s.defined[v.ID], true)
		}
	}
	after(s.met, ir.Kinds[in.Kind].Collective && ir.Kinds[in.Kind].ReadsNew)
	eachState(in, func(root *ir.Value, write bool) {
		at, ok := s.written[root]
		after(at, ok)
		if write {
			at, ok = s.read[root]
			after(at, ok)
		}
	})
	return early
}

// record notes the anchor of instruction i for those that depend on it.
func (s *scheduler) record(i int, in *ir.Instr) {
	if in.Meets() {
		s.met = max(s.met, s.anchor[i])
	}
	for _, v := range in.Out {
		if v != nil {
			s.defined[v.ID] = s.anchor[i]
		}
	}
	eachState(in, func(root *ir.Value, write bool) {
		m := s.read
		if write {
			m = s.written
		}
		if at, ok := m[root]; !ok || at < s.anchor[i] {
			m[root] = s.anchor[i]
		}
	})
}

// saves tells whether moving instruction i up to early lowers bytes × time:
// inputs of which i is the last reader die earlier, outputs are born earlier.
func (s *scheduler) saves(i, early int) bool {
	var gain int64
	seen := map[*ir.Value]bool{}
	for _, v := range s.p.Instrs[i].In {
		if v == nil || v.Root().Class != ir.Temp || s.isOutput[v.Root().ID] || seen[v.Root()] {
			continue
		}
		root := v.Root()
		seen[root] = true
		next := early // the last other reader
		for _, r := range s.readers[root.ID] {
			switch {
			case r < i:
				next = max(next, s.anchor[r])
			case r > i:
				next = i
			}
		}
		gain += root.Bytes() * int64(i-next)
	}
	for _, v := range s.p.Instrs[i].Out {
		if v != nil && v.Root().Class == ir.Temp {
			gain -= v.Bytes() * int64(i-early)
		}
	}
	return gain > 0
}
