package chat

import (
	"fmt"
	"strings"
	"testing"

	"example.com/gotrain/data/chat/jinja"
)

// marking writes a text with its spans in brackets, or the error.
func marking(text string, spans []Span, err error) string {
	if err != nil {
		return "error: " + err.Error()
	}
	var b strings.Builder
	at := 0
	for _, s := range spans {
		b.WriteString(text[at:s.Begin] + "[" + text[s.Begin:s.End] + "]")
		at = s.End
	}
	return b.String() + text[at:]
}

// TestSpansOfOddTemplates: where answers begin and end, and the whole text of what is refused.
func TestSpansOfOddTemplates(t *testing.T) {
	user, answer := Message{Role: User, Content: "u"}, Message{Role: Assistant, Content: "a"}
	two := []Message{user, answer, {Role: User, Content: "v"}, {Role: Assistant, Content: "b"}}
	const turns = "{% for m in messages %}<{{ m.role[0] }}>{{ m.content }};{% endfor %}{% if add_generation_prompt %}<a>{% endif %}"
	for _, tc := range []struct {
		name, source string
		messages     []Message
		spans, last  string
	}{
		{"turns", turns, two, "<u>u;<a>[a;]<u>v;<a>[b;]", "<u>u;<a>a;<u>v;<a>[b;]"},
		{"white space behind", "{% for m in messages %}<{{ m.role[0] }}>{{ m.content }}; \t\r\n{% endfor %}{% if add_generation_prompt %}<a>{% endif %}", two, "<u>u; \t\n<a>[a;] \t\n<u>v; \t\n<a>[b;] \t\n", "<u>u; \t\n<a>a; \t\n<u>v; \t\n<a>[b;] \t\n"},
		{"a message behind", turns, two[:3], "<u>u;<a>[a;]<u>v;", "<u>u;<a>[a;]<u>v;"},
		{"no answer", turns, two[:1], "<u>u;", "<u>u;"},
		{"no message", turns, nil, "", ""},
		{"assistant first", turns, two[1:], "<a>[a;]<u>v;<a>[b;]", "<a>a;<u>v;<a>[b;]"},
		{"assistant may not begin", "{% if not messages %}{{ raise_exception('empty') }}{% endif %}" + turns, two[1:], `error: chat template "assistant may not begin": the assistant speaks first (begin the conversation with a message of the user)`, "<a>a;<u>v;<a>[b;]"},
		{"prompt differs", "{% for m in messages %}<{{ m.role[0] }}>{{ m.content }};{% endfor %}{% if add_generation_prompt %}<b>{% endif %}", two, `error: chat template "prompt differs": message 2, which the assistant says, is not found in the text: the conversation up to it, with the prompt for an answer, is not how the whole begins (train on last answers only, with loss: last, or put {% generation %} and {% endgeneration %} around what the assistant says)`, "<u>u;<a>a;<u>v;<b>[b;]"},
		{"depends", "{% for m in messages %}<{{ m.role[0] }}>{{ m.content }};{{ m.content | length }}{% endfor %}{% if add_generation_prompt %}<a>{% endif %}", two, `error: chat template "depends": message 2, which the assistant says, is not found in the text: what follows it depends on what it says (train on last answers only, with loss: last, or put {% generation %} and {% endgeneration %} around what the assistant says)`, `error: chat template "depends": message 4, which the assistant says, is not found in the text: what follows it depends on what it says (train on last answers only, with loss: last, or put {% generation %} and {% endgeneration %} around what the assistant says)`},
		{"left out", "{% for m in messages %}<{{ m.role[0] }}>;{% endfor %}{% if add_generation_prompt %}<a>{% endif %}", two, `error: chat template "left out": it leaves out what the assistant says (use another template)`, `error: chat template "left out": it leaves out what the assistant says (use another template)`},
		{"the last ends otherwise", "{% for m in messages %}<{{ m.role[0] }}>{{ m.content }}{% if loop.last %}.end{% else %};{% endif %}{% endfor %}{% if add_generation_prompt %}<a>{% endif %}", two, `error: chat template "the last ends otherwise": message 2, which the assistant says, is not found in the text: the conversation up to it, with the prompt for an answer, is not how the whole begins (train on last answers only, with loss: last, or put {% generation %} and {% endgeneration %} around what the assistant says)`, "<u>u;<a>a;<u>v.end<a>[b.end]"},
		{"upper", "{% for m in messages %}<{{ m.role[0] }}>{{ m.content | upper }};{% endfor %}{% if add_generation_prompt %}<a>{% endif %}", two, "<u>U;<a>[A;]<u>V;<a>[B;]", "<u>U;<a>A;<u>V;<a>[B;]"},
		{"no end", "{% for m in messages %}<{{ m.role[0] }}>{{ m.content }}{% endfor %}{% if add_generation_prompt %}<a>{% endif %}", two, "<u>u<a>[a]<u>v<a>[b]", "<u>u<a>a<u>v<a>[b]"},
		{"overlap", "{% for m in messages %}{% if m.role == 'assistant' %}{{ m.content }}aa{% endif %}{% endfor %}", []Message{user, {Role: Assistant}}, "[aa]", "[aa]"},
		{"generation", "{% for m in messages %}<{{ m.role[0] }}>{% if m.role == 'assistant' %}{% generation %}{{ m.content }}{% endgeneration %};{% else %}{{ m.content }};{% endif %}{% endfor %}", two, "<u>u;<a>[a];<u>v;<a>[b];", "<u>u;<a>a;<u>v;<a>[b];"},
		{"macro", "{% macro say(m) %}{% generation %}{{ m.content }}{% endgeneration %}{% endmacro %}{% for m in messages %}<{{ m.role[0] }}>{{ say(m) }}{% endfor %}", two, "<u>[u]<a>[a]<u>[v]<a>[b]", "<u>u<a>a<u>v<a>[b]"},
		{"raises", "{% for m in messages %}{% if m.role == 'assistant' %}{{ raise_exception('no answers') }}{% endif %}{% endfor %}", two, `error: chat template "raises", line 1: it refuses the conversation: no answers (change the conversation, or use another template)`, `error: chat template "raises", line 1: it refuses the conversation: no answers (change the conversation, or use another template)`},
		{"last user", "{% for m in messages %}{% if loop.last and m.role == 'user' %}(s){% endif %}<{{ m.role[0] }}>{{ m.content }};{% endfor %}{% if add_generation_prompt %}<a>{% endif %}", two, `error: chat template "last user": message 2, which the assistant says, is not found in the text: the conversation up to it, with the prompt for an answer, is not how the whole begins (train on last answers only, with loss: last, or put {% generation %} and {% endgeneration %} around what the assistant says)`, "<u>u;<a>a;(s)<u>v;<a>[b;]"},
	} {
		tmpl, err := Parse(tc.name, tc.source)
		if err != nil {
			t.Fatal(err)
		}
		for of, want := range map[string]string{"spans": tc.spans, "last": tc.last} {
			find := tmpl.Spans
			if of == "last" {
				find = tmpl.LastSpan
			}
			if got := marking(find(tc.messages, testVars)); got != want {
				t.Errorf("%s, %s: got %q, want %q", tc.name, of, got, want)
			}
		}
	}
}

// TestFaultsOfTemplates holds the whole text of what is wrong with a template.
func TestFaultsOfTemplates(t *testing.T) {
	for _, tc := range []struct{ source, want string }{
		{"a\n{% if %}", `chat template "t", line 2: Expected an expression, got 'end of statement block' (correct the template)`},
		{"{{ raise_exception('no') }}", `chat template "t", line 1: it refuses the conversation: no (change the conversation, or use another template)`},
		{"\n{{ eos_token }}", "\n"},
		{"{{ bos_token + 'x' }}", `chat template "t", line 1: 'bos_token' is undefined (the tokenizer has no such token: give it one in its tokenizer_config.json, or use a template that does without)`},
		{"{{ nothing + 'x' }}", `chat template "t", line 1: 'nothing' is undefined (jinja2 fails here too: change the conversation, or use another template)`},
		{"{{ 1 / 0 }}", `chat template "t", line 1: division by zero (jinja2 fails here too: change the conversation, or use another template)`},
		{"{% include 'x' %}", `chat template "t", line 1: include: no loader for this environment specified: a chat template is one file (jinja2 fails here too: change the conversation, or use another template)`},
		{"{{ range(100000000) | list }}", `chat template "t", line 1: Range too big. The sandbox blocks ranges larger than MAX_RANGE (100000). (jinja2 fails here too: change the conversation, or use another template)`},
		{"{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}", `chat template "t", line 1: it does not come to an end: it has taken more steps than any conversation of this length needs (correct the template: the conversation is not that long)`},
		{"{{ 'x' * 100000000 }}", `chat template "t", line 1: it makes values of more bytes than any conversation of this length needs (correct the template: the conversation is not that long)`},
		{"", `chat template "t": it is empty (use one of alpaca, chatml, llama3, plain)`},
		{" \n", `chat template "t": it is empty (use one of alpaca, chatml, llama3, plain)`},
		{strings.Repeat("x", 128<<10+1), `chat template "t": it has 131073 bytes, 131072 are allowed (is this the chat template of a model?)`},
	} {
		got := ""
		tmpl, err := Parse("t", tc.source)
		if err == nil {
			got, err = tmpl.Render([]Message{{Role: User, Content: "hi"}}, Vars{})
		}
		if err != nil {
			got = err.Error()
		}
		if got != tc.want {
			t.Errorf("%.40q: got %q, want %q", tc.source, got, tc.want)
		}
	}
	got := ""
	if _, err := Named("mistral"); err != nil {
		got = err.Error()
	}
	if want := `chat template "mistral" is not shipped; use one of alpaca, chatml, llama3, plain, or a file that ends with .jinja`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestPartsByRole: who sees a content that is a list, by how templates write one.
func TestPartsByRole(t *testing.T) {
	list := func(role, content string, texts ...string) Message {
		var parts []string
		for _, s := range texts {
			parts = append(parts, fmt.Sprintf(`{"type":"text","text":%q}`, s))
		}
		v, err := jinja.FromJSON([]byte(fmt.Sprintf(`{"role":%q,"content":[%s,{"type":"image"},7]}`, role, strings.Join(parts, ","))))
		if err != nil {
			t.Fatal(err)
		}
		return Message{Role: role, Content: content, Fields: v.(*jinja.Dict)}
	}
	messages := []Message{list(System, "ab", "a", "b"), list(User, "cd", "c", "d"), list(Assistant, "EF", "e", "f"), list(Tool, "g\xff", "g")}
	const each = "{% for p in m.content %}{% if p is mapping and p.type == 'text' %}({{ p.text }}){% endif %}{% endfor %}"
	for _, tc := range []struct{ name, body, want string }{
		{"texts", "{{ m.content }}", "<s>ab<u>cd<a>EF<t>g�"},
		{"lists", each, "<s>(a)(b)<u>(c)(d)<a>(EF)<t>(g�)"},
		{"either", "{% if m.content is string %}{{ m.content }}{% else %}" + each + "{% endif %}", "<s>ab<u>cd<a>EF<t>g�"},
		{"bare", "{% if m.content is string %}{{ m.content }}{% else %}{% for p in m.content %}{% if p is mapping and p.type == 'text' %}{{ p.text }}{% endif %}{% endfor %}{% endif %}", "<s>ab<u>cd<a>EF<t>g�"},
		{"of the user", "{% if m.role == 'user' and m.content is not string %}{% for p in m.content %}{% if p is mapping and p.type == 'text' %}{{ p.text }}{% endif %}{% endfor %}{% else %}{{ m.content }}{% endif %}", "<s>ab<u>cd<a>EF<t>g�"},
		{"in turn", "{% if loop.index0 == 1 and messages[0].role not in ['system', 'user'] or loop.index0 == 2 and m.role not in ['assistant', 'tool'] or loop.index0 == 1 and messages[1].role not in ['user', 'assistant'] %}{{ raise_exception('roles') }}{% endif %}" + each, "<s>(a)(b)<u>(c)(d)<a>(EF)<t>(g�)"},
	} {
		tmpl, err := Parse(tc.name, "{% for m in messages %}<{{ m.role[0] }}>"+tc.body+"{% endfor %}")
		if err != nil {
			t.Fatal(err)
		}
		got, err := tmpl.Render(messages, testVars)
		if err != nil {
			got = err.Error()
		}
		if got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, got, tc.want)
		}
	}
}
