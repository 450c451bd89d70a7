// Package gloo computes the collectives of a [ranks.Group] with Gloo, over TCP: the
// engine of ranks on CPUs.
//
// It needs the build tag gloo, cgo, and libgloo (Debian: libgloo-dev to build,
// libgloo0 to run). Without the tag [Open] says so. Gloo connects every pair of
// ranks, so that the death of a rank is an error on all others at once. Sums go
// around a ring: they are the same bits on all ranks, and in every run of as many
// ranks.
package gloo

import (
	"time"

	"example.com/gotrain/train/ranks"
)

// Config tells a rank who it is and how to find the others.
type Config struct {
	Rank, Size int
	// Store is where the ranks meet; its keys are for this group alone.
	Store ranks.Store
	// Host is the address, or name of this machine, at which the other ranks
	// reach it; empty is what the machine calls itself.
	Host string
	// Connecting is how long the ranks may take to connect once all of them have
	// come, 0 for 30 seconds: after it, one of them is dead.
	Connecting time.Duration
	// Timeout is how long a collective waits for the others, 0 for 30 minutes.
	Timeout time.Duration
}
