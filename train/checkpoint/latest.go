package checkpoint

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn/hub/manifest"
)

// Found is a checkpoint whose every byte was verified.
type Found struct {
	Path     string // RUN/checkpoints/step-00001000
	Manifest manifest.Manifest
}

// Latest verifies the checkpoints of a run, newest first, and returns the first
// good one. Damaged ones on the way are renamed to step-N.damaged, so that step N
// can be saved again, and the link latest is set to the one returned. Errors are
// ErrNone, ErrNoneGood, or the filesystem's when a checkpoint could not be read
// for a reason that is not damage (permission, too many open files): then no
// older one is taken silently. One process at a time may call it: it changes the
// directory; the ranks of a distributed run open the path that rank 0 got.
func Latest(fsys vfs.FS, runDir string) (Found, []Event, error) {
	l, err := list(fsys, runDir)
	if err != nil {
		return Found{}, nil, fmt.Errorf("checkpoints of %s: %w", runDir, err)
	}
	var events []Event
	steps := slices.Concat(l.steps, l.olds)
	slices.Sort(steps)
	steps = slices.Compact(steps)
	for _, step := range slices.Backward(steps) {
		for _, suffix := range []string{"", oldSuffix} {
			if !l.names[stepName(step)+suffix] {
				continue
			}
			path := Dir(runDir, step) + suffix
			m, err := verify(fsys, path, step)
			var damage *manifest.DamageError
			switch {
			case err == nil:
				found, more := settle(fsys, runDir, path, m)
				return found, append(events, more...), nil
			case !errors.As(err, &damage):
				return Found{}, events, fmt.Errorf("checkpoint %s cannot be read: %w", path, err)
			}
			events = append(events, quarantine(fsys, runDir, step, path, l.names, damage))
		}
	}
	if len(events) > 0 {
		return Found{}, events, fmt.Errorf("%w in %s: %d damaged; look at them before starting from step 0", ErrNoneGood, runDir, len(events))
	}
	return Found{}, nil, fmt.Errorf("%w in %s", ErrNone, runDir)
}

// settle gives a good checkpoint its proper name and points latest at it.
func settle(fsys vfs.FS, runDir, path string, m manifest.Manifest) (Found, []Event) {
	var events []Event
	if proper := Dir(runDir, m.Step); path != proper {
		err := fsys.Rename(path, proper)
		if err == nil {
			err = fsys.SyncDir(filepath.Dir(proper))
		}
		if err != nil {
			events = append(events, Event{Kind: NotTidied, Step: m.Step, Path: path, Err: err})
			return Found{Path: path, Manifest: m}, events
		}
		events = append(events, Event{Kind: Recovered, Step: m.Step, Path: path, MovedTo: proper})
		path = proper
	}
	return Found{Path: path, Manifest: m}, append(events, setLink(fsys, runDir, latestName, m.Step)...)
}

// quarantine renames a damaged checkpoint to the first free name. Where that
// fails, on a read-only filesystem for one, it stays and the event says so.
func quarantine(fsys vfs.FS, runDir string, step int64, path string, taken map[string]bool, damage error) Event {
	name := stepName(step) + damagedSuffix
	for i := 2; taken[name]; i++ {
		name = fmt.Sprintf("%s%s-%d", stepName(step), damagedSuffix, i)
	}
	e := Event{Kind: Quarantined, Step: step, Path: path, MovedTo: filepath.Join(runDir, folder, name), Err: damage}
	err := fsys.Rename(path, e.MovedTo)
	if err == nil {
		taken[name] = true
		err = fsys.SyncDir(filepath.Join(runDir, folder))
	}
	if err != nil {
		e.Kind, e.MovedTo, e.Err = NotTidied, "", errors.Join(damage, err)
	}
	return e
}

// setLink points the link RUN/checkpoints/name at a step, unless it does already.
func setLink(fsys vfs.FS, runDir, name string, step int64) []Event {
	link := filepath.Join(runDir, folder, name)
	if target, err := fsys.Readlink(link); err == nil && target == stepName(step) {
		return nil
	}
	err := vfs.ReplaceSymlink(fsys, stepName(step), link)
	if err == nil {
		err = fsys.SyncDir(filepath.Dir(link))
	}
	if err != nil {
		return []Event{{Kind: LinkFailed, Step: step, Path: link, Err: err}}
	}
	return nil
}
