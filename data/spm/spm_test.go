package spm

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/data/hf"
)

// golden is one record of testdata/ids.json: the ids of sentencepiece.
type golden struct {
	Model, Text string
	IDs         []int32
}

func goldens(t *testing.T) []golden {
	text, err := os.ReadFile("testdata/ids.json")
	if err != nil {
		t.Fatal(err)
	}
	var list []golden
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatal(err)
	}
	return list
}

func load(t testing.TB, name string) *Tokenizer {
	tok, err := Load(filepath.Join("testdata", name+".model"))
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// TestMatchesSentencePiece: models give the ids of sentencepiece, cold and from the cache.
func TestMatchesSentencePiece(t *testing.T) {
	models := map[string]*Tokenizer{}
	for range 2 {
		for _, g := range goldens(t) {
			if models[g.Model] == nil {
				models[g.Model] = load(t, g.Model)
			}
			if got := models[g.Model].AppendEncode(nil, []byte(g.Text)); !slices.Equal(got, g.IDs) {
				t.Errorf("%s: %q\n got %v\nwant %v", g.Model, g.Text, got, g.IDs)
			}
		}
	}
	if len(models) != 5 {
		t.Errorf("goldens of %d models", len(models))
	}
}

// TestJSONKeepsIDs: the tokenizer.json of a model without user-defined pieces or charsmap gives the ids of sentencepiece,
// and is written again as it was.
func TestJSONKeepsIDs(t *testing.T) {
	written := load(t, "bpe").AppendJSON(nil)
	tok, err := ReadJSON(bytes.NewReader(written), "bpe")
	if err != nil {
		t.Fatal(err)
	}
	if again := tok.AppendJSON(nil); !bytes.Equal(again, written) {
		t.Error("written, read and written again, it is another file")
	}
	for _, g := range goldens(t) {
		if got := tok.AppendEncode(nil, []byte(g.Text)); g.Model == "bpe" && !slices.Equal(got, g.IDs) {
			t.Errorf("%q\n got %v\nwant %v", g.Text, got, g.IDs)
		}
	}
}

// TestDecode: with the identity as normalization and bytes to fall back to, text comes back.
func TestDecode(t *testing.T) {
	tok := load(t, "bpe")
	for _, g := range goldens(t) {
		if strings.Contains(g.Text, space) {
			continue
		}
		if got := tok.AppendDecode(nil, tok.AppendEncode(nil, []byte(g.Text))); string(got) != g.Text {
			t.Errorf("%q comes back as %q", g.Text, got)
		}
	}
	ids := tok.AppendEncodeSpecial(nil, []byte("<s>Hello</s>"))
	bos, _ := tok.Special("<s>")
	eos, _ := tok.Special("</s>")
	if ids[0] != bos || ids[len(ids)-1] != eos || !slices.Equal(ids[1:len(ids)-1], tok.AppendEncode(nil, []byte("Hello"))) {
		t.Errorf("special tokens: %v", ids)
	}
	if got := tok.AppendDecode(nil, ids); string(got) != "<s>Hello</s>" {
		t.Errorf("decoded %q", got)
	}
}

// TestDecodeLikeTokenizers: in a tokenizer.json special tokens are text, so the space behind one stays; a model without
// the space before a text, but with spaces removed, drops the first.
func TestDecodeLikeTokenizers(t *testing.T) {
	tok, err := ReadJSON(bytes.NewReader(load(t, "bpe").AppendJSON(nil)), "bpe")
	if err != nil {
		t.Fatal(err)
	}
	if got := tok.AppendDecode(nil, tok.AppendEncodeSpecial(nil, []byte("<s>Hello"))); string(got) != "<s> Hello" {
		t.Errorf("decoded %q", got)
	}
	spaces := "a▁▁b" // ▁▁ is a user-defined piece
	if tok := load(t, "bpe_defined"); string(reread(t, tok).AppendDecode(nil, tok.AppendEncode(nil, []byte(spaces)))) != "a  b" {
		t.Errorf("%q keeps its ▁", spaces)
	}
	c := load(t, "unigram").Config()
	rules := *c.Rules
	rules.DummyPrefix, rules.RemoveExtraSpace = false, true
	c.Rules = &rules
	bare, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	if got := load(t, "unigram"); string(got.AppendDecode(nil, got.AppendEncode(nil, []byte("▁▁ a")))) != "a" {
		t.Error("spaces before a text stay, though sentencepiece removes them")
	}
	for _, tok := range []*Tokenizer{bare, reread(t, bare)} {
		if got := tok.AppendDecode(nil, tok.AppendEncode(nil, []byte("▁a the"))); string(got) != "a the" {
			t.Errorf("decoded %q", got)
		}
	}
}

// reread writes a tokenizer as tokenizer.json and reads that.
func reread(t *testing.T, tok *Tokenizer) *Tokenizer {
	t.Helper()
	again, err := ReadJSON(bytes.NewReader(tok.AppendJSON(nil)), "again")
	if err != nil {
		t.Fatal(err)
	}
	return again
}

// TestDefinedPiecesThatNormalizeAway are written so that tokenizers looks for them before it normalizes: in normalized text
// ▁▁▁ would be nothing, which it finds everywhere.
func TestDefinedPiecesThatNormalizeAway(t *testing.T) {
	c := load(t, "unigram_bytes").Config() // of nmt_nfkc_cf, with <sep>
	c.Pieces = append(slices.Clone(c.Pieces), Piece{Text: "▁▁▁", Type: UserDefined}, Piece{Text: "FUNC", Type: UserDefined})
	tok, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	normalized := map[string]bool{}
	for _, a := range reread(t, tok).Config().Added {
		normalized[a.Content] = a.Normalized
	}
	if !normalized["<sep>"] || normalized["▁▁▁"] || normalized["FUNC"] || len(normalized) < 3 {
		t.Errorf("looked for in normalized text: %v", normalized)
	}
}

func TestModelErrors(t *testing.T) {
	model, err := os.ReadFile("testdata/bpe.model")
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"empty": {}, "cut off": model[:1000], "text": []byte("{}"), "no pieces": {0x12, 0}} {
		_, err := ReadModel(bytes.NewReader(data), "x.model")
		var fault *hf.FormatError
		if !errors.As(err, &fault) || fault.File != "x.model" {
			t.Errorf("%s: %v", name, err)
		}
	}
	word := []byte{0x0a, 3, 0x0a, 1, 'a', 0x12, 2, 0x18, 3} // a piece, and model_type WORD
	_, err = ReadModel(bytes.NewReader(word), "x.model")
	var unsupported *hf.UnsupportedError
	if !errors.As(err, &unsupported) || !strings.Contains(err.Error(), "model_type") {
		t.Errorf("model_type: %v", err)
	}
}

func FuzzReadModel(f *testing.F) {
	for _, name := range []string{"bpe_defined", "unigram_bytes"} {
		model, err := os.ReadFile("testdata/" + name + ".model")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(model[len(model)-200:])
		f.Add(model[:3000])
	}
	f.Add([]byte{0x0a, 3, 0x0a, 1, 'a', 0x12, 2, 0x18, 2})
	f.Fuzz(func(t *testing.T, data []byte) {
		tok, err := ReadModel(bytes.NewReader(data), "fuzz")
		if err != nil {
			return
		}
		tok.AppendDecode(nil, tok.AppendEncodeSpecial(nil, []byte("Hello  wörld <s>\x00\xff 123")))
		if _, err := ReadJSON(bytes.NewReader(tok.AppendJSON(nil)), "again"); err != nil && !strings.Contains(err.Error(), "tokenizer: again: ") {
			t.Fatalf("what was written: %v", err)
		}
	})
}

func FuzzReadJSON(f *testing.F) {
	f.Add([]byte(`{"model": {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0], ["▁a", -1.5], ["b", -2]]}, "pre_tokenizer": {"type": "Metaspace", "replacement": "▁"}}`))
	f.Add([]byte(`{"model": {"type": "BPE", "unk_token": "u", "byte_fallback": true, "vocab": {"u": 0, "a": 1, "b": 2, "ab": 3}, "merges": ["a b"]}, "normalizer": {"type": "Prepend", "prepend": "▁"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		tok, err := ReadJSON(bytes.NewReader(data), "fuzz")
		if err != nil {
			return
		}
		tok.AppendDecode(nil, tok.AppendEncodeSpecial(nil, []byte("ab  wörld <s>\x00\xff 123")))
	})
}

// TestSpacesOfReplacements: a charsmap's replacement that begins with a space adds none
// at the beginning of a text (ids of sentencepiece 0.2).
func TestSpacesOfReplacements(t *testing.T) {
	for _, c := range []golden{
		{"unigram_bytes", "¨ a", []int32{260, 208, 140, 266}}, {"unigram_bytes", "  ¨a¨ ", []int32{260, 208, 140, 288, 260, 208, 140}},
		{"unigram_defined", "¨ a", []int32{262, 210, 142, 276}}, {"unigram_defined", "  ¨a¨ ", []int32{262, 210, 142, 284, 262, 210, 142}},
		{"unigram", "  ¨a¨ ", []int32{3, 2, 19, 2}}, {"bpe", "  ¨a¨ ", []int32{543, 543, 543, 197, 171, 545, 197, 171, 543}},
	} {
		if got := load(t, c.Model).AppendEncode(nil, []byte(c.Text)); !slices.Equal(got, c.IDs) {
			t.Errorf("%s: %q is %v, want %v", c.Model, c.Text, got, c.IDs)
		}
	}
}

// TestLongestDefined: of user-defined pieces that begin alike the longest counts,
// wherever it stands.
func TestLongestDefined(t *testing.T) {
	for _, order := range [][]string{{"a", "abc", "ab"}, {"abc", "ab", "a"}, {"ab", "a", "abc"}} {
		c := Config{Rules: &Rules{}, Pieces: []Piece{{Text: "abcd"}}}
		for _, text := range order {
			c.Pieces = append(c.Pieces, Piece{Text: text, Type: UserDefined})
		}
		var m matcher
		if err := m.init(&c); err != nil {
			t.Fatal(err)
		}
		for text, want := range map[string]int{"abcd": 3, "abd": 2, "ad": 1, "ab": 2, "b": 0} {
			if got := m.longest([]byte(text)); got != want {
				t.Errorf("%v: %d bytes of %s, want %d", order, got, text, want)
			}
		}
	}
}

// TestCrossing: a piece crosses words where a mark of a space stands behind another character.
func TestCrossing(t *testing.T) {
	for text, want := range map[string]bool{"": false, "▁": false, "▁▁": false, "▁a": false, "a": false, "éb": false, "a▁": true, "▁a▁b": true, "▁▁é▁": true, "世▁": true, "ab": false} {
		if got := crosses(text); got != want {
			t.Errorf("%q crosses words: %t", text, got)
		}
	}
}

// TestBatches: texts encoded at once are those that are encoded one by one, by any number of workers.
func TestBatches(t *testing.T) {
	tok := load(t, "unigram_bytes")
	var texts [][]byte
	for i := range 37 {
		texts = append(texts, []byte(strings.Repeat("Hello wörld, 12 ", i%5)+strings.Repeat("x", i)))
	}
	for _, workers := range []int{0, 1, 2, 36, 37, 100} {
		for i, got := range tok.EncodeBatch(texts, workers) {
			if want := tok.AppendEncode(nil, texts[i]); !slices.Equal(got, want) || !slices.Equal(tok.EncodeParallel(texts[i], workers), want) {
				t.Fatalf("%d workers: text %d is %v, want %v", workers, i, got, want)
			}
		}
	}
	for a, want := range map[Algorithm]string{BPE: "BPE", Unigram: "unigram"} {
		if a.String() != want {
			t.Errorf("%v, want %s", a, want)
		}
	}
	if tok.Model() != "SentencePiece unigram" || tok.TokenBytes(-1) != nil || tok.TokenBytes(int32(tok.Vocab())) != nil || tok.TokenBytes(int32(tok.Vocab())-1) == nil {
		t.Errorf("%s", tok.Model())
	}
}
