package jinja

import (
	"math"
	"math/big"
	"strings"
	"unicode/utf8"
)

// binary is Python's + - * / // % **.
func (m *machine) binary(op string, a, b Value) Value {
	if v, ok := m.arithmetic(op, a, b); ok {
		return v
	}
	if op == "%" {
		if format, ok := text(a); ok {
			return m.percent(a, format, b)
		}
	}
	if u, ok := a.(*Missing); ok {
		u.fail()
	}
	if u, ok := b.(*Missing); ok {
		u.fail()
	}
	switch op {
	case "+":
		if v := m.add(a, b); v != nil {
			return v
		}
	case "*":
		for _, pair := range [][2]Value{{a, b}, {b, a}} {
			if _, ok := number(pair[1]); !ok {
				continue
			}
			if v := m.repeat(pair[0], pair[1]); v != nil {
				return v
			}
		}
	case "-":
		if _, ok := a.(*view); ok {
			refuse("the difference of a dict's keys or items, which is a set")
		}
	}
	if _, ok := text(a); ok && op == "+" {
		typeError("can only concatenate str (not %s) to str", `"`+typeName(b)+`"`)
	}
	typeError("unsupported operand type(s) for %s: '%s' and '%s'", op, typeName(a), typeName(b))
	return nil
}

// add joins strings, lists or tuples; nil for others. What is added to Markup is escaped.
func (m *machine) add(a, b Value) Value {
	if x, ok := text(a); ok {
		y, ok := text(b)
		if !ok {
			return nil
		}
		_, safe := a.(Markup)
		_, safeToo := b.(Markup)
		switch {
		case safe && !safeToo:
			y = escapeHTML(y)
		case safeToo && !safe:
			x = escapeHTML(x)
		}
		m.grow(int64(len(x) + len(y)))
		if safe || safeToo {
			return Markup(x + y)
		}
		return x + y
	}
	switch x := a.(type) {
	case *List:
		if y, ok := b.(*List); ok {
			return NewList(m.joined(x.items, y.items))
		}
	case *Tuple:
		if y, ok := b.(*Tuple); ok {
			return &Tuple{items: m.joined(x.items, y.items)}
		}
	}
	return nil
}

func (m *machine) joined(a, b []Value) []Value {
	m.grow(16 * int64(len(a)+len(b)))
	items := make([]Value, 0, len(a)+len(b))
	return append(append(items, a...), b...)
}

// repeat is a * n of a string, a list or a tuple; nil for others.
func (m *machine) repeat(a, times Value) Value {
	switch a.(type) {
	case string, Markup, *List, *Tuple:
	default:
		return nil
	}
	n := max(needIndex(times), 0)
	if s, ok := text(a); ok {
		m.growTimes(int64(len(s)), n)
		return like(a, strings.Repeat(s, int(n)))
	}
	var items []Value
	switch a := a.(type) {
	case *List:
		items = a.items
	case *Tuple:
		items = a.items
	}
	m.growTimes(16*int64(len(items)), n)
	all := make([]Value, 0, len(items)*int(n))
	if len(items) > 0 {
		for range n {
			all = append(all, items...)
		}
	}
	if _, ok := a.(*List); ok {
		return NewList(all)
	}
	return &Tuple{items: all}
}

func (m *machine) sign(minus bool, v Value) Value {
	switch v := v.(type) {
	case float64:
		if minus {
			return -v
		}
		return v
	case *Missing:
		v.fail()
	}
	n, ok := number(v)
	if !ok {
		typeError("bad operand type for unary %s: '%s'", map[bool]string{true: "-", false: "+"}[minus], typeName(v))
	}
	if !minus {
		return n
	}
	if small, ok := n.(int64); ok && small != math.MinInt64 {
		return -small
	}
	return shrink(new(big.Int).Neg(toBig(n)))
}

// concat is the operator ~.
func (m *machine) concat(values []Value) Value {
	parts := make([]string, len(values))
	n := 0
	for i, v := range values {
		parts[i] = m.str(v)
		n += len(parts[i])
	}
	m.grow(int64(n))
	return strings.Join(parts, "")
}

// compare is one of == != < <= > >= in notin.
func (m *machine) compare(op string, a, b Value) bool {
	switch op {
	case "==":
		return m.equal(a, b)
	case "!=":
		return !m.equal(a, b)
	case "in":
		return m.contains(b, a)
	case "notin":
		return !m.contains(b, a)
	}
	return m.order(op, a, b)
}

// order is one of < <= > >=.
func (m *machine) order(op string, a, b Value) bool {
	c, ok := 0, false
	if x, isText := text(a); isText {
		if y, isTextToo := text(b); isTextToo {
			c, ok = strings.Compare(x, y), true
			m.spend(int64(min(len(x), len(y)) / 64))
		}
	} else if c, ok = compareNumbers(a, b); ok && c == 2 {
		return false // nan
	}
	if !ok {
		x, y, sequences := sequencesOf(a, b)
		if !sequences {
			m.noOrder(op, a, b)
		}
		defer m.leave(m.enter())
		for i := 0; i < len(x) && i < len(y); i++ {
			m.spend(1)
			if !m.identicalOrEqual(x[i], y[i]) {
				return m.order(op, x[i], y[i])
			}
		}
		c = len(x) - len(y)
	}
	switch op {
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	}
	return c >= 0
}

func sequencesOf(a, b Value) (x, y []Value, ok bool) {
	switch a := a.(type) {
	case *List:
		if b, ok := b.(*List); ok {
			return a.items, b.items, true
		}
	case *Tuple:
		if b, ok := b.(*Tuple); ok {
			return a.items, b.items, true
		}
	}
	return nil, nil, false
}

func (m *machine) noOrder(op string, a, b Value) {
	for _, v := range []Value{a, b} {
		switch v := v.(type) {
		case *Missing:
			v.fail()
		case *view:
			refuse("%s of a dict's keys or items, which compares sets", op)
		}
	}
	typeError("'%s' not supported between instances of '%s' and '%s'", op, typeName(a), typeName(b))
}

// contains is v in of.
func (m *machine) contains(of, v Value) bool {
	if s, ok := text(of); ok {
		part, ok := text(v)
		if !ok {
			typeError("'in <string>' requires string as left operand, not %s", typeName(v))
		}
		m.spend(int64(len(s) / 64))
		return strings.Contains(s, part)
	}
	switch of := of.(type) {
	case *Dict:
		_, ok := of.get(m.key(v))
		return ok
	case *view:
		if of.kind != "dict_values" {
			return m.inView(v, of)
		}
	case *span:
		if n, ok := number(v); ok {
			i, small := n.(int64)
			if !small || of.len() == 0 {
				return false
			}
			last := of.start + (of.len()-1)*of.step
			return i >= min(of.start, last) && i <= max(of.start, last) && (i-of.start)%of.step == 0
		}
	}
	next, ok := m.iterate(of)
	if !ok {
		typeError("argument of type '%s' is not iterable", typeName(of))
	}
	for item, ok := next(); ok; item, ok = next() {
		m.spend(1)
		if m.identicalOrEqual(item, v) {
			return true
		}
	}
	return false
}

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
