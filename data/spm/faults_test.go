package spm

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"

	"example.com/gotrain/data/hf"
)

func fault(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// TestTextsOfModelFaults holds the whole text of what a tokenizer.model is refused for.
func TestTextsOfModelFaults(t *testing.T) {
	piece, unknown := message(1, message(1, "a")), message(1, message(1, "<unk>", 3, int(Unknown)))
	for _, tc := range []struct {
		data []byte
		want string
	}{
		{nil, "tokenizer: x.model: Pieces: there are none"}, {[]byte("{}"), "tokenizer: x.model: wire type 3 is not known at byte 0; is this a tokenizer.model, and complete?"}, {[]byte{0x12, 0}, "tokenizer: x.model: Pieces: there are none"}, {piece, ""}, {append(bytes.Clone(piece), unknown...), ""}, {append(bytes.Clone(piece), piece...), `tokenizer: x.model: Pieces: ids 0 and 1 are both "a"`},
		{append(bytes.Clone(piece), message(2, message(3, 3))...), `tokenizer: x.model: unsupported trainer_spec.model_type "3"; known are 1, unigram, and 2, BPE`}, {append(bytes.Clone(piece), message(2, message(3, 0))...), `tokenizer: x.model: unsupported trainer_spec.model_type "0"; known are 1, unigram, and 2, BPE`}, {append(bytes.Clone(piece), message(2, message(24, 1))...), `tokenizer: x.model: unsupported trainer_spec.treat_whitespace_as_suffix "true"; train with spaces before words`},
		{append(bytes.Clone(piece), message(2, message(24, 0))...), ""}, {append(bytes.Clone(piece), message(5, message(2, "abc"))...), `tokenizer: x.model: unsupported denormalizer_spec.precompiled_charsmap "3 bytes"; use a model without one`}, {append(bytes.Clone(piece), message(5, message(2, "", 3, 1))...), ""},
		{append(bytes.Clone(piece), message(3, message(2, "abc"))...), "tokenizer: x.model: normalizer_spec.precompiled_charsmap: 3 bytes, too few for a charsmap"}, {message(1, message(2, float32(1))), "tokenizer: x.model: pieces[0]: the piece is empty"}, {message(1, message(1, "a", 3, 7)), "tokenizer: x.model: pieces[0].type: 7 is no type"}, {message(1, message(1, "a", 3, 0)), "tokenizer: x.model: pieces[0].type: 0 is no type"},
		{message(1, message(1, "a", 2, float32(math.Inf(-1)))), `tokenizer: x.model: Pieces: the score of piece 0, "a", is -Inf`}, {piece[:len(piece)-1], "tokenizer: x.model: a field is longer than what is left at byte 0; is this a tokenizer.model, and complete?"}, {[]byte{0x0d, 1, 2}, "tokenizer: x.model: a number is cut off at byte 0; is this a tokenizer.model, and complete?"}, {[]byte{0x09, 1, 2, 3, 4, 5, 6, 7}, "tokenizer: x.model: a number is cut off at byte 0; is this a tokenizer.model, and complete?"}, {[]byte{0x08, 0xff}, "tokenizer: x.model: a number is cut off at byte 0; is this a tokenizer.model, and complete?"}, {[]byte{0x0a, 0xff}, "tokenizer: x.model: a field is longer than what is left at byte 0; is this a tokenizer.model, and complete?"},
		{[]byte{0x0b}, "tokenizer: x.model: wire type 3 is not known at byte 0; is this a tokenizer.model, and complete?"}, {[]byte{0x02, 1}, "tokenizer: x.model: not a field of a protocol buffer at byte 0; is this a tokenizer.model, and complete?"}, {append(bytes.Clone(piece), message(4, float32(1), 6, 7, 9, "x")...), ""}, {append(bytes.Clone(piece), 0x31, 1, 2, 3, 4, 5, 6, 7, 8), ""},
	} {
		_, err := ReadModel(bytes.NewReader(tc.data), "x.model")
		if got := fault(err); got != tc.want {
			t.Errorf("%x: got %q, want %q", tc.data, got, tc.want)
		}
	}
}

// TestTextsOfDocumentFaults holds the whole text of what a tokenizer.json is refused for.
func TestTextsOfDocumentFaults(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{`{"model":{"type":"Foo"}}`, `tokenizer: t.json: unsupported model "Foo"; known are BPE and Unigram`}, {`{"model":{"type":7}}`, "tokenizer: t.json: model.type: number where a string belongs"}, {`{`, "tokenizer: t.json: not JSON: unexpected end of JSON input at byte 1; is the file complete?"},
		{`{"model":{"type":"Unigram","vocab":[]}}`, "tokenizer: t.json: Pieces: there are none"}, {`{"model":{"type":"Unigram","vocab":[["a"]]}}`, `tokenizer: t.json: model.vocab: "[\"a\"]" is not a piece and its score`}, {`{"model":{"type":"Unigram","vocab":[["a","b"]]}}`, `tokenizer: t.json: model.vocab: "[\"a\",\"b\"]" is not a piece and its score`}, {`{"model":{"type":"Unigram","vocab":[[1,2]]}}`, `tokenizer: t.json: model.vocab: "[1,2]" is not a piece and its score`},
		{`{"model":{"type":"Unigram","vocab":[7]}}`, "tokenizer: t.json: model.vocab: number where an array belongs"}, {`{"model":{"type":"Unigram","vocab":7}}`, "tokenizer: t.json: model.vocab: number where an array belongs"}, {`{"model":{"type":"Unigram","vocab":[["a",0]],"unk_id":1}}`, "tokenizer: t.json: model.unk_id: 1 is no piece"}, {`{"model":{"type":"Unigram","vocab":[["a",0]],"unk_id":-1}}`, "tokenizer: t.json: model.unk_id: -1 is no piece"},
		{`{"model":{"type":"Unigram","vocab":[["a",0]],"unk_id":0}}`, ""}, {`{"model":{"type":"Unigram","vocab":[["a",-1e999]]}}`, `tokenizer: t.json: model.vocab: "[\"a\",-1e999]" is not a piece and its score`},
		{`{"model":{"type":"BPE","vocab":{"a":0},"merges":[],"dropout":0.5}}`, `tokenizer: t.json: unsupported model.dropout "0.5"; set it to null`}, {`{"model":{"type":"BPE","vocab":{"a":0},"merges":[],"dropout":0}}`, ""}, {`{"model":{"type":"BPE","vocab":{"a":-1},"merges":[]}}`, `tokenizer: t.json: model.vocab["a"]: id -1 is outside 0 … 2097151`},
		{`{"model":{"type":"BPE","vocab":{"a":2097152},"merges":[]}}`, `tokenizer: t.json: model.vocab["a"]: id 2097152 is outside 0 … 2097151`}, {`{"model":{"type":"BPE","vocab":{"":1},"merges":[]}}`, "tokenizer: t.json: model.vocab: id 1 is empty"}, {`{"model":{"type":"BPE","vocab":{"a":0},"merges":[],"unk_token":"u"}}`, `tokenizer: t.json: model.unk_token: "u" is not in model.vocab`},
		{`{"model":{"type":"BPE","vocab":{"a":0},"merges":["a b"]}}`, `tokenizer: t.json: model.merges[0]: "a" or "b" is not in model.vocab`}, {`{"model":{"type":"BPE","vocab":{"a":0},"merges":["b a"]}}`, `tokenizer: t.json: model.merges[0]: "b" or "a" is not in model.vocab`}, {`{"model":{"type":"BPE","vocab":{"a":0,"b":1},"merges":["a b"]}}`, `tokenizer: t.json: Merges: merge 0 makes "ab", which is not in the vocabulary`},
		{`{"model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":["a b"]}}`, ""}, {`{"model":{"type":"BPE","vocab":{},"merges":[]}}`, "tokenizer: t.json: Pieces: there are none"}, {`{"model":{"type":"BPE","vocab":7,"merges":[]}}`, "tokenizer: t.json: model.vocab: number where an object belongs"},
		{`{"model":{"type":"BPE","vocab":{"a":0},"merges":[]},"normalizer":{"type":"Foo"}}`, `tokenizer: t.json: unsupported normalizer "Foo"; known are Sequence, NFC, NFD, NFKC, NFKD, Lowercase, StripAccents, Strip, Replace, Prepend, Nmt, Precompiled, ByteLevel and BertNormalizer`}, {`{"model":{"type":"BPE","vocab":{"a":0},"merges":[]},"pre_tokenizer":{"type":"Foo"}}`, `tokenizer: t.json: unsupported pre_tokenizer "Foo"; known are Sequence, ByteLevel, Metaspace, Split, Digits, Punctuation, Whitespace, WhitespaceSplit, BertPreTokenizer, CharDelimiterSplit and FixedLength`}, {`{"model":{"type":"BPE","vocab":{"a":0},"merges":[]},"decoder":{"type":"Foo"}}`, `tokenizer: t.json: unsupported decoder "Foo"; known are Sequence, ByteLevel, ByteFallback, Fuse, Replace, Strip, Metaspace, WordPiece and BPEDecoder`},
		{`{"model":{"type":"BPE","vocab":{"a":0},"merges":[]},"post_processor":{"type":"Foo"}}`, `tokenizer: t.json: unsupported post_processor "Foo"; known are TemplateProcessing, BertProcessing, RobertaProcessing, ByteLevel and Sequence`}, {`{"model":{"type":"BPE","vocab":{"a":0},"merges":[]},"added_tokens":[{"id":7,"content":"x"}]}`, `tokenizer: t.json: added_tokens[0].id: 7 for "x", to which Hugging Face tokenizers gives 1, whatever the file says`},
		{`{"model":{"type":"BPE","vocab":{"a":0},"merges":[]},"post_processor":{"type":"BertProcessing","cls":["a",1],"sep":["a",0]}}`, "tokenizer: t.json: post_processor: id 1 is outside the vocabulary of 1"},
	} {
		_, err := ReadJSON(strings.NewReader(tc.text), "t.json")
		if got := fault(err); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.text, got, tc.want)
		}
	}
}

// TestTextsOfConfigFaults holds the whole text of what a Config is refused for.
func TestTextsOfConfigFaults(t *testing.T) {
	ab := []Piece{{Text: "a", Type: Normal}, {Text: "b", Type: Normal}}
	for i, tc := range []struct {
		cfg  Config
		want string
	}{
		{Config{Rules: &Rules{}, Pieces: ab}, "tokenizer: Algorithm: 0 is not an algorithm"}, {Config{Algorithm: 3, Rules: &Rules{}, Pieces: ab}, "tokenizer: Algorithm: 3 is not an algorithm"}, {Config{Algorithm: BPE, Pieces: ab}, "tokenizer: Rules: give either Rules or Hub"}, {Config{Algorithm: BPE, Rules: &Rules{}, Hub: &Hub{}, Pieces: ab}, "tokenizer: Rules: give either Rules or Hub"},
		{Config{Algorithm: Unigram, Rules: &Rules{}}, "tokenizer: Pieces: there are none"}, {Config{Algorithm: Unigram, Rules: &Rules{}, Pieces: make([]Piece, hf.MaxVocab+1)}, "tokenizer: Pieces: 2097153, more than 2097152"}, {Config{Algorithm: Unigram, Rules: &Rules{}, Pieces: []Piece{{Text: "a", Score: math.NaN()}}}, `tokenizer: Pieces: the score of piece 0, "a", is NaN`},
		{Config{Algorithm: Unigram, Rules: &Rules{}, Pieces: ab, Added: []hf.AddedToken{{ID: -1, Content: "x"}}}, `tokenizer: Added: token "x" with id -1; ids are 0 … 2097151, texts not empty`}, {Config{Algorithm: Unigram, Rules: &Rules{}, Pieces: ab, Added: []hf.AddedToken{{ID: hf.MaxVocab, Content: "x"}}}, `tokenizer: Added: token "x" with id 2097152; ids are 0 … 2097151, texts not empty`},
		{Config{Algorithm: Unigram, Rules: &Rules{}, Pieces: ab, Added: []hf.AddedToken{{ID: 7}}}, `tokenizer: Added: token "" with id 7; ids are 0 … 2097151, texts not empty`}, {Config{Algorithm: BPE, Hub: &Hub{Unknown: 2}, Pieces: ab}, "tokenizer: Unknown: id 2 is no piece"}, {Config{Algorithm: BPE, Hub: &Hub{Unknown: 1}, Pieces: ab}, ""},
		{Config{Algorithm: BPE, Hub: &Hub{Unknown: -1, Merges: []Merge{{0, 2}}}, Pieces: ab}, "tokenizer: Merges: merge 0 joins ids 0 and 2, not both of which are pieces"}, {Config{Algorithm: BPE, Hub: &Hub{Unknown: -1, Merges: []Merge{{2, 0}}}, Pieces: ab}, "tokenizer: Merges: merge 0 joins ids 2 and 0, not both of which are pieces"}, {Config{Algorithm: BPE, Hub: &Hub{Unknown: -1, Merges: []Merge{{0, 1}}}, Pieces: ab}, `tokenizer: Merges: merge 0 makes "ab", which is not in the vocabulary`},
		{Config{Algorithm: BPE, Rules: &Rules{}, Pieces: []Piece{{Text: "a", Type: Normal}, {Type: UserDefined}}}, "tokenizer: Pieces: piece 1 is user-defined and empty"}, {Config{Algorithm: BPE, Rules: &Rules{}, Pieces: ab, Frame: hf.Frame{After: []int32{2}}}, "tokenizer: post_processor: id 2 is outside the vocabulary of 2"},
		{Config{Algorithm: Unigram, Rules: &Rules{}, Pieces: ab, Added: []hf.AddedToken{{ID: 2, Content: "x"}}, Frame: hf.Frame{After: []int32{2}}}, ""},
	} {
		_, err := New(tc.cfg)
		if got := fault(err); got != tc.want {
			t.Errorf("%d: got %q, want %q", i, got, tc.want)
		}
	}
}

// TestUnknownCosts: a character that no piece spells costs 10 more than the worst piece, −3
// here (kUnkPenalty of sentencepiece): a of 12 and an unknown b have −1 together.
func TestUnknownCosts(t *testing.T) {
	for score, want := range map[float64]string{-1.1: "[0 2]", -0.9: "[1]"} {
		pieces := []Piece{{Text: "a", Score: 12, Type: Normal}, {Text: "ab", Score: score, Type: Normal}, {Text: "<unk>", Type: Unknown}, {Text: "c", Score: -3, Type: Normal}}
		for name, cfg := range map[string]Config{"tokenizers": {Hub: &Hub{Unknown: 2}}, "sentencepiece": {Rules: &Rules{}}} {
			cfg.Algorithm, cfg.Pieces = Unigram, pieces
			tok, err := New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(tok.AppendEncode(nil, []byte("ab"))); got != want {
				t.Errorf("%s, score %g: %s, want %s", name, score, got, want)
			}
		}
	}
}

// TestFrameAsWritten: the tokens of a frame stand in tokenizer.json as the vocabulary spells
// them, special or not.
func TestFrameAsWritten(t *testing.T) {
	tok, err := New(Config{Algorithm: Unigram, Hub: &Hub{Unknown: -1}, Pieces: []Piece{{Text: "▁a", Type: Normal}, {Text: "<0x41>", Type: Normal}, {Text: "</s>", Type: Normal}},
		Added: []hf.AddedToken{{ID: 2, Content: "</s>", Special: true}, {ID: 3, Content: "▁x"}}, Frame: hf.Frame{Before: []int32{0, 1}, After: []int32{2, 3}}})
	if err != nil {
		t.Fatal(err)
	}
	want := `"special_tokens": {"▁a": {"id": "▁a", "ids": [0], "tokens": ["▁a"]}, "<0x41>": {"id": "<0x41>", "ids": [1], "tokens": ["<0x41>"]}, "</s>": {"id": "</s>", "ids": [2], "tokens": ["</s>"]}, "▁x": {"id": "▁x", "ids": [3], "tokens": ["▁x"]}}`
	if got := string(tok.AppendJSON(nil)); !strings.Contains(got, want) {
		t.Errorf("%s, want %s", got, want)
	}
}
