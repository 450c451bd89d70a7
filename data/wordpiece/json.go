package wordpiece

import (
	"example.com/gotrain/data/hf"
)

// A modelJSON is a model of type WordPiece or WordLevel.
type modelJSON struct {
	Unknown  string           `json:"unk_token"`
	Prefix   *string          `json:"continuing_subword_prefix"`
	MaxChars *int             `json:"max_input_chars_per_word"`
	Vocab    map[string]int64 `json:"vocab"`
}

// FromDocument makes the tokenizer of a tokenizer.json whose model is WordPiece or WordLevel. What would alter ids and is not
// known is an *hf.UnsupportedError.
func FromDocument(doc *hf.Document) (*Tokenizer, error) {
	kind, err := doc.ModelType()
	if err != nil {
		return nil, err
	}
	if kind != "WordPiece" && kind != "WordLevel" {
		return nil, &hf.UnsupportedError{What: "model", Value: kind, Cure: "known are WordPiece and WordLevel"}
	}
	var m modelJSON
	if err := doc.DecodeModel(&m); err != nil {
		return nil, err
	}
	c := Config{Whole: kind == "WordLevel", Prefix: "##", MaxChars: 100}
	if m.Prefix != nil {
		c.Prefix = *m.Prefix
	}
	if m.MaxChars != nil {
		c.MaxChars = *m.MaxChars
	}
	size := int64(0)
	for piece, id := range m.Vocab {
		if id < 0 || id >= hf.MaxVocab {
			return nil, hf.Faultf("model.vocab["+hf.Quote(piece)+"]", "id %d is outside 0 … %d", id, hf.MaxVocab-1)
		}
		size = max(size, id+1)
	}
	c.Pieces = make([]string, size)
	for piece, id := range m.Vocab {
		if piece == "" {
			return nil, hf.Faultf("model.vocab", "id %d is empty", id)
		}
		if other := c.Pieces[id]; other != "" {
			return nil, hf.Faultf("model.vocab["+hf.Quote(max(piece, other))+"]", "id %d is %s too", id, hf.Quote(min(piece, other)))
		}
		c.Pieces[id] = piece
	}
	unknown, ok := m.Vocab[m.Unknown]
	if !ok {
		return nil, hf.Faultf("model.unk_token", "%s is not in model.vocab", hf.Quote(m.Unknown))
	}
	c.Unknown = int32(unknown)
	if c.Normalizer, err = hf.ParseNormalizer(doc.Normalizer); err != nil {
		return nil, err
	}
	if c.PreTokenizer, err = hf.ParsePreTokenizer(doc.PreTokenizer, false, nil); err != nil {
		return nil, err
	}
	if c.Decoder, err = hf.ParseDecoder(doc.Decoder); err != nil {
		return nil, err
	}
	if c.Frame, err = hf.ParseFrame(doc.PostProcessor); err != nil {
		return nil, err
	}
	if c.Added, err = doc.AddedTokens(func(text string) (int64, bool) { id, ok := m.Vocab[text]; return id, ok }, len(m.Vocab)); err != nil {
		return nil, err
	}
	return New(c)
}
