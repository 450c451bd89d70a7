//go:build gpu

package backend

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/plan"
	"example.com/gotrain/cuda"
)

// rank is one of two, each on a device of this process.
type rank struct {
	exec.Backend
	comm   *cuda.Comm
	device *cuda.Device
	waits  int // for the other rank
}

// openRanks makes two ranks, or skips where there are no two devices.
func openRanks(t *testing.T) [2]*rank {
	t.Helper()
	if infos, err := cuda.Devices(); err != nil || len(infos) < 2 {
		t.Skipf("needs two devices: %v", err)
	}
	id, err := cuda.UniqueID()
	if err != nil {
		t.Fatal(err)
	}
	ranks := [2]*rank{{}, {}}
	bothRanks(t, &ranks, func(i int, r *rank) (err error) {
		if r.device, err = cuda.Open(i); err != nil {
			return err
		}
		if r.comm, err = r.device.NewComm(id, i, 2); err != nil {
			return err
		}
		r.Backend, err = Open(Config{Device: i, Comm: r.comm, Wait: func(wait func() (time.Duration, error)) error {
			r.waits++
			computed, err := wait()
			if err == nil && computed <= 0 {
				err = fmt.Errorf("%v computed before the first sum", computed)
			}
			return err
		}})
		return err
	})
	t.Cleanup(func() {
		for _, r := range ranks {
			if err := errors.Join(r.Backend.Close(), r.comm.Close(), r.device.Close()); err != nil {
				t.Error(err)
			}
		}
	})
	return ranks
}

// bothRanks runs f for both; one that fails ends the other.
func bothRanks(t *testing.T, ranks *[2]*rank, f func(i int, r *rank) error) {
	t.Helper()
	var errs [2]error
	var wait sync.WaitGroup
	for i, r := range ranks {
		wait.Go(func() {
			if errs[i] = f(i, r); errs[i] != nil && r.comm != nil {
				r.comm.Abort()
			}
		})
	}
	wait.Wait()
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
}

// sumSizes are elements of tensors: many small ones for a bucket, and one that is a
// bucket alone.
var sumSizes = []int{7, 1500, 3, bucketBytes/4 + 5, 64, 9000, 1}

// sumProgram has w = 3·Σ 2x for each tensor x, whose sums are on their way while
// others are made, and once more the first w, which is halved and summed again and
// again.
func sumProgram() *ir.Program {
	p := &ir.Program{Name: "sums"}
	emit := func(kind ir.Kind, alpha float32, x *ir.Value) *ir.Value {
		y := p.NewValue(ir.Temp, "", ir.F32, x.Shape...)
		attrs := ir.Kinds[kind].Attrs
		if kind == ir.Scale {
			attrs = ir.ScaleAttrs{Alpha: alpha}
		}
		p.Emit(&ir.Instr{Kind: kind, Attrs: attrs, In: []*ir.Value{x}, Out: []*ir.Value{y}, Block: -1})
		return y
	}
	var sums []*ir.Value
	for i, n := range sumSizes {
		x := p.NewValue(ir.Input, fmt.Sprint("x", i), ir.F32, n)
		sums = append(sums, emit(ir.AllReduce, 0, emit(ir.Scale, 2, x)))
	}
	for _, s := range sums {
		p.Outputs = append(p.Outputs, emit(ir.Scale, 3, emit(ir.Await, 0, s)))
	}
	// Each of these needs the one before.
	x := p.Outputs[0]
	for range 8 {
		x = emit(ir.Await, 0, emit(ir.AllReduce, 0, emit(ir.Scale, 0.5, x)))
	}
	p.Outputs = append(p.Outputs, x)
	return p
}

func (r *rank) session() (*exec.Session, error) {
	pl, err := plan.Build(sumProgram(), plan.Options{Target: r.Target()})
	if err != nil {
		return nil, err
	}
	arena, err := exec.NewArena(r, pl.Arena)
	if err != nil {
		return nil, err
	}
	return exec.NewSession(pl, exec.NewStore(r), arena)
}

// Record is the back end's: exec.NewSession looks for it on r.
func (r *rank) Record(launches func()) (exec.Launch, error) {
	return r.Backend.(exec.Recorder).Record(launches)
}

// TestSums runs a program whose sums overlap its kernels, as one graph, again and
// again: an order that no event enforces would show on the simulator.
func TestSums(t *testing.T) {
	ranks := openRanks(t)
	bothRanks(t, &ranks, func(i int, r *rank) error {
		if n := r.Backend.(exec.Ranked).Ranks(); n != 2 {
			return fmt.Errorf("%d ranks", n)
		}
		s, err := r.session()
		if err != nil {
			return err
		}
		for round := range 6 {
			for j, n := range sumSizes {
				x := make([]float32, n)
				for k := range x {
					x[k] = float32((i+1)*(k%97) + round)
				}
				if err := s.SetFloats(fmt.Sprint("x", j), x); err != nil {
					return err
				}
			}
			if err := s.Run(); err != nil {
				return err
			}
			for j, n := range append(slices.Clone(sumSizes), sumSizes[0]) {
				w := make([]float32, n)
				if err := s.Output(j, w); err != nil {
					return err
				}
				for k, got := range w {
					if want := float32(6 * (3*(k%97) + 2*round)); got != want {
						return fmt.Errorf("rank %d, round %d: element %d of tensor %d is %g, want %g", i, round, k, j, got, want)
					}
				}
			}
		}
		if r.waits != 6 {
			return fmt.Errorf("%d waits for the other rank, want one a run", r.waits)
		}
		return nil
	})
}

// TestSumsAborted ends a run whose other rank never comes.
func TestSumsAborted(t *testing.T) {
	ranks := openRanks(t)
	s, err := ranks[0].session()
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(50*time.Millisecond, ranks[0].comm.Abort)
	if err := s.Run(); err == nil {
		t.Error("a run without the other rank succeeds")
	}
}
