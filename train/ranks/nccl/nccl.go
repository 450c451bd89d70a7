// Package nccl computes the collectives of a [ranks.Group] with NCCL: the engine of
// ranks that have a GPU each.
//
// It needs the build tag gpu; without it [Open] says so. The sums of gradients do not
// go through the group: they are instructions of plans, which a back end computes on
// the group's communicator (Group.Comm). The group itself is for what ranks exchange
// between steps, and copies from and to the host.
//
// A rank that dies is an error on the others where NCCL notices: over the network it
// does, on one machine it need not, and they wait until a launcher or ranks.Watch ends
// them. Sums are the same bits on all ranks, and in every run of as many ranks on the
// same machines.
package nccl

import (
	"example.com/gotrain/cuda"
	"example.com/gotrain/train/ranks"
)

// Config tells a rank who it is and how to find the others.
type Config struct {
	Rank, Size int
	// Device is the GPU of this rank, counted from 0. No two ranks share one.
	Device int
	// Store is where the ranks meet; its keys are for this group alone.
	Store ranks.Store
}

// Group is a ranks.Group on a GPU.
type Group interface {
	ranks.Group
	// Comm is the communicator, for collectives on the device. They are collectives
	// of the group: in the same order on all ranks, and never at the same time as another.
	Comm() *cuda.Comm
	// Resident gives memory of the device on which the group computes without copies,
	// for measurements.
	Resident(bytes int) (Resident, error)
}

// Resident is memory of the device.
type Resident interface {
	// AllReduce sums all of it over the ranks, as float32.
	AllReduce() error
	// AllGather gives every rank the part of each: of n ranks an n-th of the memory.
	AllGather() error
	// Close frees it.
	Close() error
}
