package jinja

import (
	"math/big"
	"strings"
	"unicode"
	"unicode/utf8"
)

// strMethods are the methods of strings but format and format_map, see methodOf.
var strMethods = methodTable(
	simple("capitalize", capitalize), simple("casefold", casefold), simple("lower", lower), simple("upper", upper),
	simple("swapcase", swapcase), simple("title", title),
	stripping("strip", true, true), stripping("lstrip", true, false), stripping("rstrip", false, true),
	check("isalnum", isAlnum), check("isalpha", unicode.IsLetter), check("isdecimal", isDecimal), check("isdigit", isDigit),
	check("isnumeric", isNumeric), check("isspace", isSpace), check("isprintable", isPrintable),
	check("isascii", func(c rune) bool { return c < utf8.RuneSelf }),
	finding("find", strings.Index, false), finding("rfind", strings.LastIndex, false),
	finding("index", strings.Index, true), finding("rindex", strings.LastIndex, true),
	ends("startswith", strings.HasPrefix), ends("endswith", strings.HasSuffix),
	padding("center", centerLeft), padding("ljust", func(int64, int64) int64 { return 0 }),
	padding("rjust", func(n, _ int64) int64 { return n }),
	splitting("split", false), splitting("rsplit", true),
	&method{name: "islower", call: func(m *machine, self Value, a callArgs) Value { return isLowerText(self) }},
	&method{name: "isupper", call: func(m *machine, self Value, a callArgs) Value { return isUpperText(self) }},
	&method{name: "istitle", call: func(m *machine, self Value, a callArgs) Value { return isTitleText(self) }},
	&method{name: "isidentifier", call: func(m *machine, self Value, a callArgs) Value { s, _ := text(self); return isIdentifier(s) }},
	&method{name: "count", min: 1, max: 3, call: strCount},
	&method{name: "replace", min: 2, max: 3, call: strReplace},
	&method{name: "join", min: 1, max: 1, call: func(m *machine, self Value, a callArgs) Value {
		next, ok := m.iterate(a.args[0])
		if !ok {
			typeError("can only join an iterable")
		}
		return m.join(self, next)
	}},
	&method{name: "splitlines", max: 1, names: true, call: func(m *machine, self Value, a callArgs) Value {
		s, _ := text(self)
		keep := a.optional(0, "keepends")
		a.only("splitlines")
		m.spend(int64(len(s) / 16))
		return m.parts(self, splitLines(s, keep != nil && needIndex(keep) != 0))
	}},
	&method{name: "expandtabs", max: 1, names: true, call: func(m *machine, self Value, a callArgs) Value {
		s, _ := text(self)
		size := int64(8)
		if v := a.optional(0, "tabsize"); v != nil {
			size = needIndex(v)
		}
		a.only("expandtabs")
		m.grow(int64(len(s)))
		return like(self, expandTabs(m, s, size))
	}},
	&method{name: "zfill", min: 1, max: 1, call: strZfill},
	&method{name: "partition", min: 1, max: 1, call: func(m *machine, self Value, a callArgs) Value {
		return partition(m, self, a, strings.Index, func(s string) [3]string { return [3]string{s, "", ""} })
	}},
	&method{name: "rpartition", min: 1, max: 1, call: func(m *machine, self Value, a callArgs) Value {
		return partition(m, self, a, strings.LastIndex, func(s string) [3]string { return [3]string{"", "", s} })
	}},
	&method{name: "removeprefix", min: 1, max: 1, call: func(m *machine, self Value, a callArgs) Value {
		s, _ := text(self)
		return like(self, strings.TrimPrefix(s, textArg(a.args[0], "removeprefix() argument")))
	}},
	&method{name: "removesuffix", min: 1, max: 1, call: func(m *machine, self Value, a callArgs) Value {
		s, _ := text(self)
		return like(self, strings.TrimSuffix(s, textArg(a.args[0], "removesuffix() argument")))
	}},
	&method{name: "translate", min: 1, max: 1, call: strTranslate},
)

func methodTable(methods ...*method) map[string]*method {
	table := make(map[string]*method, len(methods))
	for _, d := range methods {
		table[d.name] = d
	}
	return table
}

// markupMethods are further ones of Markup.
var markupMethods = map[string]*method{
	"striptags": {name: "striptags", call: func(m *machine, self Value, a callArgs) Value { return stripTags(string(self.(Markup))) }},
	"unescape":  {name: "unescape", call: func(m *machine, self Value, a callArgs) Value { return unescapeHTML(string(self.(Markup))) }},
	"escape":    {name: "escape", min: 1, max: 1, call: func(m *machine, self Value, a callArgs) Value { return m.escape(a.args[0]) }},
}

func strCount(m *machine, self Value, a callArgs) Value {
	s, _ := text(self)
	part := textArg(a.args[0], "count() argument 1")
	in, _, ok := window(s, a, 1)
	m.spend(int64(len(s) / 16))
	if !ok {
		return int64(0)
	}
	return int64(strings.Count(in, part))
}

func strReplace(m *machine, self Value, a callArgs) Value {
	s, _ := text(self)
	limit := int64(-1)
	if len(a.args) > 2 {
		limit = needIndex(a.args[2])
	}
	from := textArg(a.args[0], "replace() argument 1")
	return like(self, m.replace(s, from, put(self, a.args[1], "replace() argument 2"), limit))
}

func strZfill(m *machine, self Value, a callArgs) Value {
	s, _ := text(self)
	n := max(needIndex(a.args[0])-int64(runeLen(s)), 0)
	m.grow(n + int64(len(s)))
	zeros := strings.Repeat("0", int(n))
	if s != "" && (s[0] == '+' || s[0] == '-') {
		return like(self, s[:1]+zeros+s[1:])
	}
	return like(self, zeros+s)
}

func partition(m *machine, self Value, a callArgs, find func(s, sep string) int, whole func(s string) [3]string) Value {
	s, _ := text(self)
	sep := textArg(a.args[0], "partition() argument")
	if sep == "" {
		valueError("empty separator")
	}
	m.grow(int64(len(s)))
	parts := whole(s)
	if i := find(s, sep); i >= 0 {
		parts = [3]string{s[:i], sep, s[i+len(sep):]}
	}
	return &Tuple{items: []Value{like(self, parts[0]), like(self, parts[1]), like(self, parts[2])}}
}

func strTranslate(m *machine, self Value, a callArgs) Value {
	s, _ := text(self)
	switch a.args[0].(type) {
	case string, Markup, *List, *Tuple, *Dict, *span, *Missing:
	default:
		typeError("'%s' object is not subscriptable", typeName(a.args[0]))
	}
	var b strings.Builder
	for _, c := range s {
		v, ok := m.item(a.args[0], int64(c))
		switch v := v.(type) {
		case string:
			m.grow(int64(len(v)))
			b.WriteString(v)
		case int64:
			if v < 0 || v > unicode.MaxRune || v >= 0xd800 && v < 0xe000 {
				valueError("character mapping must be in range(0x110000)")
			}
			b.WriteRune(rune(v))
		case none:
		case nil:
			if ok {
				break
			}
			b.WriteRune(c)
		case bool, *big.Int:
			refuse("translate() to a number that is none")
		default:
			typeError("character mapping must return integer, None or str")
		}
		m.grow(4)
	}
	return like(self, b.String())
}

func isLowerText(v Value) bool {
	s, _ := text(v)
	cased := false
	for _, c := range s {
		if isUpper(c) || unicode.IsTitle(c) {
			return false
		}
		cased = cased || isLower(c)
	}
	return cased
}

func isUpperText(v Value) bool {
	s, _ := text(v)
	cased := false
	for _, c := range s {
		if isLower(c) || unicode.IsTitle(c) {
			return false
		}
		cased = cased || isUpper(c)
	}
	return cased
}

func isTitleText(v Value) bool {
	s, _ := text(v)
	cased, before := false, false
	for _, c := range s {
		switch {
		case isUpper(c) || unicode.IsTitle(c):
			if before {
				return false
			}
			cased, before = true, true
		case isLower(c):
			if !before {
				return false
			}
			cased = true
		default:
			before = false
		}
	}
	return cased
}
