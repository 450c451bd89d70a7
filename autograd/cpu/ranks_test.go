package cpu_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/cpu"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/mesh"
	"example.com/gotrain/autograd/plan"
	"example.com/gotrain/optim"
	"example.com/gotrain/train/ranks"
	"example.com/gotrain/train/ranks/rankstest"
)

const rankRows, rankSteps = 4, 3 // sequences of a step over all ranks

// way is how ranks make a step.
type way struct {
	accumulated bool // the batch twice, the update in the second program
	owned       bool // each parameter is updated by one rank
}

var ways = []way{{false, false}, {true, false}, {false, true}, {true, true}}

// programs are those of one rank.
func (w way) programs(c gptConfig, cfg optim.Config) (programs []*ir.Program, params []*autograd.Node, err error) {
	modes := []autograd.GradMode{autograd.GradTemp}
	if w.accumulated {
		modes = []autograd.GradMode{autograd.GradStore, autograd.GradAdd}
	}
	for i, mode := range modes {
		g, loss := c.loss()
		params = g.Params()
		p, grads, err := g.LowerTrain("train", g.Grad(loss), mode, loss)
		if err != nil {
			return nil, nil, err
		}
		if i == len(modes)-1 {
			p.Outputs = append(p.Outputs, optim.Append(p, grads, nil, cfg, true))
		}
		programs = append(programs, p)
	}
	return programs, params, nil
}

func (w way) layout(params []*autograd.Node, group ranks.Group) plan.Layout {
	l := plan.Layout{Rank: mesh.Of(group.Rank(), group.Size())}
	if w.owned {
		l.Owner = map[string]int{}
		for i, p := range params {
			l.Owner[p.Name()] = i * 5 % 7 % group.Size()
		}
	}
	return l
}

// trainRank makes steps on this rank's share of the batch and returns all
// parameters, in the order of their names.
func trainRank(group ranks.Group, cfg optim.Config, w way) ([]float32, error) {
	b, err := cpu.New(cpu.Config{Threads: 1, Ranks: group})
	if err != nil {
		return nil, err
	}
	defer b.Close()
	c := gptConfig{layers: 2, width: 32, heads: 2, length: 16, batch: rankRows / group.Size(), vocab: 600}
	programs, declared, err := w.programs(c, cfg)
	if err != nil {
		return nil, err
	}
	store := exec.NewStore(b)
	var sessions []*exec.Session
	for _, p := range programs {
		pl, err := plan.Build(p, plan.Options{Target: b.Target(), Layout: w.layout(declared, group)})
		if err != nil {
			return nil, err
		}
		if err := pl.CheckOverlap(); err != nil {
			return nil, err
		}
		arena, err := exec.NewArena(b, pl.Arena)
		if err != nil {
			return nil, err
		}
		s, err := exec.NewSession(pl, store, arena)
		if err != nil {
			return nil, err
		}
		sessions = append(sessions, s)
	}
	names := slices.DeleteFunc(store.Names(), func(name string) bool { return optim.IsState(name) || strings.HasPrefix(name, "grad.") })
	rng := rand.New(rand.NewPCG(1, 2))
	for _, name := range names {
		data := make([]float32, store.Get(name).Shape.Size())
		for i := range data {
			data[i] = float32(0.2 * rng.NormFloat64())
		}
		if err := store.Write(name, data); err != nil {
			return nil, err
		}
	}
	for step := range rankSteps {
		if err := c.feed(sessions, cfg, group, step, rng); err != nil {
			return nil, err
		}
		for _, s := range sessions {
			if err = s.Run(); err != nil {
				break
			}
		}
		if err != nil {
			break
		}
	}
	var params []float32
	for _, name := range names {
		data := make([]float32, store.Get(name).Shape.Size())
		if err := store.Read(name, data); err != nil {
			return nil, err
		}
		params = append(params, data...)
	}
	return params, err
}

// feed sets the inputs of a step: all ranks draw the whole batch.
func (c gptConfig) feed(sessions []*exec.Session, cfg optim.Config, group ranks.Group, step int, rng *rand.Rand) error {
	all, n := rankRows*c.length, c.batch*c.length
	ids, positions, targets := make([]int32, all), make([]int32, all), make([]int32, all)
	for i := range all {
		ids[i], targets[i] = int32(rng.IntN(c.vocab)), int32(rng.IntN(c.vocab))
		positions[i] = int32(i % c.length)
	}
	hyper := cfg.Hyper(step, rankSteps, step, 0)
	lossWeight := []float32{1 / float32(all)}
	from := group.Rank() * n
	var errs []error
	for _, s := range sessions {
		errs = append(errs, s.SetInts("ids", ids[from:][:n]), s.SetInts("positions", positions[from:][:n]),
			s.SetInts("targets", targets[from:][:n]), s.SetFloats("loss_weight", lossWeight))
		if in, ok := s.Input("hyper"); ok { // the last of the micro-batches updates
			errs = append(errs, in.SetFloats(hyper[:]))
		}
	}
	return errors.Join(errs...)
}

// momentumSGD is linear in the gradients, so that rounding stays small.
func momentumSGD() optim.Config {
	cfg := optim.Default()
	cfg.Kind, cfg.LR, cfg.Schedule, cfg.Warmup = "sgd", 0.1, "constant", 0
	return cfg
}

// trainRanks trains on all ranks; each has its parameters and its error.
func trainRanks(groups []*rankstest.Group, w way) ([][]float32, []error) {
	params, errs := make([][]float32, len(groups)), make([]error, len(groups))
	var wg sync.WaitGroup
	for r, g := range groups {
		wg.Go(func() { params[r], errs[r] = trainRank(g, momentumSGD(), w) })
	}
	wg.Wait()
	return params, errs
}

// TestRanks trains on 1, 2 and 4 ranks: all have the parameters of one process
// that has the whole batch; the ranks of a run and runs of as many ranks, whoever
// updates, bit for bit the same.
func TestRanks(t *testing.T) {
	for _, n := range []int{1, 2, 4} {
		firsts := map[bool][]float32{} // by way.accumulated
		for _, w := range ways {
			one, err := trainRank(ranks.Local{}, momentumSGD(), way{accumulated: w.accumulated})
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				params, errs := trainRanks(rankstest.New(n), w)
				if err := errors.Join(errs...); err != nil {
					t.Fatal(err)
				}
				if firsts[w.accumulated] == nil {
					firsts[w.accumulated] = params[0]
				}
				first := firsts[w.accumulated]
				for r := range params {
					for i, x := range params[r] {
						if math.Float32bits(x) != math.Float32bits(first[i]) {
							t.Fatalf("%d ranks: %+v: rank %d has %v at %d, rank 0 of the first run %v", n, w, r, x, i, first[i])
						}
					}
				}
			}
			for i, x := range firsts[w.accumulated] {
				if math.Abs(float64(x-one[i])) > 1e-6*max(1, math.Abs(float64(one[i]))) {
					t.Fatalf("%d ranks, %+v: parameter %d is %v, one process has %v", n, w, i, x, one[i])
				}
			}
		}
	}
}

// TestRankFails fails a sum on one rank: the steps of all ranks return the error,
// and no parameter changes.
func TestRankFails(t *testing.T) {
	planted := errors.New("planted")
	for _, w := range ways {
		groups := rankstest.New(2)
		groups[1].Before = func(string) error { return planted }
		params, errs := trainRanks(groups, w)
		if !errors.Is(errs[0], ranks.ErrPeer) || !errors.Is(errs[1], planted) {
			t.Errorf("%+v: rank 0: %v, rank 1: %v", w, errs[0], errs[1])
		}
		for i, x := range params[0] {
			if x != params[1][i] {
				t.Fatalf("%+v: parameter %d was updated by a sum that failed", w, i)
			}
		}
	}
}

// TestRankFailsInBroadcast ends a rank while updated parameters travel: both ranks
// tell which.
func TestRankFailsInBroadcast(t *testing.T) {
	planted := errors.New("planted")
	groups := rankstest.New(2)
	groups[1].Before = func(collective string) error {
		if collective == "Broadcast" {
			return planted
		}
		return nil
	}
	_, errs := trainRanks(groups, way{owned: true})
	for rank, want := range []error{ranks.ErrPeer, planted} {
		if !errors.Is(errs[rank], want) || !strings.Contains(errs[rank].Error(), "parameters from rank ") {
			t.Errorf("rank %d: %v, want %v in a broadcast", rank, errs[rank], want)
		}
	}
}

// counting counts the collectives of a group by what they are.
type counting struct {
	ranks.Group
	messages map[string]int
}

func (c *counting) Reduce(x []float32, root int) error {
	c.messages[fmt.Sprint("sum to ", root)]++
	return c.Group.Reduce(x, root)
}

func (c *counting) Broadcast(x []byte, root int) error {
	c.messages[fmt.Sprint("from ", root)]++
	return c.Group.Broadcast(x, root)
}

// TestSmallTensorsShareMessages: the small gradients and parameters of an owner are
// one message a step each, whatever the order of owners; rank 0 owns a large one.
func TestSmallTensorsShareMessages(t *testing.T) {
	groups := rankstest.New(2)
	counts := make([]counting, len(groups))
	var all sync.WaitGroup
	for r, g := range groups {
		counts[r] = counting{g, map[string]int{}}
		all.Go(func() {
			if _, err := trainRank(&counts[r], momentumSGD(), way{owned: true}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for r, c := range counts {
		for message, want := range map[string]int{"sum to 0": 2, "sum to 1": 1, "from 0": 2, "from 1": 1} {
			if c.messages[message] != want*rankSteps {
				t.Errorf("rank %d: %d messages %s in %d steps, want %d a step", r, c.messages[message], message, rankSteps, want)
			}
		}
	}
}

// twin is a rank beside one that always has the same gradients.
type twin struct{ ranks.Local }

func (twin) Size() int { return 2 }

func (twin) AllReduce(x []float32) error {
	for i := range x {
		x[i] *= 2
	}
	return nil
}

func (t twin) Reduce(x []float32, _ int) error { return t.AllReduce(x) }

// TestRankDoesNotAllocate runs a program of collectives.
func TestRankDoesNotAllocate(t *testing.T) {
	b := newBackend(t, cpu.Config{Threads: 1, Ranks: twin{}})
	p := &ir.Program{Name: "sums"}
	for _, n := range []int{100, 70_000, 3} {
		x := p.NewValue(ir.State, string(rune('a'+len(p.Values))), ir.F32, n)
		for _, kind := range []ir.Kind{ir.AllReduce, ir.ReduceTo, ir.BroadcastFrom} {
			sum, done := p.NewValue(ir.Temp, "", ir.F32, n), p.NewValue(ir.Temp, "", ir.F32, n)
			p.Emit(&ir.Instr{Kind: kind, In: []*ir.Value{x}, Out: []*ir.Value{sum}, Block: -1})
			p.Emit(&ir.Instr{Kind: ir.Await, In: []*ir.Value{sum}, Out: []*ir.Value{done}, Block: -1})
			p.Outputs = append(p.Outputs, done)
		}
	}
	pl, err := plan.Build(p, plan.Options{Target: b.Target()})
	if err != nil {
		t.Fatal(err)
	}
	arena, err := exec.NewArena(b, pl.Arena)
	if err != nil {
		t.Fatal(err)
	}
	s, err := exec.NewSession(pl, exec.NewStore(b), arena)
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(10, func() {
		if err := s.Run(); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("a run allocates %v times, want 0", n)
	}
}

// talking counts the sums that a rank beside a twin takes part in.
type talking struct {
	twin
	sums int
}

func (t *talking) AllReduce(x []float32) error {
	t.sums++
	return t.twin.AllReduce(x)
}

// TestFaultyRankIsSilent: a rank behind a fault sends nothing of what waits for its
// message, and the fault is what it tells.
func TestFaultyRankIsSilent(t *testing.T) {
	for _, id := range []int32{1, 9} {
		group := &talking{}
		b := newBackend(t, cpu.Config{Threads: 1, Ranks: group})
		p := &ir.Program{Name: "silent"}
		x, table, ids := p.NewValue(ir.State, "x", ir.F32, 3), p.NewValue(ir.State, "table", ir.F32, 4, 2), p.NewValue(ir.Input, "ids", ir.I32, 1)
		sum, row, done := p.NewValue(ir.Temp, "", ir.F32, 3), p.NewValue(ir.Temp, "", ir.F32, 1, 2), p.NewValue(ir.Temp, "", ir.F32, 3)
		p.Emit(&ir.Instr{Kind: ir.AllReduce, In: []*ir.Value{x}, Out: []*ir.Value{sum}, Block: -1})
		p.Emit(&ir.Instr{Kind: ir.Embedding, In: []*ir.Value{ids, table}, Out: []*ir.Value{row}, Path: "wte", Block: -1})
		p.Emit(&ir.Instr{Kind: ir.Await, In: []*ir.Value{sum}, Out: []*ir.Value{done}, Block: -1})
		p.Outputs = []*ir.Value{done, row}
		s := bind(t, b, p)
		if err := s.SetInts("ids", []int32{id}); err != nil {
			t.Fatal(err)
		}
		err := s.Run()
		if wrong := id >= 4; (err != nil) != wrong || wrong && !strings.Contains(err.Error(), "wte") {
			t.Errorf("id %d: %v", id, err)
		}
		if want := map[int32]int{1: 1, 9: 0}[id]; group.sums != want {
			t.Errorf("id %d: %d sums, want %d", id, group.sums, want)
		}
	}
}
