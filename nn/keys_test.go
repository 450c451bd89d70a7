package nn

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestKeysOfFiles: what is read of keys that are there, absent, null or of another kind, and what
// is said of them, to the letter.
func TestKeysOfFiles(t *testing.T) {
	h, err := ParseHF("c.json", []byte(`{"model_type": "m", "int": 3, "float": 0.5, "bool": true, "text": "t", "list": ["a", "b"], "null": null,
		"inner": {"deep": 7, "wrong": "x"}, "old": 1, "same": 1.0, "other": 2, "act": "gelu_new", "bad": "swoosh"}`))
	if err != nil {
		t.Fatal(err)
	}
	if h.ModelType() != "m" || h.Int("int", 9) != 3 || h.Float("float", 9) != 0.5 || !h.Bool("bool", false) || h.String("text", "x") != "t" || !slices.Equal(h.Strings("list"), []string{"a", "b"}) || h.Size() != 13 {
		t.Error("what is there")
	}
	if h.Int("none", 9) != 9 || h.Float("null", 9) != 9 || !h.Bool("none", true) || h.String("null", "x") != "x" || h.Strings("none") != nil {
		t.Error("what is not there")
	}
	if !h.Has("int") || h.Has("null") || h.Has("none") || !h.IsNull("null") || h.IsNull("int") || h.IsNull("none") || !h.Is("same", "1") || h.Is("int", "4") {
		t.Error("what is said to be there")
	}
	if o := h.Object("inner"); o.Int("deep", 0) != 7 || o.Int("wrong", 5) != 5 || h.Object("none").Int("deep", 4) != 4 {
		t.Error("what is inside")
	}
	h.Alias("int", "none")
	h.Alias("new", "old")
	h.Alias("old", "same")
	h.Alias("float", "other")
	if h.Int("new", 0) != 1 || h.Int("float", 0) != 2 {
		t.Error("what is there by another name")
	}
	n := 8
	if h.Value("null", &n); n != 8 {
		t.Error(n)
	}
	if h.Value("other", &n); n != 2 {
		t.Error(n)
	}
	h.Value("text", &n)
	h.Int("bool", 0)
	if a, b := h.Activation("act", "relu"), h.Activation("none", "gelu"); a == "" || b == "" || a == b || h.Activation("bad", "relu") != "" {
		t.Errorf("%s, %s", a, b)
	}
	h.Note("one of %d", 2)
	h.Note("one of %d", 2)
	h.Note("another")
	if !slices.Equal(h.Notes(), []string{"one of 2", "another"}) {
		t.Errorf("%q", h.Notes())
	}
	const want = `c.json: inner.wrong: "x" does not fit: json: cannot unmarshal string into Go value of type int
c.json: other: 2 contradicts float, which is 0.5: take one out
c.json: text: "t" does not fit: json: cannot unmarshal string into Go value of type int
c.json: bool: true does not fit: json: cannot unmarshal bool into Go value of type int
c.json: bad: activation "swoosh" is not supported`
	if got := fmt.Sprint(h.Err()); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	if _, err := ParseHF("c.json", []byte("[]")); err == nil || !strings.HasPrefix(err.Error(), "c.json: json: cannot unmarshal array") {
		t.Error(err)
	}
}

// TestTablesOfKeys: rows by model_type, values that ask for nothing, and keys that no row has.
func TestTablesOfKeys(t *testing.T) {
	table := Keys{
		{Name: "used", Use: Used}, {Name: "free", Use: Harmless},
		{Name: "refused", Use: Refused, Why: "it is not computed", Off: []string{"1", `"none"`}},
		{Name: "on", Use: Refused, Why: "nothing is something", On: []string{"false"}},
		{Name: "typed", Use: Harmless, Types: []string{"a", "b"}}, {Name: "typed", Use: Refused, Why: "of others"},
	}
	for _, c := range []struct{ text, kind, faults, notes string }{
		{`{"used": 1, "free": 2}`, "", "<nil>", "[]"},
		{`{"refused": 1}`, "", "<nil>", "[]"}, {`{"refused": "none"}`, "", "<nil>", "[]"}, {`{"refused": null}`, "", "<nil>", "[]"}, {`{"refused": []}`, "", "<nil>", "[]"}, {`{"refused": {}}`, "", "<nil>", "[]"}, {`{"refused": ""}`, "", "<nil>", "[]"},
		{`{"refused": 0}`, "", "c: refused: 0 is not supported: it is not computed", "[]"},
		{`{"refused": {"a" : [1, 2]}}`, "", `c: refused: {"a":[1,2]} is not supported: it is not computed`, "[]"},
		{`{"refused": "` + strings.Repeat("x", 78) + `"}`, "", `c: refused: "` + strings.Repeat("x", 78) + `" is not supported: it is not computed`, "[]"},
		{`{"refused": "` + strings.Repeat("x", 79) + `"}`, "", `c: refused: "` + strings.Repeat("x", 79) + ` … is not supported: it is not computed`, "[]"},
		{`{"on": true}`, "", "c: on: true is not supported: nothing is something", "[]"}, {`{"on": false}`, "", "c: on: false is not supported: nothing is something", "[]"}, {`{"on": null}`, "", "<nil>", "[]"},
		{`{"typed": 3}`, "b", "<nil>", "[]"}, {`{"typed": 3}`, "c", "c: typed: 3 is not supported: of others", "[]"},
		{`{"z": 1}`, "", "<nil>", "[c: the key z is not known here and changes nothing]"}, {`{"z": 1, "y": null}`, "", "<nil>", "[c: the keys y, z are not known here and change nothing]"},
		{`{"on": 1, "refused": 2}`, "", "c: on: 1 is not supported: nothing is something\nc: refused: 2 is not supported: it is not computed", "[]"},
	} {
		h, err := ParseHF("c", []byte(c.text))
		if err != nil {
			t.Fatal(err)
		}
		h.Check(table, c.kind)
		if got, notes := fmt.Sprint(h.Err()), fmt.Sprint(h.Notes()); got != c.faults || notes != c.notes {
			t.Errorf("%s of %q: %s, %s; want %s, %s", c.text, c.kind, got, notes, c.faults, c.notes)
		}
	}
	h, err := ParseHF("c", []byte(`{"inner": {"a": 0, "b": null, "free": 1, "c": [false]}}`))
	if err != nil {
		t.Fatal(err)
	}
	h.Object("inner").CheckStrictly(table, "write it otherwise")
	if got := fmt.Sprint(h.Err(), h.Notes()); got != "c: inner.a: 0 is not known here: write it otherwise\nc: inner.c: [false] is not known here: write it otherwise [c: the key inner.b is not known here and changes nothing]" {
		t.Error(got)
	}
	if _, ok := table.Find("none", ""); ok {
		t.Error("a row of no key")
	}
}

// TestSpecialTokensOfFiles: every shape of an id, what is written of them, which wins, and what is
// outside a vocabulary.
func TestSpecialTokensOfFiles(t *testing.T) {
	none := SpecialTokens{BOS: -1, PAD: -1}
	all := SpecialTokens{BOS: 0, PAD: 1, EOS: []int{2, 3}, Start: []int{4}}
	for text, want := range map[string]SpecialTokens{
		`{}`: none, `{"bos_token_id": null, "eos_token_id": null}`: none, `{"eos_token_id": 0}`: {BOS: -1, PAD: -1, EOS: []int{0}}, `{"eos_token_id": -1, "decoder_start_token_id": -1}`: none,
		`{"bos_token_id": 0, "pad_token_id": 1, "eos_token_id": [2, 3], "decoder_start_token_id": 4}`: all, `{"decoder_start_token_id": 0}`: {BOS: -1, PAD: -1, Start: []int{0}},
	} {
		if got, err := ParseSpecialTokens("c", []byte(text)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{
		`{"eos_token_id": "x"}`: `c: eos_token_id: "x" does not fit: json: cannot unmarshal string into Go value of type int`, `{"bos_token_id": 1.5}`: `c: bos_token_id: 1.5 does not fit: json: cannot unmarshal number 1.5 into Go value of type int`,
		`[]`: "c: json: cannot unmarshal array into Go value of type map[string]json.RawMessage",
	} {
		if _, err := ParseSpecialTokens("c", []byte(text)); fmt.Sprint(err) != want {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	one := SpecialTokens{BOS: 5, PAD: 6, EOS: []int{7}, Start: []int{8}}
	for _, c := range []struct{ s, other, want SpecialTokens }{{one, none, one}, {none, one, one}, {one, all, all}, {all, SpecialTokens{BOS: -1, PAD: 0}, SpecialTokens{BOS: 0, PAD: 0, EOS: []int{2, 3}, Start: []int{4}}}} {
		if got := c.s.With(c.other); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%+v with %+v: %+v", c.s, c.other, got)
		}
	}
	for want, s := range map[string]SpecialTokens{
		"map[]": none, "map[bos_token_id:0 decoder_start_token_id:4 eos_token_id:[2 3] pad_token_id:1]": all, "map[bos_token_id:5 decoder_start_token_id:8 eos_token_id:7 pad_token_id:6]": one,
		"map[bos_token_id:0 pad_token_id:0]": {},
	} {
		to := map[string]any{}
		if s.keys(to); fmt.Sprint(to) != want {
			t.Errorf("%+v is written as %v, want %s", s, to, want)
		}
	}
	for vocab, want := range map[int]string{
		9: "<nil>", 8: "c: decoder_start_token_id 8: outside the vocabulary of 8 tokens: correct it, or take it out",
		5: "c: bos_token_id 5, pad_token_id 6, eos_token_id 7, decoder_start_token_id 8: outside the vocabulary of 5 tokens: correct it, or take it out",
	} {
		if got := fmt.Sprint(one.Check("c", vocab)); got != want {
			t.Errorf("%d: %s, want %s", vocab, got, want)
		}
	}
	if got := fmt.Sprint((SpecialTokens{EOS: []int{1, -2}}).Check("c", 9)); got != "c: eos_token_id: -2 in a list is no token" {
		t.Error(got)
	}
}
