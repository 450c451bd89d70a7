package wordpiece

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/data/hf"
)

const bert = `{"added_tokens": [
		{"id": 0, "content": "[UNK]", "special": true}, {"id": 1, "content": "[CLS]", "special": true}, {"id": 2, "content": "[SEP]", "special": true}],
	"normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": true},
	"pre_tokenizer": {"type": "BertPreTokenizer"},
	"post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 2], "cls": ["[CLS]", 1]},
	"decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
	"model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 10,
		"vocab": {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "un": 3, "##aff": 4, "##able": 5, "cafe": 6, "汉": 7, ".": 8, "the": 9, "'": 10, "s": 11}}}`

func read(t *testing.T, text string) (*Tokenizer, error) {
	t.Helper()
	doc, err := hf.ReadDocument(strings.NewReader(text))
	if err != nil {
		return nil, err
	}
	return FromDocument(doc)
}

func TestBERT(t *testing.T) {
	tok, err := read(t, bert)
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string][]int32{
		"unaffable":           {3, 4, 5},
		"UN-affable":          {3, 0, 0}, // neither - nor affable, which begins no word
		"Café, 汉the.":         {6, 0, 7, 9, 8},
		"unaffablex":          {0},
		"theunaffable":        {0}, // longer than 10 characters
		"[CLS] un":            {0, 0, 0, 3},
		"un\u00ad\u200baff\t": {3, 4},
	} {
		if got := tok.AppendEncode(nil, []byte(text)); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
	ids, spans := tok.EncodeSpans([]byte("[CLS]Unaffable café"), nil)
	if !slices.Equal(ids, []int32{1, 3, 4, 5, 6}) || !slices.Equal(spans, []hf.Span{{Begin: 0, End: 5}, {Begin: 5, End: 7}, {Begin: 7, End: 10}, {Begin: 10, End: 14}, {Begin: 15, End: 20}}) {
		t.Errorf("%v %v", ids, spans)
	}
	if got := string(tok.AppendDecode(nil, []int32{9, 3, 4, 5, 10, 11, 8})); got != "the unaffable ' s." {
		t.Errorf("decoded %q", got)
	}
	if f := tok.Frame(); !slices.Equal(f.Before, []int32{1}) || !slices.Equal(f.After, []int32{2}) {
		t.Errorf("frame %v", f)
	}
}

// TestLongestWord: the length of a word counts characters, not bytes.
func TestLongestWord(t *testing.T) {
	tok, err := read(t, strings.NewReplacer(`"cafe": 6`, `"жжжжжжжжжж": 6`, `"the": 9`, `"жжжжжжжжжжж": 9`).Replace(bert))
	if err != nil {
		t.Fatal(err)
	}
	for n, want := range map[int]int32{10: 6, 11: 0} {
		if got := tok.AppendEncode(nil, []byte(strings.Repeat("Ж", n))); !slices.Equal(got, []int32{want}) {
			t.Errorf("%d characters: %v, want %d", n, got, want)
		}
	}
}

// TestNormalizedSpecial allows a special token whose content the normalizer changes.
func TestNormalizedSpecial(t *testing.T) {
	tok, err := read(t, strings.Replace(bert, `"content": "[SEP]", "special": true`, `"content": "[SEP]", "special": true, "normalized": true`, 1))
	if err != nil {
		t.Fatal(err)
	}
	for allowed, want := range map[string][]int32{"[SEP]": {3, 2}, "[CLS]": {3, 0, 0, 0}} {
		if got := tok.AppendEncodeSpecial(nil, []byte("un [sep]"), allowed); !slices.Equal(got, want) {
			t.Errorf("%s allowed: %v, want %v", allowed, got, want)
		}
	}
}

func TestFaults(t *testing.T) {
	for _, tt := range []struct{ old, new, want string }{
		{`"unk_token": "[UNK]"`, `"unk_token": "<unk>"`, `model.unk_token: "<unk>" is not in model.vocab`},
		{`"un": 3`, `"un": 9`, "id 9 is"},
		{`"un": 3`, `"un": -3`, "id -3 is outside"},
		{`"max_input_chars_per_word": 10`, `"max_input_chars_per_word": 0`, "MaxChars: 0"},
		{`["[SEP]", 2]`, `["[SEP]", 99]`, "post_processor: id 99 is outside the vocabulary of 12"},
		{`"type": "WordPiece", "unk`, `"type": "Pieces", "unk`, `unsupported model "Pieces"`},
	} {
		_, err := read(t, strings.Replace(bert, tt.old, tt.new, 1))
		var fault *hf.FormatError
		var unsupported *hf.UnsupportedError
		if !errors.As(err, &fault) && !errors.As(err, &unsupported) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.new, err, tt.want)
		}
	}
}

func FuzzEncode(f *testing.F) {
	doc, err := hf.ReadDocument(strings.NewReader(bert))
	if err != nil {
		f.Fatal(err)
	}
	tok, err := FromDocument(doc)
	if err != nil {
		f.Fatal(err)
	}
	f.Add("un\xffaffable 汉\xe6\xb1")
	f.Fuzz(func(t *testing.T, text string) {
		ids, spans := tok.EncodeSpans([]byte(text), nil)
		if want := tok.AppendEncodeSpecial(nil, []byte(text)); !slices.Equal(ids, want) || len(spans) != len(ids) {
			t.Errorf("%q: %v and %d spans, want %v", text, ids, len(spans), want)
		}
		for _, s := range spans {
			if s.Begin < 0 || s.Begin > s.End || s.End > len(text) {
				t.Errorf("%q: span %v", text, s)
			}
		}
	})
}

// TestNamesOfPieces: ids have the bytes that decode to them, what is out of range has none, and the fingerprint stays that
// of the shards made before.
func TestNamesOfPieces(t *testing.T) {
	tok, err := read(t, bert)
	if err != nil {
		t.Fatal(err)
	}
	for want, text := range map[int32][2]string{0: {"[UNK]", "[UNK]"}, 2: {"[SEP]", "[SEP]"}, 3: {"un", " un"}, 4: {"##aff", "aff"}, 11: {"s", " s"}} {
		id, ok := tok.ID([]byte(text[0]))
		if back := string(tok.TokenBytes(want)); !ok || id != want || back != text[1] {
			t.Errorf("%s has the id %d, %t; %d is %q", text[0], id, ok, want, back)
		}
	}
	if _, ok := tok.ID([]byte("aff")); ok || tok.TokenBytes(12) != nil || tok.TokenBytes(-1) != nil {
		t.Error("a piece is there that is not")
	}
	text := []byte("Unaffable café")
	if got, want := tok.EncodeParallel(text, 3), tok.AppendEncode(nil, text); !slices.Equal(got, want) {
		t.Errorf("in parallel %v, want %v", got, want)
	}
	if got, want := tok.Fingerprint(), "898ed58a2e4874c382ecfb33a2dcdd14b3a7d6b867cbd0df6835a61104fa1a5a"; got != want {
		t.Errorf("the fingerprint is %s, want %s", got, want)
	}
}

// TestAddedBehindThePieces: an added token has the first id that no piece has.
func TestAddedBehindThePieces(t *testing.T) {
	for _, id := range []int32{12} {
		tok, err := read(t, strings.Replace(bert, `"added_tokens": [`, fmt.Sprintf(`"added_tokens": [{"id": %d, "content": "<new>", "special": true},`, id), 1))
		if err != nil {
			t.Fatal(err)
		}
		if got := tok.AppendEncodeSpecial(nil, []byte("<new>un")); !slices.Equal(got, []int32{id, 3}) || tok.Vocab() != int(id)+1 || string(tok.TokenBytes(id)) != "<new>" {
			t.Errorf("id %d of %d: %v, %q", id, tok.Vocab(), got, tok.TokenBytes(id))
		}
	}
}
