package tokenizers

import (
	"fmt"

	"gotrain/data"
	"gotrain/data/bpe"
)

// Encoder is a tokenizer as package data wants it: with the token that ends a
// document.
type Encoder struct {
	data.Tokenizer
	end int32
}

// endTokens are the names of the end-of-document token in families of models.
var endTokens = []string{bpe.EndOfText, "<|end_of_text|>", "</s>", "<eos>"}

// NewEncoder finds the tokenizer's end-of-text token.
func NewEncoder(t data.Tokenizer) (Encoder, error) {
	for _, name := range endTokens {
		if id, ok := t.Special(name); ok {
			return Encoder{t, id}, nil
		}
	}
	return Encoder{}, fmt.Errorf("the tokenizer has no end-of-text token; add one of %v as a special token", endTokens)
}

// EndOfText returns the token that ends a document.
func (e Encoder) EndOfText() int32 { return e.end }

// VocabSize returns the number of token ids.
func (e Encoder) VocabSize() int { return e.Vocab() }
