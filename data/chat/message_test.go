package chat

import (
	"fmt"
	"strings"
	"testing"

	"example.com/gotrain/data/chat/jinja"
)

// What a message says, what texts it has and what Map changes.
func TestTextsOfMessages(t *testing.T) {
	fields := func(json string) *jinja.Dict {
		v, err := jinja.FromJSON([]byte(json))
		if err != nil {
			t.Fatal(err)
		}
		return v.(*jinja.Dict)
	}
	for _, c := range []struct {
		m           Message
		empty       bool
		texts, said string // of Texts and Said
		upper       string // the texts of Map with ToUpper
	}{
		{Message{Role: "user", Content: "hi"}, false, "hi", "hi", "HI"},
		{Message{Role: "user", Content: " \n\t"}, true, " \n\t", " \n\t", " \n\t"},
		{Message{Role: "assistant"}, true, "", "", ""},
		{Message{Role: "assistant", Fields: fields(`{"role": "assistant", "content": null, "mood": "glad"}`)}, true, "|assistant|glad", "", "|assistant|GLAD"},
		{Message{Role: "assistant", Fields: fields(`{"role": "assistant", "tool_calls": [{"name": "f", "n": 1}], "thinking": ""}`)}, false, "|assistant|f|", "|f", "|assistant|F|"},
		{Message{Role: "assistant", Content: "a", Fields: fields(`{"content": "a", "role": "assistant", "reasoning": "b", "reasoning_content": "c", "thinking": "d", "tool_calls": []}`)},
			false, "a|a|assistant|b|c|d", "a|c|b|d", "A|A|assistant|B|C|D"},
	} {
		if c.m.Empty() != c.empty {
			t.Errorf("%+v: empty %t", c.m, c.m.Empty())
		}
		collect := func(each func(func(string))) string {
			var all []string
			each(func(s string) { all = append(all, s) })
			return strings.Join(all, "|")
		}
		if got := collect(c.m.Texts); got != c.texts {
			t.Errorf("texts %q, want %q", got, c.texts)
		}
		if got := collect(c.m.Said); got != c.said {
			t.Errorf("said %q, want %q", got, c.said)
		}
		before := collect(c.m.Texts)
		mapped := c.m.Map(strings.ToUpper)
		if got := collect(mapped.Texts); got != c.upper || mapped.Role != c.m.Role || collect(c.m.Texts) != before {
			t.Errorf("mapped %q, want %q; role %s", got, c.upper, mapped.Role)
		}
		if c.m.Fields != nil && fmt.Sprint(mapped.Fields.Keys()) != fmt.Sprint(c.m.Fields.Keys()) {
			t.Errorf("keys %v, want %v", mapped.Fields.Keys(), c.m.Fields.Keys())
		}
	}
}

// Faults of templates name the template, the line where it is known, and the cure where there is one.
func TestErrorText(t *testing.T) {
	for _, c := range []struct {
		e    Error
		want string
	}{
		{Error{Template: "a", Problem: "wrong"}, `chat template "a": wrong`},
		{Error{Template: "a", Line: 1, Problem: "wrong", Cure: "mend it"}, `chat template "a", line 1: wrong (mend it)`},
	} {
		if c.e.Error() != c.want {
			t.Errorf("%q, want %q", c.e.Error(), c.want)
		}
	}
}

// A template sees the reasoning under the names that transformers gives it, and no keys that are null.
func TestValueOfMessages(t *testing.T) {
	tmpl, err := Parse("keys", "{% for m in messages %}{% for k, v in m.items() %}{{ k }}={{ v }};{% endfor %}|{% endfor %}")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ content, fields, want string }{
		{"hi", "", "role=user;content=hi;|"},
		{"a\xff", "", "role=user;content=a\ufffd;|"},
		{"hi", `{"role": "user", "content": "old", "name": "Ann", "none": null}`, "role=user;content=hi;name=Ann;|"},
		{"", `{"content": null, "role": "user"}`, "role=user;|"},
		{"", `{"content": "", "role": "user"}`, "content=;role=user;|"},
		{"hi", `{"role": "user"}`, "role=user;content=hi;|"},
		{"hi", `{"role": "user", "content": "hi", "reasoning": "r"}`, "thinking=r;role=user;content=hi;reasoning=r;reasoning_content=r;|"},
		{"hi", `{"role": "user", "content": "hi", "thinking": "t", "reasoning_content": "c"}`, "thinking=t;role=user;content=hi;reasoning_content=c;|"},
		{"hi", `{"role": "user", "content": "hi", "reasoning_content": null, "reasoning": "r"}`, "thinking=r;role=user;content=hi;reasoning=r;reasoning_content=r;|"},
	} {
		m := Message{Role: "user", Content: c.content}
		if c.fields != "" {
			v, err := jinja.FromJSON([]byte(c.fields))
			if err != nil {
				t.Fatal(err)
			}
			m.Fields = v.(*jinja.Dict)
		}
		got, err := tmpl.Render([]Message{m}, Vars{})
		if err != nil || got != c.want {
			t.Errorf("%q, %s: %q, %v; want %q", c.content, c.fields, got, err, c.want)
		}
	}
}

// A template has at most 128 KiB, and says something.
func TestSourceBorders(t *testing.T) {
	for n, ok := range map[int]bool{0: false, 1: true, 128 << 10: true, 128<<10 + 1: false} {
		if _, err := Parse("a", strings.Repeat("x", n)); (err == nil) != ok {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	if _, err := Parse("a", " \n "); err == nil {
		t.Error("a template of white space")
	}
}
