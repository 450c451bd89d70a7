//go:build gloo && cgo

package gloo

// #cgo CXXFLAGS: -std=c++17 -O2
// #cgo LDFLAGS: -lgloo -lstdc++ -lpthread
// #include <stdlib.h>
// #include "engine.h"
import "C"

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/cgo"
	"sync"
	"time"
	"unsafe"

	"example.com/gotrain/train/ranks"
)

// Available tells whether this build has the engine.
const Available = true

// errClosed is what a closed or aborted group answers.
var errClosed = errors.New("gloo: the group is closed")

// group is one rank of a Gloo context.
type group struct {
	rank, size int

	mu    sync.Mutex // one collective at a time; not held by Abort
	c     unsafe.Pointer
	stuck bool // a collective that was aborted may be inside Gloo still

	aborted chan struct{}
	abort   sync.Once
}

// Open connects this rank with all others; it waits for them until ctx ends.
func Open(ctx context.Context, cfg Config) (ranks.Group, error) {
	if cfg.Rank < 0 || cfg.Rank >= cfg.Size {
		return nil, fmt.Errorf("gloo: rank %d of %d", cfg.Rank, cfg.Size)
	}
	if cfg.Host == "" {
		name, err := os.Hostname()
		if err != nil {
			return nil, fmt.Errorf("gloo: %w", err)
		}
		cfg.Host = name
	}
	if cfg.Connecting == 0 {
		cfg.Connecting = 30 * time.Second
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 30 * time.Minute
	}
	if err := arrive(ctx, cfg); err != nil {
		return nil, fmt.Errorf("gloo: rank %d of %d waits for the others: %w", cfg.Rank, cfg.Size, err)
	}
	meeting := &meeting{ctx: ctx, store: cfg.Store, patience: cfg.Connecting}
	handle := cgo.NewHandle(meeting)
	defer handle.Delete()
	host := C.CString(cfg.Host)
	defer C.free(unsafe.Pointer(host))
	var status C.gloo_status
	c := C.gloo_open(C.uintptr_t(handle), host, C.int(cfg.Rank), C.int(cfg.Size), C.int64_t(cfg.Connecting.Milliseconds()), C.int64_t(cfg.Timeout.Milliseconds()), &status)
	if c == nil {
		return nil, fmt.Errorf("gloo: rank %d of %d at %s: %w", cfg.Rank, cfg.Size, cfg.Host, errors.Join(meeting.err, failure(&status)))
	}
	return &group{rank: cfg.Rank, size: cfg.Size, c: c, aborted: make(chan struct{})}, nil
}

// arrive waits until all ranks have come: some of them may start minutes later, but
// none that is there needs long to connect.
func arrive(ctx context.Context, cfg Config) error {
	key := func(rank int) string { return fmt.Sprintf("here-%d", rank) }
	if err := cfg.Store.Set(ctx, key(cfg.Rank), []byte{1}); err != nil {
		return err
	}
	for rank := range cfg.Size {
		if _, err := cfg.Store.Get(ctx, key(rank)); err != nil {
			return fmt.Errorf("rank %d: %w", rank, err)
		}
	}
	return nil
}

// meeting is the store while the ranks connect.
type meeting struct {
	ctx      context.Context
	store    ranks.Store
	patience time.Duration // for the address of another rank
	err      error         // the first
}

//export gotrainGlooSet
func gotrainGlooSet(store C.uintptr_t, key, value *C.char, n C.size_t) C.int {
	m := cgo.Handle(store).Value().(*meeting)
	if err := m.store.Set(m.ctx, C.GoString(key), C.GoBytes(unsafe.Pointer(value), C.int(n))); err != nil {
		m.err = errors.Join(m.err, err)
		return 1
	}
	return 0
}

//export gotrainGlooGet
func gotrainGlooGet(store C.uintptr_t, key *C.char, n *C.size_t) *C.char {
	m := cgo.Handle(store).Value().(*meeting)
	ctx, cancel := context.WithTimeout(m.ctx, m.patience)
	defer cancel()
	value, err := m.store.Get(ctx, C.GoString(key))
	if err != nil {
		m.err = errors.Join(m.err, err)
		return nil
	}
	*n = C.size_t(len(value))
	return (*C.char)(C.CBytes(value))
}

func failure(s *C.gloo_status) error {
	text := errors.New(C.GoString(&s.text[0]))
	if s.code == 2 {
		return fmt.Errorf("%w: %w", ranks.ErrPeer, text)
	}
	return text
}

// Rank is the number of this rank.
func (g *group) Rank() int { return g.rank }

// Size is the number of ranks.
func (g *group) Size() int { return g.size }

// AllReduce sums x over the ranks.
func (g *group) AllReduce(x []float32) error {
	if len(x) == 0 {
		return nil
	}
	return g.run("all-reduce", func(c unsafe.Pointer, s *C.gloo_status) {
		C.gloo_all_reduce(c, (*C.float)(unsafe.Pointer(&x[0])), C.size_t(len(x)), s)
	})
}

// Reduce sums x over the ranks on root.
func (g *group) Reduce(x []float32, root int) error {
	if len(x) == 0 {
		return nil
	}
	return g.run("reduce", func(c unsafe.Pointer, s *C.gloo_status) {
		C.gloo_reduce(c, (*C.float)(unsafe.Pointer(&x[0])), C.size_t(len(x)), C.int(root), s)
	})
}

// Broadcast copies x of root to all ranks.
func (g *group) Broadcast(x []byte, root int) error {
	if len(x) == 0 {
		return nil
	}
	return g.run("broadcast", func(c unsafe.Pointer, s *C.gloo_status) {
		C.gloo_broadcast(c, (*C.char)(unsafe.Pointer(&x[0])), C.size_t(len(x)), C.int(root), s)
	})
}

// AllGather joins the ranks' src.
func (g *group) AllGather(dst, src []byte) error {
	if len(dst) != len(src)*g.size {
		return fmt.Errorf("gloo: all-gather of %d bytes of %d ranks into %d", len(src), g.size, len(dst))
	}
	if len(src) == 0 {
		return nil
	}
	return g.run("all-gather", func(c unsafe.Pointer, s *C.gloo_status) {
		C.gloo_all_gather(c, (*C.char)(unsafe.Pointer(&dst[0])), (*C.char)(unsafe.Pointer(&src[0])), C.size_t(len(src)), s)
	})
}

// Barrier waits for all ranks.
func (g *group) Barrier() error {
	return g.run("barrier", func(c unsafe.Pointer, s *C.gloo_status) { C.gloo_barrier(c, s) })
}

// run calls f, which blocks until the ranks have met, and returns early after Abort:
// Gloo does not wake a call whose connections are closed while it waits for a rank
// that is silent.
func (g *group) run(name string, f func(c unsafe.Pointer, s *C.gloo_status)) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.c == nil || g.isAborted() {
		return errClosed
	}
	done := make(chan error, 1)
	go func() {
		var status C.gloo_status
		f(g.c, &status)
		if status.code != 0 {
			done <- fmt.Errorf("gloo: rank %d of %d: %s: %w", g.rank, g.size, name, failure(&status))
			return
		}
		done <- nil
	}()
	select {
	case err := <-done:
		return err
	case <-g.aborted:
		g.stuck = true
		return fmt.Errorf("gloo: rank %d of %d: %s: %w", g.rank, g.size, name, errClosed)
	}
}

func (g *group) isAborted() bool {
	select {
	case <-g.aborted:
		return true
	default:
		return false
	}
}

// Abort ends what this rank waits for, and closes its connections, which ends the
// collectives of the ranks that wait for this one.
func (g *group) Abort() {
	g.abort.Do(func() {
		close(g.aborted)
		C.gloo_abort(g.c)
	})
}

// Close leaves the group. What a stuck collective uses stays until the process ends.
func (g *group) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.c != nil && !g.stuck {
		g.abort.Do(func() { close(g.aborted) })
		C.gloo_close(g.c)
		g.c = nil
	}
	return nil
}
