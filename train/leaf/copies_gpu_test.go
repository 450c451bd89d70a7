//go:build gpu

package leaf

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/mesh"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/train/engine"
	"example.com/gotrain/train/ranks"
	"example.com/gotrain/train/recipe"
)

// TestCopies trains two phases in bfloat16, with micro-batches, averages and evaluations
// between, on one rank and on two with shared optimizer states: after each step the copy
// of every parameter is the parameter, rounded.
func TestCopies(t *testing.T) {
	open := gpus()
	if open == nil {
		t.Skip("there are not two GPUs")
	}
	for _, n := range []int{1, 2} {
		for _, set := range []string{"optimizer.kind=adamw", "optimizer.kind=muon", "optimizer.kind=sgd"} {
			t.Run(fmt.Sprint(n, " ", set), func(t *testing.T) {
				errs, room := make([]error, n), newRoom(n)
				var all sync.WaitGroup
				for rank := range n {
					all.Go(func() {
						s, err := open(t.Context(), room, rank)
						if err == nil {
							err = trainCopies(t, s, mesh.Of(rank, n), set)
						}
						errs[rank] = errors.Join(err, s.close(err))
					})
				}
				all.Wait()
				if err := errors.Join(errs...); err != nil {
					t.Fatal(err)
				}
			})
		}
	}
}

// trainCopies takes steps on one rank.
func trainCopies(t *testing.T, s seat, rank mesh.Rank, set ...string) error {
	cfg := leaves(t, t.TempDir(), append(set, "precision=bfloat16", fmt.Sprintf("cluster.zero=%d", min(1, rank.Count()-1)))...)
	cfg.Rank = rank
	job, err := table().Open(context.Background(), recipe.Env{Config: cfg, FS: vfs.OS{}})
	if err != nil {
		return err
	}
	e, err := engine.New(job.Config, job, s.backend, ranks.Coordinate(s.group))
	if err != nil {
		return err
	}
	if err := e.Initialize(vfs.OS{}); err != nil {
		return err
	}
	batch := job.Train.NewBatch()
	for step := range 3 {
		if err := errors.Join(job.Train.Fill(batch, uint64(step)*job.Train.Stride()), job.Prepare(context.Background(), batch)); err != nil {
			return err
		}
		if _, err := e.Step(batch, engine.StepConfig{Step: step}); err != nil {
			return err
		}
		if err := checkCopies(e.Store()); err != nil {
			return fmt.Errorf("step %d: %w", step, err)
		}
	}
	return nil
}

// checkCopies compares each copy of a store with its state.
func checkCopies(store *exec.Store) error {
	found := 0
	for _, name := range store.Names() {
		master, ok := strings.CutPrefix(name, ir.CopyPrefix)
		if !ok {
			continue
		}
		found++
		x := make([]float32, store.Get(master).Shape.Size())
		words := make([]byte, store.Get(name).Bytes())
		if err := errors.Join(store.Read(master, x), store.ReadBytes(name, words)); err != nil {
			return err
		}
		for i, e := range x {
			bits := math.Float32bits(e)
			if want, got := uint16((bits+0x7fff+bits>>16&1)>>16), binary.LittleEndian.Uint16(words[2*i:]); got != want {
				return fmt.Errorf("element %d of %s is %#x, of its state %#x", i, name, got, want)
			}
		}
	}
	if found < 4 {
		return fmt.Errorf("%d states have copies: %v", found, store.Names())
	}
	return nil
}
