package probe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"example.com/gotrain/train/ranks"
	"example.com/gotrain/train/ranks/nccl"
	"example.com/gotrain/train/ranks/store"
)

const linkBytes = 8 << 20 // that each side of a link sends at once

// onDevice gives f what a group on GPUs computes with size bytes of their memory, as
// training does; false says that the group is one on CPUs.
func onDevice(g ranks.Group, size int, f func(nccl.Resident) error) (bool, error) {
	gpus, ok := g.(nccl.Group)
	if !ok {
		return false, nil
	}
	r, err := gpus.Resident(size)
	if err != nil {
		return true, err
	}
	return true, errors.Join(f(r), r.Close())
}

// allReduce times sums of size bytes over the whole group.
func (p *Probe) allReduce(size int) (Reduction, error) {
	var seconds float64
	onGPU, err := onDevice(p.Group, size, func(r nccl.Resident) (err error) {
		seconds, err = medianTime(repeats(size), r.AllReduce)
		return err
	})
	if !onGPU {
		x := make([]float32, size/4)
		seconds, err = medianTime(repeats(size), func() error { return p.Group.AllReduce(x) })
	}
	n := float64(p.Group.Size())
	return Reduction{Bytes: size, TimeMS: seconds * 1e3, BusGBs: 2 * (n - 1) / n * float64(size) / seconds / 1e9}, err
}

func repeats(size int) int {
	if size <= 1<<20 {
		return 25
	}
	return 5
}

// medianTime is the median time in seconds of calls of f, after one that does not count.
func medianTime(calls int, f func() error) (float64, error) {
	seconds := make([]float64, calls)
	if err := f(); err != nil {
		return 0, err
	}
	for i := range seconds {
		start := time.Now()
		if err := f(); err != nil {
			return 0, err
		}
		seconds[i] = max(time.Since(start).Seconds(), 1e-9)
	}
	return median(seconds), nil
}

func median(x []float64) float64 {
	sorted := slices.Sorted(slices.Values(x))
	return sorted[len(sorted)/2]
}

// links measures the links of the ring of ranks one after another, while the other
// ranks rest.
func (p *Probe) links(ctx context.Context) ([]Link, error) {
	rank, size := p.Group.Rank(), p.Group.Size()
	count := size
	if size == 2 {
		count = 1
	}
	links := make([]Link, count)
	for from := range links {
		to := (from + 1) % size
		key := fmt.Sprint("link/", from)
		if rank == from || rank == to {
			side := 0
			if rank == to {
				side = 1
			}
			link := Link{From: from, To: to}
			if err := p.link(ctx, store.WithPrefix(p.Store, key+"/group"), side, &link); err != nil {
				link.Error = err.Error()
			}
			if side == 0 {
				if err := p.publish(ctx, key, link); err != nil {
					return nil, err
				}
			}
		}
		if err := p.collect(ctx, key, &links[from]); err != nil {
			return nil, err
		}
		if err := p.Group.Barrier(); err != nil {
			return nil, err
		}
	}
	return links, nil
}

// link measures one link from one of its sides.
func (p *Probe) link(ctx context.Context, meet ranks.Store, side int, r *Link) error {
	pair, err := p.Pair(ctx, meet, side)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, pair.Abort)()
	exchange := func(size int) (seconds float64, err error) {
		onGPU, err := onDevice(pair, 2*size, func(r nccl.Resident) (err error) {
			seconds, err = medianTime(repeats(size), r.AllGather)
			return err
		})
		if onGPU {
			return seconds, err
		}
		src, dst := make([]byte, size), make([]byte, 2*size)
		return medianTime(repeats(size), func() error { return pair.AllGather(dst, src) })
	}
	latency, err := exchange(8)
	if err != nil {
		return errors.Join(err, pair.Close())
	}
	seconds, err := exchange(linkBytes)
	if err != nil {
		return errors.Join(err, pair.Close())
	}
	r.LatencyUS, r.GBs = latency*1e6, linkBytes/seconds/1e9
	return pair.Close()
}
