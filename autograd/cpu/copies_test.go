package cpu_test

import (
	"slices"
	"testing"

	"example.com/gotrain/autograd/cpu"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/plan"
)

// copied is a store with a state w of 3 elements, and programs that read its copy in
// bfloat16, update both, and update w alone.
type copied struct {
	*testing.T
	backend              *cpu.Backend
	store                *exec.Store
	read, update, behind *exec.Session
}

func newCopied(t *testing.T) *copied {
	b := newBackend(t, cpu.Config{Threads: 1})
	return &copied{T: t, backend: b, store: exec.NewStore(b)}
}

// session compiles a program, which places its states.
func (c *copied) session(build func(p *ir.Program, w, copy *ir.Value)) *exec.Session {
	c.Helper()
	p := &ir.Program{Name: "copies"}
	w, y := p.NewValue(ir.State, "w", ir.F32, 3), p.NewValue(ir.State, ir.CopyPrefix+"w", ir.BF16, 3)
	y.Master = w
	build(p, w, y)
	pl, err := plan.Build(p, plan.Options{Target: c.backend.Target()})
	c.must(err)
	arena, err := exec.NewArena(c.backend, max(pl.Arena, plan.Align))
	c.must(err)
	s, err := exec.NewSession(pl, c.store, arena)
	c.must(err)
	return s
}

// placesRead compiles the program that reads the copy.
func (c *copied) placesRead() {
	c.read = c.session(func(p *ir.Program, _, copy *ir.Value) {
		y := p.NewValue(ir.Temp, "", ir.F32, 3)
		p.Emit(&ir.Instr{Kind: ir.Cast, In: []*ir.Value{copy}, Out: []*ir.Value{y}, Block: -1})
		p.Outputs = []*ir.Value{y}
	})
}

// placesUpdate compiles a program that adds 1, 2, 3 to w, and to its copy if that is with it.
func (c *copied) placesUpdate(withCopy bool) *exec.Session {
	s := c.session(func(p *ir.Program, w, copy *ir.Value) {
		if !withCopy {
			copy = nil
		}
		g, hyper := p.NewValue(ir.Input, "g", ir.F32, 3), p.NewValue(ir.Input, "hyper", ir.F32, ir.HyperLen)
		p.Emit(&ir.Instr{Kind: ir.SGD, Attrs: ir.SGDAttrs{LRScale: 1}, In: []*ir.Value{w, g, nil, hyper, nil, copy}, Block: -1})
	})
	c.must(s.SetFloats("g", []float32{-1, -2, -3}))
	c.must(s.SetFloats("hyper", []float32{1, 1, 1, 0, 0, 0, 0, 0}))
	return s
}

func (c *copied) must(err error) {
	c.Helper()
	if err != nil {
		c.Fatal(err)
	}
}

// reads runs the program that reads the copy.
func (c *copied) reads(when string, want ...float32) {
	c.Helper()
	got := make([]float32, 3)
	c.must(c.read.Run())
	c.must(c.read.Output(0, got))
	if !slices.Equal(got, want) {
		c.Errorf("%s the copy is %v, want %v", when, got, want)
	}
}

// TestCopies: whatever changes a state, the next program reads it in its copy; and the
// copy is only made anew where its state has changed without it.
func TestCopies(t *testing.T) {
	c := newCopied(t)
	c.placesRead()
	c.update, c.behind = c.placesUpdate(true), c.placesUpdate(false)
	c.reads("before anything is written", 0, 0, 0)
	c.must(c.store.Write("w", []float32{1, 2, 1.00390625})) // the last is halfway to the next bfloat16
	c.reads("behind Write", 1, 2, 1)
	c.must(c.store.WriteAt("w", 1, []float32{5}))
	c.reads("behind WriteAt", 1, 5, 1)
	c.must(c.store.WriteBytes("w", make([]byte, 12)))
	c.reads("behind WriteBytes", 0, 0, 0)
	c.must(c.update.Run())
	c.reads("behind an update", 1, 2, 3)
	c.must(c.behind.Run())
	c.reads("behind an update of the state alone", 2, 4, 6)
	if _, err := c.behind.Profile(1); err != nil {
		t.Fatal(err)
	}
	c.reads("behind a profile", 3, 6, 9)

	c.must(c.store.WriteBytes(ir.CopyPrefix+"w", make([]byte, 6))) // behind the store's back
	c.reads("with a copy that nothing has changed", 0, 0, 0)
	c.must(c.update.Run())
	c.reads("behind an update that writes both", 4, 8, 12)
	if got := c.store.Bytes(); got != 12+6 {
		t.Errorf("the store holds %d bytes", got)
	}

	c.must(c.store.Write("w", []float32{7, 7, 7}))
	if _, err := c.read.FindNonFinite(); err != nil {
		t.Fatal(err)
	}
	got := make([]float32, 3)
	if c.must(c.read.Output(0, got)); got[0] != 7 {
		t.Errorf("a search for what is not finite reads %v", got)
	}
}

// TestCopiesOfWhatIsThere: a program that is compiled when its state has values already
// reads them in the copy, too.
func TestCopiesOfWhatIsThere(t *testing.T) {
	c := newCopied(t)
	c.must(c.placesUpdate(false).Run())
	c.placesRead()
	c.reads("placed behind an update", 1, 2, 3)
}
