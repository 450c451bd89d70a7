//go:build gpu

package simtest_test

import "example.com/gotrain/cuda"

// The cases of this file lack an order between streams, or between a stream and the host, when correct is false.

const streamElements = 64

// double puts y = 2x into a stream.
func (r *rig) double(s *cuda.Stream, x, y cuda.Ptr) {
	r.keep(r.launch(s, "twice_correct", 1, streamElements, 0, x.Slot(), y.Slot(), cuda.Int(streamElements)))
}

// order lets later work of one stream wait for what another has.
func (r *rig) order(first, then *cuda.Stream) {
	e := r.newEvent()
	r.keep(e.Record(first))
	r.keep(then.Wait(e))
}

func (r *rig) compareWith(y cuda.Ptr, want func(int) float32) error {
	got := fromBytes(r.download(y, 4*streamElements))
	wanted := make([]float32, streamElements)
	for i := range wanted {
		wanted[i] = want(i)
	}
	if r.err != nil {
		return r.err
	}
	return compare(got, wanted)
}

// uploadFrom computes on what another stream uploads.
func uploadFrom(correct bool) func(*rig) error {
	return func(r *rig) error {
		copies := r.newStream()
		x, y := r.alloc(4*streamElements), r.alloc(4*streamElements)
		host := r.pinned(4 * streamElements)
		copy(host, toBytes(ramp(1, streamElements)))
		r.keep(copies.Upload(x, host))
		if correct {
			r.order(copies, r.stream)
		}
		r.double(r.stream, x, y)
		return r.compareWith(y, double)
	}
}

// uploadOver uploads the next input while the kernel that reads the last one may still run.
func uploadOver(correct bool) func(*rig) error {
	return func(r *rig) error {
		copies := r.newStream()
		x, y := r.upload(toBytes(ramp(1, streamElements))), r.alloc(4*streamElements)
		host := r.pinned(4 * streamElements)
		r.keep(r.stream.Synchronize())
		r.double(r.stream, x, y)
		if correct {
			r.order(r.stream, copies)
		}
		r.keep(copies.Upload(x, host))
		return r.compareWith(y, double)
	}
}

// pinnedReused writes to pinned memory whose upload may not have happened yet.
func pinnedReused(correct bool) func(*rig) error {
	return func(r *rig) error {
		x, y := r.alloc(4*streamElements), r.alloc(4*streamElements)
		host := r.pinned(4 * streamElements)
		copy(host, toBytes(ramp(1, streamElements)))
		r.keep(r.stream.Upload(x, host))
		r.double(r.stream, x, y)
		if correct {
			r.keep(r.stream.Synchronize())
		}
		clear(host)
		return r.compareWith(y, double)
	}
}

// downloadTo reads pinned memory whose download may not have happened yet.
func downloadTo(correct bool) func(*rig) error {
	return func(r *rig) error {
		x, host := r.upload(toBytes(ramp(1, streamElements))), r.pinned(4*streamElements)
		r.keep(r.stream.Download(host, x))
		if correct {
			r.keep(r.stream.Synchronize())
		}
		if r.err != nil {
			return r.err
		}
		return compare(fromBytes(host), ramp(1, streamElements))
	}
}

// graphBranches captures two streams: z = 2y in the second needs y = 2x of the first.
func graphBranches(correct bool) func(*rig) error {
	return func(r *rig) error {
		branch := r.newStream()
		x := r.upload(toBytes(ramp(1, streamElements)))
		y, z := r.alloc(4*streamElements), r.alloc(4*streamElements)
		g, err := r.stream.Capture(func() error {
			if !correct {
				r.order(r.stream, branch)
			}
			r.double(r.stream, x, y)
			if correct {
				r.order(r.stream, branch)
			}
			r.double(branch, y, z)
			r.order(branch, r.stream)
			return r.err
		})
		if err != nil {
			return err
		}
		r.keep(g.Launch(r.stream))
		return r.compareWith(z, func(i int) float32 { return 2 * double(i) })
	}
}
