package plan

import (
	"cmp"
	"fmt"
	"slices"

	"example.com/gotrain/autograd/ir"
)

// CheckOverlap returns the first fault of the memory layout: a slot that is
// not aligned or leaves the arena, two slots that overlap while both are in
// use, or an output in the storage of an input that its kernel may not
// overwrite. Build's results have none; tests hold it to that.
func (p *Plan) CheckOverlap() error {
	type span struct {
		life
		Slot
		what string
	}
	var spans []span
	for id, l := range p.lifetimes() {
		if s := p.Slots[id]; s.Bytes > 0 {
			spans = append(spans, span{l, s, fmt.Sprintf("value %d", id)})
		} else if l.def >= 0 && p.Program.Values[id].Bytes() > 0 {
			return fmt.Errorf("plan: value %d has no slot", id)
		}
	}
	for _, l := range p.Launches {
		if l.Workspace.Bytes > 0 {
			spans = append(spans, span{l.life(), l.Workspace, fmt.Sprintf("workspace of instruction %d", l.First)})
		}
	}
	slices.SortStableFunc(spans, func(a, b span) int { return cmp.Compare(a.def, b.def) })
	var alive []span
	for _, s := range spans {
		if s.Offset%Align != 0 || s.Offset < 0 || s.Offset+s.Bytes > p.Arena {
			return fmt.Errorf("plan: %s at %d, %d bytes, does not fit the arena of %d", s.what, s.Offset, s.Bytes, p.Arena)
		}
		alive = slices.DeleteFunc(alive, func(t span) bool { return t.last < s.def })
		for _, t := range alive {
			if s.Offset < t.Offset+t.Bytes && t.Offset < s.Offset+s.Bytes {
				return fmt.Errorf("plan: %s overlaps %s at instruction %d", s.what, t.what, s.def)
			}
		}
		alive = append(alive, s)
	}
	return checkOverwrites(p.Program)
}

// checkOverwrites returns an error for the first output that shares storage
// with an input or another output although ir.Info does not allow it.
func checkOverwrites(p *ir.Program) error {
	for i, in := range p.Instrs {
		if ir.Kinds[in.Kind].Alias {
			continue
		}
		for j, out := range in.Out {
			if out == nil {
				continue
			}
			for k, x := range in.In {
				if x != nil && x.Root() == out.Root() && !slices.Contains(ir.Kinds[in.Kind].Overwrites, [2]int{j, k}) {
					return fmt.Errorf("plan: instruction %d %s at %q: output %d may not overwrite input %d", i, in.Kind, in.Path, j, k)
				}
			}
			if takenByOther(in, j, out.Root()) {
				return fmt.Errorf("plan: instruction %d %s at %q: output %d shares storage with another output", i, in.Kind, in.Path, j)
			}
		}
	}
	return nil
}

// takenByOther tells whether another output of in has got the storage of root.
func takenByOther(in *ir.Instr, out int, root *ir.Value) bool {
	for k, v := range in.Out {
		if k != out && v != nil && v.Root() == root {
			return true
		}
	}
	return false
}
