package instruct

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/data/chat"
)

var update = flag.Bool("update", false, "write the tables of README.md and the list of testdata/together.txt")

// shown is all that a record teaches.
func shown(t *testing.T, record string) string {
	t.Helper()
	all, err := parseRecord([]byte(record))
	if err != nil {
		return err.Error()
	}
	template, err := chat.Parse("all", "{{ messages | tojson }}{{ tools | tojson }}{{ documents | tojson }}{{ deep | tojson if deep }}")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, c := range all {
		text, err := template.Render(c.Messages, chat.Vars{More: c.Vars})
		fmt.Fprintln(&b, text, c.Masked, err)
	}
	return b.String()
}

const (
	asking  = `{"role": "user", "content": "Q"}`
	saying  = `{"role": "assistant", "content": "A"}`
	talking = `"messages": [` + asking + `, ` + saying + `]`
)

// A record for each key that is used, which teaches something else without it.
var usedInRecords = map[string]string{
	"messages":      `{` + talking + `}`,
	"conversations": `{"conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}]}`,
	"conversation":  `{"conversation": [{"input": "Q", "output": "A"}]}`,
	"instances":     `{"instruction": "Q", "instances": [{"input": "", "output": "A"}]}`,
	"instruction":   `{"instruction": "Q", "output": "A"}`, "input": `{"instruction": "Q", "input": "I", "output": "A"}`,
	"output": `{"instruction": "Q", "output": "A"}`, "context": `{"instruction": "Q", "context": "C", "response": "A"}`,
	"prompt": `{"prompt": "Q", "completion": "A"}`, "completion": `{"prompt": "Q", "completion": "A"}`,
	"response": `{"query": "Q", "response": "A"}`, "question": `{"question": "Q", "answer": "A"}`, "answer": `{"question": "Q", "answer": "A"}`,
	"query": `{"query": "Q", "response": "A"}`, "problem": `{"problem": "Q", "solution": "A"}`, "solution": `{"problem": "Q", "solution": "A"}`,
	"inputs": `{"inputs": "Q", "targets": "A"}`, "targets": `{"inputs": "Q", "targets": "A"}`,
	"user": `{"user": "Q", "assistant": "A"}`, "assistant": `{"user": "Q", "assistant": "A"}`,
	"system":               `{"system": "S", "conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}]}`,
	"system_prompt":        `{"system_prompt": "S", "question": "Q", "response": "A"}`,
	"system_message":       `{"system_message": "S", ` + talking + `}`,
	"history":              `{"instruction": "Q", "output": "A", "history": [["H", "I"]]}`,
	"tools":                `{"tools": [{"name": "f"}], ` + talking + `}`,
	"documents":            `{"documents": [{"text": "d"}], ` + talking + `}`,
	"chat_template_kwargs": `{"chat_template_kwargs": {"deep": 1}, ` + talking + `}`,
	"weight":               `{"weight": 0, ` + talking + `}`, "loss_weight": `{"loss_weight": 0.0, ` + talking + `}`, "sample_weight": `{"sample_weight": 0, "prompt": "Q", "completion": "A"}`,
	"train": `{"train": false, ` + talking + `}`, "training": `{"training": false, ` + talking + `}`, "loss": `{"loss": false, ` + talking + `}`,
}

var usedInMessages = map[string]string{
	"role": `{` + talking + `}`, "content": `{` + talking + `}`,
	"from": `{"conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}]}`, "value": `{"conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}]}`,
	"text":        `{"messages": [{"role": "user", "text": "Q"}, {"role": "assistant", "text": "A"}]}`,
	"weight":      `{"messages": [` + asking + `, {"role": "assistant", "content": "A", "weight": 0}]}`,
	"loss_weight": `{"messages": [` + asking + `, {"role": "assistant", "content": "A", "loss_weight": 0}]}`,
	"train":       `{"messages": [` + asking + `, {"role": "assistant", "content": "A", "train": false}]}`,
	"training":    `{"messages": [` + asking + `, {"role": "assistant", "content": "A", "training": false}]}`,
	"loss":        `{"messages": [` + asking + `, {"role": "assistant", "content": "A", "loss": false}]}`,
	"input":       `{"conversation": [{"input": "Q", "output": "A"}]}`, "output": `{"conversation": [{"input": "Q", "output": "A"}]}`,
	"system":            `{"conversation": [{"system": "S", "input": "Q", "output": "A"}]}`,
	"output_with_loss":  `{"conversation": [{"input": "Q", "output": "A", "output_with_loss": false}]}`,
	"tool_calls":        `{"messages": [` + asking + `, {"role": "assistant", "content": "A", "tool_calls": [{"function": {"name": "f", "arguments": {}}}]}]}`,
	"tool_call_id":      `{"messages": [` + asking + `, {"role": "tool", "content": "T", "tool_call_id": "1"}, ` + saying + `]}`,
	"name":              `{"messages": [{"role": "user", "content": "Q", "name": "n"}, ` + saying + `]}`,
	"reasoning_content": `{"messages": [` + asking + `, {"role": "assistant", "content": "A", "reasoning_content": "R"}]}`,
	"reasoning":         `{"messages": [` + asking + `, {"role": "assistant", "content": "A", "reasoning": "R"}]}`,
	"thinking":          `{"messages": [` + asking + `, {"role": "assistant", "content": "A", "thinking": "R"}]}`,
}

var usedInParts = map[string]string{
	"type":  `{"messages": [` + asking + `, {"role": "assistant", "content": [{"type": "text", "text": "A"}]}]}`,
	"text":  `{"messages": [` + asking + `, {"role": "assistant", "content": [{"type": "text", "text": "A"}]}]}`,
	"value": `{"messages": [` + asking + `, {"role": "assistant", "content": [{"type": "text", "value": "A"}]}]}`,
}

// without removes a key from all objects of a record, or only from the record itself.
func without(record, key string, deep bool) string {
	raw := json.RawMessage(record)
	if raw[0] == '[' {
		var parts []string
		for _, e := range elements(raw) {
			parts = append(parts, without(string(e), key, deep))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	if raw[0] != '{' {
		return record
	}
	var parts []string
	for _, m := range members(raw) {
		value := string(m.value)
		if deep {
			value = without(value, key, deep)
		}
		if m.key != key {
			parts = append(parts, fmt.Sprintf("%q: %s", m.key, value))
		}
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

var levels = []struct {
	name, place, record string // of a key that is not used: %s is the key and its value
	rules               map[string]keyRule
	used                map[string]string
}{
	{"records", "", `{%s, "prompt": "Q", "completion": "A"}`, recordKeys, usedInRecords},
	{"messages", "messages[].", `{"messages": [` + asking + `, {"role": "assistant", "content": "A", %s}]}`, messageKeys, usedInMessages},
	{"parts of a content", "messages[].content[].", `{"messages": [` + asking + `, {"role": "assistant", "content": [{"type": "text", "text": "A", %s}]}]}`, partKeys, usedInParts},
}

// Each key of the tables does what its rule says: one that is used changes what is learnt, one that is refused is named unless
// its value says nothing, one that is harmless is not heard of.
func TestKeyRules(t *testing.T) {
	const plain = `{"prompt": "Q", "completion": "A"}`
	for _, level := range levels {
		for key, rule := range level.rules {
			if rule.use == used || rule.use == given {
				record := level.used[key]
				if record == "" {
					t.Errorf("%s: no record tells whether the key %q is used", level.name, key)
					continue
				}
				all, err := parseRecord([]byte(record))
				if err != nil || all[0].Unread != nil {
					t.Errorf("%s: %v %v", record, err, all)
				}
				if shown(t, record) == shown(t, without(record, key, level.place != "")) {
					t.Errorf("%s: without %q it teaches the same", record, key)
				}
				continue
			}
			for value, says := range map[string]bool{"null": false, `""`: false, "[]": false, "{}": false, `"x"`: true, "[7]": true, `{"a": 1}`: true} {
				record := fmt.Sprintf(level.record, fmt.Sprintf("%q: %s", key, value))
				all, err := parseRecord([]byte(record))
				if says && rule.use == refused {
					if err == nil || !strings.Contains(err.Error(), key) || !strings.Contains(err.Error(), rule.why) {
						t.Errorf("%s: %v", record, err)
					}
					continue
				}
				if err != nil || spoken(all[0]) != "u:Q a:A" || all[0].Unread != nil {
					t.Errorf("%s: %v %v", record, all, err)
				}
			}
			for _, value := range rule.neutral {
				record := fmt.Sprintf(level.record, fmt.Sprintf("%q: %s", key, value))
				if all, err := parseRecord([]byte(record)); err != nil || spoken(all[0]) != "u:Q a:A" {
					t.Errorf("%s: %v", record, err)
				}
			}
		}
		record := fmt.Sprintf(level.record, `"mood": {"text": "x"}`)
		all, err := parseRecord([]byte(record))
		if want := []string{level.place + "mood"}; err != nil || !slices.Equal(all[0].Unread, want) {
			t.Errorf("%s: %v %v, want %q", record, all, err, want)
		}
	}
	if want := shown(t, plain); !strings.Contains(want, "A") {
		t.Error(want)
	}
	all, err := parseRecord([]byte(`{"mood": 1, "aim": 2, "messages": [{"role": "user", "content": "Q", "mood": 3}, {"role": "assistant", "content": "A"}], "output": "x"}`))
	if want := []string{"messages[].mood", "aim", "mood", "output"}; err != nil || !slices.Equal(all[0].Unread, want) {
		t.Errorf("%v %v, want %q", all, err, want)
	}
}

// README.md has the tables of keys.
func TestReadmeHasTheKeys(t *testing.T) {
	var b strings.Builder
	for _, level := range levels {
		fmt.Fprintf(&b, "\n### Keys of %s\n\n| keys | |\n|---|---|\n", level.name)
		rows := map[string][]string{}
		for key, rule := range level.rules {
			row := map[use]string{used: "read: " + rule.why, given: "given to the chat template, which has to read it; in messages of `from` and `value` refused", harmless: "not looked at",
				refused: "refused: " + rule.why}[rule.use]
			rows[row] = append(rows[row], key)
		}
		order := func(row string) int {
			return slices.IndexFunc([]string{"read", "given", "refused", "not"}, func(s string) bool { return strings.HasPrefix(row, s) })
		}
		names := slices.Sorted(maps.Keys(rows))
		slices.SortStableFunc(names, func(a, b string) int { return order(a) - order(b) })
		for _, row := range names {
			keys := slices.Sorted(slices.Values(rows[row]))
			for i, key := range keys {
				keys[i] = "`" + key + "`"
				if n := level.rules[key].neutral; len(n) > 0 {
					keys[i] += " (but " + strings.Join(n, ", ") + ")"
				}
			}
			fmt.Fprintf(&b, "| %s | %s |\n", strings.Join(keys, ", "), row)
		}
	}
	const begin, end = "<!-- keys: go test ./data/instruct -run Readme -update -->\n", "<!-- end of keys -->\n"
	file, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := bytes.Cut(file, []byte(begin))
	_, tail, ok2 := bytes.Cut(rest, []byte(end))
	if !ok || !ok2 {
		t.Fatal("README.md has no place for the keys")
	}
	want := string(head) + begin + b.String() + "\n" + end + string(tail)
	if want == string(file) {
		return
	}
	if !*update {
		t.Fatal("README.md has other keys than keys.go; run go test ./data/instruct -run Readme -update")
	}
	if err := os.WriteFile("README.md", []byte(want), 0o666); err != nil {
		t.Fatal(err)
	}
}
