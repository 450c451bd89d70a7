package plan

import (
	"fmt"
	"hash/fnv"
	"math"
	"slices"

	"example.com/gotrain/autograd/ir"
)

// machine is a tiny reference interpreter. MatMul, the elementwise kinds and
// the shape kinds compute what ir says; all others are opaque: each output
// element is a multiple of 1/256 in [-1, 1], a pure function of kind,
// attributes and all inputs, plus the addend. So any program can run, and any
// misplaced byte shows. Collectives are those of two ranks that have the same; their
// results come with the Await, and nothing may touch their storage until then.
//
// Temps live in one arena at the plan's offsets, or, without a plan, each in
// its own memory.
type machine struct {
	p     *ir.Program
	plan  *Plan
	arena []float32
	own   map[*ir.Value][]float32
	state map[string][]float32 // by class and name

	flying map[*ir.Value][]float32 // results of collectives, by root
}

// evaluate runs p and returns its outputs and, by name, the state that it has
// changed. With a plan, storage holds NaN whenever its content is undefined.
func evaluate(p *ir.Program, pl *Plan) ([][]float32, map[string][]float32) {
	m := &machine{p: p, plan: pl, own: map[*ir.Value][]float32{}, state: map[string][]float32{}, flying: map[*ir.Value][]float32{}}
	if pl != nil {
		m.arena = make([]float32, pl.Arena/4)
		poison(m.arena)
	}
	lives := lifetimes(p)
	scratch := map[int]Slot{} // by the first instruction of a launch
	if pl != nil {
		lives = pl.lifetimes()
		for _, l := range pl.Launches {
			scratch[l.First] = l.Workspace
		}
	}
	for i, in := range p.Instrs {
		w := scratch[i]
		poison(m.arena[w.Offset/4 : (w.Offset+w.Bytes+3)/4])
		m.step(in)
		for id, l := range lives {
			if pl != nil && l.def >= 0 && l.last == i {
				poison(m.data(p.Values[id]))
			}
		}
	}
	var outs [][]float32
	for _, v := range p.Outputs {
		outs = append(outs, slices.Clone(m.data(v)))
	}
	state := map[string][]float32{}
	for _, in := range p.Instrs {
		eachState(in, func(root *ir.Value, write bool) {
			if write {
				state[root.Name] = m.data(root)
			}
		})
	}
	return outs, state
}

func poison(x []float32) {
	for i := range x {
		x[i] = float32(math.NaN())
	}
}

// data returns the storage of v, filled on its first use unless it is a temp.
func (m *machine) data(v *ir.Value) []float32 {
	root := v.Root()
	if root.Class == ir.Temp && m.plan != nil {
		s := m.plan.Slots[root.ID]
		return m.arena[s.Offset/4 : (s.Offset+s.Bytes)/4]
	}
	n := root.Shape.Size()
	if root.Class == ir.Temp || root.Class == ir.Const {
		if m.own[root] == nil {
			m.own[root] = make([]float32, n)
			for i := range m.own[root] {
				m.own[root][i] = root.Const
			}
		}
		return m.own[root]
	}
	name := root.Class.String() + " " + root.Name
	if m.state[name] == nil {
		data := make([]float32, n)
		for i := range data {
			data[i] = noise(hash(name), i)
		}
		m.state[name] = data
	}
	return m.state[name]
}

// step runs one instruction: it reads copies of the inputs, fills outputs that
// do not legally share an input's storage with NaN, and writes the results.
func (m *machine) step(in *ir.Instr) {
	if in.Kind == ir.Await {
		m.land(in.In[0].Root())
	}
	if ir.Kinds[in.Kind].Alias {
		if m.plan == nil {
			copy(m.data(in.Out[0]), m.data(in.In[0]))
		}
		return
	}
	for j, out := range in.Out {
		if out == nil {
			continue
		}
		legal := slices.ContainsFunc(ir.Kinds[in.Kind].Overwrites, func(pair [2]int) bool {
			return pair[0] == j && in.In[pair[1]] != nil && in.In[pair[1]].Root() == out.Root()
		})
		if !legal {
			poison(m.data(out))
		}
	}
	args := make([][]float32, len(in.In))
	for j, v := range in.In {
		if v != nil {
			args[j] = slices.Clone(m.data(v))
		}
	}
	if !m.exact(in, args) {
		m.opaque(in, args)
	}
	if ir.Kinds[in.Kind].Collective {
		y := m.data(in.Out[0])
		m.flying[in.Out[0].Root()] = slices.Clone(y)
		poison(y)
	}
}

// land puts the result of a collective where it belongs, once.
func (m *machine) land(root *ir.Value) {
	result := m.flying[root]
	if result == nil {
		return
	}
	delete(m.flying, root)
	y := m.data(root)
	for _, e := range y {
		if e == e {
			panic("the storage of a collective was written before its Await")
		}
	}
	copy(y, result)
}

// exact computes the kinds that have their true meaning here.
func (m *machine) exact(in *ir.Instr, x [][]float32) bool {
	if in.Kind == ir.MatMul {
		m.matmul(in, x)
		return true
	}
	var f func(i int) float32
	activation, _ := in.Attrs.(ir.ActivationAttrs)
	switch in.Kind {
	case ir.Add:
		f = func(i int) float32 { return x[0][i] + at(x[1], i) }
	case ir.Mul:
		f = func(i int) float32 { return x[0][i] * at(x[1], i) }
	case ir.Scale:
		f = func(i int) float32 { return alpha(in) * x[0][i] }
	case ir.AllReduce, ir.ReduceTo:
		f = func(i int) float32 { return 2 * x[0][i] }
	case ir.BroadcastFrom:
		f = func(i int) float32 { return x[0][i] }
	case ir.ScaleBy:
		f = func(i int) float32 { return x[1][0] * x[0][i] }
	case ir.Activation:
		f = func(i int) float32 { return act(activation.Act, x[0][i]) }
	case ir.ActivationBackward:
		f = func(i int) float32 { return x[1][i] * dact(activation.Act, x[0][i]) }
	case ir.Transpose: // two axes
		rows, cols := in.In[0].Shape[0], in.In[0].Shape[1]
		f = func(i int) float32 { return x[0][i%rows*cols+i/rows] }
		if in.Attrs.(ir.TransposeAttrs).Perm[0] == 0 {
			f = func(i int) float32 { return x[0][i] }
		}
	case ir.ColumnSum:
		cols := in.In[0].Shape.Cols()
		f = func(i int) float32 {
			var s float32
			for j := i; j < len(x[0]); j += cols {
				s += x[0][j]
			}
			return s + at(x[1], i)
		}
	default:
		return false
	}
	y := m.data(in.Out[0])
	for i := range y {
		y[i] = f(i)
	}
	return true
}

// at returns element i; nil reads as zeros and a scalar as itself repeated.
func at(x []float32, i int) float32 {
	switch len(x) {
	case 0:
		return 0
	case 1:
		return x[0]
	}
	return x[i]
}

func act(a ir.Act, x float32) float32 {
	if a == ir.NoAct {
		return x
	}
	return max(x, 0) + x/float32(a+2)
}

func dact(a ir.Act, x float32) float32 {
	if x > 0 {
		return 1 + 1/float32(a+2)
	}
	return 1 / float32(a+2)
}

func (m *machine) matmul(in *ir.Instr, x [][]float32) {
	a, b := in.In[0].Shape, in.In[1].Shape
	rows, inner, cols := a[0], a[1], b[1]
	attrs := in.Attrs.(ir.MatMulAttrs)
	if attrs.TransA {
		rows, inner = inner, rows
	}
	if attrs.TransB {
		cols = b[0]
	}
	y := m.data(in.Out[0])
	for i := range rows {
		for j := range cols {
			var s float32
			for k := range inner {
				ia, ib := i*inner+k, k*cols+j
				if attrs.TransA {
					ia = k*rows + i
				}
				if attrs.TransB {
					ib = j*inner + k
				}
				s += x[0][ia] * x[1][ib]
			}
			at2 := i*cols + j
			if x[2] != nil {
				s += x[2][j]
			}
			if x[3] != nil {
				s += x[3][at2]
			}
			if in.Out[1] != nil {
				m.data(in.Out[1])[at2] = s
			}
			if attrs.ActBackward {
				s *= dact(attrs.Act, x[4][at2])
			} else {
				s = act(attrs.Act, s)
			}
			y[at2] = s
		}
	}
	if sum := in.Out[matMulSum]; sum != nil && attrs.SumA {
		sumRows(m.data(sum), x[0])
	} else if sum != nil {
		sumRows(m.data(sum), x[1])
	}
}

// sumRows adds up the rows of a matrix.
func sumRows(y, x []float32) {
	clear(y)
	for i, e := range x {
		y[i%len(y)] += e
	}
}

// opaque computes all other kinds.
func (m *machine) opaque(in *ir.Instr, x [][]float32) {
	slot := ir.Kinds[in.Kind].Addend
	key := hash(fmt.Sprint(in.Kind, in.Attrs))
	for j, data := range x {
		if slot != (ir.Addend{}) && j == slot.In {
			continue
		}
		for i, e := range data {
			if e != e {
				panic(fmt.Sprintf("%s of %q reads undefined content of input %d", in.Kind, in.Path, j))
			}
			key = (key ^ uint64(math.Float32bits(e)) ^ uint64(j)<<40 ^ uint64(i)<<48) * 0x9E3779B97F4A7C15
			key ^= key >> 29
		}
	}
	for j, out := range in.Out {
		if out == nil {
			continue
		}
		y := m.data(out)
		for i := range y {
			y[i] = noise(key+uint64(j), i)
			if slot != (ir.Addend{}) && j == slot.Out {
				y[i] += at(x[slot.In], i)
			}
		}
	}
	for _, pair := range ir.Kinds[in.Kind].Sums {
		if sum := in.Out[pair[0]]; sum != nil {
			sumRows(m.data(sum), m.data(in.Out[pair[1]]))
		}
	}
	for _, j := range ir.Kinds[in.Kind].Mutates {
		if in.In[j] != nil {
			y := m.data(in.In[j])
			for i := range y {
				y[i] = noise(key+uint64(100+j), i)
			}
		}
	}
}

func hash(s string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(s))
	return h.Sum64()
}

// noise returns a multiple of 1/256 in [-1, 1]; sums of a few are exact.
func noise(key uint64, i int) float32 {
	key = (key + uint64(i)) * 0xBF58476D1CE4E5B9
	key ^= key >> 31
	key *= 0x94D049BB133111EB
	return float32(int(key>>33%513)-256) / 256
}

// sameBits returns an error for the first difference between two runs.
func sameBits(wantOuts, gotOuts [][]float32, wantState, gotState map[string][]float32) error {
	for k := range wantOuts {
		if i := firstDifference(wantOuts[k], gotOuts[k]); i >= 0 {
			return fmt.Errorf("output %d differs at %d: %v, want %v", k, i, gotOuts[k][i], wantOuts[k][i])
		}
	}
	for name, want := range wantState {
		if gotState[name] == nil {
			return fmt.Errorf("state %s is not written", name)
		}
		if i := firstDifference(want, gotState[name]); i >= 0 {
			return fmt.Errorf("state %s differs at %d: %v, want %v", name, i, gotState[name][i], want[i])
		}
	}
	return nil
}

func firstDifference(a, b []float32) int {
	for i := range a {
		if math.Float32bits(a[i]) != math.Float32bits(b[i]) {
			return i
		}
	}
	return -1
}
