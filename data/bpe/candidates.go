package bpe

import "math/bits"

// A candidate is a pair to merge and the words in which it came up in one step.
type candidate struct {
	count int64
	pair  uint64
	step  int32    // number of merges made when it came up
	words []uint32 // may list words that lack the pair by now, or the same word twice
}

// before orders candidates: higher counts first, then smaller pairs, then older ones.
func (c *candidate) before(d *candidate) bool {
	if c.count != d.count {
		return c.count > d.count
	}
	if c.pair != d.pair {
		return c.pair < d.pair
	}
	return c.step < d.step
}

// candidates is a heap of four children a node, first candidate on top.
type candidates []candidate

func (h *candidates) push(c candidate) {
	*h = append(*h, c)
	s := *h
	i := len(s) - 1
	for i > 0 {
		parent := (i - 1) / 4
		if !c.before(&s[parent]) {
			break
		}
		s[i] = s[parent]
		i = parent
	}
	s[i] = c
}

// pop drops the top.
func (h *candidates) pop() {
	s := *h
	last := len(s) - 1
	s[0], s[last] = s[last], candidate{}
	*h = s[:last]
	h.down(0)
}

// down restores the heap below i.
func (h *candidates) down(i int) {
	s := *h
	if i >= len(s) {
		return
	}
	c := s[i]
	for {
		best := &c
		at := i
		for child := 4*i + 1; child <= 4*i+4 && child < len(s); child++ {
			if s[child].before(best) {
				best, at = &s[child], child
			}
		}
		if at == i {
			break
		}
		s[i] = s[at]
		i = at
	}
	s[i] = c
}

// neighbours collects, during one merge, the symbols on one side of the merged places.
type neighbours struct {
	counts  []int64  // by symbol: sum of the counts of the words, 0 if untouched
	last    []uint32 // by symbol: the word noted last
	index   []int32  // by symbol: its place in touched
	touched []int32
	sizes   []int // of touched: number of words noted
	notes   []note
}

type note struct {
	index int32 // in touched
	word  uint32
}

func (n *neighbours) resize(vocab int) {
	n.counts, n.last, n.index = make([]int64, vocab), make([]uint32, vocab), make([]int32, vocab)
}

// note adds a place in word, of this count, beside symbol.
func (n *neighbours) note(symbol int32, word uint32, count int64) {
	seen := n.counts[symbol] != 0
	n.counts[symbol] += count
	if !seen {
		n.index[symbol] = int32(len(n.touched))
		n.touched = append(n.touched, symbol)
		n.sizes = append(n.sizes, 0)
	} else if n.last[symbol] == word {
		return
	}
	n.last[symbol] = word
	n.sizes[n.index[symbol]]++
	n.notes = append(n.notes, note{n.index[symbol], word})
}

// places returns the words noted with each touched symbol.
func (n *neighbours) places() [][]uint32 {
	all := make([]uint32, len(n.notes))
	places := make([][]uint32, len(n.touched))
	start := 0
	for i, size := range n.sizes {
		places[i] = all[start : start : start+size]
		start += size
	}
	for _, note := range n.notes {
		places[note.index] = append(places[note.index], note.word)
	}
	return places
}

func (n *neighbours) reset() {
	for _, symbol := range n.touched {
		n.counts[symbol] = 0
	}
	n.touched, n.sizes, n.notes = n.touched[:0], n.sizes[:0], n.notes[:0]
}

// pairCounts maps pairs to counts: open addressing with linear probing.
type pairCounts struct {
	slots []pairCount
	used  int
	shift uint // 64 - log2(len(slots))
}

type pairCount struct {
	pair  uint64 // +1, 0 for empty
	count int64
}

// slot returns the place of pair, or the empty one where it would be.
func (p *pairCounts) slot(pair uint64) *pairCount {
	mask := uint64(len(p.slots) - 1)
	for i := pair * 0x9E3779B97F4A7C15 >> p.shift; ; i++ {
		if s := &p.slots[i&mask]; s.pair == pair+1 || s.pair == 0 {
			return s
		}
	}
}

// get returns the count of a pair that was added.
func (p *pairCounts) get(pair uint64) int64 { return p.slot(pair).count }

// add adds n to the count of pair.
func (p *pairCounts) add(pair uint64, n int64) {
	if 4*p.used >= 3*len(p.slots) {
		p.grow()
	}
	s := p.slot(pair)
	if s.pair == 0 {
		s.pair = pair + 1
		p.used++
	}
	s.count += n
}

func (p *pairCounts) grow() {
	old := p.slots
	p.slots = make([]pairCount, max(1<<12, 2*len(old)))
	p.shift = uint(64 - bits.TrailingZeros(uint(len(p.slots))))
	for _, s := range old {
		if s.pair != 0 {
			*p.slot(s.pair - 1) = s
		}
	}
}
