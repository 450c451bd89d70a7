package spm

import (
	"math"
	"slices"
	"unicode/utf8"

	"example.com/gotrain/data/hf"
)

// unknownPenalty is how much less than the least likely piece an unknown character scores.
const unknownPenalty = 10

// A lattice finds the likeliest segmentation of a text (Viterbi): the best score of each prefix, in order.
type lattice struct {
	t       *Tokenizer
	trie    *trie
	scores  []float64 // by id
	unknown float64
	single  bool // sums are float32, as in sentencepiece
}

func newLattice(t *Tokenizer) (*lattice, error) {
	l := &lattice{t: t, scores: make([]float64, len(t.cfg.Pieces)), single: t.cfg.Rules != nil}
	least := math.Inf(1)
	texts, ids := make([]string, 0, len(t.cfg.Pieces)), make([]int32, 0, len(t.cfg.Pieces))
	for id, p := range t.cfg.Pieces {
		l.scores[id] = p.Score
		if t.cfg.Rules != nil && p.Type != Normal && p.Type != UserDefined {
			continue
		}
		texts, ids = append(texts, p.Text), append(ids, int32(id))
		if t.cfg.Rules == nil || p.Type == Normal {
			least = min(least, p.Score)
		}
	}
	if math.IsInf(least, 1) {
		least = 0
	}
	l.unknown = least - unknownPenalty
	if l.single {
		l.unknown = float64(float32(least) - unknownPenalty)
		for id, p := range t.cfg.Pieces {
			if p.Type == UserDefined { // whatever the model says
				l.scores[id] = 0
			}
		}
	}
	var ok bool
	if l.trie, ok = newTrie(texts, ids); !ok {
		return nil, hf.Faultf("Pieces", "the pieces have more than %d bytes together", maxTrieNodes/2)
	}
	return l, nil
}

// A step is the best way to a position of the text.
type step struct {
	score float64
	start int32 // of the last piece, -1 where nothing leads here
	id    int32
}

// A path is the scratch space of a lattice.
type path struct {
	steps []step
	ids   []int32
	ends  []int32
}

// segment appends the ids of text, which is not empty and valid UTF-8 as far as it matters: other bytes count as
// characters of one byte.
func (e *encoder) segment(dst []int32, text []byte) []int32 {
	p, l := &e.path, e.t.unigram
	if cap(p.steps) <= len(text) {
		p.steps = make([]step, len(text)+1)
	}
	steps := p.steps[:len(text)+1]
	for i := range steps {
		steps[i] = step{start: -1}
	}
	for i := 0; i < len(text); {
		_, width := utf8.DecodeRune(text[i:])
		here := steps[i].score
		single := false
		node := int32(0)
		for j := i; j < len(text); {
			if node = l.trie.next(node, text[j]); node < 0 {
				break
			}
			j++
			if id := l.trie.nodes[node].id; id >= 0 {
				l.reach(&steps[j], l.scores[id]+here, i, id)
				single = single || j-i == width
			}
		}
		if !single {
			l.reach(&steps[i+width], l.unknown+here, i, l.t.unknown)
		}
		i += width
	}
	p.ids, p.ends = p.ids[:0], p.ends[:0]
	for end := int32(len(text)); end > 0; end = steps[end].start {
		p.ids, p.ends = append(p.ids, steps[end].id), append(p.ends, end)
	}
	slices.Reverse(p.ids)
	slices.Reverse(p.ends)
	if len(text) > keepScratch {
		p.steps = nil
	}
	return e.emitPath(dst, text)
}

// reach takes a way to a position if it is better than the one known.
func (l *lattice) reach(s *step, score float64, start int, id int32) {
	if l.single {
		score = float64(float32(score))
	}
	if s.start >= 0 && score <= s.score {
		return
	}
	*s = step{score, int32(start), id}
}

// emitPath appends the ids of the path, each run of unknown characters as one.
func (e *encoder) emitPath(dst []int32, text []byte) []int32 {
	p, t := &e.path, e.t
	start := int32(0)
	for i := 0; i < len(p.ids); i++ {
		from := len(dst)
		if p.ids[i] != t.unknown {
			dst = append(dst, p.ids[i])
		} else {
			for i+1 < len(p.ids) && p.ids[i+1] == t.unknown {
				i++
			}
			dst = t.appendUnknown(dst, text[start:p.ends[i]])
		}
		if e.tracing {
			e.place(dst, from, int(start), int(p.ends[i]))
		}
		start = p.ends[i]
	}
	return dst
}
