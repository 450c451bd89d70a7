package bpe

import (
	"sync"
	"unicode/utf8"

	"example.com/gotrain/data/hf"
)

// A class is the set of character classes of the split patterns that a code point belongs to, one bit each.
type class uint8

const (
	inUpper   class = 1 << iota // [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}], what may start a word in o200k
	inLower                     // [\p{Ll}\p{Lm}\p{Lo}\p{M}], what may end a word in o200k
	inLetter                    // \p{L}
	inNumber                    // \p{N}
	inSpace                     // \s
	inNewline                   // [\r\n], a subset of inSpace
	inMark                      // \p{M}
	inOther                     // [^\s\p{L}\p{M}\p{N}]
)

// Kinds of classRanges; kind 7 alternates upper, lower, upper, lower.
var kindClasses = [8]class{
	inOther,
	inUpper | inLetter,
	inLower | inLetter,
	inUpper | inLower | inLetter,
	inUpper | inLower | inMark,
	inNumber,
	inSpace,
}

const kindAlternating = 7

// classTable holds the class of every code point.
type classTable [utf8.MaxRune + 1]class

// classes expands classRanges once; the table is never written afterwards.
var classes = sync.OnceValue(func() *classTable {
	t := new(classTable)
	for i, packed := range classRanges {
		end := uint32(len(t))
		if i+1 < len(classRanges) {
			end = classRanges[i+1] >> 4
		}
		start, kind := packed>>4, packed&15
		if kind == kindAlternating {
			for c := start; c < end; c++ {
				t[c] = kindClasses[1+(c-start)&1]
			}
			continue
		}
		for c := start; c < end; c++ {
			t[c] = kindClasses[kind]
		}
	}
	t['\r'] |= inNewline
	t['\n'] |= inNewline
	return t
})

// numberClasses is classes for the pre-tokenizer Digits, which knows the numbers of Unicode 17.0.
var numberClasses = sync.OnceValue(func() *classTable {
	t := *classes()
	for r := range rune(len(t)) {
		if hf.IsLaterNumber(r) {
			t[r] = inNumber
		}
	}
	return &t
})

// at returns the class and the width in bytes of the character at text[i]. A byte that does not begin a valid UTF-8
// sequence counts as one U+FFFD, of class inOther.
func (t *classTable) at(text []byte, i int) (class, int) {
	if b := text[i]; b < utf8.RuneSelf {
		return t[b], 1
	}
	r, size := utf8.DecodeRune(text[i:])
	return t[r], size
}

// before returns the class and the width in bytes of the character that ends at text[i], i > 0.
func (t *classTable) before(text []byte, i int) (class, int) {
	if b := text[i-1]; b < utf8.RuneSelf {
		return t[b], 1
	}
	r, size := utf8.DecodeLastRune(text[:i])
	return t[r], size
}

// run returns the end of the longest run from text[i] of characters that belong to any class of set.
func (t *classTable) run(text []byte, i int, set class) int {
	for i < len(text) {
		if b := text[i]; b < utf8.RuneSelf {
			if t[b]&set == 0 {
				return i
			}
			i++
			continue
		}
		r, size := utf8.DecodeRune(text[i:])
		if t[r]&set == 0 {
			return i
		}
		i += size
	}
	return i
}

// runMax is run limited to max characters.
func (t *classTable) runMax(text []byte, i int, set class, max int) int {
	for ; max > 0 && i < len(text); max-- {
		c, size := t.at(text, i)
		if c&set == 0 {
			break
		}
		i += size
	}
	return i
}
