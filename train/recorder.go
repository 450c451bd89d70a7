package train

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"example.com/gotrain/data/vfs"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/metrics"
)

// recorder writes what a run measures to metrics.jsonl and to TensorBoard.
type recorder struct {
	log    *metrics.Log
	events *metrics.Events
}

// MetricsPath is the file of a run's metrics.
func MetricsPath(runDir string) string { return filepath.Join(runDir, "metrics.jsonl") }

// openRecorder goes on after step, dropping what lies beyond it.
func openRecorder(fsys vfs.FS, c Config, step int, now time.Time) (*recorder, error) {
	runDir := c.Run.Dir
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
	events := metrics.NewEvents(fsys, cfg)
	if err := describe(events, c); err != nil {
		return nil, errors.Join(err, log.Close())
	}
	return &recorder{log: log, events: events}, nil
}

// describe tells TensorBoard the configuration, as a text and as hyperparameters.
func describe(e *metrics.Events, c Config) error {
	leaves, err := c.Leaves()
	if err != nil {
		return err
	}
	text, err := config.Encode(c)
	if err != nil {
		return err
	}
	var settings []metrics.Setting
	for _, l := range leaves {
		var value any = l.Text
		if x, err := strconv.ParseFloat(l.Text, 64); err == nil {
			value = x
		} else if x, err := strconv.ParseBool(l.Text); err == nil {
			value = x
		}
		settings = append(settings, metrics.Setting{Name: l.Key, Value: value})
	}
	e.Settings(c.Run.Dir, "```yaml\n"+string(text)+"```", settings)
	return nil
}

func (r *recorder) record(rec metrics.Record) error {
	return errors.Join(r.log.Append(rec), r.events.Record(rec))
}

func (r *recorder) close() error { return errors.Join(r.log.Close(), r.events.Close()) }
