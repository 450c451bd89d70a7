package eval

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"

	"example.com/gotrain/train/config"
)

// Kinds of tasks that Config.Kind names.
const (
	Choice   = "choice"   // the answer is the most likely of several
	Generate = "generate" // the answer is found in what the model writes
	Complete = "complete" // the answer is what follows; its likelihood counts, and whether greedy decoding gives it
)

// Config is a task file.
type Config struct {
	Name   string `yaml:"name" json:"name"`
	Format string `yaml:"format" json:"format"` // a name of Formats, which sets what the file leaves open; by default that of the questions' keys
	Kind   string `yaml:"kind" json:"kind"`     // choice, generate, complete

	Data      string `yaml:"data" json:"data"`             // JSONL, JSON, Parquet or CSV, relative to the task file
	ShotsData string `yaml:"shots_data" json:"shots_data"` // where the examples of a prompt come from
	Shots     int    `yaml:"shots" json:"shots"`           // examples before each question
	Limit     int    `yaml:"limit" json:"limit"`           // questions, 0 for all

	// Prompt, Target, Intro and Separator are Go templates over the keys of a record.
	// Target is what follows Prompt in an example, and what is scored under complete;
	// Intro stands once before all.
	Intro     string `yaml:"intro" json:"intro"`
	Prompt    string `yaml:"prompt" json:"prompt"`
	Target    string `yaml:"target" json:"target"`
	Separator string `yaml:"separator" json:"separator"` // between examples

	Choices string `yaml:"choices" json:"choices"` // key of the list of choices
	Score   string `yaml:"score" json:"score"`     // letter: " A", " B", …; text: the choices themselves
	Answer  string `yaml:"answer" json:"answer"`   // key of the answer: index, letter or text

	// How a generated answer ends, is found and is compared.
	Stop       string   `yaml:"stop" json:"stop"`   // text that ends an answer
	Stops      []string `yaml:"stops" json:"stops"` // further ones
	MaxTokens  int      `yaml:"max_tokens" json:"max_tokens"`
	Pattern    string   `yaml:"pattern" json:"pattern"`         // the answer, and what is expected, is group 1 of a match
	Match      string   `yaml:"match" json:"match"`             // which one: first, last (default)
	Filters    []string `yaml:"filters" json:"filters"`         // names of Filters in place of a pattern; each is scored
	IgnoreText string   `yaml:"ignore_text" json:"ignore_text"` // characters that do not count in an answer
	Ignore     []string `yaml:"ignore" json:"ignore"`           // patterns of what does not count, taken out one after the other
	IgnoreCase bool     `yaml:"ignore_case" json:"ignore_case"`

	Chat  bool   `yaml:"chat" json:"chat"`   // the prompt is what a user says, the answer a turn of its own
	Group string `yaml:"group" json:"group"` // key by which results are told apart
}

// Load reads a task file: YAML, or the questions themselves, whose keys tell the format. All faults come back at once,
// each with its cure.
func Load(file string) (Config, error) {
	var c Config
	if ext := extension(file); ext != ".yaml" && ext != ".yml" {
		c.Data = file
	} else {
		src, err := os.ReadFile(file)
		if err != nil {
			return c, err
		}
		if err := config.Decode(file, src, &c); err != nil {
			return c, err
		}
		for _, path := range []*string{&c.Data, &c.ShotsData} {
			if *path != "" && !filepath.IsAbs(*path) {
				*path = filepath.Join(filepath.Dir(file), *path)
			}
		}
	}
	if c.Name == "" {
		base := filepath.Base(file)
		c.Name, _, _ = strings.Cut(base, ".")
	}
	return c, nil
}

// settled returns c with what its format sets, as the first of the questions tells.
func (c Config) settled(first Record) (Config, *Format, error) {
	if c.Format == "" && (c.Kind != "" || c.Prompt != "") {
		return c, nil, nil
	}
	f, err := formatOf(first)
	switch {
	case c.Format == "" && err != nil:
		return c, nil, err
	case c.Format != "" && (err != nil || f.Name != c.Format): // the first layout of that name
		i := slices.IndexFunc(Formats, func(f Format) bool { return f.Name == c.Format })
		if i < 0 {
			return c, nil, fmt.Errorf("format is %q; use %s, or leave it out and set kind, prompt and target", c.Format, formatNames())
		}
		f = &Formats[i]
	}
	set := f.Config
	if f.settle != nil {
		f.settle(&set, first)
	}
	return set.overlaid(c), f, nil
}

// overlaid returns the format with what the file sets.
func (c Config) overlaid(file Config) Config {
	text := func(dst *string, src string) {
		if src != "" {
			*dst = src
		}
	}
	for _, p := range []struct {
		dst *string
		src string
	}{
		{&c.Name, file.Name}, {&c.Format, file.Format}, {&c.Kind, file.Kind}, {&c.Data, file.Data}, {&c.ShotsData, file.ShotsData},
		{&c.Intro, file.Intro}, {&c.Prompt, file.Prompt}, {&c.Target, file.Target}, {&c.Separator, file.Separator}, {&c.Choices, file.Choices},
		{&c.Score, file.Score}, {&c.Answer, file.Answer}, {&c.Match, file.Match}, {&c.Stop, file.Stop},
		{&c.IgnoreText, file.IgnoreText}, {&c.Group, file.Group},
	} {
		text(p.dst, p.src)
	}
	if file.Pattern != "" { // in place of the format's filters
		c.Pattern, c.Filters, c.Ignore = file.Pattern, nil, nil
	}
	for _, p := range []struct {
		dst *[]string
		src []string
	}{{&c.Stops, file.Stops}, {&c.Filters, file.Filters}, {&c.Ignore, file.Ignore}} {
		if p.src != nil {
			*p.dst = p.src
		}
	}
	c.Shots, c.Limit, c.Chat, c.IgnoreCase = file.Shots, file.Limit, file.Chat, c.IgnoreCase || file.IgnoreCase
	if file.MaxTokens != 0 {
		c.MaxTokens = file.MaxTokens
	}
	return c
}

func (c Config) validate() error {
	var faults []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	kinds := []string{Choice, Generate, Complete}
	check(slices.Contains(kinds, c.Kind), "kind is %q; use choice, generate or complete", c.Kind)
	check(c.Prompt != "" && c.Target != "", "prompt and target are missing: set them, or format: %s", formatNames())
	check(c.Answer != "" || c.Kind == Complete, "answer is missing: name the key of the right answer")
	check(c.Shots >= 0 && c.Limit >= 0 && c.MaxTokens >= 0, "shots, limit and max_tokens are 0 or more")
	check(c.Shots == 0 || c.ShotsData != "", "shots_data is missing: name a file of examples, or set shots: 0")
	if c.Kind == Choice {
		check(c.Choices != "", "choices is missing: name the key of the list of choices")
		check(c.Score == "letter" || c.Score == "text", "score is %q; use letter or text", c.Score)
	}
	check(c.Kind == Generate || len(c.Filters) == 0 && c.Pattern == "", "filters and pattern are for generated answers: kind is %s", c.Kind)
	if c.Kind == Generate {
		check(c.MaxTokens > 0, "max_tokens is missing: say how long an answer may be")
		_, err := newExtractor(c)
		check(err == nil, "%v", err)
	}
	for _, t := range []string{c.Intro, c.Prompt, c.Target, c.Separator} {
		_, err := parse(t)
		check(err == nil, "%v", err)
	}
	return errors.Join(faults...)
}

// parse makes a template with the functions that prompts need.
func parse(text string) (*template.Template, error) {
	return template.New("prompt").Option("missingkey=error").Funcs(template.FuncMap{
		"letter": letter,
		"trim":   func(s any) string { return strings.TrimFunc(fmt.Sprint(s), isSpace) },
		"spaces": func(s any) string { return strings.ReplaceAll(fmt.Sprint(s), "_", " ") },
	}).Parse(text)
}

// letter writes the choice with that index, or letter, as A, B, ….
func letter(index any) (string, error) {
	switch i := index.(type) {
	case int:
		return letterOf(i)
	case float64:
		return letterOf(int(i))
	case string:
		if len(i) == 1 {
			return strings.ToUpper(i), nil
		}
	}
	return "", fmt.Errorf("%v is neither an index nor a letter", index)
}

func letterOf(i int) (string, error) {
	if i < 0 || i >= maxLetters {
		return "", fmt.Errorf("choice %d has no letter", i)
	}
	return string(rune('A' + i)), nil
}

// render executes a template of the configuration on a record.
func render(text string, r Record) (string, error) {
	t, err := parse(text)
	if err != nil {
		return "", err
	}
	var out bytes.Buffer
	if err := t.Execute(&out, r.Keys); err != nil {
		return "", fmt.Errorf("%s: %w", r.Source, err)
	}
	return out.String(), nil
}
