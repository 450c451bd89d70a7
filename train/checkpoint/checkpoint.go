// Package checkpoint keeps the state of a training run on disk so that neither a
// kill at any moment, nor a full disk, nor a power loss, nor a flipped bit costs
// more than the steps since the last save. It knows names, sizes and checksums;
// what is in the files is the caller's.
//
//	RUN/run.lock                              held while a process trains into RUN
//	RUN/checkpoints/step-00001000/            one checkpoint: the caller's files and
//	RUN/checkpoints/step-00001000/manifest.json   their sizes and checksums
//	RUN/checkpoints/latest                    symbolic link to the newest good one
//	RUN/checkpoints/best                      symbolic link to the one that the caller calls best
//	RUN/checkpoints/base-of-NAME              symbolic link to one that another run needs; see KeepBase
//	RUN/checkpoints/step-00001000.tmp         a save in progress, or one that was killed
//	RUN/checkpoints/step-00001000.old         the one that a second save of a step replaces
//	RUN/checkpoints/step-00001000.trash       a retired one while it is deleted
//	RUN/checkpoints/step-00001000.damaged     set aside by Latest; also .damaged-2, …
//
// In reading order: a [Writer] saves one, by one process or by several together;
// [Latest] finds the newest good one and sets damaged ones aside; [Verify] checks
// one without touching it. [LockRun] keeps a second process out of a run.
//
// The rule of a save: every file is written and synced in a temporary sibling,
// the manifest last, then the directory is synced, renamed, and its parent
// synced. Only then is it acknowledged. A save that fails takes its temporary
// directory with it and leaves the older checkpoints as they were; the run can
// go on.
//
// Nothing here prints: what else happened comes back as [Event]s.
package checkpoint

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn/hub/manifest"
)

// File is one file of a checkpoint. Its name is a plain one, or FOLDER/NAME of two:
// no leading dot, not manifest.json. Write produces its bytes, from a snapshot if
// the save is asynchronous. Large single writes go to the disk as they
// are, small ones are gathered.
type File = vfs.Content

// Saved is a checkpoint that survives a power loss.
type Saved struct {
	Path   string // RUN/checkpoints/step-00001000
	Step   int64
	Bytes  int64 // of all files
	Events []Event
}

// Kind says what an Event tells.
type Kind string

// The kinds of events.
const (
	Quarantined Kind = "quarantined" // a damaged checkpoint at Path was renamed to MovedTo; Err says what is wrong with it
	Recovered   Kind = "recovered"   // a checkpoint left at Path by a crash in a second save of its step is back at MovedTo
	StaleTemp   Kind = "stale-temp"  // Path, left by a crash, was deleted
	Retired     Kind = "retired"     // Path was deleted: older than the newest Keep
	NotTidied   Kind = "not-tidied"  // Path could not be renamed or deleted because of Err; the checkpoint stands
	LinkFailed  Kind = "link-failed" // the link at Path could not be set because of Err; the checkpoint stands
)

// Event is something that happened and is not the result.
type Event struct {
	Kind    Kind
	Step    int64 // of the checkpoint concerned
	Path    string
	MovedTo string
	Err     error
}

func (e Event) String() string {
	s := fmt.Sprintf("checkpoint %s: %s", e.Kind, e.Path)
	if e.MovedTo != "" {
		s += " → " + e.MovedTo
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

const (
	folder        = "checkpoints"
	latestName    = "latest"
	bestName      = "best"
	lockName      = "run.lock"
	oldSuffix     = ".old"
	trashSuffix   = ".trash"
	damagedSuffix = ".damaged"
)

// Dir gives the directory of a step's checkpoint in a run.
func Dir(runDir string, step int64) string {
	return filepath.Join(runDir, folder, stepName(step))
}

// LatestLink gives the path of a run's link to its newest good checkpoint.
func LatestLink(runDir string) string { return filepath.Join(runDir, folder, latestName) }

// BestLink gives the path of a run's link to its best checkpoint.
func BestLink(runDir string) string { return filepath.Join(runDir, folder, bestName) }

func stepName(step int64) string { return fmt.Sprintf("step-%08d", step) }

// parseStep reads the step from a name that stepName made.
func parseStep(name string) (int64, bool) {
	digits, ok := strings.CutPrefix(name, "step-")
	if !ok {
		return 0, false
	}
	step, err := strconv.ParseInt(digits, 10, 64)
	return step, err == nil && step >= 0 && stepName(step) == name
}

// Verify compares the checkpoint in dir, which must be named as a Writer names it,
// with its manifest, the step too; errors are those of manifest.Verify.
func Verify(fsys vfs.FS, dir string) (manifest.Manifest, error) {
	step, ok := parseStep(strings.TrimSuffix(filepath.Base(dir), oldSuffix))
	if !ok {
		return manifest.Manifest{}, fmt.Errorf("%s: no checkpoint directory: its name is not like %s", dir, stepName(1000))
	}
	return verify(fsys, dir, step)
}

func verify(fsys vfs.FS, dir string, step int64) (manifest.Manifest, error) {
	m, err := manifest.Read(fsys, dir)
	if err == nil && m.Step != step {
		err = manifest.Damage(dir, manifest.Name, "says step %d, the directory %d", m.Step, step)
	}
	if err != nil {
		return m, err
	}
	return m, m.Check(fsys, dir)
}

// listing is the content of RUN/checkpoints, newest step first in each list.
type listing struct {
	steps []int64 // step-N
	olds  []int64 // step-N.old
	junk  []string
	names map[string]bool // everything there
}

func list(fsys vfs.FS, runDir string) (listing, error) {
	l := listing{names: map[string]bool{}}
	entries, err := fsys.ReadDir(filepath.Join(runDir, folder))
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err != nil {
		return l, err
	}
	for _, e := range entries {
		name := e.Name()
		l.names[name] = true
		if step, ok := parseStep(name); ok {
			l.steps = append(l.steps, step)
			continue
		}
		ext := filepath.Ext(name)
		step, ok := parseStep(strings.TrimSuffix(name, ext))
		switch {
		case !ok:
		case ext == oldSuffix:
			l.olds = append(l.olds, step)
		case ext == vfs.TempSuffix, ext == trashSuffix:
			l.junk = append(l.junk, name)
		}
	}
	descending := func(a, b int64) int { return int(min(1, max(-1, b-a))) }
	slices.SortFunc(l.steps, descending)
	slices.SortFunc(l.olds, descending)
	return l, nil
}

// LockRun takes the lock of a run directory, making the directory when missing.
// The lock ends with Close or with the process. When another process has it the
// error holds a *vfs.LockedError.
func LockRun(fsys vfs.FS, runDir string) (io.Closer, error) {
	if err := vfs.MkdirAll(fsys, runDir); err != nil {
		return nil, fmt.Errorf("run directory %s: %w", runDir, err)
	}
	lock, err := fsys.Lock(filepath.Join(runDir, lockName))
	var locked *vfs.LockedError
	switch {
	case errors.As(err, &locked):
		return nil, fmt.Errorf("run directory %s is in use: %w; stop that process or give this run another directory (run.dir)", runDir, err)
	case err != nil:
		return nil, fmt.Errorf("run directory %s: %w", runDir, err)
	}
	return lock, nil
}

// Running reports whether a process has the lock of a run directory.
func Running(runDir string) (bool, error) {
	return vfs.OS{}.Locked(filepath.Join(runDir, lockName))
}
