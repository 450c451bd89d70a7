package spm

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"gotrain/data/hf"
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
	if err = c.Hub.readPreTokenizer(doc.PreTokenizer); err != nil {
		return nil, err
	}
	if c.Hub.StripPrefix, err = stripsPrefix(doc.Decoder); err != nil {
		return nil, err
	}
	if c.Frame, err = hf.ParseFrame(doc.PostProcessor); err != nil {
		return nil, err
	}
	if c.Added, err = doc.AddedTokens(); err != nil {
		return nil, err
	}
	return New(c)
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
	case m.Prefix != "" || m.Suffix != "":
		return &hf.UnsupportedError{What: "model.continuing_subword_prefix or end_of_word_suffix", Value: m.Prefix + m.Suffix, Cure: "SentencePiece models have none"}
	}
	c.Algorithm, c.ByteFallback = BPE, m.ByteFallback
	c.Hub.FuseUnknown, c.Hub.IgnoreMerges = m.FuseUnknown, m.IgnoreMerges
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
			return hf.Faultf("model.vocab["+hf.Quote(piece)+"]", "id %d is %s too", id, hf.Quote(other))
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

// A stepJSON is one element of a pre_tokenizer or decoder.
type stepJSON struct {
	Type           string         `json:"type"`
	PreTokenizers  []stepJSON     `json:"pretokenizers"`
	Decoders       []stepJSON     `json:"decoders"`
	Replacement    string         `json:"replacement"`
	PrependScheme  string         `json:"prepend_scheme"`
	AddPrefixSpace *bool          `json:"add_prefix_space"`
	Split          *bool          `json:"split"`
	Content        string         `json:"content"`
	Start          int            `json:"start"`
	Pattern        hf.PatternJSON `json:"pattern"`
}

// scheme returns when a Metaspace puts a ▁ before text.
func (s stepJSON) scheme() string {
	switch {
	case s.PrependScheme != "":
		return s.PrependScheme
	case s.AddPrefixSpace != nil && !*s.AddPrefixSpace:
		return "never"
	}
	return "always"
}

// readPreTokenizer reads nothing, Metaspace, WhitespaceSplit, both, or a Split at the spaces that the normalizer has
// turned into ▁.
func (h *Hub) readPreTokenizer(raw json.RawMessage) error {
	const key = "pre_tokenizer"
	if hf.IsNull(raw) {
		return nil
	}
	var s stepJSON
	if err := hf.DecodeStep(raw, key, &s); err != nil {
		return err
	}
	list := []stepJSON{s}
	if s.Type == "Sequence" {
		list = s.PreTokenizers
	}
	for _, s := range list {
		switch {
		case s.Type == "WhitespaceSplit" && !h.PreTokenizer.Metaspace:
			h.PreTokenizer.Whitespace = true
		case s.Type == "Metaspace" && s.Replacement == space && !h.PreTokenizer.Metaspace:
			h.PreTokenizer.Metaspace = true
			h.PreTokenizer.Split = s.Split == nil || *s.Split
			switch h.PreTokenizer.Prepend = s.scheme(); h.PreTokenizer.Prepend {
			case "always", "first", "never":
			default:
				return &hf.UnsupportedError{What: key + ".prepend_scheme", Value: s.PrependScheme, Cure: "known are always, first and never"}
			}
		case s.Type == "Split" && s.Pattern.Text() == " " && !bytes.Contains(h.Normalizer.Apply([]byte("a b")), []byte(" ")):
		default:
			return &hf.UnsupportedError{What: key, Value: strings.TrimSuffix(s.Type+" "+s.Pattern.Text()+s.Replacement, " "),
				Cure: "SentencePiece models have Metaspace with ▁, WhitespaceSplit, or none"}
		}
	}
	return nil
}

// stripsPrefix reads a decoder: whether it drops the first space. All else that decoders of SentencePiece models do is
// done here without being told.
func stripsPrefix(raw json.RawMessage) (bool, error) {
	if hf.IsNull(raw) {
		return false, nil
	}
	var s stepJSON
	if err := hf.DecodeStep(raw, "decoder", &s); err != nil {
		return false, err
	}
	list := []stepJSON{s}
	if s.Type == "Sequence" {
		list = s.Decoders
	}
	strips := false
	for _, s := range list {
		switch {
		case s.Type == "Metaspace":
			strips = s.scheme() != "never"
		case s.Type == "Strip" && s.Content == " ":
			strips = s.Start > 0
		case s.Type == "ByteFallback" || s.Type == "Fuse" || s.Type == "Replace" && s.Pattern.Text() == space:
		default:
			return false, &hf.UnsupportedError{What: "decoder", Value: s.Type, Cure: fmt.Sprintf("SentencePiece models have Metaspace, or Replace of %s, ByteFallback, Fuse and Strip", space)}
		}
	}
	return strips, nil
}
