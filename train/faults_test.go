package train

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/data"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/data/vfs/vfstest"
	"example.com/gotrain/train/checkpoint"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/events"
	"example.com/gotrain/train/ranks"
	"example.com/gotrain/train/ranks/rankstest"
	"example.com/gotrain/train/recipe"
)

// overheard is a back end that tells of what is copied to it.
type overheard struct {
	exec.Backend
	heard func(to exec.Region, src []byte)
}

func (o overheard) Ranks() int { return o.Backend.(exec.Ranked).Ranks() }

func (o overheard) Upload(to exec.Region, src []byte) error {
	o.heard(to, src)
	return o.Backend.Upload(to, src)
}

// samples counts how often each sample of a run was trained on, which it knows by
// its inputs.
type samples struct {
	mu    sync.Mutex
	width int            // bytes of the inputs of a sample
	known map[string]int // number of the sample with these inputs
	count []int
}

// listenFor returns the counts of the first n samples of a run with cfg, which has
// to be there.
func listenFor(t *testing.T, cfg Config, n int) *samples {
	t.Helper()
	cfg.Train.Batch, cfg.Train.Accumulate = 1, 1
	job, err := table.Open(t.Context(), recipe.Env{Config: cfg, FS: vfs.OS{}})
	if err != nil {
		t.Fatal(err)
	}
	defer job.Close()
	s := &samples{width: 4 * cfg.Length(), known: map[string]int{}, count: make([]int, n)}
	batch := job.Train.NewBatch()
	for i := range n {
		if err := job.Train.Fill(batch, uint64(i)); err != nil {
			t.Fatal(err)
		}
		inputs := make([]byte, 0, s.width)
		for _, id := range batch.Ints[data.IDs] {
			inputs = append(inputs, byte(id), byte(id>>8), byte(id>>16), byte(id>>24))
		}
		s.known[string(inputs)] = i
	}
	if len(s.known) < n {
		t.Fatalf("%d samples have %d different inputs", n, len(s.known))
	}
	return s
}

// heard counts the samples of a micro-batch.
func (s *samples) heard(_ exec.Region, src []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for row := src; len(row) >= s.width; row = row[s.width:] {
		if i, ok := s.known[string(row[:s.width])]; ok {
			s.count[i]++
		}
	}
}

// killer is one rank that dies at a random moment: in a file operation or before a
// collective. From then on its files fail, and so do the collectives of all.
type killer struct {
	*vfstest.Fault
	group *rankstest.Group
}

func newKiller(fsys vfs.FS, group ranks.Group, moment int) *killer {
	k := &killer{vfstest.NewFault(fsys), group.(*rankstest.Group)}
	k.CrashAt(moment)
	k.group.Before = func(string) error {
		if _, err := k.Stat(os.TempDir()); errors.Is(err, vfstest.ErrCrashed) {
			return err
		}
		return nil
	}
	return k
}

// TestRanksKilled kills a rank of three 40 times, starts all again, and compares
// the bits at the end; half of it with cluster.zero.
func TestRanksKilled(t *testing.T) {
	random := rand.New(rand.NewPCG(11, 11))
	for zero := range 2 {
		cfg := ranksConfig(t)
		cfg.Train.Steps, cfg.Train.SaveEvery, cfg.Train.EvalEvery, cfg.Train.Keep = 6, 2, 0, 0
		cfg.Cluster.Zero = zero
		whole := cfg
		whole.Run.Dir += "-whole"
		var counters [3]*killer
		errs, _ := trainRanks(t, t.Context(), whole, 3, func(rank int, _ *Config, d *Deps) {
			counters[rank] = newKiller(noSync{}, d.Group, 1<<30)
			d.FS = counters[rank]
		})
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		want := bits(t, whole.Run.Dir)
		for kills := 0; kills < 20; {
			cfg.Run.Dir = filepath.Join(t.TempDir(), "run")
			kills += killUntilDone(t, cfg, func(life int) (victim, moment int) {
				victim = random.IntN(3)
				if life == killedLives {
					return victim, 1 << 30
				}
				return victim, random.IntN(len(counters[victim].Trace()))
			})
			if !bytes.Equal(bits(t, cfg.Run.Dir), want) {
				t.Fatalf("other bits after %d kills", kills)
			}
			checkMetrics(t, cfg)
		}
	}
}

// killedLives is how often a run is killed before it may end.
const killedLives = 4

// killUntilDone starts three ranks of a run until they come to its end, and kills
// one of them in each life. It returns how many were killed.
func killUntilDone(t *testing.T, cfg Config, next func(life int) (victim, moment int)) (kills int) {
	t.Helper()
	acknowledged := int64(-1)
	for {
		victim, moment := next(kills)
		errs, _ := trainRanks(t, t.Context(), cfg, 3, func(rank int, _ *Config, d *Deps) {
			if rank == victim {
				d.FS = newKiller(noSync{}, d.Group, moment)
			}
			d.Listener.Saved = func(s checkpoint.Saved) { acknowledged = s.Step }
			d.Listener.SaveFailed = func(err error) {
				if victim != 0 {
					t.Errorf("rank %d was killed; rank 0 says that training goes on: %v", victim, err)
				}
			}
		})
		if errors.Join(errs...) == nil {
			return kills
		}
		if kills == killedLives {
			t.Fatalf("the run fails without being killed: %v", errors.Join(errs...))
		}
		kills++
		for rank, err := range errs {
			if err == nil {
				t.Errorf("rank %d was killed at moment %d, rank %d ended well", victim, moment, rank)
			}
		}
		found, _, err := checkpoint.Latest(vfs.OS{}, cfg.Run.Dir)
		if err != nil && acknowledged >= 0 || err == nil && found.Manifest.Step < acknowledged {
			t.Fatalf("step %d was acknowledged, the newest good one is %d (%v)", acknowledged, found.Manifest.Step, err)
		}
	}
}

// spoiled changes the gradients of a rank: spoil gets each of its sums, from 1,
// before it is taken.
type spoiled struct {
	ranks.Group
	sums  int
	spoil func(sum int, x []float32)
}

func (s *spoiled) AllReduce(x []float32) error {
	s.sums++
	s.spoil(s.sums, x)
	return s.Group.AllReduce(x)
}

// TestRanksGiveUp has one rank make NaN from its fourth sum on: all ranks skip
// alike, end at the same step when there were too many in a row, and leave the
// checkpoint from before.
func TestRanksGiveUp(t *testing.T) {
	cfg := ranksConfig(t)
	cfg.Train.Steps, cfg.Train.SaveEvery, cfg.Train.EvalEvery, cfg.Train.MaxSkips = 20, 3, 0, 2
	var skipped []int
	errs, losses := trainRanks(t, t.Context(), cfg, 3, func(rank int, _ *Config, d *Deps) {
		d.Listener.Skipped = func(e events.Skip) { skipped = append(skipped, e.Step) }
		if rank == 2 {
			d.Group = &spoiled{Group: d.Group, spoil: func(sum int, x []float32) {
				if sum >= 4 {
					x[0] = float32(math.NaN())
				}
			}}
		}
	})
	for rank, err := range errs {
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("rank %d: step 6: 3 steps in a row were skipped", rank)) {
			t.Errorf("rank %d: %v, want an end at step 6", rank, err)
		}
	}
	if fmt.Sprint(skipped) != "[4 5 6]" || len(losses) != 5 {
		t.Errorf("skipped %v, told of %d steps; want 4, 5 and 6, and 5 steps", skipped, len(losses))
	}
	found, _, err := checkpoint.Latest(vfs.OS{}, cfg.Run.Dir)
	if err != nil || found.Manifest.Step != 3 {
		t.Errorf("the newest checkpoint is %+v, %v; want that of step 3", found.Manifest.Step, err)
	}
}

// TestRanksSkipSpikes has the gradients of one rank jump once: all ranks skip the
// step and stay alike.
func TestRanksSkipSpikes(t *testing.T) {
	cfg := ranksConfig(t)
	cfg.Train.Steps, cfg.Train.SaveEvery, cfg.Train.EvalEvery, cfg.Train.SpikeFactor = 30, 0, 0, 5
	cfg.Cluster.CheckEvery = 1
	var skipped []events.Skip
	errs, losses := trainRanks(t, t.Context(), cfg, 3, func(rank int, _ *Config, d *Deps) {
		d.Listener.Skipped = func(e events.Skip) { skipped = append(skipped, e) }
		if rank == 1 {
			d.Group = &spoiled{Group: d.Group, spoil: func(sum int, x []float32) {
				if sum == 25 {
					for i := range x {
						x[i] *= 1e4
					}
				}
			}}
		}
	})
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	if len(losses) != 30 || len(skipped) != 1 || skipped[0].Step != 25 || !(skipped[0].GradNorm > skipped[0].Limit) {
		t.Errorf("%d steps, skipped %+v; want step 25 of 30", len(losses), skipped)
	}
}

// TestRanksFlippedBit flips a bit in the memory of rank 2 that holds a parameter.
func TestRanksFlippedBit(t *testing.T) {
	errs, losses := trainRanks(t, t.Context(), ranksConfig(t), 3, func(rank int, cfg *Config, d *Deps) {
		if rank != 2 {
			return
		}
		memory := rankBackend(t, d.Group)
		var parameter exec.Region // the first that is filled: the embedding
		batches := 0
		d.Backend = overheard{memory, func(to exec.Region, src []byte) {
			if parameter.Buffer == nil {
				parameter = exec.Region{Buffer: to.Buffer, Bytes: 4}
			}
			if rng := 4 * 4; len(src) != rng {
				return
			}
			if batches++; batches != 2 {
				return
			}
			word := make([]byte, 4)
			if err := memory.Download(word, parameter); err != nil {
				t.Error(err)
			}
			word[2] ^= 1
			if err := memory.Upload(parameter, word); err != nil {
				t.Error(err)
			}
		}}
	})
	for rank, err := range errs {
		if !errors.Is(err, ErrDiverged) || !strings.Contains(err.Error(), "rank 2 against 2") {
			t.Errorf("rank %d: %v, want ErrDiverged of rank 2", rank, err)
		}
	}
	if len(losses) != 2 {
		t.Errorf("%d steps went by, want 2: the parameters are compared after the third", len(losses))
	}
}

// TestMisconfigured: faults of settings and of data that a setting names, also among others, are the configuration's.
func TestMisconfigured(t *testing.T) {
	fault, setting, other := &config.Fault{Err: errors.New("a")}, &data.SettingError{Err: errors.New("b")}, errors.New("c")
	for _, err := range []error{fault, setting, errors.Join(other, fault), fmt.Errorf("x: %w", setting), errors.Join(fault, setting)} {
		if !Misconfigured(err) {
			t.Errorf("%v is no fault of the configuration", err)
		}
	}
	for _, err := range []error{nil, other, errors.Join(other, other)} {
		if Misconfigured(err) {
			t.Errorf("%v is a fault of the configuration", err)
		}
	}
}
