package exec

import (
	"fmt"
	"slices"

	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/plan"
)

// Session is one plan bound to a backend and a store, ready to run many times.
type Session struct {
	Plan    *plan.Plan
	backend Backend
	arena   *Arena
	launch  []Launch // one per launch of the plan
	whole   Launch   // all of them, where the back end can record
	inputs  []Input
	regions []Region // by value ID
	name    func(state string) string
	copies  []*State // those that the plan reads, in bfloat16
	renew   Launch   // makes all of them anew
	spoils  []*State // what the plan changes without their copies
}

// Arena is the working memory of sessions. Sessions that never run at the
// same time share one, so that it is as large as the largest plan only.
type Arena struct {
	backend Backend
	buf     Buffer
}

// NewArena allocates working memory for plans whose Plan.Arena is at most
// bytes.
func NewArena(b Backend, bytes int64) (*Arena, error) {
	buf, err := b.Alloc(bytes)
	if err != nil {
		return nil, fmt.Errorf("arena of %d bytes: %w", bytes, err)
	}
	return &Arena{backend: b, buf: buf}, nil
}

// NewArenaFor allocates working memory for plans, which run one at a time.
func NewArenaFor(b Backend, plans []*plan.Plan) (*Arena, error) {
	var most int64
	for _, p := range plans {
		most = max(most, p.Arena)
	}
	return NewArena(b, most)
}

// NewSession binds every instruction of p. State that the store lacks is
// allocated with zeros.
func NewSession(p *plan.Plan, store *Store, arena *Arena) (*Session, error) {
	return NewSessionOf(p, store, arena, func(state string) string { return state })
}

// NewSessionOf is NewSession where the states of p have other names in the store, as
// name tells: one plan runs on several states in turn.
func NewSessionOf(p *plan.Plan, store *Store, arena *Arena, name func(state string) string) (*Session, error) {
	b := store.Backend()
	if arena.buf.Bytes() < p.Arena {
		return nil, fmt.Errorf("plan %s needs an arena of %d bytes, has %d", p.Program.Name, p.Arena, arena.buf.Bytes())
	}
	s := &Session{Plan: p, backend: b, arena: arena, regions: make([]Region, len(p.Program.Values)), name: name}
	for _, v := range p.Program.Values {
		if err := s.place(v, store); err != nil {
			return nil, fmt.Errorf("plan %s: %w", p.Program.Name, err)
		}
	}
	s.launch = make([]Launch, len(p.Launches))
	for i, l := range p.Launches {
		var err error
		if s.launch[i], err = s.bind(i); err != nil {
			in := p.Program.Instrs[l.First]
			return nil, fmt.Errorf("plan %s: instruction %d %s at %q: %w", p.Program.Name, l.First, in.Kind, in.Path, err)
		}
	}
	if err := s.bindCopies(store); err != nil {
		return nil, fmt.Errorf("plan %s: copies in bfloat16: %w", p.Program.Name, err)
	}
	s.whole = s.each
	if r, ok := b.(Recorder); ok {
		whole, err := r.Record(s.each)
		if err != nil {
			return nil, fmt.Errorf("plan %s: %w", p.Program.Name, err)
		}
		s.whole = whole
	}
	return s, b.Sync()
}

// bind binds launch i of the plan.
func (s *Session) bind(i int) (Launch, error) {
	instrs := s.Plan.Instrs(i)
	var workspace Region
	if w := s.Plan.Launches[i].Workspace; w.Bytes > 0 {
		workspace = Region{Buffer: s.arena.buf, Offset: w.Offset, Bytes: w.Bytes}
	}
	args := make([]Args, len(instrs))
	for k, in := range instrs {
		args[k] = Args{In: s.locate(in.In), Out: s.locate(in.Out), Workspace: workspace}
	}
	if len(instrs) == 1 {
		return s.backend.Bind(instrs[0], args[0])
	}
	f, ok := s.backend.(Fuser)
	if !ok {
		return nil, fmt.Errorf("%d instructions are one launch, which device %s does not run; build the plan with its Target", len(instrs), s.backend.Name())
	}
	return f.BindFused(instrs, args)
}

func (s *Session) each() {
	for _, launch := range s.launch {
		launch()
	}
}

// place gives v its region; values that share storage follow their root.
func (s *Session) place(v *ir.Value, store *Store) error {
	root := v.Root()
	if root != v {
		if s.regions[root.ID].Buffer == nil {
			if err := s.place(root, store); err != nil {
				return err
			}
		}
		s.regions[v.ID] = s.regions[root.ID]
		return nil
	}
	if s.regions[v.ID].Buffer != nil {
		return nil
	}
	switch v.Class {
	case ir.Temp:
		if slot := s.Plan.Slots[v.ID]; slot.Bytes > 0 {
			s.regions[v.ID] = Region{Buffer: s.arena.buf, Offset: slot.Offset, Bytes: v.Bytes()}
		}
	case ir.State:
		st, err := store.Ensure(s.name(v.Name), v.DType, v.Shape)
		if err != nil {
			return err
		}
		s.regions[v.ID] = st.region()
		if v.Master != nil {
			return s.placeMaster(v, st, store)
		}
	case ir.Input:
		buf, err := s.backend.Alloc(v.Bytes())
		if err != nil {
			return fmt.Errorf("input %q: %w", v.Name, err)
		}
		s.regions[v.ID] = Region{Buffer: buf, Bytes: v.Bytes()}
		s.inputs = append(s.inputs, Input{s.backend, v, s.regions[v.ID]})
	case ir.Const, ir.Table:
		data := v.Data
		if v.Class == ir.Const {
			data = make([]float32, v.Shape.Size())
			for i := range data {
				data[i] = v.Const
			}
		}
		buf, err := s.backend.Alloc(v.Bytes())
		if err != nil {
			return fmt.Errorf("table %q: %w", v.Name, err)
		}
		s.regions[v.ID] = Region{Buffer: buf, Bytes: v.Bytes()}
		return s.backend.Upload(s.regions[v.ID], bytesOf(data))
	}
	return nil
}

func (s *Session) locate(values []*ir.Value) []Region {
	rs := make([]Region, len(values))
	for i, v := range values {
		if v != nil {
			rs[i] = s.regions[v.ID]
		}
	}
	return rs
}

// Run executes the plan once and waits for it.
func (s *Session) Run() error {
	s.Start()
	return s.Wait()
}

// Start executes the plan once; the back end may still be at work when it returns.
// Until Wait, inputs of this and other sessions may be set: they are for the
// launches that follow.
func (s *Session) Start() {
	s.renewCopies()
	s.whole()
	s.spoilCopies()
}

// Wait waits for what was started, and returns its first error.
func (s *Session) Wait() error { return s.backend.Sync() }

// Output copies the i-th output of the program, float32, into dst;
// ir.Program.Output finds one by name.
func (s *Session) Output(i int, dst []float32) error {
	v := s.Plan.Program.Outputs[i]
	if v.DType != ir.F32 || v.Shape.Size() != len(dst) {
		return fmt.Errorf("output %d is %s%s, got %d × f32", i, v.DType, v.Shape, len(dst))
	}
	return s.backend.Download(bytesOf(dst), s.regions[v.ID])
}

// FindNonFinite runs the plan launch by launch, without what other ranks take part
// in, and returns the first instruction whose floating-point results hold a NaN or
// an infinity, or nil. It stops there, so that instructions which update state
// after it do not run.
func (s *Session) FindNonFinite() (*ir.Instr, error) {
	var host []byte
	s.renewCopies()
	for i, launch := range s.launch {
		instrs := s.Plan.Instrs(i)
		info := &ir.Kinds[instrs[0].Kind]
		if len(info.Mutates) > 0 || instrs[0].Meets() {
			continue
		}
		launch()
		if err := s.backend.Sync(); err != nil {
			return nil, err
		}
		if info.NonFinite {
			continue
		}
		for _, in := range instrs {
			ok, err := s.finiteResults(in, &host)
			if err != nil {
				return nil, err
			}
			if !ok {
				return in, nil
			}
		}
	}
	return nil, nil
}

// finiteResults tells whether no floating-point result of in holds a NaN or an
// infinity. They are copied to host, which grows as it has to.
func (s *Session) finiteResults(in *ir.Instr, host *[]byte) (bool, error) {
	for _, v := range in.Out {
		if v == nil || !v.DType.Float() {
			continue
		}
		n := int(v.Bytes())
		*host = slices.Grow((*host)[:0], n)[:n]
		if err := s.backend.Download(*host, s.regions[v.ID]); err != nil {
			return false, err
		}
		if !finite(*host, v.DType) {
			return false, nil
		}
	}
	return true, nil
}

// finite tells whether no element of x is a NaN or an infinity: all bits of the
// exponent set.
func finite(x []byte, d ir.DType) bool {
	size := d.Bits() / 8
	for upper := size - 2; upper < len(x); upper += size {
		if uint16(x[upper+1])<<8|uint16(x[upper])|0x807f == 0xffff {
			return false
		}
	}
	return true
}
