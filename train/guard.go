package train

import (
	"math"

	"example.com/gotrain/train/engine"
	"example.com/gotrain/train/save"
)

// Numbers of the guard, which decides which updates of a phase to skip. The update
// itself is skipped inside the program, by the bound that normLimit gives it, so
// that no bad gradient reaches the parameters; observe keeps the count.
const (
	guardWarmup = 20   // accepted norms before a spike can be told from the start of training
	guardDecay  = 0.98 // of the running mean: about the last 50 steps
)

// normLimit is the largest accepted gradient norm, factor times the running mean, or 0
// for no limit.
func normLimit(g *save.Guard, factor float64) float64 {
	if factor == 0 || g.Seen < guardWarmup {
		return 0
	}
	return factor * g.Mean
}

// observe records a step.
func observe(g *save.Guard, r engine.PhaseResult) {
	if r.Skipped {
		g.Skipped++
		g.InARow++
		return
	}
	g.InARow = 0
	if math.IsNaN(r.GradNorm) {
		return
	}
	g.Seen++
	decay := math.Min(guardDecay, 1-1/float64(g.Seen))
	g.Mean = decay*g.Mean + (1-decay)*r.GradNorm
}

// finite tells whether x is a number to go on with.
func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
