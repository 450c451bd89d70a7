package eval

import (
	"context"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
)

// Task is a configuration with its questions.
type Task struct {
	Config
	questions []Record
	shots     []Record
	pattern   *regexp.Regexp
}

// Open reads the files of c.
func Open(c Config) (*Task, error) {
	t := &Task{Config: c, pattern: regexp.MustCompile(c.Pattern)} // Load has compiled it
	var err error
	if t.questions, err = ReadRecords(c.Data); err != nil {
		return nil, err
	}
	if c.Limit > 0 && c.Limit < len(t.questions) {
		t.questions = t.questions[:c.Limit]
	}
	if c.Shots > 0 {
		if t.shots, err = ReadRecords(c.ShotsData); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// Len returns the number of questions.
func (t *Task) Len() int { return len(t.questions) }

// Prompt returns what the model sees of question i: the intro, the examples, the
// question.
func (t *Task) Prompt(i int) (string, error) {
	q := t.questions[i]
	var out strings.Builder
	add := func(text string, r Record) error {
		s, err := render(text, r)
		out.WriteString(s)
		return err
	}
	if err := add(t.Intro, q); err != nil {
		return "", err
	}
	examples := t.examples(q)
	if len(examples) < t.Shots {
		return "", fmt.Errorf("%s: %s has %d examples for it, shots is %d", q.Source, t.ShotsData, len(examples), t.Shots)
	}
	for _, e := range examples[:t.Shots] {
		if err := add(t.Config.Prompt, e); err != nil {
			return "", err
		}
		if err := add(t.Target, e); err != nil {
			return "", err
		}
		out.WriteString(t.Separator)
	}
	err := add(t.Config.Prompt, q)
	return out.String(), err
}

// examples are the records that may stand before q: of its group, and not itself.
func (t *Task) examples(q Record) []Record {
	group := t.groupOf(q)
	return slices.DeleteFunc(slices.Clone(t.shots), func(e Record) bool {
		return group != "" && t.groupOf(e) != group || e.Source == q.Source
	})
}

func (t *Task) groupOf(r Record) string {
	if t.Group == "" || r.Keys[t.Group] == nil {
		return ""
	}
	return fmt.Sprint(r.Keys[t.Group])
}

// Model answers questions.
type Model interface {
	// LogLikelihood of a completion, in nats, and its length in tokens.
	LogLikelihood(prompt, completion string) (sum float64, tokens int, err error)
	// Generate continues prompt by at most maxTokens, up to stop or the end of
	// the text.
	Generate(ctx context.Context, prompt, stop string, maxTokens int) (string, error)
}

// Result is the answer to one question.
type Result struct {
	Source     string    `json:"source"`
	Group      string    `json:"group,omitempty"`
	Correct    bool      `json:"correct"`
	Normalized bool      `json:"correct_normalized"` // choice: by likelihood per byte
	Expected   string    `json:"expected"`
	Answer     string    `json:"answer"`
	Text       string    `json:"text,omitempty"` // generate: all that the model wrote
	LogLikely  []float64 `json:"log_likelihoods,omitempty"`
}

// Ask puts question i to the model.
func (t *Task) Ask(ctx context.Context, m Model, i int) (Result, error) {
	prompt, err := t.Prompt(i)
	if err != nil {
		return Result{}, err
	}
	q := t.questions[i]
	r := Result{Source: q.Source, Group: t.groupOf(q)}
	if t.Kind == Choice {
		err = t.choose(m, q, prompt, &r)
	} else {
		err = t.write(ctx, m, q, prompt, &r)
	}
	if err != nil {
		return r, fmt.Errorf("%s: %w", q.Source, err)
	}
	return r, nil
}

// AskAll puts all questions to the model, in their order. At an error, such as ctx's, it
// returns the results so far with it.
func (t *Task) AskAll(ctx context.Context, m Model) ([]Result, error) {
	results := []Result{}
	for i := range t.Len() {
		if err := ctx.Err(); err != nil {
			return results, err
		}
		r, err := t.Ask(ctx, m, i)
		if err != nil {
			return results, err
		}
		results = append(results, r)
	}
	return results, nil
}

func (t *Task) choose(m Model, q Record, prompt string, r *Result) error {
	choices, err := q.choices(t.Choices)
	if err != nil {
		return err
	}
	right, err := q.correct(t.Answer, choices)
	if err != nil {
		return err
	}
	best, bestPerByte := 0, 0
	var perByte []float64
	for i, c := range choices {
		if t.Score == "letter" {
			c, _ = letterOf(i)
		}
		completion := " " + c
		if t.Chat {
			completion = c // it begins a turn
		}
		sum, _, err := m.LogLikelihood(prompt, completion)
		if err != nil {
			return err
		}
		r.LogLikely = append(r.LogLikely, sum)
		perByte = append(perByte, sum/float64(len(completion)))
		if sum > r.LogLikely[best] {
			best = i
		}
		if perByte[i] > perByte[bestPerByte] {
			bestPerByte = i
		}
	}
	r.Expected, r.Answer = choices[right], choices[best]
	r.Correct, r.Normalized = best == right, bestPerByte == right
	return nil
}

func (t *Task) write(ctx context.Context, m Model, q Record, prompt string, r *Result) error {
	expected, err := q.text(t.Answer)
	if err != nil {
		return err
	}
	if r.Text, err = m.Generate(ctx, prompt, t.Stop, t.MaxTokens); err != nil {
		return err
	}
	if t.Stop != "" {
		r.Text, _, _ = strings.Cut(r.Text, t.Stop)
	}
	r.Expected, r.Answer = t.extract(expected), t.extract(r.Text)
	r.Correct = r.Answer != "" && r.Answer == r.Expected
	r.Normalized = r.Correct
	return nil
}

// extract finds the answer in a text: group 1 of the last match of Pattern, or all
// of the text, without the characters that do not count.
func (t *Task) extract(text string) string {
	if t.Pattern != "" {
		all := t.pattern.FindAllStringSubmatch(text, -1)
		if len(all) == 0 {
			return ""
		}
		text = all[len(all)-1][1]
	}
	text = strings.Map(func(c rune) rune {
		if strings.ContainsRune(t.IgnoreText, c) {
			return -1
		}
		return c
	}, text)
	return strings.TrimSuffix(strings.TrimSpace(text), ".")
}

// Score sums up results.
type Score struct {
	Group      string  `json:"group,omitempty"` // empty: all questions
	Questions  int     `json:"questions"`
	Accuracy   float64 `json:"accuracy"`
	Normalized float64 `json:"accuracy_normalized"`
	StdErr     float64 `json:"stderr"` // of the accuracy
}

// Summarize returns the score of all results, then, where there are several, of
// each group in the order of their names.
func Summarize(results []Result) []Score {
	groups := map[string][]Result{}
	for _, r := range results {
		groups[r.Group] = append(groups[r.Group], r)
	}
	scores := []Score{score("", results)}
	if len(groups) > 1 {
		names := make([]string, 0, len(groups))
		for g := range groups {
			names = append(names, g)
		}
		slices.Sort(names)
		for _, g := range names {
			scores = append(scores, score(g, groups[g]))
		}
	}
	return scores
}

func score(group string, results []Result) Score {
	s := Score{Group: group, Questions: len(results)}
	for _, r := range results {
		if r.Correct {
			s.Accuracy++
		}
		if r.Normalized {
			s.Normalized++
		}
	}
	n := float64(max(1, len(results)))
	s.Accuracy, s.Normalized = s.Accuracy/n, s.Normalized/n
	if n > 1 {
		s.StdErr = math.Sqrt(s.Accuracy * (1 - s.Accuracy) / (n - 1))
	}
	return s
}
