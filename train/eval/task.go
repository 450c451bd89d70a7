package eval

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Task is a configuration with its questions.
type Task struct {
	Config
	// Unread are keys of the questions that nothing reads.
	Unread    []string
	questions []question
	shots     []question
	extractor *extractor
}

// question is a record that is ready to be asked.
type question struct {
	Record            // with what the format adds to its keys
	choices  []string // of a choice
	sets     []set    // what is scored of them
	expected []string // of an answer that is generated: any of them
	glued    bool     // no space stands between the prompt and an answer
}

// Open reads the files of c, finds the format where c names none, and fills in what it sets.
// Every record is checked.
func Open(c Config) (*Task, error) {
	if c.Data == "" {
		return nil, &ConfigError{fmt.Errorf("data is missing: name the file of questions")}
	}
	records, err := ReadRecords(c.Data)
	if err != nil {
		return nil, err
	}
	c, format, err := c.settled(records[0])
	if err != nil {
		return nil, &ConfigError{err}
	}
	if err := c.validate(); err != nil {
		return nil, &ConfigError{err}
	}
	t := &Task{Config: c}
	if format != nil {
		t.Unread = format.unread(c, records)
	}
	if c.Kind == Generate {
		if t.extractor, err = newExtractor(c); err != nil {
			return nil, err
		}
	}
	if c.Limit > 0 && c.Limit < len(records) {
		records = records[:c.Limit]
	}
	if t.questions, err = t.prepare(records, format); err != nil || c.Shots == 0 {
		return t, err
	}
	if records, err = ReadRecords(c.ShotsData); err != nil {
		return nil, err
	}
	t.shots, err = t.prepare(records, format)
	return t, err
}

// ConfigError says that a task is set wrongly.
type ConfigError struct{ error }

// Unwrap returns the fault itself.
func (e *ConfigError) Unwrap() error { return e.error }

// prepare makes questions of records.
func (t *Task) prepare(records []Record, format *Format) ([]question, error) {
	questions := make([]question, len(records))
	for i, r := range records {
		questions[i] = question{Record: Record{Source: r.Source, Keys: maps.Clone(r.Keys)}}
		q := &questions[i]
		if format != nil && format.prepare != nil {
			// A file may hold questions of another layout of the same name.
			own := format
			if other, err := formatOf(r); err == nil && other.Name == format.Name {
				own = other
			}
			if err := own.prepare(q); err != nil {
				return nil, err
			}
		}
		if err := t.complete(q); err != nil {
			return nil, err
		}
	}
	return questions, nil
}

// complete finds what the kind of the task needs where the format has not.
func (t *Task) complete(q *question) error {
	var err error
	switch t.Kind {
	case Choice:
		if q.choices == nil {
			if q.choices, err = q.Record.choices(t.Choices); err != nil {
				return err
			}
			right, err := q.correct(t.Answer, q.choices)
			if err != nil {
				return err
			}
			q.answered(q.choices, right)
		}
		if t.Score == "letter" && len(q.choices) > maxLetters {
			return fmt.Errorf("%s: %d choices; letters are for %d", q.Source, len(q.choices), maxLetters)
		}
		if t.Score == "letter" && len(q.sets) == 3 {
			q.sets = q.sets[:1] // all letters are of one length
		}
	case Generate:
		if q.expected == nil {
			q.expected = make([]string, 1)
			q.expected[0], err = q.text(t.Answer)
		}
	}
	return err
}

// answered keeps the choices of a question of which one is right.
func (q *question) answered(choices []string, right int) {
	worth := make([]float64, len(choices))
	worth[right] = 1
	all := upTo(len(choices))
	q.choices = choices
	q.sets = []set{{"acc", byWhole, all, worth}, {"acc_norm", byCharacter, all, worth}, {"acc_bytes", byByte, all, worth}}
	for key, value := range map[string]any{"choices": anyOf(choices), "answer": float64(right), "target": choices[right]} {
		if _, ok := q.Keys[key]; !ok || key != "answer" {
			q.Keys[key] = value
		}
	}
}

func anyOf(list []string) []any {
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}

func upTo(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
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
	if err := add(t.Intro, q.Record); err != nil {
		return "", err
	}
	examples := t.examples(q)
	if len(examples) < t.Shots {
		return "", fmt.Errorf("%s: %s has %d examples for it, shots is %d", q.Source, t.ShotsData, len(examples), t.Shots)
	}
	for _, e := range examples[:t.Shots] {
		if err := add(t.Config.Prompt, e.Record); err != nil {
			return "", err
		}
		if err := add(t.Target, e.Record); err != nil {
			return "", err
		}
		if err := add(t.Separator, e.Record); err != nil {
			return "", err
		}
	}
	err := add(t.Config.Prompt, q.Record)
	return out.String(), err
}

// examples are the questions that may stand before q: of its group, and not itself.
func (t *Task) examples(q question) []question {
	group := t.groupOf(q)
	return slices.DeleteFunc(slices.Clone(t.shots), func(e question) bool {
		return group != "" && t.groupOf(e) != group || e.Source == q.Source
	})
}

func (t *Task) groupOf(q question) string {
	if t.Group == "" || q.Keys[t.Group] == nil {
		return ""
	}
	return fmt.Sprint(q.Keys[t.Group])
}
