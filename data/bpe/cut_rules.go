package bpe

import "math/bits"

// The functions here find the first bytes of pre-tokens. A set is 64 bits of a block; those that hang on their neighbours
// are shifted by one, with the last bit of the block before or the first of the next. Runs are followed by carries: adding
// the first bit of a run to a set turns all of the run off and the bit behind it on.

// firsts returns the first bytes of the characters of which last holds the last bytes. One that begins in the block before
// is noted in its starts.
func firsts(blocks []block, starts []uint64, k int, last uint64) uint64 {
	for long := last & blocks[k].tail; long != 0; long &= long - 1 {
		i := bits.TrailingZeros64(long)
		last &^= 1 << i
		at := k*blockBytes + i
		for has(blocks[at/blockBytes].tail, at) {
			at--
		}
		if at/blockBytes == k {
			last |= 1 << (at % blockBytes)
		} else {
			starts[k-1] |= 1 << (at % blockBytes)
		}
	}
	return last
}

// startsGPT2 finds the first bytes of pre-tokens as nextGPT2 cuts them: where the class changes, and at the last character
// of white space before anything else. A blank there goes with the word behind it.
func (s *splitter) startsGPT2(blocks []block, starts []uint64) {
	var letters, numbers, spaces, others, blanks uint64 // the last bits of the block before
	for k := range starts {
		b := &blocks[k]
		other := b.other | b.mark
		words := b.letter&^(b.letter<<1|letters) | b.number&^(b.number<<1|numbers) | other&^(other<<1|others)
		last := b.space &^ (b.space>>1 | blocks[k+1].space<<63)
		if s.rules.alone {
			words |= b.number &^ b.tail
			last &^= b.number>>1 | blocks[k+1].number<<63
		}
		blank := last & b.blank
		starts[k] = words&^(blank<<1|blanks) | b.space&^(b.space<<1|spaces) | firsts(blocks, starts, k, last) | b.alone
		letters, numbers, spaces, others, blanks = b.letter>>63, b.number>>63, b.space>>63, other>>63, blank>>63
	}
}

// A cutter is what GPT-4 and o200k carry from block to block: the last bits of sets, and carries of additions.
type cutter struct {
	letters, others, rest, spaces, newlines, blanks, lasts, prefix uint64

	numbers, groups uint64 // whole sets

	taken, tails, prefixes uint64 // carries
	lowers, both           uint64 // of words of o200k
	lowersOn               uint64 // carry
}

// step finds the first bytes of pre-tokens of block k in GPT-4 and o200k but for those inside of words:
//
//	[^\r\n\p{L}\p{N}]?words|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
//
// where others go on, behind a newline, along the set on.
func (c *cutter) step(s *splitter, blocks []block, starts []uint64, k int, letter, other, on uint64) uint64 {
	b := &blocks[k]

	// Newlines behind others go with them, in o200k with the slashes behind: neither counts any further.
	seeds := (other<<1 | c.others) & b.newline
	sum, taken := bits.Add64(on, seeds, c.taken)
	gone := (sum^on)&on | seeds
	c.taken, c.others = taken, other>>63
	other &^= gone
	space := b.space &^ gone

	// White space ends with its last newline; what is behind that, or all without one, before its last character.
	newline := space & b.newline
	plain := space &^ newline
	tail := plain & (newline<<1 | c.newlines)
	sum, tails := bits.Add64(plain, tail, c.tails)
	between := sum &^ plain & newline // newlines behind a tail, which is none
	c.tails, c.newlines = tails, newline>>63
	last := plain &^ (b.space>>1 | blocks[k+1].space<<63)
	blank := last & b.blank
	found := tail | space&^(space<<1|c.spaces) | firsts(blocks, starts, k, last)
	c.spaces = space >> 63
	for ; between != 0; between &= between - 1 {
		at := k*blockBytes + bits.TrailingZeros64(between)
		for has(blocks[(at-1)/blockBytes].space&^blocks[(at-1)/blockBytes].newline, at-1) {
			at--
		}
		if at/blockBytes == k {
			found &^= 1 << (at % blockBytes)
		} else {
			starts[at/blockBytes] &^= 1 << (at % blockBytes)
		}
	}

	// A character of others at which a pre-token starts, and white space before a word, go with the word.
	first := other &^ (other<<1 | c.rest | blank<<1 | c.blanks)
	sum, prefixes := bits.Add64(first<<1|c.prefix, b.tail, c.prefixes)
	word := letter &^ (letter<<1 | c.letters | last<<1 | c.lasts | sum&^b.tail)
	c.rest, c.blanks, c.prefix, c.prefixes = other>>63, blank>>63, first>>63, prefixes
	c.letters, c.lasts = letter>>63, last>>63

	return found | first | word | c.number(b, s.rules.digits) | b.alone
}

// number returns the first bytes of pre-tokens of at most so many digits, one or three.
func (c *cutter) number(b *block, digits int) uint64 {
	n := b.number
	if digits == 1 || n == 0 {
		c.numbers, c.groups = n, 0
		return n &^ b.tail
	}
	second := n & (n<<1 | c.numbers>>63)
	third := second & (n<<2 | c.numbers>>62)
	groups := n&^second | third&(c.groups>>61)
	for more := groups; more != 0; groups |= more {
		more = more << 3 & third
	}
	c.numbers, c.groups = n, groups
	return groups
}

// startsGPT4 finds the first bytes of pre-tokens as nextGPT4 cuts them.
func (s *splitter) startsGPT4(blocks []block, starts []uint64) {
	var c cutter
	for k := range starts {
		b := &blocks[k]
		letter, other := b.letter, b.other|b.mark
		if s.rules.marks {
			letter, other = b.letter|b.mark, b.other
		}
		starts[k] = c.step(s, blocks, starts, k, letter, other, b.newline)
	}
}

// startsO200K finds the first bytes of pre-tokens as nextO200K cuts them. Words of letters U and W, of which some are both,
// are cut before a capital behind W or behind W and letters that are both; and before capitals behind letters that are
// both at the end of a word.
func (s *splitter) startsO200K(blocks []block, starts []uint64) {
	var c cutter
	for k := range starts {
		b := &blocks[k]
		upper, lower, both := b.upper&^b.lower, b.lower&^b.upper, b.upper&b.lower
		seeds := both & (lower<<1 | c.lowers)
		sum, on := bits.Add64(both, seeds, c.lowersOn)
		ending := lower | (sum^both)&both | seeds // W, and letters that are both behind it
		inside := upper & (ending<<1 | c.lowers)
		c.lowersOn = on
		for q := upper & ((both&^ending)<<1 | c.both); q != 0; q &= q - 1 {
			i := k*blockBytes + bits.TrailingZeros64(q)
			end := i
			for end < len(starts)*blockBytes && has(blocks[end/blockBytes].upper&^blocks[end/blockBytes].lower, end) {
				end++
			}
			if !has(blocks[end/blockBytes].upper|blocks[end/blockBytes].lower, end) {
				inside |= q & -q
			}
		}
		c.lowers, c.both = ending>>63, both&^ending>>63
		starts[k] = inside | c.step(s, blocks, starts, k, b.upper|b.lower, b.other, b.newline|b.slash)
	}
}
