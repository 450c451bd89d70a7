package train

import (
	"math"
	"testing"

	"example.com/gotrain/train/engine"
	"example.com/gotrain/train/save"
)

func TestGuardTellsSpikesAfterWarmup(t *testing.T) {
	var g save.Guard
	for i := range guardWarmup {
		if normLimit(&g, 5) != 0 {
			t.Fatalf("a limit of %g after %d steps", normLimit(&g, 5), i)
		}
		observe(&g, engine.PhaseResult{GradNorm: 2})
	}
	if limit := normLimit(&g, 5); math.Abs(limit-10) > 1e-9 {
		t.Errorf("limit %g after norms of 2, want 10", limit)
	}
	if normLimit(&g, 0) != 0 {
		t.Error("a limit with the factor off")
	}
	before := g.Mean
	observe(&g, engine.PhaseResult{GradNorm: 1e9, Skipped: true})
	observe(&g, engine.PhaseResult{GradNorm: math.NaN(), Skipped: true})
	if g.Mean != before || g.Skipped != 2 || g.InARow != 2 {
		t.Errorf("skipped steps moved the mean or were not counted: %+v", g)
	}
	observe(&g, engine.PhaseResult{GradNorm: 2})
	if g.InARow != 0 || g.Skipped != 2 {
		t.Errorf("an accepted step did not end the row: %+v", g)
	}
}
