// Package exec runs plans. A [Backend] owns memory and kernels; a [Store]
// holds the persistent state that programs share; a [Session] binds one plan
// to both and runs it.
//
// A Session is not safe for concurrent use; sessions that share a Store must
// not run at the same time.
package exec

import "gotrain/autograd/ir"

// Backend is a device: memory and one kernel for each ir.Kind.
type Backend interface {
	// Name is "cpu", "cuda:0", ….
	Name() string
	// Workspace returns the bytes of scratch that in needs while it runs.
	Workspace(in *ir.Instr) int64
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

// Buffer is memory of a backend.
type Buffer interface{ Bytes() int64 }

// Region is a part of a buffer, in bytes. The zero Region stands for an
// absent optional argument.
type Region struct {
	Buffer        Buffer
	Offset, Bytes int64
}

// Args are the regions of an instruction's inputs and outputs, in the order
// of ir.Info, and of its workspace.
type Args struct {
	In, Out   []Region
	Workspace Region
}
