//go:build gpu

package backend

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/plan"
	"example.com/gotrain/cuda"
)

var _ exec.Chooser = (*Backend)(nil)

// way is one of several ways to compute the same. bind binds it; where its error wraps
// cuda.ErrEpilogue, it is not to be had here.
type way struct {
	name string
	bind func() (func(), error)
}

// choose binds the way that is settled for what id names: kind, shapes, types, and all
// else that the time depends on. Where none is, that is the first that can be had.
//
// A binder offers a choice in three steps: it makes a way of each candidate, the one that
// is taken untimed first; it returns c.choose(id, ways); and its kind stands in choosing,
// so that Choose tries it. Names and ids are kept in checkpoints: a candidate that changes
// its bits gets another name. choices_gpu_test.go plants times.
func (c *call) choose(id string, ways ...way) func() {
	b := c.Backend
	settled, known := b.ways[id]
	known = known && slices.ContainsFunc(ways, func(w way) bool { return w.name == settled.Name })
	if t := b.trial; t != nil && t.timed && !known {
		used := maps.Clone(t.used) // without what the slower ways use
		way, times, err := c.time(ways)
		if err != nil {
			c.fail(fmt.Errorf("%s: %w", id, err))
			return nil
		}
		settled = way
		if times != nil {
			t.times[id] = times
		}
		if b.ways == nil {
			b.ways = exec.Ways{}
		}
		b.ways[id], known, t.used = settled, true, used
	}
	if known {
		i := slices.IndexFunc(ways, func(w way) bool { return w.name == settled.Name })
		ways = append([]way{ways[i]}, slices.Delete(slices.Clone(ways), i, i+1)...)
	}
	launch, name, err := firstOf(ways)
	c.fail(err)
	if t := b.trial; t != nil && err == nil {
		if settled.Name != name {
			settled = exec.Way{Name: name}
		}
		t.used[id] = settled
	}
	return launch
}

// firstOf binds the first of the ways that can be had.
func firstOf(ways []way) (launch func(), name string, err error) {
	for _, w := range ways {
		launch, e := w.bind()
		if e == nil {
			return launch, w.name, nil
		}
		if err == nil {
			err = e
		}
		if !errors.Is(e, cuda.ErrEpilogue) {
			break
		}
	}
	return nil, "", err
}

// choosing are the kinds whose binders choose.
var choosing = [ir.NumKinds]bool{
	ir.Attention: true, ir.AttentionBackward: true,
	ir.MatMul: true, ir.LinearCrossEntropy: true, ir.LinearLogProb: true, ir.LinearLogProbBackward: true, ir.LinearTopLogProb: true, ir.LinearTopLogProbBackward: true, ir.Muon: true, ir.Recurrent: true, ir.RecurrentBackward: true,
}

// trial is the state of Choose.
type trial struct {
	timed bool
	used  exec.Ways
	times map[string]map[string]float64
}

// Where is exec.Chooser's: cuBLASLt's version, the card and its multiprocessors.
func (b *Backend) Where() string {
	v, i := b.blas.Version(), b.device.Info()
	return fmt.Sprintf("cuBLASLt %d.%d.%d, %s with %d multiprocessors", v/10000, v/100%100, v%100, i.Name, i.SMs)
}

// Choose is exec.Chooser's.
func (b *Backend) Choose(plans []*plan.Plan, known exec.Ways, timed bool) (exec.Chosen, error) {
	b.ways = maps.Clone(known)
	if b.watch == nil {
		var err error
		if b.watch, err = b.NewStopwatch(); err != nil {
			return exec.Chosen{}, err
		}
	}
	b.trial = &trial{timed: timed, used: exec.Ways{}, times: map[string]map[string]float64{}}
	faults := len(b.faults)
	defer func() { b.trial, b.faults = nil, b.faults[:faults] }()
	launches := distinct(plans)
	var most int64
	for _, l := range launches {
		most = max(most, newTrialSpace(0, l).bytes)
	}
	if most == 0 {
		return exec.Chosen{}, nil
	}
	space, err := b.memory.raw(most)
	if err != nil {
		return exec.Chosen{}, fmt.Errorf("memory to time products in: %w", err)
	}
	for _, l := range launches {
		if err = b.try(l, space); err != nil {
			break
		}
	}
	err = errors.Join(err, b.memory.free(space))
	return exec.Chosen{Ways: b.trial.used, Timed: b.trial.times}, err
}

// try binds a launch to scratch memory and runs it once, if it has to.
func (b *Backend) try(instrs []*ir.Instr, space cuda.Ptr) error {
	s := newTrialSpace(space, instrs)
	if err := b.fill(s); err != nil {
		return err
	}
	var launch exec.Launch
	var err error
	if fuses(instrs[0].Kind) {
		launch, err = b.BindFused(instrs, s.args)
	} else {
		launch, err = b.Bind(instrs[0], s.args[0])
	}
	if err != nil {
		return err
	}
	// Kernels of our own are loaded when they are bound; only a library's products have to run before a capture.
	if kind := instrs[0].Kind; !b.trial.timed && (kind == ir.Attention || kind == ir.AttentionBackward) {
		return nil
	}
	launch()
	if e := b.err; e != nil {
		b.err = nil
		return e
	}
	return b.stream.Synchronize()
}

// distinct are the launches of plans that choose, each once.
func distinct(plans []*plan.Plan) [][]*ir.Instr {
	seen := map[string]bool{}
	var all [][]*ir.Instr
	for _, p := range plans {
		for i := range p.Launches {
			instrs := p.Instrs(i)
			if !choosing[instrs[0].Kind] {
				continue
			}
			var key strings.Builder
			for _, in := range instrs {
				fmt.Fprintf(&key, "%s %+v", in.Kind, in.Attrs)
				for _, v := range slices.Concat(in.In, in.Out) {
					if v == nil {
						key.WriteString(" -")
						continue
					}
					fmt.Fprintf(&key, " %s%v", v.DType, v.Shape)
				}
			}
			if !seen[key.String()] {
				seen[key.String()] = true
				all = append(all, instrs)
			}
		}
	}
	return all
}

// trialSpace is memory for the arguments of a launch. Values that share storage do so here.
type trialSpace struct {
	buffer *buffer
	bytes  int64
	args   []exec.Args
	ints   []exec.Region
	inputs []exec.Region
}

func newTrialSpace(space cuda.Ptr, instrs []*ir.Instr) *trialSpace {
	s := &trialSpace{buffer: &buffer{ptr: space}}
	places := map[*ir.Value]exec.Region{}
	locate := func(values []*ir.Value, read bool) []exec.Region {
		regions := make([]exec.Region, len(values))
		for i, v := range values {
			if v == nil {
				continue
			}
			r, ok := places[v.Root()]
			if !ok {
				r = s.take(v.Root().Bytes())
				places[v.Root()] = r
				if read && v.DType.Float() {
					s.inputs = append(s.inputs, r)
				} else {
					s.ints = append(s.ints, r)
				}
			}
			r.Bytes = v.Bytes()
			regions[i] = r
		}
		return regions
	}
	workspace := s.take(workspace(instrs))
	for _, in := range instrs {
		s.args = append(s.args, exec.Args{In: locate(in.In, true), Out: locate(in.Out, false), Workspace: workspace})
	}
	s.buffer.bytes = s.bytes
	return s
}

// take gives the next so many bytes, aligned as those of an arena.
func (s *trialSpace) take(bytes int64) exec.Region {
	r := exec.Region{Buffer: s.buffer, Offset: s.bytes, Bytes: bytes}
	s.bytes += (bytes + plan.Align - 1) / plan.Align * plan.Align
	return r
}

// fill gives inputs numbers as activations have them, since those of one value heat and
// slow a card less; the rest, indices among them, is 0.
func (b *Backend) fill(s *trialSpace) error {
	for _, r := range s.ints {
		if err := b.stream.Fill(addr(r), 0, r.Bytes/4); err != nil {
			return err
		}
	}
	normals := normals()
	for _, r := range s.inputs {
		done := min(r.Bytes, int64(len(normals)))
		if err := b.Upload(exec.Region{Buffer: r.Buffer, Offset: r.Offset, Bytes: done}, normals[:done]); err != nil {
			return err
		}
		for done < r.Bytes {
			n := min(done, r.Bytes-done)
			if err := b.stream.Copy(addr(r)+cuda.Ptr(done), addr(r), n); err != nil {
				return err
			}
			done += n
		}
	}
	return nil
}

// normals are normal numbers in bfloat16; read as float32, they are nearly so.
func normals() []byte {
	const numbers = 1 << 12
	r := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, 0, 2*numbers)
	for range numbers {
		b = binary.LittleEndian.AppendUint16(b, uint16(math.Float32bits(float32(r.NormFloat64()))>>16))
	}
	return b
}

// Bounds of a timing. A batch of launches outweighs the error of the events, some 2 µs;
// what takes longer than slow is launched once a round.
const (
	batchMS   = 1.0
	mostBatch = 50
	rounds    = 3
	slowMS    = 20.0
)

// time measures each way and names the fastest, and gives all times in milliseconds. Ways that cannot be had, or whose
// launch fails, are left out.
func (c *call) time(ways []way) (exec.Way, map[string]float64, error) {
	var names []string
	var launches []func()
	for _, w := range ways {
		launch, err := w.bind()
		if errors.Is(err, cuda.ErrEpilogue) || err == nil && c.launches(launch) != nil {
			continue
		}
		if err != nil {
			return exec.Way{}, nil, err
		}
		names, launches = append(names, w.name), append(launches, launch)
	}
	if c.err != nil {
		return exec.Way{}, nil, c.err
	}
	if len(names) == 0 {
		return exec.Way{}, nil, errors.New("no way to compute it runs on this card")
	}
	if len(names) == 1 {
		return exec.Way{Name: names[0]}, nil, nil
	}
	ms := make([]float64, len(names))
	counts := make([]int, len(names))
	for i, launch := range launches {
		once, err := c.batch(launch, 1)
		if err != nil {
			return exec.Way{}, nil, err
		}
		ms[i], counts[i] = once, int(max(1, min(mostBatch, batchMS/max(once, 1e-3))))
	}
	for range rounds { // in turn, so that a clock that changes meets all
		best := slices.Min(ms)
		for i, launch := range launches {
			if ms[i] > slowMS || ms[i] > 2*best {
				continue
			}
			t, err := c.batch(launch, counts[i])
			if err != nil {
				return exec.Way{}, nil, err
			}
			ms[i] = min(ms[i], t)
		}
	}
	i := fastest(ms)
	all := map[string]float64{}
	for k, name := range names {
		all[name] = ms[k]
	}
	return exec.Way{Name: names[i], MS: ms[i], FirstMS: ms[0]}, all, nil
}

// launches runs a launch once, which loads its kernels.
func (c *call) launches(launch func()) error {
	b := c.Backend
	launch()
	err := b.err
	b.err = nil
	return errors.Join(err, b.stream.Synchronize())
}

// batch is the time in milliseconds of a launch among count.
func (c *call) batch(launch func(), count int) (float64, error) {
	b := c.Backend
	b.watch.Start()
	for range count {
		launch()
	}
	b.watch.Stop()
	if err := b.err; err != nil {
		b.err = nil
		return 0, err
	}
	t, err := b.watch.Elapsed()
	return 1e3 * t.Seconds() / float64(count), err
}
