package eval

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestSpaces: what is trimmed is what str.isspace of Python says, character by character.
func TestSpaces(t *testing.T) {
	const python = "\t\n\v\f\r\x1c\x1d\x1e\x1f \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
	for c := rune(0); c <= utf8.MaxRune; c++ {
		if got, want := isSpace(c), strings.ContainsRune(python, c) && c != utf8.RuneError; got != want {
			t.Errorf("U+%04X is a space: %t", c, got)
		}
	}
}

// TestFileOverFormat: each key that a task file sets is that of the task, and each other one the format's.
func TestFileOverFormat(t *testing.T) {
	base := Config{Name: "n", Format: "f", Kind: "k", Data: "d", ShotsData: "s", Intro: "i", Prompt: "p", Target: "t", Separator: "e", Choices: "c", Score: "o", Answer: "a", Stop: "x", Stops: []string{"y"}, MaxTokens: 9,
		Match: "m", Filters: []string{"z"}, IgnoreText: "g", Ignore: []string{"h"}, Group: "r"}
	if got := base.overlaid(Config{}); !reflect.DeepEqual(got, base) {
		t.Errorf("an empty file gives %+v", got)
	}
	of := reflect.TypeOf(base)
	for i := range of.NumField() {
		file := Config{}
		value := reflect.ValueOf(&file).Elem().Field(i)
		switch value.Kind() {
		case reflect.String:
			value.SetString("set")
		case reflect.Int:
			value.SetInt(5)
		case reflect.Bool:
			value.SetBool(true)
		default:
			value.Set(reflect.ValueOf([]string{"set"}))
		}
		want := base
		reflect.ValueOf(&want).Elem().Field(i).Set(value)
		if of.Field(i).Name == "Pattern" { // takes the place of filters
			want.Filters, want.Ignore = nil, nil
		}
		if got := base.overlaid(file); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, want %+v", of.Field(i).Name, got, want)
		}
	}
}

// TestSpecBorders: each setting of a task is right up to its border and not beyond; faults come back together.
func TestSpecBorders(t *testing.T) {
	choice := Config{Kind: Choice, Prompt: "{{.q}}", Target: "{{.a}}", Answer: "a", Choices: "c", Score: "text"}
	generate := Config{Kind: Generate, Prompt: "{{.q}}", Target: "{{.a}}", Answer: "a", MaxTokens: 1}
	complete := Config{Kind: Complete, Prompt: "{{.q}}", Target: "{{.a}}"}
	for _, c := range []Config{choice, generate, complete} {
		if err := c.validate(); err != nil {
			t.Errorf("%s: %v", c.Kind, err)
		}
	}
	for _, test := range []struct {
		base   Config
		change func(c *Config)
		want   string // "" for none
	}{
		{choice, func(c *Config) { c.Kind = "x" }, "kind is"}, {choice, func(c *Config) { c.Prompt = "" }, "prompt and target"}, {choice, func(c *Config) { c.Target = "" }, "prompt and target"},
		{choice, func(c *Config) { c.Answer = "" }, "answer is missing"}, {generate, func(c *Config) { c.Answer = "" }, "answer is missing"},
		{choice, func(c *Config) { c.Shots, c.ShotsData = -1, "f" }, "0 or more"}, {choice, func(c *Config) { c.Limit = -1 }, "0 or more"}, {choice, func(c *Config) { c.MaxTokens = -1 }, "0 or more"},
		{choice, func(c *Config) { c.Shots = 1 }, "shots_data is missing"}, {choice, func(c *Config) { c.Shots, c.ShotsData = 1, "f" }, ""}, {choice, func(c *Config) { c.Limit = 1 }, ""},
		{choice, func(c *Config) { c.Choices = "" }, "choices is missing"}, {choice, func(c *Config) { c.Score = "letter" }, ""}, {choice, func(c *Config) { c.Score = "" }, "score is"}, {generate, func(c *Config) { c.Score = "x" }, ""},
		{choice, func(c *Config) { c.Filters = []string{"strict"} }, "filters and pattern"}, {complete, func(c *Config) { c.Pattern = "(a)" }, "filters and pattern"}, {generate, func(c *Config) { c.Pattern = "(a)" }, ""},
		{generate, func(c *Config) { c.MaxTokens = 0 }, "max_tokens is missing"}, {complete, func(c *Config) { c.MaxTokens = 0 }, ""}, {generate, func(c *Config) { c.Pattern = "(" }, "pattern"},
		{choice, func(c *Config) { c.Intro = "{{" }, "unclosed"}, {choice, func(c *Config) { c.Separator = "{{" }, "unclosed"}, {choice, func(c *Config) { c.Prompt = "{{" }, "unclosed"}, {choice, func(c *Config) { c.Target = "{{" }, "unclosed"},
	} {
		c := test.base
		test.change(&c)
		err := c.validate()
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n")) {
			t.Errorf("%+v: %v, want one fault with %q", c, err, test.want)
		}
	}
	both := Config{Kind: Choice, Prompt: "p", Limit: -1, Score: "x"}
	if err := both.validate(); err == nil || strings.Count(err.Error(), "\n") != 4 {
		t.Errorf("five faults: %v", err)
	}
}

// TestLettersAndNumbers: letters of choices, texts of answers, and scores, at their borders.
func TestLettersAndNumbers(t *testing.T) {
	for index, want := range map[any]string{0: "A", 25: "Z", 2.0: "C", "b": "B", "B": "B", -1: "", "": "", "ab": "", true: "", 26: ""} {
		if got, err := letter(index); got != want || (err != nil) != (want == "") {
			t.Errorf("%v is letter %q, %v; want %q", index, got, err, want)
		}
	}
	if got, err := numbers("s", []any{1.5, true, false, -2.0}); err != nil || !slices.Equal(got, []float64{1.5, 1, 0, -2}) {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := numbers("s", []any{1.0, "2"}); err == nil {
		t.Error("a text is a number")
	}
	if got := texts([]any{"a", 1.0, true}); !slices.Equal(got, []string{"a", "1", "true"}) {
		t.Errorf("%q", got)
	}
	record := func(choices int) Record {
		r := Record{Keys: map[string]any{}}
		for i := range choices {
			r.Keys[strings.Repeat("c", i+1)] = float64(i)
		}
		return r
	}
	for n, fine := range map[int]bool{1: false, 2: true, maxChoices: true, maxChoices + 1: false} {
		choices, worth, err := record(n).scores()
		if (err == nil) != fine || fine && (len(choices) != n || worth[n-1] != float64(n-1) || choices[1] != "cc") {
			t.Errorf("%d choices: %v, %v, %v", n, choices, worth, err)
		}
	}
	for glued, want := range map[bool]string{true: "yes", false: "  yes "} {
		q := question{Record: Record{Keys: map[string]any{}}, glued: glued}
		if err := q.targets([]string{"a", "b", "c"}, []float64{0, 2, 2}, []any{" yes ", "no"}); err != nil || q.Keys["target"] != want || !slices.Equal(q.expected, []string{" yes ", "no"}) {
			t.Errorf("%v, %q, %v", err, q.Keys["target"], q.expected)
		}
		if err := q.targets([]string{"a", "b", "c"}, []float64{0, 2, 2}, nil); err != nil || !slices.Equal(q.expected, []string{"no"}) && !slices.Equal(q.expected, []string{" yes ", "no"}) {
			t.Errorf("%v, %q", err, q.expected)
		}
		var fresh question
		fresh.Keys = map[string]any{}
		if err := fresh.targets([]string{"a", "b", "c"}, []float64{0, 2, 2}, nil); err != nil || !slices.Equal(fresh.expected, []string{"b"}) || fresh.sets[0].worth[1] != 2 {
			t.Errorf("%v, %q", err, fresh.expected)
		}
		if err := (&question{Record: Record{Keys: map[string]any{}}}).targets(nil, nil, nil); err == nil {
			t.Error("a question without an answer")
		}
	}
}
