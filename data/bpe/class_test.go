package bpe

import (
	"testing"
	"unicode"
)

// unicodeClass is the class by the tables of the standard library, which may know an older or newer Unicode.
func unicodeClass(r rune) class {
	switch {
	case r == '\r' || r == '\n':
		return inSpace | inNewline
	case unicode.In(r, unicode.Lu, unicode.Lt):
		return inUpper | inLetter
	case unicode.Is(unicode.Ll, r):
		return inLower | inLetter
	case unicode.In(r, unicode.Lm, unicode.Lo):
		return inUpper | inLower | inLetter
	case unicode.Is(unicode.M, r):
		return inUpper | inLower | inMark
	case unicode.Is(unicode.N, r):
		return inNumber
	case unicode.Is(unicode.White_Space, r):
		return inSpace
	}
	return inOther
}

// hasNewLetters reports whether the standard library sees any of the characters otherwise than Unicode 16.0 does.
func hasNewLetters(text string) bool {
	for _, r := range text {
		if classes()[r] != unicodeClass(r) {
			return true
		}
	}
	return false
}

// TestClasses: the table agrees with the standard library but for characters that one of them does not know yet.
func TestClasses(t *testing.T) {
	differ := 0
	for r := rune(0); r <= unicode.MaxRune; r++ {
		ours, theirs := classes()[r], unicodeClass(r)
		if ours == theirs {
			continue
		}
		differ++
		if r < 0x0800 {
			t.Errorf("%U: class %b, unicode says %b", r, ours, theirs)
		}
	}
	if differ > 30000 {
		t.Errorf("%d characters differ from Unicode %s", differ, unicode.Version)
	}
}
