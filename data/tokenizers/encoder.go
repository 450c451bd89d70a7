package tokenizers

import (
	"fmt"

	"example.com/gotrain/data"
	"example.com/gotrain/data/bpe"
	"example.com/gotrain/data/hf"
)

// Encoder is a tokenizer as package data wants it: with the tokens that begin and end a document.
type Encoder struct {
	data.Tokenizer
	begin []int32
	end   int32
}

// NewEncoder returns a tokenizer whose documents begin with begin, which may be empty, and end with end.
func NewEncoder(t data.Tokenizer, begin []int32, end int32) Encoder { return Encoder{t, begin, end} }

// BeginOfText returns the tokens that begin a document, none as a rule.
func (e Encoder) BeginOfText() []int32 { return e.begin }

// EndOfText returns the token that ends a document.
func (e Encoder) EndOfText() int32 { return e.end }

// VocabSize returns the number of token ids.
func (e Encoder) VocabSize() int { return e.Vocab() }

// endTokens are what families of models call the token that ends a text, for tokenizers of which no file says it.
var endTokens = []string{bpe.EndOfText, "<|end_of_text|>", "</s>", "<eos>"}

// EndOfText returns the token that ends a text: the eos_token of roles; else the first of ids that is a token, which other
// files of a model name; else the special token of t that a family of models calls so.
func EndOfText(t data.Tokenizer, roles hf.Roles, ids ...int) (int32, error) {
	if id, ok := t.ID([]byte(roles.EOS)); ok && roles.EOS != "" {
		return id, nil
	}
	for _, id := range ids {
		if t.TokenBytes(int32(id)) != nil {
			return int32(id), nil
		}
	}
	for _, name := range endTokens {
		if id, ok := t.Special(name); ok {
			return id, nil
		}
	}
	return 0, fmt.Errorf("the tokenizer has no end-of-text token: name one as eos_token in its tokenizer_config.json, or add one of %v as a special token", endTokens)
}

// RolesOf returns the roles of t's tokens that a file said, without those that t has not; where none said which token ends a
// text, it is one that a family of models calls so. Of a tokenizer of which no file says anything, texts begin with that too.
// context is the longest sequence in tokens, 0 for no limit.
func RolesOf(t data.Tokenizer, said hf.Roles, context int) hf.Roles {
	roles := said.Only(func(content string) bool { _, ok := t.Special(content); return ok })
	roles.MaxLength = context
	if roles.EOS != "" {
		return roles
	}
	if id, err := EndOfText(t, hf.Roles{}); err == nil {
		roles.EOS = string(t.TokenBytes(id))
		if len(said.Tokens()) == 0 {
			roles.BOS = roles.EOS
		}
	}
	return roles
}
