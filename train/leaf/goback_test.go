package leaf

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/gotrain/data/vfs"
	"example.com/gotrain/data/vfs/vfstest"
	"example.com/gotrain/train/events"
	"example.com/gotrain/train/metrics"
	"example.com/gotrain/train/recipe"
)

// alarming is a table whose duel raises an alarm at an evaluation where the painter's trust
// has that value.
func alarming(trust *float64) recipe.Table {
	all := table()
	open := all.Recipes[0].Open
	all.Recipes[0].Open = func(ctx context.Context, env recipe.Env) (*recipe.Job, error) {
		j, err := open(ctx, env)
		if err == nil {
			j.GoesBack = true
			j.Alarm = func(value func(string) float64) string {
				if value("trust") == *trust {
					return "the judge trusts too much"
				}
				return ""
			}
		}
		return j, err
	}
	return all
}

// TestGoBack raises an alarm at the second evaluation: the run goes on from the checkpoint of
// before the first with other data, to its end, and so do runs that are killed on the way, to
// the same bits.
func TestGoBack(t *testing.T) {
	for _, n := range []int{1, 2} {
		t.Run(fmt.Sprint(n), func(t *testing.T) { testGoBack(t, n) })
	}
}

func testGoBack(t *testing.T, n int) {
	open := openers()["cpu"]
	never, at := math.NaN(), math.NaN()
	straight := leaves(t, filepath.Join(t.TempDir(), "straight"))
	listen := events.Listener{Validation: func(r metrics.Record) {
		if r.Step == 6 {
			at = r.Get("trust")
		}
	}}
	if err := runTable(t.Context(), straight, alarming(&never), n, onDisk, open, listen); err != nil {
		t.Fatal(err)
	}
	if math.IsNaN(at) {
		t.Fatal("there was no evaluation after step 6")
	}
	whole := leaves(t, filepath.Join(t.TempDir(), "whole"))
	var steps []int64
	var remarks []string
	listen = events.Listener{
		Step:   func(e events.Step) { steps = append(steps, e.Record.Step) },
		Remark: func(step int, text string) { remarks = append(remarks, fmt.Sprint(step, " ", text)) },
	}
	if err := runTable(t.Context(), whole, alarming(&at), n, onDisk, open, listen); err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(steps), "[1 2 3 4 5 6 3 4 5 6 7 8]"; got != want {
		t.Errorf("steps %s, want %s", got, want)
	}
	if got, want := strings.Join(remarks, "\n"), "6 the judge trusts too much\n6 the run goes back to step 2, and on with other data"; got != want {
		t.Errorf("remarks:\n%s\nwant\n%s", got, want)
	}
	want := bits(t, whole.Run.Dir)
	if bytes.Equal(want, bits(t, straight.Run.Dir)) {
		t.Error("the run learnt the same as one without an alarm")
	}
	lines, err := os.ReadFile(filepath.Join(whole.Run.Dir, "metrics.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for step := 1; step <= 8; step++ {
		if found := strings.Count(string(lines), fmt.Sprintf(`"step":%d,"split":"train"`, step)); found != 1 {
			t.Errorf("metrics.jsonl has step %d %d times", step, found)
		}
	}
	rng := rand.New(rand.NewPCG(7, uint64(n)))
	for range 4 {
		cfg := leaves(t, filepath.Join(t.TempDir(), "killed"))
		for life := 0; ; life++ {
			if life > 60 {
				t.Fatal("the run does not come to its end")
			}
			victim, moment := rng.IntN(n), rng.IntN(160*(life+1))
			err := runTable(t.Context(), cfg, alarming(&at), n, func(rank int) vfs.FS {
				fault := vfstest.NewFault(vfs.OS{})
				if rank == victim {
					fault.CrashAt(moment)
				}
				return fault
			}, open, events.Listener{})
			if err == nil {
				break
			}
		}
		if !bytes.Equal(bits(t, cfg.Run.Dir), want) {
			t.Fatal("a run that was killed on the way ends with other bits")
		}
	}
}
