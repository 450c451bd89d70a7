package eval

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"text/template"

	"gotrain/train/config"
)

// Kinds of tasks that Config.Kind names.
const (
	Choice   = "choice"   // the answer is the most likely of several
	Generate = "generate" // the answer is found in what the model writes
)

// Config is a task file.
type Config struct {
	Name   string `yaml:"name" json:"name"`
	Format string `yaml:"format" json:"format"` // mmlu, gsm8k: sets what the file leaves open
	Kind   string `yaml:"kind" json:"kind"`     // choice, generate

	Data      string `yaml:"data" json:"data"`             // JSONL, JSON or CSV, relative to the task file
	ShotsData string `yaml:"shots_data" json:"shots_data"` // where the examples of a prompt come from
	Shots     int    `yaml:"shots" json:"shots"`           // examples before each question
	Limit     int    `yaml:"limit" json:"limit"`           // questions, 0 for all

	// Prompt, Target and Intro are Go templates over the keys of a record. Target
	// is what follows Prompt in an example; Intro stands once before all.
	Intro     string `yaml:"intro" json:"intro"`
	Prompt    string `yaml:"prompt" json:"prompt"`
	Target    string `yaml:"target" json:"target"`
	Separator string `yaml:"separator" json:"separator"` // between examples

	Choices    string `yaml:"choices" json:"choices"`         // key of the list of choices
	Score      string `yaml:"score" json:"score"`             // letter: " A", " B", …; text: the choices themselves
	Answer     string `yaml:"answer" json:"answer"`           // key of the answer: index, letter or text
	Pattern    string `yaml:"pattern" json:"pattern"`         // generate: the answer is group 1 of its last match
	Stop       string `yaml:"stop" json:"stop"`               // generate: text that ends an answer
	MaxTokens  int    `yaml:"max_tokens" json:"max_tokens"`   // generate
	IgnoreText string `yaml:"ignore_text" json:"ignore_text"` // generate: characters that do not count in an answer
	Chat       bool   `yaml:"chat" json:"chat"`               // the prompt is what a user says, the answer a turn of its own
	Group      string `yaml:"group" json:"group"`             // key by which results are told apart
}

// formats are the tasks that Config.Format names.
var formats = map[string]Config{
	"mmlu": {
		Kind: Choice, Choices: "choices", Score: "letter", Answer: "answer", Separator: "\n\n", Group: "subject",
		Intro:  "The following are multiple choice questions (with answers){{with .subject}} about {{spaces .}}{{end}}.\n\n",
		Prompt: "{{.question}}\n{{range $i, $c := .choices}}{{letter $i}}. {{$c}}\n{{end}}Answer:",
		Target: " {{letter .answer}}",
	},
	"gsm8k": {
		Kind: Generate, Answer: "answer", Separator: "\n\n", Pattern: `####\s*(-?[0-9][0-9.,]*)`, Stop: "Question:", MaxTokens: 256, IgnoreText: ",$",
		Prompt: "Question: {{.question}}\nAnswer:",
		Target: " {{.answer}}",
	},
}

// Load reads a task file. All faults come back at once, each with its cure.
func Load(file string) (Config, error) {
	var c Config
	src, err := os.ReadFile(file)
	if err != nil {
		return c, err
	}
	if err := config.Decode(file, src, &c); err != nil {
		return c, err
	}
	if c.Format != "" {
		format, ok := formats[c.Format]
		if !ok {
			return c, fmt.Errorf("%s: format is %q; use mmlu or gsm8k, or leave it out and set kind, prompt and target", file, c.Format)
		}
		c = format.overlaid(c)
	}
	if c.Name == "" {
		c.Name = strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
	}
	for _, path := range []*string{&c.Data, &c.ShotsData} {
		if *path != "" && !filepath.IsAbs(*path) {
			*path = filepath.Join(filepath.Dir(file), *path)
		}
	}
	if err := c.validate(); err != nil {
		return c, fmt.Errorf("%s: %w", file, err)
	}
	return c, nil
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
		{&c.Score, file.Score}, {&c.Answer, file.Answer}, {&c.Pattern, file.Pattern}, {&c.Stop, file.Stop}, {&c.IgnoreText, file.IgnoreText}, {&c.Group, file.Group},
	} {
		text(p.dst, p.src)
	}
	c.Shots, c.Limit, c.Chat = file.Shots, file.Limit, file.Chat
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
	check(c.Data != "", "data is missing: name the file of questions")
	check(c.Kind == Choice || c.Kind == Generate, "kind is %q; use choice or generate", c.Kind)
	check(c.Prompt != "" && c.Target != "", "prompt and target are missing: set them, or format: mmlu or gsm8k")
	check(c.Answer != "", "answer is missing: name the key of the right answer")
	check(c.Shots >= 0 && c.Limit >= 0 && c.MaxTokens >= 0, "shots, limit and max_tokens are 0 or more")
	check(c.Shots == 0 || c.ShotsData != "", "shots_data is missing: name a file of examples, or set shots: 0")
	if c.Kind == Choice {
		check(c.Choices != "", "choices is missing: name the key of the list of choices")
		check(c.Score == "letter" || c.Score == "text", "score is %q; use letter or text", c.Score)
	}
	if c.Kind == Generate {
		check(c.MaxTokens > 0, "max_tokens is missing: say how long an answer may be")
		re, err := regexp.Compile(c.Pattern)
		check(err == nil, "pattern: %v", err)
		check(err != nil || c.Pattern == "" || re.NumSubexp() > 0, "pattern %q has no group ( ) around the answer", c.Pattern)
	}
	for _, t := range []string{c.Intro, c.Prompt, c.Target} {
		_, err := parse(t)
		check(err == nil, "%v", err)
	}
	return errors.Join(faults...)
}

// parse makes a template with the functions that prompts need.
func parse(text string) (*template.Template, error) {
	return template.New("prompt").Option("missingkey=error").Funcs(template.FuncMap{
		"letter": letter,
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
	if i < 0 || i >= 26 {
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
