package hf

import (
	"bytes"
	"slices"
	"sort"
	"unicode"
	"unicode/utf8"
)

// An AddedToken is found in text as it stands, before the model sees any of it.
type AddedToken struct {
	ID      int32
	Content string

	Special    bool // control token: text spells it only where the caller allows it
	SingleWord bool // not inside a word
	LStrip     bool // takes the white space before it, which decoding cannot give back
	RStrip     bool // takes the white space behind it, likewise
	Normalized bool // looked for in normalized text, after the tokens that are not
}

// Specials returns the special ones among tokens in order of id.
func Specials(tokens []AddedToken) []AddedToken {
	var out []AddedToken
	for _, a := range tokens {
		if a.Special {
			out = append(out, a)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].ID < out[j].ID })
	return out
}

// AddedID returns the id of the first of tokens with this content.
func AddedID(tokens []AddedToken, content []byte) (int32, bool) {
	for _, a := range tokens {
		if a.Content == string(content) {
			return a.ID, true
		}
	}
	return 0, false
}

// AllSpecial is what Cut takes to leave every special token text.
func AllSpecial(a *AddedToken, _ Span) bool { return a.Special }

// SpecialBut is what Cut takes to leave the special tokens text that are not in allowed; with none allowed, it finds all.
// ids has those of special tokens by content: that of a token to look for may be normalized.
func SpecialBut(ids map[string]int32, allowed []string) func(*AddedToken, Span) bool {
	if len(allowed) == 0 {
		return nil
	}
	return func(a *AddedToken, _ Span) bool {
		return a.Special && !slices.ContainsFunc(allowed, func(content string) bool {
			id, ok := ids[content]
			return ok && id == a.ID
		})
	}
}

// A Piece of text is an added token, or what lies between them.
type Piece struct {
	Text Text  // normalized; without bytes for a token
	ID   int32 // of the added token, -1 for text
	Span Span  // of a token, where the text is traced
}

// A Segmenter cuts text at added tokens as tokenizers does: first at those that are not normalized, then, in the
// normalized text between them, at those that are. At each place the longest token wins.
type Segmenter struct {
	normalize Normalizer
	raw       finder
	cooked    finder
}

// NewSegmenter looks for tokens; the text between is normalized by n, and so is the content of the tokens that want it.
func NewSegmenter(tokens []AddedToken, n Normalizer) *Segmenter {
	var raw, cooked []AddedToken
	for _, a := range tokens {
		if !a.Normalized {
			raw = append(raw, a)
			continue
		}
		a.Content = string(n.Apply([]byte(a.Content)))
		if a.Content != "" {
			cooked = append(cooked, a)
		}
	}
	return &Segmenter{normalize: n, raw: newFinder(raw), cooked: newFinder(cooked)}
}

// Cut calls yield for each piece of text in order. Tokens for which ordinary is true stay text; nil finds all. It is told
// where a token stands, which it may ask for in a text that is traced only.
func (s *Segmenter) Cut(text Text, ordinary func(*AddedToken, Span) bool, yield func(Piece)) {
	s.raw.cut(text, ordinary, func(p Piece) {
		if p.ID >= 0 {
			yield(p)
			return
		}
		s.cooked.cut(s.normalize.ApplyTo(p.Text), ordinary, yield)
	})
}

// A finder finds tokens by their first byte.
type finder struct {
	byFirst map[byte][]AddedToken // longest first
	only    int                   // the first byte if all share it, else -1
	first   [256]bool
}

func newFinder(tokens []AddedToken) finder {
	f := finder{byFirst: map[byte][]AddedToken{}, only: -1}
	for _, a := range tokens {
		b := a.Content[0]
		f.byFirst[b] = append(f.byFirst[b], a)
		f.first[b] = true
		f.only = int(b)
	}
	if len(f.byFirst) > 1 {
		f.only = -1
	}
	for _, list := range f.byFirst {
		sort.SliceStable(list, func(i, j int) bool { return len(list[i].Content) > len(list[j].Content) })
	}
	return f
}

// candidate returns the first position from i on at which a token may start, or len(text).
func (f *finder) candidate(text []byte, i int) int {
	if f.only >= 0 {
		if at := bytes.IndexByte(text[i:], byte(f.only)); at >= 0 {
			return i + at
		}
		return len(text)
	}
	for i < len(text) && !f.first[text[i]] {
		i++
	}
	return i
}

// at returns the longest token that text has at i, nil for none.
func (f *finder) at(text []byte, i int) *AddedToken {
	list := f.byFirst[text[i]]
	for j := range list {
		a := &list[j]
		if len(a.Content) <= len(text)-i && string(text[i:i+len(a.Content)]) == a.Content {
			return a
		}
	}
	return nil
}

// cut yields the pieces of a text. A token that does not count, because it is ordinary or inside a word, hides others that
// begin inside it, as in tokenizers.
func (f *finder) cut(t Text, ordinary func(*AddedToken, Span) bool, yield func(Piece)) {
	done, text := 0, t.Bytes
	plain := func(end int) {
		if end > done {
			yield(Piece{Text: t.Slice(done, end), ID: -1})
		}
	}
	if len(f.byFirst) == 0 {
		plain(len(text))
		return
	}
	span := func(start, end int) Span {
		if !t.Traced() {
			return Span{}
		}
		return t.Span(start, end)
	}
	for i := f.candidate(text, 0); i < len(text); i = f.candidate(text, i) {
		a := f.at(text, i)
		if a == nil {
			i++
			continue
		}
		start, end := i, i+len(a.Content)
		i = end
		if ordinary != nil && ordinary(a, span(start, end)) || a.SingleWord && (endsInWord(text[:start]) || startsWithWord(text[end:])) {
			continue
		}
		if a.LStrip {
			start = max(done, len(bytes.TrimRightFunc(text[:start], unicode.IsSpace)))
		}
		if a.RStrip {
			end = len(text) - len(bytes.TrimLeftFunc(text[end:], unicode.IsSpace))
			i = end
		}
		plain(start)
		yield(Piece{ID: a.ID, Span: span(start, end)})
		done = end
	}
	plain(len(text))
}

func endsInWord(text []byte) bool {
	r, _ := utf8.DecodeLastRune(text)
	return isWord(r)
}

func startsWithWord(text []byte) bool {
	r, _ := utf8.DecodeRune(text)
	return isWord(r)
}

// isWord is \w of Unicode Technical Standard 18, in Unicode 16.0.
func isWord(r rune) bool {
	if unicode.In(r, unicode.L, unicode.M, unicode.Nd, unicode.Nl, unicode.Pc, unicode.Other_Alphabetic, unicode.Join_Control) {
		return true
	}
	for _, class := range wordClasses {
		if later := laterClasses[class]; later != nil && unicode.Is(later, r) {
			return true
		}
	}
	return false
}

// wordClasses are those of \w that may have grown.
var wordClasses = []string{"Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "Pc"}

// IsPunctuation is what the pre-tokenizer Punctuation cuts at: the punctuation of ASCII, symbols included, and \p{P}.
func IsPunctuation(r rune) bool { return unicode.Is(punctuation, r) }

// IsLaterNumber tells of numbers that Rust, and so Digits, knows beyond those of Unicode 16.0 and Oniguruma's \p{N}.
func IsLaterNumber(r rune) bool { return unicode.Is(laterNumbers, r) }
