package onig

import (
	"encoding/base64"
	"encoding/binary"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"
)

// span is the characters from lo to hi.
type span struct{ lo, hi rune }

// ranges is a set of characters: spans in order that do not touch.
type ranges []span

func single(c rune) ranges { return ranges{{c, c}} }

// normal brings spans into order and joins them.
func normal(r ranges) ranges {
	slices.SortFunc(r, func(a, b span) int { return int(a.lo) - int(b.lo) })
	out := r[:0]
	for _, s := range r {
		if n := len(out); n > 0 && s.lo <= out[n-1].hi+1 {
			out[n-1].hi = max(out[n-1].hi, s.hi)
		} else {
			out = append(out, s)
		}
	}
	return out
}

func union(all ...ranges) ranges { return normal(slices.Concat(all...)) }

func (r ranges) negated() ranges {
	var out ranges
	next := rune(0)
	for _, s := range r {
		if s.lo > next {
			out = append(out, span{next, s.lo - 1})
		}
		next = s.hi + 1
	}
	if next <= utf8.MaxRune {
		out = append(out, span{next, utf8.MaxRune})
	}
	return out
}

func intersect(a, b ranges) ranges { return union(a.negated(), b.negated()).negated() }

func (r ranges) has(c rune) bool {
	i := sort.Search(len(r), func(i int) bool { return c <= r[i].hi })
	return i < len(r) && r[i].lo <= c
}

// property returns the characters of \p{name}, nil if nobody knows it.
func property(name string) (ranges, bool) {
	name = strings.NewReplacer("_", "", "-", "", " ", "").Replace(strings.ToLower(name))
	at, ok := properties[name]
	if !ok {
		return nil, false
	}
	raw, _ := base64.StdEncoding.DecodeString(propertySets[at])
	var r ranges
	end := rune(0)
	for len(raw) > 0 {
		gap, n := binary.Uvarint(raw)
		length, m := binary.Uvarint(raw[n:])
		raw = raw[n+m:]
		lo := end + rune(gap)
		r = append(r, span{lo, lo + rune(length)})
		end = lo + rune(length) + 1
	}
	return r, true
}

// known is a property that is in the table.
func known(name string) ranges {
	r, _ := property(name)
	return r
}

// A set answers for a character at once: a bit for each below 0x10000, a search above.
type set struct {
	ascii [2]uint64
	pages []uint64 // of 64 characters from 0x80 on; nil if there are none
	above ranges
	all   ranges
}

func newSet(r ranges) *set {
	s := &set{all: r}
	for _, p := range r {
		for c := p.lo; c <= min(p.hi, 0x7F); c++ {
			s.ascii[c>>6] |= 1 << (c & 63)
		}
		if p.hi > 0x7F && p.lo <= 0xFFFF {
			if s.pages == nil {
				s.pages = make([]uint64, 0x10000/64)
			}
			for c := max(p.lo, 0x80); c <= min(p.hi, 0xFFFF); c++ {
				s.pages[c>>6] |= 1 << (c & 63)
			}
		}
		if p.hi > 0xFFFF {
			s.above = append(s.above, span{max(p.lo, 0x10000), p.hi})
		}
	}
	return s
}

func (s *set) has(c rune) bool {
	switch {
	case c < utf8.RuneSelf:
		return s.ascii[c>>6]>>(c&63)&1 != 0
	case c <= 0xFFFF:
		return s.pages != nil && s.pages[c>>6]>>(c&63)&1 != 0
	}
	return s.above.has(c)
}
