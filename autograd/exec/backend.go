// Package exec runs plans. A [Backend] owns memory and kernels; a [Store]
// holds the persistent state that programs share; a [Session] binds one plan
// to both and runs it.
//
// A Session is not safe for concurrent use; sessions that share a Store must
// not run at the same time.
package exec

import (
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/plan"
)

// Backend is a device: memory and one kernel for each ir.Kind.
type Backend interface {
	// Name is "cpu", "cuda:0", ….
	Name() string
	// Target is what plans for this back end must know of it.
	Target() plan.Target
	// Alloc returns zeroed memory aligned to plan.Align.
	Alloc(bytes int64) (Buffer, error)
	// Bind chooses the kernel of in and fixes its arguments. The Launch that
	// it returns allocates nothing; it may return before the kernel is done.
	Bind(in *ir.Instr, args Args) (Launch, error)
	// Upload and Download copy between host memory and a region, in order
	// with the launches.
	Upload(dst Region, src []byte) error
	Download(dst []byte, src Region) error
	// Sync waits for all launches and returns the first error since the last
	// Sync.
	Sync() error
	// Close frees all memory of the backend.
	Close() error
}

// Launch starts a bound kernel.
type Launch func()

// Recorder is a Backend that can record launches and run them again as one, as
// CUDA graphs do.
type Recorder interface {
	// Record calls launches, which start kernels only, and returns a Launch
	// that repeats them.
	Record(launches func()) (Launch, error)
}

// Fuser is a Backend that can bind consecutive instructions of one kind as one
// launch, as the updates of all parameters: those of the kinds that
// plan.Target.Fuses names. They share one workspace.
type Fuser interface {
	BindFused(ins []*ir.Instr, args []Args) (Launch, error)
}

// Hosted is a Backend whose memory is that of the process (plan.Target.HostMemory).
type Hosted interface {
	// Memory returns the bytes of a region, valid while its buffer is.
	Memory(Region) []byte
}

// Collectives computes those of plans in host memory, for back ends that
// have no engine of their own. All ranks call the same ones in the same order.
type Collectives interface {
	Size() int
	// AllReduce replaces x by its sum over the ranks, the same bits on all.
	AllReduce(x []float32) error
	// Reduce replaces x on rank root by its sum over the ranks; elsewhere it
	// leaves x undefined.
	Reduce(x []float32, root int) error
	// Broadcast replaces x by that of rank root.
	Broadcast(x []byte, root int) error
}

// Ranked is a Backend whose collectives are those of several ranks.
type Ranked interface{ Ranks() int }

// Buffer is memory of a backend.
type Buffer interface{ Bytes() int64 }

// Region is a part of a buffer, in bytes. The zero Region stands for an
// absent optional argument.
type Region struct {
	Buffer        Buffer
	Offset, Bytes int64
}

// Args are the regions of an instruction's inputs and outputs, in the order
// of ir.Info, and of the workspace of its launch.
type Args struct {
	In, Out   []Region
	Workspace Region
}
