package eval

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Format is a published layout of questions, and how they are asked.
type Format struct {
	Name string
	// Tells are sets of keys: a record that has all of one is of this format, unless an
	// earlier one of Formats has it.
	Tells [][]string
	// Keys are those that belong to the layout beside them.
	Keys   []string
	Config Config // what a task of the format leaves open
	// settle adds what depends on the questions, as the first of them has it.
	settle func(c *Config, first Record)
	// prepare brings a question into the shape that Config reads.
	prepare func(q *question) error
}

// Formats are told apart by their keys in this order.
var Formats = []Format{truthfulQA, hellaSwag, arc, bigBench, bigBenchRows, mmlu, gsm8k, lambada}

var mmlu = Format{
	Name: "mmlu", Tells: [][]string{{"question", "choices", "answer"}}, Keys: []string{"subject"},
	Config: Config{
		Format: "mmlu", Kind: Choice, Choices: "choices", Score: "letter", Answer: "answer", Separator: "\n\n", Group: "subject",
		Intro:  "The following are multiple choice questions (with answers){{with .subject}} about {{spaces .}}{{end}}.\n\n",
		Prompt: "{{trim .question}}\n{{range $i, $c := .choices}}{{letter $i}}. {{$c}}\n{{end}}Answer:",
		Target: " {{letter .answer}}",
	},
}

var gsm8k = Format{
	Name: "gsm8k", Tells: [][]string{{"question", "answer"}},
	Config: Config{
		Format: "gsm8k", Kind: Generate, Answer: "answer", Separator: "\n\n", MaxTokens: 256,
		Filters: []string{"strict-match", "flexible-extract"}, Ignore: []string{",", `\$`, `(?s).*#### `, `\.$`}, IgnoreCase: true,
		Stop: "Question:", Stops: []string{"</s>", "<|im_end|>"},
		Prompt: "Question: {{.question}}\nAnswer:",
		Target: " {{.answer}}",
	},
}

var lambada = Format{
	Name: "lambada", Tells: [][]string{{"text"}},
	Config: Config{Format: "lambada", Kind: Complete, Separator: "\n\n", Prompt: "{{.passage}}", Target: " {{.word}}"},
	prepare: func(q *question) error {
		text, err := q.text("text")
		if err != nil {
			return err
		}
		at := strings.LastIndexByte(text, ' ')
		if at < 0 || at == len(text)-1 {
			return fmt.Errorf("%s: %q has no last word behind a space", q.Source, "text")
		}
		q.Keys["passage"], q.Keys["word"] = text[:at], text[at+1:]
		return nil
	},
}

// formatOf is that of a record.
func formatOf(r Record) (*Format, error) {
	for i, f := range Formats {
		for _, keys := range f.Tells {
			if !slices.ContainsFunc(keys, func(k string) bool { _, ok := r.Keys[k]; return !ok }) {
				return &Formats[i], nil
			}
		}
	}
	var known []string
	for _, f := range Formats {
		for _, keys := range f.Tells {
			known = append(known, f.Name+" ("+strings.Join(keys, ", ")+")")
		}
	}
	return nil, fmt.Errorf("%s: the keys %s are those of no format: %s; rename them, or set kind, prompt and target in a task file",
		r.Source, strings.Join(slices.Sorted(maps.Keys(r.Keys)), ", "), strings.Join(known, ", "))
}

// formatNames lists the formats in errors.
func formatNames() string {
	var names []string
	for _, f := range Formats {
		if !slices.Contains(names, f.Name) {
			names = append(names, f.Name)
		}
	}
	return strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
}

// unread returns the keys of records that neither the format nor a template of c knows,
// sorted.
func (f *Format) unread(c Config, records []Record) []string {
	known := map[string]bool{c.Group: true, c.Answer: true, c.Choices: true}
	for _, g := range Formats {
		if g.Name != f.Name {
			continue
		}
		for _, keys := range append(g.Tells, g.Keys) {
			for _, k := range keys {
				known[k] = true
			}
		}
	}
	templates := c.Intro + c.Prompt + c.Target
	unread := map[string]bool{}
	for _, r := range records {
		for k := range r.Keys {
			if !known[k] && !strings.Contains(templates, "."+k) {
				unread[k] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(unread))
}
