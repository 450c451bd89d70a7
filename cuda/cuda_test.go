//go:build gpu

// The tests run on a GPU, or on the simulator: make test-sim.
package cuda_test

import (
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"testing"

	"example.com/gotrain/cuda"
	"example.com/gotrain/cuda/kernels"
)

func open(t *testing.T, index int) *cuda.Device {
	t.Helper()
	d, err := cuda.Open(index)
	if err != nil {
		t.Fatalf("%v (without a GPU: make test-sim)", err)
	}
	t.Cleanup(func() { noError(t, d.Close()) })
	return d
}

func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newStream(t *testing.T, d *cuda.Device) *cuda.Stream {
	t.Helper()
	s, err := d.NewStream()
	noError(t, err)
	t.Cleanup(func() { noError(t, s.Close()) })
	return s
}

func alloc(t *testing.T, d *cuda.Device, bytes int64) cuda.Ptr {
	t.Helper()
	p, err := d.Alloc(bytes)
	noError(t, err)
	t.Cleanup(func() { noError(t, d.Free(p)) })
	return p
}

func pinned(t *testing.T, d *cuda.Device, bytes int64) []byte {
	t.Helper()
	p, err := d.Pinned(bytes)
	noError(t, err)
	t.Cleanup(func() { noError(t, p.Close()) })
	return p.Bytes()
}

// module loads the image that holds a kernel.
func module(t *testing.T, d *cuda.Device, name string) *cuda.Module {
	t.Helper()
	file := kernels.Signatures[name].File
	for _, image := range kernels.Images() {
		if image.Name == file {
			m, err := d.Load(image.Data)
			noError(t, err)
			t.Cleanup(func() { noError(t, m.Close()) })
			return m
		}
	}
	t.Fatalf("no image holds %s: run scripts/cuda/kernels.sh", name)
	return nil
}

// scaler is y = a·x over n floats, the kernel scale_f32.
type scaler struct{ kernel *cuda.Kernel }

func newScaler(t *testing.T, d *cuda.Device) scaler {
	t.Helper()
	k, err := module(t, d, "scale_f32").Kernel("scale_f32")
	noError(t, err)
	return scaler{k}
}

func (k scaler) launch(s *cuda.Stream, y, x cuda.Ptr, n int, a float32) error {
	args := []cuda.Slot{x.Slot(), y.Slot(), cuda.Long(int64(n)), cuda.Float(a)}
	return s.Launch(k.kernel, cuda.Dim{X: (n + 2047) / 2048, Y: 1, Z: 1}, cuda.Dim{X: 256, Y: 1, Z: 1}, 0, args)
}

func floats(values ...float32) []byte {
	var b []byte
	for _, v := range values {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}

func ramp(n int) []byte {
	var b []byte
	for i := range n {
		b = append(b, floats(float32(i))...)
	}
	return b
}

func floatAt(b []byte, i int) float32 {
	return math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
}

// checkRamp checks that b holds a·i.
func checkRamp(t *testing.T, what string, b []byte, a float32) {
	t.Helper()
	for i := range len(b) / 4 {
		if got, want := floatAt(b, i), a*float32(i); got != want {
			t.Fatalf("%s: element %d is %g, want %g", what, i, got, want)
		}
	}
}

func TestDevices(t *testing.T) {
	infos, err := cuda.Devices()
	noError(t, err)
	for i, info := range infos {
		if info.Index != i || info.Name == "" || info.Major < 1 || info.SMs < 1 || info.Memory <= 0 ||
			info.SharedPerBlock < 48<<10 || info.L2 <= 0 || info.ClockKHz <= 0 || info.MemoryClockKHz <= 0 || info.BusBits <= 0 || info.Driver < 12000 {
			t.Errorf("device %d is %+v", i, info)
		}
	}
	info, err := cuda.Describe(0)
	noError(t, err)
	if info.Free <= 0 || info.Free > info.Memory {
		t.Errorf("%d of %d bytes are free", info.Free, info.Memory)
	}
}

func TestLibraries(t *testing.T) {
	driver := cuda.Libraries()[0]
	if driver.Name != "libcuda" || driver.Path == "" || driver.Version == "" || driver.Bound < 1 || driver.Bound > driver.Wanted {
		t.Errorf("the driver is %+v", driver)
	}
}

func TestOpenUnknownDevice(t *testing.T) {
	for _, index := range []int{-1, 99} {
		_, err := cuda.Open(index)
		if !errors.Is(err, cuda.ErrNoDevice) || !strings.Contains(err.Error(), "counted from 0") {
			t.Errorf("Open(%d) gives %v", index, err)
		}
	}
}

// Memory is zeroed, also where it was used before.
func TestAllocZeroes(t *testing.T) {
	d := open(t, 0)
	s := newStream(t, d)
	const bytes = 10_004
	for range 2 {
		p, err := d.Alloc(bytes)
		noError(t, err)
		if p == 0 || p%256 != 0 {
			t.Errorf("the address %#x is not aligned to 256 bytes", p)
		}
		got := make([]byte, bytes)
		noError(t, s.Download(got, p))
		noError(t, s.Synchronize())
		for i, b := range got {
			if b != 0 {
				t.Fatalf("byte %d is %d", i, b)
			}
		}
		noError(t, s.Fill(p, 0xdeadbeef, bytes/4))
		noError(t, s.Synchronize())
		noError(t, d.Free(p))
	}
}

// Free waits for the kernels that write the memory.
func TestFreeWaits(t *testing.T) {
	d := open(t, 0)
	s := newStream(t, d)
	k := newScaler(t, d)
	const n = 100_000
	p, err := d.Alloc(4 * n)
	noError(t, err)
	noError(t, s.Upload(p, ramp(n)))
	for range 20 {
		noError(t, k.launch(s, p, p, n, 1))
	}
	noError(t, d.Free(p))
	p = alloc(t, d, 4*n)
	noError(t, s.Synchronize())
	got := make([]byte, 4*n)
	noError(t, s.Download(got, p))
	noError(t, s.Synchronize())
	checkRamp(t, "memory allocated after Free", got, 0)
}

func TestAllocNothing(t *testing.T) {
	d := open(t, 0)
	if p, err := d.Alloc(0); p != 0 || err != nil {
		t.Errorf("Alloc(0) = %#x, %v", p, err)
	}
	noError(t, d.Free(0))
	if _, err := d.Alloc(-1); err == nil {
		t.Error("Alloc(-1) gives no error")
	}
	if _, err := d.Pinned(0); err == nil {
		t.Error("Pinned(0) gives no error")
	}
}

func TestOutOfMemory(t *testing.T) {
	d := open(t, 0)
	_, err := d.Alloc(1 << 50)
	if !errors.Is(err, cuda.ErrOutOfMemory) {
		t.Fatalf("a petabyte gives %v", err)
	}
	var e *cuda.Error
	if !errors.As(err, &e) || e.Call != "cuMemAlloc" || e.Code != 2 {
		t.Errorf("the error is %#v", e)
	}
	for _, want := range []string{"cuda:0: allocating 1125899906842624 bytes, with ", "cuMemAlloc: CUDA_ERROR_OUT_OF_MEMORY: "} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error %q does not have %q", err, want)
		}
	}
	alloc(t, d, 1<<10) // it goes on
}

func TestCopies(t *testing.T) {
	d := open(t, 0)
	s := newStream(t, d)
	for _, n := range []int{1, 3, 1000, 70_001} {
		for _, host := range []string{"pinned", "pageable"} {
			src, dst := ramp(n), make([]byte, 4*n)
			if host == "pinned" {
				src = pinned(t, d, int64(4*n))
				copy(src, ramp(n))
				dst = pinned(t, d, int64(4*n))
			}
			a, b := alloc(t, d, int64(4*n)), alloc(t, d, int64(4*n))
			noError(t, s.Upload(a, src))
			noError(t, s.Copy(b, a, int64(4*n)))
			noError(t, s.Fill(a, 7, int64(n)))
			noError(t, s.Download(dst, b))
			noError(t, s.Synchronize())
			checkRamp(t, host, dst, 1)
			noError(t, s.Download(dst, a))
			noError(t, s.Synchronize())
			if got := binary.LittleEndian.Uint32(dst[4*(n-1):]); got != 7 {
				t.Errorf("%s: the last word is %d after Fill with 7", host, got)
			}
		}
	}
	noError(t, s.Upload(0, nil))
	noError(t, s.Download(nil, 0))
	noError(t, s.Copy(0, 0, 0))
	noError(t, s.Fill(0, 0, 0))
}

// TestMark measures a part of a graph, anew at each launch.
func TestMark(t *testing.T) {
	d := open(t, 0)
	s := newStream(t, d)
	p := alloc(t, d, 1<<20)
	begin, end := newMark(t, d), newMark(t, d)
	g, err := s.Capture(func() error {
		return errors.Join(begin.Record(s), s.Fill(p, 1, 1<<18), end.Record(s))
	})
	noError(t, err)
	defer func() { noError(t, g.Close()) }()
	for range 2 {
		noError(t, g.Launch(s))
		noError(t, s.Synchronize())
		if took, err := end.Since(begin); err != nil || took <= 0 {
			t.Errorf("the graph took %v, %v", took, err)
		}
	}
	if err := begin.Record(s); err == nil {
		t.Error("a mark is recorded outside a graph")
	}
}

func newMark(t *testing.T, d *cuda.Device) *cuda.Mark {
	t.Helper()
	m, err := d.NewMark()
	noError(t, err)
	t.Cleanup(func() { noError(t, m.Close()) })
	return m
}
