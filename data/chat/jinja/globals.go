package jinja

import (
	"math/big"
	"strings"
)

// globals are the functions that every template sees.
var globals = map[string]Value{
	"range":  &function{kind: "function", name: "range", call: rangeOf},
	"dict":   &function{kind: "TemplateDict", name: "dict", call: func(m *machine, a callArgs) Value { return m.dictOf(a) }},
	"lipsum": &function{kind: "function", name: "lipsum", call: func(*machine, callArgs) Value { refuse("lipsum draws: no two renderings would be equal"); return nil }},
	"cycler": &function{kind: "type", name: "cycler", text: "<class 'jinja2.utils.Cycler'>", call: newCycler},
	"joiner": &function{kind: "type", name: "joiner", text: "<class 'jinja2.utils.Joiner'>", call: newJoiner},
	"namespace": &function{kind: "type", name: "namespace",
		text: "<class 'transformers.utils.chat_template_utils._cached_compile_jinja_template.<locals>.TemplateNamespace'>", call: newNamespace},
	"raise_exception": &function{kind: "function", name: "raise_exception", call: func(m *machine, a callArgs) Value {
		message := (&params{[]string{"message"}, 1}).bind("raise_exception", a)[0]
		fail(Raised, "%s", m.str(message))
		return nil
	}},
	"strftime_now": &function{kind: "function", name: "strftime_now", call: func(m *machine, a callArgs) Value {
		format := (&params{[]string{"format"}, 1}).bind("strftime_now", a)[0]
		s, ok := text(format)
		if !ok {
			typeError("strftime() argument 1 must be str, not %s", typeName(format))
		}
		return m.strftime(s)
	}},
}

func rangeOf(m *machine, a callArgs) Value {
	a.plain("range")
	if len(a.args) < 1 || len(a.args) > 3 {
		typeError("range expected 1 to 3 arguments, got %d", len(a.args))
	}
	bounds := [3]int64{0, 0, 1}
	for i, arg := range a.args {
		if b, ok := arg.(*big.Int); ok {
			refuse("a range to %s", b.Text(10))
		}
		bounds[i] = needIndex(arg)
	}
	if len(a.args) == 1 {
		bounds[0], bounds[1] = 0, bounds[0]
	}
	if bounds[2] == 0 {
		valueError("range() arg 3 must not be zero")
	}
	for _, b := range bounds {
		if b > 1<<62 || b < -1<<62 {
			refuse("a range to %d", b)
		}
	}
	r := &span{bounds[0], bounds[1], bounds[2]}
	if r.len() > maxRange {
		fail(Arithmetic, "Range too big. The sandbox blocks ranges larger than MAX_RANGE (%d).", maxRange)
	}
	return r
}

// dictOf is dict(…): of a mapping or of pairs, and of arguments by name.
func (m *machine) dictOf(a callArgs) *Dict {
	if len(a.args) > 1 {
		typeError("dict expected at most 1 argument, got %d", len(a.args))
	}
	d := NewDict()
	if len(a.args) == 1 {
		switch source := a.args[0].(type) {
		case *Dict:
			for i, key := range source.keys {
				d.set(m.key(key), source.values[i])
			}
		case *Missing:
			source.fail() // it has no keys()
		default:
			next := m.mustIterate(a.args[0])
			for v, ok := next(); ok; v, ok = next() {
				pair := m.unpackPair(v)
				d.set(m.key(pair[0]), pair[1])
			}
		}
	}
	for i, name := range a.names {
		d.set(name, a.values[i])
	}
	m.grow(48 * int64(len(d.keys)))
	return d
}

func (m *machine) unpackPair(v Value) []Value {
	if _, ok := m.iterate(v); !ok {
		typeError("cannot convert dictionary update sequence element to a sequence")
	}
	pair := m.list(v)
	if len(pair) != 2 {
		valueError("dictionary update sequence element has length %d; 2 is required", len(pair))
	}
	return pair
}

var fromKeys = &function{kind: "method", name: "fromkeys", call: func(m *machine, a callArgs) Value {
	a.plain("fromkeys")
	if len(a.args) < 1 || len(a.args) > 2 {
		typeError("fromkeys expected 1 or 2 arguments, got %d", len(a.args))
	}
	value := None
	if len(a.args) == 2 {
		value = a.args[1]
	}
	d := NewDict()
	next := m.mustIterate(a.args[0])
	for key, ok := next(); ok; key, ok = next() {
		m.grow(48)
		d.set(m.key(key), value)
	}
	return d
}}

// namespace holds attributes that a template can set.
type namespace struct{ fields Dict }

func newNamespace(m *machine, a callArgs) Value {
	ns := &namespace{fields: *m.dictOf(a)}
	for _, key := range ns.fields.keys {
		checkField(key)
	}
	return ns
}

func checkField(name Value) {
	if s, ok := text(name); ok && strings.HasPrefix(s, "_") {
		fail(Security, "Chat templates cannot store underscore-prefixed attributes on a namespace, but got %s. Please rename the attribute.", quote(s))
	}
}

func (ns *namespace) setField(m *machine, name string, v Value) {
	checkField(name)
	m.grow(16)
	ns.fields.set(name, v)
}

// cycler goes through its items again and again.
type cycler struct {
	items []Value
	at    int
}

func newCycler(m *machine, a callArgs) Value {
	if len(a.names) > 0 {
		typeError("Cycler.__init__() got an unexpected keyword argument %s", quote(a.names[0]))
	}
	if len(a.args) == 0 {
		fail(Runtime, "at least one item has to be provided")
	}
	return &cycler{items: a.args}
}

func (c *cycler) attr(name string) (Value, bool) {
	switch name {
	case "items":
		return &Tuple{items: c.items}, true
	case "pos":
		return int64(c.at), true
	case "current":
		return c.items[c.at], true
	}
	return nil, false
}

var cyclerMethods = map[string]*method{
	"next": {name: "next", call: func(m *machine, self Value, a callArgs) Value {
		c := self.(*cycler)
		v := c.items[c.at]
		c.at = (c.at + 1) % len(c.items)
		return v
	}},
	"reset": {name: "reset", call: func(m *machine, self Value, a callArgs) Value {
		self.(*cycler).at = 0
		return None
	}},
}

// joiner is nothing the first time that it is called and a separator then.
type joiner struct {
	sep  Value
	used bool
}

func newJoiner(m *machine, a callArgs) Value {
	args := (&params{[]string{"sep"}, 0}).bind("Joiner.__init__", a)
	if args[0] == nil {
		return &joiner{sep: ", "}
	}
	return &joiner{sep: args[0]}
}

func (j *joiner) next() Value {
	if !j.used {
		j.used = true
		return ""
	}
	return j.sep
}

func (j *joiner) attr(name string) (Value, bool) {
	switch name {
	case "sep":
		return j.sep, true
	case "used":
		return j.used, true
	}
	return nil, false
}
