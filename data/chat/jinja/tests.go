package jinja

import "math/big"

// testNamed returns a test, nil for an unknown name.
func testNamed(name string) *builtin {
	switch name {
	case "filter", "test":
		b := filter("value", func(m *machine, a []Value) Value {
			mustHash(m.key(a[0]))
			s, ok := text(a[0])
			return ok && (name == "filter" && filterNamed(s) != nil || name == "test" && testNamed(s) != nil)
		})
		b.name = name
		return b
	}
	return tests[name]
}

// is makes a test of a function of one value.
func is(f func(v Value) bool) *builtin {
	return filter("value", func(_ *machine, a []Value) Value { return f(a[0]) })
}

// comparing makes a test of an operator.
func comparing(op string) *builtin {
	return positional("a b", func(m *machine, a []Value) Value { return m.compare(op, a[0], a[1]) })
}

var tests = named(map[string]*builtin{
	"odd":         filter("value", func(m *machine, a []Value) Value { return m.equal(m.binary("%", a[0], int64(2)), int64(1)) }),
	"even":        filter("value", func(m *machine, a []Value) Value { return m.equal(m.binary("%", a[0], int64(2)), int64(0)) }),
	"divisibleby": filter("value num", func(m *machine, a []Value) Value { return m.equal(m.binary("%", a[0], a[1]), int64(0)) }),
	"defined":     is(func(v Value) bool { _, ok := v.(*Missing); return !ok }),
	"undefined":   is(func(v Value) bool { _, ok := v.(*Missing); return ok }),
	"none":        is(func(v Value) bool { return v == None }),
	"boolean":     is(func(v Value) bool { _, ok := v.(bool); return ok }),
	"false":       is(func(v Value) bool { b, ok := v.(bool); return ok && !b }),
	"true":        is(func(v Value) bool { b, ok := v.(bool); return ok && b }),
	"integer": is(func(v Value) bool {
		switch v.(type) {
		case int64, *big.Int:
			return true
		}
		return false
	}),
	"float":   is(func(v Value) bool { _, ok := v.(float64); return ok }),
	"lower":   filter("value", func(m *machine, a []Value) Value { return isLowerText(m.str(a[0])) }),
	"upper":   filter("value", func(m *machine, a []Value) Value { return isUpperText(m.str(a[0])) }),
	"string":  is(func(v Value) bool { _, ok := text(v); return ok }),
	"mapping": is(func(v Value) bool { _, ok := v.(*Dict); return ok }),
	"number": is(func(v Value) bool {
		_, ok := number(v)
		_, isFloat := v.(float64)
		return ok || isFloat
	}),
	"sequence": is(func(v Value) bool {
		switch v.(type) {
		case string, Markup, *List, *Tuple, *Dict, *span, *Missing:
			return true
		}
		return false
	}),
	"iterable": is(func(v Value) bool {
		switch v.(type) {
		case string, Markup, *List, *Tuple, *Dict, *span, *view, *iterator, *Missing, *loopState:
			return true
		}
		return false
	}),
	"callable": positional("obj", func(m *machine, a []Value) Value {
		switch a[0].(type) {
		case *bound, *function, *macro, *joiner, *loopState, *blockRef, *Missing:
			return true
		}
		return false
	}),
	"sameas":      filter("value other", func(m *machine, a []Value) Value { return same(a[0], a[1]) }),
	"escaped":     is(func(v Value) bool { _, ok := v.(Markup); return ok }),
	"in":          filter("value seq", func(m *machine, a []Value) Value { return m.contains(a[1], a[0]) }),
	"==":          comparing("=="),
	"eq":          comparing("=="),
	"equalto":     comparing("=="),
	"!=":          comparing("!="),
	"ne":          comparing("!="),
	">":           comparing(">"),
	"gt":          comparing(">"),
	"greaterthan": comparing(">"),
	"ge":          comparing(">="),
	">=":          comparing(">="),
	"<":           comparing("<"),
	"lt":          comparing("<"),
	"lessthan":    comparing("<"),
	"<=":          comparing("<="),
	"le":          comparing("<="),
})
