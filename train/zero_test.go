package train

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/mesh"
	"example.com/gotrain/nn/gpt2"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/optim"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/engine"
	"example.com/gotrain/train/events"
	"example.com/gotrain/train/ranks"
	"example.com/gotrain/train/ranks/rankstest"
	"example.com/gotrain/train/recipe"
)

// saved returns all tensors of the newest checkpoint of a run, by name.
func saved(t *testing.T, runDir string) map[string][]byte {
	t.Helper()
	dir, err := hub.FindCheckpoint(runDir)
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.safetensors"))
	if err != nil || len(files) < 2 {
		t.Fatalf("weights and optimizer in %v, %v", files, err)
	}
	all := map[string][]byte{}
	for _, file := range files {
		for name, data := range tensors(t, file) {
			if all[name] != nil {
				t.Errorf("%s: %s is in another file too", file, name)
			}
			all[name] = data
		}
	}
	return all
}

// zeroCases are configurations whose updates differ.
var zeroCases = []struct {
	name string
	edit func(*Config)
}{
	{"adamw", func(c *Config) {}},
	{"muon", func(c *Config) { c.Optimizer.Kind = "muon" }},
	{"lion", func(c *Config) { c.Optimizer.Kind, c.Optimizer.LR = "lion", 1e-4 }},
	{"sgd", func(c *Config) { c.Optimizer.Kind, c.Optimizer.EMA = "sgd", 0 }},
	{"sgd without state", func(c *Config) {
		c.Optimizer.Kind, c.Optimizer.EMA, c.Optimizer.Momentum, c.Optimizer.Nesterov = "sgd", 0, 0, false
	}},
	{"clipped", func(c *Config) { c.Optimizer.Clip = 0.1 }},
	{"in backward", func(c *Config) {
		c.Optimizer.InBackward, c.Optimizer.Clip, c.Train.Batch, c.Train.Accumulate = true, 0, 6, 1
	}},
	{"micro-batches", func(c *Config) { c.Train.Batch, c.Train.Accumulate = 1, 6 }},
	{"frozen", func(c *Config) { c.Train.Freeze = []string{"transformer.h.0.*", "transformer.wte.*"} }},
}

// TestZero trains with and without cluster.zero on 2 and 4 ranks: losses and norms
// are those of one process, and equally many ranks end with the same bits, those of
// the optimizer's state included.
func TestZero(t *testing.T) {
	for _, c := range zeroCases {
		cfg := ranksConfig(t)
		cfg.Train.Steps, cfg.Train.SaveEvery, cfg.Train.EvalEvery = 6, 0, 0
		c.edit(&cfg)
		testZero(t, c.name, cfg)
	}
	lora := finetuneConfig(t, strings.Replace(loraSection, "dropout: 0.1, ", "", 1))
	setGPT2(t, &lora, func(c *gpt2.Config) { c.Dropout = 0 })
	testZero(t, "lora", lora)
}

func testZero(t *testing.T, name string, cfg Config) {
	var want, wantNorms []float64
	for _, n := range []int{1, 2, 4} {
		var plain map[string][]byte
		for zero := range min(n, 2) {
			t.Run(fmt.Sprintf("%s/%d/zero %d", name, n, zero), func(t *testing.T) {
				own := cfg
				own.Run.Dir = filepath.Join(t.TempDir(), "run")
				own.Cluster.Zero = zero
				var norms []float64
				errs, losses := trainRanks(t, context.Background(), own, n, func(rank int, _ *Config, d *Deps) {
					if step := d.Listener.Step; rank == 0 {
						d.Listener.Step = func(e events.Step) {
							step(e)
							norms = append(norms, e.Record.GradNorm)
						}
					}
				})
				if err := errors.Join(errs...); err != nil {
					t.Fatal(err)
				}
				if want == nil {
					want, wantNorms = losses, norms
				}
				if err := near(losses, want); err != nil {
					t.Error(err)
				}
				if err := near(norms, wantNorms); err != nil {
					t.Errorf("norms: %v", err)
				}
				all := saved(t, own.Run.Dir)
				if zero == 0 {
					plain = all
				} else if !maps.EqualFunc(all, plain, bytes.Equal) {
					t.Error("the checkpoint differs from that without cluster.zero")
				}
			})
		}
	}
}

// TestZeroMemory adds up the state that the ranks keep: together it is that of one
// process, each has about its share, and rank 0, whose plan is shown, the most.
func TestZeroMemory(t *testing.T) {
	const ranks = 3
	for _, c := range zeroCases {
		cfg := ranksConfig(t)
		setGPT2(t, &cfg, func(c *gpt2.Config) { c.Vocab, c.Layers = 300, 4 })
		c.edit(&cfg)
		state := func(rank mesh.Rank, zero int) (bytes int64, f engine.Forecast) {
			own := cfg
			own.Rank, own.Cluster.Zero = rank, zero
			job, err := table.Design(t.Context(), recipe.Env{Config: own})
			if err != nil {
				t.Fatal(err)
			}
			programs, err := engine.Compile(own, job, backend(t, 1).Target())
			if err != nil {
				t.Fatal(err)
			}
			seen := map[string]bool{}
			for _, p := range programs.All() {
				for _, v := range p.Program.Values {
					if v.Class == ir.State && v.Base == nil && optim.IsState(v.Name) && !seen[v.Name] {
						seen[v.Name] = true
						bytes += v.Bytes()
					}
				}
			}
			return bytes, engine.Predict(own, job, programs, engine.Machine{})
		}
		whole, alone := state(mesh.Of(0, ranks), 0)
		var sum, first, peak int64
		for rank := range ranks {
			bytes, f := state(mesh.Of(rank, ranks), 1)
			sum += bytes
			if rank == 0 {
				first, peak = bytes, f.PeakBytes
				if f.StateBytes != alone.StateBytes-whole+bytes || f.CheckpointBytes != alone.CheckpointBytes {
					t.Errorf("%s: the forecast has %d bytes of state and %d of checkpoint", c.name, f.StateBytes, f.CheckpointBytes)
				}
			}
			if f.PeakBytes > peak+peak/100 { // arenas differ by how they were packed
				t.Errorf("%s: rank %d needs %d bytes, rank 0 %d", c.name, rank, f.PeakBytes, peak)
			}
			if bytes > first || whole > 0 && (bytes < whole/ranks*3/4 || bytes > whole/ranks*5/4) {
				t.Errorf("%s: rank %d keeps %d bytes of %d, rank 0 %d", c.name, rank, bytes, whole, first)
			}
		}
		if sum != whole {
			t.Errorf("%s: the ranks keep %d bytes, one process %d", c.name, sum, whole)
		}
	}
}

// TestZeroResume goes on from 4 ranks with cluster.zero to one process, to 2 ranks
// with it and to 3 without.
func TestZeroResume(t *testing.T) {
	for _, kind := range []string{"adamw", "muon"} {
		cfg := ranksConfig(t)
		cfg.Optimizer.Kind = kind
		cfg.Train.Steps, cfg.Train.SaveEvery, cfg.Train.EvalEvery = 8, 2, 0
		alone := cfg
		alone.Run.Dir += "-alone"
		_, want := trainRanks(t, t.Context(), alone, 1, nil)

		var got []float64
		for i, world := range []struct{ ranks, zero int }{{4, 1}, {1, 1}, {2, 1}, {3, 0}} {
			cfg.Cluster.Zero = world.zero
			ctx, stop := context.WithCancel(t.Context())
			errs, losses := trainRanks(t, ctx, cfg, world.ranks, func(rank int, _ *Config, d *Deps) {
				if step := d.Listener.Step; rank == 0 {
					d.Listener.Step = func(e events.Step) {
						if step(e); e.Record.Step == int64(2*i+2) {
							stop()
						}
					}
				}
			})
			stop()
			for rank, err := range errs {
				if err != nil && !errors.Is(err, ErrStopped) {
					t.Fatalf("%s: rank %d of %d: %v", kind, rank, world.ranks, err)
				}
			}
			checkShards(t, cfg.Run.Dir, world.ranks)
			got = append(got, losses...)
		}
		if err := near(got, want); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

// misled changes a bit of the parameters that it receives at its last broadcast
// before they are compared.
type misled struct {
	ranks.Group
	steps int
}

func (m *misled) Broadcast(x []byte, root int) error {
	err := m.Group.Broadcast(x, root)
	if root == 0 {
		m.steps++
	}
	if m.steps == 3 && root != m.Rank() {
		x[0] ^= 1
	}
	return err
}

// TestZeroDiverges breaks parameters on rank 1 as they arrive, just before the
// parameters of all ranks are compared.
func TestZeroDiverges(t *testing.T) {
	cfg := ranksConfig(t)
	cfg.Cluster.Zero = 1
	errs, _ := trainRanks(t, t.Context(), cfg, 3, func(rank int, _ *Config, d *Deps) {
		if rank == 1 {
			d.Group = &misled{Group: d.Group}
		}
	})
	for rank, err := range errs {
		if !errors.Is(err, ErrDiverged) || !strings.Contains(err.Error(), "rank 1 against 2") {
			t.Errorf("rank %d: %v, want ErrDiverged of rank 1", rank, err)
		}
	}
}

// TestZeroRankFails has a rank end while updated parameters travel: all ranks end
// with an error.
func TestZeroRankFails(t *testing.T) {
	broken := errors.New("planted")
	for failing := range 3 {
		cfg := ranksConfig(t)
		cfg.Cluster.Zero = 1
		errs, _ := trainRanks(t, t.Context(), cfg, 3, func(rank int, _ *Config, d *Deps) {
			if rank != failing {
				return
			}
			sent := 0
			d.Group.(*rankstest.Group).Before = func(collective string) error {
				if collective == "Broadcast" {
					sent++
				}
				if sent == 5 {
					return broken
				}
				return nil
			}
		})
		for rank, err := range errs {
			want := ranks.ErrPeer
			if rank == failing {
				want = broken
			}
			if !errors.Is(err, want) || !strings.Contains(err.Error(), "parameters from rank") {
				t.Errorf("rank %d: %v, want %v", rank, err, want)
			}
		}
	}
}

func TestZeroOfUnknownStage(t *testing.T) {
	cfg := config.Default(tables)
	cfg.Cluster.Zero = 2
	if err := cfg.Validate(tables); err == nil || !strings.Contains(err.Error(), "cluster.zero is 2; use 1") {
		t.Errorf("%v", err)
	}
}
