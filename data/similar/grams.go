package similar

import (
	"slices"
	"strings"

	"github.com/zeebo/xxh3"
)

// Words of a passage that tells that a text was seen: 13 as in GPT-3 (Brown et al. 2020,
// appendix C), of shorter texts all, of texts below 8 words none.
const (
	gramWords, leastGram = 13, 8
)

// Grams are the passages of texts for evaluation, which no training text may hold. The zero value
// has none.
type Grams struct {
	seen    map[uint64]string // where a passage stands
	lengths []int
}

// Add puts the passages of a text there; where says in errors and counts which text it is.
func (g *Grams) Add(text, where string) {
	if g.seen == nil {
		g.seen = map[uint64]string{}
	}
	words := Words(text)
	n := min(gramWords, len(words))
	if n < leastGram {
		return
	}
	if !slices.Contains(g.lengths, n) {
		g.lengths = append(g.lengths, n)
	}
	for i := range len(words) - n + 1 {
		if h := hashGram(words[i : i+n]); g.seen[h] == "" {
			g.seen[h] = where
		}
	}
}

// Len is the number of passages.
func (g *Grams) Len() int { return len(g.seen) }

// Find tells the first passage of a text that was added, and where it stands; "" for none.
func (g *Grams) Find(text string) (passage, where string) {
	words := Words(text)
	for _, n := range g.lengths {
		for i := range max(0, len(words)-n+1) {
			if where := g.seen[hashGram(words[i:i+n])]; where != "" {
				return strings.Join(words[i:i+n], " "), where
			}
		}
	}
	return "", ""
}

func hashGram(words []string) uint64 { return xxh3.HashString(strings.Join(words, " ")) }
