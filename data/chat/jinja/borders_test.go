package jinja

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// What a template may be and make, to the last one that is allowed.
func TestBorders(t *testing.T) {
	nested := func(open, inner, close string, n int) string {
		return "{{ " + strings.Repeat(open, n) + inner + strings.Repeat(close, n) + " }}"
	}
	deep := func(n int) string {
		return "{% set n = namespace(s=1) %}{% for i in range(" + itoa(n) + ") %}{% set n.s = [n.s] %}{% endfor %}{{ n.s|string|length }}"
	}
	for _, c := range []struct{ source, want, fault string }{
		{"{{ range(100000)|length }}", "100000", ""},
		{"{{ range(100001)|length }}", "", "Range too big"},
		{"{{ (10 ** 4299)|string|length }}", "4300", ""},
		{"{{ (-(10 ** 4299))|string|length }}", "4301", ""},
		{"{{ 10 ** 4300 }}", "", "Exceeds the limit (4300 digits)"},
		{nested("[", "", "]", 132), strings.Repeat("[", 132) + strings.Repeat("]", 132), ""}, // of jinja2 75
		{nested("[", "", "]", 133), "", "nested more than 400 levels deep"},
		{nested("(", "1", ")", 98), "1", ""},
		{nested("(", "1", ")", 99), "", "nested more than 400 levels deep"},
		{deep(500), "1001", ""},
		{deep(502), "", ""},
	} {
		tmpl, err := Parse(c.source)
		var r Result
		if err == nil {
			r, err = tmpl.Render(context.Background(), nil, Options{Limits: Limits{Work: 1 << 24, Memory: 1 << 28}})
		}
		if (err == nil) != (c.want != "") || err == nil && r.Text != c.want || err != nil && !strings.Contains(err.Error(), c.fault) {
			t.Errorf("%.60s…: %.80q, %v; want %.80q, %q", c.source, r.Text, err, c.want, c.fault)
		}
	}
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + string(rune('0'+n%10))
}

// Names are those of Python: characters of words that no identifier has are an error.
func TestNames(t *testing.T) {
	for name, ok := range map[string]bool{"a\u00b2": false, "a\u00bd": false, "\u00e9": true, "a\u00b7": true, "a\u0301": true, "\u4e16": true, "a1_": true, "a\u2460": false} {
		_, err := Parse("{{ " + name + " }}")
		if (err == nil) != ok || err != nil && !strings.Contains(err.Error(), "Invalid character in identifier") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A fault is told with the line on which it is, in every clause of a statement.
func TestLinesOfFaults(t *testing.T) {
	const fault = "{{ 1 // 0 }}"
	for _, c := range []struct {
		source string
		line   int
	}{
		{fault, 1}, {"\n\n" + fault, 3},
		{"{% if false %}\n{% elif 1 // 0 %}\n{% endif %}", 2},
		{"{% if false %}\n{% elif false %}\n{% elif 1 // 0 %}\n{% endif %}", 3},
		{"{% if false %}\n{% else %}\n" + fault + "{% endif %}", 3},
		{"\n{% for x in [1] %}\n" + fault + "{% endfor %}", 3},
		{"\n{% for x in 1 // 0 %}\n{% endfor %}", 2},
		{"{% for x in [] %}\n{% else %}\n\n" + fault + "{% endfor %}", 4},
		{"{% macro m() %}\n" + fault + "{% endmacro %}\n{{ m() }}", 2},
		{"\n{% set a = 1 // 0 %}", 2},
		{"{% set a %}\n\n" + fault + "{% endset %}", 3},
		{"\n{% with a = 1 // 0 %}{% endwith %}", 2},
		{"{% filter upper %}\n" + fault + "{% endfilter %}", 2},
		{"\n{{ [\n1 // 0] }}", 3},
	} {
		tmpl, err := Parse(c.source)
		if err == nil {
			_, err = tmpl.Render(context.Background(), nil, Options{Limits: Limits{Work: 1 << 20, Memory: 1 << 20}})
		}
		var e *Error
		if !errors.As(err, &e) || e.Line != c.line {
			t.Errorf("%q: %v, want line %d", c.source, err, c.line)
		}
	}
}

// Attributes of what is undefined: those that every object of Python has are hidden, others with underscores an error.
func TestAttributesOfUndefined(t *testing.T) {
	for name, want := range map[string][3]string{ // x.NAME is defined, x['NAME'] is defined, x|attr('NAME') is defined; "" is an error
		"__foo__": {"", "", "False"}, "__class__": {"False", "", "False"}, "__html__": {"", "", "False"}, "__len__": {"False", "", "False"},
		"____": {"", "", "False"}, "___": {"", "", "False"}, "__a_": {"", "", ""}, "foo": {"", "", ""},
	} {
		for i, source := range []string{"{{ x." + name + " is defined }}", "{{ x['" + name + "'] is defined }}", "{{ x|attr('" + name + "') is defined }}"} {
			tmpl, err := Parse(source)
			var r Result
			if err == nil {
				r, err = tmpl.Render(context.Background(), nil, Options{Limits: Limits{Work: 1 << 20, Memory: 1 << 20}})
			}
			if r.Text != want[i] || (err == nil) != (want[i] != "") {
				t.Errorf("%s: %q, %v; want %q", source, r.Text, err, want[i])
			}
		}
	}
}
