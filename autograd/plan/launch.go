package plan

import "example.com/gotrain/autograd/ir"

// Launch is a run of N instructions from First on that the back end executes as
// one, with its scratch. None of them reads or writes what another one writes, and
// nothing of one of them lies in memory of another.
type Launch struct {
	First, N  int
	Workspace Slot
}

func (l Launch) life() life { return life{l.First, l.First + l.N - 1} }

// Instrs returns the instructions of launch i.
func (p *Plan) Instrs(i int) []*ir.Instr {
	l := p.Launches[i]
	return p.Program.Instrs[l.First : l.First+l.N]
}

// launches cuts the instructions into launches and asks for their scratch.
func (p *Plan) launches(t Target) {
	instrs := p.Program.Instrs
	for first := 0; first < len(instrs); {
		l := Launch{First: first, N: 1}
		if kind := instrs[first].Kind; t.Fuses != nil && t.Fuses(kind) {
			touched := storages{}
			touched.add(instrs[first])
			for n := first + 1; n < len(instrs) && instrs[n].Kind == kind && !touched.conflict(instrs[n]); n++ {
				touched.add(instrs[n])
				l.N++
			}
		}
		if t.Workspace != nil {
			l.Workspace.Bytes = t.Workspace(instrs[first : first+l.N])
		}
		p.Launches = append(p.Launches, l)
		first += l.N
	}
}

// storages tells of each storage that instructions touch whether one of them
// writes it.
type storages map[*ir.Value]bool

func (s storages) add(in *ir.Instr) {
	eachStorage(in, func(root *ir.Value, write bool) { s[root] = s[root] || write })
}

// conflict tells whether in reads what is written in s or writes what is there.
func (s storages) conflict(in *ir.Instr) bool {
	found := false
	eachStorage(in, func(root *ir.Value, write bool) {
		written, touched := s[root]
		found = found || written || write && touched
	})
	return found
}
