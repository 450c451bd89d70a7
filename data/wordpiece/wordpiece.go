// Package wordpiece tokenizes by a list of words and of parts of words, as BERT does (WordPiece), or of words alone
// (WordLevel), and gives the ids of Hugging Face tokenizers.
//
// A word, as the pre-tokenizer cuts it, becomes the longest piece that it begins with, then the longest that the rest begins
// with, which is spelled with the prefix ##, and so on; if the rest begins with none, the whole word is the unknown token (Wu
// et al. 2016, arXiv:1609.08144; Devlin et al. 2019, arXiv:1810.04805).
//
// The types in reading order: Config and Tokenizer; FromDocument for tokenizer.json. A Tokenizer is immutable and safe for
// concurrent use. Errors are *hf.FormatError and *hf.UnsupportedError; nothing here prints or panics on input.
package wordpiece

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"sync"
	"unicode/utf8"

	"example.com/gotrain/data/hf"
)

// A Config is the whole definition of a Tokenizer.
type Config struct {
	// Pieces by id; "" for an id that is unused.
	Pieces []string
	// Unknown is the id of the token for a word that no pieces spell.
	Unknown int32
	// Whole takes words as they are and looks for no parts of them (WordLevel).
	Whole bool
	// Prefix marks pieces that begin inside a word: ##.
	Prefix string
	// MaxChars is the longest word, in characters, that is looked at; a longer one is unknown.
	MaxChars int

	Normalizer   hf.Normalizer
	PreTokenizer hf.PreTokenizer
	Decoder      hf.Decoder
	Added        []hf.AddedToken
	Frame        hf.Frame
}

// A Tokenizer turns text into ids and back. Make one with New or FromDocument.
type Tokenizer struct {
	cfg         Config
	ids         map[string]int32
	texts       [][]byte // what each id adds to a text
	special     map[string]int32
	added       map[int32]string
	longest     int // piece, in bytes
	segments    *hf.Segmenter
	fingerprint func() string
}

// New checks cfg and builds its Tokenizer. The slices of cfg must not be changed afterwards.
func New(cfg Config) (*Tokenizer, error) {
	t := &Tokenizer{cfg: cfg, ids: make(map[string]int32, len(cfg.Pieces)), special: map[string]int32{}, added: map[int32]string{}}
	switch {
	case len(cfg.Pieces) > hf.MaxVocab:
		return nil, hf.Faultf("Pieces", "%d, more than %d", len(cfg.Pieces), hf.MaxVocab)
	case uint(cfg.Unknown) >= uint(len(cfg.Pieces)) || cfg.Pieces[cfg.Unknown] == "":
		return nil, hf.Faultf("Unknown", "id %d is no piece", cfg.Unknown)
	case !cfg.Whole && cfg.MaxChars < 1:
		return nil, hf.Faultf("MaxChars", "%d; use 1 or more", cfg.MaxChars)
	}
	size := len(cfg.Pieces)
	for _, a := range cfg.Added {
		if a.ID < 0 || a.ID >= hf.MaxVocab || a.Content == "" {
			return nil, hf.Faultf("Added", "token %s with id %d; ids are 0 … %d, texts not empty", hf.Quote(a.Content), a.ID, hf.MaxVocab-1)
		}
		size = max(size, int(a.ID)+1)
	}
	t.texts = make([][]byte, size)
	for id, piece := range cfg.Pieces {
		if piece == "" {
			continue
		}
		if other, ok := t.ids[piece]; ok {
			return nil, hf.Faultf("Pieces", "ids %d and %d are both %s", other, id, hf.Quote(piece))
		}
		t.ids[piece], t.texts[id] = int32(id), cfg.Decoder.Token(piece)
		t.longest = max(t.longest, len(piece))
	}
	for _, a := range cfg.Added {
		t.added[a.ID], t.texts[a.ID] = a.Content, cfg.Decoder.Token(a.Content)
		if a.Special {
			t.special[a.Content], t.texts[a.ID] = a.ID, []byte(a.Content)
		}
	}
	if err := cfg.Frame.Check(size); err != nil {
		return nil, err
	}
	t.segments = hf.NewSegmenter(cfg.Added, cfg.Normalizer)
	t.fingerprint = sync.OnceValue(func() string {
		sum := sha256.Sum256(t.AppendJSON([]byte("gotrain wordpiece 1\n")))
		return hex.EncodeToString(sum[:])
	})
	return t, nil
}

// Config returns the definition of t. Its slices are shared: do not change them.
func (t *Tokenizer) Config() Config { return t.cfg }

// Model names the kind of tokenizer in words.
func (t *Tokenizer) Model() string {
	if t.cfg.Whole {
		return "WordLevel"
	}
	return "WordPiece"
}

// Vocab returns one more than the largest id.
func (t *Tokenizer) Vocab() int { return len(t.texts) }

// TokenBytes returns what a token adds to a text in the middle of it, nil for an id that is unused or out of range.
func (t *Tokenizer) TokenBytes(id int32) []byte {
	if uint(id) >= uint(len(t.texts)) {
		return nil
	}
	return t.texts[id]
}

// ID returns the id of the token that is spelled so.
func (t *Tokenizer) ID(token []byte) (int32, bool) {
	if id, ok := t.ids[string(token)]; ok {
		return id, true
	}
	return hf.AddedID(t.cfg.Added, token)
}

// Special returns the id of a special token by its content, such as [SEP].
func (t *Tokenizer) Special(content string) (int32, bool) {
	id, ok := t.special[content]
	return id, ok
}

// Specials returns the special tokens in order of id.
func (t *Tokenizer) Specials() []hf.AddedToken {
	return hf.Specials(t.cfg.Added)
}

// Frame returns the special tokens that the original puts before and behind a text.
func (t *Tokenizer) Frame() hf.Frame { return t.cfg.Frame }

// Fingerprint returns a hash, in hexadecimal, of all that decides ids.
func (t *Tokenizer) Fingerprint() string { return t.fingerprint() }

// ConfigJSON returns the content of tokenizer_config.json. Roles that are not special tokens of t are an error.
func (t *Tokenizer) ConfigJSON(r hf.Roles) ([]byte, error) {
	for _, p := range t.cfg.Frame.Pair {
		r.Kinds = r.Kinds || p.Kind > 0
	}
	return hf.ConfigJSON(t.cfg.Added, r)
}

// AppendEncode appends the ids of text, without a frame; special tokens are not recognised in it.
func (t *Tokenizer) AppendEncode(dst []int32, text []byte) []int32 {
	return t.encode(dst, text, hf.AllSpecial)
}

// AppendEncodeSpecial is AppendEncode that recognises the special tokens in allowed, all of them without any.
func (t *Tokenizer) AppendEncodeSpecial(dst []int32, text []byte, allowed ...string) []int32 {
	return t.encode(dst, text, hf.SpecialBut(t.special, allowed))
}

// EncodeParallel is AppendEncode(nil, text): nobody knows where a text may be cut.
func (t *Tokenizer) EncodeParallel(text []byte, _ int) []int32 { return t.AppendEncode(nil, text) }

func (t *Tokenizer) encode(dst []int32, text []byte, ordinary func(*hf.AddedToken, hf.Span) bool) []int32 {
	t.segments.Cut(hf.NewText(text), ordinary, func(p hf.Piece) {
		if p.ID >= 0 {
			dst = append(dst, p.ID)
			return
		}
		t.cfg.PreTokenizer.Cut(p.Text, func(word hf.Text) { dst, _ = t.word(dst, nil, word.Bytes) })
	})
	return dst
}

// EncodeSpans returns the ids of text and for each of them the bytes of text that it stands for. Special tokens for which
// ordinary is true stay text; it is told where each stands.
func (t *Tokenizer) EncodeSpans(text []byte, ordinary func(*hf.AddedToken, hf.Span) bool) (ids []int32, spans []hf.Span) {
	t.segments.Cut(hf.TracedText(text), ordinary, func(p hf.Piece) {
		if p.ID >= 0 {
			ids, spans = append(ids, p.ID), append(spans, p.Span)
			return
		}
		t.cfg.PreTokenizer.Cut(p.Text, func(word hf.Text) {
			ends := []int{}
			ids, ends = t.word(ids, ends, word.Bytes)
			begin := 0
			for _, end := range ends {
				spans = append(spans, word.Span(begin, end))
				begin = end
			}
		})
	})
	return ids, spans
}

// word appends the ids of a word and, if ends is not nil, where in it each ends.
func (t *Tokenizer) word(dst []int32, ends []int, word []byte) ([]int32, []int) {
	add := func(id int32, end int) {
		dst = append(dst, id)
		if ends != nil {
			ends = append(ends, end)
		}
	}
	from, fromEnds := len(dst), len(ends)
	unknown := func() ([]int32, []int) {
		dst, ends = dst[:from], ends[:fromEnds]
		add(t.cfg.Unknown, len(word))
		return dst, ends
	}
	if t.cfg.Whole {
		id, ok := t.ids[string(word)]
		if !ok {
			return unknown()
		}
		add(id, len(word))
		return dst, ends
	}
	if utf8.RuneCount(word) > t.cfg.MaxChars {
		return unknown()
	}
	spelled := append(make([]byte, 0, 64), t.cfg.Prefix...)
	for begin := 0; begin < len(word); {
		key := word[begin:]
		if begin > 0 {
			spelled = append(spelled[:len(t.cfg.Prefix)], key...)
			key = spelled
		}
		mark := len(key) - (len(word) - begin) // the prefix's length, 0 for the first piece
		key = key[:min(len(key), t.longest)]
		for len(key) > mark {
			if r, size := utf8.DecodeLastRune(key); r == utf8.RuneError && size == 1 && len(key) < mark+len(word)-begin {
				key = key[:len(key)-1] // cut inside a character
				continue
			}
			if id, ok := t.ids[string(key)]; ok {
				begin += len(key) - mark
				add(id, begin)
				break
			}
			_, size := utf8.DecodeLastRune(key)
			key = key[:len(key)-size]
		}
		if len(key) <= mark {
			return unknown()
		}
	}
	return dst, ends
}

// content is the spelling of a token, "" for an id that is unused or out of range.
func (t *Tokenizer) content(id int32) string {
	if content, ok := t.added[id]; ok {
		return content
	}
	if uint(id) < uint(len(t.cfg.Pieces)) {
		return t.cfg.Pieces[id]
	}
	return ""
}

// AppendDecode appends the text of ids, which begin a text. Ids that are unused or out of range add nothing.
func (t *Tokenizer) AppendDecode(dst []byte, ids []int32) []byte {
	var tokens []string
	for _, id := range ids {
		if content := t.content(id); content != "" {
			tokens = append(tokens, content)
		}
	}
	return t.cfg.Decoder.Append(dst, tokens)
}

// AppendJSON appends t in the format of tokenizer.json, which Hugging Face tokenizers loads to the same ids.
func (t *Tokenizer) AppendJSON(dst []byte) []byte {
	c := &t.cfg
	dst = c.PreTokenizer.AppendJSON(hf.AppendHead(dst, c.Added, c.Normalizer))
	dst = c.Frame.AppendTemplate(append(dst, ",\n  \"post_processor\": "...), t.content)
	dst = c.Decoder.AppendJSON(append(dst, ",\n  \"decoder\": "...))
	dst = hf.AppendString(append(dst, ",\n  \"model\": {\"type\": \""+t.Model()+"\", \"unk_token\": "...), c.Pieces[c.Unknown])
	if !c.Whole {
		dst = hf.AppendString(append(dst, `, "continuing_subword_prefix": `...), c.Prefix)
		dst = strconv.AppendInt(append(dst, `, "max_input_chars_per_word": `...), int64(c.MaxChars), 10)
	}
	dst = append(dst, ",\n    \"vocab\": {"...)
	separator := "\n      "
	for id, piece := range c.Pieces {
		if piece == "" {
			continue
		}
		dst = hf.AppendString(append(dst, separator...), piece)
		dst = strconv.AppendInt(append(dst, ": "...), int64(id), 10)
		separator = ",\n      "
	}
	return append(dst, "\n    }\n  }\n}\n"...)
}
