package main

import (
	"errors"
	"fmt"
	"time"

	"gotrain/autograd/exec"
	"gotrain/cuda/backend"
)

// watchedBackend is a CUDA back end that adds up, by the device's clock, the time
// of the recorded launches that run on it one at a time.
type watchedBackend struct {
	exec.Backend
	exec.Grouper
	recorder exec.Recorder
	clock    backend.Clock
	watch    backend.Stopwatch
	running  bool // the stopwatch holds a time that is not in total
	total    time.Duration
	err      error
}

func watch(b exec.Backend) (*watchedBackend, error) {
	recorder, records := b.(exec.Recorder)
	grouper, groups := b.(exec.Grouper)
	clock, measures := b.(backend.Clock)
	if !records || !groups || !measures {
		return nil, fmt.Errorf("%s does not measure what it records", b.Name())
	}
	watch, err := clock.NewStopwatch()
	return &watchedBackend{Backend: b, Grouper: grouper, recorder: recorder, clock: clock, watch: watch}, err
}

// Record is exec.Recorder's.
func (w *watchedBackend) Record(launches func()) (exec.Launch, error) {
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

// collect waits for the last launch.
func (w *watchedBackend) collect() {
	if !w.running {
		return
	}
	w.running = false
	ran, err := w.watch.Elapsed()
	w.total += ran
	w.err = errors.Join(w.err, err)
}

// busy is the time that the launches so far took on the device.
func (w *watchedBackend) busy() (time.Duration, error) {
	w.collect()
	return w.total, w.err
}

// nodes is the size of the graph recorded first, which in an engine is that of
// the training step, with accumulation of its first micro-batch.
func (w *watchedBackend) nodes() int { return w.clock.GraphNodes()[0] }
