package hf

import (
	"bytes"
	"slices"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// A form is one of Unicode's normalization forms as tokenizers has it, which is not as package norm does: in tokenizers code
// points that are newer than Unicode 9.0 stand for themselves, and runs of marks may have any length.
type form struct {
	norm      norm.Form // the form
	decompose norm.Form // NFD or NFKD, which decomposes as it does
	composes  bool
}

var forms = map[string]form{
	"NFC": {norm.NFC, norm.NFD, true}, "NFD": {norm.NFD, norm.NFD, false},
	"NFKC": {norm.NFKC, norm.NFKD, true}, "NFKD": {norm.NFKD, norm.NFKD, false},
}

// A letter is a code point with its combining class. A byte that is no UTF-8 is a negative rune.
type letter struct {
	r     rune
	class uint8
}

// apply normalizes text line by line, since nothing joins across a newline. What is normal by a newer Unicode is so by an
// older one.
func (f form) apply(text []byte) []byte {
	if f.norm.IsNormal(text) {
		return text
	}
	out := make([]byte, 0, len(text)+len(text)/8)
	var scratch []letter
	for len(text) > 0 {
		line := text
		if end := bytes.IndexByte(text, '\n'); end >= 0 {
			line = text[:end+1]
		}
		text = text[len(line):]
		if f.norm.IsNormal(line) {
			out = append(out, line...)
			continue
		}
		scratch = f.letters(scratch[:0], line)
		order(scratch)
		if f.composes {
			scratch = compose(scratch)
		}
		for _, l := range scratch {
			if l.r < 0 {
				out = append(out, byte(-l.r))
			} else {
				out = utf8.AppendRune(out, l.r)
			}
		}
	}
	return out
}

// letters appends the decomposed code points of text.
func (f form) letters(dst []letter, text []byte) []letter {
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		switch {
		case r == utf8.RuneError && size == 1:
			dst = append(dst, letter{-rune(text[0]), 0})
		case !unicode.Is(normalizable, r):
			dst = append(dst, letter{r, 0})
		case isSyllable(r):
			dst = appendJamo(dst, r)
		default:
			p := f.decompose.Properties(text[:size])
			parts := p.Decomposition()
			if parts == nil {
				dst = append(dst, letter{r, p.CCC()})
			}
			for len(parts) > 0 {
				part, n := utf8.DecodeRune(parts)
				dst = append(dst, letter{part, f.decompose.Properties(parts).CCC()})
				parts = parts[n:]
			}
		}
		text = text[size:]
	}
	return dst
}

// order brings marks into canonical order.
func order(text []letter) {
	for i := 0; i < len(text); i++ {
		start := i
		for i < len(text) && text[i].class != 0 {
			i++
		}
		slices.SortStableFunc(text[start:i], func(a, b letter) int { return int(a.class) - int(b.class) })
	}
}

// compose joins what has a composed form, in place.
func compose(text []letter) []letter {
	out := text[:0]
	starter := -1
	for _, l := range text {
		// Between a starter and what joins it nothing may stand that has the same class or none.
		if starter >= 0 && (starter == len(out)-1 || out[len(out)-1].class < l.class) {
			if joined, ok := join(out[starter].r, l.r); ok {
				out[starter].r = joined
				continue
			}
		}
		if out = append(out, l); l.class == 0 {
			starter = len(out) - 1
		}
	}
	return out
}

// join returns the code point that a and b compose to.
func join(a, b rune) (rune, bool) {
	if a < 0 || b < utf8.RuneSelf {
		return 0, false
	}
	var pair [2 * utf8.UTFMax]byte
	second := utf8.AppendRune(pair[:0], b)
	if norm.NFC.Properties(second).BoundaryBefore() {
		return 0, false
	}
	both := utf8.AppendRune(utf8.AppendRune(pair[:0], a), b)
	composed := norm.NFC.Bytes(both)
	r, size := utf8.DecodeRune(composed)
	return r, size == len(composed) && unicode.Is(normalizable, r)
}

// Hangul syllables are counted: the first at 0xAC00, 28 finals for each of 21 vowels for each of 19 initials.
const (
	firstSyllable = 0xAC00
	lastSyllable  = 0xD7A3
	finals        = 28
	vowels        = 21
)

func isSyllable(r rune) bool { return firstSyllable <= r && r <= lastSyllable }

// appendJamo appends the parts of a Hangul syllable.
func appendJamo(dst []letter, r rune) []letter {
	r -= firstSyllable
	dst = append(dst, letter{0x1100 + r/(vowels*finals), 0}, letter{0x1161 + r/finals%vowels, 0})
	if final := r % finals; final > 0 {
		dst = append(dst, letter{0x11A7 + final, 0})
	}
	return dst
}
