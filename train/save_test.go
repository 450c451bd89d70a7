package train

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"example.com/gotrain/data/vfs"
	"example.com/gotrain/train/checkpoint"
	"example.com/gotrain/train/ranks"
	"example.com/gotrain/train/save"
)

// broken is a disk on which one operation on files or directories whose names
// contain name fails once.
type broken struct {
	vfs.FS
	op, name string
	err      error
	failed   *bool
}

func (b broken) fails(op, name string) error {
	if op != b.op || !strings.Contains(name, b.name) || *b.failed {
		return nil
	}
	*b.failed = true
	return fmt.Errorf("%s %s: %w", op, name, b.err)
}

func (b broken) Create(name string) (vfs.File, error) {
	if err := b.fails("create", name); err != nil {
		return nil, err
	}
	f, err := b.FS.Create(name)
	return brokenFile{f, b, name}, err
}

func (b broken) Rename(from, to string) error {
	if err := b.fails("rename", from); err != nil {
		return err
	}
	return b.FS.Rename(from, to)
}

func (b broken) SyncDir(name string) error {
	if err := b.fails("syncdir", name); err != nil {
		return err
	}
	return b.FS.SyncDir(name)
}

type brokenFile struct {
	vfs.File
	disk broken
	name string
}

func (f brokenFile) Write(p []byte) (int, error) {
	if err := f.disk.fails("write", f.name); err != nil {
		n, _ := f.File.Write(p[:len(p)/2])
		return n, err
	}
	return f.File.Write(p)
}

func (f brokenFile) Sync() error {
	if err := f.disk.fails("sync", f.name); err != nil {
		return err
	}
	return f.File.Sync()
}

// TestBrokenDiskOfOneRank: the save of step 2 fails on all ranks and is one warning
// that names rank and cause, the one of step 4 succeeds. It is alike whether steps
// wait or not.
func TestBrokenDiskOfOneRank(t *testing.T) {
	for _, mode := range []string{"sync", "async"} {
		for _, errno := range []error{syscall.ENOSPC, syscall.EIO} {
			for _, fault := range []struct {
				rank     int
				op, name string
			}{
				{0, "write", "model-"}, {1, "write", "model-"}, {1, "create", "optimizer-"},
				{0, "sync", save.StateFile}, {1, "sync", "optimizer-"}, {0, "write", "manifest"},
				{0, "syncdir", "step-00000002.tmp"}, {0, "rename", "step-00000002.tmp"},
			} {
				cfg := ranksConfig(t)
				cfg.Train.Steps, cfg.Train.SaveEvery, cfg.Train.EvalEvery, cfg.Train.Save = 5, 2, 0, mode
				where := fmt.Sprintf("%s: %v on %s of %s on rank %d", mode, errno, fault.op, fault.name, fault.rank)
				var warnings []error
				var saved []int64
				failed := false
				errs, losses := trainRanks(t, t.Context(), cfg, 2, func(rank int, _ *Config, d *Deps) {
					if rank == fault.rank {
						d.FS = broken{d.FS, fault.op, fault.name, errno, &failed}
					}
					d.Listener.SaveFailed = func(err error) { warnings = append(warnings, err) }
					d.Listener.Saved = func(s checkpoint.Saved) { saved = append(saved, s.Step) }
				})
				if err := errors.Join(errs...); err != nil || len(losses) != 5 {
					t.Fatalf("%s: %v after %d steps", where, err, len(losses))
				}
				want := fmt.Sprintf("rank %d failed: ", fault.rank)
				if len(warnings) != 1 || !strings.HasPrefix(warnings[0].Error(), want) || !strings.Contains(warnings[0].Error(), errno.Error()) {
					t.Errorf("%s: warnings %q, want one that begins with %q", where, warnings, want)
				}
				if fmt.Sprint(saved) != "[4 5]" || fmt.Sprint(savedSteps(t, cfg.Run.Dir)) != "[4 5]" {
					t.Errorf("%s: saved %v", where, saved)
				}
			}
		}
	}
}

// TestFinalSaveFails: a run whose last checkpoint cannot be written ends with the
// error, on all ranks, and the older one is intact.
func TestFinalSaveFails(t *testing.T) {
	for _, mode := range []string{"sync", "async"} {
		cfg := besideConfig(t, mode)
		failed := false
		errs, _ := trainRanks(t, t.Context(), cfg, 2, func(rank int, _ *Config, d *Deps) {
			if rank == 1 {
				d.FS = broken{d.FS, "sync", "step-00000012.tmp", syscall.EIO, &failed}
			}
		})
		if !errors.Is(errs[1], syscall.EIO) || !errors.Is(errs[0], ranks.ErrPeer) || !strings.Contains(errs[0].Error(), "rank 1 failed: ") {
			t.Errorf("%s: the ranks ended with %q", mode, errs)
		}
		if got := fmt.Sprint(savedSteps(t, cfg.Run.Dir)); got != "[4 8]" {
			t.Errorf("%s: checkpoints of steps %v", mode, got)
		}
	}
}
