package checkpoint

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"example.com/gotrain/data/vfs"
	"example.com/gotrain/data/vfs/vfstest"
)

// version is one save in a test: a step may be saved twice.
type version struct {
	step int64
	try  int
}

// history is a run with retention (keep 2) and a second save of step 20.
var history = []version{{10, 0}, {20, 0}, {20, 1}, {30, 0}, {40, 0}}

const keep = 2

// body is what a version's file holds; files written by other versions differ.
func (v version) body(name string) string {
	return strings.Repeat(fmt.Sprintf("%s of step %d try %d\n", name, v.step, v.try), 40)
}

var fileNames = []string{"adapter/adapter.json", "config.json", "model.safetensors", "optimizer.safetensors"}

func (v version) checkpoint() Checkpoint {
	c := Checkpoint{Step: v.step, Keep: keep}
	for _, name := range fileNames {
		c.Files = append(c.Files, File{Name: name, Write: func(w io.Writer) error {
			_, err := io.WriteString(w, v.body(name))
			return err
		}})
	}
	return c
}

// saved tells which version a checkpoint directory holds; a mixture is an error.
func saved(fsys vfs.FS, found Found) (version, error) {
	for _, v := range history {
		if v.step != found.Manifest.Step {
			continue
		}
		matches := 0
		for _, name := range fileNames {
			data, err := vfs.ReadFile(fsys, filepath.Join(found.Path, name), 1<<20)
			if err != nil {
				return version{}, err
			}
			if string(data) == v.body(name) {
				matches++
			}
		}
		if matches == len(fileNames) {
			return v, nil
		}
		if matches > 0 {
			return version{}, fmt.Errorf("%s is a mixture of saves", found.Path)
		}
	}
	return version{}, fmt.Errorf("%s holds no known save", found.Path)
}

// runHistory saves until a save fails. It returns how many were acknowledged.
func runHistory(fsys vfs.FS, runDir string, history []version) (acknowledged int) {
	for _, v := range history {
		if _, err := Save(fsys, runDir, v.checkpoint()); err != nil {
			return acknowledged
		}
		acknowledged++
	}
	return acknowledged
}

// countOps says how many operations the history takes.
func countOps(t *testing.T, fsys vfs.FS, runDir string, history []version) int {
	t.Helper()
	fault := vfstest.NewFault(fsys)
	if n := runHistory(fault, runDir, history); n != len(history) {
		t.Fatalf("%d of %d saves without a fault", n, len(history))
	}
	return len(fault.Trace())
}

// checkSurvivor checks what a crash left, then goes on with the run.
func checkSurvivor(t *testing.T, fsys vfs.FS, runDir string, acknowledged int, crash string) {
	t.Helper()
	checkLatest(t, fsys, runDir, acknowledged, crash)
	for _, v := range append(history[acknowledged:], version{50, 0}) {
		if _, err := Save(fsys, runDir, v.checkpoint()); err != nil {
			t.Fatalf("after %s: %v", crash, err)
		}
	}
	checkClean(t, fsys, runDir)
}

// checkLatest checks that Latest gives the last acknowledged version or the one
// whose save the crash interrupted.
func checkLatest(t *testing.T, fsys vfs.FS, runDir string, acknowledged int, crash string) {
	t.Helper()
	defer func() {
		if t.Failed() {
			t.Log("after ", crash)
		}
	}()
	found, events, err := Latest(fsys, runDir)
	for _, e := range events {
		if e.Kind != Recovered {
			t.Errorf("a crash alone gave the event %v", e)
		}
	}
	switch {
	case errors.Is(err, ErrNone) && acknowledged == 0:
	case err != nil:
		t.Fatalf("%d acknowledged, Latest: %v", acknowledged, err)
	default:
		v, err := saved(fsys, found)
		if err != nil {
			t.Fatal(err)
		}
		if i := slices.Index(history, v); i != acknowledged-1 && i != acknowledged {
			t.Fatalf("Latest is %v, acknowledged were %v", v, history[:acknowledged])
		}
		if target, err := fsys.Readlink(LatestLink(runDir)); err != nil || target != filepath.Base(found.Path) {
			t.Fatalf("latest → %q, %v; want %s", target, err, found.Path)
		}
	}
}

// checkAllWhole checks that every directory named as a checkpoint is one.
func checkAllWhole(t *testing.T, fsys vfs.FS, runDir, crash string) {
	t.Helper()
	l, err := list(fsys, runDir)
	check(t, err)
	for _, step := range l.steps {
		if _, err := Verify(fsys, Dir(runDir, step)); err != nil {
			t.Errorf("after %s: %v", crash, err)
		}
	}
}

// checkClean checks that the run stands as a run without any fault.
func checkClean(t *testing.T, fsys vfs.FS, runDir string) {
	t.Helper()
	entries, err := fsys.ReadDir(filepath.Join(runDir, folder))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if want := []string{latestName, stepName(40), stepName(50)}; !slices.Equal(names, want) {
		t.Fatalf("checkpoints holds %v, want %v", names, want)
	}
	for _, step := range []int64{40, 50} {
		if _, err := Verify(fsys, Dir(runDir, step)); err != nil {
			t.Fatal(err)
		}
	}
}

// durableRun gives a filesystem whose empty run directory survives anything.
func durableRun(t *testing.T) *vfstest.Mem {
	t.Helper()
	fsys := vfstest.NewMem()
	if err := vfs.MkdirAll(fsys, "run"); err != nil {
		t.Fatal(err)
	}
	return fsys
}

func TestCrashAtEveryOperation(t *testing.T) {
	total := countOps(t, durableRun(t), "run", history)
	for n := range total {
		fsys := durableRun(t)
		fault := vfstest.NewFault(fsys)
		fault.CrashAt(n)
		acknowledged := runHistory(fault, "run", history)
		crash := fmt.Sprintf("a crash at %d %s", n, fault.Trace()[n])
		for seed := range uint64(3) {
			rng := rand.New(rand.NewPCG(seed, uint64(n)))
			checkSurvivor(t, fsys.PowerLoss(rng), "run", acknowledged, crash)
		}
		checkSurvivor(t, fsys.PowerLoss(nil), "run", acknowledged, crash)
		// A kill loses nothing, so whatever is named as a checkpoint is whole.
		checkAllWhole(t, fsys, "run", crash)
		checkSurvivor(t, fsys, "run", acknowledged, crash)
	}
}

// TestCrashTwice kills the process, goes on with the run and loses power then.
func TestCrashTwice(t *testing.T) {
	total := countOps(t, durableRun(t), "run", history)
	rng := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		fsys := durableRun(t)
		fault := vfstest.NewFault(fsys)
		first := rng.IntN(total)
		fault.CrashAt(first)
		acknowledged := runHistory(fault, "run", history)
		second := rng.IntN(total)
		fault.CrashAt(second)
		for _, v := range history[acknowledged:] {
			if _, err := Save(fault, "run", v.checkpoint()); err != nil {
				break
			}
			acknowledged++
		}
		var loss *rand.Rand
		if rng.IntN(2) == 0 {
			loss = rng
		}
		checkSurvivor(t, fsys.PowerLoss(loss), "run", acknowledged,
			fmt.Sprintf("a kill at %d, then a power loss at %d", first, second))
	}
}

// TestCrashTwiceInASecondSave kills the second save of a step where its renames
// are not durable yet, and loses power at every operation of the next try.
func TestCrashTwiceInASecondSave(t *testing.T) {
	first, second := history[1].checkpoint(), history[2].checkpoint()
	// begin saves the first version, then the second until operation n.
	begin := func(n int) (*vfstest.Mem, *vfstest.Fault) {
		fsys := durableRun(t)
		_, err := Save(fsys, "run", first)
		check(t, err)
		fault := vfstest.NewFault(fsys)
		fault.CrashAt(n)
		Save(fault, "run", second)
		return fsys, fault
	}
	_, whole := begin(1 << 30)
	for n, op := range whole.Trace() {
		if !strings.HasPrefix(op, "rename") && !strings.HasPrefix(op, "syncdir") {
			continue
		}
		for again := range len(whole.Trace()) + 10 {
			fsys, fault := begin(n)
			fault.CrashAt(again)
			Save(fault, "run", second)
			for seed := range uint64(4) {
				left := fsys.PowerLoss(rand.New(rand.NewPCG(seed, uint64(again))))
				found, events, err := Latest(left, "run")
				if err == nil {
					_, err = saved(left, found)
				}
				if err != nil || found.Manifest.Step != first.Step {
					t.Fatalf("killed at %d %s, then power lost at %d, seed %d: %v, %v", n, op, again, seed, err, events)
				}
			}
		}
	}
}

// noSync makes the tests on the real disk fast; a kill needs no sync.
type noSync struct{ vfs.FS }

func (noSync) SyncDir(string) error { return nil }

func (n noSync) Create(name string) (vfs.File, error) {
	f, err := n.FS.Create(name)
	if err != nil {
		return nil, err
	}
	return noSyncFile{f}, nil
}

type noSyncFile struct{ vfs.File }

func (noSyncFile) Sync() error { return nil }

func TestKillAtEveryOperationOnDisk(t *testing.T) {
	disk := noSync{vfs.OS{}}
	short := history[:3]
	total := countOps(t, disk, filepath.Join(t.TempDir(), "run"), short)
	for n := range total {
		runDir := filepath.Join(t.TempDir(), "run")
		fault := vfstest.NewFault(disk)
		fault.CrashAt(n)
		acknowledged := runHistory(fault, runDir, short)
		crash := fmt.Sprintf("a kill at %d %s", n, fault.Trace()[n])
		checkAllWhole(t, disk, runDir, crash)
		if n%5 == 0 {
			checkSurvivor(t, disk, runDir, acknowledged, crash)
		} else {
			checkLatest(t, disk, runDir, acknowledged, crash)
		}
	}
}

func TestErrorAtEveryOperation(t *testing.T) {
	total := countOps(t, durableRun(t), "run", history)
	cures := map[error]string{
		syscall.ENOSPC: "free space",
		syscall.EIO:    "kernel log",
		syscall.EFBIG:  "ulimit -f",
	}
	for n := range total {
		for errno, cure := range cures {
			fsys := durableRun(t)
			fault := vfstest.NewFault(fsys)
			fault.FailAt(n, errno)
			var newest version
			failures := 0
			for _, v := range history {
				_, err := Save(fault, "run", v.checkpoint())
				if err == nil {
					newest = v
					continue
				}
				failures++
				where := fmt.Sprintf("%v at %d %s", errno, n, fault.Trace()[n])
				var failed *SaveError
				if !errors.As(err, &failed) || !errors.Is(err, errno) || !strings.Contains(err.Error(), cure) {
					t.Fatalf("%s: error does not name cause and cure: %v", where, err)
				}
				if _, err := fsys.Stat(LatestLink("run")); err != nil && newest.step != 0 {
					t.Fatalf("%s: latest leads nowhere: %v", where, err)
				}
				found, _, err := Latest(fsys, "run")
				if newest.step == 0 {
					if !errors.Is(err, ErrNone) {
						t.Fatalf("%s: Latest found %v, %v; nothing was saved", where, found, err)
					}
				} else if err != nil {
					t.Fatalf("%s: %v", where, err)
				} else if got, err := saved(fsys, found); err != nil || got != newest {
					t.Fatalf("%s: Latest is %v, %v; want %v", where, got, err, newest)
				}
				if names, err := fsys.ReadDir("run/checkpoints"); err == nil {
					for _, e := range names {
						if strings.HasSuffix(e.Name(), vfs.TempSuffix) {
							t.Fatalf("%s: %s is left", where, e.Name())
						}
					}
				}
				// The run goes on: the failed save is tried again.
				if _, err := Save(fault, "run", v.checkpoint()); err != nil {
					t.Fatalf("%s: next save: %v", where, err)
				}
				newest = v
			}
			if failures > 1 {
				t.Fatalf("one fault failed %d saves", failures)
			}
		}
	}
}
