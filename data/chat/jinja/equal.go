package jinja

import "math/big"

// same is Python's "is". Two equal strings or numbers of which nobody can say whether Python keeps them as one object are
// refused.
func same(a, b Value) bool {
	switch a := a.(type) {
	case none, bool:
		return a == b
	case int64:
		b, ok := b.(int64)
		if !ok || a != b {
			return false
		}
		if a < -5 || a > 256 {
			refuse("'sameas' of two equal numbers, which Python may keep as one object or as two (use ==)")
		}
		return true
	case string:
		b, ok := b.(string)
		if !ok || a != b {
			return false
		}
		if a != "" {
			refuse("'sameas' of two equal strings, which Python may keep as one object or as two (use ==)")
		}
		return true
	case *big.Int, float64, Markup:
		if equalScalar(a, b) && typeName(a) == typeName(b) {
			refuse("'sameas' of two equal values, which Python may keep as one object or as two (use ==)")
		}
		return false
	case *Tuple:
		b, ok := b.(*Tuple)
		if ok && a != b && len(a.items) == len(b.items) {
			refuse("'sameas' of two tuples, which Python may keep as one object or as two (use ==)")
		}
		return ok && a == b
	}
	return a == b
}

func equalScalar(a, b Value) bool {
	if x, ok := text(a); ok {
		y, ok := text(b)
		return ok && x == y
	}
	c, ok := compareNumbers(a, b)
	return ok && c == 0
}

// equal is Python's ==.
func (m *machine) equal(a, b Value) bool {
	switch x := a.(type) {
	case string:
		y, ok := text(b)
		return ok && m.equalText(x, y)
	case Markup:
		y, ok := text(b)
		return ok && m.equalText(string(x), y)
	case none:
		return b == None
	case bool, int64, *big.Int, float64:
		c, ok := compareNumbers(a, b)
		return ok && c == 0
	case *List:
		y, ok := b.(*List)
		return ok && (x == y || m.equalItems(x.items, y.items))
	case *Tuple:
		y, ok := b.(*Tuple)
		return ok && (x == y || m.equalItems(x.items, y.items))
	case *Dict:
		y, ok := b.(*Dict)
		return ok && (x == y || m.equalDicts(x, y))
	case *Missing:
		_, ok := b.(*Missing)
		return ok
	case *span:
		y, ok := b.(*span)
		return ok && (x.len() == y.len() && (x.len() == 0 || x.start == y.start && (x.len() == 1 || x.step == y.step)))
	case *view:
		y, ok := b.(*view)
		return ok && m.equalViews(x, y)
	case *bound:
		y, ok := b.(*bound)
		return ok && x.def == y.def && sameObject(x.self, y.self)
	}
	return a == b
}

// sameObject compares by identity where Go can, and by value for what has none.
func sameObject(a, b Value) bool {
	switch a.(type) {
	case float64:
		return false
	}
	return a == b
}

func (m *machine) equalText(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	if len(a) > 64 {
		m.spend(int64(len(a) / 64))
	}
	return a == b
}

func (m *machine) equalItems(a, b []Value) bool {
	if len(a) != len(b) {
		return false
	}
	defer m.leave(m.enter())
	for i := range a {
		m.spend(1)
		if !m.identicalOrEqual(a[i], b[i]) {
			return false
		}
	}
	return true
}

// identicalOrEqual is how Python compares the elements of containers: nan in a list equals itself.
func (m *machine) identicalOrEqual(a, b Value) bool {
	if x, ok := a.(float64); ok && x != x {
		y, ok := b.(float64)
		if ok && y != y {
			refuse("nan inside a list is compared, which in Python depends on whether it is one object")
		}
		return false
	}
	return m.equal(a, b)
}

func (m *machine) equalDicts(a, b *Dict) bool {
	if len(a.keys) != len(b.keys) {
		return false
	}
	defer m.leave(m.enter())
	for i, key := range a.keys {
		m.spend(1)
		value, ok := b.get(m.key(key))
		if !ok || !m.identicalOrEqual(a.values[i], value) {
			return false
		}
	}
	return true
}

// equalViews compares keys or items as sets; values are equal to nothing but themselves.
func (m *machine) equalViews(a, b *view) bool {
	if a.kind == "dict_values" || b.kind == "dict_values" {
		return a == b
	}
	if len(a.of.keys) != len(b.of.keys) {
		return false
	}
	for i := range a.of.keys {
		if !m.inView(a.at(i), b) {
			return false
		}
	}
	return true
}

// inView says whether a dict's keys or items hold v.
func (m *machine) inView(v Value, in *view) bool {
	if in.kind == "dict_keys" {
		_, ok := in.of.get(m.key(v))
		return ok
	}
	pair, ok := v.(*Tuple)
	if !ok || len(pair.items) != 2 {
		return false
	}
	value, ok := in.of.get(m.key(pair.items[0]))
	return ok && m.identicalOrEqual(value, pair.items[1])
}
