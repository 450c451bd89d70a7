package hf

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// What a file leaves out is what tokenizers takes.
func TestDefaultsOfSteps(t *testing.T) {
	for _, c := range []struct {
		step, text string
		want       []string
	}{
		{`{"type": "Punctuation"}`, "a,b!!", []string{"a", ",", "b", "!", "!"}},
		{`{"type": "Metaspace", "replacement": "▁", "add_prefix_space": false}`, "a b", []string{"a", "▁b"}},
		{`{"type": "Metaspace", "replacement": "▁", "add_prefix_space": true}`, "a b", []string{"▁a", "▁b"}},
		{`{"type": "Metaspace"}`, "a b", []string{"▁a", "▁b"}},
		{`{"type": "Metaspace", "replacement": "_", "prepend_scheme": "first", "split": false}`, "a b", []string{"_a_b"}},
		{`{"type": "Digits"}`, "a12b3", []string{"a", "12", "b", "3"}},
		{`{"type": "Digits", "individual_digits": true}`, "a12", []string{"a", "1", "2"}},
		{`{"type": "FixedLength", "length": 2}`, "aéb", []string{"aé", "b"}},
		{`{"type": "CharDelimiterSplit", "delimiter": "é"}`, "aébé", []string{"a", "b"}},
		{`{"type": "Split", "pattern": {"String": "-"}, "behavior": "MergedWithPrevious", "invert": false}`, "a-b-", []string{"a-", "b-"}},
		{`null`, "a b", []string{"a b"}},
	} {
		p, err := ParsePreTokenizer([]byte(c.step), false, nil)
		if err != nil {
			t.Errorf("%s: %v", c.step, err)
			continue
		}
		if p.Identity() != (c.step == "null") {
			t.Errorf("%s: identity %t", c.step, p.Identity())
		}
		var got []string
		p.Cut(NewText([]byte(c.text)), func(word Text) { got = append(got, string(word.Bytes)) })
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.step, got, c.want)
		}
	}
	for decoder, want := range map[string]string{
		`{"type": "Metaspace"}`: "a b",
		`{"type": "Metaspace", "replacement": "▁", "add_prefix_space": false}`: " a b",
		`{"type": "BPEDecoder"}`: "▁a▁b",
		`{"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}`: "a b",
		`{"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}`:                   "ab",
	} {
		d, err := ParseDecoder([]byte(decoder))
		if err != nil {
			t.Errorf("%s: %v", decoder, err)
			continue
		}
		if got := string(d.Append(nil, []string{"▁a", "▁b"})); got != want {
			t.Errorf("%s: %q, want %q", decoder, got, want)
		}
		var kind struct{ Type string }
		if json.Unmarshal([]byte(decoder), &kind) != nil || d.String() != kind.Type {
			t.Errorf("%s is called %s", decoder, d)
		}
	}
}

// What is not known is refused by name, in each kind of step.
func TestRefusedSteps(t *testing.T) {
	deep := strings.Repeat(`{"type": "Sequence", "KIND": [`, 9) + strings.Repeat("]}", 9)
	for _, c := range []struct{ kind, step, want string }{
		{"pre_tokenizer", `{"type": "Foo"}`, "Foo"},
		{"pre_tokenizer", `{"type": "Split", "pattern": {"String": "-"}, "behavior": "Foo"}`, "Foo"},
		{"pre_tokenizer", `{"type": "Metaspace", "replacement": "ab"}`, "replacement"},
		{"pre_tokenizer", `{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "last"}`, "last"},
		{"pre_tokenizer", `{"type": "CharDelimiterSplit", "delimiter": "ab"}`, "delimiter"},
		{"pre_tokenizer", `{"type": "FixedLength", "length": 0}`, "length"},
		{"normalizer", `{"type": "Foo"}`, "Foo"},
		{"normalizer", strings.ReplaceAll(deep, "KIND", "normalizers"), "more than 8 deep"},
		{"normalizer", `{"type": "Replace", "content": "a"}`, "neither String nor Regex"},
		{"decoder", `{"type": "Foo"}`, "Foo"},
		{"decoder", strings.ReplaceAll(deep, "KIND", "decoders"), "more than 8 deep"},
		{"decoder", `{"type": "Replace", "pattern": {"Regex": "a"}, "content": ""}`, "for a String only"},
		{"decoder", `{"type": "Sequence", "decoders": [{"type": "Fuse"}, {"type": "Replace", "pattern": {"String": "ab"}, "content": ""}]}`, "a single character only"},
		{"decoder", `{"type": "Strip", "content": " ", "start": 0, "stop": 1}`, "at the end"},
		{"decoder", `{"type": "Strip", "content": "_", "start": 1, "stop": 0}`, "for spaces only"},
		{"post_processor", `{"type": "Foo"}`, "Foo"},
	} {
		var err error
		switch c.kind {
		case "pre_tokenizer":
			_, err = ParsePreTokenizer([]byte(c.step), false, nil)
		case "normalizer":
			_, err = ParseNormalizer([]byte(c.step))
		case "decoder":
			_, err = ParseDecoder([]byte(c.step))
		default:
			_, err = ParseFrame([]byte(c.step))
		}
		var unsupported *UnsupportedError
		var fault *FormatError
		if !errors.As(err, &unsupported) && !errors.As(err, &fault) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.kind) {
			t.Errorf("%s %s: %v, want %q", c.kind, c.step, err, c.want)
		}
	}
}

// tokenizer_config.json is written with the keys that transformers reads.
func TestConfigAsWritten(t *testing.T) {
	added := []AddedToken{{ID: 3, Content: "<s>", Special: true, LStrip: true}, {ID: 7, Content: "<i>", Special: true, RStrip: true, SingleWord: true}, {ID: 9, Content: "w", Normalized: true}}
	got, err := ConfigJSON(added, Roles{BOS: "<s>", Mask: "<s>", Other: map[string]string{"image_token": "<i>"}, Kinds: true, MaxLength: 512, ChatTemplate: "{{ <a> }}"})
	want := `{
  "added_tokens_decoder": {
    "3": {"content": "<s>", "lstrip": true, "normalized": false, "rstrip": false, "single_word": false, "special": true},
    "7": {"content": "<i>", "lstrip": false, "normalized": false, "rstrip": true, "single_word": true, "special": true},
    "9": {"content": "w", "lstrip": false, "normalized": true, "rstrip": false, "single_word": false, "special": false}
  },
  "bos_token": "<s>", "mask_token": "<s>", "image_token": "<i>", "chat_template": "{{ <a> }}", "clean_up_tokenization_spaces": false,
  "model_input_names": ["input_ids", "token_type_ids", "attention_mask"], "model_max_length": 512, "tokenizer_class": "PreTrainedTokenizerFast"
}`
	var a, b map[string]any
	if err != nil || json.Unmarshal(got, &a) != nil || json.Unmarshal([]byte(want), &b) != nil || !reflect.DeepEqual(a, b) {
		t.Errorf("%v\n%s\nwant\n%s", err, got, want)
	}
	if !strings.Contains(string(got), "<s>") {
		t.Error("signs of HTML are escaped")
	}
	if plain, err := ConfigJSON(nil, Roles{}); err != nil || !strings.Contains(string(plain), `"model_max_length": 1000000000000000019884624838656`) || strings.Contains(string(plain), "model_input_names") {
		t.Errorf("%s, %v", plain, err)
	}
	for key, r := range map[string]Roles{"eos_token": {EOS: "w"}, "unk_token": {Unknown: "no"}, "sep_token": {Sep: "no"}, "pad_token": {Pad: "no"}, "cls_token": {CLS: "no"}, "audio_token": {Other: map[string]string{"audio_token": "no"}}} {
		if _, err := ConfigJSON(added, r); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s: %v", key, err)
		}
	}
	only := Roles{BOS: "a", EOS: "b", Unknown: "c", Sep: "a", Pad: "b", CLS: "a", Mask: "c", Other: map[string]string{"x": "a", "y": "b"}, MaxLength: 3}.Only(func(s string) bool { return s == "a" })
	if want := (Roles{BOS: "a", Sep: "a", CLS: "a", Other: map[string]string{"x": "a"}, MaxLength: 3}); !reflect.DeepEqual(only, want) {
		t.Errorf("%+v, want %+v", only, want)
	}
}

// Rows of one text and of two, with the kinds of their tokens and the number of those around them.
func TestRowsOfFrames(t *testing.T) {
	pair := []Part{{9, 0}, {First, 0}, {8, 0}, {Second, 1}, {8, 1}}
	for _, c := range []struct {
		f               Frame
		one, two        []int32
		kinds           []int32
		aroundOne, two2 int
	}{
		{Frame{}, []int32{1, 2}, []int32{1, 2, 3}, []int32{0, 0, 1}, 0, 0},
		{Frame{Before: []int32{9}, After: []int32{8}, Pair: pair}, []int32{9, 1, 2, 8}, []int32{9, 1, 2, 8, 3, 8}, []int32{0, 0, 0, 0, 1, 1}, 2, 3},
	} {
		one, kinds := c.f.Row([]int32{1, 2}, nil)
		if !slices.Equal(one, c.one) || len(kinds) != len(one) || slices.Max(kinds) != 0 || c.f.Around(false) != c.aroundOne {
			t.Errorf("%+v: %v of kinds %v, %d around", c.f, one, kinds, c.f.Around(false))
		}
		two, kinds := c.f.Row([]int32{1, 2}, []int32{3})
		if !slices.Equal(two, c.two) || !slices.Equal(kinds, c.kinds) || c.f.Around(true) != c.two2 {
			t.Errorf("%+v: %v of kinds %v, %d around; want %v, %v", c.f, two, kinds, c.f.Around(true), c.two, c.kinds)
		}
		if c.f.Check(10) != nil || (c.f.Check(9) == nil) != (len(c.f.Pair) == 0) {
			t.Errorf("%+v: %v, %v", c.f, c.f.Check(10), c.f.Check(9))
		}
	}
}

// A model without a type is BPE if it has merges; bytes are spelled where one step says so.
func TestModelTypes(t *testing.T) {
	for text, want := range map[string]struct {
		kind  string
		bytes bool
	}{
		`{"model": {"vocab": {}, "merges": []}}`:                             {"BPE", false},
		`{"model": {"vocab": {}}}`:                                           {"", false},
		`{"model": {"type": "Unigram", "merges": []}}`:                       {"Unigram", false},
		`{"model": {"type": "BPE"}, "pre_tokenizer": {"type": "ByteLevel"}}`: {"BPE", true},
		`{"model": {"type": "BPE"}, "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Digits"}, {"type": "ByteLevel"}]}}`:    {"BPE", true},
		`{"model": {"type": "BPE"}, "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "ByteLevel"}, {"type": "ByteLevel"}]}}`: {"BPE", false},
	} {
		doc, err := ReadDocument(strings.NewReader(text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if kind, err := doc.ModelType(); err != nil || kind != want.kind || doc.ByteLevel() != want.bytes {
			t.Errorf("%s: %s, %t, %v; want %+v", text, kind, doc.ByteLevel(), err, want)
		}
	}
	for _, text := range []string{`{"model": null}`, `{}`, `[]`, `{"model": {"type": 1}}`} {
		doc, err := ReadDocument(strings.NewReader(text))
		if err == nil {
			_, err = doc.ModelType()
		}
		var fault *FormatError
		if !errors.As(err, &fault) || text != "[]" && !strings.HasPrefix(fault.Key, "model") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// The longest expression and the longest sequence of steps that are read.
func TestBordersOfSteps(t *testing.T) {
	for n, ok := range map[int]bool{1 << 14: true, 1<<14 + 1: false} {
		if _, err := CompileRegex(strings.Repeat("a", n)); (err == nil) != ok {
			t.Errorf("an expression of %d bytes: %v", n, err)
		}
	}
	for n, ok := range map[int]bool{64: true, 65: false} {
		steps := strings.Repeat(`{"type": "WhitespaceSplit"},`, n-1) + `{"type": "WhitespaceSplit"}`
		if _, err := ParsePreTokenizer([]byte(`{"type": "Sequence", "pretokenizers": [`+steps+`]}`), false, nil); (err == nil) != ok {
			t.Errorf("%d steps: %v", n, err)
		}
	}
}
