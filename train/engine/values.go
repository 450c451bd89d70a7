package engine

import (
	"example.com/gotrain/train/metrics"
	"example.com/gotrain/train/recipe"
)

// EvalResult is a score of held-out data.
type EvalResult struct {
	metrics.Values // of the recipe's metrics
	Counts         recipe.Counts
	Sums           []float64 // of all ranks, that the metrics are computed from
}

// Total is the score of several parts of the held-out data together.
func (e *Engine) Total(parts []EvalResult) EvalResult {
	total := EvalResult{Sums: make([]float64, len(e.eval.Program.Metrics))}
	for _, p := range parts {
		total.Counts.Add(p.Counts)
		for i := range total.Sums {
			total.Sums[i] += p.Sums[i]
		}
	}
	total.Values = values(e.eval.Program.Metrics, total.Sums, total.Counts)
	return total
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

// Values computes the metrics of a step.
func (e *Engine) Values(r StepResult) metrics.Values { return values(e.metrics, r.Sums, r.Counts) }
