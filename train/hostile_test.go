package train

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/train/save"
)

// hostileDir trains two ranks and returns their checkpoint and the names of its
// files, but for the manifest: without one nothing is compared with checksums, as
// in a directory from elsewhere.
func hostileDir(t testing.TB, cfg Config) (dir string, names []string) {
	t.Helper()
	cfg.Train.Steps, cfg.Train.SaveEvery, cfg.Train.EvalEvery = 2, 0, 0
	errs, _ := trainRanks(t, t.Context(), cfg, 2, nil)
	dir, err := hub.FindCheckpoint(cfg.Run.Dir)
	if err := errors.Join(append(errs, err)...); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != "manifest.json" {
			names = append(names, e.Name())
		}
	}
	return dir, names
}

// FuzzCheckpoint puts other bytes in the place of a file of a checkpoint: reading it
// ends, in little memory, with a model or an error.
func FuzzCheckpoint(f *testing.F) {
	dir, names := hostileDir(f, ranksConfig(f))
	for i, name := range names {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(i), text)
		f.Add(uint8(i), text[:len(text)/2])
	}
	f.Fuzz(func(t *testing.T, which uint8, text []byte) {
		changed := t.TempDir()
		for i, name := range names {
			var err error
			if i == int(which)%len(names) {
				err = os.WriteFile(filepath.Join(changed, name), text, 0o666)
			} else {
				err = os.Link(filepath.Join(dir, name), filepath.Join(changed, name))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		l, err := hub.Load(changed, "", backend(t, 1), vfs.OS{}, table.Families)
		if err == nil && l.Model == nil {
			t.Error("neither a model nor an error")
		}
		if err == nil {
			_, _ = save.Restore(l.Store, vfs.OS{}, changed, []save.Model{{Model: l.Model}}, save.Rows{})
		}
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 256<<20 {
			t.Errorf("%s of %d bytes took %d MiB", names[int(which)%len(names)], len(text), n>>20)
		}
	})
}

// TestHostileState gives trainer_state.json what no run leaves.
func TestHostileState(t *testing.T) {
	for text, want := range map[string]bool{
		`{"step": 3, "applied": 2, "samples": 18, "tokens": 288}`: true,
		`{"step": 3, "applied": 4}`:                               false,
		`{"step": -1}`:                                            false,
		`{"samples": -1}`:                                         false,
		`{"tokens": -9223372036854775808}`:                        false,
		`{"samples": 1e30}`:                                       false,
		`{"step": `:                                               false,
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, save.StateFile), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := save.ReadState(dir); (err == nil) != want {
			t.Errorf("%s: %v", text, err)
		}
	}
}
