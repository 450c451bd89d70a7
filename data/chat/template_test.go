package chat

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/gotrain/data/chat/jinja"
)

// Templates that would run for ever or take all memory end with an error, whatever the length of the conversation.
func TestHostileTemplates(t *testing.T) {
	for name, source := range map[string]string{
		"nested loops":     "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
		"long range":       "{{ range(1000000000) }}",
		"recursive macro":  "{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}",
		"doubling":         "{% set n = namespace(s='x') %}{% for i in range(60) %}{% set n.s = n.s ~ n.s %}{% endfor %}",
		"doubling a block": "{% set n = namespace(s='x') %}{% for i in range(60) %}{% set t %}{{ n.s }}{{ n.s }}{% endset %}{% set n.s = t %}{% endfor %}",
		"output":           "{% for i in range(99999) %}{% for j in range(99) %}{{ 'a long text ' ~ 'a long text ' ~ 'a long text ' }}{% endfor %}{% endfor %}",
		"include":          "{% include '/etc/passwd' %}",
		"import":           "{% from '/etc/passwd' import x %}",
		"brackets":         "{{ " + strings.Repeat("(", 30_000),
		"long":             strings.Repeat("x", maxSource+1),
		"empty":            " \n",
		"not UTF-8":        "a\xff",
	} {
		tmpl, err := Parse(name, source)
		if err == nil {
			_, err = tmpl.Render([]Message{{Role: User, Content: "hello"}}, Vars{})
		}
		var fault *Error
		if !errors.As(err, &fault) || fault.Template != name || strings.Contains(fault.Problem, "fault of the template engine") {
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
		{"a\n\n{{ 1 / 0 }}", 3, "division by zero"},
		{"a\n{{ messages[0].x.y }}", 2, "'dict object' has no attribute 'x'"},
		{"{% if true %}\n\n{{ messages[0].content.nope() }}{% endif %}", 3, "'str object' has no attribute 'nope'"},
		{"{%- for m in messages %}\n{{ m.content + 1 }}\n{% endfor %}", 2, `can only concatenate str (not "int") to str`},
		{"\n{% if messages %}x", 2, "Unexpected end of template. Jinja was looking for the following tags: 'elif' or 'else' or 'endif'."},
		{"\n\n{{ messages | nope }}", 3, "No filter named 'nope'."},
		{"\n{{ eos_token + 'x' }}", 2, "'eos_token' is undefined"},
	} {
		tmpl, err := Parse("t", tt.source)
		if err == nil {
			_, err = tmpl.Render([]Message{{Role: User, Content: "hello"}}, Vars{})
		}
		var fault *Error
		if !errors.As(err, &fault) || fault.Line != tt.line || !strings.Contains(fault.Problem, tt.want) {
			t.Errorf("%q: %v", tt.source, err)
		}
	}
}

// What a template sees is what it sees in transformers: a token that the tokenizer has not is undefined, the clock is set.
func TestVariables(t *testing.T) {
	tmpl, err := Parse("t", "{{ bos_token is defined }} {{ eos_token }} {{ tools }} {{ documents is none }} {{ add_generation_prompt }} {{ strftime_now('%d %b %Y') }} {{ messages }}")
	if err != nil {
		t.Fatal(err)
	}
	got, err := tmpl.Render([]Message{{Role: User, Content: "<i>"}}, Vars{EOS: "</s>", Now: time.Date(2026, 11, 3, 0, 0, 0, 0, time.UTC)})
	if want := "False </s> None True False 03 Nov 2026 [{'role': 'user', 'content': '<i>'}]"; err != nil || got != want {
		t.Errorf("%q %v, want %q", got, err, want)
	}
}

// Conversations a second: 1e9 over ns/op.
func BenchmarkRender(b *testing.B) {
	messages := []Message{
		{Role: System, Content: "You are a helpful assistant."},
		{Role: User, Content: "What is the capital of France, and how many people live there?"},
		{Role: Assistant, Content: "Paris is the capital of France. Some 2.1 million people live in the city, 12 million in its region."},
		{Role: User, Content: "Thanks. And of Italy?"},
		{Role: Assistant, Content: "Rome, with 2.8 million people."},
	}
	for _, name := range Names() {
		b.Run(name, func(b *testing.B) {
			tmpl, err := Named(name)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for range b.N {
				if _, err := tmpl.Render(messages, testVars); err != nil {
					b.Fatal(err)
				}
			}
		})
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
		text, spans, err := tmpl.Spans([]Message{{Role: User, Content: content}, {Role: Assistant, Content: content}}, Vars{BOS: "<s>", EOS: "</s>"})
		if err != nil {
			if strings.Contains(err.Error(), "fault of the template engine") {
				t.Error(err)
			}
			return
		}
		for _, s := range spans {
			if s.Begin < 0 || s.Begin > s.End || s.End > len(text) {
				t.Errorf("span %v of a text of %d bytes", s, len(text))
			}
		}
	})
}

// A content that is a list of parts is one text for a template that wants a text, of each role by itself; where such a template
// would write the list as Python prints it, transformers does.
func TestParts(t *testing.T) {
	of := func(role string, texts ...string) Message {
		m := Message{Role: role}
		var parts []jinja.Value
		for _, text := range texts {
			m.Content += text
			parts = append(parts, partOf(text))
		}
		m.Fields = jinja.NewDict()
		m.Fields.Set("role", role)
		m.Fields.Set("content", jinja.NewList(parts))
		return m
	}
	messages := []Message{of(System, "s", "t"), of(User, "u", "v"), of(Assistant, "a", "b")}
	for _, tt := range []struct{ source, want string }{
		{"{% for m in messages %}{{ m.role }}:{{ m.content }};{% endfor %}", "system:st;user:uv;assistant:ab;"},
		{"{% for m in messages %}{{ m.role + m.content }};{% endfor %}", "systemst;useruv;assistantab;"},
		{"{% for m in messages %}{% for p in m.content %}[{{ p.text }}]{% endfor %};{% endfor %}", "[s][t];[u][v];[a][b];"},
		{"{% for m in messages %}{% if m.content is string or m.role != 'user' %}{{ m.content }}{% else %}{{ m.content | map(attribute='text') | join('+') }}{% endif %};{% endfor %}", "st;u+v;ab;"},
		{"{% for m in messages %}{{ m.content | tojson }}{% endfor %}", `"st""uv""ab"`},
	} {
		tmpl, err := Parse("t", tt.source)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := tmpl.Render(messages, Vars{}); err != nil || got != tt.want {
			t.Errorf("%s: %q %v, want %q", tt.source, got, err, tt.want)
		}
	}
	// The span of an answer in parts, and texts that were altered as a whole.
	tmpl, err := Parse("t", "{% for m in messages %}<{{ m.role }}>{% if m.content is string %}{{ m.content }}{% else %}{% for p in m.content %}{{ p.text }}{% endfor %}{% endif %}</>{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}")
	if err != nil {
		t.Fatal(err)
	}
	text, spans, err := tmpl.Spans(messages, Vars{})
	if err != nil || len(spans) != 1 || text[spans[0].Begin:spans[0].End] != "ab</>" {
		t.Errorf("%q %v %v", text, spans, err)
	}
	altered := messages[2]
	altered.Content = "aXb"
	if got, err := tmpl.Render([]Message{messages[1], altered}, Vars{}); err != nil || got != "<user>uv</><assistant>aXb</>" {
		t.Errorf("%q %v", got, err)
	}
}

// All special tokens of a tokenizer are variables, as in transformers; those of a conversation go before them.
func TestSpecialTokensAreVariables(t *testing.T) {
	tmpl, err := Parse("t", "{{ pad_token }} {{ image_token }} {{ mask_token is defined }} {{ eos_token }}")
	if err != nil {
		t.Fatal(err)
	}
	v := Vars{EOS: "</s>", Tokens: map[string]string{"pad_token": "<p>", "image_token": "<i>", "eos_token": "</s>"}, More: map[string]jinja.Value{"image_token": "mine"}}
	if got, err := tmpl.Render([]Message{{Role: User, Content: "x"}}, v); err != nil || got != "<p> mine False </s>" {
		t.Errorf("%q %v", got, err)
	}
}
