package train

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"example.com/gotrain/data/vfs"
	"example.com/gotrain/data/vfs/vfstest"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/nn/hub/manifest"
	"example.com/gotrain/nn/hub/safetensors"
	"example.com/gotrain/train/checkpoint"
	"example.com/gotrain/train/ranks/rankstest"
	"example.com/gotrain/train/save"
)

// TestRanksDiskErrors has one operation on the disk of one rank of three fail, at
// random between the first step and the end: at most one save fails, on all ranks,
// with a warning that names the rank; what was acknowledged is there and whole; and
// the run, or one that is started again, ends with the bits of the undisturbed one.
func TestRanksDiskErrors(t *testing.T) {
	cfg := ranksConfig(t)
	cfg.Train.Steps, cfg.Train.SaveEvery, cfg.Train.EvalEvery, cfg.Train.Keep = 6, 2, 0, 0
	whole := cfg
	whole.Run.Dir += "-whole"
	var first [3]int // operation of each rank when the first sum is due
	var disks [3]*vfstest.Fault
	errs, _ := trainRanks(t, t.Context(), whole, 3, func(rank int, _ *Config, d *Deps) {
		disks[rank] = vfstest.NewFault(noSync{})
		d.FS = disks[rank]
		d.Group.(*rankstest.Group).Before = func(collective string) error {
			if collective == "AllReduce" && first[rank] == 0 {
				first[rank] = len(disks[rank].Trace())
			}
			return nil
		}
	})
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	want := bits(t, whole.Run.Dir)

	random := rand.New(rand.NewPCG(17, 17))
	failures := 0
	for range 60 {
		cfg.Run.Dir = filepath.Join(t.TempDir(), "run")
		victim := random.IntN(3)
		operations := len(disks[victim].Trace()) - first[victim]
		errno := []syscall.Errno{syscall.ENOSPC, syscall.EFBIG, syscall.EIO, syscall.EDQUOT}[random.IntN(4)]
		fault := vfstest.NewFault(noSync{})
		at := first[victim] + random.IntN(operations)
		fault.FailAt(at, errno)
		var saved []int64
		var failed []error
		errs, losses := trainRanks(t, t.Context(), cfg, 3, func(rank int, _ *Config, d *Deps) {
			if rank == victim {
				d.FS = fault
			}
			d.Listener.Saved = func(s checkpoint.Saved) { saved = append(saved, s.Step) }
			d.Listener.SaveFailed = func(err error) { failed = append(failed, err) }
		})
		where := fmt.Sprintf("%v at %q of rank %d", errno, fault.Trace()[at], victim)
		if err := errs[victim]; err != nil { // only the last save ends a run
			failed = append(failed, fmt.Errorf("rank %d failed: %w", victim, err))
		}
		if len(losses) != cfg.Train.Steps || len(failed) > 1 || len(saved)+len(failed) != 3 {
			t.Fatalf("%s: %d steps, saved %v, failed %q", where, len(losses), saved, failed)
		}
		for _, err := range failed {
			failures++
			if !strings.Contains(err.Error(), fmt.Sprintf("rank %d failed", victim)) || !strings.Contains(err.Error(), errno.Error()) {
				t.Errorf("%s: warning %q", where, err)
			}
		}
		if got := savedSteps(t, cfg.Run.Dir); !slices.Equal(got, saved) {
			t.Errorf("%s: acknowledged %v, on the disk %v", where, saved, got)
		}
		if errors.Join(errs...) != nil {
			if errs, _ = trainRanks(t, t.Context(), cfg, 3, nil); errors.Join(errs...) != nil {
				t.Fatalf("%s: the run does not go on: %v", where, errors.Join(errs...))
			}
		}
		if !bytes.Equal(bits(t, cfg.Run.Dir), want) {
			t.Errorf("%s: other bits than undisturbed", where)
		}
	}
	if failures < 20 {
		t.Errorf("%d of 60 runs had a save that failed", failures)
	}
}

// TestRanksPowerLoss trains three ranks on a disk that loses what was not synced,
// takes the power away at random operations, and goes on with one to four ranks:
// every checkpoint that was acknowledged is whole.
func TestRanksPowerLoss(t *testing.T) {
	cfg := ranksConfig(t)
	cfg.Train.Steps, cfg.Train.SaveEvery, cfg.Train.EvalEvery, cfg.Train.Keep = 6, 2, 0, 0
	on := func(fsys vfs.FS, saved func(checkpoint.Saved)) func(int, *Config, *Deps) {
		return func(_ int, _ *Config, d *Deps) { d.FS, d.Listener.Saved = fsys, saved }
	}
	fault := vfstest.NewFault(vfstest.NewMem())
	errs, want := trainRanks(t, t.Context(), cfg, 3, on(fault, nil))
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	operations := len(fault.Trace())

	random := rand.New(rand.NewPCG(5, 5))
	lost := 0
	for round := range 24 {
		disk := vfstest.NewMem()
		fault := vfstest.NewFault(disk)
		moment := random.IntN(operations)
		fault.CrashAt(moment)
		var acknowledged []checkpoint.Saved
		errs, _ := trainRanks(t, t.Context(), cfg, 3, on(fault, func(s checkpoint.Saved) { acknowledged = append(acknowledged, s) }))
		if errors.Join(errs...) != nil {
			lost++
		}
		luck := random
		if round%2 == 0 {
			luck = nil // nothing that was not synced is left
		}
		own := cfg
		own.Cluster.Zero = round / 2 % 2 // without it or with it, whatever saved
		own.Run.Dir = filepath.Join(t.TempDir(), "run")
		unpack(t, disk.PowerLoss(luck), cfg.Run.Dir, own.Run.Dir)
		for _, s := range acknowledged {
			if _, err := checkpoint.Verify(vfs.OS{}, checkpoint.Dir(own.Run.Dir, s.Step)); err != nil {
				t.Fatalf("power lost at %q: step %d was acknowledged: %v", fault.Trace()[moment], s.Step, err)
			}
		}
		ranks := 1 + round%4
		errs, losses := trainRanks(t, t.Context(), own, ranks, nil)
		if err := errors.Join(errs...); err != nil {
			t.Fatalf("power lost at %q, %d ranks go on: %v", fault.Trace()[moment], ranks, err)
		}
		if len(losses) > cfg.Train.Steps-2*len(acknowledged) {
			t.Errorf("%d checkpoints were acknowledged and %d steps made again", len(acknowledged), len(losses))
		}
		if err := near(losses, want[len(want)-len(losses):]); err != nil {
			t.Errorf("%d ranks after a power loss: %v", ranks, err)
		}
	}
	if lost < 18 {
		t.Errorf("%d of 24 runs ended by the loss of power", lost)
	}
}

// unpack copies a directory of fsys, which may be missing, onto the real disk.
func unpack(t *testing.T, fsys vfs.FS, from, to string) {
	t.Helper()
	entries, err := fsys.ReadDir(from)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	if err := os.MkdirAll(to, 0o777); err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		source, target := filepath.Join(from, e.Name()), filepath.Join(to, e.Name())
		switch {
		case e.IsDir():
			unpack(t, fsys, source, target)
		case e.Type() == fs.ModeSymlink:
			link, err := fsys.Readlink(source)
			if err := errors.Join(err, os.Symlink(link, target)); err != nil {
				t.Fatal(err)
			}
		default:
			text, err := vfs.ReadFile(fsys, source, 1<<30)
			if err := errors.Join(err, os.WriteFile(target, text, 0o666)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestRanksDamage damages the newest checkpoint of two ranks in every way and goes
// on with three, or with one: it is set aside, the one before is used, and its step
// is saved again.
func TestRanksDamage(t *testing.T) {
	change := func(name string, f func([]byte) []byte) func(string) error {
		return func(dir string) error {
			text, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(dir, name), f(text), 0o666)
		}
	}
	flip := func(text []byte) []byte { text[len(text)/2] ^= 4; return text }
	cut := func(text []byte) []byte { return text[:len(text)/2] }
	remove := func(name string) func(string) error {
		return func(dir string) error { return os.Remove(filepath.Join(dir, name)) }
	}
	// add puts a shard of another number of ranks beside those that are there.
	add := func(name string) func(string) error {
		return func(dir string) error {
			return os.Link(filepath.Join(dir, shard(safetensors.SingleName, 0, 2)), filepath.Join(dir, name))
		}
	}
	for name, damage := range map[string]func(dir string) error{
		"flip in a shard of weights":        change(shard(safetensors.SingleName, 0, 2), flip),
		"flip in a shard of the optimizer":  change(shard(save.OptimizerFile, 1, 2), flip),
		"flip in the index":                 change(safetensors.IndexName, flip),
		"flip in the manifest":              change("manifest.json", flip),
		"half a shard of weights":           change(shard(safetensors.SingleName, 1, 2), cut),
		"half a shard of the optimizer":     change(shard(save.OptimizerFile, 0, 2), cut),
		"half a manifest":                   change("manifest.json", cut),
		"no shard of weights":               remove(shard(safetensors.SingleName, 1, 2)),
		"no shard of the optimizer":         remove(shard(save.OptimizerFile, 1, 2)),
		"no index":                          remove(safetensors.IndexName),
		"no manifest":                       remove("manifest.json"),
		"a shard of three ranks":            add(shard(safetensors.SingleName, 2, 3)),
		"a shard of the optimizer of three": add(shard(save.OptimizerFile, 0, 3)),
		"weights of one process":            add(safetensors.SingleName),
	} {
		t.Run(name, func(t *testing.T) {
			for _, ranks := range []int{3, 1} {
				cfg := ranksConfig(t)
				cfg.Train.Steps, cfg.Train.SaveEvery, cfg.Train.EvalEvery = 4, 2, 0
				errs, want := trainRanks(t, t.Context(), cfg, 2, nil)
				dir, err := hub.FindCheckpoint(cfg.Run.Dir)
				if err := errors.Join(append(errs, err)...); err != nil {
					t.Fatal(err)
				}
				if err := damage(dir); err != nil {
					t.Fatal(err)
				}
				var events []checkpoint.Event
				errs, losses := trainRanks(t, t.Context(), cfg, ranks, func(_ int, _ *Config, d *Deps) {
					d.Listener.Checkpoint = func(e checkpoint.Event) { events = append(events, e) }
				})
				if err := errors.Join(errs...); err != nil {
					t.Fatal(err)
				}
				var why *manifest.DamageError
				if len(events) == 0 || events[0].Kind != checkpoint.Quarantined || events[0].Step != 4 || !errors.As(events[0].Err, &why) {
					t.Errorf("events %v, want that step 4 was set aside", events)
				}
				if _, err := os.Stat(dir + ".damaged"); err != nil {
					t.Error(err)
				}
				if err := near(losses, want[2:]); err != nil {
					t.Errorf("steps made again by %d ranks: %v", ranks, err)
				}
				checkShards(t, cfg.Run.Dir, ranks)
			}
		})
	}
}
