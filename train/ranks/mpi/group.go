//go:build mpi && cgo

package mpi

// #cgo pkg-config: mpi-c
// #include "engine.h"
import "C"

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"unsafe"

	"example.com/gotrain/train/ranks"
)

// Available tells whether this build has the engine.
const Available = true

// largest is how many elements one message has at most: MPI counts in int32.
const largest = 1 << 30

var errEnded = errors.New("mpi: the group is closed or aborted")

// group is all ranks of the job. All of MPI runs on one thread, that of serve.
type group struct {
	rank, size int
	calls      chan call
	aborted    chan struct{}
	abort      sync.Once
	closed     bool // by the caller of collectives, one at a time
}

// call is a function of MPI for serve.
type call struct {
	do   func() C.int
	done chan error
}

// Open starts MPI and waits for the other ranks until ctx ends. Once in a process.
func Open(ctx context.Context, cfg Config) (ranks.Group, error) {
	g := &group{calls: make(chan call), aborted: make(chan struct{})}
	opened := make(chan error, 1)
	go g.serve(opened)
	select {
	case err := <-opened:
		if err != nil {
			return nil, fmt.Errorf("mpi: start: %w", err)
		}
	case <-ctx.Done():
		return nil, fmt.Errorf("mpi: rank %d of %d waits for the others: %w", cfg.Rank, cfg.Size, ctx.Err())
	}
	if g.rank != cfg.Rank || g.size != cfg.Size {
		return nil, errors.Join(fmt.Errorf("mpi: the launcher says rank %d of %d, MPI says %d of %d: start gotrain with the mpirun of the MPI it was built with, or srun --mpi=pmix",
			cfg.Rank, cfg.Size, g.rank, g.size), g.Close())
	}
	return g, nil
}

// serve is the thread of MPI: it starts it, makes the calls and ends it.
func (g *group) serve(opened chan<- error) {
	runtime.LockOSThread()
	var started C.int
	C.MPI_Initialized(&started)
	if started != 0 {
		opened <- errors.New("MPI has one group in a process, and can be started once")
		return
	}
	var rank, size C.int
	if err := failure(C.engine_open(&rank, &size)); err != nil {
		opened <- err
		return
	}
	g.rank, g.size = int(rank), int(size)
	opened <- nil
	for c := range g.calls {
		c.done <- failure(c.do())
	}
}

func failure(code C.int) error {
	if code == C.MPI_SUCCESS {
		return nil
	}
	var text [C.MPI_MAX_ERROR_STRING]C.char
	var n C.int
	C.MPI_Error_string(code, &text[0], &n)
	return errors.New(C.GoStringN(&text[0], n))
}

// run makes one call and waits for its end or for Abort.
func (g *group) run(name string, do func() C.int) error {
	if g.closed {
		return errEnded
	}
	select {
	case <-g.aborted:
		return errEnded
	default:
	}
	c := call{do: do, done: make(chan error, 1)}
	select {
	case g.calls <- c:
	case <-g.aborted:
		return errEnded
	}
	select {
	case err := <-c.done:
		if err != nil {
			return fmt.Errorf("mpi: rank %d of %d: %s: %w", g.rank, g.size, name, err)
		}
		return nil
	case <-g.aborted:
		return fmt.Errorf("mpi: rank %d of %d: %s: aborted", g.rank, g.size, name)
	}
}

// Rank is the number of this rank.
func (g *group) Rank() int { return g.rank }

// Size is the number of ranks.
func (g *group) Size() int { return g.size }

// AllReduce sums x over the ranks.
func (g *group) AllReduce(x []float32) error {
	return parts(x, func(x []float32) error {
		return g.run("all-reduce", func() C.int {
			return C.engine_all_reduce((*C.float)(unsafe.Pointer(&x[0])), C.int(len(x)))
		})
	})
}

// Reduce sums x over the ranks on root.
func (g *group) Reduce(x []float32, root int) error {
	var isRoot C.int
	if root == g.rank {
		isRoot = 1
	}
	return parts(x, func(x []float32) error {
		return g.run("reduce", func() C.int {
			return C.engine_reduce((*C.float)(unsafe.Pointer(&x[0])), C.int(len(x)), C.int(root), isRoot)
		})
	})
}

// Broadcast copies x of root to all ranks.
func (g *group) Broadcast(x []byte, root int) error {
	return parts(x, func(x []byte) error {
		return g.run("broadcast", func() C.int {
			return C.engine_broadcast((*C.char)(unsafe.Pointer(&x[0])), C.int(len(x)), C.int(root))
		})
	})
}

// AllGather joins the ranks' src, of 1 GiB at most.
func (g *group) AllGather(dst, src []byte) error {
	if len(dst) != len(src)*g.size || len(src) > largest {
		return fmt.Errorf("mpi: all-gather of %d bytes of %d ranks into %d; at most %d of each", len(src), g.size, len(dst), largest)
	}
	if len(src) == 0 {
		return nil
	}
	return g.run("all-gather", func() C.int {
		return C.engine_all_gather((*C.char)(unsafe.Pointer(&dst[0])), (*C.char)(unsafe.Pointer(&src[0])), C.int(len(src)))
	})
}

// Barrier waits for all ranks.
func (g *group) Barrier() error {
	return g.run("barrier", func() C.int { return C.engine_barrier() })
}

// Abort ends what this rank waits for with an error; MPI keeps the buffers of that
// collective, which are undefined from then on. The others learn of it when this
// process ends: it leaves without MPI's farewell, and the launcher ends the job.
func (g *group) Abort() { g.abort.Do(func() { close(g.aborted) }) }

// Close ends MPI together with the other ranks. After Abort it does nothing.
func (g *group) Close() error {
	if g.closed {
		return nil
	}
	err := g.run("close", func() C.int { return C.MPI_Finalize() })
	g.closed = true
	if errors.Is(err, errEnded) {
		return nil
	}
	close(g.calls)
	return err
}

// parts calls f for x in messages that MPI can count.
func parts[T any](x []T, f func([]T) error) error {
	for len(x) > 0 {
		n := min(len(x), largest)
		if err := f(x[:n]); err != nil {
			return err
		}
		x = x[n:]
	}
	return nil
}
