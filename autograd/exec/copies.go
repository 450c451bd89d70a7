package exec

import (
	"slices"

	"example.com/gotrain/autograd/ir"
)

// placeMaster places the state that v is the copy of, st in the store.
func (s *Session) placeMaster(v *ir.Value, st *State, store *Store) error {
	if err := s.place(v.Master, store); err != nil {
		return err
	}
	if master := store.Get(s.name(v.Master.Name)); master.copy == nil {
		master.copy, st.stale = st, true
	}
	s.copies = append(s.copies, st)
	return nil
}

// bindCopies binds what makes the copies of the plan anew, as one launch where the back
// end can, and finds the states that the plan changes while it leaves their copies alone.
func (s *Session) bindCopies(store *Store) error {
	written := map[*ir.Value]bool{}
	for _, in := range s.Plan.Program.Instrs {
		in.Writes(func(v *ir.Value) { written[v.Root()] = true })
	}
	var casts []*ir.Instr
	var args []Args
	kept := map[*ir.Value]bool{} // states whose copies the plan writes
	for _, v := range s.Plan.Program.Values {
		if v.Master != nil {
			in := &ir.Instr{Kind: ir.Cast, In: []*ir.Value{v.Master}, Out: []*ir.Value{v}, Block: -1}
			casts, args = append(casts, in), append(args, Args{In: s.locate(in.In), Out: s.locate(in.Out)})
			kept[v.Master] = written[v]
		}
	}
	for _, v := range s.Plan.Program.Values {
		if v.Class == ir.State && written[v] && !kept[v] {
			s.spoils = append(s.spoils, store.Get(s.name(v.Name)))
		}
	}
	if len(casts) == 0 {
		return nil
	}
	var err error
	s.renew, err = s.bindAll(casts, args)
	return err
}

// bindAll binds instructions of one kind that do not depend on each other.
func (s *Session) bindAll(ins []*ir.Instr, args []Args) (Launch, error) {
	fuses := s.backend.Target().Fuses
	if f, ok := s.backend.(Fuser); ok && len(ins) > 1 && fuses != nil && fuses(ins[0].Kind) {
		return f.BindFused(ins, args)
	}
	launches := make([]Launch, len(ins))
	for i, in := range ins {
		var err error
		if launches[i], err = s.backend.Bind(in, args[i]); err != nil {
			return nil, err
		}
	}
	return func() {
		for _, launch := range launches {
			launch()
		}
	}, nil
}

// renewCopies makes the copies that the plan reads anew where one is stale: after the
// first values of a run or a checkpoint have been written, or when another plan has
// changed a state without its copy.
func (s *Session) renewCopies() {
	if !slices.ContainsFunc(s.copies, func(st *State) bool { return st.stale }) {
		return
	}
	s.renew()
	for _, st := range s.copies {
		st.stale = false
	}
}

// spoilCopies notes what the plan has changed without their copies.
func (s *Session) spoilCopies() {
	for _, st := range s.spoils {
		st.changes()
	}
}
