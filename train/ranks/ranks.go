// Package ranks lets the processes of one run work as one: who they are, how they
// find each other, how they compute together, and what happens when one of them
// no longer answers.
//
// In reading order: [Launch] is what the launcher (torchrun, Slurm, mpirun,
// Kubernetes) told this process; a [Store] is the table of keys through which
// ranks rendezvous before they can compute together, and exchange heartbeats
// afterwards; a [Group] computes collectives. Engines of groups are packages of their
// own (train/ranks/gloo, mpi and nccl), since they need libraries; [Local] is the
// group of a single process. None of the collectives is written here.
//
// Every rank is one process with one device. A rank that fails is not mended: its
// group returns errors on the others, all of them end, and the launcher starts
// the run again from its newest checkpoint, with as many ranks as there are then.
package ranks

import (
	"context"
	"errors"
)

// ErrPeer says that a collective failed because another rank has gone or does
// not answer.
var ErrPeer = errors.New("another rank has gone")

// Group is a set of ranks that compute together, seen from one of them.
//
// A collective has to be called on all ranks, in the same order, with the same
// lengths and root. It is over, and its buffers are the caller's again, when it
// returns. One at a time: calls from different goroutines have to be ordered by
// the caller, alike on all ranks. Only Abort may be called while another method runs.
// Errors wrap ErrPeer where a peer is the cause; after an error a group is only
// good for Abort and Close.
type Group interface {
	// Rank is the number of this rank, in [0, Size).
	Rank() int
	// Size is the number of ranks.
	Size() int
	// AllReduce replaces x on all ranks by the sum of their x, bit for bit the
	// same on all of them, and in every run of as many ranks.
	AllReduce(x []float32) error
	// Reduce replaces x on root by the sum of the ranks' x. On the others it
	// leaves x undefined.
	Reduce(x []float32, root int) error
	// Broadcast replaces x on all ranks by that of root.
	Broadcast(x []byte, root int) error
	// AllGather makes dst the ranks' src in the order of ranks; dst has Size
	// times the length of src.
	AllGather(dst, src []byte) error
	// Barrier returns when all ranks have called it.
	Barrier() error
	// Abort ends, with an error, what this rank waits for, and tells its peers
	// as far as the engine can. It is for a rank that will not go on.
	Abort()
	// Close leaves the group when all work is done.
	Close() error
}

// Store is a table of keys that all ranks see. It outlives the failure of any
// rank but the one that serves it. Safe for concurrent use.
type Store interface {
	// Set gives key a value.
	Set(ctx context.Context, key string, value []byte) error
	// Get waits until key has a value and returns it.
	Get(ctx context.Context, key string) ([]byte, error)
	// Add adds n to the decimal number at key, 0 when it is new, and returns
	// the sum.
	Add(ctx context.Context, key string, n int64) (int64, error)
	// Has tells whether all of the keys have values, without waiting.
	Has(ctx context.Context, keys ...string) (bool, error)
}

// Local is the group of a process that runs alone.
type Local struct{}

var _ Group = Local{}

func (Local) Rank() int                       { return 0 }
func (Local) Size() int                       { return 1 }
func (Local) AllReduce([]float32) error       { return nil }
func (Local) Reduce([]float32, int) error     { return nil }
func (Local) Broadcast([]byte, int) error     { return nil }
func (Local) AllGather(dst, src []byte) error { copy(dst, src); return nil }
func (Local) Barrier() error                  { return nil }
func (Local) Abort()                          {}
func (Local) Close() error                    { return nil }
