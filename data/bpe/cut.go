package bpe

import (
	"math/bits"
)

// A window is a stretch of text that is cut into pre-tokens at once, by logic on sets of bytes in place of a walk from
// character to character.
type window struct {
	blocks [windowBlocks + 1]block // the last is empty
	starts [windowBlocks]uint64    // the first bytes of pre-tokens, bit i%64 of word i/64 for byte i
}

// certainty is how far in front of the end of a window a pre-token must start to be certain: no rule looks further
// but along a run of white space or capital letters.
const certainty = 16

// cut finds pre-tokens of text, at the beginning of which one starts. It returns end, where another starts, and starts has
// those in text[1:end+1]; behind that are 16 bytes and more. It returns 0 for what is left to next: short texts, and what
// sets cannot tell.
func (s *splitter) cut(w *window, text []byte) int {
	n := min(len(text)/blockBytes, windowBlocks)
	if n == 0 {
		return 0
	}
	blocks := w.blocks[:n+1]
	s.describe(blocks[:n], text)
	blocks[n] = block{}
	end := n * blockBytes
	starts := w.starts[:n]
	switch s.rules.family {
	case familyGPT2:
		s.leaveContractions(blocks, text[:end])
		s.startsGPT2(blocks, starts)
	case familyGPT4:
		end = min(end, s.hardNumber(blocks))
		s.leaveContractions(blocks, text[:end])
		s.startsGPT4(blocks, starts)
	default:
		end = min(end, s.hardNumber(blocks), hardMark(blocks))
		if s.rules.contracted {
			joinContractions(blocks, text[:end])
		}
		s.startsO200K(blocks, starts)
	}
	if end = s.lastCertain(w, end); end > 0 {
		starts[0] &^= 1
		starts[end/blockBytes] &= 1<<(end%blockBytes+1) - 1
	}
	return end
}

// has tells whether byte i of the window is in a set.
func has(set uint64, i int) bool { return set>>(i%blockBytes)&1 != 0 }

// lastCertain returns the last start in front of end that does not hang on what follows: not in white space that goes on,
// nor in o200k with capital letters behind an ideograph. It is 0 if there is none.
func (s *splitter) lastCertain(w *window, end int) int {
	for end -= certainty; end > 0; end-- {
		k := end / blockBytes
		if w.starts[k]<<(63-end%blockBytes) == 0 {
			end = k * blockBytes
			continue
		}
		end -= bits.LeadingZeros64(w.starts[k] << (63 - end%blockBytes))
		b := &w.blocks[k]
		if has(b.space, end) {
			next := end + 1
			for has(w.blocks[next/blockBytes].tail, next) {
				next++
			}
			if has(w.blocks[next/blockBytes].space, next) {
				continue
			}
		}
		if s.rules.family == familyO200K && end > 0 && has(b.upper&^b.lower, end) && has(w.blocks[(end-1)/blockBytes].upper&w.blocks[(end-1)/blockBytes].lower, end-1) {
			continue
		}
		return max(end, 0)
	}
	return 0
}

// leaveContractions takes contractions out of blocks and notes where they start: GPT-2 and GPT-4 have them where a
// pre-token starts, which is not behind what a quote goes on with.
func (s *splitter) leaveContractions(blocks []block, text []byte) {
	for k := range blocks[:len(blocks)-1] {
		for rest := blocks[k].quote; rest != 0; rest &= rest - 1 {
			i := k*blockBytes + bits.TrailingZeros64(rest)
			if i >= len(text) {
				return
			}
			if i > 0 {
				if b := &blocks[(i-1)/blockBytes]; has(b.other|b.blank|b.mark, i-1) && !(s.rules.marks && has(b.mark, i-1)) {
					continue
				}
			}
			if end := contraction(text, i, s.rules.family != familyGPT2); end > 0 {
				leave(blocks, i, end)
				blocks[k].alone |= 1 << (i % blockBytes)
			}
		}
	}
}

// joinContractions takes contractions out of blocks that belong to the word before them, as in o200k. A contraction is no
// such word.
func joinContractions(blocks []block, text []byte) {
	for k := range blocks[:len(blocks)-1] {
		for rest := blocks[k].quote; rest != 0; rest &= rest - 1 {
			i := k*blockBytes + bits.TrailingZeros64(rest)
			if i >= len(text) {
				return
			}
			if i == 0 || !has(blocks[(i-1)/blockBytes].upper|blocks[(i-1)/blockBytes].lower, i-1) {
				continue
			}
			if end := contraction(text, i, true); end > 0 {
				leave(blocks, i, end)
			}
		}
	}
}

// leave takes the bytes from i to end out of the sets of letters and others.
func leave(blocks []block, i, end int) {
	for ; i < end; i++ {
		b, keep := &blocks[i/blockBytes], ^(uint64(1) << (i % blockBytes))
		b.upper &= keep
		b.lower &= keep
		b.letter &= keep
		b.other &= keep
	}
}

// hardNumber returns where the first number stands that is not ASCII, the end of blocks for none, in patterns that count
// the characters of a number.
func (s *splitter) hardNumber(blocks []block) int {
	if s.rules.digits > 1 {
		for k := range blocks {
			if hard := blocks[k].number & blocks[k].high; hard != 0 {
				return k*blockBytes + bits.TrailingZeros64(hard)
			}
		}
	}
	return len(blocks) * blockBytes
}

// hardMark returns where the first mark stands behind what is neither letter, number nor white space, the end of blocks for
// none: in o200k it may belong to either.
func hardMark(blocks []block) int {
	before := uint64(0)
	for k := range blocks {
		b := &blocks[k]
		if hard := b.mark & (b.other<<1 | before); hard != 0 {
			return k*blockBytes + bits.TrailingZeros64(hard)
		}
		before = b.other >> 63
	}
	return len(blocks) * blockBytes
}
