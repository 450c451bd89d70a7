//go:build gpu

package backend

import (
	"errors"
	"time"

	"example.com/gotrain/cuda"
)

var _ Clock = (*Backend)(nil)

// stopwatch is a pair of events in the stream.
type stopwatch struct {
	backend     *Backend
	start, stop *cuda.Event
}

// NewStopwatch makes a stopwatch that lives as long as the device's context.
func (b *Backend) NewStopwatch() (Stopwatch, error) {
	start, err := b.device.NewEvent()
	if err != nil {
		return nil, err
	}
	stop, err := b.device.NewEvent()
	if err != nil {
		return nil, errors.Join(err, start.Close())
	}
	return &stopwatch{b, start, stop}, nil
}

// GraphNodes is Clock's.
func (b *Backend) GraphNodes() []int {
	nodes := make([]int, len(b.graphs))
	for i, g := range b.graphs {
		nodes[i] = g.Nodes()
	}
	return nodes
}

func (w *stopwatch) Start() { w.backend.do(w.start.Record(w.backend.stream)) }

func (w *stopwatch) Stop() { w.backend.do(w.stop.Record(w.backend.stream)) }

func (w *stopwatch) Elapsed() (time.Duration, error) {
	if err := w.stop.Synchronize(); err != nil {
		return 0, err
	}
	ms, err := w.stop.Elapsed(w.start)
	return time.Duration(float64(ms) * float64(time.Millisecond)), err
}
