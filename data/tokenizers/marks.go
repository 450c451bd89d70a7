package tokenizers

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"example.com/gotrain/data"
	"example.com/gotrain/data/hf"
)

// Marks are the tokens with which models that read a text from both sides are asked.
type Marks struct {
	CLS, Sep int32 // before the first text of a row, behind each
	Mask     int32 // in the place of a token that is asked for
	Pad      int32 // behind the last text of a row
}

// markNames are what families of models call the marks, for tokenizers of which no file
// says it.
var markNames = map[string][]string{
	"cls_token": {"[CLS]", "<s>"}, "sep_token": {"[SEP]", "</s>"}, "mask_token": {"[MASK]", "<mask>"}, "pad_token": {"[PAD]", "<pad>"},
}

// MarksOf finds the marks of t: those that roles name, else special tokens that families of
// models call so. A tokenizer without a mask token is fine unless asked tells that masks are
// put into texts.
func MarksOf(t data.Tokenizer, roles hf.Roles, asked bool) (m Marks, err error) {
	var lacks []string
	find := func(role string) int32 {
		if id, ok := t.Special(roles.Tokens()[role]); ok {
			return id
		}
		for _, name := range markNames[role] {
			if id, ok := t.Special(name); ok {
				return id
			}
		}
		lacks = append(lacks, fmt.Sprintf("%s (%s)", role, markNames[role][0]))
		return -1
	}
	m = Marks{CLS: find("cls_token"), Sep: find("sep_token"), Pad: find("pad_token")}
	if asked {
		m.Mask = find("mask_token")
	}
	if len(lacks) == 0 {
		return m, nil
	}
	return m, fmt.Errorf("the tokenizer has no %s: models that read a text from both sides need it; use tokenizer.kind wordpiece, or name it in tokenizer.add_special_tokens", strings.Join(lacks, ", no "))
}

// Framed is the frame in which such a model reads texts: that of the tokenizer, or BERT's
// where it has none.
func (m Marks) Framed(t data.Tokenizer) hf.Frame {
	if f := t.Frame(); len(f.Before)+len(f.After) > 0 {
		return f
	}
	return hf.Frame{Before: []int32{m.CLS}, After: []int32{m.Sep}, Pair: hf.BertPair(m.CLS, m.Sep)}
}

// Continues tells for each token of t whether it goes on with the word before it: whether
// its text begins with a letter, a digit or a part of a character, and not with a space.
func Continues(t data.Tokenizer) []bool {
	all := make([]bool, t.Vocab())
	special := map[int32]bool{}
	for _, s := range t.Specials() {
		special[s.ID] = true
	}
	for id := range all {
		text := t.TokenBytes(int32(id))
		all[id] = len(text) > 0 && !special[int32(id)] && continues(text)
	}
	return all
}

func continues(text []byte) bool {
	r, _ := utf8.DecodeRune(text)
	return r == utf8.RuneError || unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r)
}
