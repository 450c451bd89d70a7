package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"example.com/gotrain/nn/hub/manifest"
)

// ErrNone says that a run has no checkpoint at all: start from step 0.
var ErrNone = errors.New("no checkpoint")

// ErrNoneGood says that a run has checkpoints and all of them are damaged.
// Starting from step 0 would throw the run away, so it is for the user to say.
var ErrNoneGood = errors.New("no undamaged checkpoint")

// SaveError says why a checkpoint was not saved. The older ones are intact.
type SaveError struct {
	Path string // where it would have been
	Op   string // "write model.safetensors", "rename", …
	Err  error
}

func (e *SaveError) Error() string {
	s := fmt.Sprintf("checkpoint %s not saved: %s: %v; older checkpoints are intact and training can go on", e.Path, e.Op, e.Err)
	if cure := cureOf(e.Err); cure != "" {
		s += "; " + cure
	}
	return s
}

func (e *SaveError) Unwrap() error { return e.Err }

// cureOf says what a user can do about an error of the filesystem.
func cureOf(err error) string {
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return "free space on that filesystem (df -h), or keep fewer checkpoints (train.keep)"
	case errors.Is(err, syscall.EDQUOT):
		return "free space within your quota (quota -s), or keep fewer checkpoints (train.keep)"
	case errors.Is(err, syscall.EFBIG):
		return "raise the limit on the size of a file (ulimit -f), or use a filesystem that allows larger files"
	case errors.Is(err, syscall.EROFS):
		return "mount that filesystem writable, or give the run another directory (run.dir)"
	case errors.Is(err, fs.ErrPermission):
		return "give this user write permission there, or give the run another directory (run.dir)"
	case manifest.IsMediumError(err):
		return "the disk or the connection to it failed: see the kernel log (dmesg), and give the run another directory (run.dir) if it persists"
	}
	return ""
}
