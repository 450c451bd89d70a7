package chat

import (
	"errors"
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
