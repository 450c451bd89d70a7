package bpe

import (
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
)

// TestCache: words that were put in have their ids or are forgotten, across growth, many ids and words of one hash.
func TestCache(t *testing.T) {
	c := newCache()
	idsOf := func(i int) []int32 {
		ids := make([]int32, i%7)
		for j := range ids {
			ids[j] = int32(i + j)
		}
		return ids
	}
	short := func(i int) []byte { return fmt.Appendf(nil, "%d", i) }
	long := func(i int) []byte { return fmt.Appendf(nil, "a longer word, number %d", i) }
	check := func(i int) (found int) {
		lo, hi := cacheKey(short(i))
		if e := c.lookUp(lo, hi); e.lo == lo && e.hi == hi {
			got := e.ids[:]
			if e.ids[idsCached] > idsCached {
				got = c.many(e)
			}
			if got = got[:e.ids[idsCached]]; !slices.Equal(got, idsOf(i)) {
				t.Fatalf("%d has ids %v", i, got)
			}
			found++
		}
		if got, ok := c.long(longHash(long(i)), long(i)); ok {
			if !slices.Equal(got, idsOf(i)) {
				t.Fatalf("long %d has ids %v", i, got)
			}
			found++
		}
		return found
	}
	add := func(i int) {
		lo, hi := cacheKey(short(i))
		c.put(lo, hi, idsOf(i))
		c.putLong(longHash(long(i)), long(i), idsOf(i))
		if cap(c.ids) > 0 && cap(c.ids)-len(c.ids) < idsCached {
			t.Fatal("no room behind the ids, where the assembly reads")
		}
		if found := check(i); found == 0 { // room for the second may have cost the first
			t.Fatalf("%d is not there", i)
		}
	}
	const many = maxSlots / 2
	for i := range many {
		add(i)
	}
	found := 0
	for i := range many {
		found += check(i)
	}
	if found < many*3/2 {
		t.Errorf("%d of %d words are there", found, 2*many)
	}
	for i := many; i < 3*many; i++ {
		add(i)
	}
	for i := range 3 * many {
		check(i)
	}
}

// TestCacheOfOneHash: words that meet at one place are found, or looked up anew; none has the ids of another.
func TestCacheOfOneHash(t *testing.T) {
	c := newCache()
	var same []int
	for i := 0; len(same) < 4*maxProbes; i++ {
		if place(uint64(i), 8<<56)>>c.shift == place(0, 8<<56)>>c.shift {
			same = append(same, i)
		}
	}
	for round := range 2 {
		for _, i := range same {
			key, word := uint64(i), binary.LittleEndian.AppendUint64(make([]byte, 8, 16), uint64(i))
			if e := c.lookUp(key, 8<<56); e.hi != 0 && e.lo == key && e.ids[0] != int32(i) {
				t.Fatalf("%d has the ids of %d", i, e.ids[0])
			}
			if ids, ok := c.long(7, word); ok && ids[0] != int32(i) {
				t.Fatalf("long %d has the ids of %d", i, ids[0])
			}
			if round == 0 {
				c.put(key, 8<<56, []int32{int32(i)})
				c.putLong(7, word, []int32{int32(i)})
			}
		}
	}
}
