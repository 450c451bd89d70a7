//go:build gpu

package cuda

// #include <stdlib.h>
// #include "nccl_rank.h"
// #include "library.h"
import "C"

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"
	"unsafe"
)

// ErrNoNCCL says that libnccl was not found.
var ErrNoNCCL = errors.New("cuda: no NCCL on this machine, which more than one GPU needs (install libnccl2, or pip install nvidia-nccl-cu13 in an active Python environment)")

// errClosed is what a closed or aborted Comm answers.
var errClosed = errors.New("cuda: the communicator is closed")

// Reduction is how [Comm.AllReduce], [Comm.Reduce] and [Comm.ReduceScatter] make
// one value of the ranks' values.
type Reduction uint8

const (
	Sum Reduction = iota
	Average
	Max
)

func (r Reduction) String() string {
	switch r {
	case Sum:
		return "sum"
	case Average:
		return "average"
	case Max:
		return "max"
	}
	return fmt.Sprintf("Reduction(%d)", uint8(r))
}

// UniqueID makes the name by which the ranks of one new communicator find each
// other. One rank makes it and tells the others.
func UniqueID() (id [128]byte, err error) {
	if err := openNCCL(); err != nil {
		return id, err
	}
	var name [C.NCCL_UNIQUE_ID_BYTES]C.char
	var failure C.nccl_error
	if C.nccl_unique_id(&name[0], &failure) != 0 {
		return id, ncclError(&failure)
	}
	for i, c := range name {
		id[i] = byte(c)
	}
	return id, nil
}

// Comm is one rank of a communicator: a group of devices, one for each rank, in
// this process or in others, that compute together by NCCL.
//
// A collective has to be called on all ranks, in the same order, with the same
// count, type and reduction. It is queued on a stream and may be captured. A
// count is in elements. The result is the same on all ranks, and in every run on
// the same machines.
//
// When another rank or the network fails, the rank is aborted: what waits in its
// streams would never end. [Comm.Wait] tells.
//
// The methods may be called from any goroutine; the order between goroutines is
// theirs to fix.
type Comm struct {
	rank, size int

	mu    sync.Mutex // one collective at a time; not held by Abort
	c     *C.nccl_rank
	end   sync.Mutex    // guards what follows, and c against an end
	ended chan struct{} // closed by Close and Abort
	cause error         // of the end
}

// lookEvery is the time between two looks for a fault of another rank.
const lookEvery = 100 * time.Millisecond

// NewComm makes the communicator's rank on this device. It waits until all ranks
// have called it, each from its own goroutine or process.
func (d *Device) NewComm(id [128]byte, rank, size int) (*Comm, error) {
	if err := openNCCL(); err != nil {
		return nil, err
	}
	if rank < 0 || rank >= size {
		return nil, fmt.Errorf("cuda: communicator: rank %d of %d", rank, size)
	}
	var name [C.NCCL_UNIQUE_ID_BYTES]C.char
	for i, b := range id {
		name[i] = C.char(b)
	}
	c := &Comm{rank: rank, size: size, ended: make(chan struct{})}
	var failure C.nccl_error
	if C.nccl_open(d.raw, &name[0], C.int(rank), C.int(size), &c.c, &failure) != 0 {
		return nil, fmt.Errorf("cuda:%d: rank %d of %d: %w", d.info.Index, rank, size, ncclError(&failure))
	}
	go c.watch()
	return c, nil
}

// watch aborts the rank after a fault of another one.
func (c *Comm) watch() {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-c.ended:
			return
		case <-tick.C:
			if err := c.Err(); err != nil {
				c.abort(err)
			}
		}
	}
}

// Rank is the number of this rank, from 0.
func (c *Comm) Rank() int { return c.rank }

// Size is the number of ranks.
func (c *Comm) Size() int { return c.size }

// AllReduce makes dst on all ranks the reduction of their src, count elements
// each. dst may be src.
func (c *Comm) AllReduce(s *Stream, dst, src Ptr, count int64, t DType, r Reduction) error {
	return c.collective(s, C.NCCL_ALL_REDUCE, dst, src, count, t, r, 0)
}

// Reduce makes dst on one rank the reduction of the ranks' src, count elements
// each. dst may be src; other ranks' dst is not written.
func (c *Comm) Reduce(s *Stream, dst, src Ptr, count int64, t DType, r Reduction, root int) error {
	return c.collective(s, C.NCCL_REDUCE, dst, src, count, t, r, root)
}

// ReduceScatter reduces src, count elements for each rank, and makes dst the part
// of this rank, count elements. dst may be that part of src.
func (c *Comm) ReduceScatter(s *Stream, dst, src Ptr, count int64, t DType, r Reduction) error {
	return c.collective(s, C.NCCL_REDUCE_SCATTER, dst, src, count, t, r, 0)
}

// AllGather makes dst the ranks' src, count elements each, in the order of ranks.
// src may be the part of this rank in dst.
func (c *Comm) AllGather(s *Stream, dst, src Ptr, count int64, t DType) error {
	return c.collective(s, C.NCCL_ALL_GATHER, dst, src, count, t, Sum, 0)
}

// Broadcast makes dst on all ranks the src of one, count elements. dst may be
// src; other ranks' src is not read.
func (c *Comm) Broadcast(s *Stream, dst, src Ptr, count int64, t DType, root int) error {
	return c.collective(s, C.NCCL_BROADCAST, dst, src, count, t, Sum, root)
}

func (c *Comm) collective(s *Stream, kind C.nccl_kind, dst, src Ptr, count int64, t DType, r Reduction, root int) error {
	if count < 0 || r > Max || t > BFloat16 {
		return fmt.Errorf("cuda: collective of %d elements of type %v, %v", count, t, r)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.endOf(); err != nil {
		return err
	}
	status := C.nccl_collective(c.c, kind, s.handle(), C.uint64_t(dst), C.uint64_t(src), C.uint64_t(count), ncclType(t), ncclReductions[r], C.int(root))
	if status == 0 {
		return nil
	}
	return fmt.Errorf("cuda: rank %d of %d: %w", c.rank, c.size, ncclError(&c.c.error))
}

var ncclReductions = [...]C.int{Sum: C.ncclSum, Average: C.ncclAvg, Max: C.ncclMax}

func ncclType(t DType) C.int {
	if t == BFloat16 {
		return C.ncclBfloat16
	}
	return C.ncclFloat32
}

// Wait waits for the work of s, of which collectives are a part, and returns the
// reason when their results are void.
func (c *Comm) Wait(s *Stream) error {
	if err := s.Synchronize(); err != nil {
		return err
	}
	return c.Err()
}

// Err is a fault that came after a collective was queued: another rank has gone,
// or the network. The communicator is then only good for [Comm.Abort].
func (c *Comm) Err() error {
	c.end.Lock()
	defer c.end.Unlock()
	if c.cause != nil {
		return c.cause
	}
	var failure C.nccl_error
	if C.nccl_async_error(c.c, &failure) != 0 {
		return fmt.Errorf("cuda: rank %d of %d: %w", c.rank, c.size, ncclError(&failure))
	}
	return nil
}

// Close frees the rank, whose work must be finished and whose graphs closed: NCCL
// waits for them.
func (c *Comm) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.finish(errClosed) {
		return nil
	}
	var failure C.nccl_error
	status := C.nccl_close(c.c, 0, &failure)
	C.free(unsafe.Pointer(c.c))
	if status != 0 {
		return fmt.Errorf("cuda: rank %d of %d: %w", c.rank, c.size, ncclError(&failure))
	}
	return nil
}

// Abort ends the rank and its unfinished work, which may wait for others without
// end; the results are void. It returns at once, for NCCL does not before the
// graphs that hold collectives are closed.
func (c *Comm) Abort() { c.abort(errClosed) }

// abort keeps the record of the rank, less than a kilobyte: a collective may be in it.
func (c *Comm) abort(cause error) {
	if c.finish(cause) {
		go func() {
			var failure C.nccl_error // of what is given up anyway
			C.nccl_close(c.c, 1, &failure)
		}()
	}
}

// finish notes why the rank ends; false says that it has ended before.
func (c *Comm) finish(cause error) bool {
	c.end.Lock()
	defer c.end.Unlock()
	if c.cause != nil {
		return false
	}
	c.cause = cause
	close(c.ended)
	return true
}

// endOf is why the rank has ended, nil while it has not.
func (c *Comm) endOf() error {
	c.end.Lock()
	defer c.end.Unlock()
	return c.cause
}

// Group calls f, whose collectives begin together when it returns. A goroutine
// that queues collectives of several ranks needs it, as does one that wants
// several collectives to be one launch. f may queue collectives only, from the
// goroutine that it runs on.
func Group(f func() error) error {
	runtime.LockOSThread() // a group belongs to a thread
	defer runtime.UnlockOSThread()
	var failure C.nccl_error
	if C.nccl_group_start(&failure) != 0 {
		return ncclError(&failure)
	}
	err := f()
	if C.nccl_group_end(&failure) != 0 {
		return errors.Join(err, ncclError(&failure))
	}
	return err
}

// NCCLVersion is that of libnccl, such as "2.28.9"; an error that wraps [ErrNoNCCL]
// says that there is none.
func NCCLVersion() (string, error) {
	if err := openNCCL(); err != nil {
		return "", err
	}
	var version C.int
	if status := C.ncclGetVersion(&version); status != C.ncclSuccess {
		return "", fmt.Errorf("cuda: ncclGetVersion: status %d", int(status))
	}
	return dotted(int(version)), nil
}

func openNCCL() error {
	if l := C.gotrain_open_nccl(); l.path[0] == 0 {
		return fmt.Errorf("%w: %s", ErrNoNCCL, C.GoString(&l.error[0]))
	}
	return nil
}

func ncclError(e *C.nccl_error) error {
	return &Error{C.GoString(e.call), int(e.status), C.GoString(e.name), C.GoString(&e.text[0])}
}
