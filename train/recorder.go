package train

import (
	"errors"
	"os"
	"path/filepath"
	"time"

	"gotrain/data/vfs"
	"gotrain/train/metrics"
)

// recorder writes what a run measures to metrics.jsonl and to TensorBoard.
type recorder struct {
	log    *metrics.Log
	events *metrics.Events
}

// MetricsPath is the file of a run's metrics.
func MetricsPath(runDir string) string { return filepath.Join(runDir, "metrics.jsonl") }

// openRecorder goes on after step, dropping what lies beyond it.
func openRecorder(fsys vfs.FS, runDir string, step int, now time.Time) (*recorder, error) {
	log, _, err := metrics.OpenLog(fsys, MetricsPath(runDir), int64(step))
	if err != nil {
		return nil, err
	}
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	cfg := metrics.EventsConfig{Dir: runDir, Time: now, Host: host, PID: os.Getpid()}
	if step > 0 {
		cfg.PurgeFrom = int64(step) + 1
	}
	events, err := metrics.CreateEvents(fsys, cfg)
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	return &recorder{log: log, events: events}, nil
}

func (r *recorder) record(rec metrics.Record) error {
	return errors.Join(r.log.Append(rec), r.events.Record(rec))
}

func (r *recorder) close() error { return errors.Join(r.log.Close(), r.events.Close()) }
