package hf

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// TestFormsByDefinition: letters with marks of any classes, in any order and number, and syllables in parts are brought into
// normal forms as another implementation does, where both know the characters; what a byte is made of stays told.
func TestFormsByDefinition(t *testing.T) {
	letters := []rune("aeoAcsßﬁ½①ⅷ각가각ᆩがかガÅẛſ\u1e9b\u0344\u0958\u2126\u212b\u1100\u1161\u11a7\u11a8\u0fb2 x,\n")
	marks := []rune{0x300, 0x301, 0x302, 0x304, 0x306, 0x307, 0x308, 0x30a, 0x30c, 0x316, 0x31b, 0x323, 0x327, 0x328, 0x331, 0x334, 0x338, 0x345, 0x35c, 0x360, 0x3099, 0x309a, 0x93c, 0x5b0, 0x5b4, 0x64b, 0xf71, 0xf72, 0xf74, 0x200d}
	r := rand.New(rand.NewPCG(1, 8))
	forms := map[string]norm.Form{"NFC": norm.NFC, "NFD": norm.NFD, "NFKC": norm.NFKC, "NFKD": norm.NFKD}
	changed := 0
	for name, form := range forms {
		n, err := ParseNormalizer(fmt.Appendf(nil, `{"type": %q}`, name))
		if err != nil {
			t.Fatal(err)
		}
		for range 4000 {
			var b strings.Builder
			for range 1 + r.IntN(4) {
				b.WriteRune(letters[r.IntN(len(letters))])
				for range r.IntN(5) {
					b.WriteRune(marks[r.IntN(len(marks))])
				}
			}
			text := b.String()
			got, want := string(n.Apply([]byte(text))), form.String(text)
			if got != want {
				t.Fatalf("%s of %+q is %+q, want %+q", name, text, got, want)
			}
			if got != text {
				changed++
			}
		}
		for c := rune(1); c <= utf8.MaxRune; c++ {
			if !unicode.Is(normalizable, c) || !utf8.ValidRune(c) {
				continue
			}
			if got := n.Apply([]byte(string(c))); !bytes.Equal(got, form.Bytes([]byte(string(c)))) {
				t.Fatalf("%s of U+%04X is %+q, want %+q", name, c, got, form.String(string(c)))
			}
		}
	}
	if changed < 5000 {
		t.Errorf("only %d texts change", changed)
	}
}
