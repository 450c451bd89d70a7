package jinja

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
)

// hostile are templates that would take for ever or all memory.
var hostile = map[string]string{
	"nested loops":       "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
	"loop and filter":    "{% for a in range(99999) if range(99999)|sum < 0 %}{% endfor %}",
	"recursive loop":     "{% for a in [1] recursive %}{{ loop([1]) }}{% endfor %}",
	"recursive macro":    "{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}",
	"recursive block":    "{% block a %}{{ self.a() }}{% endblock %}",
	"caller":             "{% macro f() %}{{ caller() }}{{ caller() }}{% endmacro %}{% macro g() %}{% call f() %}{{ g() }}{% endcall %}{% endmacro %}{{ g() }}",
	"doubling":           "{% set n = namespace(s='x') %}{% for i in range(60) %}{% set n.s = n.s ~ n.s %}{% endfor %}",
	"doubling by +":      "{% set n = namespace(s='x') %}{% for i in range(60) %}{% set n.s = n.s + n.s %}{% endfor %}",
	"doubling a list":    "{% set n = namespace(s=[1]) %}{% for i in range(60) %}{% set n.s = n.s + n.s %}{% endfor %}",
	"doubling a block":   "{% set n = namespace(s='x') %}{% for i in range(60) %}{% set t %}{{ n.s }}{{ n.s }}{% endset %}{% set n.s = t %}{% endfor %}",
	"doubling by printf": "{% set n = namespace(s='x') %}{% for i in range(60) %}{% set n.s = '%s%s' % (n.s, n.s) %}{% endfor %}",
	"doubling by format": "{% set n = namespace(s='x') %}{% for i in range(60) %}{% set n.s = '{0}{0}'.format(n.s) %}{% endfor %}",
	"doubling by join":   "{% set n = namespace(s='x') %}{% for i in range(60) %}{% set n.s = n.s.join(['a', 'b', 'c']) %}{% endfor %}",
	"printing a tree":    "{% set n = namespace(s=[1]) %}{% for i in range(60) %}{% set n.s = [n.s, n.s] %}{% endfor %}{{ n.s }}",
	"tree as JSON":       "{% set n = namespace(s=[1]) %}{% for i in range(60) %}{% set n.s = [n.s, n.s] %}{% endfor %}{{ n.s|tojson }}",
	"comparing trees":    "{% set n = namespace(s=[1], t=[1]) %}{% for i in range(60) %}{% set n.s = [n.s, n.s] %}{% set n.t = [n.t, n.t] %}{% endfor %}{{ n.s == n.t }}",
	"hashing trees":      "{% set n = namespace(s=(1,)) %}{% for i in range(60) %}{% set n.s = (n.s, n.s) %}{% endfor %}{{ {n.s: 1} }}",
	"deep list":          "{% set n = namespace(s=[]) %}{% for i in range(9999) %}{% set n.s = [n.s] %}{% endfor %}{{ n.s }}",
	"deep comparison":    "{% set n = namespace(s=[], t=[]) %}{% for i in range(9999) %}{% set n.s = [n.s] %}{% set n.t = [n.t] %}{% endfor %}{{ n.s == n.t }}",
	"deep hash":          "{% set n = namespace(s=()) %}{% for i in range(9999) %}{% set n.s = (n.s,) %}{% endfor %}{{ {n.s: 1} }}",
	"repetition":         "{{ s * 1000000000 }}",
	"list repetition":    "{{ [1] * 1000000000 }}",
	"negative overflow":  "{{ (s ~ 'xxxxxxxx') * 9223372036854775807 }}",
	"output":             "{% for i in range(99999) %}{% for j in range(99) %}{{ 'a long text ' ~ 'a long text ' ~ 'a long text ' }}{% endfor %}{% endfor %}",
	"padding":            "{{ s.center(1000000000) }}",
	"ljust":              "{{ s.ljust(1000000000, 'é') }}",
	"zfill":              "{{ s.zfill(1000000000) }}",
	"center filter":      "{{ s|center(1000000000) }}",
	"indent":             "{{ s|indent(1000000000, true) }}",
	"expandtabs":         "{{ '\\t'.expandtabs(1000000000) }}",
	"printf width":       "{{ '%1000000000d' % 1 }}",
	"printf star":        "{{ '%*d' % (1000000000, 1) }}",
	"printf precision":   "{{ '%.1000000000f' % 1.5 }}",
	"format width":       "{{ '{:1000000000}'.format(1) }}",
	"format precision":   "{{ '{:.1000000000f}'.format(1.5) }}",
	"json indent":        "{{ [1]|tojson(indent=1000000000) }}",
	"power":              "{{ 2 ** 1000000000 }}",
	"power of power":     "{{ 9 ** (9 ** (9 ** 9)) }}",
	"squaring":           "{% set n = namespace(s=10) %}{% for i in range(60) %}{% set n.s = n.s * n.s %}{% endfor %}",
	"batch":              "{{ [1]|batch(1000000000, 0)|list }}",
	"slice":              "{{ [1]|slice(1000000000)|list }}",
	"sum of lists":       "{{ (range(99999)|batch(1)|list)|sum(start=[])|length }}",
	"replace":            "{% set n = namespace(s='x') %}{% for i in range(60) %}{% set n.s = n.s.replace('x', 'xx') %}{% endfor %}",
	"wordwrap":           "{{ (s * 100000)|wordwrap(1, true, s * 10000) }}",
	"splitting":          "{% for i in range(99999) %}{% set x = ((s ~ 'a ') * 100000).split() %}{% endfor %}",
	"strip":              "{% for i in range(99999) %}{% set x = ((s ~ 'a') * 100000).strip('ba') %}{% endfor %}",
	"searching":          "{% for i in range(99999) %}{% set x = ((s ~ 'a') * 1000000).find('b') %}{% endfor %}",
	"characters":         "{% for i in range(99999) %}{% set x = ((s ~ 'é') * 1000000)[999998] %}{% endfor %}",
	"length":             "{% for i in range(99999) %}{% set x = ((s ~ 'é') * 1000000)|length %}{% endfor %}",
	"upper":              "{% for i in range(99999) %}{% set x = ((s ~ 'é') * 1000000)|upper %}{% endfor %}",
	"equality":           "{% set a = s * 1000000 %}{% set b = s * 1000000 %}{% for i in range(99999) %}{% for j in range(99) %}{% set x = a == b %}{% endfor %}{% endfor %}",
	"sort":               "{% for i in range(99999) %}{% set x = range(99999)|sort %}{% endfor %}",
	"map of maps":        "{{ range(99999)|map('string')|map('list')|map('sort')|map('join')|map('int')|sum }}{% for i in range(99999) %}{{ range(99999)|map('abs')|max }}{% endfor %}",
	"dict":               "{% set n = namespace(d={}) %}{% for i in range(99999) %}{% set n.d = dict(n.d, **{i|string: i}) %}{% endfor %}",
	"translate":          "{% set n = namespace(s='x') %}{% for i in range(60) %}{% set n.s = n.s.translate({120: 'xx'}) %}{% endfor %}",
	"escape":             "{% set n = namespace(s='&') %}{% for i in range(99) %}{% set n.s = (n.s * 5)|e|string|replace('&amp;', '&&') %}{% endfor %}",
	"urlize":             "{% for i in range(99999) %}{% set x = ((s ~ 'www.a.com ') * 10000)|urlize %}{% endfor %}",
	"truncate":           "{% for i in range(99999) %}{% set x = ((s ~ 'é') * 1000000)|truncate(999) %}{% endfor %}",
	"arguments":          "{% macro m() %}{{ varargs|length }}{% endmacro %}{% for i in range(99999) %}{% set x = m(*range(99999)) %}{% endfor %}",
	"strftime":           "{% for i in range(99999) %}{% for i in range(999) %}{% set x = strftime_now((s ~ '%1000Y') * 1000) %}{% endfor %}{% endfor %}",
}

func TestHostileTemplatesEnd(t *testing.T) {
	limits := Limits{Work: 300_000, Memory: 4 << 20}
	for name, source := range hostile {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			template, err := Parse(source)
			if err == nil {
				_, err = template.Render(context.Background(), map[string]Value{"s": "x"}, Options{Limits: limits})
			}
			runtime.ReadMemStats(&after)
			var fault *Error
			if !errors.As(err, &fault) || fault.Kind == Internal || fault.Kind == Undefined || fault.Kind == Syntax {
				t.Errorf("%v", err)
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > 256<<20 {
				t.Errorf("it has taken %d MiB", used>>20)
			}
		})
	}
}

// Values that go in circles through a namespace are printed as Python prints them.
func TestCircle(t *testing.T) {
	got, err := render("{% set n = namespace() %}{% set n.x = [n] %}{{ n }}", nil)
	if want := "<Namespace {'x': [<Namespace {...}>]}>"; err != nil || got.Text != want {
		t.Errorf("%q %v, want %q", got.Text, err, want)
	}
}

func TestRenderStopsWithItsContext(t *testing.T) {
	template, err := Parse("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = template.Render(ctx, nil, Options{Limits: Limits{Work: 1 << 62, Memory: 1 << 62}})
	if err == nil || !strings.Contains(err.Error(), context.Canceled.Error()) {
		t.Error(err)
	}
}

// TestBoundsOfDepthEnd: what is left again does not count: calls, loops, blocks and
// brackets one behind the other are as many as one likes.
func TestBoundsOfDepthEnd(t *testing.T) {
	for source, want := range map[string]string{
		"{% macro f(x) %}{{ x }}{% endmacro %}{% for i in range(5000) %}{{ f('a') }}{% endfor %}":                       strings.Repeat("a", 5000),
		"{% macro f() %}{{ caller() }}{% endmacro %}{% for i in range(3000) %}{% call f() %}b{% endcall %}{% endfor %}": strings.Repeat("b", 3000),
		"{% block q %}c{% endblock %}{% for i in range(3000) %}{{ self.q() }}{% endfor %}":                              strings.Repeat("c", 3001),
		"{% for i in range(3000) %}{% for x in [1] recursive %}{{ loop([]) }}d{% endfor %}{% endfor %}":                 strings.Repeat("d", 3000),
		"{% for i in range(3000) %}{{ [[1]] == [[1]] and 'e' }}{{ [[]]|tojson|replace('[[]]', 'e') }}{% endfor %}":      strings.Repeat("ee", 3000),
		strings.Repeat("{{ ((1)) }}", 2000):                                              strings.Repeat("1", 2000),
		strings.Repeat("{% if [[1]] %}{% for x in [1] %}f{% endfor %}{% endif %}", 2000): strings.Repeat("f", 2000),
	} {
		if got, err := render(source, nil); err != nil || got.Text != want {
			t.Errorf("%.90s: %.40q…, %v", source, got.Text, err)
		}
	}
}
