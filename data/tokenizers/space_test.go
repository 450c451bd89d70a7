package tokenizers

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// TestSpaces: what is taken off is what str.isspace of Python says, character by character.
func TestSpaces(t *testing.T) {
	const python = "\t\n\v\f\r\x1c\x1d\x1e\x1f \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
	for c := rune(0); c <= utf8.MaxRune; c++ {
		if got, want := isSpace(c), strings.ContainsRune(python, c) && c != utf8.RuneError; got != want {
			t.Errorf("U+%04X is a space: %t", c, got)
		}
	}
}
