package jinja

import (
	"math"
	"math/big"
	"slices"
	"strings"
)

// Attributes and items, as jinja2's sandbox looks them up: x.name asks for Python's attribute first and for an item then,
// x[name] the other way round. What begins with an underscore, and methods that change a list or a dict, are hidden.

// hidden are attributes with underscores that every object of Python has, and others of containers.
var hidden = []string{"__class__", "__class_getitem__", "__contains__", "__delattr__", "__delitem__", "__dir__", "__doc__", "__eq__",
	"__format__", "__ge__", "__getattribute__", "__getitem__", "__getstate__", "__gt__", "__hash__", "__init__", "__init_subclass__",
	"__ior__", "__iter__", "__le__", "__len__", "__lt__", "__ne__", "__new__", "__or__", "__reduce__", "__reduce_ex__", "__repr__",
	"__reversed__", "__ror__", "__setattr__", "__setitem__", "__sizeof__", "__str__", "__subclasshook__"}

// changing are the methods that change a list or a dict.
var (
	changingList = []string{"append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove"}
	changingDict = []string{"clear", "pop", "popitem", "setdefault", "update"}
)

// unsupported are further attributes of Python's types, which this engine does not have.
var unsupported = map[string][]string{
	"str":         {"encode", "maketrans"},
	"int":         {"as_integer_ratio", "bit_count", "from_bytes", "to_bytes"},
	"float":       {"as_integer_ratio", "fromhex", "hex"},
	"dict_keys":   {"isdisjoint", "mapping"},
	"dict_values": {"mapping"},
	"dict_items":  {"isdisjoint", "mapping"},
	"generator":   {"close", "gi_code", "gi_frame", "gi_running", "gi_suspended", "gi_yieldfrom", "send", "throw"},
}

// methodOf returns a method that a template may call, nil where the value has none of that name.
func methodOf(of Value, name string) *method {
	switch of.(type) {
	case string, Markup:
		if def := strMethods[name]; def != nil {
			return def
		}
		if name == "format" || name == "format_map" {
			return formatMethod(name)
		}
		if _, ok := of.(Markup); ok {
			return markupMethods[name]
		}
	case *Dict:
		return dictMethods[name]
	case *List:
		return listMethods[name]
	case *Tuple:
		return listMethods[name+" of tuple"]
	case int64, bool, *big.Int:
		return intMethods[name]
	case float64:
		return floatMethods[name]
	case *cycler:
		return cyclerMethods[name]
	case *span:
		return spanMethods[name]
	}
	return nil
}

// attribute is getattr(of, name); ok is false where Python raises an AttributeError.
func (m *machine) attribute(of Value, name string) (v Value, ok bool) {
	switch of := of.(type) {
	case *Missing:
		if strings.HasPrefix(name, "__") && strings.HasSuffix(name, "__") {
			return nil, slices.Contains(hidden, name)
		}
		of.fail()
	case *namespace:
		return of.fields.find(name)
	}
	if def := methodOf(of, name); def != nil {
		return &bound{of, def}, true
	}
	switch of := of.(type) {
	case *loopState:
		return of.attr(name)
	case *macro:
		return of.attr(name)
	case *cycler:
		return of.attr(name)
	case *joiner:
		return of.attr(name)
	case *blockRef:
		if name == "name" {
			return of.def.name, true
		}
		if name == "super" {
			return &Missing{hint: "there is no parent block called " + quote(of.def.name) + ".", name: "super"}, true
		}
	case *function:
		if of.name == "dict" && name == "fromkeys" {
			return fromKeys, true
		}
	case *Tuple:
		if of.group && name == "grouper" {
			return of.items[0], true
		}
		if of.group && name == "list" {
			return of.items[1], true
		}
	case *List:
		if slices.Contains(changingList, name) || name == "copy" {
			return None, true
		}
	case *Dict:
		if slices.Contains(changingDict, name) {
			return None, true
		}
	case *span:
		switch name {
		case "start":
			return of.start, true
		case "stop":
			return of.stop, true
		case "step":
			return of.step, true
		}
	case bool, int64, *big.Int, float64:
		if v, ok := numberAttr(of, name); ok {
			return v, true
		}
	}
	kind := typeName(of)
	switch kind {
	case "Markup":
		kind = "str"
	case "bool":
		kind = "int"
	}
	if slices.Contains(unsupported[kind], name) {
		refuse("%s of a %s is not supported", name, kind)
	}
	return None, slices.Contains(hidden, name)
}

func numberAttr(of Value, name string) (Value, bool) {
	n, isInt := number(of)
	switch {
	case name == "real" && isInt || name == "numerator" && isInt:
		return n, true
	case name == "real":
		return of, true
	case name == "imag" && isInt:
		return int64(0), true
	case name == "imag":
		return 0.0, true
	case name == "denominator" && isInt:
		return int64(1), true
	}
	return nil, false
}

// item is of[key]; ok is false where Python raises a TypeError or a LookupError.
func (m *machine) item(of, key Value) (v Value, ok bool) {
	switch of := of.(type) {
	case *Dict:
		if name, ok := key.(string); ok {
			return of.find(name)
		}
		h, ok := hashOf(m.key(key))
		if !ok {
			return nil, false
		}
		if i := of.place(h); i >= 0 {
			return of.values[i], true
		}
		return nil, false
	case *Missing:
		of.fail()
	case *selfRef:
		name, ok := key.(string)
		if !ok {
			return nil, false
		}
		if def := m.blocks[name]; def != nil {
			return &blockRef{def, of.ctx}, true
		}
		return nil, false
	case *loopState, *cycler, *joiner, *macro, *function, *bound, *namespace, *iterator, *view, *blockRef:
		return nil, false
	}
	n, isIndex := index(key)
	if !isIndex {
		return nil, false
	}
	length, ok := m.length(of)
	if !ok {
		return nil, false
	}
	if n < 0 {
		n += length
	}
	if n < 0 || n >= length {
		return nil, false
	}
	switch of := of.(type) {
	case *List:
		return of.items[n], true
	case *Tuple:
		return of.items[n], true
	case *span:
		return of.start + n*of.step, true
	}
	s, _ := text(of)
	m.spend(int64(len(s) / 64))
	return like(of, cut(s, int(n), int(n)+1)), true
}

// getattr is jinja2's of.name.
func (m *machine) getattr(of Value, name string) Value {
	if v, ok := m.attribute(of, name); ok {
		return safe(of, name, v)
	}
	if v, ok := m.item(of, name); ok {
		return v
	}
	return &Missing{of: of, name: name}
}

// getitem is jinja2's of[key].
func (m *machine) getitem(of, key Value) Value {
	if v, ok := m.item(of, key); ok {
		return v
	}
	if name, ok := text(key); ok {
		if v, ok := m.attribute(of, name); ok {
			return safe(of, name, v)
		}
	}
	return &Missing{of: of, name: key}
}

// safe returns an attribute, or what the sandbox shows in its place.
func safe(of Value, name string, v Value) Value {
	unsafe := strings.HasPrefix(name, "_")
	switch of.(type) {
	case *List:
		unsafe = unsafe || slices.Contains(changingList, name)
		if name == "copy" {
			return &bound{of, listMethods["copy"]}
		}
	case *Dict:
		unsafe = unsafe || slices.Contains(changingDict, name)
	}
	if unsafe {
		return &Missing{hint: "access to attribute " + quote(name) + " of " + quote(typeName(of)) + " object is unsafe.", of: of, name: name, security: true}
	}
	return v
}

// Methods of dicts, lists, tuples and numbers.

var dictMethods = map[string]*method{
	"get": {name: "get", min: 1, max: 2, call: func(m *machine, self Value, a callArgs) Value {
		if v, ok := self.(*Dict).get(m.key(a.args[0])); ok {
			return v
		}
		if len(a.args) == 2 {
			return a.args[1]
		}
		return None
	}},
	"keys":   {name: "keys", call: func(m *machine, self Value, a callArgs) Value { return &view{self.(*Dict), "dict_keys"} }},
	"values": {name: "values", call: func(m *machine, self Value, a callArgs) Value { return &view{self.(*Dict), "dict_values"} }},
	"items":  {name: "items", call: func(m *machine, self Value, a callArgs) Value { return &view{self.(*Dict), "dict_items"} }},
	"copy":   {name: "copy", call: func(m *machine, self Value, a callArgs) Value { d := *self.(*Dict); return &d }},
	"fromkeys": {name: "fromkeys", min: 1, max: 2, call: func(m *machine, self Value, a callArgs) Value {
		return fromKeys.call(m, a)
	}},
}

func count(m *machine, items []Value, v Value) Value {
	n := int64(0)
	for _, item := range items {
		m.spend(1)
		if m.identicalOrEqual(item, v) {
			n++
		}
	}
	return n
}

// indexIn is list.index.
func indexIn(m *machine, kind string, items []Value, a callArgs) Value {
	bounds := [2]int64{0, math.MaxInt64}
	for i, arg := range a.args[1:] {
		n, ok := index(arg)
		if !ok {
			typeError("slice indices must be integers or have an __index__ method")
		}
		if n < 0 {
			n = max(n+int64(len(items)), 0)
		}
		bounds[i] = n
	}
	for i := bounds[0]; i < min(bounds[1], int64(len(items))); i++ {
		m.spend(1)
		if m.identicalOrEqual(items[i], a.args[0]) {
			return i
		}
	}
	valueError("%s.index(x): x not in %s", kind, kind)
	return nil
}

var listMethods = map[string]*method{
	"copy": {name: "copy", call: func(m *machine, self Value, a callArgs) Value { return NewList(self.(*List).items) }},
	"count": {name: "count", min: 1, max: 1, call: func(m *machine, self Value, a callArgs) Value {
		return count(m, self.(*List).items, a.args[0])
	}},
	"index": {name: "index", min: 1, max: 3, call: func(m *machine, self Value, a callArgs) Value {
		return indexIn(m, "list", self.(*List).items, a)
	}},
	"count of tuple": {name: "count", min: 1, max: 1, call: func(m *machine, self Value, a callArgs) Value {
		return count(m, self.(*Tuple).items, a.args[0])
	}},
	"index of tuple": {name: "index", min: 1, max: 3, call: func(m *machine, self Value, a callArgs) Value {
		return indexIn(m, "tuple", self.(*Tuple).items, a)
	}},
}

var intMethods = map[string]*method{
	"bit_length": {name: "bit_length", call: func(m *machine, self Value, a callArgs) Value { return int64(toBig(self).BitLen()) }},
	"conjugate":  {name: "conjugate", call: func(m *machine, self Value, a callArgs) Value { n, _ := number(self); return n }},
}

var floatMethods = map[string]*method{
	"is_integer": {name: "is_integer", call: func(m *machine, self Value, a callArgs) Value {
		f := self.(float64)
		return f == math.Trunc(f) && !math.IsInf(f, 0)
	}},
	"conjugate": {name: "conjugate", call: func(m *machine, self Value, a callArgs) Value { return self }},
}

var spanMethods = map[string]*method{
	"count": {name: "count", min: 1, max: 1, call: func(m *machine, self Value, a callArgs) Value {
		if m.contains(self, a.args[0]) {
			return int64(1)
		}
		return int64(0)
	}},
	"index": {name: "index", min: 1, max: 1, call: func(m *machine, self Value, a callArgs) Value {
		r := self.(*span)
		n, ok := index(a.args[0])
		if !ok || !m.contains(r, a.args[0]) {
			valueError("%s is not in range", m.repr(a.args[0]))
		}
		return (n - r.start) / r.step
	}},
}
