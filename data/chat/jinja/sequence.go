package jinja

import (
	"math"
	"unicode/utf8"
)

func sliceIterator(items []Value) func() (Value, bool) {
	i := 0
	return func() (Value, bool) {
		if i >= len(items) {
			return nil, false
		}
		i++
		return items[i-1], true
	}
}

// iterate is iter(v): a function that returns the elements one by one; ok is false for what has none.
func (m *machine) iterate(v Value) (next func() (Value, bool), ok bool) {
	if s, ok := text(v); ok {
		return func() (Value, bool) {
			if s == "" {
				return nil, false
			}
			_, n := utf8.DecodeRuneInString(s)
			c := s[:n]
			s = s[n:]
			return c, true
		}, true
	}
	switch v := v.(type) {
	case *List:
		return sliceIterator(v.items), true
	case *Tuple:
		return sliceIterator(v.items), true
	case *Dict:
		return sliceIterator(v.keys), true
	case *Missing:
		return sliceIterator(nil), true
	case *iterator:
		return v.next, true
	case *view:
		i := -1
		return func() (Value, bool) {
			if i++; i >= len(v.of.keys) {
				return nil, false
			}
			return v.at(i), true
		}, true
	case *span:
		i, n := int64(-1), v.len()
		return func() (Value, bool) {
			if i++; i >= n {
				return nil, false
			}
			return v.start + i*v.step, true
		}, true
	case *loopState:
		refuse("a loop goes over the variable loop of another")
	}
	return nil, false
}

func (m *machine) mustIterate(v Value) func() (Value, bool) {
	next, ok := m.iterate(v)
	if !ok {
		typeError("'%s' object is not iterable", typeName(v))
	}
	return next
}

// list is list(v).
func (m *machine) list(v Value) []Value {
	switch v := v.(type) {
	case *List:
		return v.items
	case *Tuple:
		return v.items
	}
	next := m.mustIterate(v)
	var items []Value
	for item, ok := next(); ok; item, ok = next() {
		m.grow(16)
		items = append(items, item)
	}
	return items
}

// length is len(v); ok is false for what has none.
func (m *machine) length(v Value) (n int64, ok bool) {
	if s, ok := text(v); ok {
		return int64(runeLen(s)), true
	}
	switch v := v.(type) {
	case *List:
		return int64(len(v.items)), true
	case *Tuple:
		return int64(len(v.items)), true
	case *Dict:
		return int64(len(v.keys)), true
	case *view:
		return int64(len(v.of.keys)), true
	case *span:
		return v.len(), true
	case *Missing:
		return 0, true
	case *loopState:
		return v.length(), true
	}
	return 0, false
}

func (m *machine) mustLength(v Value) int64 {
	n, ok := m.length(v)
	if !ok {
		typeError("object of type '%s' has no len()", typeName(v))
	}
	return n
}

// slice is of[start:stop:step], None for what is left out.
func (m *machine) slice(of, start, stop, step Value) Value {
	if u, ok := of.(*Missing); ok {
		u.fail()
	}
	n := int64(0)
	switch of.(type) {
	case string, Markup, *List, *Tuple, *span:
		n = m.mustLength(of)
	case *Dict:
		typeError("unhashable type: 'slice'")
	default:
		typeError("'%s' object is not subscriptable", typeName(of))
	}
	begin, end, count, by := sliceBounds(n, start, stop, step)
	if count == 0 {
		if r, ok := of.(*span); ok {
			return &span{r.start + begin*r.step, r.start + end*r.step, r.step * by}
		}
		begin = 0
	}
	switch of := of.(type) {
	case *List:
		return NewList(m.picked(of.items, begin, count, by))
	case *Tuple:
		return &Tuple{items: m.picked(of.items, begin, count, by)}
	case *span:
		return &span{of.start + begin*of.step, of.start + end*of.step, of.step * by}
	}
	s, _ := text(of)
	m.grow(int64(len(s)))
	if by == 1 {
		return like(of, cut(s, int(begin), int(begin+count)))
	}
	characters := []rune(s)
	picked := make([]rune, count)
	for i := range picked {
		picked[i] = characters[begin+int64(i)*by]
	}
	return like(of, string(picked))
}

func (m *machine) picked(items []Value, begin, count, by int64) []Value {
	if by == 1 {
		return items[begin : begin+count : begin+count]
	}
	m.grow(16 * count)
	picked := make([]Value, count)
	for i := range picked {
		picked[i] = items[begin+int64(i)*by]
	}
	return picked
}

// sliceBounds returns where a slice of n elements begins and ends, how many it takes and its step, as Python cuts them.
func sliceBounds(n int64, start, stop, step Value) (begin, end, count, by int64) {
	part := func(v Value, missing int64) int64 {
		if v == None {
			return missing
		}
		i, ok := index(v)
		if !ok {
			typeError("slice indices must be integers or None or have an __index__ method")
		}
		return i
	}
	if by = part(step, 1); by == 0 {
		valueError("slice step cannot be zero")
	}
	by = max(by, -math.MaxInt64)
	low, high := int64(0), n
	if by < 0 {
		low, high = -1, n-1
	}
	clip := func(i int64) int64 {
		if i < 0 {
			return max(i+n, low)
		}
		return min(i, high)
	}
	first, last := int64(0), n
	if by < 0 {
		first, last = n-1, -1
	}
	begin, end = first, last
	if start != None {
		begin = clip(part(start, 0))
	}
	if stop != None {
		end = clip(part(stop, 0))
	}
	switch {
	case by > 0 && begin < end:
		count = (end-begin-1)/by + 1
	case by < 0 && end < begin:
		count = (begin-end-1)/-by + 1
	}
	return begin, end, count, by
}
