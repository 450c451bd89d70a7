package train

import (
	"errors"
	"fmt"
	"gotrain/autograd/mesh"
	"io"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"gotrain/data/vfs"
	"gotrain/data/vfs/vfstest"
	"gotrain/train/checkpoint"
	"gotrain/train/ranks"
	"gotrain/train/ranks/rankstest"
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
				{0, "sync", StateFile}, {1, "sync", "optimizer-"}, {0, "write", "manifest"},
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

// TestPowerLossOfASave cuts the power of a disk that two ranks share at every
// operation of the second of two saves: one of the two is there and whole, and the
// second if it was acknowledged.
func TestPowerLossOfASave(t *testing.T) {
	content := func(step, rank int) string { return strings.Repeat(fmt.Sprintf("step %d rank %d\n", step, rank), 50) }
	// saveAll saves a step on two ranks and tells whether rank 0 acknowledged it.
	saveAll := func(fsys vfs.FS, step int) bool {
		var all sync.WaitGroup
		saved := false
		for rank, group := range rankstest.New(2) {
			s := &save{fsys: fsys, runDir: "run", rank: mesh.Of(rank, 2), step: step, keep: 1, files: []checkpoint.File{{
				Name:  fmt.Sprintf("part-%d", rank),
				Write: func(w io.Writer) error { _, err := io.WriteString(w, content(step, rank)); return err },
			}}}
			all.Go(func() {
				if _, err := s.write(newCoordinator(group).exchange); err == nil && rank == 0 {
					saved = true
				}
			})
		}
		all.Wait()
		return saved
	}
	for n := 0; ; n++ {
		disk := vfstest.NewMem()
		if err := errors.Join(disk.Mkdir("run"), disk.SyncDir(".")); err != nil {
			t.Fatal(err)
		}
		if !saveAll(disk, 10) {
			t.Fatal("the first save failed")
		}
		fault := vfstest.NewFault(disk)
		fault.CrashAt(n)
		acknowledged := saveAll(fault, 20)
		if len(fault.Trace()) <= n {
			return // the save ended before
		}
		left := []*vfstest.Mem{disk, disk.PowerLoss(nil)}
		for seed := range uint64(4) {
			left = append(left, disk.PowerLoss(rand.New(rand.NewPCG(seed, uint64(n)))))
		}
		for _, fsys := range left {
			found, _, err := checkpoint.Latest(fsys, "run")
			if err != nil {
				t.Fatalf("power lost at %d %s: %v", n, fault.Trace()[n], err)
			}
			step := int(found.Manifest.Step)
			if acknowledged && step != 20 {
				t.Fatalf("power lost at %d %s: the acknowledged step 20 is gone", n, fault.Trace()[n])
			}
			for rank := range 2 {
				got, err := vfs.ReadFile(fsys, filepath.Join(found.Path, fmt.Sprintf("part-%d", rank)), 1<<20)
				if err != nil || string(got) != content(step, rank) {
					t.Fatalf("power lost at %d %s: rank %d of step %d: %v", n, fault.Trace()[n], rank, step, err)
				}
			}
			if !saveAll(fsys, 30) {
				t.Fatalf("power lost at %d %s: the next save fails", n, fault.Trace()[n])
			}
		}
	}
}

// TestEndedSaveStops: a save that is not to go on ends between two pieces of a file.
func TestEndedSaveStops(t *testing.T) {
	ended := make(chan struct{})
	s := &save{fsys: vfstest.NewMem(), runDir: "run", step: 10, ended: ended, files: []checkpoint.File{{
		Name: "part",
		Write: func(w io.Writer) error {
			if _, err := io.WriteString(w, "first"); err != nil {
				t.Errorf("before its end: %v", err)
			}
			close(ended)
			_, err := io.WriteString(w, "second")
			return err
		},
	}}}
	if _, err := s.write(newCoordinator(nil).exchange); !errors.Is(err, errRunEnds) {
		t.Errorf("it ended with %v", err)
	}
	if _, _, err := checkpoint.Latest(s.fsys, "run"); !errors.Is(err, checkpoint.ErrNone) {
		t.Errorf("it left %v", err)
	}
}
