package bpe

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// A cached is the encoding of a pre-token of at most maxCached bytes. Its key is those bytes, padded with zeros, and in the
// last their number. ids ends with the number of ids; with more than idsCached of them, they lie in cache.ids and the first
// is the place.
type cached struct {
	lo, hi uint64
	ids    [idsCached + 1]int32
}

const (
	maxCached = 15
	idsCached = 3
)

// A cachedLong is the encoding of a longer pre-token, whose bytes and ids lie in the arenas of the cache.
type cachedLong struct {
	hash       uint64 // 0 for none
	word, ids  uint32 // where they begin
	bytes, num uint32
}

// maxLong is the longest pre-token that is cached.
const maxLong = 1 << 10

// A bucket is a cache line. Entries of words that are looked up again come to the bucket of their hash.
type bucket [2]cached

// Bounds of a cache: what it holds grows up to them, and is then forgotten. In bytes they are 4 MiB of short pre-tokens and
// 3, 2 and 6 MiB of long ones, their bytes and ids.
const (
	minSlots  = 1 << 11
	maxSlots  = minSlots << 6
	maxProbes = 32 // hostile text may have words of one hash; that at the first place is replaced
	maxBytes  = 2 << 20
	maxIDs    = 3 << 19
)

// A cache holds the ids of pre-tokens: two open-addressing tables with linear probing, at most three quarters full.
type cache struct {
	shift   uint // 64 - log2(len(buckets))
	used    int
	buckets []bucket

	longUsed int
	longs    []cachedLong
	bytes    []byte
	ids      []int32
}

func newCache() cache {
	c := cache{longs: make([]cachedLong, minSlots)}
	c.resize(minSlots)
	return c
}

// keyMasks are the bytes of a key that are those of a pre-token of so many bytes.
var keyMasks = func() (masks [maxCached + 1]struct{ lo, hi uint64 }) {
	for n := range masks {
		masks[n].lo, masks[n].hi = 1<<(8*n)-1, 1<<(8*max(n-8, 0))-1
	}
	return masks
}()

// cacheKey returns the key of a word of at most maxCached bytes, which is not zero as words are not empty.
func cacheKey(word []byte) (lo, hi uint64) {
	var key [16]byte
	copy(key[:], word)
	key[maxCached] = byte(len(word))
	return binary.LittleEndian.Uint64(key[:]), binary.LittleEndian.Uint64(key[8:])
}

// resize makes room for so many short pre-tokens.
func (c *cache) resize(slots int) {
	c.buckets = make([]bucket, slots/2)
	c.shift = 64 - uint(bits.Len(uint(len(c.buckets)-1)))
}

// What is mixed into keys.
const (
	saltLo = 0x9E3779B97F4A7C15
	saltHi = 0xD6E8FEB86659FD93
)

// place hashes a key; shifted, it is the place of its bucket.
func place(lo, hi uint64) uint64 { return mix(lo^saltLo, hi^saltHi) }

// find returns the entry of a key in its bucket, or another of that bucket.
func (b *bucket) find(lo, hi uint64) *cached {
	i := 0
	if b[1].lo^lo|b[1].hi^hi == 0 { // one condition, for which no jump is made
		i = 1
	}
	return &b[i]
}

// lookUp returns the entry of a key, moved to its bucket, or the one where it would be.
func (c *cache) lookUp(lo, hi uint64) *cached {
	first := place(lo, hi) >> c.shift
	home := &c.buckets[first]
	for i := range uint64(maxProbes) {
		b := &c.buckets[(first+i)&uint64(len(c.buckets)-1)]
		for j := range b {
			switch e := &b[j]; {
			case e.hi == 0:
				return e
			case e.lo == lo && e.hi == hi && i > 0:
				*e, home[1] = home[1], *e
				return &home[1]
			case e.lo == lo && e.hi == hi:
				return e
			}
		}
	}
	return &home[1]
}

// many returns the ids of an entry that has them in c.ids.
func (c *cache) many(e *cached) []int32 {
	return c.ids[e.ids[0]:][:e.ids[idsCached]]
}

// put adds a key that is not there.
func (c *cache) put(lo, hi uint64, ids []int32) {
	if 4*c.used >= 3*2*len(c.buckets) {
		c.growShort()
	}
	e := cached{lo: lo, hi: hi}
	e.ids[idsCached] = int32(len(ids))
	if len(ids) <= idsCached {
		copy(e.ids[:], ids)
	} else {
		if len(c.ids)+len(ids) > maxIDs {
			c.forget()
		}
		e.ids[0] = int32(c.addIDs(ids))
	}
	*c.lookUp(lo, hi) = e
	c.used++
}

// addIDs returns where it puts ids. Behind all of them is room for idsCached more, which walkWindow reads.
func (c *cache) addIDs(ids []int32) int {
	at := len(c.ids)
	c.ids = append(slices.Grow(c.ids, len(ids)+idsCached), ids...)
	return at
}

// growShort makes room for short pre-tokens.
func (c *cache) growShort() {
	old := c.buckets
	if 2*len(old) == maxSlots {
		c.forget()
		return
	}
	c.resize(4 * 2 * len(old))
	for _, b := range old {
		for _, e := range b {
			if e.hi != 0 {
				*c.lookUp(e.lo, e.hi) = e
			}
		}
	}
}

// forget empties the cache.
func (c *cache) forget() {
	clear(c.buckets)
	clear(c.longs)
	c.used, c.longUsed, c.bytes, c.ids = 0, 0, c.bytes[:0], c.ids[:0]
}

// longHash hashes a word of more than maxCached bytes.
func longHash(word []byte) uint64 {
	h := uint64(len(word)) * saltLo
	for rest := word; len(rest) >= 16; rest = rest[16:] {
		h = mix(binary.LittleEndian.Uint64(rest)^h, binary.LittleEndian.Uint64(rest[8:])^saltHi)
	}
	last := word[len(word)-16:]
	return mix(binary.LittleEndian.Uint64(last)^h, binary.LittleEndian.Uint64(last[8:])^saltHi) | 1
}

func mix(a, b uint64) uint64 {
	h, l := bits.Mul64(a, b)
	return h ^ l
}

// findLong returns the slot of a word, and whether it is there; or else the one where it would be.
func (c *cache) findLong(hash uint64, word []byte) (*cachedLong, bool) {
	first, mask := hash>>1, uint64(len(c.longs)-1)
	for i := range uint64(maxProbes) {
		e := &c.longs[(first+i)&mask]
		if e.hash == 0 {
			return e, false
		}
		if e.hash == hash && string(c.bytes[e.word:][:e.bytes]) == string(word) {
			return e, true
		}
	}
	return &c.longs[first&mask], false
}

// long returns the ids of a word of more than maxCached bytes.
func (c *cache) long(hash uint64, word []byte) ([]int32, bool) {
	e, ok := c.findLong(hash, word)
	return c.ids[e.ids:][:e.num], ok
}

// putLong adds a word that is not there.
func (c *cache) putLong(hash uint64, word []byte, ids []int32) {
	switch {
	case len(c.bytes)+len(word) > maxBytes || len(c.ids)+len(ids) > maxIDs:
		c.forget()
	case 4*c.longUsed >= 3*len(c.longs):
		c.growLong()
	}
	e, _ := c.findLong(hash, word)
	*e = cachedLong{hash: hash, word: uint32(len(c.bytes)), bytes: uint32(len(word)), ids: uint32(c.addIDs(ids)), num: uint32(len(ids))}
	c.bytes = append(c.bytes, word...)
	c.longUsed++
}

// growLong makes room for long pre-tokens.
func (c *cache) growLong() {
	if len(c.longs) == maxSlots {
		c.forget()
		return
	}
	old := c.longs
	c.longs = make([]cachedLong, 4*len(old))
	for _, e := range old {
		if e.hash != 0 {
			to, _ := c.findLong(e.hash, c.bytes[e.word:][:e.bytes])
			*to = e
		}
	}
}
