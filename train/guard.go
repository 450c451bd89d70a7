package train

import "math"

// Guard decides which steps to skip. The update itself is skipped inside the
// program, by the bound that Limit gives it, so that no bad gradient reaches the
// parameters; Observe keeps the count.
type Guard struct {
	// Mean is the running mean of accepted gradient norms, Seen how many went
	// into it. They are part of a checkpoint.
	Mean float64 `json:"mean"`
	Seen int     `json:"seen"`
	// Skipped counts all skipped steps, InARow the latest without an accepted
	// one between them.
	Skipped int `json:"skipped"`
	InARow  int `json:"in_a_row"`
}

const (
	guardWarmup = 20   // accepted norms before a spike can be told from the start of training
	guardDecay  = 0.98 // of the running mean: about the last 50 steps
)

// Limit returns the largest accepted gradient norm, factor times the running
// mean, or 0 for no limit.
func (g *Guard) Limit(factor float64) float64 {
	if factor == 0 || g.Seen < guardWarmup {
		return 0
	}
	return factor * g.Mean
}

// Observe records a step.
func (g *Guard) Observe(r StepResult) {
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
