package jinja

import (
	"math"
	"strings"
	"unicode/utf8"
)

// Methods of strings. Those of Markup are the same: they return Markup, and escape what they put in.

// textArg returns an argument that must be a string.
func textArg(v Value, what string) string {
	s, ok := text(v)
	if !ok {
		typeError("%s must be str, not %s", what, typeName(v))
	}
	return s
}

// put returns an argument that becomes part of a result: Markup escapes it.
func put(self, v Value, what string) string {
	s := textArg(v, what)
	if _, ok := self.(Markup); ok {
		if _, ok := v.(Markup); !ok {
			return escapeHTML(s)
		}
	}
	return s
}

// optional returns argument i, nil or None for one that is not given.
func (a *callArgs) optional(i int, name string) Value {
	if i < len(a.args) {
		if a.take(name) != nil {
			typeError("argument for %s given by name (%s) and position (%d)", name, quote(name), i+1)
		}
		return a.args[i]
	}
	return a.take(name)
}

// only refuses arguments by name that are left.
func (a *callArgs) only(function string) {
	if len(a.names) > 0 {
		typeError("%s is an invalid keyword argument for %s()", quote(a.names[0]), function)
	}
}

// simple returns the method that applies f to the string.
func simple(name string, f func(s string) string) *method {
	return &method{name: name, call: func(m *machine, self Value, a callArgs) Value {
		s, _ := text(self)
		m.grow(3 * int64(len(s)))
		return like(self, f(s))
	}}
}

// check returns the method that says whether all characters are of a kind, and there are some.
func check(name string, is func(c rune) bool) *method {
	return &method{name: name, call: func(m *machine, self Value, a callArgs) Value {
		s, _ := text(self)
		m.spend(int64(len(s) / 16))
		for _, c := range s {
			if !is(c) {
				return false
			}
		}
		return s != "" || name == "isascii" || name == "isprintable"
	}}
}

// stripping returns strip, lstrip or rstrip.
func stripping(name string, left, right bool) *method {
	return &method{name: name, max: 1, call: func(m *machine, self Value, a callArgs) Value {
		s, _ := text(self)
		m.spend(int64(len(s) / 64))
		drop := isSpace
		if len(a.args) > 0 && a.args[0] != None {
			chars, ok := text(a.args[0])
			if !ok {
				typeError("%s arg must be None or str", name)
			}
			m.growTimes(int64(len(s))/16, int64(len(chars)))
			drop = func(c rune) bool { return strings.ContainsRune(chars, c) }
		}
		if left {
			s = strings.TrimLeftFunc(s, drop)
		}
		if right {
			s = strings.TrimRightFunc(s, drop)
		}
		return like(self, s)
	}}
}

// window returns the part of s that start and end, arguments from i on, leave, and how many characters stand before it;
// ok is false where start lies behind end.
func window(s string, a callArgs, i int) (part string, before int, ok bool) {
	n := int64(runeLen(s))
	bounds := [2]int64{0, math.MaxInt64}
	for k := range bounds {
		if len(a.args) > i+k && a.args[i+k] != None {
			at, ok := index(a.args[i+k])
			if !ok {
				typeError("slice indices must be integers or None or have an __index__ method")
			}
			bounds[k] = at
		}
	}
	start, end := bounds[0], bounds[1]
	if end > n {
		end = n
	} else if end < 0 {
		end = max(end+n, 0)
	}
	if start < 0 {
		start = max(start+n, 0)
	}
	if start > end {
		return "", 0, false
	}
	return cut(s, int(start), int(end)), int(start), true
}

// finding returns find, rfind, index or rindex.
func finding(name string, search func(s, part string) int, must bool) *method {
	return &method{name: name, min: 1, max: 3, call: func(m *machine, self Value, a callArgs) Value {
		s, _ := text(self)
		m.spend(int64(len(s) / 16))
		part := textArg(a.args[0], name+"() argument 1")
		if in, before, ok := window(s, a, 1); ok {
			if i := search(in, part); i >= 0 {
				return int64(before + runeLen(in[:i]))
			}
		}
		if must {
			valueError("substring not found")
		}
		return int64(-1)
	}}
}

// ends returns startswith or endswith.
func ends(name string, has func(s, part string) bool) *method {
	return &method{name: name, min: 1, max: 3, call: func(m *machine, self Value, a callArgs) Value {
		s, _ := text(self)
		in, _, ok := window(s, a, 1)
		parts := []Value{a.args[0]}
		if t, isTuple := a.args[0].(*Tuple); isTuple {
			parts = t.items
		}
		for _, part := range parts {
			p, isText := text(part)
			if !isText {
				typeError("%s first arg must be str or a tuple of str, not %s", name, typeName(part))
			}
			if ok && has(in, p) {
				return true
			}
		}
		return false
	}}
}

// padding returns center, ljust or rjust; left says how much of n fill characters goes before.
func padding(name string, left func(n, width int64) int64) *method {
	return &method{name: name, min: 1, max: 2, call: func(m *machine, self Value, a callArgs) Value {
		s, _ := text(self)
		width, fill := needIndex(a.args[0]), " "
		if len(a.args) > 1 {
			fill = put(self, a.args[1], "the fill character")
			if runeLen(fill) != 1 {
				typeError("The fill character must be exactly one character long")
			}
		}
		n := max(width-int64(runeLen(s)), 0)
		m.growTimes(int64(len(fill)), n)
		m.grow(int64(len(s)))
		before := left(n, width)
		return like(self, strings.Repeat(fill, int(before))+s+strings.Repeat(fill, int(n-before)))
	}}
}

// centerLeft is how much of the padding CPython's center puts before.
func centerLeft(n, width int64) int64 { return n/2 + n&width&1 }

// parts returns a list of strings.
func (m *machine) parts(self Value, parts []string) Value {
	items := make([]Value, len(parts))
	n := int64(0)
	for i, p := range parts {
		items[i] = like(self, p)
		n += int64(len(p))
	}
	m.grow(n + 32*int64(len(parts)))
	return NewList(items)
}

// splitting returns split or rsplit.
func splitting(name string, right bool) *method {
	return &method{name: name, max: 2, names: true, call: func(m *machine, self Value, a callArgs) Value {
		s, _ := text(self)
		sep, limit := a.optional(0, "sep"), int64(-1)
		if v := a.optional(1, "maxsplit"); v != nil {
			limit = needIndex(v)
		}
		a.only(name)
		m.spend(int64(len(s) / 16))
		if sep == nil || sep == None {
			if right {
				return m.parts(self, rsplitSpace(s, limit))
			}
			return m.parts(self, splitSpace(s, limit))
		}
		by := textArg(sep, "sep")
		if by == "" {
			valueError("empty separator")
		}
		if right {
			return m.parts(self, rsplit(s, by, limit))
		}
		if limit >= 0 && limit < math.MaxInt32 {
			return m.parts(self, strings.SplitN(s, by, int(limit)+1))
		}
		return m.parts(self, strings.Split(s, by))
	}}
}

func rsplit(s, by string, limit int64) []string {
	var parts []string
	for limit != 0 {
		i := strings.LastIndex(s, by)
		if i < 0 {
			break
		}
		parts = append(parts, s[i+len(by):])
		s = s[:i]
		limit--
	}
	return reversed(append(parts, s))
}

func splitSpace(s string, limit int64) []string {
	var parts []string
	for {
		s = strings.TrimLeftFunc(s, isSpace)
		if s == "" {
			return parts
		}
		end := strings.IndexFunc(s, isSpace)
		if end < 0 || limit == 0 {
			return append(parts, s)
		}
		parts = append(parts, s[:end])
		s = s[end:]
		limit--
	}
}

func rsplitSpace(s string, limit int64) []string {
	var parts []string
	for {
		s = strings.TrimRightFunc(s, isSpace)
		if s == "" {
			return reversed(parts)
		}
		last := strings.LastIndexFunc(s, isSpace)
		if last < 0 || limit == 0 {
			return reversed(append(parts, s))
		}
		_, n := utf8.DecodeRuneInString(s[last:])
		parts = append(parts, s[last+n:])
		s = s[:last]
		limit--
	}
}

func reversed(parts []string) []string {
	for i, j := 0, len(parts)-1; i < j; i, j = i+1, j-1 {
		parts[i], parts[j] = parts[j], parts[i]
	}
	return parts
}

// splitLines is str.splitlines().
func splitLines(s string, keep bool) []string {
	var lines []string
	for s != "" {
		end := strings.IndexFunc(s, func(c rune) bool {
			return c >= '\n' && c <= '\r' || c >= 0x1c && c <= 0x1e || c == 0x85 || c == 0x2028 || c == 0x2029
		})
		if end < 0 {
			return append(lines, s)
		}
		_, n := utf8.DecodeRuneInString(s[end:])
		if strings.HasPrefix(s[end:], "\r\n") {
			n = 2
		}
		if keep {
			lines = append(lines, s[:end+n])
		} else {
			lines = append(lines, s[:end])
		}
		s = s[end+n:]
	}
	return lines
}

// replace is str.replace().
func (m *machine) replace(s, from, to string, limit int64) string {
	n := int64(0)
	if len(to) > len(from) {
		if n = int64(strings.Count(s, from)); limit >= 0 {
			n = min(n, limit)
		}
	}
	m.growTimes(int64(len(to)-len(from)), n)
	m.grow(int64(len(s)))
	if limit < 0 || limit > math.MaxInt32 {
		return strings.ReplaceAll(s, from, to)
	}
	return strings.Replace(s, from, to, int(limit))
}

// join is str.join().
func (m *machine) join(self Value, items func() (Value, bool)) Value {
	sep, _ := text(self)
	var b strings.Builder
	i := 0
	for v, ok := items(); ok; v, ok = items() {
		if i > 0 {
			b.WriteString(sep)
		}
		s := ""
		if _, safe := self.(Markup); safe {
			s = string(m.escape(v))
		} else if s, ok = text(v); !ok {
			typeError("sequence item %d: expected str instance, %s found", i, typeName(v))
		}
		b.WriteString(s)
		m.grow(int64(len(s) + len(sep)))
		i++
	}
	return like(self, b.String())
}

func expandTabs(m *machine, s string, size int64) string {
	var b strings.Builder
	column := int64(0)
	for _, c := range s {
		switch c {
		case '\t':
			if size > 0 {
				n := size - column%size
				m.grow(n)
				b.WriteString(strings.Repeat(" ", int(n)))
				column += n
			}
		case '\n', '\r':
			column = 0
			b.WriteRune(c)
		default:
			column++
			b.WriteRune(c)
		}
	}
	return b.String()
}
