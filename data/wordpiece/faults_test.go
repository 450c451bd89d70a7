package wordpiece

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"example.com/gotrain/data/hf"
)

// TestTextsOfFaults holds the whole text of what a tokenizer is refused for.
func TestTextsOfFaults(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{`{`, "tokenizer: not JSON: unexpected end of JSON input at byte 1; is the file complete?"}, {`{"model":{"type":"BPE"}}`, `tokenizer: unsupported model "BPE"; known are WordPiece and WordLevel`}, {`{"model":{"type":7}}`, "tokenizer: model.type: number where a string belongs"}, {`{"model":{"type":"WordPiece","vocab":7}}`, "tokenizer: model.vocab: number where an object belongs"},
		{`{"model":{"type":"WordPiece","vocab":{"a":-1},"unk_token":"a"}}`, `tokenizer: model.vocab["a"]: id -1 is outside 0 … 2097151`}, {`{"model":{"type":"WordPiece","vocab":{"a":2097152},"unk_token":"a"}}`, `tokenizer: model.vocab["a"]: id 2097152 is outside 0 … 2097151`}, {`{"model":{"type":"WordPiece","vocab":{"":0},"unk_token":"a"}}`, "tokenizer: model.vocab: id 0 is empty"},
		{`{"model":{"type":"WordPiece","vocab":{"a":0,"b":0},"unk_token":"a"}}`, `tokenizer: model.vocab["b"]: id 0 is "a" too`}, {`{"model":{"type":"WordPiece","vocab":{"a":0},"unk_token":"b"}}`, `tokenizer: model.unk_token: "b" is not in model.vocab`}, {`{"model":{"type":"WordPiece","vocab":{"a":0},"unk_token":"a","max_input_chars_per_word":0}}`, "tokenizer: MaxChars: 0; use 1 or more"},
		{`{"model":{"type":"WordLevel","vocab":{"a":0},"unk_token":"a","max_input_chars_per_word":0}}`, `tokenizer: unsupported key "model.max_input_chars_per_word"; nobody knows what "0" means for the ids; take it out if it means nothing`}, {`{"model":{"type":"WordLevel","vocab":{"a":0},"unk_token":"a"}}`, ""},
		{`{"model":{"type":"WordPiece","vocab":{"a":0},"unk_token":"a"},"normalizer":{"type":"Foo"}}`, `tokenizer: unsupported normalizer "Foo"; known are Sequence, NFC, NFD, NFKC, NFKD, Lowercase, StripAccents, Strip, Replace, Prepend, Nmt, Precompiled, ByteLevel and BertNormalizer`}, {`{"model":{"type":"WordPiece","vocab":{"a":0},"unk_token":"a"},"pre_tokenizer":{"type":"Foo"}}`, `tokenizer: unsupported pre_tokenizer "Foo"; known are Sequence, ByteLevel, Metaspace, Split, Digits, Punctuation, Whitespace, WhitespaceSplit, BertPreTokenizer, CharDelimiterSplit and FixedLength`},
		{`{"model":{"type":"WordPiece","vocab":{"a":0},"unk_token":"a"},"decoder":{"type":"Foo"}}`, `tokenizer: unsupported decoder "Foo"; known are Sequence, ByteLevel, ByteFallback, Fuse, Replace, Strip, Metaspace, WordPiece and BPEDecoder`}, {`{"model":{"type":"WordPiece","vocab":{"a":0},"unk_token":"a"},"post_processor":{"type":"Foo"}}`, `tokenizer: unsupported post_processor "Foo"; known are TemplateProcessing, BertProcessing, RobertaProcessing, ByteLevel and Sequence`},
		{`{"model":{"type":"WordPiece","vocab":{"a":0},"unk_token":"a"},"added_tokens":[{"id":7,"content":"x"}]}`, `tokenizer: added_tokens[0].id: 7 for "x", to which Hugging Face tokenizers gives 1, whatever the file says`}, {`{"model":{"type":"WordPiece","vocab":{"a":0},"unk_token":"a"},"post_processor":{"type":"BertProcessing","cls":["a",1],"sep":["a",0]}}`, "tokenizer: post_processor: id 1 is outside the vocabulary of 1"},
	} {
		_, err := read(t, tc.text)
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.text, got, tc.want)
		}
	}
	for i, tc := range []struct {
		cfg  Config
		want string
	}{
		{Config{Whole: true, Pieces: make([]string, hf.MaxVocab+1)}, "tokenizer: Pieces: 2097153, more than 2097152"}, {Config{Whole: true, Pieces: append(make([]string, hf.MaxVocab-1), "a"), Unknown: hf.MaxVocab - 1}, ""}, {Config{Whole: true, Pieces: []string{"a"}, Unknown: 1}, "tokenizer: Unknown: id 1 is no piece"},
		{Config{Whole: true, Pieces: []string{"a"}, Unknown: -1}, "tokenizer: Unknown: id -1 is no piece"}, {Config{Whole: true, Pieces: []string{""}}, "tokenizer: Unknown: id 0 is no piece"}, {Config{Pieces: []string{"a"}}, "tokenizer: MaxChars: 0; use 1 or more"}, {Config{Pieces: []string{"a"}, MaxChars: 1}, ""},
		{Config{Whole: true, Pieces: []string{"a", "b", "a"}}, `tokenizer: Pieces: ids 0 and 2 are both "a"`}, {Config{Whole: true, Pieces: []string{"a"}, Added: []hf.AddedToken{{ID: -1, Content: "x"}}}, `tokenizer: Added: token "x" with id -1; ids are 0 … 2097151, texts not empty`}, {Config{Whole: true, Pieces: []string{"a"}, Added: []hf.AddedToken{{ID: hf.MaxVocab, Content: "x"}}}, `tokenizer: Added: token "x" with id 2097152; ids are 0 … 2097151, texts not empty`},
		{Config{Whole: true, Pieces: []string{"a"}, Added: []hf.AddedToken{{ID: hf.MaxVocab - 1, Content: "x"}}}, ""}, {Config{Whole: true, Pieces: []string{"a"}, Added: []hf.AddedToken{{ID: 3}}}, `tokenizer: Added: token "" with id 3; ids are 0 … 2097151, texts not empty`},
	} {
		_, err := New(tc.cfg)
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != tc.want {
			t.Errorf("%d: got %q, want %q", i, got, tc.want)
		}
	}
	failure := errors.New("disk on fire")
	failing := func(yield func([]byte, error) bool) { _ = yield([]byte("a"), nil) && yield(nil, failure) }
	if _, err := Train(t.Context(), failing, TrainConfig{Vocab: 300}); !errors.Is(err, failure) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Train(ctx, documents([]string{"abc"}), TrainConfig{Vocab: 300}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestWhole: words as they are, of any length, and what is written of both kinds, to the letter.
func TestWhole(t *testing.T) {
	const level = `{"model":{"type":"WordLevel","vocab":{"[UNK]":0,"ab":1,"a":2,"` + "é" + `":4},"unk_token":"[UNK]"},"pre_tokenizer":{"type":"WhitespaceSplit"},
		"added_tokens":[{"id":4,"content":"é","special":true},{"id":5,"content":"<x>","special":false}],"post_processor":{"type":"BertProcessing","cls":["a",2],"sep":["ab",1]}}`
	tok, err := read(t, level)
	if err != nil {
		t.Fatal(err)
	}
	piece, err := read(t, strings.Replace(bert, `"max_input_chars_per_word": 10`, `"max_input_chars_per_word": 3`, 1))
	if err != nil {
		t.Fatal(err)
	}
	ids, spans := tok.EncodeSpans([]byte(" ab abc a<x>é"), nil)
	config, err := tok.ConfigJSON(hf.Roles{Mask: "é"})
	if err != nil {
		t.Fatal(err)
	}
	id, ok := tok.Special("é")
	_, wrong := tok.Special("ab")
	for _, tc := range []struct{ got, want string }{
		{tok.Model() + " " + piece.Model(), "WordLevel WordPiece"}, {string(tok.AppendJSON(nil)), "{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null,\n  \"added_tokens\": [\n    {\"id\": 4, \"content\": \"é\", \"single_word\": false, \"lstrip\": false, \"rstrip\": false, \"normalized\": false, \"special\": true},\n    {\"id\": 5, \"content\": \"<x>\", \"single_word\": false, \"lstrip\": false, \"rstrip\": false, \"normalized\": false, \"special\": false}\n  ],\n  \"normalizer\": null,\n  \"pre_tokenizer\": {\"type\":\"WhitespaceSplit\"},\n  \"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": [{\"SpecialToken\": {\"id\": \"a\", \"type_id\": 0}}, {\"Sequence\": {\"id\": \"A\", \"type_id\": 0}}, {\"SpecialToken\": {\"id\": \"ab\", \"type_id\": 0}}], \"pair\": [{\"SpecialToken\": {\"id\": \"a\", \"type_id\": 0}}, {\"Sequence\": {\"id\": \"A\", \"type_id\": 0}}, {\"SpecialToken\": {\"id\": \"ab\", \"type_id\": 0}}, {\"Sequence\": {\"id\": \"B\", \"type_id\": 1}}, {\"SpecialToken\": {\"id\": \"ab\", \"type_id\": 1}}], \"special_tokens\": {\"a\": {\"id\": \"a\", \"ids\": [2], \"tokens\": [\"a\"]}, \"ab\": {\"id\": \"ab\", \"ids\": [1], \"tokens\": [\"ab\"]}}},\n  \"decoder\": null,\n  \"model\": {\"type\": \"WordLevel\", \"unk_token\": \"[UNK]\",\n    \"vocab\": {\n      \"[UNK]\": 0,\n      \"ab\": 1,\n      \"a\": 2,\n      \"é\": 4\n    }\n  }\n}\n"}, {string(piece.AppendJSON([]byte("x"))), "x{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null,\n  \"added_tokens\": [\n    {\"id\": 0, \"content\": \"[UNK]\", \"single_word\": false, \"lstrip\": false, \"rstrip\": false, \"normalized\": false, \"special\": true},\n    {\"id\": 1, \"content\": \"[CLS]\", \"single_word\": false, \"lstrip\": false, \"rstrip\": false, \"normalized\": false, \"special\": true},\n    {\"id\": 2, \"content\": \"[SEP]\", \"single_word\": false, \"lstrip\": false, \"rstrip\": false, \"normalized\": false, \"special\": true}\n  ],\n  \"normalizer\": {\"type\": \"BertNormalizer\", \"clean_text\": true, \"handle_chinese_chars\": true, \"strip_accents\": null, \"lowercase\": true},\n  \"pre_tokenizer\": {\"type\": \"BertPreTokenizer\"},\n  \"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": [{\"SpecialToken\": {\"id\": \"[CLS]\", \"type_id\": 0}}, {\"Sequence\": {\"id\": \"A\", \"type_id\": 0}}, {\"SpecialToken\": {\"id\": \"[SEP]\", \"type_id\": 0}}], \"pair\": [{\"SpecialToken\": {\"id\": \"[CLS]\", \"type_id\": 0}}, {\"Sequence\": {\"id\": \"A\", \"type_id\": 0}}, {\"SpecialToken\": {\"id\": \"[SEP]\", \"type_id\": 0}}, {\"Sequence\": {\"id\": \"B\", \"type_id\": 1}}, {\"SpecialToken\": {\"id\": \"[SEP]\", \"type_id\": 1}}], \"special_tokens\": {\"[CLS]\": {\"id\": \"[CLS]\", \"ids\": [1], \"tokens\": [\"[CLS]\"]}, \"[SEP]\": {\"id\": \"[SEP]\", \"ids\": [2], \"tokens\": [\"[SEP]\"]}}},\n  \"decoder\": {\"type\": \"WordPiece\", \"prefix\": \"##\", \"cleanup\": true},\n  \"model\": {\"type\": \"WordPiece\", \"unk_token\": \"[UNK]\", \"continuing_subword_prefix\": \"##\", \"max_input_chars_per_word\": 3,\n    \"vocab\": {\n      \"[UNK]\": 0,\n      \"[CLS]\": 1,\n      \"[SEP]\": 2,\n      \"un\": 3,\n      \"##aff\": 4,\n      \"##able\": 5,\n      \"cafe\": 6,\n      \"汉\": 7,\n      \".\": 8,\n      \"the\": 9,\n      \"'\": 10,\n      \"s\": 11\n    }\n  }\n}\n"},
		{sprint(ids, spans), "[1 0 2 5 4] [{1 3} {4 7} {8 9} {9 12} {12 14}]"}, {sprint(tok.Vocab(), tok.TokenBytes(3) == nil, tok.TokenBytes(6) == nil, tok.TokenBytes(-1) == nil, string(tok.TokenBytes(4))), "6 true true true é"},
		{string(config), "{\n  \"added_tokens_decoder\": {\n    \"4\": {\n      \"content\": \"é\",\n      \"lstrip\": false,\n      \"normalized\": false,\n      \"rstrip\": false,\n      \"single_word\": false,\n      \"special\": true\n    },\n    \"5\": {\n      \"content\": \"<x>\",\n      \"lstrip\": false,\n      \"normalized\": false,\n      \"rstrip\": false,\n      \"single_word\": false,\n      \"special\": false\n    }\n  },\n  \"clean_up_tokenization_spaces\": false,\n  \"mask_token\": \"é\",\n  \"model_input_names\": [\n    \"input_ids\",\n    \"token_type_ids\",\n    \"attention_mask\"\n  ],\n  \"model_max_length\": 1000000000000000019884624838656,\n  \"tokenizer_class\": \"PreTrainedTokenizerFast\"\n}\n"}, {sprint(id, ok, wrong), "4 true false"}, {sprint(tok.AppendEncode(nil, []byte("ab abc é")), tok.AppendEncodeSpecial(nil, []byte("ab é"))), "[1 0 4] [1 4]"},
		{string(tok.AppendDecode([]byte("x"), []int32{1, 3, 4, 5, -1, 9, 2})), "xab é <x> a"}, {sprint(tok.Specials()), "[{4 é true false false false false}]"},
	} {
		if tc.got != tc.want {
			t.Errorf("got %q, want %q", tc.got, tc.want)
		}
	}
}

func sprint(values ...any) string { return strings.TrimSuffix(fmt.Sprintln(values...), "\n") }
