package hf

import (
	"crypto/sha256"
	"fmt"
	"testing"
	"unicode/utf8"
)

// TestClasses: which characters are of a class, by how many they are and a sum of them. scripts/golden and scripts/parity
// compare them with tokenizers.
func TestClasses(t *testing.T) {
	for name, class := range map[string]struct {
		has  func(r rune) bool
		want string
	}{
		"word": {isWord, "144667 48944676"}, "punctuation": {IsPunctuation, "726 1545f832"}, "later number": {IsLaterNumber, "133 7244293f"}, "number": {IsNumeric, "1924 133e8ec4"}, "later mark": {isLaterMark, "51 31a54b2a"},
		"ideograph": {isBertIdeograph, "81264 5498cbd0"}, "syllable": {isSyllable, "11172 7898edbe"},
	} {
		n, h := 0, sha256.New()
		for r := rune(0); r <= utf8.MaxRune; r++ {
			if class.has(r) {
				n++
				fmt.Fprintln(h, r)
			}
		}
		if got := fmt.Sprintf("%d %x", n, h.Sum(nil)[:4]); got != class.want {
			t.Errorf("%s: %s, want %s", name, got, class.want)
		}
	}
}
