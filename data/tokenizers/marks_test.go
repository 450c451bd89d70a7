package tokenizers

import (
	"context"
	"iter"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/data"
	"example.com/gotrain/data/bpe"
	"example.com/gotrain/data/hf"
	"example.com/gotrain/data/wordpiece"
)

func once(text string) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) { yield([]byte(text), nil) }
}

// TestMarks finds the marks of BERT by roles and by their names; a tokenizer without them has
// one error with its cure.
func TestMarks(t *testing.T) {
	pieces, err := wordpiece.Train(context.Background(), once("the theme, then: don't"), wordpiece.TrainConfig{Vocab: 40, Lowercase: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, roles := range []hf.Roles{wordpiece.Roles(), {}} {
		m, err := MarksOf(pieces, roles, true)
		if want := (Marks{CLS: 2, Sep: 3, Mask: 4, Pad: 0}); err != nil || m != want {
			t.Errorf("%+v: %+v, %v", roles, m, err)
		}
		if ids, kinds := m.Framed(pieces).Row([]int32{9}, []int32{8}); !slices.Equal(ids, []int32{2, 9, 3, 8, 3}) || !slices.Equal(kinds, []int32{0, 0, 0, 1, 1}) {
			t.Errorf("%v of kinds %v", ids, kinds)
		}
	}
	bytes, err := bpe.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := MarksOf(bytes, hf.Roles{}, true); err == nil || !strings.Contains(err.Error(), "the tokenizer has no cls_token ([CLS]), no sep_token ([SEP]), no pad_token ([PAD]), no mask_token ([MASK])") {
		t.Errorf("%v", err)
	}
	added, err := AddSpecial(Opened{Tokenizer: bytes}, []string{"[CLS]", "[SEP]", "[PAD]", "[MASK]"})
	if err != nil {
		t.Fatal(err)
	}
	m, err := MarksOf(added.Tokenizer, hf.Roles{}, true)
	if want := (Marks{CLS: 257, Sep: 258, Mask: 260, Pad: 259}); err != nil || m != want {
		t.Errorf("%+v, %v", m, err)
	}
	if ids, _ := m.Framed(added.Tokenizer).Row([]int32{9}, nil); !slices.Equal(ids, []int32{257, 9, 258}) {
		t.Errorf("%v", ids)
	}
}

// TestContinues: pieces that go on with a word are told from those that begin one.
func TestContinues(t *testing.T) {
	pieces, err := wordpiece.Train(context.Background(), once("then, the theme theme"), wordpiece.TrainConfig{Vocab: 40, Lowercase: true})
	if err != nil {
		t.Fatal(err)
	}
	goes := Continues(pieces)
	for token, want := range map[string]bool{"##e": true, "t": false, "theme": false, ",": false, "[CLS]": false} {
		id, ok := pieces.ID([]byte(token))
		if !ok || goes[id] != want {
			t.Errorf("%q goes on with a word: %t", token, goes[id])
		}
	}
	gpt2, err := Named("gpt2")
	if err != nil {
		t.Fatal(err)
	}
	goes = Continues(gpt2)
	for token, want := range map[string]bool{" the": false, "ing": true, ".": false, "\n": false} {
		if id, ok := gpt2.ID([]byte(token)); !ok || goes[id] != want {
			t.Errorf("%q goes on with a word: %t", token, goes[id])
		}
	}
}

// framed is a tokenizer with a frame of its own.
type framed struct {
	data.Tokenizer
	frame hf.Frame
}

func (f framed) Frame() hf.Frame { return f.frame }

// TestFramed: a tokenizer's own frame stays, be it one token before a text or behind it.
func TestFramed(t *testing.T) {
	m := Marks{CLS: 7, Sep: 8}
	for _, c := range []struct {
		frame hf.Frame
		want  []int32
	}{
		{hf.Frame{}, []int32{7, 1, 8}}, {hf.Frame{Before: []int32{3}}, []int32{3, 1}}, {hf.Frame{After: []int32{4}}, []int32{1, 4}},
		{hf.Frame{Before: []int32{3}, After: []int32{4}}, []int32{3, 1, 4}},
	} {
		if got, _ := m.Framed(framed{nil, c.frame}).Row([]int32{1}, nil); !slices.Equal(got, c.want) {
			t.Errorf("%+v: %v, want %v", c.frame, got, c.want)
		}
	}
}
