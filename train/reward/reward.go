// Package reward judges what a model writes by rules: does the answer equal that of the
// record, is its number the same, how long is it, does a pattern match, what does a command
// say. A [Func] is the interface of all; a [Rule] is one from a configuration, [Sum] several
// with their weights. A rule that asks a reward model is run by whoever has its weights;
// [Models] finds it.
//
// Every error names the rule. NaN and infinities are errors of Sum: a reward that is no
// number would end in every parameter.
package reward

import (
	"context"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strings"
	"unicode/utf8"
)

// Sample is what is judged.
type Sample struct {
	Prompt, Completion string
	// Record is the record of the prompt, with the answer that a rule compares with.
	Record map[string]any
}

// Func returns the reward of a sample. It may be called by several goroutines at once, and
// gives the same for the same sample.
type Func func(ctx context.Context, s Sample) (float64, error)

// Kinds of rules.
const (
	Exact   = "exact"   // 1 where the completion without white space around is the answer, else 0
	Number  = "number"  // 1 where the number behind the last ####, or the last one, is that of the answer
	Length  = "length"  // 1 where the completion has Least to Most characters, else 0
	Pattern = "pattern" // 1 where a regular expression matches the completion, else 0
	Command = "command" // the number that a program prints for the sample
	Model   = "model"   // the score of a reward model
)

// Rule is a rule of a configuration, such as {kind: number, answer: answer}.
type Rule struct {
	Kind string `yaml:"kind"`
	// Weight is the factor of the rule among others, 1 by default.
	Weight *float64 `yaml:"weight"`
	// Answer is the key of the record whose text exact and number compare with.
	Answer string `yaml:"answer"`
	// Pattern is the regular expression of pattern (RE2).
	Pattern string `yaml:"pattern"`
	// Least and Most are the characters of length; Most 0 is no limit.
	Least int `yaml:"least"`
	Most  int `yaml:"most"`
	// Command is the program of command with its arguments. It reads the sample from
	// standard input, one JSON object with prompt, completion and record, and prints a
	// number.
	Command []string `yaml:"command"`
	// TimeoutS is how many seconds it may take, 10 by default; then it is ended with all that
	// it has started.
	TimeoutS float64 `yaml:"timeout_s"`
	// Model is the directory of the reward model of model: a run, a checkpoint, or one that
	// transformers loads with AutoModelForSequenceClassification and one label.
	Model string `yaml:"model"`
}

// Validate reports all that is wrong with the rule.
func (r Rule) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	switch r.Kind {
	case Exact, Number:
		check(r.Answer != "", "kind %s: answer names the key of the record to compare with", r.Kind)
	case Length:
		check(r.Least > 0 || r.Most > 0, "kind length: least or most says how many characters are wanted")
		check(r.Least >= 0 && (r.Most == 0 || r.Most >= r.Least), "kind length: %d to %d characters are none", r.Least, r.Most)
	case Pattern:
		_, err := regexp.Compile(r.Pattern)
		check(r.Pattern != "", "kind pattern: pattern is empty")
		check(err == nil, "kind pattern: %v", err)
	case Command:
		check(len(r.Command) > 0, "kind command: command names no program")
		check(r.TimeoutS >= 0 && r.TimeoutS < maxTimeoutS, "kind command: timeout_s is %g; use 0 for 10, or more, below %d", r.TimeoutS, maxTimeoutS)
	case Model:
		check(r.Model != "", "kind model: model names the directory of a reward model")
	default:
		check(false, "kind is %q; use exact, number, length, pattern, command or model", r.Kind)
	}
	check(r.Weight == nil || !math.IsNaN(*r.Weight) && !math.IsInf(*r.Weight, 0), "weight is no number")
	return errors.Join(errs...)
}

// Factor is the weight of the rule.
func (r Rule) Factor() float64 {
	if r.Weight == nil {
		return 1
	}
	return *r.Weight
}

// Func returns what the rule says of a sample, without its weight.
func (r Rule) Func() (Func, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	switch r.Kind {
	case Exact:
		return r.compare(func(text string) (string, bool) { return strings.TrimSpace(text), true }), nil
	case Number:
		return r.compare(NumberOf), nil
	case Length:
		return func(_ context.Context, s Sample) (float64, error) {
			n := utf8.RuneCountInString(s.Completion)
			return one(n >= r.Least && (r.Most == 0 || n <= r.Most)), nil
		}, nil
	case Pattern:
		re := regexp.MustCompile(r.Pattern)
		return func(_ context.Context, s Sample) (float64, error) { return one(re.MatchString(s.Completion)), nil }, nil
	case Model:
		return nil, errors.New("kind model is no rule of the text alone")
	}
	return r.command, nil
}

// compare returns the rule that read finds the same in the completion and in the answer.
func (r Rule) compare(read func(text string) (string, bool)) Func {
	return func(_ context.Context, s Sample) (float64, error) {
		value, ok := s.Record[r.Answer]
		if !ok {
			return 0, fmt.Errorf("the record has no key %q", r.Answer)
		}
		want, ok := read(fmt.Sprint(value))
		if !ok {
			return 0, fmt.Errorf("the record's %q has no number: %.60q", r.Answer, fmt.Sprint(value))
		}
		got, ok := read(s.Completion)
		return one(ok && got == want), nil
	}
}

func one(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

var numbers = regexp.MustCompile(`-?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?`)

// NumberOf returns the number of a solution in plain form: the first one behind the last
// #### (Cobbe et al. 2021), or without such a mark the last of the text. 1,200.50 and
// 1200.5 are the same.
func NumberOf(text string) (string, bool) {
	at := -1
	if mark := strings.LastIndex(text, "####"); mark >= 0 {
		text, at = text[mark:], 0
	}
	all := numbers.FindAllString(text, -1)
	if len(all) == 0 {
		return "", false
	}
	if at < 0 {
		at = len(all) - 1
	}
	return plain(all[at]), true
}

// plain writes a number without separators, leading zeros and zeros behind the point.
func plain(number string) string {
	digits, negative := strings.CutPrefix(strings.ReplaceAll(number, ",", ""), "-")
	whole, fraction, _ := strings.Cut(digits, ".")
	whole, fraction = strings.TrimLeft(whole, "0"), strings.TrimRight(fraction, "0")
	if whole == "" {
		whole = "0"
	}
	if fraction != "" {
		whole += "." + fraction
	}
	if negative && whole != "0" {
		return "-" + whole
	}
	return whole
}

// Models takes rules apart: those that ask a reward model, and the others.
func Models(all []Rule) (models, rules []Rule) {
	for _, r := range all {
		if r.Kind == Model {
			models = append(models, r)
		} else {
			rules = append(rules, r)
		}
	}
	return models, rules
}

// Sum returns the weighted sum of rules.
func Sum(rules []Rule) (Func, error) {
	if len(rules) == 0 {
		return nil, errors.New("there is no rule")
	}
	funcs := make([]Func, len(rules))
	for i, r := range rules {
		f, err := r.Func()
		if err != nil {
			return nil, fmt.Errorf("rule %d: %w", i+1, err)
		}
		funcs[i] = f
	}
	return func(ctx context.Context, s Sample) (float64, error) {
		sum := 0.0
		for i, f := range funcs {
			value, err := f(ctx, s)
			if err == nil && (math.IsNaN(value) || math.IsInf(value, 0)) {
				err = fmt.Errorf("the reward is %g", value)
			}
			if err != nil {
				return 0, fmt.Errorf("reward %d, %s: %w", i+1, rules[i].Kind, err)
			}
			sum += rules[i].Factor() * value
		}
		return sum, nil
	}, nil
}
