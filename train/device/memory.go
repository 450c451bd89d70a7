package device

import (
	"example.com/gotrain/autograd/cpu/kernel"
	"example.com/gotrain/cuda/backend"
)

// Limits are the bytes that a run may use; zeros are not known.
type Limits struct {
	Total     int64 `json:"total_bytes"`
	Available int64 `json:"available_bytes"`        // free or easily freed
	Cgroup    int64 `json:"cgroup_bytes,omitempty"` // limit of the container, 0 for none
}

// Usable is the memory that a run can have, 0 where that is not known.
func (m Limits) Usable() int64 {
	if m.Cgroup > 0 {
		return min(m.Cgroup, m.Available)
	}
	return m.Available
}

// Memory is what a run on the device may use: the machine's memory, or the card's.
func (d Device) Memory() Limits {
	switch {
	case d.Card == nil:
		return MachineMemory()
	case d.Card.Free == 0: // not here
		return Limits{Total: d.Card.Memory, Available: d.Card.Memory}
	}
	return Limits{Total: d.Card.Memory, Available: d.Card.Free}
}

// Used is the memory of the GPU that is taken now, in bytes, driver and other
// programs included; 0 where it is not known.
func (d Device) Used() int64 {
	c, err := backend.CardAt(d.GPU)
	if err != nil {
		return 0
	}
	return c.Memory - c.Free
}

// Reserved is the memory, in bytes, that the device's matrix products take beside what
// a plan states: packed operands on the CPU, where a plan that is smaller takes less, and
// the scratch of cuBLASLt on a GPU.
func (d Device) Reserved() int64 {
	if d.Card != nil {
		return backend.Target().Reserved
	}
	pool := kernel.NewPool(d.Threads)
	defer pool.Close()
	return int64(kernel.NewGEMM(pool, kernel.Best()).Bytes())
}
