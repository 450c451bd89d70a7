package encode

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"example.com/gotrain/data"
	"example.com/gotrain/data/hf"
	"example.com/gotrain/data/tokenizers"
	"example.com/gotrain/nn"
)

// Texts turns texts into rows for a model.
type Texts struct {
	tokens  data.Tokenizer
	marks   tokenizers.Marks
	frame   hf.Frame
	context int
	mask    string // as it is written in texts
}

// NewTexts returns the Texts of a tokenizer and a model's context. asked tells that texts
// have masks, which a tokenizer may lack.
func NewTexts(t data.Tokenizer, roles hf.Roles, m nn.TextEncoder, asked bool) (*Texts, error) {
	marks, err := tokenizers.MarksOf(t, roles, asked)
	if err != nil {
		return nil, err
	}
	x := TextsOf(t, marks, m.Context())
	if asked {
		x.mask = string(t.TokenBytes(marks.Mask))
	}
	return x, nil
}

// TextsOf is NewTexts without masks for rows of at most context tokens.
func TextsOf(t data.Tokenizer, marks tokenizers.Marks, context int) *Texts {
	return &Texts{tokens: t, marks: marks, frame: marks.Framed(t), context: context}
}

// Marks are the tokens between and in the place of others.
func (t *Texts) Marks() tokenizers.Marks { return t.marks }

// Frame is what stands around texts.
func (t *Texts) Frame() hf.Frame { return t.frame }

// Mask is what stands in a text in the place of a token that is asked for.
func (t *Texts) Mask() string { return t.mask }

// Context is the most tokens of a row.
func (t *Texts) Context() int { return t.context }

// ErrEmpty is that of a text without any token.
var ErrEmpty = errors.New("the text is empty")

// Row is the row of a text, or of two where second is not nil; what does not fit the
// context is cut off the end of the longer one, as transformers' longest_first does. cut
// tells that this was done.
func (t *Texts) Row(first string, second *string) (row Row, cut bool, err error) {
	a := t.tokens.AppendEncodeSpecial(nil, []byte(first))
	var b []int32
	if second != nil {
		b = t.tokens.AppendEncodeSpecial([]int32{}, []byte(*second))
	}
	if len(a) == 0 || second != nil && len(b) == 0 {
		return row, false, ErrEmpty
	}
	over := len(a) + len(b) + t.frame.Around(second != nil) - t.context
	for ; over > 0 && len(a)+len(b) > 0; over-- {
		cut = true
		if len(a) > len(b) {
			a = a[:len(a)-1]
		} else if len(b) > 0 {
			b = b[:len(b)-1]
		}
	}
	row.IDs, row.Kinds = t.frame.Row(a, b)
	return row, cut, nil
}

// Question is the row of a text with masks, all of which are asked for.
func (t *Texts) Question(text string) (Row, error) {
	ids := t.tokens.AppendEncodeSpecial(nil, []byte(text))
	var row Row
	row.IDs, row.Kinds = t.frame.Row(ids, nil)
	for i, id := range row.IDs {
		if id == t.marks.Mask {
			row.Asked = append(row.Asked, int32(i))
		}
	}
	switch {
	case len(row.Asked) == 0:
		return row, fmt.Errorf("%q has no %s: put one where a token is asked for", text, t.mask)
	case len(row.IDs) > t.context:
		return row, fmt.Errorf("the text has %d tokens, more than the model's context of %d", len(row.IDs), t.context)
	}
	return row, nil
}

// Candidate is a token for a mask.
type Candidate struct {
	ID          int32   `json:"id"`
	Token       string  `json:"token"`
	Probability float64 `json:"probability"`
}

// Candidates are the n likeliest tokens of logits, the likeliest first.
func (t *Texts) Candidates(logits []float32, n int) []Candidate {
	p := Probabilities(logits)
	order := make([]int32, 0, len(p))
	for id := range p {
		if id < t.tokens.Vocab() {
			order = append(order, int32(id))
		}
	}
	slices.SortFunc(order, func(a, b int32) int { return cmp.Or(cmp.Compare(p[b], p[a]), cmp.Compare(a, b)) })
	var all []Candidate
	for _, id := range order[:min(n, len(order))] {
		all = append(all, Candidate{id, strings.TrimSpace(string(t.tokens.AppendDecode(nil, []int32{id}))), p[id]})
	}
	return all
}

// Fill puts tokens into the masks of a text, in their order.
func (t *Texts) Fill(text string, tokens []string) string {
	var b strings.Builder
	for _, token := range tokens {
		before, behind, ok := strings.Cut(text, t.mask)
		if !ok {
			break
		}
		if piece, inside := strings.CutPrefix(token, "##"); inside {
			before, token = strings.TrimRight(before, " "), piece
		}
		b.WriteString(before + token)
		text = behind
	}
	return b.String() + text
}
