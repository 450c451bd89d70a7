package spm

import (
	"encoding/json"
	"io"
	"math"
	"strconv"
	"strings"

	"example.com/gotrain/data/hf"
)

// ReadJSON reads a tokenizer.json; name stands for the source in errors.
func ReadJSON(r io.Reader, name string) (*Tokenizer, error) {
	doc, err := hf.ReadDocument(r)
	if err != nil {
		return nil, hf.InFile(err, name)
	}
	t, err := FromDocument(doc)
	return t, hf.InFile(err, name)
}

// FromDocument makes the tokenizer of a tokenizer.json whose model is Unigram, or BPE that does not spell bytes as
// ByteLevel does. What would alter ids and is not known is an *hf.UnsupportedError.
func FromDocument(doc *hf.Document) (*Tokenizer, error) {
	kind, err := doc.ModelType()
	if err != nil {
		return nil, err
	}
	c := Config{Hub: &Hub{Unknown: -1}}
	switch kind {
	case "BPE":
		err = c.readBPE(doc)
	case "Unigram":
		err = c.readUnigram(doc)
	default:
		err = &hf.UnsupportedError{What: "model", Value: kind, Cure: "known are BPE and Unigram"}
	}
	if err != nil {
		return nil, err
	}
	if c.Hub.Normalizer, err = hf.ParseNormalizer(doc.Normalizer); err != nil {
		return nil, err
	}
	if c.Hub.PreTokenizer, err = hf.ParsePreTokenizer(doc.PreTokenizer, false, nil); err != nil {
		return nil, err
	}
	if c.Hub.Decoder, err = hf.ParseDecoder(doc.Decoder); err != nil {
		return nil, err
	}
	if c.Frame, err = hf.ParseFrame(doc.PostProcessor); err != nil {
		return nil, err
	}
	if c.Added, err = doc.AddedTokens(c.vocabulary()); err != nil {
		return nil, err
	}
	return New(c)
}

// vocabulary tells the ids of pieces, and how many there are.
func (c *Config) vocabulary() (func(string) (int64, bool), int) {
	ids := make(map[string]int64, len(c.Pieces))
	for id, p := range c.Pieces {
		if p.Text != "" || c.Algorithm == Unigram {
			ids[p.Text] = int64(id)
		}
	}
	entries := len(ids)
	if c.Algorithm == Unigram {
		entries = len(c.Pieces)
	}
	return func(text string) (int64, bool) { id, ok := ids[text]; return id, ok }, entries
}

// A bpeJSON is a model of type BPE.
type bpeJSON struct {
	Dropout      *float64         `json:"dropout"`
	Unknown      *string          `json:"unk_token"`
	Prefix       string           `json:"continuing_subword_prefix"`
	Suffix       string           `json:"end_of_word_suffix"`
	FuseUnknown  bool             `json:"fuse_unk"`
	ByteFallback bool             `json:"byte_fallback"`
	IgnoreMerges bool             `json:"ignore_merges"`
	Vocab        map[string]int64 `json:"vocab"`
	Merges       []hf.Merge       `json:"merges"`
}

func (c *Config) readBPE(doc *hf.Document) error {
	var m bpeJSON
	if err := doc.DecodeModel(&m); err != nil {
		return err
	}
	switch {
	case m.Dropout != nil && *m.Dropout != 0:
		return &hf.UnsupportedError{What: "model.dropout", Value: strconv.FormatFloat(*m.Dropout, 'g', -1, 64), Cure: "set it to null"}
	}
	c.Algorithm, c.ByteFallback = BPE, m.ByteFallback
	c.Hub.FuseUnknown, c.Hub.IgnoreMerges = m.FuseUnknown, m.IgnoreMerges
	c.Hub.Continuing, c.Hub.Suffix = m.Prefix, m.Suffix
	size := int64(0)
	for piece, id := range m.Vocab {
		if id < 0 || id >= hf.MaxVocab {
			return hf.Faultf("model.vocab["+hf.Quote(piece)+"]", "id %d is outside 0 … %d", id, hf.MaxVocab-1)
		}
		size = max(size, id+1)
	}
	c.Pieces = make([]Piece, size)
	for piece, id := range m.Vocab {
		if piece == "" {
			return hf.Faultf("model.vocab", "id %d is empty", id)
		}
		if other := c.Pieces[id].Text; other != "" {
			return hf.Faultf("model.vocab["+hf.Quote(max(piece, other))+"]", "id %d is %s too", id, hf.Quote(min(piece, other)))
		}
		c.Pieces[id] = Piece{Text: piece, Type: Normal}
	}
	if m.Unknown != nil {
		id, ok := m.Vocab[*m.Unknown]
		if !ok {
			return hf.Faultf("model.unk_token", "%s is not in model.vocab", hf.Quote(*m.Unknown))
		}
		c.Hub.Unknown = int32(id)
	}
	for i, merge := range m.Merges {
		left, ok := m.Vocab[merge.Left]
		right, ok2 := m.Vocab[merge.Right]
		if !ok || !ok2 {
			return hf.Faultf("model.merges["+strconv.Itoa(i)+"]", "%s or %s is not in model.vocab", hf.Quote(merge.Left), hf.Quote(merge.Right))
		}
		c.Hub.Merges = append(c.Hub.Merges, Merge{int32(left), int32(right)})
	}
	return nil
}

// A scoredJSON is a piece of a model of type Unigram: ["▁the", -3.5].
type scoredJSON struct {
	text  string
	score float64
}

func (s *scoredJSON) UnmarshalJSON(data []byte) error {
	var pair []json.RawMessage
	if err := json.Unmarshal(data, &pair); err != nil {
		return err
	}
	if len(pair) != 2 || json.Unmarshal(pair[0], &s.text) != nil || !parseScore(string(pair[1]), &s.score) {
		return hf.Faultf("model.vocab", "%s is not a piece and its score", hf.Quote(string(data)))
	}
	return nil
}

// parseScore reads a number as serde_json does, on which tokenizers relies: the digits as one whole number, rounded, and
// then divided by a power of ten. The last bit decides between segmentations that are about as likely.
func parseScore(text string, score *float64) bool {
	exact, err := strconv.ParseFloat(text, 64)
	*score = exact
	whole, fraction, point := strings.Cut(strings.TrimPrefix(text, "-"), ".")
	if digits, err := strconv.ParseUint(whole+fraction, 10, 64); err == nil && point && len(fraction) <= 22 {
		*score = math.Copysign(float64(digits)/math.Pow10(len(fraction)), exact)
	}
	return err == nil
}

func (c *Config) readUnigram(doc *hf.Document) error {
	var m struct {
		Unknown      *int64       `json:"unk_id"`
		ByteFallback bool         `json:"byte_fallback"`
		Vocab        []scoredJSON `json:"vocab"`
	}
	if err := doc.DecodeModel(&m); err != nil {
		return err
	}
	c.Algorithm, c.ByteFallback = Unigram, m.ByteFallback
	c.Hub.FuseUnknown = true
	for _, s := range m.Vocab {
		c.Pieces = append(c.Pieces, Piece{Text: s.text, Score: s.score, Type: Normal})
	}
	if m.Unknown != nil {
		if *m.Unknown < 0 || *m.Unknown >= int64(len(m.Vocab)) {
			return hf.Faultf("model.unk_id", "%d is no piece", *m.Unknown)
		}
		c.Hub.Unknown = int32(*m.Unknown)
	}
	return nil
}
