package instruct

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"example.com/gotrain/data/chat"
	"example.com/gotrain/data/chat/jinja"
)

// spoken writes a conversation as role:content, an answer that is not learnt in brackets.
func spoken(c chat.Conversation) string {
	var turns []string
	for i, m := range c.Messages {
		turn := m.Role[:1] + ":" + m.Content
		if c.Masked[i] {
			turn = "[" + turn + "]"
		}
		turns = append(turns, turn)
	}
	return strings.Join(turns, " ")
}

func TestRecordShapes(t *testing.T) {
	ask, say := `{"role": "user", "content": "Q"}`, `{"role": "assistant", "content": "A"}`
	for _, tt := range []struct{ record, want string }{
		{`{"messages": [` + ask + `, ` + say + `], "system": "S"}`, "s:S u:Q a:A"},
		{`{"messages": [{"role": "system", "content": "S"}, ` + ask + `, ` + say + `], "system": "S"}`, "s:S u:Q a:A"},
		{`{"conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}], "system": "S"}`, "s:S u:Q a:A"},
		{`{"conversations": [{"from": "Human", "value": "Q"}, {"from": "ChatGPT", "value": "A"}]}`, "u:Q a:A"},
		{`{"conversation": [` + ask + `, ` + say + `]}`, "u:Q a:A"},
		{`{"conversation": [{"system": "S", "input": "Q", "output": "A"}, {"input": "Q2", "output": "A2"}]}`, "s:S u:Q a:A u:Q2 a:A2"},
		{`{"messages": "[{\"role\": \"user\", \"content\": \"Q\"}, {\"role\": \"assistant\", \"content\": \"A\"}]"}`, "u:Q a:A"},
		{`[{"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}]`, "u:Q a:A"},
		{`{"prompt": [` + ask + `], "completion": [` + say + `]}`, "u:Q a:A"},
		{`{"prompt": [` + ask + `, ` + say + `, ` + ask + `], "completion": [` + say + `]}`, "u:Q [a:A] u:Q a:A"},
		{`{"prompt": "Q", "completion": "A", "system": "S"}`, "s:S u:Q a:A"},
		{`{"system_prompt": "S", "question": "Q", "response": "A"}`, "s:S u:Q a:A"},
		{`{"instruction": "Q", "context": "C", "response": "A", "category": "open_qa"}`, "u:Q\n\nC a:A"},
		{`{"instruction": "Q", "input": "", "output": "A", "history": [["H", "I"], ["J", "K"]], "system": "S"}`, "s:S u:H a:I u:J a:K u:Q a:A"},
		{`{"messages": [` + ask + `, {"role": "assistant", "content": "5", "weight": 0}, ` + ask + `, {"role": "assistant", "content": "4", "weight": 1}]}`, "u:Q [a:5] u:Q a:4"},
		{`{"messages": [` + ask + `, {"role": "assistant", "content": "5", "train": false}, ` + ask + `, {"role": "assistant", "content": "4", "loss": true}]}`, "u:Q [a:5] u:Q a:4"},
		{`{"messages": [` + ask + `, {"role": "assistant", "content": ""}, ` + ask + `, ` + say + `, ` + ask + `]}`, "u:Q [a:] u:Q a:A"},
		{`{"messages": [` + ask + `, ` + say + `, {"role": "tool", "content": "T"}, ` + say + `]}`, "u:Q a:A t:T a:A"},
		{`{"messages": [` + ask + `, {"role": "assistant", "content": null}]}`, "u:Q [a:]"},
		{`{"prompt": "Q", "completion": ""}`, "u:Q [a:]"},
		{`[["Q", "A"], ["R", "B"]]`, "u:Q a:A u:R a:B"},
		{`["Q", "A"]`, "u:Q a:A"},
		{`{"conversation": ["Q", "A", "R", "B"]}`, "u:Q a:A u:R a:B"},
		{`{"conversations": [["Q", "A"], ["R", "B"]], "system": "S"}`, "s:S u:Q a:A u:R a:B"},
		{`{"messages": [{"role": "user", "value": "Q"}, {"from": "assistant", "content": "A"}]}`, "u:Q a:A"},
		{`{"messages": [{"role": "user", "content": [{"type": "text", "value": "Q"}]}, {"role": "assistant", "content": [{"type": "text", "value": "A"}], "loss_weight": 1.0}]}`, "u:Q a:A"},
		{`{"messages": [` + ask + `, ` + say + `, ` + ask + `, ` + say + `], "weight": 0}`, "u:Q [a:A] u:Q [a:A]"},
		{`{"prompt": "Q", "completion": "A", "train": false}`, "u:Q [a:A]"},
		{`{"conversations": [{"from": "human", "value": "Q"}, {"from": "function_call", "value": "{\"name\": \"f\", \"arguments\": {}}"}, {"from": "observation", "value": "T"}, {"from": "gpt", "value": "A"}]}`, "u:Q a: t:T a:A"},
		{`{"conversations": [{"from": "system", "value": "S", "weight": null}, {"from": "human", "value": "Q", "weight": 0}, {"from": "gpt", "value": "A", "weight": 1}]}`, "s:S u:Q a:A"},
		{`{"conversation": [{"input": "Q", "output": "A", "output_with_loss": false}, {"input": "R", "output": "B"}]}`, "u:Q [a:A] u:R a:B"},
		{`{"instruction": "Q", "input": "I", "response": "A"}`, "u:Q\n\nI a:A"},
		{`{"inputs": "Q", "targets": "A"}`, "u:Q a:A"},
		{`{"messages": [` + ask + `, {"role": "assistant", "content": "A", "tool_calls": [], "name": null}], "chosen": null, "label": true}`, "u:Q a:A"},
	} {
		all, err := parseRecord([]byte(tt.record))
		if err != nil || len(all) != 1 || spoken(all[0]) != tt.want {
			t.Errorf("%s: %v %v, want %q", tt.record, all, err, tt.want)
		}
		if err == nil && all[0].Unread != nil {
			t.Errorf("%s: %q are not read", tt.record, all[0].Unread)
		}
	}
}

func TestRecordsThatAreRefused(t *testing.T) {
	turns := `"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}]`
	for _, tt := range []struct{ record, want string }{
		{`{"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A", "weight": 0.5}]}`, "messages[1].weight is 0.5"},
		{`{"messages": [{"role": "user", "content": "Q", "train": true}, {"role": "assistant", "content": "A"}]}`, "messages[0] is to be learnt, but the message is not the assistant's"},
		{`{"messages": [{"role": "system", "content": "other"}, {"role": "assistant", "content": "A"}], "system": "S"}`, "and they differ"},
		{`{"conversations": [{"from": "human", "value": "Q"}, {"from": "function_call", "value": "{}"}]}`, `conversations[1].value is "{}", not the JSON of a call`},
		{`{"messages": [{"role": "user", "content": null}, {"role": "assistant", "content": "A"}]}`, "messages[0].content is null, not a text"},
		{`{"prompt": [{"role": "user", "content": "Q"}], "completion": "A"}`, "is a list of messages, the other is not"},
		{`{"prompt": "Q", "chosen": "A", "rejected": "B"}`, "the record is preference data"},
		{`{"instruction": "Q", "output": "A", "history": ["Q", "A"]}`, `history[0] is "Q", not a pair of texts`},
		{`{"prompt": "Q", "completion": "A\ud83d"}`, `byte 33 of the record is half of a surrogate pair, \ud83d`},
		{`{"prompt": "Q\\\ude00", "completion": "A"}`, "byte 16 of the record is half of a surrogate pair"},
		{`{"prompt": "Q", "completion": "A", "completion": "B"}`, `the key "completion" stands twice`},
		{`{"messages": [{"role": "user", "content": "Q", "c\u006fntent": "R"}, {"role": "assistant", "content": "A"}]}`, `stands twice in an object`},
		{`{"prompt": null, "completion": "A"}`, `key "prompt" is null, not a text (leave the record out`},
		{`{"prompt": "Q", "completion": 7}`, `key "completion" is 7, not a text (write "7")`},
		{`{"prompt": "Q", "completion": ["A"]}`, "is a list of messages, the other is not"},
		{`{"messages": [{"role": "user", "content": 7}, {"role": "assistant", "content": "A"}]}`, `messages[0].content is 7, not a text (write "7")`},
		{`{"messages": [{"role": null, "content": "Q"}, {"role": "assistant", "content": "A"}]}`, "messages[0].role is null, not a text"},
		{`{"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "Content": "A"}]}`, "messages[1].content is missing"},
		{`{"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A", "value": "B"}]}`, `messages[1] has both keys "content" and "value"`},
		{`{"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}, {"role": "assistant", "content": "A"}]}`, `messages[0].content[0] is a part of type "image_url"`},
		{`{"messages": [{"role": "user", "content": [{"type": "text"}]}, {"role": "assistant", "content": "A"}]}`, "messages[0].content[0] is a part without text"},
		{`{"messages": [{"role": "user", "content": "Q"}, null]}`, "messages[1] is null, not a message"},
		{`{"messages": {"role": "user"}}`, `key "messages" is an object, not a list of messages`},
		{`{"messages": "Q"}`, `key "messages" is a text in place of a list of messages`},
		{`{"messages": ["Q", "A", "R"]}`, "a list of 3 texts, which user and assistant do not say in turn"},
		{`{"messages": [["Q", null]]}`, "messages[0] is [\"Q\", null], not a pair of texts"},
		{`{"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}], "history": [["H", "I"]]}`, `key "history" stands beside messages`},
		{`{"question": "Q", "context": "C", "answer": "A"}`, `key "context" stands beside question`},
		{`{"question": "Q", "choices": ["a", "b"], "answer": "b"}`, `key "choices" is ["a", "b"]: the options are not written`},
		{`{"prompt": "Q", "completion": "A", "label": false}`, `key "label" is false: the record is preference data`},
		{`{"chosen": [7], "rejected": []}`, "the record is preference data"},
		{`{"conversations": [{"from": "human", "value": "Q"}], "chosen": {"from": "gpt", "value": "A"}, "rejected": {"from": "gpt", "value": "B"}}`, "the record is preference data"},
		{`{"data": [{"prompt": "Q", "completion": "A"}]}`, "write each as a record, for example with jq -c '.data[]'"},
		{`{"role": "user", "content": "Q"}`, "the record is a message"},
		{`{"text": "plain"}`, "set data.format to jsonl"},
		{`7`, "the record is a number, not an object or a list of messages"},
		{`Hello`, "not JSON: the line begins with \"Hello\""},
		{`{"prompt": "Q", }`, "not JSON: invalid character '}'"},
		{`{"instruction": "Q", "instances": [{"input": "", "output": "A", "weight": 0.3}]}`, "instances[0].weight is 0.3"},
		{`{` + turns + `, "weight": 0.5}`, `key "weight" is 0.5; the loss counts it or it does not`},
	} {
		if _, err := parseRecord([]byte(tt.record)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.record, err, tt.want)
		}
	}
	if all, err := parseRecord([]byte(`{"prompt": "\\ud83d \ud83d\ude00", "completion": "A"}`)); err != nil || all[0].Messages[0].Content != `\ud83d 😀` {
		t.Errorf("a pair, and a backslash before ud83d: %v %v", all, err)
	}
}

// Empty answers are counted and left out, keys that nobody knows listed once, and masked answers are not learnt.
func TestBuildCounts(t *testing.T) {
	path := write(t, "a.jsonl", `{"prompt": "Q", "completion": "A", "mood": 1}
{"prompt": "Q", "completion": " ", "mood": 1}
{"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A", "weight": 0}]}
{"messages": [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "5", "weight": 0}, {"role": "user", "content": "no"}, {"role": "assistant", "content": "4"}]}
`)
	e := chatML(t)
	set, err := Build(context.Background(), Default(), e, 1000, Read([]string{path}, ""))
	if err != nil {
		t.Fatal(err)
	}
	if s := set.Stats(); s.Examples != 2 || s.Empty != 2 || s.EmptyAnswers != 1 || !slices.Equal(s.Unread, []Unread{{"mood", path + ":1", 2}}) {
		t.Errorf("%+v", s)
	}
	want := "<|im_start|>user\n2+2?<|im_end|>\n<|im_start|>assistant\n5<|im_end|>\n<|im_start|>user\nno<|im_end|>\n<|im_start|>assistant\n[4<|im_end|>"
	if got := text(e, set.Example(1)); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	cfg := Default()
	cfg.Loss = LossAll
	set, err = Build(context.Background(), cfg, e, 1000, Read([]string{path}, ""))
	if err != nil {
		t.Fatal(err)
	}
	want = "<|im_start|>[user\n2+2?<|im_end|>\n<|im_start|>assistant\n]5<|im_end|>[\n<|im_start|>user\nno<|im_end|>\n<|im_start|>assistant\n4<|im_end|>\n"
	if got := text(e, set.Example(1)); got != want {
		t.Errorf("loss all: %q, want %q", got, want)
	}
}

func TestBuildSaysWhyThereIsNothing(t *testing.T) {
	long := strings.Repeat("a question ", 30)
	for _, tt := range []struct{ content, truncate, want string }{
		{`{"prompt": "` + long + `", "completion": "A"}`, TruncateRight, "no answer is left when they are cut on the right (set data.instruct.truncate to left"},
		{`{"prompt": "` + long + `", "completion": "A"}`, TruncateDrop, "longer than a row of 128 tokens"},
		{`{"prompt": "Q", "completion": ""}`, TruncateDrop, "none of 1 conversations has an answer to learn"},
		{"", TruncateDrop, "there are no examples"},
	} {
		cfg := Default()
		cfg.Truncate = tt.truncate
		_, err := Build(context.Background(), cfg, chatML(t), 128, Read([]string{write(t, "a.jsonl", tt.content)}, ""))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.30s, %s: %v, want %q", tt.content, tt.truncate, err, tt.want)
		}
	}
}

// Of two conversations and more with different answers one at least is held out, and one trained on.
func TestSplitIsNeverEmptyByChance(t *testing.T) {
	for n := 2; n < 12; n++ {
		for seed := range 20 {
			var all []chat.Conversation
			for i := range n {
				all = append(all, chat.Conversation{Messages: []chat.Message{{Role: chat.User, Content: "Q"}, {Role: chat.Assistant, Content: fmt.Sprint(i, seed)}}})
			}
			for _, fraction := range []float64{0.001, 0.1, 0.5} {
				sides, err := Split(sequence(all), fraction, nil)
				held := 0
				for _, c := range all {
					if sides.HeldOut(c) {
						held++
					}
				}
				if err != nil || held == 0 || held == n {
					t.Fatalf("%d of %d are held out of fraction %v, %v", held, n, fraction, err)
				}
			}
		}
	}
}

func TestFilesThatAreNoText(t *testing.T) {
	for _, tt := range []struct{ name, content, want string }{
		{"gbk.jsonl", "{\"prompt\": \"Q\", \"completion\": \"A\"}\n{\"prompt\": \"\xba\xba\", \"completion\": \"A\"}\n", "gbk.jsonl:2: byte 47: 0xBA is not UTF-8"},
		{"array.json", "[{\"prompt\": \"Q\",\n \"completion\": \"na\xefve\"}]", "array.json:2: byte 35: 0xEF is not UTF-8"},
		{"a.png", "\x89PNG\r\n\x1a\n\x00", "a PNG image"},
	} {
		if _, err := readAll(write(t, tt.name, tt.content)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
	marked := "\xff\xfe"
	for _, c := range `{"prompt": "Q", "completion": "Ä"}` {
		marked += string([]byte{byte(c), byte(c >> 8)})
	}
	if all, err := readAll(write(t, "utf16.jsonl", marked)); err != nil || spoken(all[0]) != "u:Q a:Ä" {
		t.Errorf("UTF-16: %v %v", all, err)
	}
	lists := `[[{"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}], [{"from": "human", "value": "R"}, {"from": "gpt", "value": "B"}]]`
	if all, err := readAll(write(t, "lists.json", lists)); err != nil || len(all) != 2 || spoken(all[1]) != "u:R a:B" {
		t.Errorf("lists of lists: %v %v", all, err)
	}
}

// Columns of all kinds and depths are read: a weight that is a number counts, and a list in a list is refused by its name.
func TestParquetColumns(t *testing.T) {
	type call struct {
		Name string `parquet:"name"`
	}
	type message struct {
		Role    string  `parquet:"role"`
		Content *string `parquet:"content,optional"`
		Weight  *int64  `parquet:"weight,optional"`
		Calls   []call  `parquet:"tool_calls,list"`
	}
	type record struct {
		ID       int64     `parquet:"id"`
		Messages []message `parquet:"messages,list"`
		System   *string   `parquet:"system,optional"`
	}
	str := func(s string) *string { return &s }
	zero, one := int64(0), int64(1)
	rows := []record{
		{1, []message{{Role: "user", Content: str("Q")}, {Role: "assistant", Content: str("5"), Weight: &zero}, {Role: "user", Content: str("no")}, {Role: "assistant", Content: str("4"), Weight: &one}}, nil},
		{2, []message{{Role: "user", Content: str("R")}, {Role: "assistant", Content: str("B")}}, str("S")},
		{3, []message{{Role: "user", Content: str("R")}, {Role: "assistant", Calls: []call{{"f"}, {"g"}}}, {Role: "assistant", Content: str("B")}}, nil},
	}
	parquetOf := func(rows []record) string {
		var file bytes.Buffer
		if err := parquet.Write(&file, rows); err != nil {
			t.Fatal(err)
		}
		return write(t, filepath.Base(t.Name())+".parquet", file.String())
	}
	all, err := readAll(parquetOf(rows[:2]))
	if err != nil || len(all) != 2 || spoken(all[0]) != "u:Q [a:5] u:no a:4" || spoken(all[1]) != "s:S u:R a:B" {
		t.Errorf("%v %v", all, err)
	}
	all, err = readAll(parquetOf(rows))
	if err != nil || len(all) != 3 {
		t.Fatalf("calls of tools: %v %v", all, err)
	}
	calls, _ := all[2].Messages[1].Fields.Get("tool_calls")
	if list, ok := calls.(*jinja.List); !ok || len(list.Items()) != 2 {
		t.Errorf("calls of tools: %v", calls)
	}
}
