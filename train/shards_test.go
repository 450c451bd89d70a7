package train

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/nn/hub/safetensors"
	"example.com/gotrain/train/checkpoint"
	"example.com/gotrain/train/events"
)

// TestWorldsResumeEachOther trains on 3 ranks, then 2, then 1, then 4, each from
// the checkpoint of the former, and compares the losses with one process.
func TestWorldsResumeEachOther(t *testing.T) {
	cfg := ranksConfig(t)
	cfg.Train.Steps, cfg.Train.SaveEvery, cfg.Train.EvalEvery = 8, 2, 0
	alone := cfg
	alone.Run.Dir += "-alone"
	_, want := trainRanks(t, t.Context(), alone, 1, nil)

	var got []float64
	for i, n := range []int{3, 2, 1, 4} {
		ctx, stop := context.WithCancel(t.Context())
		stopAt := int64(2*i + 2)
		errs, losses := trainRanks(t, ctx, cfg, n, func(rank int, _ *Config, d *Deps) {
			if rank == 0 {
				step := d.Listener.Step
				d.Listener.Step = func(e events.Step) {
					step(e)
					if e.Record.Step == stopAt {
						stop()
					}
				}
			}
		})
		stop()
		for rank, err := range errs {
			if err != nil && !errors.Is(err, ErrStopped) {
				t.Fatalf("rank %d of %d: %v", rank, n, err)
			}
		}
		checkShards(t, cfg.Run.Dir, n)
		got = append(got, losses...)
	}
	if err := near(got, want); err != nil {
		t.Error(err)
	}
}

// checkShards looks for the files of n ranks in the newest checkpoint.
func checkShards(t *testing.T, runDir string, n int) {
	t.Helper()
	dir, err := hub.FindCheckpoint(runDir)
	if err != nil {
		t.Fatal(err)
	}
	shards, _ := filepath.Glob(filepath.Join(dir, "*-of-*.safetensors"))
	want := 2 * n
	if n == 1 {
		want = 0
	}
	if len(shards) != want {
		t.Errorf("%d ranks left the shards %v", n, shards)
	}
	weights, err := safetensors.OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer weights.Close()
	l, err := hub.Load(runDir, "", backend(t, 1), vfs.OS{}, table.Families)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range l.Model.Params() {
		if _, ok := weights.Tensor(p.Name); !ok {
			t.Errorf("no rank wrote %s", p.Name)
		}
	}
	if _, err := checkpoint.Verify(vfs.OS{}, dir); err != nil {
		t.Error(err)
	}
}
