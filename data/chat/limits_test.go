package chat

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Templates that would run for ever or take all memory end with an error.
func TestHostileTemplates(t *testing.T) {
	for name, source := range map[string]string{
		"nested loops":     "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}",
		"long range":       "{{ range(1000000000) }}",
		"recursive macro":  "{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}",
		"doubling":         "{% set n = namespace(s='x') %}{% for i in range(60) %}{% set n.s = n.s ~ n.s %}{% endfor %}",
		"doubling a list":  "{% set n = namespace(s=[1]) %}{% for i in range(60) %}{% set n.s = n.s + n.s %}{% endfor %}",
		"doubling a block": "{% set n = namespace(s='x') %}{% for i in range(60) %}{% set t %}{{ n.s }}{{ n.s }}{% endset %}{% set n.s = t %}{% endfor %}",
		"repetition":       "{{ 'x' * 1000000000 }}",
		"output":           "{% for i in range(9999) %}{{ 'a long text ' ~ 'a long text ' ~ 'a long text ' }}{% endfor %}",
		"include":          "{% include '/etc/passwd' %}",
		"import":           "{% from '/etc/passwd' import x %}",
		"padding":          "{{ 'x'.center(1000000000) }}",
		"brackets":         "{{ " + strings.Repeat("(", 30_000),
		"long":             strings.Repeat("x", maxSource+1),
	} {
		tmpl, err := Parse(name, source)
		if err == nil {
			_, err = tmpl.Render([]Message{{User, "hello"}}, Vars{})
		}
		var fault *Error
		if !errors.As(err, &fault) || fault.Template != name {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestErrorsNameTheLine(t *testing.T) {
	for _, tt := range []struct {
		source string
		line   int
		want   string
	}{
		{"a\n{{ raise_exception('only users') }}", 2, "it refuses the conversation: only users"},
		{"a\n\n{{ 1 * 2 }}", 3, "multiplication"},
		{"a\n{{ messages[0].x.y }}", 2, "None"},
	} {
		tmpl, err := Parse("t", tt.source)
		if err == nil {
			_, err = tmpl.Render([]Message{{User, "hello"}}, Vars{})
		}
		var fault *Error
		if !errors.As(err, &fault) || fault.Line != tt.line || !strings.Contains(fault.Problem, tt.want) {
			t.Errorf("%q: %v", tt.source, err)
		}
	}
}

func FuzzTemplate(f *testing.F) {
	files, err := filepath.Glob("t*/*.jinja")
	if err != nil || len(files) == 0 {
		f.Fatal("no seeds: ", err)
	}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(source), "hello")
	}
	f.Add("{% for m in messages %}{{ m.content | trim | tojson }}{% endfor %}", "\u00e9")
	f.Fuzz(func(t *testing.T, source, content string) {
		tmpl, err := Parse("fuzz", source)
		if err != nil {
			return
		}
		text, spans, err := tmpl.Spans([]Message{{User, content}, {Assistant, content}}, Vars{BOS: "<s>", EOS: "</s>"})
		if err != nil {
			return
		}
		for _, s := range spans {
			if s.Begin < 0 || s.Begin > s.End || s.End > len(text) {
				t.Errorf("span %v of a text of %d bytes", s, len(text))
			}
		}
	})
}
