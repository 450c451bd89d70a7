// Package runs reads what training runs have written, for tables and plots of several:
// [Find] their directories, [Open] one, [WritePlot] or [Terminal] draw a metric
// of them, [WriteLaws] the scaling laws that are fitted to them.
//
// It only reads, so a run may be going on meanwhile.
package runs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"example.com/gotrain/data/vfs"
	"example.com/gotrain/train/checkpoint"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/metrics"
)

// State is where a run stands.
type State string

// The states.
const (
	Running State = "running" // a process has the directory's lock
	Done    State = "done"    // its last step is made
	Stopped State = "stopped" // neither; the command that began it goes on with it
)

// Run is a run's directory.
type Run struct {
	Dir     string
	Family  string // of the model, "" where config.yaml cannot be read
	Recipe  string
	Steps   int // of the whole run
	State   State
	Records []metrics.Record // in their order
	Torn    int              // lines that are no record, as a crash leaves the last one
	// Fault says why config.yaml cannot be read, nil where it can.
	Fault error
}

// configFile and metricsFile are what every run's directory has.
const (
	configFile  = "config.yaml"
	metricsFile = "metrics.jsonl"
)

// depth bounds how far below a path a run is looked for.
const depth = 4

// Find returns the directories of runs among paths and below them, sorted, each once.
// A path that is none and has none below it is an error.
func Find(paths ...string) ([]string, error) {
	var found []string
	for _, path := range paths {
		n := len(found)
		if err := find(path, depth, &found); errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("there is no directory %s; name one that has runs", path)
		} else if err != nil {
			return nil, err
		}
		if len(found) == n {
			return nil, fmt.Errorf("%s is no run and has none below it: a run has %s and %s", path, configFile, metricsFile)
		}
	}
	slices.Sort(found)
	return slices.Compact(found), nil
}

func find(dir string, levels int, found *[]string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	has := func(name string) bool {
		return slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == name && !e.IsDir() })
	}
	if has(configFile) && has(metricsFile) {
		*found = append(*found, filepath.Clean(dir))
		return nil
	}
	for _, e := range entries {
		if !e.IsDir() || levels == 0 {
			continue
		}
		if err := find(filepath.Join(dir, e.Name()), levels-1, found); err != nil && !errors.Is(err, fs.ErrPermission) && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// Open reads the run in dir. A configuration that cannot be read is Fault, not an error.
func Open(dir string, tables config.Tables) (*Run, error) {
	r := &Run{Dir: dir}
	cfg, err := config.Load(filepath.Join(dir, configFile), nil, tables)
	if err == nil {
		r.Family, r.Recipe, r.Steps = cfg.Model.Name(), cfg.Recipe.Name(), cfg.Train.Steps
	}
	r.Fault = err
	if r.Records, r.Torn, err = Records(dir); err != nil {
		return nil, err
	}
	running, err := checkpoint.Running(dir)
	if err != nil {
		return nil, err
	}
	switch {
	case running:
		r.State = Running
	case r.Fault == nil && r.Step() >= int64(r.Steps):
		r.State = Done
	default:
		r.State = Stopped
	}
	return r, nil
}

// Records returns what the run in dir has on record, and the number of lines that are no
// record.
func Records(dir string) ([]metrics.Record, int, error) {
	return metrics.ReadLog(vfs.OS{}, filepath.Join(dir, metricsFile))
}

// Last returns the newest record of a split, nil for none.
func (r *Run) Last(split metrics.Split) *metrics.Record {
	for i := len(r.Records) - 1; i >= 0; i-- {
		if r.Records[i].Split == split {
			return &r.Records[i]
		}
	}
	return nil
}

// Best returns the validation record with the lowest first metric, which is what a run
// is judged by, nil for none.
func (r *Run) Best() *metrics.Record {
	var best *metrics.Record
	for i, rec := range r.Records {
		if rec.Split != metrics.Val || len(rec.Values) == 0 || rec.Values[0].Value != rec.Values[0].Value {
			continue
		}
		if best == nil || rec.Values[0].Value < best.Values[0].Value {
			best = &r.Records[i]
		}
	}
	return best
}

// Step is the newest step that is on record.
func (r *Run) Step() int64 {
	var step int64
	for _, rec := range r.Records {
		step = max(step, rec.Step)
	}
	return step
}

// Changed is the time of the newest record, zero for none.
func (r *Run) Changed() time.Time {
	if len(r.Records) == 0 {
		return time.Time{}
	}
	return r.Records[len(r.Records)-1].Time
}
