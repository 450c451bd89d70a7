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
	// change is how many more characters there are by it: 1 for one that is put in, -1 for one that is composed of two.
	change int8
}

// apply normalizes text line by line, since nothing joins across a newline. What is normal by a newer Unicode is so by an
// older one.
func (f form) apply(t Text) Text {
	if f.norm.IsNormal(t.Bytes) {
		return t
	}
	e := NewEditor(t)
	var scratch []letter
	for e.at < len(t.Bytes) {
		line := t.Bytes[e.at:]
		if end := bytes.IndexByte(line, '\n'); end >= 0 {
			line = line[:end+1]
		}
		if f.norm.IsNormal(line) {
			e.Keep(len(line))
			continue
		}
		scratch = f.letters(scratch[:0], line)
		order(scratch)
		if f.composes {
			scratch = compose(scratch)
		}
		e.spell(scratch, len(line))
	}
	return e.Done()
}

// spell puts letters in the place of the next n bytes. As in tokenizers each comes from the next character, or from the last
// one if it is put in, in whatever order they are by then.
func (e *Editor) spell(letters []letter, n int) {
	end := e.at + n
	var buf [utf8.UTFMax]byte
	for _, l := range letters {
		text := buf[:0]
		if l.r < 0 {
			text = append(text, byte(-l.r))
		} else {
			text = utf8.AppendRune(text, l.r)
		}
		if l.change > 0 || e.at >= end {
			e.Insert(text)
			continue
		}
		_, size := utf8.DecodeRune(e.in.Bytes[e.at:end])
		e.Replace(size, text)
		for range -l.change {
			_, size := utf8.DecodeRune(e.in.Bytes[e.at:end])
			e.Drop(size)
		}
	}
	e.at = end
}

// letters appends the decomposed code points of text.
func (f form) letters(dst []letter, text []byte) []letter {
	for at := 0; at < len(text); {
		r, size := utf8.DecodeRune(text[at:])
		switch {
		case r == utf8.RuneError && size == 1:
			dst = append(dst, letter{-rune(text[at]), 0, 0})
		case !unicode.Is(normalizable, r):
			dst = append(dst, letter{r, 0, 0})
		case isSyllable(r):
			dst = appendJamo(dst, r)
		default:
			p := f.decompose.Properties(text[at : at+size])
			parts := p.Decomposition()
			if parts == nil {
				dst = append(dst, letter{r, p.CCC(), 0})
			}
			for change := int8(0); len(parts) > 0; change = 1 {
				part, n := utf8.DecodeRune(parts)
				dst = append(dst, letter{part, f.decompose.Properties(parts).CCC(), change})
				parts = parts[n:]
			}
		}
		at += size
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
				out[starter].change += l.change - 1
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
	dst = append(dst, letter{0x1100 + r/(vowels*finals), 0, 0}, letter{0x1161 + r/finals%vowels, 0, 1})
	if final := r % finals; final > 0 {
		dst = append(dst, letter{0x11A7 + final, 0, 1})
	}
	return dst
}
