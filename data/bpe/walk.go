package bpe

import (
	"encoding/binary"
	"math/bits"
)

// A walk is how far the pre-tokens of a window are encoded.
type walk struct {
	set   uint64 // starts in the block
	block uint64 // its number
	begin uint64 // of the pre-token
	at    uint64 // its end; begin where there is no further pre-token
}

// walkGeneric is the definition of walkWindow: it writes the ids of pre-tokens of text from w on into dst, up to the last
// that ends in starts or up to one, from w.begin to w.at, that is long or not in its bucket of the cache. It returns how
// many ids there are. Up to idsCached+1 are written behind them.
func walkGeneric(w *walk, text []byte, starts []uint64, c *cache, dst []int32) int {
	num := 0
	for {
		for w.set == 0 {
			if w.block++; w.block == uint64(len(starts)) {
				w.at, w.block = w.begin, w.block-1
				return num
			}
			w.set = starts[w.block]
		}
		w.at = w.block*blockBytes + uint64(bits.TrailingZeros64(w.set))
		w.set &= w.set - 1
		n := w.at - w.begin
		if n > maxCached {
			return num
		}
		lo := binary.LittleEndian.Uint64(text[w.begin:]) & keyMasks[n].lo
		hi := binary.LittleEndian.Uint64(text[w.begin+8:])&keyMasks[n].hi | n<<56
		e := c.buckets[place(lo, hi)>>c.shift].find(lo, hi)
		switch {
		case e.lo != lo || e.hi != hi:
			return num
		case e.ids[idsCached] > idsCached:
			num += copy(dst[num:], c.many(e))
		default:
			*(*[idsCached + 1]int32)(dst[num:]) = e.ids
			num += int(e.ids[idsCached])
		}
		w.begin = w.at
	}
}
