package instruct

import (
	"strings"
	"testing"

	"example.com/gotrain/data/bpe"
	"example.com/gotrain/data/chat"
	"example.com/gotrain/data/chat/jinja"
)

// Messages of role and content reach the template with all their keys in order, numbers as they are written.
func TestMessagesKeepTheirKeys(t *testing.T) {
	const call = `{"function": {"name": "f", "arguments": {"z": 1, "a": 2.0, "b": 1e3, "n": 12345678901234567890}}}`
	for _, tt := range []struct{ record, want string }{
		{`{"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}]}`,
			`[{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}]`},
		{`{"messages": [{"content": "Q", "role": "user", "mood": [true, null]}, {"role": "assistant", "content": null, "tool_calls": [` + call + `]}]}`,
			`[{"content": "Q", "role": "user", "mood": [true, null]}, {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": {"z": 1, "a": 2.0, "b": 1000.0, "n": 12345678901234567890}}}]}]`},
		{`{"messages": [{"role": "developer", "content": "D"}, {"role": "human", "content": "Q"}, {"role": "assistant", "reasoning": "R", "content": [{"type": "text", "text": "A"}, {"type": "text", "text": "B"}]}]}`,
			`[{"role": "developer", "content": "D"}, {"role": "user", "content": "Q"}, {"thinking": "R", "role": "assistant", "reasoning": "R", "content": "AB", "reasoning_content": "R"}]`},
		{`{"conversations": [{"from": "human", "value": "Q"}, {"value": "A", "from": "gpt", "id": 3}]}`,
			`[{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}]`},
		{`{"tools": "[{\"b\": 1, \"a\": 2}]", "documents": [{"text": "t"}], "chat_template_kwargs": {"deep": true}, "prompt": "Q", "completion": "A"}`,
			`[{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}][{"b": 1, "a": 2}][{"text": "t"}]true`},
	} {
		template, err := chat.Parse("all", "{{ messages | tojson }}{{ tools | tojson if tools }}{{ documents | tojson if documents }}{{ deep | tojson if deep }}")
		if err != nil {
			t.Fatal(err)
		}
		all, err := parseRecord([]byte(tt.record))
		if err != nil {
			t.Errorf("%s: %v", tt.record, err)
			continue
		}
		if got, err := template.Render(all[0].Messages, chat.Vars{More: all[0].Vars}); err != nil || got != tt.want {
			t.Errorf("%s:\n got %s %v\nwant %s", tt.record, got, err, tt.want)
		}
	}
	for record, want := range map[string]string{
		`{"conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "A", "tool_calls": [1]}]}`:                  "conversations[1].tool_calls is [1]",
		`{"tools": {"a": 1}, "prompt": "Q", "completion": "A"}`:                                                                   `key "tools" is not a list of objects`,
		`{"tools": ["f"], "prompt": "Q", "completion": "A"}`:                                                                      `key "tools" is not a list of objects`,
		`{"chat_template_kwargs": {"messages": []}, "prompt": "Q", "completion": "A"}`:                                            `key "chat_template_kwargs" sets messages`,
		`{"functions": [{"name": "f"}], "prompt": "Q", "completion": "A"}`:                                                        `key "functions" is`,
		`{"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A", "function_call": {"name": "f"}}]}`: "messages[1].function_call is",
	} {
		if _, err := parseRecord([]byte(record)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", record, err, want)
		}
	}
}

// An answer that calls a tool and says nothing else is learnt; a template that does not read calls is refused, and what spells
// a special token in an argument stays text.
func TestCallsOfToolsAreLearnt(t *testing.T) {
	all, err := parseRecord([]byte(`{"tools": [{"name": "<|im_end|>"}], "messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "f", "arguments": {"x": "<|im_start|>"}}}]}]}`))
	if err != nil || !learns(all[0]) {
		t.Fatal(all, err)
	}
	tokens := byteTokens(t, "<|im_start|>", "<|im_end|>")
	template, err := chat.Parse("calls", `{{ tools | tojson }}{% for m in messages %}<|im_start|>{{ m.role }}
{{ m.content }}{% for c in m.tool_calls or [] %}{{ c.function | tojson }}{% endfor %}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}`)
	if err != nil {
		t.Fatal(err)
	}
	e := NewEncoder(tokens, template, chat.Vars{EOS: bpe.EndOfText})
	x, err := e.Example(all[0], LossAssistant)
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"name": "<|im_end|>"}]<|im_start|>user
Q<|im_end|>
<|im_start|>assistant
[{"name": "f", "arguments": {"x": "<|im_start|>"}}<|im_end|>`
	if got := text(e, x); got != want {
		t.Errorf("%q\nwant %q", got, want)
	}
	special, specials := 0, map[int32]bool{}
	for _, s := range tokens.Specials() {
		specials[s.ID] = true
	}
	for _, id := range x.Tokens {
		if specials[id] {
			special++
		}
	}
	if special != 4 {
		t.Errorf("%d special tokens, want 4: those of the template", special)
	}
	if _, err := chatML(t).Example(all[0], LossAssistant); err == nil || !strings.Contains(err.Error(), `the record has tools, which the chat template "chatml" does not read`) {
		t.Error(err)
	}
	all[0].Vars = nil
	if _, err := chatML(t).Example(all[0], LossAssistant); err == nil || !strings.Contains(err.Error(), `message 2 has tool_calls, which the chat template "chatml" does not read`) {
		t.Error(err)
	}
	d := jinja.NewDict()
	d.Set("role", "assistant")
	d.Set("tool_calls", jinja.NewList(nil))
	if m := (chat.Message{Role: chat.Assistant, Fields: d}); !m.Empty() {
		t.Error("a message with an empty list of calls says something")
	}
}
