package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn/hub/manifest"
)

// damages are the ways in which a checkpoint directory goes bad.
var damages = []struct {
	name string
	do   func(t *testing.T, dir string, rng *rand.Rand)
}{
	{"bit flip", func(t *testing.T, dir string, rng *rand.Rand) {
		rewrite(t, anyFile(t, dir, rng), func(data []byte) []byte {
			data[rng.IntN(len(data))] ^= 1 << rng.IntN(8)
			return data
		})
	}},
	{"truncation", func(t *testing.T, dir string, rng *rand.Rand) {
		rewrite(t, anyFile(t, dir, rng), func(data []byte) []byte { return data[:rng.IntN(len(data))] })
	}},
	{"bytes added", func(t *testing.T, dir string, rng *rand.Rand) {
		rewrite(t, anyFile(t, dir, rng), func(data []byte) []byte { return append(data, byte(rng.Uint32())) })
	}},
	{"missing file", func(t *testing.T, dir string, rng *rand.Rand) {
		check(t, os.Remove(anyFile(t, dir, rng)))
	}},
	{"extra file", func(t *testing.T, dir string, rng *rand.Rand) {
		check(t, os.WriteFile(filepath.Join(dir, "model-00002.safetensors"), nil, 0o666))
	}},
	{"directory for a file", func(t *testing.T, dir string, rng *rand.Rand) {
		name := anyFile(t, dir, rng)
		check(t, os.Remove(name))
		check(t, os.Mkdir(name, 0o777))
	}},
	{"file of another step", func(t *testing.T, dir string, rng *rand.Rand) {
		name := anyFile(t, dir, rng)
		inside, err := filepath.Rel(dir, name)
		check(t, err)
		other, err := os.ReadFile(filepath.Join(filepath.Dir(dir), stepName(30), inside))
		check(t, err)
		check(t, os.WriteFile(name, other, 0o666))
	}},
	{"file for the directory", func(t *testing.T, dir string, rng *rand.Rand) {
		check(t, os.RemoveAll(dir))
		check(t, os.WriteFile(dir, []byte("no directory"), 0o666))
	}},
	{"empty directory", func(t *testing.T, dir string, rng *rand.Rand) {
		check(t, os.RemoveAll(dir))
		check(t, os.Mkdir(dir, 0o777))
	}},
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func anyFile(t *testing.T, dir string, rng *rand.Rand) string {
	t.Helper()
	var files []string
	check(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			files = append(files, path)
		}
		return err
	}))
	return files[rng.IntN(len(files))]
}

func rewrite(t *testing.T, name string, change func([]byte) []byte) {
	t.Helper()
	data, err := os.ReadFile(name)
	check(t, err)
	check(t, os.WriteFile(name, change(data), 0o666))
}

func TestDamageIsSetAside(t *testing.T) {
	disk := noSync{vfs.OS{}}
	older, newer := version{30, 0}, version{40, 0}
	for seed := range uint64(5) {
		for i, damage := range damages {
			rng := rand.New(rand.NewPCG(seed, uint64(i)))
			runDir := t.TempDir()
			for _, v := range []version{older, newer} {
				_, err := Save(disk, runDir, v.checkpoint())
				check(t, err)
			}
			damage.do(t, Dir(runDir, newer.step), rng)

			// Twice: the second time the quarantine's name is taken.
			for try := 1; try <= 2; try++ {
				found, events, err := Latest(disk, runDir)
				check(t, err)
				if v, err := saved(disk, found); err != nil || v != older {
					t.Fatalf("%s: Latest is %v, %v; want %v", damage.name, v, err, older)
				}
				want := Dir(runDir, newer.step) + damagedSuffix
				if try == 2 {
					want += "-2"
				}
				var why *manifest.DamageError
				if len(events) != 1 || events[0].Kind != Quarantined || events[0].MovedTo != want || !errors.As(events[0].Err, &why) {
					t.Fatalf("%s: events %v, want a quarantine as %s", damage.name, events, want)
				}
				if target, err := disk.Readlink(LatestLink(runDir)); err != nil || target != stepName(older.step) {
					t.Fatalf("%s: latest → %s, %v", damage.name, target, err)
				}
				_, err = Save(disk, runDir, newer.checkpoint())
				check(t, err)
				if try == 1 {
					found, _, err := Latest(disk, runDir)
					check(t, err)
					if v, err := saved(disk, found); err != nil || v != newer {
						t.Fatalf("%s: step saved again is %v, %v", damage.name, v, err)
					}
					damage.do(t, Dir(runDir, newer.step), rng)
				}
			}
		}
	}
}

// TestEveryBitOfTheManifest flips each bit of a manifest, which no checksum covers.
func TestEveryBitOfTheManifest(t *testing.T) {
	fsys := durableRun(t)
	s, err := Save(fsys, "run", version{10, 0}.checkpoint())
	check(t, err)
	name := filepath.Join(s.Path, manifest.Name)
	data, err := vfs.ReadFile(fsys, name, manifest.MaxSize)
	check(t, err)
	for i := range len(data) * 8 {
		data[i/8] ^= 1 << (i % 8)
		f, err := fsys.Create(name)
		check(t, err)
		_, err = f.Write(data)
		check(t, err)
		var damage *manifest.DamageError
		if _, err := Verify(fsys, s.Path); !errors.As(err, &damage) {
			t.Fatalf("bit %d of byte %d (%q now): %v", i%8, i/8, data[i/8], err)
		}
		data[i/8] ^= 1 << (i % 8)
	}
}

func TestAllDamagedIsNotNone(t *testing.T) {
	runDir := t.TempDir()
	if _, _, err := Latest(vfs.OS{}, runDir); !errors.Is(err, ErrNone) {
		t.Fatalf("empty run: %v", err)
	}
	s, err := Save(vfs.OS{}, runDir, version{10, 0}.checkpoint())
	check(t, err)
	check(t, os.Remove(filepath.Join(s.Path, manifest.Name)))
	if _, events, err := Latest(vfs.OS{}, runDir); !errors.Is(err, ErrNoneGood) || len(events) != 1 {
		t.Fatalf("damaged run: %v, %v", events, err)
	}
}

func TestDotFilesAreIgnored(t *testing.T) {
	s, err := Save(vfs.OS{}, t.TempDir(), version{10, 0}.checkpoint())
	check(t, err)
	check(t, os.WriteFile(filepath.Join(s.Path, ".DS_Store"), nil, 0o666))
	if _, err := Verify(vfs.OS{}, s.Path); err != nil {
		t.Fatal(err)
	}
}

func ExampleEvent() {
	fmt.Println(Event{
		Kind: Quarantined, Step: 20, Path: "run/checkpoints/step-00000020", MovedTo: "run/checkpoints/step-00000020.damaged",
		Err: &manifest.DamageError{Path: "run/checkpoints/step-00000020", File: "model.safetensors", Problem: "12 bytes, want 16"},
	})
	// Output: checkpoint quarantined: run/checkpoints/step-00000020 → run/checkpoints/step-00000020.damaged: run/checkpoints/step-00000020 is damaged: model.safetensors: 12 bytes, want 16
}
