package jinja

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// str.format() and format(): replacement fields and Python's mini-language of format specifications.

// formatMethod returns str.format or str.format_map.
func formatMethod(name string) *method {
	if name == "format_map" {
		return &method{name: name, min: 1, max: 1, call: func(m *machine, self Value, a callArgs) Value {
			s, _ := text(self)
			return m.format(self, s, nil, a.args[0])
		}}
	}
	return &method{name: name, max: -1, names: true, call: func(m *machine, self Value, a callArgs) Value {
		s, _ := text(self)
		return m.format(self, s, a.args, a.dict())
	}}
}

// formatter is the state of one call of format: automatic numbering counts up.
type formatter struct {
	m      *machine
	self   Value
	args   []Value
	named  Value
	auto   int
	manual bool
}

func (m *machine) format(self Value, s string, args []Value, named Value) Value {
	f := &formatter{m: m, self: self, args: args, named: named}
	return like(self, f.expand(s, 2))
}

func (f *formatter) expand(s string, depth int) string {
	if depth < 0 {
		valueError("Max string recursion exceeded")
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case (c == '{' || c == '}') && i+1 < len(s) && s[i+1] == c:
			b.WriteByte(c)
			i += 2
		case c == '}':
			valueError("Single '}' encountered in format string")
		case c == '{':
			n := fieldLength(s[i+1:])
			text := f.field(s[i+1:i+1+n], depth)
			f.m.grow(int64(len(text)))
			b.WriteString(text)
			i += n + 2
		default:
			b.WriteByte(c)
			i++
		}
	}
	return b.String()
}

// fieldLength returns the length of a replacement field, brackets within counted.
func fieldLength(s string) int {
	open := 1
	square := false
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '[':
			square = true
		case ']':
			square = false
		case '{':
			if !square {
				open++
			}
		case '}':
			if square {
				continue
			}
			if open--; open == 0 {
				return i
			}
		}
	}
	if s == "" {
		valueError("Single '{' encountered in format string")
	}
	valueError("expected '}' before end of string")
	return 0
}

// field returns the text of a replacement field: name!conversion:specification.
func (f *formatter) field(s string, depth int) string {
	name, conversion, spec := s, byte(0), ""
	square := false
	for i := 0; i < len(s); i++ {
		if s[i] == '[' {
			square = true
		} else if s[i] == ']' {
			square = false
		}
		if square || s[i] != '!' && s[i] != ':' {
			if s[i] == '{' && !square {
				valueError("unexpected '{' in field name")
			}
			continue
		}
		name = s[:i]
		rest := s[i:]
		if rest[0] == '!' {
			if len(rest) < 2 {
				valueError("end of string while looking for conversion specifier")
			}
			conversion = rest[1]
			if rest = rest[2:]; rest != "" && rest[0] != ':' {
				valueError("expected ':' after conversion specifier")
			}
		}
		spec = strings.TrimPrefix(rest, ":")
		break
	}
	v := f.value(name)
	switch conversion {
	case 0:
	case 's':
		v = f.m.str(v)
	case 'r':
		v = f.m.repr(v)
	case 'a':
		v = ascii(f.m.repr(v))
	default:
		valueError("Unknown conversion specifier %c", conversion)
	}
	return f.one(v, f.expand(spec, depth-1))
}

// one formats a value; within Markup it is escaped.
func (f *formatter) one(v Value, spec string) string {
	if _, safe := f.self.(Markup); safe {
		if markup, ok := v.(Markup); ok {
			if spec != "" {
				valueError("Unsupported format specification for Markup.")
			}
			return string(markup)
		}
		return escapeHTML(f.m.formatValue(v, spec))
	}
	return f.m.formatValue(v, spec)
}

// value looks a field's name up: a number or a name, then attributes and items.
func (f *formatter) value(name string) Value {
	first := name
	if i := strings.IndexAny(name, ".["); i >= 0 {
		first = name[:i]
	}
	rest := name[len(first):]
	if name == "" {
		if f.manual {
			valueError("cannot switch from manual field specification to automatic field numbering")
		}
		first = strconv.Itoa(f.auto)
		f.auto++
	} else if allDigits(name) {
		if f.auto > 0 {
			valueError("cannot switch from manual field specification to automatic field numbering")
		}
		f.manual = true
	}
	var v Value
	ok := false
	if allDigits(first) {
		i, err := strconv.Atoi(first)
		if ok = err == nil && i < len(f.args); !ok {
			fail(Lookup, "Replacement index %s out of range for positional args tuple", first)
		}
		v = f.args[i]
	} else if v, ok = f.m.item(f.named, first); !ok {
		fail(Lookup, "%s", quote(first))
	}
	for rest != "" {
		if rest[0] == '.' {
			end := len(rest)
			if i := strings.IndexAny(rest[1:], ".["); i >= 0 {
				end = 1 + i
			}
			if end == 1 {
				valueError("Empty attribute in format string")
			}
			v = f.m.getattr(v, rest[1:end])
			rest = rest[end:]
			continue
		}
		if rest[0] != '[' {
			valueError("Only '.' or '[' may follow ']' in format field specifier")
		}
		end := strings.IndexByte(rest, ']')
		if end < 0 {
			valueError("Missing ']' in format string")
		}
		key := rest[1:end]
		if key == "" {
			valueError("Empty attribute in format string")
		}
		if n, err := strconv.ParseInt(key, 10, 64); err == nil && allDigits(key) {
			v = f.m.getitem(v, n)
		} else {
			v = f.m.getitem(v, key)
		}
		rest = rest[end+1:]
	}
	return v
}

func allDigits(s string) bool {
	for i := 0; i < len(s); i++ {
		if !decimal(s[i]) {
			return false
		}
	}
	return s != ""
}

// ascii writes what is not ASCII in a repr() as escapes.
func ascii(s string) string {
	var b strings.Builder
	for _, c := range s {
		switch {
		case c < utf8.RuneSelf:
			b.WriteRune(c)
		case c <= 0xff:
			b.WriteString(`\x` + hex(c, 2))
		case c <= 0xffff:
			b.WriteString(`\u` + hex(c, 4))
		default:
			b.WriteString(`\U` + hex(c, 8))
		}
	}
	return b.String()
}

func hex(c rune, width int) string {
	s := strconv.FormatInt(int64(c), 16)
	return strings.Repeat("0", max(width-len(s), 0)) + s
}
