package train

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"

	"example.com/gotrain/autograd/cpu"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/mesh"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/gpt2"
	"example.com/gotrain/nn/hub/peft"
	"example.com/gotrain/nn/hub/safetensors"
	"example.com/gotrain/optim"
	"example.com/gotrain/train/checkpoint"
	"example.com/gotrain/train/engine"
	"example.com/gotrain/train/events"
	"example.com/gotrain/train/ranks"
	"example.com/gotrain/train/ranks/rankstest"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/save"
)

// gate is a disk on which the files whose names contain name are only created once
// it is open.
type gate struct {
	vfs.FS
	name   string
	opened chan struct{}
	once   sync.Once
}

func newGate(name string) *gate { return &gate{FS: noSync{}, name: name, opened: make(chan struct{})} }

func (g *gate) open() { g.once.Do(func() { close(g.opened) }) }

func (g *gate) Create(name string) (vfs.File, error) {
	if strings.Contains(name, g.name) {
		<-g.opened
	}
	return g.FS.Create(name)
}

// besideConfig saves after every fourth step of 12 and keeps all checkpoints.
func besideConfig(t *testing.T, save string) Config {
	cfg := ranksConfig(t)
	cfg.Train.Steps, cfg.Train.SaveEvery, cfg.Train.EvalEvery, cfg.Train.Keep, cfg.Train.Save = 12, 4, 0, 0, save
	return cfg
}

// sameCheckpoints compares the checkpoints of two runs bit by bit, but for what
// names the run.
func sameCheckpoints(t *testing.T, got, want string) {
	t.Helper()
	files := func(run string) map[string][]byte {
		all := map[string][]byte{}
		paths, err := filepath.Glob(filepath.Join(run, "checkpoints", "step-*", "*"))
		inFolders, _ := filepath.Glob(filepath.Join(run, "checkpoints", "step-*", "*", "*"))
		if err != nil || len(paths) == 0 {
			t.Fatalf("files %v, %v", paths, err)
		}
		for _, path := range append(paths, inFolders...) {
			if info, err := os.Stat(path); err == nil && info.IsDir() {
				continue
			}
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			name, _ := filepath.Rel(run, path)
			switch filepath.Base(path) {
			case "manifest.json": // has the sum of trainer_state.json
				content = nil
			case save.StateFile:
				s, err := save.ReadState(filepath.Dir(path))
				if err != nil {
					t.Fatal(err)
				}
				s.Config = ""
				if content, err = json.Marshal(s); err != nil {
					t.Fatal(err)
				}
			}
			all[name] = content
		}
		for _, link := range []string{checkpoint.LatestLink(run), checkpoint.BestLink(run)} {
			to, err := os.Readlink(link)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				t.Fatal(err)
			}
			all[filepath.Base(link)] = []byte(to)
		}
		return all
	}
	a, b := files(got), files(want)
	for name := range b {
		if !bytes.Equal(a[name], b[name]) {
			t.Errorf("%s of %s is not that of %s", name, got, want)
		}
	}
	if len(a) != len(b) {
		t.Errorf("%d files, want %d", len(a), len(b))
	}
}

// TestSavesBesideHoldTheirStep holds up the writing of step 4 on the last rank
// until step 7 is done: the checkpoint is that of a save for which the steps waited.
func TestSavesBesideHoldTheirStep(t *testing.T) {
	for n := 1; n <= 3; n++ {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			waiting := besideConfig(t, "sync")
			waiting.Train.Patience, waiting.Train.EvalEvery = 9, 8
			if errs, _ := trainRanks(t, t.Context(), waiting, n, nil); errors.Join(errs...) != nil {
				t.Fatal(errs)
			}
			cfg := waiting
			cfg.Run.Dir += "-beside"
			cfg.Train.Save = "async"
			held := newGate(filepath.Join("step-00000004.tmp", shard(safetensors.SingleName, n-1, n)))
			var saved []int64
			errs, losses := trainRanks(t, t.Context(), cfg, n, func(rank int, _ *Config, d *Deps) {
				if rank == n-1 {
					d.FS = held
				}
				step := d.Listener.Step
				d.Listener.Step = func(e events.Step) {
					step(e)
					if e.Record.Step != 7 {
						return
					}
					if len(saved) > 0 {
						t.Errorf("steps %v are saved while the disk of step 4 is held up", saved)
					}
					held.open()
				}
				d.Listener.Saved = func(s checkpoint.Saved) { saved = append(saved, s.Step) }
			})
			if err := errors.Join(errs...); err != nil || len(losses) != cfg.Train.Steps {
				t.Fatal(err, losses)
			}
			if !reflect.DeepEqual(saved, savedSteps(t, waiting.Run.Dir)) {
				t.Errorf("told of the checkpoints of steps %v, want %v", saved, savedSteps(t, waiting.Run.Dir))
			}
			sameCheckpoints(t, cfg.Run.Dir, waiting.Run.Dir)
			checkMetrics(t, cfg)
		})
	}
}

// TestAdaptersBesideHoldTheirStep is the same for an adapter, whose merged weights
// are computed as they are written.
func TestAdaptersBesideHoldTheirStep(t *testing.T) {
	adaptersBesideHoldTheirStep(t, mergedSection, safetensors.SingleName)
	adaptersBesideHoldTheirStep(t, loraSection, peft.WeightsFile)
}

func adaptersBesideHoldTheirStep(t *testing.T, section, held string) {
	waiting := finetuneConfig(t, section)
	waiting.Train.Steps, waiting.Train.SaveEvery, waiting.Train.EvalEvery, waiting.Train.Keep, waiting.Train.Save = 8, 4, 0, 0, "sync"
	mustTrain(t, waiting, deps(t, 1))
	cfg := waiting
	cfg.Run.Dir += "-beside"
	cfg.Train.Save = "auto"
	gate := newGate(filepath.Join("step-00000004.tmp", held))
	d := deps(t, 2)
	d.FS = gate
	opened := false
	d.Listener.Step = func(e events.Step) {
		if e.Record.Step == 6 {
			gate.open()
			opened = true
		}
	}
	mustTrain(t, cfg, d)
	if !opened {
		t.Error("no step was made while the adapter was held back")
	}
	sameCheckpoints(t, cfg.Run.Dir, waiting.Run.Dir)
}

// savedSteps lists the checkpoints of a run.
func savedSteps(t *testing.T, runDir string) []int64 {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(runDir, "checkpoints", "step-????????"))
	if err != nil {
		t.Fatal(err)
	}
	var steps []int64
	for _, path := range paths {
		found, err := checkpoint.Verify(vfs.OS{}, path)
		if err != nil {
			t.Fatal(err)
		}
		steps = append(steps, found.Step)
	}
	return steps
}

// TestOneSaveInFlight holds up the save of step 4 until the ranks wait for it at
// step 8, as the first collective after that step shows.
func TestOneSaveInFlight(t *testing.T) {
	cfg := besideConfig(t, "async")
	held := newGate(filepath.Join("step-00000004.tmp", shard(save.OptimizerFile, 1, 2)))
	var waits []save.Waited
	due := false
	errs, _ := trainRanks(t, t.Context(), cfg, 2, func(rank int, _ *Config, d *Deps) {
		if rank == 1 {
			d.FS = held
			return
		}
		d.Listener.Step = func(e events.Step) { due = e.Record.Step == 8 }
		d.Listener.SaveWaited = func(w save.Waited) { waits = append(waits, w) }
		d.Group.(*rankstest.Group).Before = func(string) error {
			if due {
				held.open()
			}
			return nil
		}
	})
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	if len(waits) != 1 || waits[0].Step != 8 || waits[0].For != 4 {
		t.Errorf("waits %+v, want that of step 8 for step 4", waits)
	}
	if got := savedSteps(t, cfg.Run.Dir); fmt.Sprint(got) != "[4 8 12]" {
		t.Errorf("checkpoints of steps %v", got)
	}
}

// TestStopDuringASave asks a run to stop while it saves.
func TestStopDuringASave(t *testing.T) {
	for n := 1; n <= 2; n++ {
		cfg := besideConfig(t, "async")
		whole := cfg
		whole.Run.Dir += "-whole"
		trainRanks(t, t.Context(), whole, n, nil)

		held := newGate("step-00000004.tmp")
		ctx, stop := context.WithCancel(t.Context())
		errs, _ := trainRanks(t, ctx, cfg, n, func(rank int, _ *Config, d *Deps) {
			d.FS = held
			d.Listener.Step = func(e events.Step) {
				if e.Record.Step == 5 {
					stop()
					go held.open()
				}
			}
		})
		for rank, err := range errs {
			if !errors.Is(err, ErrStopped) {
				t.Errorf("%d ranks: rank %d ended with %v", n, rank, err)
			}
		}
		steps := savedSteps(t, cfg.Run.Dir)
		if len(steps) != 2 || steps[0] != 4 {
			t.Errorf("%d ranks: checkpoints of steps %v, want 4 and the last", n, steps)
		}
		if errs, _ := trainRanks(t, t.Context(), cfg, n, nil); errors.Join(errs...) != nil {
			t.Error(errs)
		}
		if !bytes.Equal(bits(t, cfg.Run.Dir), bits(t, whole.Run.Dir)) {
			t.Errorf("%d ranks: other bits than a run that was not stopped", n)
		}
		checkMetrics(t, cfg)
	}
}

// TestFailureDuringASave: what all ranks fail from together still saves what is in
// flight; a rank that fails alone drops it on all.
func TestFailureDuringASave(t *testing.T) {
	for _, test := range []struct {
		name  string
		fail  func(d *Deps, step *int64, open func())
		saved string
	}{
		{"gradients that are not finite", func(d *Deps, step *int64, open func()) {
			d.Group = &spoiled{Group: d.Group, spoil: func(_ int, x []float32) {
				if *step >= 5 {
					x[0] = float32(math.NaN())
				}
			}}
			d.Listener.Skipped = func(e events.Skip) {
				if e.InARow == 2 {
					go open() // the run is about to end
				}
			}
		}, "[4]"},
		{"one rank", func(d *Deps, step *int64, open func()) {
			d.Group.(*rankstest.Group).Before = func(string) error {
				if *step < 5 {
					return nil
				}
				go open()
				return syscall.ECONNRESET
			}
		}, "[]"},
	} {
		cfg := besideConfig(t, "async")
		cfg.Train.MaxSkips = 1
		held := newGate(filepath.Join("step-00000004.tmp", shard(safetensors.SingleName, 1, 2)))
		var last int64
		errs, _ := trainRanks(t, t.Context(), cfg, 2, func(rank int, _ *Config, d *Deps) {
			if rank == 1 {
				d.FS = held
				return
			}
			test.fail(d, &last, held.open)
			d.Listener.Step = func(e events.Step) { last = e.Record.Step }
		})
		for rank, err := range errs {
			if err == nil || errors.Is(err, save.ErrRunEnds) {
				t.Errorf("%s: rank %d ended with %v", test.name, rank, err)
			}
		}
		if got := fmt.Sprint(savedSteps(t, cfg.Run.Dir)); got != test.saved {
			t.Errorf("%s: checkpoints of steps %v, want %v", test.name, got, test.saved)
		}
		if errs, _ := trainRanks(t, t.Context(), cfg, 2, nil); errors.Join(errs...) != nil {
			t.Errorf("%s: going on: %v", test.name, errs)
		}
		if left, _ := filepath.Glob(filepath.Join(cfg.Run.Dir, "checkpoints", "*.tmp")); len(left) > 0 {
			t.Errorf("%s: %v are left", test.name, left)
		}
	}
}

// TestSnapshotIsPlanned compares the memory of a snapshot with what was planned.
func TestSnapshotIsPlanned(t *testing.T) {
	for _, test := range []struct {
		name  string
		ranks int
		edit  func(*Config)
		none  bool
	}{
		{"auto alone", 1, func(*Config) {}, true},
		{"sync", 3, func(c *Config) { c.Train.Save = "sync" }, true},
		{"no save on the way", 1, func(c *Config) { c.Train.Save, c.Train.SaveEvery = "async", c.Train.Steps }, true},
		{"async", 1, func(c *Config) { c.Train.Save = "async" }, false},
		{"patience", 1, func(c *Config) { c.Train.Save, c.Train.SaveEvery, c.Train.Patience = "async", 0, 1 }, false},
		{"auto of ranks", 3, func(*Config) {}, false},
		{"cluster.zero", 3, func(c *Config) { c.Cluster.Zero = 1 }, false},
		{"auto of an adapter", 1, func(c *Config) { c.LoRA = nn.Adapter{Rank: 2} }, false},
	} {
		var all, first int64
		for rank := range test.ranks {
			cfg := tinyConfig(t)
			setGPT2(t, &cfg, func(c *gpt2.Config) { c.Vocab = 300 })
			cfg.Rank = mesh.Of(rank, test.ranks)
			test.edit(&cfg)
			job, err := table.Design(t.Context(), recipe.Env{Config: cfg})
			if err != nil {
				t.Fatal(err)
			}
			b, err := cpu.New(cpu.Config{Threads: 1, Ranks: rankstest.New(test.ranks)[rank]})
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			e, err := engine.New(cfg, job, b, ranks.Coordinate(nil))
			if err != nil {
				t.Fatal(err)
			}
			s, err := save.New(save.Config{Share: e.Programs().Share(job), Store: e.Store(), Async: e.Programs().AsyncSaves})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(s.Close)
			forecast := engine.Predict(cfg, job, e.Programs(), engine.Machine{})
			planned := forecast.SnapshotBytes
			if test.none {
				if s.Async() || planned != 0 {
					t.Errorf("%s: a snapshot of %d planned bytes", test.name, planned)
				}
				continue
			}
			if s.Bytes() != planned {
				t.Fatalf("%s: a snapshot of %d bytes is not the planned %d", test.name, s.Bytes(), planned)
			}
			if rank == 0 {
				first = planned
			} else if planned > first {
				t.Errorf("%s: rank %d copies %d bytes, rank 0, whose plan is shown, %d", test.name, rank, planned, first)
			}
			all += planned
			if rank == test.ranks-1 {
				trained := forecast.CheckpointBytes
				if cfg.LoRA.Rank > 0 {
					trained = 0
					for _, v := range e.Programs().States() {
						if strings.Contains(v.Name, "lora") {
							trained += v.Bytes()
						}
					}
				}
				if all != trained {
					t.Errorf("%s: the ranks copy %d bytes, want the %d of what is trained once", test.name, all, trained)
				}
			}
		}
	}
}

// TestSnapshotsDoNotAllocate takes one of states that all threads copy.
func TestSnapshotsDoNotAllocate(t *testing.T) {
	cfg := tinyConfig(t)
	setGPT2(t, &cfg, func(c *gpt2.Config) { c.Vocab, c.Width, c.Layers = 5000, 128, 1 })
	cfg.Train.Save = "async"
	e := newTestEngine(t, cfg, 2)
	var names []string
	for _, v := range e.Programs().States() {
		if !optim.IsState(v.Name) {
			names = append(names, v.Name)
		}
	}
	s, err := exec.NewSnapshot(e.Store(), names, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if allocs := testing.AllocsPerRun(10, func() {
		if err := s.Take(); err != nil {
			t.Fatal(err)
		}
	}); allocs > 0 {
		t.Errorf("a snapshot allocates %g times", allocs)
	}
	for _, v := range e.Programs().States() {
		if optim.IsState(v.Name) {
			continue
		}
		want := make([]float32, v.Shape.Size())
		if err := e.Store().Read(v.Name, want); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(s.View(v.Name), want) {
			t.Errorf("%s is not what the store holds", v.Name)
		}
	}
}
