//go:build gpu

package nccl_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/gotrain/cuda"
	"example.com/gotrain/train/ranks"
	"example.com/gotrain/train/ranks/nccl"
	"example.com/gotrain/train/ranks/rankstest"
)

// open makes a group of two ranks, which are goroutines with a device each.
func open(t *testing.T) [2]nccl.Group {
	t.Helper()
	if infos, err := cuda.Devices(); err != nil || len(infos) < 2 {
		t.Skipf("needs two devices: %v", err)
	}
	var groups [2]nccl.Group
	store := rankstest.NewStore()
	both(t, func(rank int) (err error) {
		groups[rank], err = nccl.Open(t.Context(), nccl.Config{Rank: rank, Size: 2, Device: rank, Store: store})
		return err
	})
	return groups
}

func both(t *testing.T, f func(rank int) error) {
	t.Helper()
	var errs [2]error
	var wait sync.WaitGroup
	for rank := range errs {
		wait.Go(func() { errs[rank] = f(rank) })
	}
	wait.Wait()
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
}

// TestCollectives has messages of odd lengths, and ones that take several stages.
func TestCollectives(t *testing.T) {
	groups := open(t)
	both(t, func(rank int) error {
		g := groups[rank]
		if g.Rank() != rank || g.Size() != 2 {
			return fmt.Errorf("rank %d of %d", g.Rank(), g.Size())
		}
		for _, n := range []int{0, 1, 3, 4, 1001, 5<<20 + 3} {
			if err := collectives(g, n); err != nil {
				return fmt.Errorf("rank %d, %d elements: %w", rank, n, err)
			}
		}
		return errors.Join(g.Barrier(), g.Close(), g.Close())
	})
}

// collectives computes with n elements, or bytes, of which rank r has those of part(r, n).
func collectives(g ranks.Group, n int) error {
	part := func(rank int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(i*7 + 100*rank)
		}
		return b
	}
	all := make([]byte, 2*n)
	if err := g.AllGather(all, part(g.Rank())); err != nil || !bytes.Equal(all, append(part(0), part(1)...)) {
		return fmt.Errorf("AllGather: %v, or wrong bytes", err)
	}
	own := part(g.Rank())
	if err := g.Broadcast(own, 1); err != nil || !bytes.Equal(own, part(1)) {
		return fmt.Errorf("Broadcast: %v, or wrong bytes", err)
	}
	values := func() []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(i%1000 + g.Rank())
		}
		return x
	}
	summed, reduced := values(), values()
	if err := errors.Join(g.AllReduce(summed), g.Reduce(reduced, 1)); err != nil {
		return err
	}
	for i, x := range summed {
		if want := float32(2*(i%1000) + 1); x != want || g.Rank() == 1 && reduced[i] != want {
			return fmt.Errorf("element %d is %g by AllReduce, %g by Reduce, want %g", i, x, reduced[i], want)
		}
	}
	return nil
}

// TestResident computes on the device.
func TestResident(t *testing.T) {
	groups := open(t)
	both(t, func(rank int) error {
		r, err := groups[rank].Resident(1 << 10)
		if err != nil {
			return err
		}
		return errors.Join(r.AllReduce(), r.AllGather(), r.Close(), groups[rank].Close())
	})
}

// TestAbort ends what one rank waits for; on the simulator the other learns that its
// peer has gone. On GPUs of one machine NCCL need not tell.
func TestAbort(t *testing.T) {
	groups := open(t)
	time.AfterFunc(50*time.Millisecond, groups[0].Abort)
	if err := groups[0].Barrier(); err == nil || errors.Is(err, ranks.ErrPeer) {
		t.Errorf("after its own Abort: %v", err)
	}
	if infos, err := cuda.Devices(); err == nil && strings.Contains(infos[0].Name, "imulator") {
		_ = groups[1].Barrier() // the other one had come to it
		if err := groups[1].Barrier(); !errors.Is(err, ranks.ErrPeer) {
			t.Errorf("after the Abort of the other rank: %v", err)
		}
	}
	for _, g := range groups {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestOpenAlone waits for a rank that does not come, until its time is over.
func TestOpenAlone(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	for rank, want := range []string{"rank 0 of 2 waits for the others", "the name of the communicator, from rank 0"} {
		_, err := nccl.Open(ctx, nccl.Config{Rank: rank, Size: 2, Store: rankstest.NewStore()})
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), want) {
			t.Errorf("rank %d: %v, want %q", rank, err, want)
		}
	}
}
