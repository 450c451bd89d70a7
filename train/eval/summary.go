package eval

import (
	"maps"
	"math"
	"slices"
)

// Metric is a figure of merit: of one question, or its mean over several.
type Metric struct {
	Name   string  `json:"name"`
	Value  float64 `json:"value"`
	StdErr float64 `json:"stderr,omitempty"` // of a mean
	Answer string  `json:"answer,omitempty"` // generate: what is found in the text
}

// Score sums up results.
type Score struct {
	Group     string   `json:"group,omitempty"` // empty: all questions
	Questions int      `json:"questions"`
	Metrics   []Metric `json:"metrics"`
}

// Value returns a metric, 0 where there is none of that name.
func (s Score) Value(name string) float64 { return Result{Metrics: s.Metrics}.Value(name) }

// logLikelihood is the metric of a Result whose mean is given as a perplexity.
const logLikelihood = "log_likelihood"

// Progress is how far a task is.
type Progress struct {
	Done, Total int
	results     []*Result
}

// Results are those so far, in the order of the questions.
func (p Progress) Results() []Result {
	results := []Result{}
	for _, r := range p.results {
		if r != nil {
			results = append(results, *r)
		}
	}
	return results
}

// Score sums up the results so far.
func (p Progress) Score() Score { return score("", p.Results()) }

// Summarize returns the score of all results, then, where there are several, of
// each group in the order of their names.
func Summarize(results []Result) []Score {
	groups := map[string][]Result{}
	for _, r := range results {
		groups[r.Group] = append(groups[r.Group], r)
	}
	scores := []Score{score("", results)}
	if len(groups) > 1 {
		for _, g := range slices.Sorted(maps.Keys(groups)) {
			scores = append(scores, score(g, groups[g]))
		}
	}
	return scores
}

// score is the mean of each metric over the results that have it, with its standard error;
// of log-likelihoods the perplexity.
func score(group string, results []Result) Score {
	s := Score{Group: group, Questions: len(results), Metrics: []Metric{}}
	values := map[string][]float64{}
	var names []string
	for _, r := range results {
		for _, m := range r.Metrics {
			if values[m.Name] == nil {
				names = append(names, m.Name)
			}
			values[m.Name] = append(values[m.Name], m.Value)
		}
	}
	for _, name := range names {
		mean, stderr := meanOf(values[name])
		if name == logLikelihood { // e^-x has the slope -e^-x
			name, mean = "perplexity", math.Exp(-mean)
			stderr *= mean
		}
		s.Metrics = append(s.Metrics, Metric{Name: name, Value: mean, StdErr: stderr})
	}
	return s
}

// meanOf returns the mean and its standard error, of the sample's deviation; 0 of one value.
func meanOf(values []float64) (mean, stderr float64) {
	n := float64(len(values))
	for _, x := range values {
		mean += x
	}
	mean /= n
	if n < 2 {
		return mean, 0
	}
	var squares float64
	for _, x := range values {
		squares += (x - mean) * (x - mean)
	}
	return mean, math.Sqrt(squares / (n - 1) / n)
}
