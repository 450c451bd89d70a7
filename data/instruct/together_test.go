package instruct

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/data/chat"
)

// together lists how records and messages read that have keys of several shapes, and keys with values of each type.
const together = "testdata/together.txt"

var (
	turnsValue = `[{"role":"user","content":"MQ"},{"role":"assistant","content":"MA"}]`
	// natural are the values that keys have; others have a text.
	natural = map[string]string{
		"messages": turnsValue, "conversations": `[{"from":"human","value":"CQ"},{"from":"gpt","value":"CA"}]`, "conversation": `[{"input":"TQ","output":"TA"}]`,
		"instances": `[{"input":"IQ","output":"IA"},{"input":"JQ","output":"JA"}]`, "history": `[["HQ","HA"]]`, "tools": `[{"name":"f"}]`, "weight": "0", "train": "false",
		"tool_calls": `[{"name":"f","arguments":{}}]`, "output_with_loss": "false",
	}
	types = []string{`null`, `""`, `"t"`, `0`, `1`, `true`, `false`, `1.5`, `[]`, `["a","b"]`, `[["a","b"]]`, `{}`, `{"role":"user","content":"x"}`, turnsValue}
)

// outcome is what a record reads as: its conversations, how the error begins, and the keys that are not read.
func outcome(record string) string { return strings.ReplaceAll(read(record), "\n", "\\n") }

func read(record string) string {
	all, err := parseRecord([]byte(record))
	if err != nil {
		return "! " + fmt.Sprintf("%.60s", strings.Join(strings.Fields(err.Error()), " "))
	}
	var out []string
	for _, c := range all {
		said := spokenFields(c)
		if len(c.Vars) > 0 {
			said += fmt.Sprintf(" with %d variables", len(c.Vars))
		}
		if c.Silent > 0 {
			said += fmt.Sprintf(" %d silent", c.Silent)
		}
		out = append(out, said)
	}
	text := cmp.Or(strings.Join(out, " / "), "nothing")
	if len(all) > 0 && len(all[0].Unread) > 0 {
		text += " unread " + strings.Join(all[0].Unread, " ")
	}
	return text
}

// withKeys writes keys with their values, or with value where it is not empty.
func withKeys(keys []string, value string) string {
	var members []string
	for _, k := range keys {
		members = append(members, fmt.Sprintf("%q:%s", k, cmp.Or(value, natural[k], fmt.Sprintf("%q", "the "+k))))
	}
	return "{" + strings.Join(members, ",") + "}"
}

// subsets calls f for each choice of n of the keys.
func subsets(keys []string, n int, f func(chosen []string)) {
	if n == 0 {
		f(nil)
		return
	}
	for i := range keys {
		if len(keys)-i < n {
			return
		}
		subsets(keys[i+1:], n-1, func(chosen []string) { f(append([]string{keys[i]}, chosen...)) })
	}
}

// TestKeysTogether compares with the list; -update writes it.
func TestKeysTogether(t *testing.T) {
	recordOf := func(inner string) string { return inner }
	messageOf := func(inner string) string { return `{"messages":[{"role":"user","content":"Q"},` + inner + `]}` }
	fromOf := func(inner string) string {
		return `{"conversations":[{"from":"human","value":"Q"},` + inner + `,{"from":"gpt","value":"A"}]}`
	}
	var words []string
	for k, rule := range recordKeys {
		if rule.use == used && k != "loss_weight" && k != "sample_weight" && k != "training" && k != "loss" {
			words = append(words, k)
		}
	}
	words = append(words, "name", "chosen")
	slices.Sort(words)
	spoken := []string{"content", "from", "input", "name", "output", "output_with_loss", "reasoning_content", "role", "system", "text", "tool_calls", "train", "value", "weight"}
	roles := []string{"assistant", "Assistant", "ai", "bot", "chatbot", "chatgpt", "developer", "function", "gpt", "human", "human ", "ipython", "model", "observation", "prompter", "system", "tool", "tool_response", "user", "User", "x", ""}

	var got strings.Builder
	line := func(name, record string) { fmt.Fprintf(&got, "%s: %s\n", name, outcome(record)) }
	// beside is a record or message with a key and value beside, or in the place of, those that it has.
	beside := func(k, value string, has ...string) string {
		has = slices.DeleteFunc(has, func(h string) bool { return strings.HasPrefix(h, fmt.Sprintf("%q:", k)) })
		return "{" + strings.Join(append(has, fmt.Sprintf("%q:%s", k, value)), ",") + "}"
	}
	for _, k := range words {
		for _, value := range types {
			line(k+" "+value, beside(k, value, `"prompt":"Q"`, `"completion":"A"`))
			line("messages and "+k+" "+value, beside(k, value, `"messages":`+turnsValue))
			if _, ok := natural[k]; ok {
				line("alone "+k+" "+value, beside(k, value))
			}
		}
	}
	subsets(words, 2, func(keys []string) { line(strings.Join(keys, " "), recordOf(withKeys(keys, ""))) })
	for _, k := range spoken {
		for _, value := range types {
			line("message "+k+" "+value, messageOf(beside(k, value, `"role":"assistant"`, `"content":"A"`)))
			line("turn "+k+" "+value, fromOf(beside(k, value, `"from":"gpt"`, `"value":"B"`)))
		}
	}
	for _, role := range roles {
		line(fmt.Sprintf("role %q", role), messageOf(fmt.Sprintf(`{"role":%q,"content":"A"}`, role)))
		line(fmt.Sprintf("from %q", role), fromOf(fmt.Sprintf(`{"from":%q,"value":"A"}`, role)))
	}
	for _, shape := range []struct {
		name   string
		keys   []string
		n      int
		record func(string) string
	}{{"records", words, 3, recordOf}, {"messages", spoken, 1, messageOf}, {"messages", spoken, 2, messageOf}, {"messages", spoken, 3, messageOf}, {"messages", spoken, 4, messageOf},
		{"turns", spoken, 2, fromOf}, {"turns", spoken, 3, fromOf}} {
		first, h := "", sha256.New()
		sum := func() {
			if first != "" {
				fmt.Fprintf(&got, "%s of %d keys from %s on: %x\n", shape.name, shape.n, first, h.Sum(nil)[:4])
			}
			h.Reset()
		}
		subsets(shape.keys, shape.n, func(keys []string) {
			if keys[0] != first {
				sum()
				first = keys[0]
			}
			fmt.Fprintln(h, outcome(shape.record(withKeys(keys, ""))))
		})
		sum()
	}
	if *update {
		if err := os.WriteFile(together, []byte(got.String()), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(together)
	if err != nil {
		t.Fatal(err)
	}
	was, is := strings.Split(string(want), "\n"), strings.Split(got.String(), "\n")
	if len(was) != len(is) {
		t.Fatalf("%d lines, want %d", len(is), len(was))
	}
	for i := range is {
		if was[i] != is[i] {
			t.Errorf("%s\nwant %s", is[i], was[i])
		}
	}
}

// spokenFields is spoken with what a message has beside its content.
func spokenFields(c chat.Conversation) string {
	var turns []string
	for i, m := range c.Messages {
		turn := fmt.Sprintf("%.1s:%s", m.Role, m.Content)
		if m.Fields != nil {
			for _, k := range m.Fields.Keys() {
				if v, _ := m.Fields.Get(k.(string)); k != "content" && k != "role" {
					turn += fmt.Sprintf(" (%s %T)", k, v)
				}
			}
		}
		if c.Masked[i] {
			turn = "[" + turn + "]"
		}
		turns = append(turns, turn)
	}
	return strings.Join(turns, " ")
}
