package main

import (
	"fmt"
	"time"

	"gotrain/autograd/exec"
	"gotrain/cuda/backend"
)

// watchedBackend is a CUDA back end that measures, on the device, the recorded
// launches that run on it.
type watchedBackend struct {
	exec.Backend
	exec.Grouper
	recorder exec.Recorder
	watch    backend.Stopwatch
}

func watch(b exec.Backend) (*watchedBackend, error) {
	recorder, records := b.(exec.Recorder)
	grouper, groups := b.(exec.Grouper)
	clock, measures := b.(backend.Clock)
	if !records || !groups || !measures {
		return nil, fmt.Errorf("%s does not measure what it records", b.Name())
	}
	watch, err := clock.NewStopwatch()
	return &watchedBackend{b, grouper, recorder, watch}, err
}

// Record is exec.Recorder's.
func (w *watchedBackend) Record(launches func()) (exec.Launch, error) {
	launch, err := w.recorder.Record(launches)
	if err != nil {
		return nil, err
	}
	return func() {
		w.watch.Start()
		launch()
		w.watch.Stop()
	}, nil
}

// elapsed is the time that the last recorded launch took on the device; the
// device has been waited for.
func (w *watchedBackend) elapsed() (time.Duration, error) { return w.watch.Elapsed() }

// nodes is the size of the graph recorded first, which in an engine is that of
// the training step.
func (w *watchedBackend) nodes() int {
	return w.Backend.(backend.Clock).GraphNodes()[0]
}
