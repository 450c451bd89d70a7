package engine

import (
	"gotrain/train/metrics"
	"gotrain/train/recipe"
)

// EvalResult is a score of held-out data.
type EvalResult struct {
	metrics.Values // of the recipe's metrics
	Counts         recipe.Counts
}

// ValuesOf computes metrics from their sums. A metric whose divisor is not known is
// left out.
func ValuesOf(all []recipe.Metric, sums []float64, counts recipe.Counts) metrics.Values {
	var vs metrics.Values
	for i, m := range all {
		if counts[m.Per] == 0 {
			continue
		}
		vs = append(vs, metrics.Value{Name: m.Name, Value: m.Value(sums[i], counts)})
	}
	return vs
}

// Values computes the metrics of a step.
func (e *Engine) Values(r StepResult) metrics.Values {
	return ValuesOf(e.programs.StepMetrics(), r.Sums, r.Counts)
}

// StepMetrics are the metrics of all phases, in the order of a step's sums.
func (p *Programs) StepMetrics() []recipe.Metric {
	var all []recipe.Metric
	for _, run := range p.Step {
		if run.Micro == 0 {
			all = append(all, run.Program.Metrics...)
		}
	}
	return all
}
