package eval

import (
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"example.com/gotrain/train/units"
)

// Report is what asking a task came to.
type Report struct {
	Model   string   `json:"model"`
	Task    Config   `json:"task"`
	Scores  []Score  `json:"scores"` // of all questions, then of each group
	Results []Result `json:"results"`
	Seconds float64  `json:"seconds"`
	total   int      // questions of the task
}

// NewReport returns that of a model in a directory on results of t.
func NewReport(model string, t *Task, results []Result, took time.Duration) *Report {
	return &Report{model, t.Config, Summarize(results), results, took.Seconds(), t.Len()}
}

// Print writes a table, a line for all questions and for each group. Where not all questions
// were asked it says so.
func (r *Report) Print(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %d shots, %d questions in %s\n", r.Task.Name, r.Task.Shots, len(r.Results), units.Seconds(r.Seconds))
	if len(r.Results) < r.total {
		fmt.Fprintf(&b, "partial: %d of %d questions were asked\n", len(r.Results), r.total)
	}
	if cut, most := r.overflow(); cut > 0 {
		fmt.Fprintf(&b, "%d of the prompts did not fit the model's context and lost their beginning, up to %d tokens", cut, most)
		if r.Task.Shots > 0 {
			b.WriteString(": ask with fewer shots")
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "\n%-32s %9s", "", "questions")
	columns := make([]int, len(r.Scores[0].Metrics))
	for i, m := range r.Scores[0].Metrics {
		name := strings.TrimPrefix(m.Name, "exact_match,")
		columns[i] = max(9, len([]rune(name)))
		fmt.Fprintf(&b, "  %*s %9s", columns[i], name, "± stderr")
	}
	b.WriteByte('\n')
	for _, s := range r.Scores {
		name := s.Group
		if name == "" {
			name = "all"
		}
		fmt.Fprintf(&b, "%-32s %9d", name, s.Questions)
		for i, m := range s.Metrics {
			fmt.Fprintf(&b, "  %*s %9s", columns[min(i, len(columns)-1)], m.Text(), m.text(m.StdErr))
		}
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// overflow is how many prompts lost tokens, and the most that one lost.
func (r *Report) overflow() (prompts, most int) {
	for _, x := range r.Results {
		if x.Overflow > 0 {
			prompts++
		}
		most = max(most, x.Overflow)
	}
	return prompts, most
}

// Brief is the first figure with its name.
func (s Score) Brief() string {
	if len(s.Metrics) == 0 {
		return ""
	}
	return s.Metrics[0].Name + " " + s.Metrics[0].Text()
}

// Text writes the value: a share of one as a percentage, a perplexity as it is.
func (m Metric) Text() string { return m.text(m.Value) }

func (m Metric) text(x float64) string {
	if m.Name != "perplexity" {
		return fmt.Sprintf("%.1f%%", 100*x)
	}
	if math.Abs(x) >= 1e5 {
		return fmt.Sprintf("%.3g", x)
	}
	return fmt.Sprintf("%.2f", x)
}
