package bpe

import (
	"fmt"
	"strings"
	"testing"
)

// TestTextsOfFaults holds the whole text of what a file, a rank file, a Config and a training
// are refused for.
func TestTextsOfFaults(t *testing.T) {
	const byteLevel = `{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}`
	file := func(changes ...string) string {
		_, err := ReadJSON(strings.NewReader(small(t, changes...)), "t.json")
		return fmt.Sprint(err)
	}
	ranks := func(text string) string {
		_, err := ReadTiktoken(strings.NewReader(text), "x.tiktoken", Encoding{Name: "x", Pattern: CL100K})
		return fmt.Sprint(err)
	}
	train := func(c TrainConfig) string { return fmt.Sprint(c.Validate()) }
	_, encoding := EncodingByName("dir/x100k.tiktoken")
	_, pattern := ParsePattern("x")
	for _, tc := range []struct{ name, got, want string }{
		{"regex", file(byteLevel, `{"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": "(x)\\1"}, "behavior": "Isolated", "invert": false}, {"type": "ByteLevel", "add_prefix_space": false, "use_regex": false}]}`), `tokenizer: t.json: unsupported regular expression "(x)\\1"; at byte 3: back-references, \1, are not supported`},
		{"whitespace", file(byteLevel, `{"type": "Whitespace"}`), `tokenizer: t.json: unsupported pre_tokenizer "Whitespace"; a byte-level tokenizer has one step ByteLevel`}, {"none", file(byteLevel, `null`), `tokenizer: t.json: unsupported pre_tokenizer ""; only byte-level tokenizers are supported: one of the pre-tokenizers must be ByteLevel`}, {"normalizer", file(`"normalizer": null`, `"normalizer": {"type": "Foo"}`), `tokenizer: t.json: unsupported normalizer "Foo"; known are Sequence, NFC, NFD, NFKC, NFKD, Lowercase, StripAccents, Strip, Replace, Prepend, Nmt, Precompiled, ByteLevel and BertNormalizer`}, {"key", file(`"normalizer": null`, `"normalizer": {"type": "NFC", "cased": true}`), `tokenizer: t.json: unsupported key "normalizer.cased"; nobody knows what "true" means for the ids; take it out if it means nothing`},
		{"model key", file(`"vocab": {`, `"old": 1, "vocab": {`), `tokenizer: t.json: unsupported key "model.old"; nobody knows what "1" means for the ids; take it out if it means nothing`}, {"dropout", file(`"dropout": null`, `"dropout": 0.1`), `tokenizer: t.json: unsupported model.dropout "0.1"; set it to null`}, {"no dropout", file(`"dropout": null`, `"dropout": 0`), "<nil>"}, {"rank", file(`"id": 256`, `"rank": 3, "id": 256`), `tokenizer: t.json: unsupported key "added_tokens[0].rank"; nobody knows what "3" means for the ids; take it out if it means nothing`},
		{"vocab", file(`"vocab": {`, `"vocab": "x", "cache_capacity": {`), "tokenizer: t.json: model.vocab: string where an object belongs"}, {"large id", file(`"x": 120`, `"x": 4294967296`), `tokenizer: t.json: model.vocab["x"]: id 4294967296 is outside 0 … 2097151`}, {"negative id", file(`"x": 120`, `"x": -1`), `tokenizer: t.json: model.vocab["x"]: id -1 is outside 0 … 2097151`}, {"id twice", file(`"x": 120`, `"x": 65`), `tokenizer: t.json: model.vocab["x"]: id 65 is "A" too`},
		{"merge", file(`"merges": [`, `"merges": ["a bc"`), `tokenizer: t.json: model.merges[0]: "a" or "bc" is not in model.vocab`}, {"merge of none", file(`"merges": [`, `"merges": ["a b"`), `tokenizer: t.json: Merges: merge 0 makes "ab", which is not in the vocabulary; add it, or drop the merge`}, {"one token", file(`"merges": [`, `"merges": ["abc"`), `tokenizer: t.json: model.merges: "abc" is not two tokens and a space`}, {"a list of one", file(`"merges": [`, `"merges": [["a"]`), `tokenizer: t.json: model.merges: "[\"a\"]" is not a pair`},
		{"added", file(`"id": 256`, `"id": -1`), `tokenizer: t.json: added_tokens[0].id: -1 for "<|endoftext|>", to which Hugging Face tokenizers gives 256, whatever the file says`}, {"added twice", file(`"id": 256`, `"id": 65`), `tokenizer: t.json: added_tokens[0].id: 65 for "<|endoftext|>", to which Hugging Face tokenizers gives 256, whatever the file says`}, {"suffix", file(`"end_of_word_suffix": null`, `"end_of_word_suffix": "</w>"`), "tokenizer: the tokens are not bytes"}, {"prefix", file(`"continuing_subword_prefix": null`, `"continuing_subword_prefix": "##"`), "tokenizer: the tokens are not bytes"},
		{"type", file(`"type": "BPE"`, `"type": "Foo"`), `tokenizer: t.json: unsupported model "Foo"; only BPE is supported`}, {"empty", file(`"x": 120`, `"": 120`), "tokenizer: t.json: model.vocab: id 120 is empty"},
		{"no rank", ranks("IQ==\n"), `tokenizer: x.tiktoken: line is not "base64 rank" at byte 0; is this a .tiktoken file?`}, {"bad base64", ranks("IQ== 0\n*** 1\n"), `tokenizer: x.tiktoken: line is not "base64 rank" at byte 7; is this a .tiktoken file?`}, {"huge rank", ranks("IQ== 99999999999\n"), "tokenizer: x.tiktoken: rank 99999999999 is out of range at byte 0; ranks are below 2097152"}, {"big rank", ranks("IQ== 2097152\n"), "tokenizer: x.tiktoken: rank 2097152 is out of range at byte 0; ranks are below 2097152"}, {"negative rank", ranks("IQ== -1\n"), "tokenizer: x.tiktoken: rank -1 is out of range at byte 0; ranks are below 2097152"}, {"rank twice", ranks("IQ== 0\nIg== 0\n"), "tokenizer: x.tiktoken: rank 0 comes twice at byte 7"},
		{"lacks", ranks("AA== 0\nAQ== 1\n"), `tokenizer: x.tiktoken: the file lacks the single byte "\x02"; is it complete?`}, {"long line", ranks(strings.Repeat("A", 1<<20)), "tokenizer: x.tiktoken: line too long at byte 0; is this a .tiktoken file?"}, {"long token", ranks(strings.Repeat("AAAA", 1000) + " 0\n"), "tokenizer: x.tiktoken: token too long at byte 0; tokens have at most 1024 bytes"}, {"nothing", ranks(""), `tokenizer: x.tiktoken: the file lacks the single byte "\x00"; is it complete?`}, {"no token", ranks(" 0\n"), `tokenizer: x.tiktoken: line is not "base64 rank" at byte 0; is this a .tiktoken file?`},
		{"small vocabulary", train(TrainConfig{Vocab: 256, Special: []string{EndOfText}}), "tokenizer: Vocab: a vocabulary of 256 tokens is out of range; 256 bytes and 1 special tokens need at least 257, the most is 2097152"}, {"large", train(TrainConfig{Vocab: maxVocab + 1}), "tokenizer: Vocab: a vocabulary of 2097153 tokens is out of range; 256 bytes and 0 special tokens need at least 256, the most is 2097152"}, {"largest", train(TrainConfig{Vocab: maxVocab}), "<nil>"}, {"smallest", train(TrainConfig{Vocab: 257, Special: []string{EndOfText}}), "<nil>"},
		{"special twice", train(TrainConfig{Vocab: 400, Special: []string{"<a>", "<b>", "<a>"}}), `tokenizer: Special: token 2, "<a>", is empty or comes twice`}, {"special of nothing", train(TrainConfig{Vocab: 400, Special: []string{""}}), `tokenizer: Special: token 0, "", is empty or comes twice`}, {"special byte", train(TrainConfig{Vocab: 400, Special: []string{"Ġ"}}), `tokenizer: Special: token 0, "Ġ", is a single byte in the alphabet`}, {"special letter", train(TrainConfig{Vocab: 400, Special: []string{"a"}}), `tokenizer: Special: token 0, "a", is a single byte in the alphabet`},
		{"pattern", train(TrainConfig{Vocab: 400, Pattern: 99}), "tokenizer: Pattern: 99 is not a pattern"}, {"encoding", fmt.Sprint(encoding), `tokenizer: unsupported tiktoken encoding "x100k"; use one of gpt2, r50k_base, p50k_base, p50k_edit, cl100k_base, o200k_base`}, {"name of a pattern", fmt.Sprint(pattern), `tokenizer: unsupported split pattern "x"; use one of: gpt2 cl100k gpt4 qwen2 qwen3.5 o200k tekken digits`}, {"number of a pattern", Pattern(99).String(), "unknown"},
	} {
		if tc.got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, tc.got, tc.want)
		}
	}
}
