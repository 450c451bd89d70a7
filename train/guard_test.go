package train

import (
	"math"
	"testing"
)

func TestGuardTellsSpikesAfterWarmup(t *testing.T) {
	var g Guard
	for i := range guardWarmup {
		if g.Limit(5) != 0 {
			t.Fatalf("a limit of %g after %d steps", g.Limit(5), i)
		}
		g.Observe(StepResult{GradNorm: 2})
	}
	if limit := g.Limit(5); math.Abs(limit-10) > 1e-9 {
		t.Errorf("limit %g after norms of 2, want 10", limit)
	}
	if g.Limit(0) != 0 {
		t.Error("a limit with the factor off")
	}
	before := g.Mean
	g.Observe(StepResult{GradNorm: 1e9, Skipped: true})
	g.Observe(StepResult{GradNorm: math.NaN(), Skipped: true})
	if g.Mean != before || g.Skipped != 2 || g.InARow != 2 {
		t.Errorf("skipped steps moved the mean or were not counted: %+v", g)
	}
	g.Observe(StepResult{GradNorm: 2})
	if g.InARow != 0 || g.Skipped != 2 {
		t.Errorf("an accepted step did not end the row: %+v", g)
	}
}
