package spm

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/data/hf"
)

// message writes a protocol buffer: numbers as varints, float32 in four bytes, texts with
// their length.
func message(fields ...any) []byte {
	var b []byte
	for i := 0; i < len(fields); i += 2 {
		tag := uint64(fields[i].(int)) << 3
		switch v := fields[i+1].(type) {
		case int:
			b = binary.AppendUvarint(binary.AppendUvarint(b, tag|wireVarint), uint64(v))
		case float32:
			b = binary.LittleEndian.AppendUint32(binary.AppendUvarint(b, tag|wireFixed32), math.Float32bits(v))
		case string:
			b = append(binary.AppendUvarint(binary.AppendUvarint(b, tag|wireBytes), uint64(len(v))), v...)
		case []byte:
			b = append(binary.AppendUvarint(binary.AppendUvarint(b, tag|wireBytes), uint64(len(v))), v...)
		}
	}
	return b
}

// TestModelFields reads each field of a tokenizer.model that decides ids, present and
// absent.
func TestModelFields(t *testing.T) {
	pieces := [][]byte{
		message(1, "<unk>", 3, int(Unknown)), message(1, "<s>", 2, float32(0), 3, int(Control)), message(1, "</s>", 3, int(Control)),
		message(1, "▁a", 2, float32(-1.3)), message(1, "b", 2, float32(2.7), 3, int(UserDefined)), message(1, "c", 2, float32(-3.1), 3, int(Unused)),
		message(1, "<0x41>", 3, int(Byte)),
	}
	want := []Piece{{"<unk>", 0, Unknown}, {"<s>", 0, Control}, {"</s>", 0, Control}, {"▁a", float64(float32(-1.3)), Normal},
		{"b", float64(float32(2.7)), UserDefined}, {"c", float64(float32(-3.1)), Unused}, {"<0x41>", 0, Byte}}
	added := []hf.AddedToken{{ID: 0, Content: "<unk>", Special: true}, {ID: 1, Content: "<s>", Special: true}, {ID: 2, Content: "</s>", Special: true}}
	for _, c := range []struct {
		trainer, normalizer []byte
		algorithm           Algorithm
		fallback            bool
		rules               Rules
		before              []int32
	}{
		{nil, nil, Unigram, false, Rules{DummyPrefix: true, RemoveExtraSpace: true}, nil},
		{message(3, 1), message(3, 1, 4, 1, 5, 1), Unigram, false, Rules{DummyPrefix: true, RemoveExtraSpace: true}, nil},
		{message(3, 2), message(3, 0), BPE, false, Rules{RemoveExtraSpace: true}, []int32{1}},
		{message(3, 2, 35, 1), message(4, 0), BPE, true, Rules{DummyPrefix: true}, []int32{1}},
		{message(3, 2, 46, "</s>"), message(5, 0), BPE, false, Rules{DummyPrefix: true, RemoveExtraSpace: true, KeepSpaces: true}, []int32{2}},
		{message(3, 2, 46, "<bos>"), message(3, 0, 4, 0), BPE, false, Rules{}, nil},
	} {
		var fields []any
		for _, p := range pieces {
			fields = append(fields, 1, p)
		}
		if c.trainer != nil {
			fields = append(fields, 2, c.trainer)
		}
		if c.normalizer != nil {
			fields = append(fields, 3, c.normalizer)
		}
		got, err := parseModel(message(fields...))
		if err != nil {
			t.Fatal(err)
		}
		if got.Algorithm != c.algorithm || got.ByteFallback != c.fallback || *got.Rules != c.rules || !slices.Equal(got.Frame.Before, c.before) || got.Frame.After != nil {
			t.Errorf("%+v %+v, frame %v; want %+v", got.Algorithm, *got.Rules, got.Frame, c)
		}
		if !reflect.DeepEqual(got.Pieces, want) || !reflect.DeepEqual(got.Added, added) {
			t.Errorf("pieces %+v, added %+v", got.Pieces, got.Added)
		}
	}
}

// TestJSONKeepsEverything: a tokenizer.json has the numbers and flags of the model to the
// last digit, and gives ids and text of sentencepiece where a tokenizer.json can.
func TestJSONKeepsEverything(t *testing.T) {
	for _, name := range []string{"bpe", "bpe_defined", "unigram", "unigram_bytes", "unigram_defined"} {
		original := load(t, name)
		back := reread(t, original)
		a, b := original.Config(), back.Config()
		for id, p := range a.Pieces {
			if b.Pieces[id].Text != p.Text || a.Algorithm == Unigram && math.Abs(b.Pieces[id].Score-p.Score) > 1e-15*math.Abs(p.Score) {
				t.Errorf("%s: piece %d is %+v, was %+v", name, id, b.Pieces[id], p)
			}
		}
		if b.ByteFallback != a.ByteFallback || b.Algorithm != a.Algorithm || !b.Hub.FuseUnknown || b.Hub.Unknown != original.unknown || b.Hub.IgnoreMerges {
			t.Errorf("%s: %+v, %+v", name, b, b.Hub)
		}
		if !reflect.DeepEqual(a.Frame, b.Frame) {
			t.Errorf("%s: frame %v, was %v", name, b.Frame, a.Frame)
		}
		differ, texts := 0, 0
		for _, g := range goldens(t) {
			if g.Model != name {
				continue
			}
			texts++
			if got := back.AppendEncode(nil, []byte(g.Text)); !slices.Equal(got, g.IDs) {
				differ++
			}
			if name == "bpe" && !strings.Contains(g.Text, space) {
				if got := back.AppendDecode(nil, g.IDs); string(got) != g.Text {
					t.Errorf("%s: %v is %q, want %q", name, g.IDs, got, g.Text)
				}
			}
		}
		if most := map[string]int{"bpe": 0, "bpe_defined": 4, "unigram": 6, "unigram_bytes": 20, "unigram_defined": 23}[name]; differ > most {
			t.Errorf("%s: %d of %d texts have other ids, at most %d may", name, differ, texts, most)
		}
		t.Logf("%s: %d of %d texts", name, differ, texts)
	}
}

// TestDefinedPiecesWin: a user-defined piece is likelier than any other way to spell it,
// whatever score the model has for it.
func TestDefinedPiecesWin(t *testing.T) {
	pieces := []Piece{{"<unk>", 0, Unknown}, {"a", -1, Normal}, {"b", -1, Normal}, {"ab", -50, UserDefined}}
	tok, err := New(Config{Algorithm: Unigram, Pieces: pieces, Rules: &Rules{}})
	if err != nil {
		t.Fatal(err)
	}
	if got := tok.AppendEncode(nil, []byte("aabb")); !slices.Equal(got, []int32{1, 3, 2}) {
		t.Errorf("got %v", got)
	}
}

// TestEqualScores: of pieces with the same score, the best too, the leftmost pair joins
// first, whatever their ids are.
func TestEqualScores(t *testing.T) {
	for _, best := range []float64{-1, -7} {
		pieces := []Piece{{"<unk>", 0, Unknown}, {"a", -9, Normal}, {"b", -9, Normal}, {"c", -9, Normal}, {"bc", best, Normal}, {"ab", best, Normal}, {"ca", best, Normal}}
		if best < -1 {
			pieces = append(pieces, Piece{"zz", -1, Normal})
		}
		tok, err := New(Config{Algorithm: BPE, Pieces: pieces, Rules: &Rules{}})
		if err != nil {
			t.Fatal(err)
		}
		for text, want := range map[string][]int32{"abc": {5, 3}, "bca": {4, 1}, "cab": {6, 2}, "abcab": {5, 6, 2}} {
			if got := tok.AppendEncode(nil, []byte(text)); !slices.Equal(got, want) {
				t.Errorf("%q: %v, want %v", text, got, want)
			}
		}
	}
}

// TestSpansOfUnknown: a run of what no piece spells is one unknown token that stands for
// all of it, and an encoder that has told places encodes without them again.
func TestSpansOfUnknown(t *testing.T) {
	pieces := []Piece{{"<unk>", 0, Unknown}, {"a", -1, Normal}, {"b", -2, Normal}, {"ab", -0.5, Normal}, {"▁", -3, Normal}}
	for _, algorithm := range []Algorithm{BPE, Unigram} {
		tok, err := New(Config{Algorithm: algorithm, Pieces: pieces, Rules: &Rules{}})
		if err != nil {
			t.Fatal(err)
		}
		for text, want := range map[string]struct {
			ids  []int32
			ends []int // of the tokens; each begins where the one before it ends
		}{
			"ab日本b":      {[]int32{3, 0, 2}, []int{2, 8, 9}},
			"xyza":       {[]int32{0, 1}, []int{3, 4}},
			"axbyzab":    {[]int32{1, 0, 2, 0, 3}, []int{1, 2, 3, 5, 7}},
			"éé":         {[]int32{0}, []int{4}},
			"ab a":       {[]int32{3, 4, 1}, []int{2, 3, 4}},
			"x y":        {[]int32{0, 4, 0}, []int{1, 2, 3}},
			"xxxxabxx😀a": {[]int32{0, 3, 0, 1}, []int{4, 6, 12, 13}},
		} {
			ids, spans := tok.EncodeSpans([]byte(text), nil)
			spelled, begin := []hf.Span{}, 0
			for _, end := range want.ends {
				spelled = append(spelled, hf.Span{Begin: begin, End: end})
				begin = end
			}
			if !slices.Equal(ids, want.ids) || !slices.Equal(spans, spelled) {
				t.Errorf("%v, %q: %v at %v, want %v at %v", algorithm, text, ids, spans, want.ids, spelled)
			}
			if got := tok.AppendEncode(nil, []byte(text)); !slices.Equal(got, want.ids) {
				t.Errorf("%v, %q: %v, want %v", algorithm, text, got, want.ids)
			}
		}
	}
}

// TestScoresOrder: the best score joins first, wherever its piece stands in the file.
func TestScoresOrder(t *testing.T) {
	pieces := []Piece{{"<unk>", 0, Unknown}, {"a", -9, Normal}, {"b", -9, Normal}, {"c", -9, Normal}, {"ab", -5, Normal}, {"bc", -3, Normal}, {"ca", -4, Normal}, {"bca", -2, Normal}}
	tok, err := New(Config{Algorithm: BPE, Pieces: pieces, Rules: &Rules{}})
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string][]int32{"abc": {1, 5}, "cab": {6, 2}, "abca": {1, 7}, "bcab": {7, 2}, "cabc": {6, 5}} {
		if got := tok.AppendEncode(nil, []byte(text)); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

// TestContinuingPrefix: inside a word characters have the prefix, which what they join to
// has only once.
func TestContinuingPrefix(t *testing.T) {
	const file = `{"model": {"type": "BPE", "unk_token": null, "continuing_subword_prefix": "##", "vocab": {"a": 0, "##b": 1, "##c": 2, "ab": 3, "##bc": 4, "abc": 5},
		"merges": [["##b", "##c"], ["a", "##b"], ["a", "##bc"]]}, "pre_tokenizer": {"type": "Whitespace"}, "added_tokens": []}`
	tok, err := ReadJSON(strings.NewReader(file), "")
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string][]int32{"abc": {5}, "ab": {3}, "a abc ac": {0, 5, 0, 2}} {
		if got := tok.AppendEncode(nil, []byte(text)); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
	if again, err := ReadJSON(bytes.NewReader(tok.AppendJSON(nil)), ""); err != nil || again.Fingerprint() != tok.Fingerprint() {
		t.Errorf("written and read again: %v", err)
	}
}

// TestScoresLikeSerde: a score is read as serde_json reads it, by its digits and one
// division.
func TestScoresLikeSerde(t *testing.T) {
	for text, want := range map[string]float64{
		"-1.5": -1.5, "0": 0, "-7": -7, "1e-3": 1e-3, "-10.05189800262451": -1005189800262451e0 / 1e14, "-2.553754553082336": -2553754553082336e0 / 1e15,
	} {
		var got float64
		if !parseScore(text, &got) || got != want {
			t.Errorf("%s is %v, want %v", text, got, want)
		}
	}
	differ := 0
	for i := range 1000 {
		var got float64
		text := "-" + string([]byte{'1' + byte(i%9), '.'}) + strings.Repeat("7", 3) + string([]byte{'0' + byte(i/100%10), '0' + byte(i/10%10), '0' + byte(i%10)}) + "123456789"
		if !parseScore(text, &got) {
			t.Fatal(text)
		}
		digits := strings.Replace(text[1:], ".", "", 1)
		whole := 0.0
		for _, d := range digits {
			whole = 10*whole + float64(d-'0') // exact below 2⁵³
		}
		if got != -whole/1e15 {
			differ++
		}
	}
	if differ > 0 {
		t.Errorf("%d scores differ", differ)
	}
}

// TestUnknownIsAPiece: unk_id is one of the pieces, the last one too.
func TestUnknownIsAPiece(t *testing.T) {
	for id, good := range map[int]bool{-1: false, 0: true, 2: true, 3: false, 1 << 40: false} {
		file := fmt.Sprintf(`{"model": {"type": "Unigram", "unk_id": %d, "vocab": [["<unk>", 0], ["▁a", -1.5], ["b", -2]]}, "pre_tokenizer": {"type": "Metaspace", "replacement": "▁"}}`, id)
		tok, err := ReadJSON(strings.NewReader(file), "")
		if good != (err == nil) || err != nil && !strings.Contains(err.Error(), "unk_id") {
			t.Errorf("unk_id %d: %v", id, err)
		}
		if good {
			if got := tok.AppendEncode(nil, []byte("q")); !slices.Contains(got, int32(id)) {
				t.Errorf("unk_id %d: %v", id, got)
			}
		}
	}
}
