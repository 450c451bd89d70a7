package synth

import (
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"strings"
	"unicode"
)

// Words of a phrase of the cipher's language.
const (
	leastWords, mostWords = 3, 12
	groupWords            = 3 // that are written backwards
)

// Cipher makes pairs of phrases of an English text and their translations into a language that
// a small model can learn: each letter is another one, vowels for vowels and consonants for
// consonants, and each group of three words is written backwards. Phrases are drawn from the
// text, whose words are written small and without marks; the same text, seed and number give
// the same pairs, and none has the words of another. A text of too few phrases is an error.
func Cipher(text string, n int, seed uint64) iter.Seq2[[2]string, error] {
	return func(yield func([2]string, error) bool) {
		words := strings.FieldsFunc(strings.ToLower(text), func(c rune) bool { return c < 'a' || c > 'z' })
		if len(words) < mostWords {
			yield([2]string{}, fmt.Errorf("synth: a text of %d words has no phrases of up to %d (name a longer one)", len(words), mostWords))
			return
		}
		draw := rand.New(rand.NewPCG(seed, 0x636970686572))
		seen := make(map[string]bool, n)
		for tries := 0; len(seen) < n; tries++ {
			if tries > 20*n {
				yield([2]string{}, errors.New("synth: the text has too few phrases for so many pairs (ask for fewer)"))
				return
			}
			length := leastWords + draw.IntN(mostWords-leastWords+1)
			begin := draw.IntN(len(words) - length + 1)
			phrase := words[begin : begin+length]
			source := strings.Join(phrase, " ")
			if seen[source] {
				continue
			}
			seen[source] = true
			if !yield([2]string{source, Encipher(phrase)}, nil) {
				return
			}
		}
	}
}

// Encipher is the translation of a phrase of words into the language of Cipher.
func Encipher(words []string) string {
	out := make([]string, 0, len(words))
	for begin := 0; begin < len(words); begin += groupWords {
		end := min(begin+groupWords, len(words))
		for i := end - 1; i >= begin; i-- {
			out = append(out, strings.Map(encipher, words[i]))
		}
	}
	return strings.Join(out, " ")
}

// encipher is the letter that stands for c.
func encipher(c rune) rune {
	for _, ring := range []string{"aeiou", "bcdfghjklmnpqrstvwxyz"} {
		if i := strings.IndexRune(ring, unicode.ToLower(c)); i >= 0 {
			return rune(ring[(i+2)%len(ring)])
		}
	}
	return c
}
