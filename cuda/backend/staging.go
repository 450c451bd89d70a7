//go:build gpu

package backend

import (
	"errors"

	"gotrain/cuda"
)

// staging moves bytes between pageable host memory and the device through
// pinned slots, so that copies run beside kernels and the host.
type staging struct {
	slots [stagingSlots]slot
	next  int
}

// Two slots in flight keep the bus busy; small inputs of one step fit without a
// wait.
const (
	stagingSlots = 8
	stagingBytes = 1 << 20
)

type slot struct {
	pinned *cuda.Pinned
	done   *cuda.Event
	busy   bool
}

func newStaging(d *cuda.Device) (*staging, error) {
	s := &staging{}
	for i := range s.slots {
		var err error
		if s.slots[i].pinned, err = d.Pinned(stagingBytes); err != nil {
			return nil, errors.Join(err, s.close())
		}
		if s.slots[i].done, err = d.NewEvent(); err != nil {
			return nil, errors.Join(err, s.close())
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
		if err := stream.Upload(dst, t.pinned.Bytes()[:n]); err != nil {
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
	for _, t := range s.slots {
		if t.done != nil {
			errs = append(errs, t.done.Close())
		}
		if t.pinned != nil {
			errs = append(errs, t.pinned.Close())
		}
	}
	return errors.Join(errs...)
}
