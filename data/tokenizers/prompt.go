package tokenizers

import (
	"errors"
	"slices"
	"strings"
	"unicode"

	"example.com/gotrain/data"
)

// ErrNoBegin says that a text has no token to begin from: give a prompt.
var ErrNoBegin = errors.New("the text is empty, and the model has no token that texts begin with")

// Prompts turns prompts into tokens as the tokenizers of transformers do when they are called: special tokens that a text
// spells are found, and before it stands what the tokenizer puts there, such as BOS.
type Prompts struct {
	Tokens data.Tokenizer
	Before []int32 // put before a text
	Empty  []int32 // what an empty text begins from where Before is empty: BOS, else EOS, at most one
}

// Encode returns the tokens of a prompt, at least one.
func (p Prompts) Encode(text string) ([]int32, error) {
	ids := p.Tokens.AppendEncodeSpecial(slices.Clone(p.Before), []byte(text))
	if len(ids) == 0 {
		if ids = slices.Clone(p.Empty); len(ids) == 0 {
			return nil, ErrNoBegin
		}
	}
	return ids, nil
}

// Doubled says whether a prompt spells the token that is put before it.
func (p Prompts) Doubled(text string) bool {
	if len(p.Before) == 0 {
		return false
	}
	first := string(p.Tokens.TokenBytes(p.Before[len(p.Before)-1]))
	return first != "" && strings.HasPrefix(text, first)
}

// Pair returns the tokens of a prompt and of a completion of it, as lm-evaluation-harness has them: white space at the end of
// the prompt counts to the completion, the tokens are those of both together, and what is put before a text that spells it is
// not put there again. Where a token would lie on both sides of the border, each is encoded by itself.
func (p Prompts) Pair(prompt, completion string) (before, after []int32, err error) {
	text := strings.TrimRightFunc(prompt, isSpace)
	completion = prompt[len(text):] + completion
	put := p.Before
	if p.Doubled(text + completion) {
		put = nil
	}
	whole := p.Tokens.AppendEncodeSpecial(slices.Clone(put), []byte(text+completion))
	if text == "" {
		n := len(put)
		switch {
		case n > 0:
		case len(p.Before) > 0: // the completion spells it
			n = 1
		case len(p.Empty) == 0:
			return nil, nil, ErrNoBegin
		case len(whole) > 1 && whole[0] == p.Empty[0]:
			n = 1
		default:
			return slices.Clone(p.Empty), whole, nil
		}
		return whole[:n:n], whole[n:], nil
	}
	before = p.Tokens.AppendEncodeSpecial(slices.Clone(put), []byte(text))
	if n := len(before); n < len(whole) && slices.Equal(whole[:n], before) {
		return before, whole[n:], nil
	}
	return before, p.Tokens.AppendEncodeSpecial(nil, []byte(completion)), nil
}

// isSpace is what Python's str.rstrip takes off.
func isSpace(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }
