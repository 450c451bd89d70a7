package cpu

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"unsafe"

	"example.com/gotrain/autograd/cpu/kernel"
	"example.com/gotrain/autograd/cpu/vec"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/plan"
	"example.com/gotrain/autograd/quant"
)

// Config configures a Backend.
type Config struct {
	// Threads is the number of threads, the caller included; 0 is GOMAXPROCS.
	Threads int
	// ISA forces an instruction set: "generic", "avx2" or "avx512". Empty picks
	// the best one of the processor.
	ISA string
	// Ranks computes the collectives of plans; nil for a process that is alone.
	Ranks exec.Collectives
}

// Backend runs plans on the CPU.
type Backend struct {
	pool *kernel.Pool
	vec  *vec.Impl
	gemm *kernel.GEMM
	// decode are the loops that decode stored weights.
	decode quant.Kernels
	mem    memory
	comm   *comm // nil for a process that is alone
	copy   copier
	err    error // first fault since the last Sync
}

var (
	_ exec.Backend = (*Backend)(nil)
	_ exec.Hosted  = (*Backend)(nil)
)

// New starts the threads of a back end. It fails when the processor or the
// build lacks cfg.ISA.
func New(cfg Config) (*Backend, error) {
	b := &Backend{vec: vec.Best()}
	isa := kernel.Best()
	if cfg.ISA != "" {
		i := slices.IndexFunc(vec.Available(), func(v *vec.Impl) bool { return v.Name() == cfg.ISA })
		if i < 0 {
			return nil, fmt.Errorf("cpu: this processor or build has no %q kernels; it has %s", cfg.ISA, strings.Join(ISAs(), ", "))
		}
		b.vec = vec.Available()[i]
		isa = productISA(cfg.ISA)
	}
	b.decode = decodeKernels(b.vec)
	b.pool = kernel.NewPool(cfg.Threads)
	b.gemm = kernel.NewGEMM(b.pool, isa)
	if cfg.Ranks != nil && cfg.Ranks.Size() > 1 {
		b.comm = newComm(cfg.Ranks)
	}
	return b, nil
}

// ISAs returns the instruction sets that Config.ISA takes here, "generic" first
// and the best last.
func ISAs() []string {
	var names []string
	for _, v := range vec.Available() {
		names = append(names, v.Name())
	}
	return names
}

// productISA returns the best matrix products within an instruction set:
// AVX512_BF16 comes with avx512.
func productISA(name string) kernel.ISA {
	best := kernel.Generic
	for _, isa := range kernel.Supported() {
		if strings.HasPrefix(isa.String(), name) {
			best = isa
		}
	}
	return best
}

// Name returns "cpu".
func (b *Backend) Name() string { return "cpu" }

// ISA returns the instruction set of the kernels: "generic", "avx2" or "avx512".
func (b *Backend) ISA() string { return b.vec.Name() }

// Ranks returns the number of ranks over which collectives are.
func (b *Backend) Ranks() int {
	if b.comm == nil {
		return 1
	}
	return b.comm.size
}

// Threads returns the number of threads, the caller included.
func (b *Backend) Threads() int { return b.pool.Threads() }

// Target describes the back end to the planner. Workspaces grow with the number
// of threads.
func (b *Backend) Target() plan.Target {
	t := plan.Target{Workspace: func(launch []*ir.Instr) int64 { return b.workspace(launch[0]) }, HostMemory: true}
	if b.comm != nil {
		t.Reserved = commStage
	}
	return t
}

// workspace returns the bytes of scratch that in needs while it runs.
func (b *Backend) workspace(in *ir.Instr) int64 {
	floats := 0
	if f := binders[in.Kind].scratch; f != nil {
		floats = f(b, in)
	}
	for _, pair := range ir.Kinds[in.Kind].Sums {
		if in.Out[pair[0]] != nil {
			floats = max(floats, scratchRows(in.Out[pair[1]].Shape))
		}
	}
	return 4 * int64(floats)
}

// Alloc returns zeroed memory aligned to plan.Align. It goes back to the
// operating system when nothing refers to it any more, or at Close.
func (b *Backend) Alloc(bytes int64) (exec.Buffer, error) { return b.mem.alloc(bytes) }

// Upload copies src to a region.
func (b *Backend) Upload(dst exec.Region, src []byte) error {
	if dst.Bytes != int64(len(src)) {
		return fmt.Errorf("cpu: upload of %d bytes to a region of %d", len(src), dst.Bytes)
	}
	copy(bytesOf(dst), src)
	runtime.KeepAlive(dst.Buffer)
	return nil
}

// Download copies a region to dst, a large one on all threads.
func (b *Backend) Download(dst []byte, src exec.Region) error {
	if src.Bytes != int64(len(dst)) {
		return fmt.Errorf("cpu: download of a region of %d bytes to %d", src.Bytes, len(dst))
	}
	b.copy.run(b.pool, dst, bytesOf(src))
	runtime.KeepAlive(src.Buffer)
	return nil
}

// Memory returns the bytes of a region.
func (b *Backend) Memory(r exec.Region) []byte { return bytesOf(r) }

// copier copies bytes on the threads of a pool without allocating.
type copier struct {
	mu       sync.Mutex
	dst, src []byte
	body     func(lo, hi, worker int) // bound once
}

// copyGrain is what a thread copies at a time, in bytes; less is copied by the
// caller alone.
const copyGrain = 1 << 20

func (c *copier) run(pool *kernel.Pool, dst, src []byte) {
	if len(dst) < 2*copyGrain {
		copy(dst, src)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.body == nil {
		c.body = func(lo, hi, _ int) { copy(c.dst[lo:hi], c.src[lo:hi]) }
	}
	c.dst, c.src = dst, src
	pool.ForRange(len(dst), copyGrain, c.body)
	c.dst, c.src = nil, nil
}

// Sync waits for the collectives and returns the first fault since the last
// Sync; other launches run to their end on their own.
func (b *Backend) Sync() error {
	b.await()
	err := b.err
	b.err = nil
	return err
}

// Close ends the threads and frees all memory of the back end.
func (b *Backend) Close() error {
	if b.comm != nil {
		b.comm.close()
	}
	b.pool.Close()
	return b.mem.close()
}

// bytesOf returns the memory of a region, nil for the zero region.
func bytesOf(r exec.Region) []byte {
	if r.Buffer == nil {
		return nil
	}
	return r.Buffer.(*buffer).data[r.Offset:][:r.Bytes:r.Bytes]
}

// view returns a region as a slice, nil for the zero region.
func view[T float32 | float64 | int32 | vec.BF16](r exec.Region) []T {
	b := bytesOf(r)
	if len(b) == 0 {
		return nil
	}
	return unsafe.Slice((*T)(unsafe.Pointer(&b[0])), len(b)/int(unsafe.Sizeof(T(0))))
}
