package jinja

import (
	"math"
	"math/big"
	"strings"
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
