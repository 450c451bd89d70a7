package eval

import (
	"context"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// Model answers questions.
type Model interface {
	// Score gives each the log-likelihoods of the completions of query i, in any order of
	// the queries, and ends with each's error or ctx's.
	Score(ctx context.Context, queries []Query, each func(i int, scores []Completion) error) error
	// Generate continues prompt by at most maxTokens, up to one of stops or the end of
	// the text. overflow is how many tokens of the prompt did not fit the context.
	Generate(ctx context.Context, prompt string, stops []string, maxTokens int) (text string, overflow int, err error)
}

// Query is a prompt with the completions that are scored after it.
type Query struct {
	Source      string // file:line, for errors
	Prompt      string
	Completions []string
	Greedy      bool // whether they are what greedy decoding gives is asked, too
}

// Completion is what a completion scores.
type Completion struct {
	LogLikelihood float64 // nats
	Greedy        bool
	Overflow      int // tokens of the prompt that did not fit the context
}

// Result is the answer to one question.
type Result struct {
	Source   string   `json:"source"`
	Group    string   `json:"group,omitempty"`
	Metrics  []Metric `json:"metrics"`
	Expected string   `json:"expected"`
	Answer   string   `json:"answer"`
	Text     string   `json:"text,omitempty"` // generate: all that the model wrote
	// LogLikely are the log-likelihoods of the choices, or of what follows, in nats.
	LogLikely []float64 `json:"log_likelihoods,omitempty"`
	// Overflow is how many tokens at the beginning of the prompt did not fit the model's
	// context and were left out, the most of all choices.
	Overflow int `json:"prompt_overflow,omitempty"`
}

// Value returns a metric, 0 where there is none of that name.
func (r Result) Value(name string) float64 {
	for _, m := range r.Metrics {
		if m.Name == name {
			return m.Value
		}
	}
	return 0
}

// Ask puts question i to the model.
func (t *Task) Ask(ctx context.Context, m Model, i int) (Result, error) {
	one := *t
	one.questions = t.questions[i : i+1]
	results, err := one.AskAll(ctx, m, nil)
	if err != nil {
		return Result{}, err
	}
	return results[0], nil
}

// AskAll puts all questions to the model. After each it calls told, unless that is nil. At
// an error, such as ctx's, it returns with it the results so far, in the order of the
// questions.
func (t *Task) AskAll(ctx context.Context, m Model, told func(Progress)) ([]Result, error) {
	queries := make([]Query, t.Len())
	for i := range t.questions {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var err error
		if queries[i], err = t.query(i); err != nil {
			return nil, err
		}
	}
	p := Progress{Total: t.Len(), results: make([]*Result, t.Len())}
	tell := func(i int, r Result) {
		r.Source, r.Group = t.questions[i].Source, t.groupOf(t.questions[i])
		p.results[i] = &r
		p.Done++
		if told != nil {
			told(p)
		}
	}
	var err error
	if t.Kind == Generate {
		for i := 0; err == nil && i < len(queries); i++ {
			if err = ctx.Err(); err == nil {
				var r Result
				if r, err = t.write(ctx, m, i, queries[i].Prompt); err == nil {
					tell(i, r)
				}
			}
		}
	} else {
		err = m.Score(ctx, queries, func(i int, scores []Completion) error {
			for _, s := range scores {
				if math.IsNaN(s.LogLikelihood) {
					return fmt.Errorf("%s: %w", queries[i].Source, ErrNotFinite)
				}
			}
			tell(i, t.weigh(i, queries[i], scores))
			return nil
		})
	}
	return p.Results(), err
}

// query is question i as the model is asked it.
func (t *Task) query(i int) (Query, error) {
	q := t.questions[i]
	prompt, err := t.Prompt(i)
	if err != nil {
		return Query{}, err
	}
	query := Query{Source: q.Source, Prompt: prompt}
	switch t.Kind {
	case Choice:
		for c := range q.choices {
			query.Completions = append(query.Completions, t.completion(q, c))
		}
	case Complete:
		target, err := render(t.Target, q.Record)
		if err != nil {
			return Query{}, err
		}
		if t.Chat { // it begins a turn
			target = strings.TrimLeftFunc(target, isSpace)
		}
		if target == "" {
			return Query{}, fmt.Errorf("%s: the target is empty", q.Source)
		}
		query.Completions, query.Greedy = []string{target}, true
	}
	return query, nil
}

// completion is what is scored for a choice.
func (t *Task) completion(q question, i int) string {
	c := q.choices[i]
	if t.Score == "letter" {
		c, _ = letterOf(i)
	}
	if t.Chat || q.glued { // it begins a turn, or the prompt ends in a space
		return c
	}
	return " " + c
}

// weigh makes a result of log-likelihoods.
func (t *Task) weigh(i int, query Query, scores []Completion) Result {
	q := t.questions[i]
	var r Result
	for _, s := range scores {
		r.LogLikely = append(r.LogLikely, s.LogLikelihood)
		r.Overflow = max(r.Overflow, s.Overflow)
	}
	if t.Kind == Complete {
		r.Expected = query.Completions[0]
		if scores[0].Greedy {
			r.Answer = r.Expected
		}
		r.Metrics = []Metric{{Name: "acc", Value: one(scores[0].Greedy)}, {Name: logLikelihood, Value: scores[0].LogLikelihood}}
		return r
	}
	for k, s := range q.sets {
		value, best := s.value(r.LogLikely, q.choices)
		r.Metrics = append(r.Metrics, Metric{Name: s.metric, Value: value})
		if k == 0 {
			r.Answer, r.Expected = q.choices[best], q.choices[s.of[largest(s.worth)]]
		}
	}
	return r
}

// measure is by what choices are compared.
type measure uint8

const (
	byWhole     measure = iota // log-likelihood
	byCharacter                // log-likelihood by the character of the choice
	byByte                     // log-likelihood by the byte of UTF-8 of the choice
	byMass                     // none is chosen: the share of probability counts
)

// A set is a metric of a question: some of its choices, and what each is worth.
type set struct {
	metric string
	by     measure
	of     []int
	worth  []float64
}

// value returns what the likeliest choice is worth, the first of several, or Σ worth·p / Σ p;
// and the choice.
func (s set) value(logs []float64, choices []string) (value float64, best int) {
	likely := make([]float64, len(s.of))
	for k, c := range s.of {
		likely[k] = logs[c]
		switch s.by {
		case byCharacter:
			likely[k] /= float64(max(1, utf8.RuneCountInString(choices[c])))
		case byByte:
			likely[k] /= float64(max(1, len(choices[c])))
		}
	}
	k := largest(likely)
	if s.by != byMass {
		return s.worth[k], s.of[k]
	}
	var sum, right float64
	for i, x := range likely {
		p := math.Exp(x - likely[k])
		sum += p
		right += p * s.worth[i]
	}
	return right / sum, s.of[k]
}

// largest is the first index of the largest value.
func largest(list []float64) int {
	at := 0
	for i, x := range list {
		if x > list[at] {
			at = i
		}
	}
	return at
}

func one(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// write has the model write the answer to question i.
func (t *Task) write(ctx context.Context, m Model, i int, prompt string) (r Result, err error) {
	q := t.questions[i]
	stops := t.stops()
	if r.Text, r.Overflow, err = m.Generate(ctx, prompt, stops, t.MaxTokens); err != nil {
		if ctx.Err() == nil {
			err = fmt.Errorf("%s: %w", q.Source, err)
		}
		return r, err
	}
	for _, stop := range stops {
		r.Text, _, _ = strings.Cut(r.Text, stop)
	}
	for k, f := range t.extractor.filters {
		answer, found := t.extractor.find(f, r.Text)
		right, expected := false, ""
		for j, e := range q.expected {
			want, ok := t.extractor.expected(f, e)
			if found && ok && want == answer {
				right = true
			}
			if j == 0 {
				expected = want
			}
		}
		r.Metrics = append(r.Metrics, Metric{Name: f.metric(), Value: one(right), Answer: answer})
		if k == 0 {
			r.Expected, r.Answer = expected, answer
		}
	}
	return r, nil
}

// stops are the texts that end an answer.
func (t *Task) stops() []string {
	var stops []string
	for _, s := range append([]string{t.Stop}, t.Stops...) {
		if s != "" {
			stops = append(stops, s)
		}
	}
	return stops
}
