package train

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/gotrain/autograd/cpu"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/gpt2"
	"example.com/gotrain/train/events"
	"example.com/gotrain/train/ranks"
	"example.com/gotrain/train/ranks/rankstest"
	"example.com/gotrain/train/recipe"
)

// ranksConfig is tinyConfig for comparisons between numbers of ranks: its steps
// have six sequences.
func ranksConfig(t testing.TB) Config {
	cfg := tinyConfig(t)
	cfg.Train.Steps, cfg.Train.Batch, cfg.Train.Accumulate = 10, 3, 2
	cfg.Train.SaveEvery, cfg.Train.EvalEvery = 5, 5
	cfg.Cluster.CheckEvery = 3
	return cfg
}

// trainRanks trains cfg on n ranks, which are goroutines. edit may change what a
// rank gets. It returns the errors of the ranks and the losses that rank 0 told.
func trainRanks(t testing.TB, ctx context.Context, cfg Config, n int, edit func(rank int, cfg *Config, d *Deps)) ([]error, []float64) {
	t.Helper()
	errs := make([]error, n)
	var losses []float64
	var all sync.WaitGroup
	for rank, group := range rankstest.New(n) {
		d := Deps{Table: table, FS: noSync{}, Now: time.Now, Resume: "auto", Group: group, LocalRank: rank}
		own := cfg
		d.Listener.Step = func(e events.Step) { losses = append(losses, e.Record.Get("nll")) }
		if edit != nil {
			edit(rank, &own, &d)
		}
		if d.Backend == nil {
			d.Backend = rankBackend(t, d.Group)
		}
		all.Go(func() { _, errs[rank] = Train(ctx, own, d) })
	}
	all.Wait()
	return errs, losses
}

// rankBackend is a back end whose collectives are the group's.
func rankBackend(t testing.TB, group ranks.Group) exec.Backend {
	t.Helper()
	b, err := cpu.New(cpu.Config{Threads: 1, Ranks: group})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func near(a, b []float64) error {
	if len(a) != len(b) {
		return fmt.Errorf("%d losses, want %d", len(a), len(b))
	}
	for i := range a {
		if math.Abs(a[i]-b[i]) > 1e-6 {
			return fmt.Errorf("loss of step %d is %.7f, want %.7f", i+1, a[i], b[i])
		}
	}
	return nil
}

// TestRanksTrainAsOne compares ten steps of one process with those of 2, 3 and
// 4 ranks, of which the last have shares of different sizes and blank rows.
func TestRanksTrainAsOne(t *testing.T) {
	cfg := ranksConfig(t)
	var want []float64
	d := deps(t, 1)
	d.Listener.Step = func(e events.Step) { want = append(want, e.Record.Get("nll")) }
	alone := mustTrain(t, cfg, d)
	for n := 1; n <= 4; n++ {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			own := cfg
			own.Run.Dir = filepath.Join(t.TempDir(), "run")
			errs, losses := trainRanks(t, context.Background(), own, n, func(rank int, _ *Config, d *Deps) {
				if rank > 0 {
					d.Listener.Step = func(events.Step) { t.Errorf("rank %d told of a step", rank) }
				}
			})
			if err := errors.Join(errs...); err != nil {
				t.Fatal(err)
			}
			if err := near(losses, want); err != nil {
				t.Error(err)
			}
			again := mustTrain(t, own, deps(t, 1)) // all steps are done: it only reads
			if again.Steps != 0 || again.State.Samples != alone.State.Samples {
				t.Errorf("a single process went on with %d steps from %d samples, want 0 from %d", again.Steps, again.State.Samples, alone.State.Samples)
			}
		})
	}
}

// TestRanksResume goes on with 3, 1 and 4 ranks from what 4, 3 and 1 saved when
// one of them was asked to stop: the losses are those of one process, and each
// sample is trained on once.
func TestRanksResume(t *testing.T) {
	cfg := ranksConfig(t)
	var want []float64
	d := deps(t, 1)
	d.Listener.Step = func(e events.Step) { want = append(want, e.Record.Get("nll")) }
	mustTrain(t, cfg, d)

	whole := listenFor(t, cfg, 2*cfg.Train.Steps*cfg.StepSamples())
	again := cfg
	again.Run.Dir += "-again"
	d.Listener, d.Backend = events.Listener{}, overheard{rankBackend(t, ranks.Local{}), whole.heard}
	mustTrain(t, again, d)

	parts := listenFor(t, cfg, len(whole.count))
	cfg.Run.Dir += "-ranks"
	var got []float64
	for i, n := range []int{4, 3, 1, 4} {
		asked, stop := context.WithCancel(context.Background())
		errs := make([]error, n)
		var all sync.WaitGroup
		for rank, group := range rankstest.New(n) {
			d := deps(t, 1)
			d.Group, d.Backend = group, overheard{rankBackend(t, group), parts.heard}
			steps := 0
			d.Listener.Step = func(e events.Step) {
				got = append(got, e.Record.Get("nll"))
				if steps++; steps == 2 && i < 3 {
					stop()
				}
			}
			ctx := context.Background()
			if rank == n-1 {
				ctx = asked // the last rank alone is asked to stop
			}
			all.Go(func() { _, errs[rank] = Train(ctx, cfg, d) })
		}
		all.Wait()
		stop()
		for rank, err := range errs {
			if i < 3 && !errors.Is(err, ErrStopped) || i == 3 && err != nil {
				t.Fatalf("%d ranks: rank %d ended with %v", n, rank, err)
			}
		}
	}
	if err := near(got, want); err != nil {
		t.Error(err)
	}
	for i, n := range parts.count {
		if once := map[bool]int{true: 1}[i < cfg.Train.Steps*cfg.StepSamples()]; n != once || whole.count[i] != once {
			t.Errorf("sample %d was trained on %d times by 4, 3, 1 and 4 ranks, %d times by one process; want %d", i, n, whole.count[i], once)
		}
	}
}

// TestRanksRepeat trains twice on three ranks.
func TestRanksRepeat(t *testing.T) {
	cfg := ranksConfig(t)
	var runs [][]byte
	for range 2 {
		cfg.Run.Dir += "-again"
		errs, _ := trainRanks(t, context.Background(), cfg, 3, nil)
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		runs = append(runs, bits(t, cfg.Run.Dir))
	}
	if !bytes.Equal(runs[0], runs[1]) {
		t.Error("two runs on three ranks end with different bits")
	}
}

// TestRanksDiffer starts ranks that do not belong together.
func TestRanksDiffer(t *testing.T) {
	for _, test := range []struct {
		name, want string
		edit       func(*Config, *Deps)
	}{
		{"configuration", " on rank 2: give all ranks the same file and flags", func(c *Config, _ *Deps) { c.Optimizer.LR /= 2 }},
		{"version", "version of gotrain is  on ranks 0-1, other on rank 2", func(_ *Config, d *Deps) { d.Version = "other" }},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg := ranksConfig(t)
			edit := func(rank int, c *Config, d *Deps) {
				if rank == 2 {
					test.edit(c, d)
				}
			}
			errs, _ := trainRanks(t, context.Background(), cfg, 3, edit)
			for rank, err := range errs {
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("rank %d: %v, want %q", rank, err, test.want)
				}
			}
			if _, err := os.Stat(filepath.Join(cfg.Run.Dir, "checkpoints")); err == nil {
				t.Error("ranks that differ have saved a checkpoint")
			}
		})
	}
}

// faulty changes a bit in a sum of gradients, as broken memory may.
type faulty struct {
	ranks.Group
	sums int
}

func (f *faulty) AllReduce(x []float32) error {
	err := f.Group.AllReduce(x)
	if f.sums++; f.sums == 4 {
		x[0] = math.Float32frombits(math.Float32bits(x[0]) ^ 1<<20)
	}
	return err
}

// TestRanksDiverge breaks one sum on rank 1.
func TestRanksDiverge(t *testing.T) {
	errs, losses := trainRanks(t, context.Background(), ranksConfig(t), 3, func(rank int, _ *Config, d *Deps) {
		if rank == 1 {
			d.Group = &faulty{Group: d.Group}
		}
	})
	for rank, err := range errs {
		if !errors.Is(err, ErrDiverged) || !strings.Contains(err.Error(), "rank 1 against 2") {
			t.Errorf("rank %d: %v, want ErrDiverged of rank 1", rank, err)
		}
	}
	if len(losses) != 5 {
		t.Errorf("%d steps were told, want 5: the parameters are compared after every third", len(losses))
	}
}

// TestRankFails has a rank end in the middle of a step.
func TestRankFails(t *testing.T) {
	broken := errors.New("planted")
	errs, _ := trainRanks(t, context.Background(), ranksConfig(t), 3, func(rank int, _ *Config, d *Deps) {
		if rank != 2 {
			return
		}
		sums := 0
		d.Group.(*rankstest.Group).Before = func(collective string) error {
			if collective == "AllReduce" {
				sums++
			}
			if sums == 3 {
				return broken
			}
			return nil
		}
	})
	for rank, err := range errs {
		if want := map[bool]error{true: broken, false: ranks.ErrPeer}[rank == 2]; !errors.Is(err, want) || !strings.HasPrefix(err.Error(), fmt.Sprintf("rank %d: ", rank)) {
			t.Errorf("rank %d: %v, want %v", rank, err, want)
		}
	}
}

// TestRankCannotBegin has the work of one rank fail before the first step.
func TestRankCannotBegin(t *testing.T) {
	for failing := range 3 {
		errs, _ := trainRanks(t, context.Background(), ranksConfig(t), 3, func(rank int, _ *Config, d *Deps) {
			if rank == failing {
				d.Table = recipe.Table{Families: nn.Families{noModel}, Recipes: table.Recipes}
			}
		})
		for rank, err := range errs {
			want := "no such model"
			if rank != failing {
				want = fmt.Sprintf("rank %d failed: no such model", failing)
			}
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("rank %d: %v, want %q", rank, err, want)
			}
		}
	}
}

// noModel is a family that makes no model.
var noModel = nn.Family{Name: gpt2.Name, Config: gpt2.Family().Config, New: func(any, nn.Tuning) (nn.Model, error) {
	return nil, errors.New("no such model")
}}

// TestRanksSkipAlike gives all ranks a bad gradient from one of them.
func TestRanksSkipAlike(t *testing.T) {
	cfg := ranksConfig(t)
	cfg.Train.Steps = 4
	var skipped []events.Skip
	errs, losses := trainRanks(t, context.Background(), cfg, 3, func(rank int, _ *Config, d *Deps) {
		d.Listener.Skipped = func(e events.Skip) { skipped = append(skipped, e) }
		if rank == 1 {
			d.Group = &spoiled{Group: d.Group, spoil: func(sum int, x []float32) {
				if sum == 2 {
					x[0] = float32(math.NaN())
				}
			}}
		}
	})
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	if len(losses) != 4 || len(skipped) != 1 || skipped[0].Step != 2 {
		t.Errorf("%d steps, skipped %+v; want step 2 of 4", len(losses), skipped)
	}
}
