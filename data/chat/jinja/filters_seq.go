package jinja

import (
	"slices"
	"strings"
)

// getter returns the attribute getter of filters: a path of names and numbers with dots between.
func (m *machine) getter(attribute, fallback Value, fold bool) func(v Value) Value {
	parts := pathOf(attribute)
	return func(v Value) Value {
		for _, part := range parts {
			m.spend(1)
			v = m.getitem(v, part)
			if _, missing := v.(*Missing); missing && fallback != nil && fallback != None {
				v = fallback
			}
		}
		if fold {
			return foldCase(m, v)
		}
		return v
	}
}

func foldCase(m *machine, v Value) Value {
	if s, ok := text(v); ok {
		m.grow(int64(len(s)))
		return like(v, lower(s))
	}
	return v
}

func pathOf(attribute Value) []Value {
	if attribute == nil || attribute == None {
		return nil
	}
	s, ok := text(attribute)
	if !ok {
		return []Value{attribute}
	}
	var parts []Value
	for _, part := range strings.Split(s, ".") {
		if part != "" && strings.IndexFunc(part, func(c rune) bool { return !isDigit(c) }) < 0 {
			n, ok := parseInteger(part, 10)
			if !ok {
				valueError("invalid literal for int() with base 10: %s", quote(part))
			}
			parts = append(parts, n)
		} else {
			parts = append(parts, part)
		}
	}
	return parts
}

// getters is getter of several attributes with commas between: the key is a list.
func (m *machine) getters(attribute Value, fold bool) func(v Value) Value {
	var all []func(v Value) Value
	if s, ok := text(attribute); ok {
		for _, part := range strings.Split(s, ",") {
			all = append(all, m.getter(part, nil, fold))
		}
	} else {
		all = append(all, m.getter(attribute, nil, fold))
	}
	return func(v Value) Value {
		items := make([]Value, len(all))
		for i, get := range all {
			items[i] = get(v)
		}
		return NewList(items)
	}
}

// threeWay compares by <, which is all that Python's sort uses.
func (m *machine) threeWay(a, b Value) int {
	m.spend(1)
	if m.order("<", a, b) {
		return -1
	}
	if m.order("<", b, a) {
		return 1
	}
	return 0
}

// sorted is sorted(items, key=key, reverse=reverse): equal elements keep their order, reversed or not.
func (m *machine) sorted(items []Value, key func(v Value) Value, reverse bool) []Value {
	m.grow(48 * int64(len(items)))
	type keyed struct{ key, value Value }
	all := make([]keyed, len(items))
	for i, v := range items {
		all[i] = keyed{key(v), v}
	}
	slices.SortStableFunc(all, func(a, b keyed) int {
		if reverse {
			a, b = b, a
		}
		return m.threeWay(a.key, b.key)
	})
	out := make([]Value, len(items))
	for i := range all {
		out[i] = all[i].value
	}
	return out
}

// reverseArg is sorted()'s argument reverse, which must be an integer.
func reverseArg(v Value) bool { return v != nil && needIndex(v) != 0 }

func filterSort(m *machine, a []Value) Value {
	items := m.list(a[0])
	return NewList(m.sorted(items, m.getters(a[3], !isTrue(a[2])), reverseArg(a[1])))
}

// mapping returns a dict; what is none has no items.
func (m *machine) mapping(v Value) *Dict {
	switch v := v.(type) {
	case *Dict:
		return v
	case *Missing:
		v.fail()
	}
	typeError("'%s' object has no attribute 'items'", typeName(v))
	return nil
}

func filterDictSort(m *machine, a []Value) Value {
	position := 0
	if a[2] != nil {
		switch {
		case m.equal(a[2], "key"):
		case m.equal(a[2], "value"):
			position = 1
		default:
			valueError(`You can only sort by either "key" or "value"`)
		}
	}
	fold := !isTrue(a[1])
	d := m.mapping(a[0])
	pairs := make([]Value, len(d.keys))
	for i := range pairs {
		pairs[i] = &Tuple{items: []Value{d.keys[i], d.values[i]}}
	}
	return NewList(m.sorted(pairs, func(v Value) Value {
		key := v.(*Tuple).items[position]
		if fold {
			return foldCase(m, key)
		}
		return key
	}, reverseArg(a[3])))
}

func filterUnique(m *machine, a []Value) Value {
	get := m.getter(a[2], nil, !isTrue(a[1]))
	var source func() (Value, bool)
	seen := map[hash]bool{}
	return &iterator{kind: "generator", next: func() (Value, bool) {
		if source == nil {
			source = m.mustIterate(a[0])
		}
		for {
			v, ok := source()
			if !ok {
				return nil, false
			}
			m.grow(32)
			if h := mustHash(m.key(get(v))); !seen[h] {
				seen[h] = true
				return v, true
			}
		}
	}}
}

// extreme is min or max.
func extreme(m *machine, a []Value, op string) Value {
	get := m.getter(a[2], nil, !isTrue(a[1]))
	next := m.mustIterate(a[0])
	best, ok := next()
	if !ok {
		return &Missing{hint: "No aggregated item, sequence was empty."}
	}
	bestKey := get(best)
	for v, ok := next(); ok; v, ok = next() {
		m.spend(1)
		if key := get(v); m.order(op, key, bestKey) {
			best, bestKey = v, key
		}
	}
	return best
}

func filterSum(m *machine, a []Value) Value {
	total := Value(int64(0))
	if a[2] != nil {
		total = a[2]
	}
	get := func(v Value) Value { return v }
	if a[1] != nil && a[1] != None {
		get = m.getter(a[1], nil, false)
	}
	next := m.mustIterate(a[0])
	if _, ok := text(total); ok {
		typeError("sum() can't sum strings [use ''.join(seq) instead]")
	}
	for v, ok := next(); ok; v, ok = next() {
		m.spend(1)
		total = m.binary("+", total, get(v))
	}
	return total
}

func filterJoin(m *machine, a []Value) Value {
	sep := ""
	if a[1] != nil {
		sep = m.str(a[1])
	}
	get := func(v Value) Value { return v }
	if a[2] != nil && a[2] != None {
		get = m.getter(a[2], nil, false)
	}
	next := m.mustIterate(a[0])
	return m.join(sep, func() (Value, bool) {
		v, ok := next()
		if !ok {
			return nil, false
		}
		m.spend(1)
		return m.str(get(v)), true
	})
}

func filterItems(m *machine, a []Value) Value {
	var source func() (Value, bool)
	return &iterator{kind: "generator", next: func() (Value, bool) {
		if source == nil {
			switch v := a[0].(type) {
			case *Missing:
				source = sliceIterator(nil)
			case *Dict:
				source, _ = m.iterate(&view{v, "dict_items"})
			default:
				typeError("Can only get item pairs from a mapping.")
			}
		}
		return source()
	}}
}

// filterMap applies a filter to each element, or takes an attribute of it.
func filterMap(m *machine, of Value, a callArgs) Value {
	var source func() (Value, bool)
	var apply func(v Value) Value
	return &iterator{kind: "generator", next: func() (Value, bool) {
		if source == nil {
			if !truth(of) {
				source = sliceIterator(nil)
				return nil, false
			}
			apply = m.mapper(a)
			source = m.mustIterate(of)
		}
		v, ok := source()
		if !ok {
			return nil, false
		}
		m.spend(1)
		return apply(v), true
	}}
}

func (m *machine) mapper(a callArgs) func(v Value) Value {
	if len(a.args) == 0 && slices.Contains(a.names, "attribute") {
		attribute := a.take("attribute")
		fallback := a.take("default")
		if len(a.names) > 0 {
			valueError("Unexpected keyword argument %s", quote(a.names[0]))
		}
		return m.getter(attribute, fallback, false)
	}
	if len(a.args) == 0 {
		valueError("map requires a filter argument")
	}
	rest := a
	rest.args = a.args[1:]
	name, ok := text(a.args[0])
	def := filterNamed(name)
	return func(v Value) Value {
		if !ok || def == nil {
			m.unknown("filter", a.args[0])
		}
		return def.call(m, v, rest)
	}
}

// unknown fails for a filter or test that is named by a value.
func (m *machine) unknown(what string, name Value) {
	if _, missing := name.(*Missing); missing {
		fail(Runtime, "No %s named Undefined", what)
	}
	if _, ok := hashOf(m.key(name)); !ok {
		typeError("unhashable type: '%s'", typeName(name))
	}
	fail(Runtime, "No %s named %s.", what, pyRepr(name))
}

// selecting is select, reject, selectattr and rejectattr.
func selecting(m *machine, of Value, a callArgs, attr, keep bool) Value {
	var source func() (Value, bool)
	var passes func(v Value) bool
	return &iterator{kind: "generator", next: func() (Value, bool) {
		if source == nil {
			if !truth(of) {
				source = sliceIterator(nil)
				return nil, false
			}
			passes = m.selector(a, attr)
			source = m.mustIterate(of)
		}
		for {
			v, ok := source()
			if !ok {
				return nil, false
			}
			m.spend(1)
			if passes(v) == keep {
				return v, true
			}
		}
	}}
}

func (m *machine) selector(a callArgs, attr bool) func(v Value) bool {
	get := func(v Value) Value { return v }
	if attr {
		if len(a.args) == 0 {
			valueError("Missing parameter for attribute name")
		}
		get = m.getter(a.args[0], nil, false)
		a.args = a.args[1:]
	}
	if len(a.args) == 0 {
		return func(v Value) bool { return truth(get(v)) }
	}
	rest := a
	rest.args = a.args[1:]
	name, ok := text(a.args[0])
	def := testNamed(name)
	return func(v Value) bool {
		value := get(v)
		if !ok || def == nil {
			m.unknown("test", a.args[0])
		}
		return truth(def.call(m, value, rest))
	}
}

func filterBatch(m *machine, a []Value) Value {
	var source func() (Value, bool)
	done := false
	var carried Value
	return &iterator{kind: "generator", next: func() (Value, bool) {
		if done {
			return nil, false
		}
		if source == nil {
			source = m.mustIterate(a[0])
		}
		var group []Value
		if carried != nil {
			group = append(group, carried)
			carried = nil
		}
		for {
			v, ok := source()
			if !ok {
				break
			}
			m.grow(16)
			if m.equal(int64(len(group)), a[1]) {
				carried = v
				return NewList(group), true
			}
			group = append(group, v)
		}
		done = true
		if len(group) == 0 {
			return nil, false
		}
		if a[2] != nil && a[2] != None && m.order("<", int64(len(group)), a[1]) {
			n := needIndex(m.binary("-", a[1], int64(len(group))))
			m.growTimes(16, n)
			for range n {
				group = append(group, a[2])
			}
		}
		return NewList(group), true
	}}
}

func filterSlice(m *machine, a []Value) Value {
	number, first := int64(0), int64(0)
	var items []Value
	started := false
	return &iterator{kind: "generator", next: func() (Value, bool) {
		if !started {
			started = true
			items = m.list(a[0])
			m.binary("//", int64(len(items)), a[1])
		}
		n := needIndex(a[1])
		if number >= n {
			return nil, false
		}
		m.spend(1)
		size, extra := int64(len(items))/n, int64(len(items))%n
		if number < extra {
			size++
		}
		part := slices.Clone(items[first : first+size])
		m.grow(16 * size)
		first += size
		if a[2] != nil && a[2] != None && number >= extra {
			part = append(part, a[2])
		}
		number++
		return NewList(part), true
	}}
}

func filterGroupBy(m *machine, a []Value) Value {
	fold := !isTrue(a[3])
	key := m.getter(a[1], a[2], fold)
	items := m.sorted(m.list(a[0]), key, false)
	var groups []Value
	for i := 0; i < len(items); {
		k := key(items[i])
		j := i + 1
		for j < len(items) && m.equal(k, key(items[j])) {
			j++
		}
		if fold {
			k = m.getter(a[1], a[2], false)(items[i])
		}
		groups = append(groups, &Tuple{items: []Value{k, NewList(items[i:j:j])}, group: true})
		i = j
	}
	m.grow(64 * int64(len(groups)))
	return NewList(groups)
}
