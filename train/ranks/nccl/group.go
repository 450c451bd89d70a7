//go:build gpu

package nccl

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"unsafe"

	"example.com/gotrain/cuda"
	"example.com/gotrain/train/ranks"
)

// stageBytes is what a collective moves at a time, through as much pinned memory and
// memory of the device.
const stageBytes = 4 << 20

// group is one rank of a communicator. Messages are words of 4 bytes for NCCL, the
// last one filled up.
type group struct {
	cfg    Config
	device *cuda.Device
	comm   *cuda.Comm
	stream *cuda.Stream
	pinned *cuda.Pinned
	memory cuda.Ptr

	mu     sync.Mutex // one collective at a time; not held by Abort
	closed bool
}

// Version is that of libnccl, such as "2.28.9". It fails, with what helps, where there
// is none.
func Version() (string, error) { return cuda.NCCLVersion() }

// Open makes the rank; it waits for the others until ctx ends.
func Open(ctx context.Context, cfg Config) (Group, error) {
	g := &group{cfg: cfg}
	if err := g.open(ctx); err != nil {
		g.Abort()
		return nil, fmt.Errorf("nccl: %w", errors.Join(err, g.Close()))
	}
	return g, nil
}

func (g *group) open(ctx context.Context) (err error) {
	if g.device, err = cuda.Open(g.cfg.Device); err != nil {
		return err
	}
	if g.stream, err = g.device.NewStream(); err != nil {
		return err
	}
	if g.pinned, err = g.device.Pinned(stageBytes); err != nil {
		return err
	}
	if g.memory, err = g.device.Alloc(stageBytes); err != nil {
		return err
	}
	id, err := meet(ctx, g.cfg)
	if err != nil {
		return err
	}
	type made struct {
		comm *cuda.Comm
		err  error
	}
	done := make(chan made, 1)
	go func() {
		comm, err := g.device.NewComm(id, g.cfg.Rank, g.cfg.Size)
		done <- made{comm, err}
	}()
	select {
	case m := <-done:
		g.comm = m.comm
		return m.err
	case <-ctx.Done():
		g.closed = true // NCCL is using the device still
		return fmt.Errorf("rank %d of %d waits for the others: %w", g.cfg.Rank, g.cfg.Size, ctx.Err())
	}
}

// meet gives all ranks the name of the communicator, which rank 0 makes.
func meet(ctx context.Context, cfg Config) (id [128]byte, err error) {
	if cfg.Rank == 0 {
		if id, err = cuda.UniqueID(); err != nil {
			return id, err
		}
		return id, cfg.Store.Set(ctx, "id", id[:])
	}
	name, err := cfg.Store.Get(ctx, "id")
	if err == nil && len(name) != len(id) {
		err = fmt.Errorf("a name of %d bytes", len(name))
	}
	if err != nil {
		return id, fmt.Errorf("the name of the communicator, from rank 0: %w", err)
	}
	return [128]byte(name), nil
}

// Rank is the number of this rank.
func (g *group) Rank() int { return g.cfg.Rank }

// Size is the number of ranks.
func (g *group) Size() int { return g.cfg.Size }

// Comm is the communicator.
func (g *group) Comm() *cuda.Comm { return g.comm }

// AllReduce sums x over the ranks.
func (g *group) AllReduce(x []float32) error {
	return g.pass("all-reduce", bytesOf(x), true, func(words int64) error {
		return g.comm.AllReduce(g.stream, g.memory, g.memory, words, cuda.Float32, cuda.Sum)
	})
}

// Reduce sums x over the ranks on root.
func (g *group) Reduce(x []float32, root int) error {
	return g.pass("reduce", bytesOf(x), g.cfg.Rank == root, func(words int64) error {
		return g.comm.Reduce(g.stream, g.memory, g.memory, words, cuda.Float32, cuda.Sum, root)
	})
}

// Broadcast copies x of root to all ranks.
func (g *group) Broadcast(x []byte, root int) error {
	return g.pass("broadcast", x, g.cfg.Rank != root, func(words int64) error {
		return g.comm.Broadcast(g.stream, g.memory, g.memory, words, cuda.Float32, root)
	})
}

// Barrier waits for all ranks.
func (g *group) Barrier() error {
	var one [1]float32
	return g.pass("barrier", bytesOf(one[:]), false, func(words int64) error {
		return g.comm.AllReduce(g.stream, g.memory, g.memory, words, cuda.Float32, cuda.Max)
	})
}

// pass takes x through the memory of the device, where compute finds it, and back if
// this rank has a result.
func (g *group) pass(name string, x []byte, result bool, compute func(words int64) error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	host := g.pinned.Bytes()
	for len(x) > 0 {
		n := min(len(x), stageBytes)
		full := roundUp(n)
		clear(host[copy(host, x[:n]):full])
		err := g.stream.Upload(g.memory, host[:full])
		if err == nil {
			err = compute(int64(full / 4))
		}
		if err == nil && result {
			err = g.stream.Download(host[:full], g.memory)
		}
		if err := g.finish(name, err); err != nil {
			return err
		}
		if result {
			copy(x[:n], host)
		}
		x = x[n:]
	}
	return nil
}

// AllGather joins the ranks' src.
func (g *group) AllGather(dst, src []byte) error {
	size, n := g.cfg.Size, len(src)
	if len(dst) != n*size {
		return fmt.Errorf("nccl: all-gather of %d bytes of %d ranks into %d", n, size, len(dst))
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	host := g.pinned.Bytes()
	most := stageBytes / size &^ 3
	for at := 0; at < n; at += most {
		part := src[at:min(at+most, n)]
		full := roundUp(len(part))
		own := g.cfg.Rank * full
		clear(host[own+copy(host[own:], part) : own+full])
		mine := g.memory + cuda.Ptr(own)
		err := g.stream.Upload(mine, host[own:][:full])
		if err == nil {
			err = g.comm.AllGather(g.stream, g.memory, mine, int64(full/4), cuda.Float32)
		}
		if err == nil {
			err = g.stream.Download(host[:size*full], g.memory)
		}
		if err := g.finish("all-gather", err); err != nil {
			return err
		}
		for rank := range size {
			copy(dst[rank*n+at:], host[rank*full:][:len(part)])
		}
	}
	return nil
}

// finish waits for what was queued, unless that failed with err.
func (g *group) finish(name string, err error) error {
	if err == nil {
		err = g.comm.Wait(g.stream)
	}
	if err == nil {
		return nil
	}
	var e *cuda.Error
	if errors.As(err, &e) && (e.Name == "ncclRemoteError" || e.Name == "ncclSystemError") {
		err = fmt.Errorf("%w: %w", ranks.ErrPeer, err)
	}
	return fmt.Errorf("nccl: %s: %w", name, err)
}

// Abort ends what this rank waits for; ranks that NCCL reaches by network get an error.
func (g *group) Abort() {
	if g.comm != nil {
		g.comm.Abort()
	}
}

// Close leaves the group, whose graphs have to be closed. What an aborted one has on
// the device stays until the process ends: NCCL may be using it still.
func (g *group) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil
	}
	g.closed = true
	if g.comm != nil {
		if g.comm.Err() != nil {
			return nil
		}
		if err := g.comm.Close(); err != nil {
			return err
		}
	}
	var errs []error
	if g.memory != 0 {
		errs = append(errs, g.device.Free(g.memory))
	}
	if g.pinned != nil {
		errs = append(errs, g.pinned.Close())
	}
	if g.stream != nil {
		errs = append(errs, g.stream.Close())
	}
	if g.device != nil {
		errs = append(errs, g.device.Close())
	}
	return errors.Join(errs...)
}

// roundUp is n as whole words.
func roundUp(n int) int { return (n + 3) &^ 3 }

// bytesOf is the memory of x.
func bytesOf(x []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), 4*len(x))
}
