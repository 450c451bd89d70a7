package data

import (
	"fmt"

	"gotrain/data/bpe"
)

// Encoder is what this package needs of a tokenizer. AppendEncode must be safe for concurrent use.
type Encoder interface {
	// AppendEncode appends the ids of text to dst, without any special tokens, and returns the extended slice.
	// Text may be invalid UTF-8 and may be a part of a longer document, cut at a blank line where there is one.
	AppendEncode(dst []int32, text []byte) []int32
	// VocabSize is one more than the largest id.
	VocabSize() int
	// EndOfText is the id that ends a document.
	EndOfText() int32
	// Fingerprint identifies the mapping from text to ids: equal fingerprints, equal ids.
	Fingerprint() string
}

// TokenByter is an Encoder that knows the bytes behind an id, with which [Eval] counts bytes exactly.
type TokenByter interface {
	// TokenBytes returns the text of id, empty for special tokens. The caller does not modify it.
	TokenBytes(id int32) []byte
}

// endOfTextNames are the usual names of the token that ends a document: GPT-2, Llama 3, Llama 2 and T5, Gemma.
var endOfTextNames = []string{bpe.EndOfText, "<|end_of_text|>", "</s>", "<eos>"}

// BPE makes an Encoder and TokenByter of a tokenizer. endOfText names the special token that ends a document; when it is
// empty, the first of <|endoftext|>, <|end_of_text|>, </s> and <eos> that the tokenizer has does.
func BPE(t *bpe.Tokenizer, endOfText string) (Encoder, error) {
	names := endOfTextNames
	if endOfText != "" {
		names = []string{endOfText}
	}
	for _, name := range names {
		if id, ok := t.Special(name); ok {
			return bpeEncoder{t, id}, nil
		}
	}
	return nil, fmt.Errorf("data: the tokenizer has none of the special tokens %q to end a document with (name the one that it has)", names)
}

type bpeEncoder struct {
	*bpe.Tokenizer
	endOfText int32
}

func (e bpeEncoder) VocabSize() int   { return e.Vocab() }
func (e bpeEncoder) EndOfText() int32 { return e.endOfText }
