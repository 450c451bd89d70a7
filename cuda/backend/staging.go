//go:build gpu

package backend

import (
	"errors"

	"example.com/gotrain/cuda"
)

// staging moves bytes between pageable host memory and the device through slots,
// so that copies overlap kernels and the host. An upload crosses the bus on a
// stream of its own, into a slot on the device, while kernels before it still run;
// only the copy from there to its place waits for them.
type staging struct {
	bus   *cuda.Stream
	slots [stagingSlots]slot
	next  int
}

type slot struct {
	pinned  *cuda.Pinned
	device  cuda.Ptr
	crossed *cuda.Event // an upload is in device
	done    *cuda.Event // … and in its place, or a download in pinned
	busy    bool
}

// newStaging returns a staging area over space, stagingSlots·stagingBytes of device
// memory.
func newStaging(d *cuda.Device, space cuda.Ptr) (_ *staging, err error) {
	s := &staging{}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if s.bus, err = d.NewStream(); err != nil {
		return nil, err
	}
	for i := range s.slots {
		t := &s.slots[i]
		t.device = space + cuda.Ptr(i*stagingBytes)
		if t.pinned, err = d.Pinned(stagingBytes); err != nil {
			return nil, err
		}
		if t.crossed, err = d.NewEvent(); err != nil {
			return nil, err
		}
		if t.done, err = d.NewEvent(); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// take returns the next slot when its last copy is done.
func (s *staging) take() (*slot, error) {
	t := &s.slots[s.next]
	s.next = (s.next + 1) % stagingSlots
	if !t.busy {
		return t, nil
	}
	t.busy = false
	return t, t.done.Synchronize()
}

// upload copies src to dst in the order of the stream; src may change when it
// returns.
func (s *staging) upload(stream *cuda.Stream, dst cuda.Ptr, src []byte) error {
	for len(src) > 0 {
		t, err := s.take()
		if err != nil {
			return err
		}
		n := copy(t.pinned.Bytes(), src)
		if err := s.cross(t, n); err != nil {
			return err
		}
		if err := stream.Wait(t.crossed); err != nil {
			return err
		}
		if err := stream.Copy(dst, t.device, int64(n)); err != nil {
			return err
		}
		if err := t.done.Record(stream); err != nil {
			return err
		}
		t.busy = true
		src, dst = src[n:], dst+cuda.Ptr(n)
	}
	return nil
}

// cross starts the copy of n bytes of a slot to the device.
func (s *staging) cross(t *slot, n int) error {
	if err := s.bus.Upload(t.device, t.pinned.Bytes()[:n]); err != nil {
		return err
	}
	return t.crossed.Record(s.bus)
}

// download copies src to dst, several slots ahead of the host.
func (s *staging) download(stream *cuda.Stream, dst []byte, src cuda.Ptr) error {
	type part struct {
		slot *slot
		dst  []byte
	}
	var flight [stagingSlots]part
	first, parts := 0, 0
	land := func() error {
		p := flight[first%stagingSlots]
		first++
		p.slot.busy = false
		err := p.slot.done.Synchronize()
		copy(p.dst, p.slot.pinned.Bytes())
		return err
	}
	for len(dst) > 0 {
		if parts-first == stagingSlots {
			if err := land(); err != nil {
				return err
			}
		}
		t, err := s.take()
		if err != nil {
			return err
		}
		n := min(len(dst), stagingBytes)
		if err := stream.Download(t.pinned.Bytes()[:n], src); err != nil {
			return err
		}
		if err := t.done.Record(stream); err != nil {
			return err
		}
		t.busy = true
		flight[parts%stagingSlots] = part{t, dst[:n]}
		parts++
		dst, src = dst[n:], src+cuda.Ptr(n)
	}
	for first < parts {
		if err := land(); err != nil {
			return err
		}
	}
	return nil
}

func (s *staging) close() error {
	var errs []error
	if s.bus != nil {
		errs = append(errs, s.bus.Synchronize())
	}
	for _, t := range s.slots {
		for _, e := range []*cuda.Event{t.crossed, t.done} {
			if e != nil {
				errs = append(errs, e.Close())
			}
		}
		if t.pinned != nil {
			errs = append(errs, t.pinned.Close())
		}
	}
	if s.bus != nil {
		errs = append(errs, s.bus.Close())
	}
	return errors.Join(errs...)
}
