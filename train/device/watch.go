package device

import (
	"errors"
	"fmt"
	"time"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/cuda/backend"
)

// Watched is a back end of a GPU that adds up, by the device's clock, the time of the
// recorded launches that run on it one at a time.
type Watched struct {
	exec.Backend
	exec.Fuser
	recorder exec.Recorder
	clock    backend.Clock
	marker   exec.Marker
	watch    backend.Stopwatch
	running  bool // the stopwatch holds a time that is not in total
	total    time.Duration
	err      error
}

// Watch times what b records; it fails for a back end that does not measure.
func Watch(b exec.Backend) (*Watched, error) {
	recorder, records := b.(exec.Recorder)
	fuser, fuses := b.(exec.Fuser)
	clock, measures := b.(backend.Clock)
	marker, marks := b.(exec.Marker)
	if !records || !fuses || !measures || !marks {
		return nil, fmt.Errorf("%s does not measure what it records", b.Name())
	}
	watch, err := clock.NewStopwatch()
	return &Watched{Backend: b, Fuser: fuser, recorder: recorder, clock: clock, marker: marker, watch: watch}, err
}

// Record is exec.Recorder's.
func (w *Watched) Record(launches func()) (exec.Launch, error) {
	launch, err := w.recorder.Record(launches)
	if err != nil {
		return nil, err
	}
	return func() {
		w.collect()
		w.watch.Start()
		launch()
		w.watch.Stop()
		w.running = true
	}, nil
}

// NewMarks is exec.Marker's.
func (w *Watched) NewMarks(n int) (exec.Marks, error) { return w.marker.NewMarks(n) }

// collect waits for the last launch.
func (w *Watched) collect() {
	if !w.running {
		return
	}
	w.running = false
	ran, err := w.watch.Elapsed()
	w.total += ran
	w.err = errors.Join(w.err, err)
}

// Busy is the time that the launches so far took on the device.
func (w *Watched) Busy() (time.Duration, error) {
	w.collect()
	return w.total, w.err
}

// Nodes is the size of the graph recorded first, which in an engine is that of
// the training step, with accumulation of its first micro-batch.
func (w *Watched) Nodes() int { return w.clock.GraphNodes()[0] }
