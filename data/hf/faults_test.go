package hf

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func fault(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// TestTextsOfFaults holds the whole text of what each part of a tokenizer.json is refused for.
func TestTextsOfFaults(t *testing.T) {
	parts := map[string]func(string) error{
		"normalizer":    func(s string) error { _, err := ParseNormalizer([]byte(s)); return err },
		"pre_tokenizer": func(s string) error { _, err := ParsePreTokenizer([]byte(s), false, nil); return err },
		"byte levels":   func(s string) error { _, err := ParsePreTokenizer([]byte(s), true, nil); return err },
		"decoder":       func(s string) error { _, err := ParseDecoder([]byte(s)); return err },
		"frame":         func(s string) error { _, err := ParseFrame([]byte(s)); return err },
		"document":      func(s string) error { _, err := ReadDocument(strings.NewReader(s)); return err },
		"config":        func(s string) error { _, err := ParseConfig([]byte(s)); return err },
		"charsmap": func(s string) error {
			_, err := ParseNormalizer([]byte(fmt.Sprintf(`{"type":"Precompiled","precompiled_charsmap":%q}`, base64.StdEncoding.EncodeToString([]byte(s)))))
			return err
		},
		"model": func(s string) error {
			var m struct{ Vocab map[string]int }
			return (&Document{Model: []byte(s)}).DecodeModel(&m)
		},
		"added": func(s string) error {
			d, err := ReadDocument(strings.NewReader(`{"model":{"type":"BPE"},"added_tokens":` + s + `}`))
			if err == nil {
				_, err = d.AddedTokens(func(text string) (int64, bool) { return 2, text == "two" }, 3)
			}
			return err
		},
	}
	nested := func(key string, n int) string {
		return strings.Repeat(`{"type":"Sequence","`+key+`":[`, n) + strings.Repeat("]}", n)
	}
	steps := func(n int) string {
		return `{"type":"Sequence","pretokenizers":[` + strings.TrimSuffix(strings.Repeat(`{"type":"Digits"},`, n), ",") + `]}`
	}
	const template = `{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],"pair":%s,"special_tokens":{"<s>":{"id":"<s>","ids":[%d],"tokens":["<s>"]}}}`
	for _, tc := range []struct{ part, text, want string }{
		{"normalizer", `{"type":"Foo"}`, `tokenizer: unsupported normalizer "Foo"; known are Sequence, NFC, NFD, NFKC, NFKD, Lowercase, StripAccents, Strip, Replace, Prepend, Nmt, Precompiled, ByteLevel and BertNormalizer`}, {"normalizer", `7`, "tokenizer: normalizer: number where an object belongs"}, {"normalizer", `{"type":7}`, "tokenizer: normalizer.type: number where a string belongs"}, {"normalizer", nested("normalizers", 8), ""}, {"normalizer", nested("normalizers", 9), "tokenizer: normalizer: Sequences lie more than 8 deep in each other"},
		{"normalizer", `{"type":"Replace","content":"a"}`, "tokenizer: normalizer.pattern: neither String nor Regex"}, {"normalizer", `{"type":"Replace","pattern":{"Regex":"("},"content":"a"}`, `tokenizer: unsupported regular expression "("; at byte 0: a group without end`}, {"normalizer", `{"type":"Replace","pattern":{"String":"","Regex":"a"},"content":"a"}`, ""},
		{"charsmap", "abc", "tokenizer: normalizer.precompiled_charsmap: 3 bytes, too few for a charsmap"}, {"charsmap", "\x00\x00\x00\x00", "tokenizer: normalizer.precompiled_charsmap: a trie of 0 bytes in a charsmap of 4"}, {"charsmap", "\x08\x00\x00\x00abcd", "tokenizer: normalizer.precompiled_charsmap: a trie of 8 bytes in a charsmap of 8"}, {"charsmap", "\x03\x00\x00\x00abcd", "tokenizer: normalizer.precompiled_charsmap: a trie of 3 bytes in a charsmap of 8"}, {"charsmap", "\x04\x00\x00\x00abcd", ""},
		{"pre_tokenizer", `{"type":"Foo"}`, `tokenizer: unsupported pre_tokenizer "Foo"; known are Sequence, ByteLevel, Metaspace, Split, Digits, Punctuation, Whitespace, WhitespaceSplit, BertPreTokenizer, CharDelimiterSplit and FixedLength`}, {"pre_tokenizer", `7`, "tokenizer: pre_tokenizer: number where an object belongs"}, {"pre_tokenizer", steps(64), ""}, {"pre_tokenizer", steps(65), "tokenizer: pre_tokenizer: more than 64 steps"}, {"pre_tokenizer", nested("pretokenizers", 9), ""}, {"pre_tokenizer", nested("pretokenizers", 10), `tokenizer: unsupported pre_tokenizer "Sequence"; known are Sequence, ByteLevel, Metaspace, Split, Digits, Punctuation, Whitespace, WhitespaceSplit, BertPreTokenizer, CharDelimiterSplit and FixedLength`},
		{"pre_tokenizer", `{"type":"CharDelimiterSplit","delimiter":"ab"}`, `tokenizer: pre_tokenizer.delimiter: "ab" is not one character`}, {"pre_tokenizer", `{"type":"FixedLength"}`, "tokenizer: pre_tokenizer.length: 0; use 1 or more"}, {"pre_tokenizer", `{"type":"Metaspace","prepend_scheme":"last"}`, `tokenizer: unsupported pre_tokenizer.prepend_scheme "last"; known are always, first and never`},
		{"pre_tokenizer", `{"type":"Metaspace","replacement":"ab"}`, `tokenizer: pre_tokenizer.replacement: "ab" is not one character`}, {"pre_tokenizer", `{"type":"Split","pattern":{"String":"-"},"behavior":"Foo"}`, `tokenizer: unsupported pre_tokenizer.behavior "Foo"; known are Isolated, Removed, MergedWithPrevious, MergedWithNext and Contiguous`}, {"pre_tokenizer", `{"type":"Split","pattern":{"Regex":"["},"behavior":"Removed"}`, `tokenizer: unsupported regular expression "["; at byte 0: a class without end`},
		{"pre_tokenizer", `{"type":"Split","behavior":"Removed"}`, "tokenizer: pre_tokenizer.pattern: neither String nor Regex"}, {"pre_tokenizer", `{"type":"Punctuation","behavior":"Foo"}`, `tokenizer: unsupported pre_tokenizer.behavior "Foo"; known are Isolated, Removed, MergedWithPrevious, MergedWithNext and Contiguous`},
		{"byte levels", `{"type":"Digits"}`, `tokenizer: unsupported pre_tokenizer "Digits"; a byte-level tokenizer has one step ByteLevel`}, {"byte levels", `{"type":"Sequence","pretokenizers":[{"type":"ByteLevel"},{"type":"Split","pattern":{"String":"-"},"behavior":"Removed"},{"type":"ByteLevel"}]}`, `tokenizer: unsupported pre_tokenizer "ByteLevel, Split -, ByteLevel"; a byte-level tokenizer has one step ByteLevel`},
		{"byte levels", `{"type":"Sequence","pretokenizers":[{"type":"Digits"},{"type":"ByteLevel"}]}`, ""}, {"byte levels", `null`, `tokenizer: unsupported pre_tokenizer ""; a byte-level tokenizer has one step ByteLevel`},
		{"decoder", `{"type":"Foo"}`, `tokenizer: unsupported decoder "Foo"; known are Sequence, ByteLevel, ByteFallback, Fuse, Replace, Strip, Metaspace, WordPiece and BPEDecoder`}, {"decoder", `7`, "tokenizer: decoder: number where an object belongs"}, {"decoder", nested("decoders", 8), ""}, {"decoder", nested("decoders", 9), "tokenizer: decoder: Sequences lie more than 8 deep in each other"}, {"decoder", `{"type":"Replace","pattern":{"Regex":"a"},"content":""}`, `tokenizer: unsupported decoder "Replace"; a Replace in a decoder is known for a String only`},
		{"decoder", `{"type":"Sequence","decoders":[{"type":"Fuse"},{"type":"Replace","pattern":{"String":"ab"},"content":""}]}`, `tokenizer: unsupported decoder "Replace"; a Replace behind Fuse is known for a single character only`}, {"decoder", `{"type":"Strip","content":" ","start":0,"stop":1}`, `tokenizer: unsupported decoder "Strip"; a Strip at the end is not known`},
		{"decoder", `{"type":"Strip","content":"_","start":1,"stop":0}`, `tokenizer: unsupported decoder "Strip"; a Strip is known for spaces only`}, {"decoder", `{"type":"Sequence","decoders":[{"type":"Fuse"},{"type":"Replace","pattern":{"String":"é"},"content":""}]}`, ""},
		{"frame", `{"type":"Foo"}`, `tokenizer: unsupported post_processor "Foo"; known are TemplateProcessing, BertProcessing, RobertaProcessing, ByteLevel and Sequence`}, {"frame", `7`, "tokenizer: post_processor: number where an object belongs"}, {"frame", nested("processors", 8), ""}, {"frame", nested("processors", 9), "tokenizer: post_processor: Sequences lie more than 8 deep in each other"}, {"frame", `{"type":"BertProcessing","cls":["a",1],"sep":["b"]}`, "tokenizer: post_processor.sep: not a token and its id"},
		{"frame", `{"type":"BertProcessing","cls":["a",-1],"sep":["b",1]}`, "tokenizer: post_processor.cls: not a token and its id"}, {"frame", `{"type":"RobertaProcessing","cls":["a",1],"sep":7}`, "tokenizer: post_processor.sep: number where an array belongs"}, {"frame", `{"type":"BertProcessing","cls":["a",2097152],"sep":["b",1]}`, "tokenizer: post_processor.cls: not a token and its id"},
		{"frame", `{"type":"BertProcessing","cls":["a",2097151],"sep":["b",0]}`, ""}, {"frame", fmt.Sprintf(template, "[]", MaxVocab), `tokenizer: post_processor.special_tokens["<s>"]: id 2097152 is outside 0 … 2097151`}, {"frame", fmt.Sprintf(template, "[]", -1), `tokenizer: post_processor.special_tokens["<s>"]: id -1 is outside 0 … 2097151`},
		{"frame", fmt.Sprintf(template, `[{"SpecialToken":{"id":"</s>","type_id":0}}]`, 1), `tokenizer: post_processor.pair[0]: "</s>" is not in special_tokens`}, {"frame", strings.Replace(fmt.Sprintf(template, "[]", 1), `{"id":"<s>","type_id":0}`, `{"id":"</s>","type_id":0}`, 1), `tokenizer: post_processor.single[0]: "</s>" is not in special_tokens`},
		{"document", `{`, "tokenizer: not JSON: unexpected end of JSON input at byte 1; is the file complete?"}, {"document", `{}`, "tokenizer: model: missing; is this a tokenizer.json?"}, {"document", `{"model":{"type":"BPE"},"added_tokens":7}`, "tokenizer: added_tokens: number where an array belongs at byte 40"}, {"document", `{"model":{"type":"BPE"},"added_tokens":[{"id":"x"}]}`, "tokenizer: added_tokens.id: string where a number belongs at byte 49"}, {"document", `{"model":{"type":"BPE"},"surprise":1}`, `tokenizer: unsupported key "surprise"; nobody knows what "1" means for the ids; take it out if it means nothing`},
		{"document", "version 1", "tokenizer: not JSON: invalid character 'v' looking for beginning of value at byte 1; if it begins with \"version https://git-lfs\", it is a pointer of Git LFS: run `git lfs pull` in its folder"}, {"document", "vers", "tokenizer: not JSON: invalid character 'v' looking for beginning of value at byte 1; if it begins with \"version https://git-lfs\", it is a pointer of Git LFS: run `git lfs pull` in its folder"}, {"document", `{"model":{"type":"BPE"},"truncation":{"max_length":3}}`, ""},
		{"model", `7`, "tokenizer: model: number where an object belongs"}, {"model", `{"vocab":7}`, "tokenizer: model.Vocab: number where an object belongs"}, {"model", `{"vocab":{"a":"b"}}`, "tokenizer: model.Vocab: string where a number belongs"}, {"model", `{`, "tokenizer: model: not JSON: unexpected end of JSON input; is the file complete?"},
		{"added", `[{"id":0,"content":"x"}]`, `tokenizer: added_tokens[0].id: 0 for "x", to which Hugging Face tokenizers gives 3, whatever the file says`}, {"added", `[{"id":3,"content":"x"},{"id":2,"content":"two"},{"id":4,"content":"y"},{"id":3,"content":"x"},{"id":9,"content":""}]`, ""},
		{"added", `[{"id":3,"content":"two"}]`, `tokenizer: added_tokens[0].id: 3 for "two", to which Hugging Face tokenizers gives 2, whatever the file says`},
		{"config", `7`, "tokenizer: number where an object belongs at byte 1"}, {"config", `{"split_special_tokens":true}`, `tokenizer: unsupported key "split_special_tokens"; with "true" the ids are others than tokenizer.json's; take it out, or save the tokenizer as it is then`}, {"config", `{"bos_token":7}`, "tokenizer: bos_token: neither a text nor a token"}, {"config", `{"added_tokens_decoder":{"x":{"content":"a"}}}`, `tokenizer: added_tokens_decoder: "x" is not the id of a token`}, {"config", `{"chat_template":7}`, "tokenizer: chat_template: number where a string belongs at byte 1"},
		{"config", `{"extra_special_tokens":{"a":7}}`, "tokenizer: extra_special_tokens: number where a string belongs at byte 1"}, {"config", `{"model_max_length":"x"}`, `tokenizer: json: invalid number literal, trying to unmarshal "\"x\"" into Number`},
	} {
		if got := fault(parts[tc.part](tc.text)); got != tc.want {
			t.Errorf("%s, %.80s: got %q, want %q", tc.part, tc.text, got, tc.want)
		}
	}
	for got, want := range map[string]string{
		fault(&FormatError{Offset: -1, Fault: "wrong"}): "tokenizer: wrong", fault(&FormatError{File: "f", Key: "k", Offset: 0, Fault: "wrong", Cure: "mend it"}): "tokenizer: f: k: wrong at byte 0; mend it",
		fault(&UnsupportedError{What: "w", Value: "v", Cure: "c"}): `tokenizer: unsupported w "v"; c`, fault(InFile(&UnsupportedError{What: "w", Value: "v", Cure: "c"}, "f")): `tokenizer: f: unsupported w "v"; c`,
		fault(InFile(Faultf("k", "%d wrong", 3), "f")): "tokenizer: f: k: 3 wrong", fault(InFile(fmt.Errorf("other"), "f")): "other",
		Quote(strings.Repeat("x", 40)): `"` + strings.Repeat("x", 40) + `"`, Quote(strings.Repeat("x", 41)): `"` + strings.Repeat("x", 40) + `"…`,
		fault(Frame{Before: []int32{3}}.Check(3)): "tokenizer: post_processor: id 3 is outside the vocabulary of 3", fault(Frame{Before: []int32{2}, After: []int32{0}}.Check(3)): "",
		fault(Frame{Pair: []Part{{First, 0}, {4, 0}, {Second, 0}}}.Check(4)): "tokenizer: post_processor: id 4 is outside the vocabulary of 4",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestFilesBeside: what the files beside a tokenizer.json say, and the whole text of their faults.
func TestFilesBeside(t *testing.T) {
	for _, tc := range []struct {
		files map[string]string
		want  string
	}{
		{nil, "{Roles:{BOS: EOS: Unknown: Sep: Pad: CLS: Mask: Other:map[] Kinds:false MaxLength:0 ChatTemplate:} Tokens:[] Says:map[] Notes:[]}"},
		{map[string]string{ConfigFile: `{"bos_token":"<s>","eos_token":{"content":"</s>","lstrip":true,"normalized":true},"model_max_length":512,"x_token":"<x>","surprise":1,"do_lower_case":true,"chat_template":"a"}`}, `{Roles:{BOS:<s> EOS:</s> Unknown: Sep: Pad: CLS: Mask: Other:map[x_token:<x>] Kinds:false MaxLength:512 ChatTemplate:a} Tokens:[{AddedToken:{ID:0 Content:<s> Special:true SingleWord:false LStrip:false RStrip:false Normalized:false} Key:bos_token} {AddedToken:{ID:0 Content:</s> Special:true SingleWord:false LStrip:true RStrip:false Normalized:true} Key:eos_token} {AddedToken:{ID:0 Content:<x> Special:true SingleWord:false LStrip:false RStrip:false Normalized:false} Key:x_token}] Says:map[do_lower_case:[116 114 117 101]] Notes:[tokenizer_config.json: key "surprise" is not known: nothing reads it]}`},
		{map[string]string{ConfigFile: `{"added_tokens_decoder":{"7":{"content":"b","special":true},"3":{"content":"a","rstrip":true}},"bos_token":"b","model_max_length":1e30,"chat_template":[{"name":"tool_use","template":"t"},{"name":"default","template":"d"}]}`,
			rolesFile: `{"bos_token":"c"}`, addedFile: `{"d":9}`, templateFile: "file"}, "{Roles:{BOS:b EOS: Unknown: Sep: Pad: CLS: Mask: Other:map[] Kinds:false MaxLength:0 ChatTemplate:file} Tokens:[{AddedToken:{ID:0 Content:a Special:false SingleWord:false LStrip:false RStrip:true Normalized:true} Key:} {AddedToken:{ID:0 Content:b Special:true SingleWord:false LStrip:false RStrip:false Normalized:false} Key:} {AddedToken:{ID:0 Content:b Special:true SingleWord:false LStrip:false RStrip:false Normalized:false} Key:bos_token}] Says:map[] Notes:[]}"},
		{map[string]string{ConfigFile: `{"bos_token":"b"}`, rolesFile: `{"bos_token":"c","pad_token":"p","surprise":1,"model_max_length":3,"y_token":"y","additional_special_tokens":["u",{"content":"v","single_word":true}],"extra_special_tokens":{"w_token":"w"}}`,
			addedFile: `{"d":9,"p":8,"e":10}`}, `{Roles:{BOS:c EOS: Unknown: Sep: Pad:p CLS: Mask: Other:map[w_token:w y_token:y] Kinds:false MaxLength:0 ChatTemplate:} Tokens:[{AddedToken:{ID:0 Content:p Special:true SingleWord:false LStrip:false RStrip:false Normalized:false} Key:} {AddedToken:{ID:0 Content:d Special:false SingleWord:false LStrip:false RStrip:false Normalized:true} Key:} {AddedToken:{ID:0 Content:e Special:false SingleWord:false LStrip:false RStrip:false Normalized:true} Key:} {AddedToken:{ID:0 Content:c Special:true SingleWord:false LStrip:false RStrip:false Normalized:false} Key:bos_token} {AddedToken:{ID:0 Content:p Special:true SingleWord:false LStrip:false RStrip:false Normalized:false} Key:pad_token} {AddedToken:{ID:0 Content:y Special:true SingleWord:false LStrip:false RStrip:false Normalized:false} Key:y_token} {AddedToken:{ID:0 Content:w Special:true SingleWord:false LStrip:false RStrip:false Normalized:false} Key:w_token} {AddedToken:{ID:0 Content:u Special:true SingleWord:false LStrip:false RStrip:false Normalized:false} Key:extra_special_tokens} {AddedToken:{ID:0 Content:v Special:true SingleWord:true LStrip:false RStrip:false Normalized:false} Key:extra_special_tokens}] Says:map[] Notes:[special_tokens_map.json: key "model_max_length" is not known: nothing reads it special_tokens_map.json: key "surprise" is not known: nothing reads it]}`},
		{map[string]string{ConfigFile: `{"extra_special_tokens":["m"],"additional_special_tokens":["n"],"model_max_length":2147483648}`}, "{Roles:{BOS: EOS: Unknown: Sep: Pad: CLS: Mask: Other:map[] Kinds:false MaxLength:0 ChatTemplate:} Tokens:[{AddedToken:{ID:0 Content:m Special:true SingleWord:false LStrip:false RStrip:false Normalized:false} Key:extra_special_tokens}] Says:map[] Notes:[]}"},
		{map[string]string{ConfigFile: `{"additional_special_tokens":["n"],"model_max_length":2147483647}`}, "{Roles:{BOS: EOS: Unknown: Sep: Pad: CLS: Mask: Other:map[] Kinds:false MaxLength:2147483647 ChatTemplate:} Tokens:[{AddedToken:{ID:0 Content:n Special:true SingleWord:false LStrip:false RStrip:false Normalized:false} Key:extra_special_tokens}] Says:map[] Notes:[]}"},
		{map[string]string{ConfigFile: `{`}, "tokenizer: DIR/tokenizer_config.json: not JSON: unexpected end of JSON input at byte 1; is the file complete?"}, {map[string]string{rolesFile: `{`}, "tokenizer: DIR/special_tokens_map.json: not JSON: unexpected end of JSON input at byte 1; is the file complete?"}, {map[string]string{rolesFile: `{"bos_token":7}`}, "tokenizer: DIR/special_tokens_map.json: bos_token: neither a text nor a token"}, {map[string]string{rolesFile: `{"extra_special_tokens":7}`}, "tokenizer: DIR/special_tokens_map.json: extra_special_tokens: number where an array belongs at byte 1"},
		{map[string]string{addedFile: `{`}, "tokenizer: DIR/added_tokens.json: not JSON: unexpected end of JSON input at byte 1; is the file complete?"}, {map[string]string{addedFile: `{"a":"b"}`}, "tokenizer: DIR/added_tokens.json: string where a number belongs at byte 8"}, {map[string]string{templateFile: strings.Repeat(" ", maxConfigBytes+1)}, "tokenizer: DIR/chat_template.jinja: 16777217 bytes, more than 16777216; is this the file of a tokenizer?"},
	} {
		dir := t.TempDir()
		for name, text := range tc.files {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		c, err := ReadConfig(dir)
		got := fmt.Sprintf("%+v", c)
		if err != nil {
			got = strings.ReplaceAll(err.Error(), dir, "DIR")
		}
		if got != tc.want {
			t.Errorf("%.100v: got %q, want %q", tc.files, got, tc.want)
		}
	}
}

// TestWrittenParts: what a tokenizer.json is written with, to the letter.
func TestWrittenParts(t *testing.T) {
	name := func(id int32) string { return []string{"<s>", "</s>", "\"q\"", "é"}[id] }
	added := []AddedToken{{ID: 9, Content: "b", Special: true, RStrip: true}, {ID: 3, Content: "a\x00<", LStrip: true, SingleWord: true, Normalized: true}}
	normalizer, err := ParseNormalizer([]byte(`{"type":"NFC"}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ got, want string }{
		{string(AppendHead(nil, nil, Normalizer{})), "{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null,\n  \"added_tokens\": [],\n  \"normalizer\": null,\n  \"pre_tokenizer\": "},
		{string(AppendHead([]byte("x"), added, normalizer)), "x{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null,\n  \"added_tokens\": [\n    {\"id\": 3, \"content\": \"a\\u0000<\", \"single_word\": true, \"lstrip\": true, \"rstrip\": false, \"normalized\": true, \"special\": false},\n    {\"id\": 9, \"content\": \"b\", \"single_word\": false, \"lstrip\": false, \"rstrip\": true, \"normalized\": false, \"special\": true}\n  ],\n  \"normalizer\": {\"type\":\"NFC\"},\n  \"pre_tokenizer\": "},
		{string(Frame{}.AppendTemplate([]byte("x"), name)), "xnull"},
		{string(Frame{Before: []int32{0}}.AppendTemplate(nil, name)), `{"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}], "pair": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "<s>", "type_id": 1}}, {"Sequence": {"id": "B", "type_id": 1}}], "special_tokens": {"<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]}}}`},
		{string(Frame{Before: []int32{0, 2}, After: []int32{1, 0}}.AppendTemplate(nil, name)), `{"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"SpecialToken": {"id": "\"q\"", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}, {"SpecialToken": {"id": "<s>", "type_id": 0}}], "pair": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"SpecialToken": {"id": "\"q\"", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}, {"SpecialToken": {"id": "<s>", "type_id": 0}}, {"SpecialToken": {"id": "<s>", "type_id": 1}}, {"SpecialToken": {"id": "\"q\"", "type_id": 1}}, {"Sequence": {"id": "B", "type_id": 1}}, {"SpecialToken": {"id": "</s>", "type_id": 1}}, {"SpecialToken": {"id": "<s>", "type_id": 1}}], "special_tokens": {"<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]}, "\"q\"": {"id": "\"q\"", "ids": [2], "tokens": ["\"q\""]}, "</s>": {"id": "</s>", "ids": [1], "tokens": ["</s>"]}}}`},
		{string(Frame{After: []int32{1}, Pair: BertPair(0, 3)}.AppendTemplate(nil, name)), `{"type": "TemplateProcessing", "single": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}], "pair": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "é", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}, {"SpecialToken": {"id": "é", "type_id": 1}}], "special_tokens": {"</s>": {"id": "</s>", "ids": [1], "tokens": ["</s>"]}, "<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]}, "é": {"id": "é", "ids": [3], "tokens": ["é"]}}}`},
		{string(AppendString(nil, "a\x7f")) + string(AppendString(nil, "a~ ")) + string(AppendString(nil, "\x1f\\é<\xff")), "\"a\x7f\"\"a~ \"\"\\u001f\\\\é<\\ufffd\""},
		{string(AppendRaw(nil, nil)) + string(AppendRaw(nil, []byte("{}"))), "null{}"},
	} {
		if tc.got != tc.want {
			t.Errorf("got %q, want %q", tc.got, tc.want)
		}
	}
}

// TestByteLevelsInPlace: the words of a byte-level tokenizer are bytes, wherever its step stands.
func TestByteLevelsInPlace(t *testing.T) {
	const level, digits = `{"type":"ByteLevel","use_regex":false}`, `{"type":"Digits"}`
	for _, tc := range []struct {
		steps      string
		byteLevels bool
		want       string
	}{
		{level, true, `["é 12 x"]`}, {level, false, `["Ã©Ġ12Ġx"]`}, {level + "," + digits, true, `["é " "12" " x"]`}, {level + "," + digits, false, `["Ã©Ġ" "12" "Ġx"]`},
		{digits + "," + level, true, `["é " "12" " x"]`}, {digits + "," + level + "," + digits, true, `["é " "12" " x"]`},
	} {
		p, err := ParsePreTokenizer([]byte(`{"type":"Sequence","pretokenizers":[`+tc.steps+`]}`), tc.byteLevels, nil)
		if err != nil {
			t.Fatal(err)
		}
		var words []string
		p.Cut(NewText([]byte("é 12 x")), func(word Text) { words = append(words, string(word.Bytes)) })
		if got := fmt.Sprintf("%q", words); got != tc.want {
			t.Errorf("%s, %t: %s, want %s", tc.steps, tc.byteLevels, got, tc.want)
		}
	}
}
