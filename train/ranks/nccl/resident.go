//go:build gpu

package nccl

import "example.com/gotrain/cuda"

// resident is memory of a group's device.
type resident struct {
	g      *group
	memory cuda.Ptr
	words  int64
}

// Resident allocates.
func (g *group) Resident(bytes int) (Resident, error) {
	memory, err := g.device.Alloc(int64(bytes))
	return &resident{g, memory, int64(bytes / 4)}, err
}

func (r *resident) AllReduce() error {
	r.g.mu.Lock()
	defer r.g.mu.Unlock()
	return r.g.finish("all-reduce", r.g.comm.AllReduce(r.g.stream, r.memory, r.memory, r.words, cuda.Float32, cuda.Sum))
}

func (r *resident) AllGather() error {
	r.g.mu.Lock()
	defer r.g.mu.Unlock()
	part := r.words / int64(r.g.cfg.Size)
	own := r.memory + cuda.Ptr(4*part*int64(r.g.cfg.Rank))
	return r.g.finish("all-gather", r.g.comm.AllGather(r.g.stream, r.memory, own, part, cuda.Float32))
}

func (r *resident) Close() error { return r.g.device.Free(r.memory) }
