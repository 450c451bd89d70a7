//go:build gpu

package backend

import (
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/plan"
	"example.com/gotrain/cuda"
	"example.com/gotrain/cuda/kernels"
)

// Backend runs plans on one device, on one stream; uploads and collectives have
// streams of their own and are asynchronous to it.
type Backend struct {
	device  *cuda.Device
	stream  *cuda.Stream
	blas    *cuda.BLAS
	modules map[string]*cuda.Module // by the name of their source
	kernels map[string]*cuda.Kernel
	staging *staging
	graphs  []*cuda.Graph
	// perBlock is the shared memory in bytes that a block of the card can have.
	perBlock int
	hopper   bool  // attention by the kernels for sm_90a, as UseAttention says
	comm     *comm // nil for a process that is alone

	ways  exec.Ways // that are settled
	trial *trial    // while Choose settles them
	watch Stopwatch // of trials, nil before the first

	marks []*cuda.Mark // that NewMarks has made

	fault  cuda.Ptr // int32 code, row, value
	faults []indexFault
	found  *cuda.Pinned

	memory memory
	err    error // first since the last Sync
}

var (
	_ exec.Backend  = (*Backend)(nil)
	_ exec.Recorder = (*Backend)(nil)
	_ exec.Fuser    = (*Backend)(nil)
	_ exec.Ranked   = (*Backend)(nil)
)

// Open starts the back end. It fails with an error that wraps cuda.ErrNoDriver or
// cuda.ErrNoDevice where there is no such device.
func Open(cfg Config) (exec.Backend, error) {
	device, err := cuda.Open(cfg.Device)
	if err != nil {
		return nil, err
	}
	b := &Backend{device: device, kernels: map[string]*cuda.Kernel{}, modules: map[string]*cuda.Module{}}
	b.memory.device, b.perBlock = device, device.Info().SharedPerBlock
	if err := b.start(cfg); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

func (b *Backend) start(cfg Config) (err error) {
	if b.stream, err = b.device.NewStream(); err != nil {
		return err
	}
	if cfg.Comm != nil && cfg.Comm.Size() > 1 {
		if b.comm, err = newComm(b.device, cfg); err != nil {
			return err
		}
	}
	for _, image := range kernels.Images() {
		m, err := b.device.Load(image.Data)
		if err != nil {
			return fmt.Errorf("kernels %s: %w", image.Name, err)
		}
		b.modules[image.Name] = m
	}
	slots, err := b.memory.raw(stagingSlots * stagingBytes)
	if err != nil {
		return err
	}
	if b.staging, err = newStaging(b.device, slots); err != nil {
		return err
	}
	if b.found, err = b.device.Pinned(faultBytes); err != nil {
		return err
	}
	if b.fault, err = b.memory.raw(faultBytes); err != nil {
		return err
	}
	space, err := b.memory.raw(blasWorkspace)
	if err != nil {
		return err
	}
	b.blas, err = b.device.NewBLAS(space, blasWorkspace)
	return err
}

// Name returns "cuda:N".
func (b *Backend) Name() string { return fmt.Sprintf("cuda:%d", b.device.Info().Index) }

// Ranks returns the number of ranks over which collectives are.
func (b *Backend) Ranks() int {
	if b.comm == nil {
		return 1
	}
	return b.comm.ranks.Size()
}

// Target returns Target().
func (b *Backend) Target() plan.Target { return Target() }

// Alloc returns zeroed memory aligned to plan.Align. It goes back to the pool
// when nothing refers to it any more, or at Close.
func (b *Backend) Alloc(bytes int64) (exec.Buffer, error) { return b.memory.alloc(bytes) }

// Upload copies src to a region, behind the launches so far. It returns when src
// may change.
func (b *Backend) Upload(dst exec.Region, src []byte) error {
	if dst.Bytes != int64(len(src)) {
		return fmt.Errorf("cuda: upload of %d bytes to a region of %d", len(src), dst.Bytes)
	}
	defer runtime.KeepAlive(dst.Buffer)
	return b.staging.upload(b.stream, addr(dst), src)
}

// Download copies a region to dst, behind the launches so far, and waits for it.
func (b *Backend) Download(dst []byte, src exec.Region) error {
	if src.Bytes != int64(len(dst)) {
		return fmt.Errorf("cuda: download of a region of %d bytes to %d", src.Bytes, len(dst))
	}
	defer runtime.KeepAlive(src.Buffer)
	return b.staging.download(b.stream, dst, addr(src))
}

// Sync waits for the stream and returns the first error since the last Sync: of
// a launch, of the device, of another rank, or an index that a kernel found out of
// range.
func (b *Backend) Sync() error {
	err := b.err
	b.err = nil
	if err == nil && len(b.faults) > 0 {
		err = b.stream.Download(b.found.Bytes()[:12], b.fault)
	}
	if e := b.synchronize(err != nil); err == nil {
		err = e
	}
	if err != nil || len(b.faults) == 0 {
		return err
	}
	words := b.found.Bytes()
	code := binary.LittleEndian.Uint32(words)
	if code == 0 {
		return nil
	}
	if err := b.stream.Fill(b.fault, 0, 3); err != nil {
		return err
	}
	return b.faults[code-1].error(int32(binary.LittleEndian.Uint32(words[4:])), int32(binary.LittleEndian.Uint32(words[8:])))
}

// synchronize waits for the stream, which waits for other ranks when collectives
// have begun.
func (b *Backend) synchronize(failed bool) error {
	if b.comm == nil {
		return b.stream.Synchronize()
	}
	err := b.comm.end(b.stream, failed)
	if !b.comm.begun {
		return errors.Join(err, b.stream.Synchronize())
	}
	return errors.Join(err, b.comm.wait(b.stream))
}

// Record captures launches into a CUDA graph.
func (b *Backend) Record(launches func()) (exec.Launch, error) {
	collectives := false
	graph, err := b.stream.Capture(func() error {
		if b.comm != nil {
			b.do(b.comm.capture(b.stream))
		}
		launches()
		err := b.err
		b.err = nil
		if b.comm != nil {
			has, e := b.comm.captured(b.stream, err != nil)
			collectives, err = has, errors.Join(err, e)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	b.graphs = append(b.graphs, graph)
	return func() {
		b.do(graph.Launch(b.stream))
		if collectives {
			b.comm.begun = true
		}
		runtime.KeepAlive(launches) // what the graph reads and writes
	}, nil
}

// do notes the first error of a launch.
func (b *Backend) do(err error) {
	if b.err == nil {
		b.err = err
	}
}

// Close frees all memory of the back end and leaves the device.
func (b *Backend) Close() error {
	var errs []error
	if b.stream != nil {
		errs = append(errs, b.stream.Synchronize())
	}
	for _, g := range b.graphs {
		errs = append(errs, g.Close())
	}
	if b.comm != nil {
		errs = append(errs, b.comm.close())
	}
	if b.blas != nil {
		errs = append(errs, b.blas.Close())
	}
	if b.staging != nil {
		errs = append(errs, b.staging.close())
	}
	if b.found != nil {
		errs = append(errs, b.found.Close())
	}
	errs = append(errs, b.memory.close())
	for _, m := range b.marks {
		errs = append(errs, m.Close())
	}
	for _, m := range b.modules {
		errs = append(errs, m.Close())
	}
	if b.stream != nil {
		errs = append(errs, b.stream.Close())
	}
	return errors.Join(append(errs, b.device.Close())...)
}

// addr returns the device address of a region, 0 for the zero region.
func addr(r exec.Region) cuda.Ptr {
	if r.Buffer == nil {
		return 0
	}
	return r.Buffer.(*buffer).ptr + cuda.Ptr(r.Offset)
}

// buffer is device memory.
type buffer struct {
	ptr   cuda.Ptr
	bytes int64
}

// Bytes returns the size that was asked for.
func (b *buffer) Bytes() int64 { return b.bytes }

// memory owns the device memory of a back end.
type memory struct {
	device *cuda.Device

	mu      sync.Mutex
	live    map[cuda.Ptr]bool
	garbage []cuda.Ptr // nothing refers to it any more
}

func (m *memory) alloc(bytes int64) (*buffer, error) {
	ptr, err := m.raw(bytes)
	if err != nil {
		return nil, err
	}
	b := &buffer{ptr: ptr, bytes: bytes}
	runtime.AddCleanup(b, func(p cuda.Ptr) {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.garbage = append(m.garbage, p)
	}, ptr)
	return b, nil
}

// raw allocates memory that lives to the end. It frees the garbage first; when
// memory is out it looks for more of it once.
func (m *memory) raw(bytes int64) (cuda.Ptr, error) {
	if err := m.collect(); err != nil {
		return 0, err
	}
	ptr, err := m.device.Alloc(max(bytes, 1))
	if errors.Is(err, cuda.ErrOutOfMemory) {
		runtime.GC()
		if e := m.collect(); e != nil {
			return 0, e
		}
		ptr, err = m.device.Alloc(max(bytes, 1))
	}
	if errors.Is(err, cuda.ErrOutOfMemory) {
		info := m.device.Info()
		return 0, fmt.Errorf("%w: %d MiB wanted, %d of %d MiB are free on %s: lower train.batch and raise train.accumulate, or set train.recompute",
			err, bytes>>20, info.Free>>20, info.Memory>>20, info.Name)
	}
	if err != nil {
		return 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.live == nil {
		m.live = map[cuda.Ptr]bool{}
	}
	m.live[ptr] = true
	return ptr, nil
}

// free gives back what raw allocated; the device is done with it when it returns.
func (m *memory) free(ptr cuda.Ptr) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.live, ptr)
	return m.device.Free(ptr)
}

func (m *memory) collect() error {
	m.mu.Lock()
	garbage := m.garbage
	m.garbage = nil
	m.mu.Unlock()
	var errs []error
	for _, p := range garbage {
		if m.live[p] {
			delete(m.live, p)
			errs = append(errs, m.device.Free(p))
		}
	}
	return errors.Join(errs...)
}

func (m *memory) close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var errs []error
	for p := range m.live {
		errs = append(errs, m.device.Free(p))
	}
	m.live = nil
	return errors.Join(errs...)
}

// indexFault is an argument that a kernel checks while it runs.
type indexFault struct {
	in    *ir.Instr
	what  string
	limit int
}

func (f indexFault) error(row, value int32) error {
	return fmt.Errorf("cuda: %s at %q: %s %d at row %d is outside [0, %d)", f.in.Kind, f.in.Path, f.what, value, row, f.limit)
}
