package eval

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Filter finds the answer in what a model writes: of all matches of a pattern the first or
// the last, and of that the first group that is not empty, without white space around.
type Filter struct {
	Name    string
	Pattern string
	Last    bool
}

// Filters are those that Config.Filters names, as lm-evaluation-harness has them for GSM8K.
// They read what the model writes; of what is expected, only what is ignored is taken out.
var Filters = []Filter{
	{Name: "strict-match", Pattern: `#### (\-?[0-9\.\,]+)`},
	{Name: "flexible-extract", Pattern: `(-?[$0-9.,]{2,})|(-?[0-9]+)`, Last: true},
}

// ownFilter is the name of that of Config.Pattern.
const ownFilter = ""

// extractor finds and compares answers.
type extractor struct {
	filters    []filter
	ignore     []*regexp.Regexp
	ignoreText string
	fold       bool
	stop       bool // a full stop at the end does not count
}

type filter struct {
	Filter
	pattern *regexp.Regexp // nil for all of the text
}

// newExtractor returns that of a task.
func newExtractor(c Config) (*extractor, error) {
	e := &extractor{ignoreText: c.IgnoreText, fold: c.IgnoreCase, stop: len(c.Filters) == 0}
	var faults []error
	for _, text := range c.Ignore {
		re, err := regexp.Compile(text)
		if err != nil {
			faults = append(faults, fmt.Errorf("ignore: %w", err))
		}
		e.ignore = append(e.ignore, re)
	}
	if c.Match != "" && c.Match != "first" && c.Match != "last" {
		faults = append(faults, fmt.Errorf("match is %q; use first or last", c.Match))
	}
	for _, name := range c.Filters {
		i := slices.IndexFunc(Filters, func(f Filter) bool { return f.Name == name })
		if i < 0 {
			faults = append(faults, fmt.Errorf("filters: there is no %q; use strict-match or flexible-extract, or a pattern", name))
			continue
		}
		e.filters = append(e.filters, filter{Filters[i], regexp.MustCompile(Filters[i].Pattern)})
	}
	switch {
	case len(c.Filters) > 0 && (c.Pattern != "" || c.Match != ""):
		faults = append(faults, errors.New("pattern and match do not go with filters: leave one out"))
	case c.Pattern != "":
		re, err := regexp.Compile(c.Pattern)
		switch {
		case err != nil:
			faults = append(faults, fmt.Errorf("pattern: %w", err))
		case re.NumSubexp() == 0:
			faults = append(faults, fmt.Errorf("pattern %q has no group ( ) around the answer", c.Pattern))
		}
		e.filters = append(e.filters, filter{Filter{Name: ownFilter, Last: c.Match != "first"}, re})
	case len(c.Filters) == 0:
		e.filters = append(e.filters, filter{})
	}
	return e, errors.Join(faults...)
}

// metric is the name of what is scored, as lm-evaluation-harness writes it.
func (f filter) metric() string {
	if f.Name == ownFilter {
		return "exact_match"
	}
	return "exact_match," + f.Name
}

// find returns the answer in a text, as it is compared, and whether there is one.
func (e *extractor) find(f filter, text string) (string, bool) {
	if f.pattern != nil {
		all := f.pattern.FindAllStringSubmatch(text, -1)
		if len(all) == 0 {
			return "", false
		}
		match := all[0]
		if f.Last {
			match = all[len(all)-1]
		}
		i := slices.IndexFunc(match[1:], func(group string) bool { return group != "" })
		if i < 0 {
			return "", false
		}
		text = match[1+i]
	}
	return e.plain(strings.TrimFunc(text, isSpace)), true
}

// expected returns an answer that is right, as it is compared.
func (e *extractor) expected(f filter, text string) (string, bool) {
	if f.Name == ownFilter {
		return e.find(f, text)
	}
	return e.plain(text), true
}

// plain takes out what does not count.
func (e *extractor) plain(text string) string {
	for _, re := range e.ignore {
		text = re.ReplaceAllString(text, "")
	}
	text = strings.Map(func(c rune) rune {
		if strings.ContainsRune(e.ignoreText, c) {
			return -1
		}
		return c
	}, text)
	if e.stop {
		text = strings.TrimSuffix(strings.TrimFunc(text, isSpace), ".")
	}
	if e.fold {
		text = strings.ToLower(text)
	}
	return text
}
