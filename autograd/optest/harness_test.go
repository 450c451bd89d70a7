package optest

import (
	"encoding/binary"
	"fmt"
	"math"
	"testing"

	"gotrain/autograd/cpu"
	"gotrain/autograd/exec"
	"gotrain/autograd/ir"
	"gotrain/autograd/plan"
)

// opCase is one instruction to be run.
type opCase struct {
	name  string
	kind  ir.Kind
	attrs ir.Attrs
	in    []arg      // by position in ir.Info.In
	out   []ir.Shape // by position in ir.Info.Out; nil is absent
}

func (c *opCase) String() string { return c.kind.String() + "/" + c.name }

// arg is an input: absent when it has neither floats nor ints.
type arg struct {
	shape  ir.Shape
	floats []float32
	ints   []int32
}

func (a arg) absent() bool { return a.floats == nil && a.ints == nil }

// backend opens one implementation.
type backend struct {
	name string
	open func(threads int) (exec.Backend, error)
}

// backends lists all implementations, the reference first.
func backends() []backend {
	var all []backend
	for _, isa := range cpu.ISAs() {
		all = append(all, backend{"cpu-" + isa, func(threads int) (exec.Backend, error) {
			return cpu.New(cpu.Config{Threads: threads, ISA: isa})
		}})
	}
	return all
}

func open(tb testing.TB, b backend, threads int) exec.Backend {
	tb.Helper()
	opened, err := b.open(threads)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := opened.Close(); err != nil {
			tb.Error(err)
		}
	})
	return opened
}

// bound is a case bound to a back end, ready to run.
type bound struct {
	session *exec.Session
	store   *exec.Store
	arena   exec.Region
	c       *opCase
	outputs []int // position in ir.Info.Out of each program output
}

// noAlias is the value of pair for which nothing is computed in place.
const noAlias = -1

// bind builds and binds the program of c. With pair ≥ 0 the input of that pair
// of ir.Info.Overwrites is a temp that dies at the instruction, and bind fails
// unless the planner lets the output take its storage.
func (c *opCase) bind(b exec.Backend, pair int) (*bound, error) {
	info := ir.Kinds[c.kind]
	p := &ir.Program{Name: c.String()}
	in := &ir.Instr{Kind: c.kind, Attrs: c.attrs, Path: c.name, Block: -1}
	for i, a := range c.in {
		in.In = append(in.In, c.value(p, i, a, pair >= 0 && info.Overwrites[pair][1] == i))
	}
	r := &bound{store: exec.NewStore(b), c: c}
	for i, shape := range c.out {
		var v *ir.Value
		if shape != nil {
			v = p.NewValue(ir.Temp, "", ir.F32, shape...)
			p.Outputs = append(p.Outputs, v)
			r.outputs = append(r.outputs, i)
		}
		in.Out = append(in.Out, v)
	}
	p.Emit(in)
	pl, err := plan.Build(p, plan.Options{Workspace: b.Workspace})
	if err != nil {
		return nil, err
	}
	if pair >= 0 {
		o := info.Overwrites[pair]
		if in.Out[o[0]].Root() != in.In[o[1]].Root() {
			return nil, fmt.Errorf("the plan does not compute output %d in place of input %d", o[0], o[1])
		}
	}
	capture := &capturing{Backend: b}
	arena, err := exec.NewArena(capture, max(pl.Arena, plan.Align))
	if err != nil {
		return nil, err
	}
	r.arena = exec.Region{Buffer: capture.last, Bytes: capture.last.Bytes()}
	r.session, err = exec.NewSession(pl, r.store, arena)
	return r, err
}

// value declares input i. A temp is a copy of an input, made by a Concat of one
// part, which no pass removes.
func (c *opCase) value(p *ir.Program, i int, a arg, temp bool) *ir.Value {
	name := fmt.Sprintf("in%d", i)
	switch {
	case a.absent():
		return nil
	case a.ints != nil:
		return p.NewValue(ir.Input, name, ir.I32, a.shape...)
	case c.mutates(i):
		return p.NewValue(ir.State, name, ir.F32, a.shape...)
	}
	v := p.NewValue(ir.Input, name, ir.F32, a.shape...)
	if !temp {
		return v
	}
	copied := p.NewValue(ir.Temp, "", ir.F32, a.shape...)
	p.Emit(&ir.Instr{Kind: ir.Concat, In: []*ir.Value{v}, Out: []*ir.Value{copied}, Block: -1})
	return copied
}

func (c *opCase) mutates(input int) bool {
	for _, m := range ir.Kinds[c.kind].Mutates {
		if m == input {
			return true
		}
	}
	return false
}

// capturing remembers the buffer that it allocated last.
type capturing struct {
	exec.Backend
	last exec.Buffer
}

func (c *capturing) Alloc(bytes int64) (exec.Buffer, error) {
	buf, err := c.Backend.Alloc(bytes)
	c.last = buf
	return buf, err
}

// result is one tensor after a run.
type result struct {
	name string
	data []float32
}

// run writes the inputs, fills the arena with fill and returns all outputs and
// all states that the instruction mutates.
func (r *bound) run(b exec.Backend, fill float32) ([]result, error) {
	info := ir.Kinds[r.c.kind]
	words := make([]byte, r.arena.Bytes)
	for i := 0; i < len(words); i += 4 {
		binary.LittleEndian.PutUint32(words[i:], math.Float32bits(fill))
	}
	if err := b.Upload(r.arena, words); err != nil {
		return nil, err
	}
	for i, a := range r.c.in {
		name := fmt.Sprintf("in%d", i)
		var err error
		switch {
		case a.absent():
		case a.ints != nil:
			err = r.session.SetInts(name, a.ints)
		case r.c.mutates(i):
			err = r.store.Write(name, a.floats)
		default:
			err = r.session.SetFloats(name, a.floats)
		}
		if err != nil {
			return nil, err
		}
	}
	if err := r.session.Run(); err != nil {
		return nil, err
	}
	var results []result
	for i, position := range r.outputs {
		data := make([]float32, r.c.out[position].Size())
		if err := r.session.Output(i, data); err != nil {
			return nil, err
		}
		results = append(results, result{info.Out[position], data})
	}
	for _, i := range info.Mutates {
		if a := r.c.in[i]; !a.absent() {
			data := make([]float32, len(a.floats))
			if err := r.store.Read(fmt.Sprintf("in%d", i), data); err != nil {
				return nil, err
			}
			results = append(results, result{info.In[i], data})
		}
	}
	return results, nil
}

// runCase binds and runs c once.
func runCase(tb testing.TB, b exec.Backend, c *opCase, fill float32, pair int) []result {
	tb.Helper()
	r, err := c.bind(b, pair)
	if err != nil {
		tb.Fatal(err)
	}
	results, err := r.run(b, fill)
	if err != nil {
		tb.Fatal(err)
	}
	return results
}

// sameBits reports the first element that differs in its bits.
func sameBits(got, want []result) error {
	for i, w := range want {
		for j, e := range w.data {
			if g := got[i].data[j]; math.Float32bits(g) != math.Float32bits(e) {
				return fmt.Errorf("%s[%d] is %v, want the same bits as %v", w.name, j, g, e)
			}
		}
	}
	return nil
}

// near reports the element that differs most, if by more than tolerance times
// the largest magnitude of its tensor (at least 1e-3). Infinities and NaN must
// be equal.
func near(got, want []result, tolerance float64) error {
	for i, w := range want {
		largest := 1e-3
		for _, e := range w.data {
			if a := math.Abs(float64(e)); a > largest && !math.IsInf(a, 0) {
				largest = a
			}
		}
		worst, at := 0.0, -1
		for j, e := range w.data {
			g := got[i].data[j]
			diff := math.Abs(float64(g) - float64(e))
			if g == e || g != g && e != e {
				diff = 0
			} else if diff != diff {
				diff = math.Inf(1)
			}
			if diff > worst {
				worst, at = diff, j
			}
		}
		if worst > tolerance*largest {
			return fmt.Errorf("%s[%d] is %v, want %v within %.1e (the tensor reaches %v)", w.name, at, got[i].data[at], w.data[at], tolerance, largest)
		}
	}
	return nil
}
