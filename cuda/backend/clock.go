package backend

import "time"

// Clock is a back end that measures on the device; Open's is one.
type Clock interface {
	// NewStopwatch makes a stopwatch for launches.
	NewStopwatch() (Stopwatch, error)
	// GraphNodes lists the kernels and copies in each graph that Record has
	// made, the oldest first.
	GraphNodes() []int
}

// Stopwatch measures, by the device's clock, from the launches before Start to
// the launches before Stop. The next Sync of the back end gives its errors.
type Stopwatch interface {
	Start()
	Stop()
	// Elapsed waits for the mark of Stop.
	Elapsed() (time.Duration, error)
}
