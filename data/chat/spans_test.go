package chat

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestSpans(t *testing.T) {
	three := []Message{{Role: System, Content: "Be brief."}, {Role: User, Content: "one"}, {Role: Assistant, Content: "eins"}, {Role: User, Content: "two"}, {Role: Assistant, Content: "zwei <end>"}}
	tests := []struct {
		template string
		said     []string
	}{
		{"chatml", []string{"eins<|im_end|>", "zwei <end><|im_end|>"}},
		{"llama3", []string{"eins<|eot_id|>", "zwei <end><|eot_id|>"}},
		{"alpaca", []string{"eins</s>", "zwei <end></s>"}},
		{"plain", []string{"eins</s>", "zwei <end></s>"}},
		{"generation", []string{"eins</s>", "zwei <end></s>"}},
	}
	for _, tt := range tests {
		text, spans, err := load(t, tt.template).Spans(three, testVars)
		if err != nil {
			t.Errorf("%s: %v", tt.template, err)
			continue
		}
		var said []string
		for _, s := range spans {
			said = append(said, text[s.Begin:s.End])
		}
		if strings.Join(said, "|") != strings.Join(tt.said, "|") {
			t.Errorf("%s: %q, want %q", tt.template, said, tt.said)
		}
	}
}

// Some templates, Mistral's among them, write the system prompt only while the last message is the user's.
func TestLastSpan(t *testing.T) {
	tmpl := load(t, "lastuser")
	messages := []Message{{Role: System, Content: "Be brief."}, {Role: User, Content: "one"}, {Role: Assistant, Content: "eins"}, {Role: User, Content: "two"}, {Role: Assistant, Content: "zwei"}}
	_, _, err := tmpl.Spans(messages, testVars)
	var fault *Error
	if !errors.As(err, &fault) || !strings.Contains(fault.Cure, "loss: last") {
		t.Errorf("Spans: %v", err)
	}
	text, spans, err := tmpl.LastSpan(messages, testVars)
	if err != nil || len(spans) != 1 || text[spans[0].Begin:spans[0].End] != " zwei</s>" && text[spans[0].Begin:spans[0].End] != "zwei</s>" || !strings.Contains(text, "Be brief.") {
		t.Errorf("LastSpan: %q %v %v", text, spans, err)
	}
	text, spans, err = tmpl.Spans(messages[1:], testVars)
	if err != nil || len(spans) != 2 || text[spans[0].Begin:spans[0].End] != "eins</s>" {
		t.Errorf("without a system prompt: %q %v %v", text, spans, err)
	}
}

// The spans of many answers, found by what their turns have in common, are those that rendering a part of the conversation for
// each of them finds; where the turns are not alike none are found so.
func TestRegularSpans(t *testing.T) {
	var messages []Message
	for i := range 20 {
		messages = append(messages, Message{Role: User, Content: strings.Repeat("why? ", i%3+1)}, Message{Role: Assistant, Content: strings.Repeat("Because\n", i%4+1)})
	}
	files, err := filepath.Glob("t*/*.jinja")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	sources := map[string]string{
		"third":   "{% for m in messages %}[{{ m.role }}]{% if loop.index == 12 %}({{ m.content }}){% else %}{{ m.content }};{% endif %}{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}",
		"gap":     "{% for m in messages %}<{{ m.role }}> {{ m.content | trim }} </{{ m.role }}>\n{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}",
		"shout":   "{% for m in messages %}<{{ m.role }}>{{ m.content | upper }}\n{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}",
		"numbers": "{% for m in messages %}{{ loop.index }}:{{ m.content }};{% endfor %}{% if add_generation_prompt %}{{ messages | length + 1 }}:{% endif %}",
	}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		sources[filepath.Base(file)] = string(source)
	}
	found := 0
	for name, source := range sources {
		tmpl, err := Parse(name, source)
		if err != nil {
			t.Fatal(err)
		}
		text, err := tmpl.Render(messages, testVars)
		if err != nil {
			continue
		}
		var answers []int
		var want []Span
		exact := true
		for i, m := range messages {
			if m.Role != Assistant {
				continue
			}
			span, err := tmpl.span(messages, i, text, testVars)
			exact = exact && err == nil
			answers, want = append(answers, i), append(want, span)
		}
		got := tmpl.regular(messages, answers, text, testVars)
		if got != nil && (!exact || !slices.Equal(got, want)) {
			t.Errorf("%s: %v, want %v (found: %t)", name, got, want, exact)
		}
		if got != nil {
			found++
		}
		if irregular := name == "third" || name == "numbers" || name == "shout"; irregular && got != nil {
			t.Errorf("%s: the turns are not alike", name)
		}
	}
	if found < 4 {
		t.Errorf("only %d templates have turns that are alike", found)
	}
}
