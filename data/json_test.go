package data

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestStringField(t *testing.T) {
	for _, test := range []struct{ in, want, err string }{
		{`{"text": "abc"}`, "abc", ""},
		{`{"meta": {"text": "no", "n": [1, -2.5e+3, true, null]}, "text": "yes", "z": []}`, "yes", ""},
		{`{"text": "first", "t\u0065xt": "last"}`, "", `the key "text" stands twice`},
		{`{"text": "a\n\t\"\\\/\u00e9\ud83d\ude00!"}`, "a\n\t\"\\/é😀!", ""},
		{`{"text": "a\ud83d!"}`, "", "half of a surrogate pair, which is no character, at column 12"},
		{`{"text": "\ude00\ud83d"}`, "", "half of a surrogate pair, which is no character, at column 11"},
		{`{"t\u0065xt": "escaped key"}`, "escaped key", ""},
		{"{\"text\": \"bytes \xff\xfe\"}", "bytes \xff\xfe", ""},
		{`{}`, "", `no key "text" (set text_key`},
		{`{"text": 5}`, "", `the value of key "text" is not a string at column 10`},
		{`{"text": null}`, "", `is not a string`},
		{`["text"]`, "", "expected an object"},
		{`{"text": "abc"`, "", "comma or a closing bracket at column 15"},
		{`{"text": "abc`, "", "string without end"},
		{`{"text": "abc\`, "", "unknown escape"},
		{`{"text": "abc"} x`, "", "text behind the object"},
		{`{"text": "abc",}`, "", "expected a key"},
		{`{"a": 01, "text": "abc"}`, "", "comma or a closing bracket"},
		{`{"a": ` + strings.Repeat("[", 20_000) + `}`, "", "nesting too deep"},
	} {
		got, err := stringField([]byte(test.in), "text")
		if test.err != "" {
			wantError(t, err, test.err)
		} else if err != nil || string(got) != test.want {
			t.Errorf("%s: %q, %v; want %q", test.in, got, err, test.want)
		}
	}
}

// encoding/json is the oracle, for input that it does not rewrite.
func FuzzStringField(f *testing.F) {
	for _, seed := range []string{`{"text": "abc"}`, `{"a": {"b": [1.5e-3, true, null]}, "text": "\u00e9\ud83d\ude00\n"}`, `{"text": 1}`,
		`{"text": "a", "text": "b"}`, `{"a": -0, "text": ""}`, `{"text": "\ud800\u0041"}`, "{\"text\"\x00:1}", `{"a": 01}`, `[]`, ``} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		if !utf8.Valid(in) {
			return
		}
		got, err := stringField(bytes.Clone(in), "text")
		var object map[string]json.RawMessage
		valid := json.Unmarshal(in, &object) == nil && object != nil
		var want *string
		valid = valid && json.Unmarshal(object["text"], &want) == nil && want != nil
		if err == nil && (!valid || *want != string(got)) {
			t.Errorf("%q: %q, encoding/json says otherwise (valid %t)", in, got, valid)
		}
		if err != nil && valid && !strings.Contains(err.Error(), "stands twice") && !strings.Contains(err.Error(), "surrogate") {
			t.Errorf("%q: %v, encoding/json accepts it", in, err)
		}
	})
}
