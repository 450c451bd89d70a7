package jinja

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"testing"
	"time"
	"unicode/utf8"
)

// golden is what scripts/parity/templates.py has written: templates that a grammar generates, and what jinja2 makes of them
// as transformers sets it up.
type golden struct {
	Sets  map[string]json.RawMessage // of variables
	Cases []struct {
		Template, Set string
		Text          *string // nil where jinja2 refuses
		Spans         [][2]int
	}
}

func readGolden(t testing.TB) (g golden, sets map[string]map[string]Value) {
	t.Helper()
	raw, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &g); err != nil {
		t.Fatal(err)
	}
	sets = map[string]map[string]Value{}
	for name, raw := range g.Sets {
		sets[name] = variablesOf(t, raw)
	}
	return g, sets
}

// variablesOf reads a JSON object as variables.
func variablesOf(t testing.TB, raw []byte) map[string]Value {
	t.Helper()
	v, err := FromJSON(raw)
	if err != nil {
		t.Fatal(err)
	}
	variables := map[string]Value{}
	for _, key := range v.(*Dict).Keys() {
		variables[key.(string)], _ = v.(*Dict).Get(key.(string))
	}
	return variables
}

// testLimits are far above what the templates of tests need.
var testLimits = Limits{Work: 50_000_000, Memory: 256 << 20}

// render parses and renders a template at the time that the reference's clock stands at.
func render(source string, variables map[string]Value) (Result, error) {
	template, err := Parse(source)
	if err != nil {
		return Result{}, err
	}
	now := func() time.Time { return time.Date(2024, 7, 6, 9, 5, 7, 89_000, time.UTC) }
	return template.Render(context.Background(), variables, Options{Limits: testLimits, Now: now})
}

func TestEqualsJinja2(t *testing.T) {
	g, sets := readGolden(t)
	refused := 0
	for _, c := range g.Cases {
		got, err := render(c.Template, sets[c.Set])
		var fault *Error
		switch {
		case err != nil && (!errors.As(err, &fault) || fault.Kind == Internal):
			t.Errorf("%q with %s: %v", c.Template, c.Set, err)
		case c.Text == nil && err == nil:
			t.Errorf("%q with %s: jinja2 refuses it, it becomes %q", c.Template, c.Set, got.Text)
		case c.Text == nil:
		case err != nil && fault.Kind == Refused:
			refused++
		case err != nil:
			t.Errorf("%q with %s: %v\nwant %q", c.Template, c.Set, err, *c.Text)
		case got.Text != *c.Text:
			t.Errorf("%q with %s:\n got %q\nwant %q", c.Template, c.Set, got.Text, *c.Text)
		default:
			var spans [][2]int
			for _, s := range got.Spans {
				begin := utf8.RuneCountInString(got.Text[:s.Begin])
				spans = append(spans, [2]int{begin, begin + utf8.RuneCountInString(s.Text)})
			}
			if !slices.Equal(spans, c.Spans) {
				t.Errorf("%q with %s: spans %v, want %v", c.Template, c.Set, spans, c.Spans)
			}
		}
	}
	if len(g.Cases) < 1000 || refused > len(g.Cases)/100 {
		t.Errorf("%d cases, of which %d are refused", len(g.Cases), refused)
	}
}

// TestGroupedZeros fills grouped numbers with zeros as Python does: up to the width, one
// digit more only where a group cannot begin with its comma.
func TestGroupedZeros(t *testing.T) {
	for source, want := range map[string]string{
		`{{ "{:07,d}".format(1234) }}`: "001,234", `{{ "{:08,d}".format(1234) }}`: "0,001,234", `{{ "{:09,d}".format(1234) }}`: "0,001,234",
		`{{ "{:010,d}".format(1234) }}`: "00,001,234", `{{ "{:3,d}".format(1234) }}`: "1,234",
	} {
		if got, err := render(source, nil); err != nil || got.Text != want {
			t.Errorf("%s gives %q, %v, want %q", source, got.Text, err, want)
		}
	}
}
