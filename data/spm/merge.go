package spm

import (
	"sort"
	"unicode/utf8"

	"example.com/gotrain/data/hf"
)

// noRank is the rank of what does not merge.
const noRank = 1<<32 - 1

// merges say which adjacent symbols join, and which first: the lowest rank, the leftmost of equals.
type merges struct {
	t *Tokenizer
	// pairs are the merges of tokenizers, from left<<32 | right to rank<<32 | id.
	pairs map[uint64]uint64
	// ranks, by id, are those of sentencepiece, where any two symbols join whose joined text is a piece: pieces of a
	// higher score have a lower rank, pieces of one score the same. noRank for what is no ordinary piece.
	ranks   []uint32
	longest int // longest piece, in bytes
}

func newMerges(t *Tokenizer) (*merges, error) {
	m := &merges{t: t}
	if t.cfg.Hub != nil {
		return m, m.fromHub(t.cfg.Hub.Merges)
	}
	var order []int32
	m.ranks = make([]uint32, len(t.cfg.Pieces))
	for id, p := range t.cfg.Pieces {
		m.ranks[id] = noRank
		if p.Type == Normal || p.Type == UserDefined || p.Type == Unused {
			order = append(order, int32(id))
			m.longest = max(m.longest, len(p.Text))
		}
	}
	score := func(i int) float64 { return t.cfg.Pieces[order[i]].Score }
	sort.Slice(order, func(i, j int) bool { return score(i) > score(j) })
	for i, id := range order {
		if i > 0 && score(i) == score(i-1) {
			m.ranks[id] = m.ranks[order[i-1]]
		} else {
			m.ranks[id] = uint32(i)
		}
	}
	return m, nil
}

func (m *merges) fromHub(list []Merge) error {
	m.pairs = make(map[uint64]uint64, len(list))
	pieces := m.t.cfg.Pieces
	for rank, merge := range list {
		if uint(merge.Left) >= uint(len(pieces)) || uint(merge.Right) >= uint(len(pieces)) {
			return hf.Faultf("Merges", "merge %d joins ids %d and %d, not both of which are pieces", rank, merge.Left, merge.Right)
		}
		right := pieces[merge.Right].Text
		joined := pieces[merge.Left].Text + right[min(len(m.t.cfg.Hub.Continuing), len(right)):]
		id, ok := m.t.ids[joined]
		if !ok {
			return hf.Faultf("Merges", "merge %d makes %s, which is not in the vocabulary", rank, hf.Quote(joined))
		}
		m.pairs[uint64(uint32(merge.Left))<<32|uint64(uint32(merge.Right))] = uint64(rank)<<32 | uint64(uint32(id))
	}
	return nil
}

// A symbol is a part of the text that is being merged.
type symbol struct {
	id         int32 // -1 for a character that is no piece
	start, end int32
	prev, next int32
	rank       uint32 // of the pair with the next symbol
	frozen     bool   // user-defined: joins nothing
}

// A merger is the scratch space of merging.
type merger struct {
	symbols []symbol
	queue   []uint64 // min-heap of rank<<32 | position
}

// keepScratch is the most symbols for which memory is kept between texts.
const keepScratch = 1 << 16

// pair returns rank<<32 | id of what the symbol at i and the next join to, noRank<<32 for nothing.
func (m *merges) pair(text []byte, left, right *symbol) (uint32, int32) {
	if m.pairs != nil {
		if left.id < 0 || right.id < 0 {
			return noRank, -1
		}
		if joined, ok := m.pairs[uint64(uint32(left.id))<<32|uint64(uint32(right.id))]; ok {
			return uint32(joined >> 32), int32(uint32(joined))
		}
		return noRank, -1
	}
	if left.frozen || right.frozen || int(right.end-left.start) > m.longest {
		return noRank, -1
	}
	if id, ok := m.t.ids[string(text[left.start:right.end])]; ok {
		return m.ranks[id], id
	}
	return noRank, -1
}

// merge appends the ids of text, a stretch across whose ends nothing joins.
func (e *encoder) merge(dst []int32, text []byte) []int32 {
	s, m := &e.merger, e.t.bpe
	m.split(s, text)
	symbols := s.symbols
	if len(symbols) == 0 {
		return dst
	}
	s.queue = s.queue[:0]
	var parts map[string]int32 // how long the left part of an unused piece is, as sentencepiece saw it last
	rerank := func(i int32) {
		at := &symbols[i]
		at.rank = noRank
		if at.next < 0 {
			return
		}
		next := &symbols[at.next]
		rank, id := m.pair(text, at, next)
		if at.rank = rank; rank == noRank {
			return
		}
		s.push(uint64(rank)<<32 | uint64(uint32(i)))
		if m.pairs == nil && m.t.cfg.Pieces[id].Type == Unused {
			if parts == nil {
				parts = map[string]int32{}
			}
			parts[string(text[at.start:next.end])] = at.end - at.start
		}
	}
	for i := range symbols {
		rerank(int32(i))
	}
	for len(s.queue) > 0 {
		top := s.pop()
		at := int32(uint32(top))
		left := &symbols[at]
		if left.rank != uint32(top>>32) || left.rank == noRank {
			continue
		}
		right := &symbols[left.next]
		_, id := m.pair(text, left, right)
		left.id, left.end, left.next = id, right.end, right.next
		right.rank, right.next = noRank, -1
		if left.next >= 0 {
			symbols[left.next].prev = at
		}
		rerank(at)
		if left.prev >= 0 {
			rerank(left.prev)
		}
	}
	for i := int32(0); i >= 0; i = symbols[i].next {
		from := len(dst)
		dst = m.emit(dst, text[symbols[i].start:symbols[i].end], symbols[i].id, parts)
		if e.tracing {
			e.place(dst, from, int(symbols[i].start), int(symbols[i].end))
		}
	}
	if len(symbols) > keepScratch {
		*s = merger{}
	}
	return dst
}

// split makes the symbols that merging begins with: characters and user-defined pieces, or what tokenizers makes of a word.
func (m *merges) split(s *merger, text []byte) {
	s.symbols = s.symbols[:0]
	if m.pairs != nil {
		m.splitHub(s, text)
	} else {
		m.splitRules(s, text)
	}
	if n := len(s.symbols); n > 0 {
		s.symbols[n-1].next = -1
	}
}

func (s *merger) add(id int32, start, end int, frozen bool) {
	n := int32(len(s.symbols))
	s.symbols = append(s.symbols, symbol{id: id, start: int32(start), end: int32(end), prev: n - 1, next: n + 1, rank: noRank, frozen: frozen})
}

func (m *merges) splitRules(s *merger, text []byte) {
	t := m.t
	for i := 0; i < len(text); {
		size := t.defined.longest(text[i:])
		frozen := size > 0
		if !frozen {
			_, size = utf8.DecodeRune(text[i:])
		}
		if id, ok := t.ids[string(text[i:i+size])]; ok && m.ranks[id] != noRank {
			s.add(id, i, i+size, frozen)
		} else {
			s.add(-1, i, i+size, false)
		}
		i += size
	}
}

// splitHub splits a word as tokenizers does: an unknown character waits until a known one comes, or another unknown one
// with which it is not fused, while bytes that spell a character do not wait for it.
func (m *merges) splitHub(s *merger, text []byte) {
	t, hub := m.t, m.t.cfg.Hub
	waiting, start, end := false, 0, 0
	flush := func() {
		if waiting {
			s.add(t.unknown, start, end, false)
			waiting = false
		}
	}
	for i := 0; i < len(text); {
		_, size := utf8.DecodeRune(text[i:])
		char := text[i : i+size]
		if hub.Continuing != "" && i > 0 {
			char = append([]byte(hub.Continuing), char...)
		}
		if hub.Suffix != "" && i+size == len(text) {
			char = append(char[:len(char):len(char)], hub.Suffix...)
		}
		id, ok := t.ids[string(char)]
		switch {
		case ok:
			flush()
			s.add(id, i, i+size, false)
		case t.cfg.ByteFallback && t.spellsBytes(char):
			for j, b := range char {
				at := min(i+j, i+size-1)
				s.add(t.byteIDs[b], at, min(at+1, i+size), false)
			}
		case t.unknown < 0:
		case waiting && hub.FuseUnknown:
			end = i + size
		default:
			flush()
			waiting, start, end = true, i, i+size
		}
		i += size
	}
	flush()
}

// spellsBytes reports whether each byte of a character has a piece.
func (t *Tokenizer) spellsBytes(char []byte) bool {
	for _, b := range char {
		if t.byteIDs[b] < 0 {
			return false
		}
	}
	return true
}

// emit appends a symbol: its id, its parts if the piece is unused, or what stands for an unknown character.
func (m *merges) emit(dst []int32, text []byte, id int32, parts map[string]int32) []int32 {
	if id >= 0 && parts != nil && m.t.cfg.Pieces[id].Type == Unused {
		if left, ok := parts[string(text)]; ok {
			dst = m.emit(dst, text[:left], m.part(text[:left]), parts)
			return m.emit(dst, text[left:], m.part(text[left:]), parts)
		}
	}
	if id < 0 {
		return m.t.appendUnknown(dst, text)
	}
	return append(dst, id)
}

// part returns the id of a part of an unused piece, -1 if it is unknown.
func (m *merges) part(text []byte) int32 {
	if id, ok := m.t.ids[string(text)]; ok && m.ranks[id] != noRank {
		return id
	}
	return -1
}

// push adds x to the min-heap.
func (s *merger) push(x uint64) {
	h := append(s.queue, x)
	i := len(h) - 1
	for i > 0 && h[(i-1)/2] > x {
		h[i] = h[(i-1)/2]
		i = (i - 1) / 2
	}
	h[i] = x
	s.queue = h
}

// pop takes the least of the min-heap.
func (s *merger) pop() uint64 {
	h := s.queue
	top, x := h[0], h[len(h)-1]
	h = h[:len(h)-1]
	i := 0
	for child := 1; child < len(h); child = 2*i + 1 {
		if child+1 < len(h) && h[child+1] < h[child] {
			child++
		}
		if x <= h[child] {
			break
		}
		h[i] = h[child]
		i = child
	}
	if len(h) > 0 {
		h[i] = x
	}
	s.queue = h
	return top
}
