//go:build gpu

package cuda_test

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"example.com/gotrain/cuda"
	"example.com/gotrain/cuda/kernels"
)

func TestLaunch(t *testing.T) {
	d := open(t, 0)
	s := newStream(t, d)
	k := newScaler(t, d)
	const n = 5000
	x, y := alloc(t, d, 4*n), alloc(t, d, 4*n)
	noError(t, s.Upload(x, ramp(n)))
	noError(t, k.launch(s, y, x, n, 3))
	got := make([]byte, 4*n)
	noError(t, s.Download(got, y))
	noError(t, s.Synchronize())
	checkRamp(t, "3·x", got, 3)
}

func TestLaunchAllocatesNothing(t *testing.T) {
	d := open(t, 0)
	s := newStream(t, d)
	k := newScaler(t, d)
	x := alloc(t, d, 4096)
	if n := testing.AllocsPerRun(100, func() { noError(t, k.launch(s, x, x, 1000, 1)) }); n != 0 {
		t.Errorf("a launch allocates %g times", n)
	}
	noError(t, s.Synchronize())
}

// Errors name the call, the kernel and the driver's reason.
func TestErrors(t *testing.T) {
	d := open(t, 0)
	s := newStream(t, d)
	k := newScaler(t, d)
	x := alloc(t, d, 4096)
	m := module(t, d, "scale_f32")
	_, unknown := m.Kernel("no_such_kernel")
	_, empty := d.Load(nil)
	args := []cuda.Slot{x.Slot(), x.Slot(), cuda.Long(1), cuda.Float(1)}
	one := cuda.Dim{X: 1, Y: 1, Z: 1}
	for _, c := range []struct {
		err  error
		want []string
	}{
		{unknown, []string{"kernel no_such_kernel: ", "cuModuleGetFunction: CUDA_ERROR_NOT_FOUND: "}},
		{empty, []string{"cuda:0: the image of kernels is empty"}},
		{s.Launch(k.kernel, one, cuda.Dim{X: 4096, Y: 1, Z: 1}, 0, args), []string{"kernel scale_f32, grid {1 1 1}, block {4096 1 1}", "cuLaunchKernel: CUDA_ERROR_INVALID_VALUE: "}},
		{s.Launch(k.kernel, one, one, 0, make([]cuda.Slot, 100)), []string{"kernel scale_f32: 100 arguments, at most 64"}},
		{k.kernel.SetShared(1 << 30), []string{"kernel scale_f32: 1073741824 bytes of shared memory, where a block of ", "cuFuncSetAttribute: CUDA_ERROR_INVALID_VALUE: "}},
	} {
		if c.err == nil {
			t.Errorf("no error with %q", c.want)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(c.err.Error(), want) {
				t.Errorf("the error %q does not have %q", c.err, want)
			}
		}
	}
	if simulated(d) { // a driver may take the address for one of the host, and end the process
		if err := s.Download(make([]byte, 8), 4); err == nil || !strings.Contains(err.Error(), "cuMemcpyDtoHAsync: CUDA_ERROR_") {
			t.Errorf("a copy from nowhere: %v", err)
		}
	}
	if e := (*cuda.Error)(nil); !errors.As(unknown, &e) || e.Name != "CUDA_ERROR_NOT_FOUND" || e.Call != "cuModuleGetFunction" {
		t.Errorf("the error of an unknown kernel is %#v", unknown)
	}
}

// TestSharedIsNotLowered: a kernel that is bound for more shared memory and then for
// less is launched with more.
func TestSharedIsNotLowered(t *testing.T) {
	d := open(t, 0)
	s := newStream(t, d)
	k := newScaler(t, d).kernel
	x := alloc(t, d, 4096)
	one := cuda.Dim{X: 1, Y: 1, Z: 1}
	for _, bytes := range []int{64 << 10, 56 << 10, 0} {
		noError(t, k.SetShared(bytes))
		noError(t, s.Launch(k, one, one, 64<<10, []cuda.Slot{x.Slot(), x.Slot(), cuda.Long(1), cuda.Float(1)}))
	}
	noError(t, s.Synchronize())
}

// simulated tells whether a device is the simulator's.
func simulated(d *cuda.Device) bool { return strings.Contains(d.Info().Name, "imulator") }

func TestKernelAttributes(t *testing.T) {
	d := open(t, 0)
	scale := newScaler(t, d).kernel
	for _, attribute := range []struct {
		name  string
		value func() (int, error)
	}{{"registers", scale.Registers}, {"local memory", scale.LocalBytes}, {"shared memory", scale.SharedBytes}} {
		v, err := attribute.value()
		noError(t, err)
		if v < 0 || v > 48<<10 {
			t.Errorf("%s: %d", attribute.name, v)
		}
	}
	// A driver that compiles for its chip may need other registers, but not other shared memory.
	k, err := module(t, d, "layernorm_backward_bf16").Kernel("layernorm_backward_bf16")
	noError(t, err)
	signature := kernels.Signatures["layernorm_backward_bf16"]
	if v, err := k.SharedBytes(); err != nil || v != signature.Shared {
		t.Errorf("layernorm_backward_bf16 takes %d bytes of static shared memory, %v; signatures.go has %d", v, err, signature.Shared)
	}
	if v, err := k.Registers(); err != nil || v < 1 || v > signature.Registers && simulated(d) {
		t.Errorf("layernorm_backward_bf16 takes %d registers, %v; signatures.go has %d", v, err, signature.Registers)
	}
	noError(t, scale.SetShared(d.Info().SharedPerBlock))
}

// Each of two streams works on what the other has made, ordered by events.
func TestEventsOrderStreams(t *testing.T) {
	d := open(t, 0)
	k := newScaler(t, d)
	const n = 4096
	streams := [2]*cuda.Stream{newStream(t, d), newStream(t, d)}
	var events [2]*cuda.Event
	for i := range events {
		e, err := d.NewEvent()
		noError(t, err)
		t.Cleanup(func() { noError(t, e.Close()) })
		events[i] = e
	}
	x := alloc(t, d, 4*n)
	noError(t, streams[1].Upload(x, ramp(n)))
	noError(t, events[1].Record(streams[1]))
	for step := range 10 {
		me, other := step%2, 1-step%2
		noError(t, streams[me].Wait(events[other]))
		noError(t, k.launch(streams[me], x, x, n, 2))
		noError(t, events[me].Record(streams[me]))
	}
	noError(t, events[1].Synchronize())
	got := make([]byte, 4*n)
	noError(t, streams[1].Download(got, x))
	noError(t, streams[1].Synchronize())
	checkRamp(t, "ten doublings", got, 1<<10)
	if ms, err := events[1].Elapsed(events[0]); err != nil || ms < 0 {
		t.Errorf("from the last event but one to the last: %g ms, %v", ms, err)
	}
}

// A graph finds what memory holds when it is replayed.
func TestCapture(t *testing.T) {
	d := open(t, 0)
	s := newStream(t, d)
	k := newScaler(t, d)
	const n = 3000
	x, y := alloc(t, d, 4*n), alloc(t, d, 4*n)
	g, err := s.Capture(func() error {
		return errors.Join(k.launch(s, y, x, n, 2), k.launch(s, y, y, n, 3), s.Fill(x, 0, n))
	})
	noError(t, err)
	if g.Nodes() != 3 {
		t.Errorf("the graph has %d nodes, 3 were captured", g.Nodes())
	}
	got := make([]byte, 4*n)
	for i := range 3 {
		noError(t, s.Upload(x, ramp(n)))
		noError(t, k.launch(s, x, x, n, float32(i)))
		noError(t, g.Launch(s))
		noError(t, s.Download(got, y))
		noError(t, s.Synchronize())
		checkRamp(t, "replay", got, 6*float32(i))
		noError(t, s.Download(got, x))
		noError(t, s.Synchronize())
		checkRamp(t, "filled", got, 0)
	}
	noError(t, g.Close())
}

// Two streams in one capture.
func TestCaptureForks(t *testing.T) {
	d := open(t, 0)
	s, side := newStream(t, d), newStream(t, d)
	k := newScaler(t, d)
	fork, err := d.NewEvent()
	noError(t, err)
	join, err := d.NewEvent()
	noError(t, err)
	const n = 1000
	x, y, z := alloc(t, d, 4*n), alloc(t, d, 4*n), alloc(t, d, 4*n)
	noError(t, s.Upload(x, ramp(n)))
	g, err := s.Capture(func() error {
		return errors.Join(
			k.launch(s, y, x, n, 2),
			fork.Record(s), side.Wait(fork),
			k.launch(side, z, y, n, 5),
			join.Record(side), s.Wait(join),
			k.launch(s, y, z, n, 7))
	})
	noError(t, err)
	noError(t, g.Launch(s))
	got := make([]byte, 4*n)
	noError(t, s.Download(got, y))
	noError(t, s.Synchronize())
	checkRamp(t, "70·x", got, 70)
	noError(t, errors.Join(g.Close(), fork.Close(), join.Close()))
}

// After a capture that failed the stream works as before.
func TestCaptureFails(t *testing.T) {
	d := open(t, 0)
	s := newStream(t, d)
	wrong := errors.New("wrong")
	if _, err := s.Capture(func() error { return wrong }); !errors.Is(err, wrong) {
		t.Errorf("the capture gives %v, want the function's error", err)
	}
	if _, err := s.Capture(func() error { return s.Synchronize() }); err == nil {
		t.Error("a capture that synchronises gives no error")
	}
	p := alloc(t, d, 8)
	noError(t, s.Upload(p, ramp(2)))
	noError(t, s.Synchronize())
}

func TestGoroutines(t *testing.T) {
	d := open(t, 0)
	k := newScaler(t, d)
	const n = 2500
	var wait sync.WaitGroup
	for g := range 8 {
		s := newStream(t, d)
		x := alloc(t, d, 4*n)
		wait.Go(func() {
			got := make([]byte, 4*n)
			err := s.Upload(x, ramp(n))
			for range 5 {
				err = errors.Join(err, k.launch(s, x, x, n, float32(g)))
			}
			if err := errors.Join(err, s.Download(got, x), s.Synchronize()); err != nil {
				t.Error(err)
				return
			}
			for i := range n {
				if want := float32(i * g * g * g * g * g); floatAt(got, i) != want {
					t.Errorf("goroutine %d: element %d is %g, want %g", g, i, floatAt(got, i), want)
					return
				}
			}
		})
	}
	wait.Wait()
}

// Two devices work side by side from one goroutine.
func TestTwoDevices(t *testing.T) {
	infos, err := cuda.Devices()
	noError(t, err)
	if len(infos) < 2 {
		t.Skip("there is one device")
	}
	const n = 1000
	type side struct {
		stream *cuda.Stream
		x      cuda.Ptr
		scale  scaler
	}
	var sides [2]side
	for i := range sides {
		d := open(t, i)
		sides[i] = side{newStream(t, d), alloc(t, d, 4*n), newScaler(t, d)}
	}
	for range 3 {
		for i, s := range sides {
			noError(t, s.stream.Upload(s.x, ramp(n)))
			noError(t, s.scale.launch(s.stream, s.x, s.x, n, float32(i+2)))
		}
	}
	got := make([]byte, 4*n)
	for i, s := range sides {
		noError(t, s.stream.Download(got, s.x))
		noError(t, s.stream.Synchronize())
		checkRamp(t, "device", got, float32(i+2))
	}
}
