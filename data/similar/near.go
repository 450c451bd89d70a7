package similar

import (
	"encoding/binary"
	"strings"
	"unicode"

	"github.com/zeebo/xxh3"
)

// Sizes of the signatures of Near: texts of which a share s of passages is the same meet in a
// band with probability 1 - (1 - s⁸)¹⁶: 0.95 at 0.8, 0.06 at 0.5.
const (
	bands, bandRows = 16, 8
	shingle         = 5 // words of a passage
)

// signature is the least hash of a text's passages under each of many functions. Two texts agree in
// an entry with the probability of their Jaccard index, the share of their passages that both have
// (Broder 1997).
type signature [bands * bandRows]uint64

// Near finds texts that are nearly the same, by MinHash. It is not safe for concurrent use.
type Near struct {
	signatures []signature
	buckets    map[uint64][]int32 // by band and its rows
}

// Words are the words of a text in any script, in small letters: runs of letters, marks and digits; where a
// script writes no spaces, as Chinese, Japanese and Thai, each character.
func Words(text string) []string {
	var words []string
	begin := -1
	lower := strings.ToLower(text)
	end := func(at int) {
		if begin >= 0 {
			words = append(words, lower[begin:at])
		}
		begin = -1
	}
	for i, c := range lower {
		switch {
		case unicode.In(c, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai):
			end(i)
			words = append(words, string(c))
		case unicode.IsLetter(c) || unicode.IsDigit(c) || unicode.IsMark(c):
			if begin < 0 {
				begin = i
			}
		default:
			end(i)
		}
	}
	end(len(lower))
	return words
}

// sign is the signature of a text: of its passages of five words, or of all words of a shorter one.
func sign(text string) signature {
	words := Words(text)
	var s signature
	for i := range s {
		s[i] = ^uint64(0)
	}
	for i := range max(1, len(words)-shingle+1) {
		h := xxh3.HashString(strings.Join(words[i:min(i+shingle, len(words))], " "))
		for k := range s {
			s[k] = min(s[k], mix(h+uint64(k)*0x9E3779B97F4A7C15))
		}
	}
	return s
}

// mix is the finalizer of SplitMix64, a permutation of numbers.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xBF58476D1CE4E5B9
	x = (x ^ x>>27) * 0x94D049BB133111EB
	return x ^ x>>31
}

// Find is the number of the text that is most like another, and the estimate of their Jaccard
// index; -1 where no text is near.
func (n *Near) Find(text string) (number int, jaccard float64) {
	s := sign(text)
	number = -1
	for band := range bands {
		for _, other := range n.buckets[s.key(band)] {
			equal := 0
			for k, h := range n.signatures[other] {
				if h == s[k] {
					equal++
				}
			}
			if j := float64(equal) / float64(len(s)); j > jaccard {
				number, jaccard = int(other), j
			}
		}
	}
	return number, jaccard
}

// Add puts a text behind the others.
func (n *Near) Add(text string) {
	if n.buckets == nil {
		n.buckets = map[uint64][]int32{}
	}
	s := sign(text)
	for band := range bands {
		n.buckets[s.key(band)] = append(n.buckets[s.key(band)], int32(len(n.signatures)))
	}
	n.signatures = append(n.signatures, s)
}

// key is where texts that agree in a band meet.
func (s *signature) key(band int) uint64 {
	var row [8 * (bandRows + 1)]byte
	binary.LittleEndian.PutUint64(row[:], uint64(band))
	for i, h := range s[band*bandRows:][:bandRows] {
		binary.LittleEndian.PutUint64(row[8*(i+1):], h)
	}
	return xxh3.Hash(row[:])
}
