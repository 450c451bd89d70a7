package checkpoint

import (
	"errors"
	"fmt"

	"example.com/gotrain/data/vfs"
)

// Return deletes the checkpoints of a run beyond step, newest first, and finds the newest of
// those that are left, as Latest does. Where there is none that is good it deletes nothing and
// finds nothing. One process at a time may call it.
func Return(fsys vfs.FS, runDir string, step int64) (Found, []Event, error) {
	l, err := list(fsys, runDir)
	if err != nil {
		return Found{}, nil, fmt.Errorf("checkpoints of %s: %w", runDir, err)
	}
	good := false
	for _, s := range l.steps {
		if s <= step && !good {
			_, err := verify(fsys, Dir(runDir, s), s)
			good = err == nil
		}
	}
	if !good {
		return Found{}, nil, nil
	}
	var told []Event
	w := Writer{fsys: fsys, runDir: runDir}
	for _, s := range l.steps {
		if s <= step {
			continue
		}
		if err := w.discard(Dir(runDir, s)); err != nil {
			return Found{}, told, fmt.Errorf("going back to step %d: %w", step, err)
		}
		told = append(told, Event{Kind: Retired, Step: s, Path: Dir(runDir, s)})
	}
	found, more, err := Latest(fsys, runDir)
	if errors.Is(err, ErrNone) || errors.Is(err, ErrNoneGood) {
		err = nil
	}
	return found, append(told, more...), err
}
