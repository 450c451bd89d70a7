package mlm

import (
	"math"
	"math/rand/v2"

	"example.com/gotrain/data"
	"example.com/gotrain/data/tokenizers"
)

// Of the tokens that are asked for, so many are replaced by the mask and by any token; the
// others stay, since no text that the model is used on has masks everywhere.
const (
	maskShare   = 0.8
	randomShare = 0.1
)

// masker chooses the tokens of a row that are asked for.
type masker struct {
	rate      float64
	mask      int32
	marks     tokenizers.Marks
	ordinary  []int32 // tokens that may replace others
	special   []bool  // by token: never asked for
	continues []bool  // by token: goes on with the word before it; nil without whole words
}

func newMasker(c Config, t data.Tokenizer, marks tokenizers.Marks) *masker {
	m := &masker{rate: c.Rate, mask: marks.Mask, marks: marks, special: make([]bool, t.Vocab())}
	for _, s := range t.Specials() {
		m.special[s.ID] = true
	}
	for id := range int32(t.Vocab()) {
		if !m.special[id] && t.TokenBytes(id) != nil {
			m.ordinary = append(m.ordinary, id)
		}
	}
	if c.WholeWords {
		m.continues = tokenizers.Continues(t)
	}
	return m
}

// scratch is what a row needs while its tokens are chosen.
type scratch struct {
	places []int32 // that may be asked for
	words  []int32 // where in places words begin
	chosen []bool  // by place in the row
}

// random draws numbers that are a function of a seed and a row.
type random struct{ rand.PCG }

func newRandom(seed, row uint64) (r random) {
	r.Seed(seed, row)
	return r
}

// float is in [0, 1).
func (r *random) float() float64 { return float64(r.Uint64()>>11) / (1 << 53) }

// below is in [0, n).
func (r *random) below(n int) int { return int(r.float() * float64(n)) }

// choose replaces tokens of ids and returns how many are asked for: their places in asked,
// in their order, and the tokens that stood there in targets. The share is the rate, rounded
// up or down so that it is the rate on average.
func (m *masker) choose(ids, asked, targets []int32, s *scratch, r *random) int {
	s.places = s.places[:0]
	for i, id := range ids {
		if !m.special[id] {
			s.places = append(s.places, int32(i))
		}
	}
	if len(s.places) == 0 {
		return 0
	}
	want, part := math.Modf(m.rate * float64(len(s.places)))
	if r.float() < part {
		want++
	}
	n := min(max(1, int(want)), len(asked))
	if s.chosen = s.chosen[:0]; cap(s.chosen) < len(ids) {
		s.chosen = make([]bool, 0, len(ids))
	}
	s.chosen = s.chosen[:len(ids)]
	clear(s.chosen)
	if m.continues == nil {
		m.chooseTokens(n, s, r)
	} else {
		m.chooseWords(ids, n, s, r)
	}
	count := 0
	for i, chosen := range s.chosen {
		if !chosen {
			continue
		}
		asked[count], targets[count] = int32(i), ids[i]
		ids[i] = m.replace(ids[i], r)
		count++
	}
	return count
}

// replace draws what stands in the place of a token.
func (m *masker) replace(id int32, r *random) int32 {
	switch u := r.float(); {
	case u < maskShare:
		return m.mask
	case u < maskShare+randomShare:
		return m.ordinary[r.below(len(m.ordinary))]
	}
	return id
}

// chooseTokens chooses n places.
func (m *masker) chooseTokens(n int, s *scratch, r *random) {
	for i := range n {
		j := i + r.below(len(s.places)-i)
		s.places[i], s.places[j] = s.places[j], s.places[i]
		s.chosen[s.places[i]] = true
	}
}

// chooseWords chooses words of n places in all: one that is too long is passed over, but
// where none fits, its first n pieces are taken.
func (m *masker) chooseWords(ids []int32, n int, s *scratch, r *random) {
	s.words = s.words[:0]
	for i, place := range s.places {
		if i == 0 || s.places[i-1] != place-1 || !m.continues[ids[place]] {
			s.words = append(s.words, int32(i))
		}
	}
	end := func(word int32) int32 {
		for e := word + 1; ; e++ {
			if int(e) == len(s.places) || s.places[e-1] != s.places[e]-1 || !m.continues[ids[s.places[e]]] {
				return e
			}
		}
	}
	left := n
	for i := 0; i < len(s.words) && left > 0; i++ {
		j := i + r.below(len(s.words)-i)
		s.words[i], s.words[j] = s.words[j], s.words[i]
		begin := s.words[i]
		length := int(end(begin) - begin)
		if length > left {
			continue
		}
		left -= length
		for k := range length {
			s.chosen[s.places[int(begin)+k]] = true
		}
	}
	if left == n {
		for k := range n {
			s.chosen[s.places[int(s.words[0])+k]] = true
		}
	}
}
