package bpe

import (
	"unicode/utf8"
)

// Bytes returns the tokenizer without merges: ids 0 … 255 are the bytes, 256 is EndOfText.
func Bytes() (*Tokenizer, error) { return Characters(nil) }

// Characters returns a character-level tokenizer: Bytes, and then a token for every character of several bytes that text
// holds, in order of appearance, with the tokens of its first two and three bytes where it has more. Its merges build
// single characters only. Characters that text does not hold are encoded as bytes or such beginnings, losslessly.
func Characters(text []byte) (*Tokenizer, error) {
	cfg := Config{Pattern: GPT2, Tokens: make([]string, 257)}
	ids := make(map[string]int32)
	for b := range 256 {
		cfg.Tokens[b] = string([]byte{byte(b)})
		ids[cfg.Tokens[b]] = int32(b)
	}
	cfg.Tokens[256] = EndOfText
	cfg.Added = []AddedToken{{ID: 256, Content: EndOfText, Special: true}}
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		char := text[:size]
		text = text[size:]
		if r == utf8.RuneError && size == 1 {
			continue
		}
		for n := 2; n <= size; n++ {
			if _, ok := ids[string(char[:n])]; ok {
				continue
			}
			cfg.Merges = append(cfg.Merges, Merge{ids[string(char[:n-1])], int32(char[n-1])})
			ids[string(char[:n])] = int32(len(cfg.Tokens))
			cfg.Tokens = append(cfg.Tokens, string(char[:n]))
		}
	}
	return New(cfg)
}
