package bpe

import (
	"math/bits"
	"unicode/utf8"
)

// blockBytes is how much text a block describes, one bit a byte.
const blockBytes = 64

// windowBlocks is how many blocks are cut at a time: 2 KiB of text, whose blocks stay in the first cache.
const windowBlocks = 32

// A block holds sets of the bytes of 64 bytes of text, bit i for byte i. All bytes of a character are in the sets of its
// class. classifyBlocks fills the fields up to top, the assembly by their order.
type block struct {
	upper, lower    uint64 // of classes inUpper and inLower
	number          uint64
	space, newline  uint64
	blank           uint64 // ' '
	quote           uint64 // '\''
	slash           uint64 // '/'
	high            uint64 // bytes of characters that are not ASCII, and bytes that are no UTF-8
	follow          uint64 // 0x80 … 0xBF; this and the next are zero in blocks without high bytes
	lead, half, top uint64 // 0xE5 … 0xE9; 0xE4; 0xB8 … 0xBF

	letter uint64
	mark   uint64
	other  uint64
	tail   uint64 // bytes of characters but their first
	alone  uint64 // first bytes of pre-tokens that are found beforehand: contractions of GPT-2 and GPT-4
}

// classifyGeneric is the definition of classifyBlocks: it describes the ASCII characters of text, of 64 bytes a block, and
// tells bytes of others apart.
func classifyGeneric(blocks []block, text []byte) {
	for k := range blocks {
		b := block{}
		for i, c := range text[k*blockBytes:][:blockBytes] {
			bit := uint64(1) << i
			switch {
			case 'A' <= c && c <= 'Z':
				b.upper |= bit
			case 'a' <= c && c <= 'z':
				b.lower |= bit
			case '0' <= c && c <= '9':
				b.number |= bit
			case c == '\n' || c == '\r':
				b.newline |= bit
				b.space |= bit
			case c == ' ':
				b.blank |= bit
				b.space |= bit
			case '\t' <= c && c <= '\r':
				b.space |= bit
			case c == '\'':
				b.quote |= bit
			case c == '/':
				b.slash |= bit
			case c >= utf8.RuneSelf:
				b.high |= bit
				switch {
				case c < 0xC0:
					b.follow |= bit
					if c >= 0xB8 {
						b.top |= bit
					}
				case c == 0xE4:
					b.half |= bit
				case 0xE5 <= c && c <= 0xE9:
					b.lead |= bit
				}
			}
		}
		blocks[k] = b
	}
}

// describe fills blocks with what text holds: 64 bytes a block, and what is needed behind them to complete a character.
func (s *splitter) describe(blocks []block, text []byte) {
	classifyBlocks(blocks, text)
	var open part // of the block before
	for k := range blocks {
		b := &blocks[k]
		b.letter = b.upper | b.lower
		b.mark, b.tail, b.alone = 0, 0, 0
		b.other = ^(b.letter | b.number | b.space | b.high)
		if b.high != 0 {
			b.add(open.class, open.set)
			b.tail = open.set
			var next block
			if k+1 < len(blocks) {
				next = blocks[k+1]
			}
			open = s.describeHigh(b, &next, text, k*blockBytes, b.high&^open.set)
		}
	}
}

// A part is the bytes of a character in the block behind the one in which it begins.
type part struct {
	class class
	set   uint64
}

// describeHigh adds the characters of the block b at text[at] that begin in the set high and returns the part of the last
// that is behind b. The ideographs U+4E00 … U+9FFF are found 64 bytes at a time: they are three bytes from 0xE4 0xB8 to
// 0xE9 0xBF, all of one class. Others are looked up one by one.
func (s *splitter) describeHigh(b, next *block, text []byte, at int, high uint64) part {
	second := b.follow>>1 | next.follow<<63
	third := b.follow>>2 | next.follow<<62
	first := (b.lead | b.half&(b.top>>1|next.top<<63)) & second & third
	behind := first<<1 | first<<2
	b.add(ideograph, first|behind)
	b.tail |= behind
	open := part{ideograph, first>>63 | first>>62}
	for rest := high &^ (first | behind); rest != 0; {
		i := bits.TrailingZeros64(rest)
		c, size := s.classes.at(text, at+i)
		set := uint64(1)<<size - 1
		b.add(c, set<<i)
		b.tail |= set << i &^ (1 << i)
		rest &^= set << i
		if i+size > blockBytes {
			open = part{c, set >> (blockBytes - i)}
		}
	}
	return open
}

// ideograph is the class of the ideographs U+4E00 … U+9FFF.
const ideograph = inUpper | inLower | inLetter

// add puts a set of bytes of a class into the sets of that class.
func (b *block) add(c class, set uint64) {
	has := func(of class) uint64 { return -uint64(c/of&1) & set }
	b.upper |= has(inUpper)
	b.lower |= has(inLower)
	b.letter |= has(inLetter)
	b.number |= has(inNumber)
	b.space |= has(inSpace)
	b.mark |= has(inMark)
	b.other |= has(inOther)
}
