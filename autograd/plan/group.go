package plan

import "gotrain/autograd/ir"

// Group is a run of N instructions from First on that the back end executes as
// one, with its scratch. None of them reads or writes what another one writes, and
// nothing of one of them lies in memory of another.
type Group struct {
	First, N  int
	Workspace Slot
}

func (g Group) life() life { return life{g.First, g.First + g.N - 1} }

// Instrs returns the instructions of group i.
func (p *Plan) Instrs(i int) []*ir.Instr {
	g := p.Groups[i]
	return p.Program.Instrs[g.First : g.First+g.N]
}

// group cuts the instructions into groups and asks for their scratch.
func (p *Plan) group(t Target) {
	instrs := p.Program.Instrs
	for first := 0; first < len(instrs); {
		g := Group{First: first, N: 1}
		if kind := instrs[first].Kind; t.Groups != nil && t.Groups(kind) {
			touched := storages{}
			touched.add(instrs[first])
			for n := first + 1; n < len(instrs) && instrs[n].Kind == kind && !touched.conflict(instrs[n]); n++ {
				touched.add(instrs[n])
				g.N++
			}
		}
		if t.Workspace != nil {
			g.Workspace.Bytes = t.Workspace(instrs[first : first+g.N])
		}
		p.Groups = append(p.Groups, g)
		first += g.N
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
