package bpe

import (
	"math/bits"
	"strconv"
)

// noRank is the rank of a pair without a merge.
const noRank = 1<<32 - 1

// A pairTable maps a pair of token ids to the rank and the result of its merge: open addressing with linear probing, at
// most half full, so that a look-up is one cache line as a rule.
type pairTable struct {
	slots []pairSlot
	shift uint // 64 - log2(len(slots))
}

type pairSlot struct {
	pair uint64 // left<<32 | right; noPair for empty
	rank uint32
	id   int32
}

const noPair = 1<<64 - 1

func pairOf(left, right int32) uint64 { return uint64(uint32(left))<<32 | uint64(uint32(right)) }

// newPairTable resolves the result of every merge.
func newPairTable(v *vocabulary, merges []Merge) (pairTable, error) {
	log := max(1, bits.Len(uint(2*len(merges))))
	t := pairTable{slots: make([]pairSlot, 1<<log), shift: uint(64 - log)}
	for i := range t.slots {
		t.slots[i] = pairSlot{pair: noPair, rank: noRank}
	}
	var joined []byte
	for rank, m := range merges {
		left, right := v.text(m.Left), v.text(m.Right)
		if left == "" || right == "" {
			return t, faultf("Merges", "merge %d joins ids %d and %d, not both of which are tokens", rank, m.Left, m.Right)
		}
		joined = append(append(joined[:0], left...), right...)
		id, ok := v.id(joined)
		if !ok {
			return t, &FormatError{Key: "Merges", Offset: -1, Cure: "add it, or drop the merge",
				Fault: "merge " + strconv.Itoa(rank) + " makes " + quote(string(joined)) + ", which is not in the vocabulary"}
		}
		slot := t.find(pairOf(m.Left, m.Right))
		*slot = pairSlot{pair: pairOf(m.Left, m.Right), rank: uint32(rank), id: id}
	}
	return t, nil
}

// find returns the slot of pair, or the empty one where it would be.
func (t *pairTable) find(pair uint64) *pairSlot {
	mask := uint64(len(t.slots) - 1)
	for i := pair * 0x9E3779B97F4A7C15 >> t.shift; ; i++ {
		slot := &t.slots[i&mask]
		if slot.pair == pair || slot.pair == noPair {
			return slot
		}
	}
}

// rank returns rank<<32 | id of a pair, ≥ noRank<<32 for none: the smaller, the sooner it merges.
func (t *pairTable) rank(left, right int32) uint64 {
	slot := t.find(pairOf(left, right))
	return uint64(slot.rank)<<32 | uint64(uint32(slot.id))
}

// A merger is the scratch space in which pre-tokens are merged.
type merger struct {
	ids   []int32
	ranks []uint64 // ranks[i] of the pair (i, i+1), rank<<32 | id
	links []link
	queue []uint64
}

// maxScan is the longest pre-token, in bytes, merged by scanning for the lowest rank, O(n²) but with small constants;
// longer ones go through a heap, O(n log n). Both give the same ids.
const maxScan = 96

// keepScratch is the most symbols for which a merger keeps its memory between pre-tokens.
const keepScratch = 1 << 16

// merge appends the tokens of one pre-token to dst.
func (m *merger) merge(dst []int32, t *Tokenizer, word []byte) []int32 {
	switch {
	case len(word) == 1:
		return append(dst, t.byteIDs[word[0]])
	case len(word) <= maxScan:
		return m.scan(dst, t, word)
	}
	dst = m.heap(dst, t, word)
	if len(word) > keepScratch {
		*m = merger{}
	}
	return dst
}

// scan merges a short pre-token.
func (m *merger) scan(dst []int32, t *Tokenizer, word []byte) []int32 {
	ids, ranks := m.ids[:0], m.ranks[:0]
	for i, b := range word {
		ids = append(ids, t.byteIDs[b])
		if i > 0 {
			ranks = append(ranks, t.pairs.rank(ids[i-1], ids[i]))
		}
	}
	m.ids, m.ranks = ids, ranks
	for len(ranks) > 0 {
		best, at := ranks[0], 0
		for i, r := range ranks {
			if r < best {
				best, at = r, i
			}
		}
		if best >= noRank<<32 {
			break
		}
		ids[at] = int32(uint32(best))
		copy(ids[at+1:], ids[at+2:])
		ids = ids[:len(ids)-1]
		copy(ranks[at:], ranks[at+1:])
		ranks = ranks[:len(ranks)-1]
		if at > 0 {
			ranks[at-1] = t.pairs.rank(ids[at-1], ids[at])
		}
		if at < len(ranks) {
			ranks[at] = t.pairs.rank(ids[at], ids[at+1])
		}
	}
	return append(dst, ids...)
}

// A link is a symbol in the list of a long pre-token; indices are positions of first bytes.
type link struct {
	id         int32
	prev, next int32
	rank       uint32 // of the pair with the next symbol
}

// heap merges a long pre-token: a list of symbols, and a heap of candidates rank<<32 | position, of which those whose
// position has got another rank since are skipped.
func (m *merger) heap(dst []int32, t *Tokenizer, word []byte) []int32 {
	links, queue := m.links[:0], m.queue[:0]
	for i, b := range word {
		links = append(links, link{id: t.byteIDs[b], prev: int32(i) - 1, next: int32(i) + 1, rank: noRank})
	}
	links[len(links)-1].next = -1
	for i := range links[:len(links)-1] {
		if rank := t.pairs.find(pairOf(links[i].id, links[i+1].id)).rank; rank != noRank {
			links[i].rank = rank
			queue = append(queue, uint64(rank)<<32|uint64(i))
		}
	}
	for i := len(queue)/2 - 1; i >= 0; i-- {
		siftDown(queue, i)
	}
	rerank := func(i int32) {
		links[i].rank = noRank
		if next := links[i].next; next >= 0 {
			if rank := t.pairs.find(pairOf(links[i].id, links[next].id)).rank; rank != noRank {
				links[i].rank = rank
				queue = append(queue, uint64(rank)<<32|uint64(uint32(i)))
				siftUp(queue, len(queue)-1)
			}
		}
	}
	for len(queue) > 0 {
		top := queue[0]
		queue[0] = queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		siftDown(queue, 0)
		at := int32(uint32(top))
		left := &links[at]
		if left.rank != uint32(top>>32) {
			continue
		}
		right := &links[left.next]
		left.id = t.pairs.find(pairOf(left.id, right.id)).id
		left.next = right.next
		right.rank = noRank
		if left.next >= 0 {
			links[left.next].prev = at
		}
		rerank(at)
		if left.prev >= 0 {
			rerank(left.prev)
		}
	}
	for i := int32(0); i >= 0; i = links[i].next {
		dst = append(dst, links[i].id)
	}
	m.links, m.queue = links, queue
	return dst
}

// siftDown restores the min-heap below i.
func siftDown(h []uint64, i int) {
	for {
		child := 2*i + 1
		if child >= len(h) {
			return
		}
		if child+1 < len(h) && h[child+1] < h[child] {
			child++
		}
		if h[i] <= h[child] {
			return
		}
		h[i], h[child] = h[child], h[i]
		i = child
	}
}

// siftUp restores the min-heap above i.
func siftUp(h []uint64, i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if h[parent] <= h[i] {
			return
		}
		h[i], h[parent] = h[parent], h[i]
		i = parent
	}
}
