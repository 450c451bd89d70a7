package train

import (
	"math"

	"gotrain/train/metrics"
	"gotrain/train/recipe"
)

// EvalResult is a score of held-out data.
type EvalResult struct {
	metrics.Values // of the recipe's metrics
	Counts         recipe.Counts
}

// values computes metrics from their sums. A metric whose divisor is not known is
// left out.
func values(all []recipe.Metric, sums []float64, counts recipe.Counts) metrics.Values {
	var vs metrics.Values
	for i, m := range all {
		if counts[m.Per] == 0 {
			continue
		}
		vs = append(vs, metrics.Value{Name: m.Name, Value: m.Value(sums[i], counts)})
	}
	return vs
}

// finite tells whether x is a number to go on with.
func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// Values computes the metrics of a step.
func (e *Engine) Values(r StepResult) metrics.Values {
	return values(e.programs.stepMetrics(), r.Sums, r.Counts)
}

// stepMetrics are the metrics of all phases, in the order of a step's sums.
func (p *Programs) stepMetrics() []recipe.Metric {
	var all []recipe.Metric
	for _, run := range p.Step {
		if run.Micro == 0 {
			all = append(all, run.Program.Metrics...)
		}
	}
	return all
}
