//go:build gpu

package cuda

// #include <cuda.h>
import "C"

import (
	"unsafe"

	"gorgonia.org/cu"
)

// Stream is a queue of work for a device. Work in one stream runs in order;
// streams run concurrently, save where events order them.
type Stream struct {
	device *Device
	stream cu.Stream
}

// NewStream makes a stream that is independent of the default stream.
func (d *Device) NewStream() (*Stream, error) {
	s := &Stream{device: d}
	return s, d.do("cuStreamCreate", func() (err error) {
		s.stream, err = cu.MakeStream(cu.NonBlocking)
		return err
	})
}

// handle is the stream for this package's own calls of the driver.
func (s *Stream) handle() C.CUstream { return C.CUstream(unsafe.Pointer(s.stream.C())) }

// Close frees the stream, whose work is finished in the background.
func (s *Stream) Close() error { return s.device.do("cuStreamDestroy", s.stream.Destroy) }

// Upload copies src to the device. From [Pinned] memory it returns at once and
// src must stay as it is until the stream gets there; from other memory it
// returns when src has been read.
func (s *Stream) Upload(dst Ptr, src []byte) error {
	if len(src) == 0 {
		return nil
	}
	return s.device.do("cuMemcpyHtoDAsync", func() error {
		return cu.MemcpyHtoDAsync(cu.DevicePtr(dst), unsafe.Pointer(&src[0]), int64(len(src)), s.stream)
	})
}

// Download copies from the device to dst. To [Pinned] memory it returns at once
// and dst is written when the stream gets there; to other memory it returns
// when dst has been written.
func (s *Stream) Download(dst []byte, src Ptr) error {
	if len(dst) == 0 {
		return nil
	}
	return s.device.do("cuMemcpyDtoHAsync", func() error {
		return cu.MemcpyDtoHAsync(unsafe.Pointer(&dst[0]), cu.DevicePtr(src), int64(len(dst)), s.stream)
	})
}

// Copy copies within the device.
func (s *Stream) Copy(dst, src Ptr, bytes int64) error {
	if bytes == 0 {
		return nil
	}
	return s.device.do("cuMemcpyDtoDAsync", func() error {
		return cu.MemcpyDtoDAsync(cu.DevicePtr(dst), cu.DevicePtr(src), bytes, s.stream)
	})
}

// Fill sets words of four bytes to a value.
func (s *Stream) Fill(dst Ptr, value uint32, words int64) error {
	if words == 0 {
		return nil
	}
	return s.device.do("cuMemsetD32Async", func() error {
		return cu.MemsetD32Async(cu.DevicePtr(dst), uint(value), words, s.stream)
	})
}

// Synchronize waits for the work of the stream and returns the first fault.
func (s *Stream) Synchronize() error {
	return s.device.do("cuStreamSynchronize", s.stream.Synchronize)
}

// Wait lets later work of the stream wait for the work before e's last Record.
// It does not wait itself.
func (s *Stream) Wait(e *Event) error {
	return s.device.do("cuStreamWaitEvent", func() error { return s.stream.Wait(e.event, 0) })
}

// Event is a mark in a stream.
type Event struct {
	device *Device
	event  cu.Event
}

// NewEvent makes an event that can measure time.
func (d *Device) NewEvent() (*Event, error) {
	e := &Event{device: d}
	return e, d.do("cuEventCreate", func() (err error) {
		e.event, err = cu.MakeEvent(cu.DefaultEvent)
		return err
	})
}

// Record puts the mark behind the work that s has so far.
func (e *Event) Record(s *Stream) error {
	return e.device.do("cuEventRecord", func() error { return e.event.Record(s.stream) })
}

// Synchronize waits for the work before the mark.
func (e *Event) Synchronize() error {
	return e.device.do("cuEventSynchronize", e.event.Synchronize)
}

// Elapsed is the time in milliseconds from another mark to this one. Both must
// have been reached.
func (e *Event) Elapsed(since *Event) (float32, error) {
	var ms float64
	err := e.device.do("cuEventElapsedTime", func() (err error) {
		ms, err = since.event.Elapsed(e.event)
		return err
	})
	return float32(ms), err
}

// Close frees the event.
func (e *Event) Close() error {
	return e.device.do("cuEventDestroy", func() error { return cu.DestroyEvent(&e.event) })
}
