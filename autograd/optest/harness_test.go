package optest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"example.com/gotrain/autograd/cpu"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/plan"
	"example.com/gotrain/autograd/quant"
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

// computesBF16 tells whether products round their operands to bfloat16.
func (c *opCase) computesBF16() bool {
	a, ok := c.attrs.(ir.Products)
	return ok && a.Precision() == ir.BF16
}

// arg is an input: absent when it has neither floats nor ints.
type arg struct {
	shape  ir.Shape
	floats []float32
	ints   []int32
	packed ir.DType // of ints, if that is not int32
	stored ir.DType // of a weight, if that is not float32; floats are what data decode to
	data   []byte
}

// storedAs is a as a weight of type d.
func storedAs(d ir.DType, a arg) arg {
	a.stored, a.data = d, make([]byte, d.Bytes(a.shape))
	floats := a.floats
	err := quant.Encode(d, a.shape, a.data, func(dst []float32, from int) error { copy(dst, floats[from:]); return nil })
	m, fault := quant.View(d, a.shape, a.data)
	if err := errors.Join(err, fault); err != nil {
		panic(err)
	}
	kernels := quant.Generic()
	a.floats = make([]float32, len(floats))
	m.Decode(&kernels, a.floats, 0)
	return a
}

// dtype returns the type of an input of integers.
func (a arg) dtype() ir.DType {
	if a.packed.Packed() {
		return a.packed
	}
	return ir.I32
}

// bytes returns ints as ir.DType describes a packed type.
func (a arg) bytes() []byte {
	b := make([]byte, a.packed.Bytes(ir.Shape{len(a.ints)}))
	for i, x := range a.ints {
		at := i * a.packed.Bits()
		b[at/8] |= byte(x) << (at % 8)
	}
	return b
}

func (a arg) absent() bool { return a.floats == nil && a.ints == nil }

// backend opens one implementation.
type backend struct {
	name string
	open func(threads int) (exec.Backend, error)
	// takes tells what it is tested with, nil for everything.
	takes func(c *opCase, e elements) bool
}

// variants lists the element types with which c is to be run on opened, a b.
func (b backend) variants(c *opCase, opened exec.Backend) (list []elements) {
	for _, e := range c.variants(opened) {
		if b.takes == nil || b.takes(c, e) {
			list = append(list, e)
		}
	}
	return list
}

// backends lists all implementations, the reference first.
func backends() []backend { return append(cpuBackends(), cudaBackends()...) }

// cpuBackends lists those of the CPU, the best last.
func cpuBackends() []backend {
	var all []backend
	for _, isa := range cpu.ISAs() {
		all = append(all, backend{"cpu-" + isa, func(threads int) (exec.Backend, error) {
			return cpu.New(cpu.Config{Threads: threads, ISA: isa})
		}, nil})
	}
	return all
}

// elements are the dtypes of an instruction's arguments of type Elem and Result.
type elements struct{ elem, result ir.DType }

var float32s = elements{ir.F32, ir.F32}

func (e elements) String() string {
	if e.elem == e.result {
		return e.elem.String()
	}
	return e.elem.String() + "-" + e.result.String()
}

// variants lists the element types with which c is to be run on b.
func (c *opCase) variants(b exec.Backend) []elements {
	switch {
	case !b.Target().StoresBF16 || !c.has(ir.Elem):
		return []elements{float32s}
	case c.computesBF16(): // such a plan stores bfloat16
		return []elements{{ir.BF16, ir.BF16}}
	case c.has(ir.Result) && c.attrs.(ir.MatMulAttrs).Act == ir.NoAct:
		return []elements{float32s, {ir.BF16, ir.BF16}, {ir.BF16, ir.F32}}
	}
	return []elements{float32s, {ir.BF16, ir.BF16}}
}

// rounded returns c with the inputs that e stores in bfloat16 rounded to it.
func (c *opCase) rounded(e elements) *opCase {
	if e == float32s {
		return c
	}
	r := *c
	r.in = append([]arg(nil), c.in...)
	for i := range r.in {
		if !r.in[i].absent() && c.elem(e, i, false) == ir.BF16 {
			floats := make([]float32, len(c.in[i].floats))
			for j, x := range c.in[i].floats {
				floats[j] = roundBF16(x)
			}
			r.in[i].floats = floats
		}
	}
	return &r
}

// roundBF16 rounds to nearest even; infinities stay.
func roundBF16(x float32) float32 {
	b := math.Float32bits(x)
	return math.Float32frombits((b + 0x7fff + b>>16&1) &^ 0xffff)
}

// has tells whether the kind has an argument of type t.
func (c *opCase) has(t ir.ArgType) bool {
	info := &ir.Kinds[c.kind]
	is := func(a ir.Arg) bool { return a.Type == t }
	return slices.ContainsFunc(info.In, is) || slices.ContainsFunc(info.Out, is)
}

// elem returns the dtype of an argument.
func (c *opCase) elem(e elements, position int, output bool) ir.DType {
	info := &ir.Kinds[c.kind]
	a := info.Input(position)
	if output {
		a = info.Out[position]
	}
	switch {
	case !output && position < len(c.in) && c.in[position].stored != ir.F32:
		return c.in[position].stored
	case a.Type == ir.Elem, a.Type == ir.Weight:
		return e.elem
	case a.Type == ir.Result:
		return e.result
	case a.Type == ir.BFloat16:
		return ir.BF16
	case c.kind == ir.Cast && output:
		return ir.BF16
	}
	return ir.F32
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

// bind builds and binds the program of c with elements e. With pair ≥ 0 the
// input of that pair of ir.Info.Overwrites is a temp that dies at the
// instruction, and bind fails unless the planner lets the output take its
// storage. bfloat16 arguments are casts of float32 ones.
func (c *opCase) bind(b exec.Backend, e elements, pair int) (*bound, error) {
	info := ir.Kinds[c.kind]
	p := &ir.Program{Name: c.String()}
	in := &ir.Instr{Kind: c.kind, Attrs: c.attrs, Path: c.name, Block: -1}
	var kept []*ir.Value
	for i, a := range c.in {
		overwritten := pair >= 0 && info.Overwrites[pair][1] == i
		v := c.value(p, i, a, overwritten && c.elem(e, i, false) == ir.F32)
		if v != nil && v.DType != c.elem(e, i, false) && a.ints == nil {
			v = cast(p, v, ir.BF16)
			if !overwritten {
				kept = append(kept, v)
			}
		}
		in.In = append(in.In, v)
	}
	r := &bound{store: exec.NewStore(b), c: c}
	for i, shape := range c.out {
		var v *ir.Value
		if shape != nil {
			v = p.NewValue(ir.Temp, "", c.elem(e, i, true), shape...)
			r.outputs = append(r.outputs, i)
		}
		in.Out = append(in.Out, v)
	}
	p.Emit(in)
	for _, v := range in.Out {
		if v != nil {
			p.Outputs = append(p.Outputs, cast(p, v, ir.F32))
		}
	}
	for _, v := range kept {
		p.Outputs = append(p.Outputs, cast(p, v, ir.F32)) // read after the instruction, so not overwritten
	}
	pl, err := plan.Build(p, plan.Options{Target: b.Target()})
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

// cast returns v in dtype d.
func cast(p *ir.Program, v *ir.Value, d ir.DType) *ir.Value {
	if v.DType == d {
		return v
	}
	y := p.NewValue(ir.Temp, "", d, v.Shape...)
	p.Emit(&ir.Instr{Kind: ir.Cast, In: []*ir.Value{v}, Out: []*ir.Value{y}, Block: -1})
	return y
}

// value declares input i. A temp is a copy of an input, made by a Concat of one
// part, which no pass removes.
func (c *opCase) value(p *ir.Program, i int, a arg, temp bool) *ir.Value {
	name := fmt.Sprintf("in%d", i)
	switch {
	case a.absent():
		return nil
	case a.ints != nil:
		return p.NewValue(ir.Input, name, a.dtype(), a.shape...)
	case c.mutates(i), a.stored != ir.F32:
		return p.NewValue(ir.State, name, c.elem(float32s, i, false), a.shape...)
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
		case a.packed.Packed():
			err = r.setBytes(name, a.bytes())
		case a.ints != nil:
			err = r.session.SetInts(name, a.ints)
		case r.c.mutates(i):
			err = r.writeState(name, a.floats)
		case a.stored != ir.F32:
			err = r.store.WriteBytes(name, a.data)
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
		results = append(results, result{info.Out[position].Name, data})
	}
	for _, i := range info.Mutates {
		if a := r.c.in[i]; !a.absent() {
			data, err := r.readState(fmt.Sprintf("in%d", i))
			if err != nil {
				return nil, err
			}
			results = append(results, result{info.In[i].Name, data})
		}
	}
	return results, nil
}

// writeState writes a state, rounded where it is in bfloat16.
func (r *bound) writeState(name string, floats []float32) error {
	if r.store.Get(name).DType == ir.F32 {
		return r.store.Write(name, floats)
	}
	var words []byte
	for _, x := range floats {
		words = binary.LittleEndian.AppendUint16(words, uint16(math.Float32bits(roundBF16(x))>>16))
	}
	return r.store.WriteBytes(name, words)
}

// readState is writeState the other way round.
func (r *bound) readState(name string) ([]float32, error) {
	st := r.store.Get(name)
	data := make([]float32, st.Shape.Size())
	if st.DType == ir.F32 {
		return data, r.store.Read(name, data)
	}
	words := make([]byte, st.Bytes())
	if err := r.store.ReadBytes(name, words); err != nil {
		return nil, err
	}
	for i := range data {
		data[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(words[2*i:])) << 16)
	}
	return data, nil
}

func (r *bound) setBytes(name string, data []byte) error {
	in, ok := r.session.Input(name)
	if !ok {
		return fmt.Errorf("there is no input %s", name)
	}
	return in.SetBytes(data)
}

// runCase binds and runs c once.
func runCase(tb testing.TB, b exec.Backend, c *opCase, e elements, fill float32, pair int) []result {
	tb.Helper()
	r, err := c.bind(b, e, pair)
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
		largest := 4e-3 // times a tolerance of 2e-5 what float32 loses in a difference of numbers near 1
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
