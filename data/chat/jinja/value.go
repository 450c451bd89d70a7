package jinja

import (
	"math"
	"math/big"
)

// Value is a value of Python's: None, bool, int64 or *big.Int beyond it, float64, string, [Markup], *[List], *[Tuple],
// *[Dict], *Missing, and what only the engine makes: ranges, iterators, methods, macros, namespaces. A nil Value is none of
// them: an argument that is not given, a variable that is not set.
type Value any

type none struct{}

// None is Python's.
var None Value = none{}

// Markup is a string that |safe or |escape has marked: what is added to it is escaped.
type Markup string

// List is an immutable list: the sandbox forbids all that changes one.
type List struct{ items []Value }

// Items returns the items, which must not be changed.
func (l *List) Items() []Value { return l.items }

// Tuple is a tuple; one of groupby has names for its two fields.
type Tuple struct {
	items []Value
	group bool
}

// NewList returns the list of items, which it keeps.
func NewList(items []Value) *List { return &List{items: items} }

// Missing is jinja2's Undefined: it prints as nothing and is empty; any other use is an error.
type Missing struct {
	hint     string
	of       Value // what has no such attribute or element; nil for a variable
	name     Value
	security bool // the sandbox hides it
}

func (u *Missing) message() string {
	switch {
	case u.hint != "":
		return u.hint
	case u.of == nil:
		return pyRepr(u.name) + " is undefined"
	}
	if name, ok := u.name.(string); ok {
		return quote(objectName(u.of)) + " has no attribute " + quote(name)
	}
	return objectName(u.of) + " has no element " + pyRepr(u.name)
}

// fail raises what using something undefined raises.
func (u *Missing) fail() {
	if u.security {
		fail(Security, "%s", u.message())
	}
	fail(Undefined, "%s", u.message())
}

// span is a Python range.
type span struct{ start, stop, step int64 }

func (r *span) len() int64 {
	switch {
	case r.step > 0 && r.start < r.stop:
		return (r.stop-r.start-1)/r.step + 1
	case r.step < 0 && r.start > r.stop:
		return (r.start-r.stop-1)/-r.step + 1
	}
	return 0
}

// iterator is a generator or another thing that can be gone through once.
type iterator struct {
	kind string // Python's name of its type
	next func() (Value, bool)
}

// view is what a dict's keys, values or items return.
type view struct {
	of   *Dict
	kind string // "dict_keys", "dict_values", "dict_items"
}

func (v *view) at(i int) Value {
	switch v.kind {
	case "dict_keys":
		return v.of.keys[i]
	case "dict_values":
		return v.of.values[i]
	}
	return &Tuple{items: []Value{v.of.keys[i], v.of.values[i]}}
}

// typeName returns Python's name of the type of v.
func typeName(v Value) string {
	switch v := v.(type) {
	case none:
		return "NoneType"
	case bool:
		return "bool"
	case int64, *big.Int:
		return "int"
	case float64:
		return "float"
	case string:
		return "str"
	case Markup:
		return "Markup"
	case *List:
		return "list"
	case *Tuple:
		if v.group {
			return "_GroupTuple"
		}
		return "tuple"
	case *Dict:
		return "dict"
	case *Missing:
		return "Undefined"
	case *span:
		return "range"
	case *iterator:
		return v.kind
	case *view:
		return v.kind
	case *namespace:
		return "TemplateNamespace"
	case *loopState:
		return "LoopContext"
	case *macro:
		return "Macro"
	case *cycler:
		return "Cycler"
	case *joiner:
		return "Joiner"
	case *function:
		return v.kind
	case *bound:
		return "builtin_function_or_method"
	case *blockRef:
		return "BlockReference"
	case *selfRef:
		return "TemplateReference"
	}
	return "object"
}

// objectName is jinja2's object_type_repr.
func objectName(v Value) string {
	module := ""
	switch v := v.(type) {
	case none:
		return "None"
	case Markup:
		module = "markupsafe."
	case *Missing, *macro, *loopState, *blockRef, *selfRef:
		module = "jinja2.runtime."
	case *cycler, *joiner:
		module = "jinja2.utils."
	case *namespace:
		module = "transformers.utils.chat_template_utils."
	case *Tuple:
		if v.group {
			module = "jinja2.filters."
		}
	}
	return module + typeName(v) + " object"
}

// Truth is Python's bool().
func Truth(v Value) bool { return truth(v) }

// truth is Truth inside of the engine.
func truth(v Value) bool {
	switch v := v.(type) {
	case none:
		return false
	case bool:
		return v
	case int64:
		return v != 0
	case *big.Int:
		return v.Sign() != 0
	case float64:
		return v != 0
	case string:
		return v != ""
	case Markup:
		return v != ""
	case *List:
		return len(v.items) > 0
	case *Tuple:
		return len(v.items) > 0
	case *Dict:
		return len(v.keys) > 0
	case *Missing:
		return false
	case *span:
		return v.len() > 0
	case *view:
		return len(v.of.keys) > 0
	case *loopState:
		return v.length() > 0
	}
	return true
}

// text returns the characters of a string or of Markup.
func text(v Value) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case Markup:
		return string(v), true
	}
	return "", false
}

// like returns s as Markup where v is Markup.
func like(v Value, s string) Value {
	if _, ok := v.(Markup); ok {
		return Markup(s)
	}
	return s
}

// number returns v as an integer: bool counts as one.
func number(v Value) (Value, bool) {
	switch v := v.(type) {
	case bool:
		if v {
			return int64(1), true
		}
		return int64(0), true
	case int64, *big.Int:
		return v, true
	}
	return nil, false
}

// index returns v as an int, as what Python calls an index; big numbers are cut to the largest int64.
func index(v Value) (int64, bool) {
	switch v := v.(type) {
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	case int64:
		return v, true
	case *big.Int:
		if v.Sign() < 0 {
			return math.MinInt64, true
		}
		return math.MaxInt64, true
	}
	return 0, false
}

// needIndex is index for an argument that must be an integer.
func needIndex(v Value) int64 {
	if u, ok := v.(*Missing); ok {
		typeError("'%s' object cannot be interpreted as an integer", typeName(u))
	}
	n, ok := index(v)
	if !ok {
		typeError("'%s' object cannot be interpreted as an integer", typeName(v))
	}
	if b, ok := v.(*big.Int); ok {
		fail(Arithmetic, "cannot fit %s into an index-sized integer", b.Text(10))
	}
	return n
}
