package instruct

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"

	"example.com/gotrain/data/chat"
)

// Whatever a record is, it gives conversations of which each message is masked or not, that end with an answer if they have
// one to learn.
func FuzzParseRecord(f *testing.F) {
	for _, level := range levels {
		for _, record := range level.used {
			f.Add([]byte(record))
		}
	}
	for _, seed := range []string{`{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":[{"type":"text","text":"b"}]}]}`,
		`{"conversations":[{"from":"gpt","value":null}]}`, `{"instruction":"a","instances":[{}]}`, `{"instruction":1,"output":[]}`, `[]`, `{"question":"a","answer":"\ud800"}`, `[{"from":"human","value":"a"},{"from":"gpt","value":"b","weight":0}]`,
		`{"prompt":[{"role":"user","content":"a"}],"completion":[{"role":"assistant","content":"b"}],"system":"c","history":[["d","e"]]}`,
		`{"messages":"[[\"a\",\"b\"]]"}`, `["a","b"]`, `[[["a"]]]`, `{"conversations":[{"from":"function_call","value":"[{\"name\":\"f\",\"arguments\":\"{}\"}]"},{"from":"tool_call","value":"{}"}]}`,
		`{"a":1,"a":2}`, ` {"prompt":"a","completion":"b"} `, `"`, `{"\u006d\u0065":1}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, object []byte) {
		all, err := parseRecord(object)
		if err != nil {
			return
		}
		for _, c := range all {
			if len(c.Masked) != len(c.Messages) {
				t.Errorf("%q: %d masks of %d messages", object, len(c.Masked), len(c.Messages))
			}
			if last := c.Messages[len(c.Messages)-1]; learns(c) && (last.Role != chat.Assistant || last.Empty()) && !c.Masked[len(c.Masked)-1] {
				t.Errorf("%q: the last message is %v", object, last)
			}
		}
	})
}

// The parts of objects and lists are those that encoding/json finds, and a key that stands twice is found wherever it is.
func FuzzMembers(f *testing.F) {
	for _, seed := range []string{`{"a": {"b": [1, -2e3, "\"}", null, true]}, "c" : "d"}`, `[1, [2], {"a": "]"} , "x"]`, `{}`, `[ ]`, `{"a":{"b":1,"b":2}}`, "{\"\\u0061\":1,\n\"a\":2}", `7`, `[{"a":1},{"a":2}]`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if !json.Valid(raw) || !utf8.Valid(raw) || loneSurrogate(raw) >= 0 {
			return
		}
		raw = bytes.TrimSpace(raw)
		var list []json.RawMessage
		if json.Unmarshal(raw, &list) == nil && raw[0] == '[' {
			if got := elements(raw); !slices.EqualFunc(got, list, func(a, b json.RawMessage) bool { return bytes.Equal(a, b) }) {
				t.Errorf("%q: %q, want %q", raw, got, list)
			}
		}
		repeated := repeatedKey(raw) != nil
		if want := countKeys(raw) != distinctKeys(t, raw); repeated != want {
			t.Errorf("%q: a key stands twice: %t", raw, repeated)
		}
		var object map[string]json.RawMessage
		if json.Unmarshal(raw, &object) != nil || raw[0] != '{' || repeated {
			return
		}
		got := members(raw)
		if len(got) != len(object) {
			t.Fatalf("%q: %d members, want %d", raw, len(got), len(object))
		}
		for _, m := range got {
			if !bytes.Equal(m.value, object[m.key]) {
				t.Errorf("%q: %q is %q, want %q", raw, m.key, m.value, object[m.key])
			}
		}
	})
}

// countKeys returns how many keys JSON has in all its objects, distinctKeys how many are left when it has been read.
func countKeys(raw json.RawMessage) (n int) {
	switch raw[0] {
	case '{':
		for _, m := range members(raw) {
			n += 1 + countKeys(m.value)
		}
	case '[':
		for _, e := range elements(raw) {
			n += countKeys(e)
		}
	}
	return n
}

func distinctKeys(t *testing.T, raw json.RawMessage) int {
	var v any
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	if err := decoder.Decode(&v); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return countKeys(out)
}

// A file in either form gives the records that encoding/json finds in it, with lines that it has.
func FuzzReadJSON(f *testing.F) {
	good := `{"prompt": "Q", "completion": "A"}`
	for _, seed := range []string{good, good + "\n" + good, "[" + good + ",\n" + good + "]", "[]", "[[\"Q\", \"A\"]]\n[[\"Q\", \"A\"]]", `[[{"role": "assistant", "content": "A"}]]`,
		"[" + good + "] x", "[" + good, "[" + good + ",]", "[,]", "\n\n[\n" + good + "\n]\n", `["Q]", "A\""]`, `[{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}]`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		n := 0
		err := readJSON("f.json", bytes.NewReader(text), func(source string, record []byte) (bool, error) {
			all, err := Record{source, record}.Conversations()
			n += len(all)
			return true, err
		})
		if err != nil && !strings.HasPrefix(err.Error(), "f.json:") {
			t.Errorf("%q: %v names no line", text, err)
		}
		var list []json.RawMessage
		if err == nil && json.Unmarshal(text, &list) == nil && n < len(list) && !oneRecord(list) {
			t.Errorf("%q: %d conversations of %d records", text, n, len(list))
		}
	})
}

// oneRecord says whether a list is a record by itself.
func oneRecord(list []json.RawMessage) bool {
	if len(list) == 0 || list[0][0] == '"' {
		return true
	}
	keys := keysSeen(list[0])
	return slices.Contains(keys, "role") || slices.Contains(keys, "from")
}

// A Parquet file, damaged or not, gives rows or an error.
func FuzzParquet(f *testing.F) {
	type message struct {
		Role    string  `parquet:"role"`
		Content *string `parquet:"content,optional"`
	}
	type record struct {
		Messages []message `parquet:"messages,list"`
		Weight   *float64  `parquet:"weight,optional"`
	}
	text := "A"
	var file bytes.Buffer
	if err := parquet.Write(&file, []record{{[]message{{"user", &text}, {"assistant", &text}}, nil}}); err != nil {
		f.Fatal(err)
	}
	f.Add(file.Bytes())
	f.Add([]byte("PAR1\xff\xff\xff\x7fPAR1"))
	f.Fuzz(func(t *testing.T, content []byte) {
		path := filepath.Join(t.TempDir(), "f.parquet")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := ParquetRows(path, func(source string, record []byte) (bool, error) {
			_, err := Record{source, record}.Conversations()
			return true, err
		}); err != nil && !strings.Contains(err.Error(), path) {
			t.Errorf("%v names no file", err)
		}
	})
}
