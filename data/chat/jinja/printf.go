package jinja

import (
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

// printer of format % values, after CPython's PyUnicode_Format.
type percentFormat struct {
	m     *machine
	safe  bool // the format is Markup: what is put in is escaped
	tuple []Value
	used  int
	named Value // a mapping, nil for others
}

// percent is format % values.
func (m *machine) percent(self Value, format string, values Value) Value {
	_, safe := self.(Markup)
	f := &percentFormat{m: m, safe: safe}
	switch v := values.(type) {
	case *Tuple:
		f.tuple = v.items
	case string, Markup:
		f.tuple = []Value{v}
	case *Dict, *List, *span, *Missing:
		f.tuple, f.named = []Value{v}, v
	default:
		f.tuple = []Value{v}
	}
	var b strings.Builder
	for i := 0; i < len(format); {
		c := format[i]
		if c != '%' {
			end := strings.IndexByte(format[i:], '%')
			if end < 0 {
				end = len(format) - i
			}
			m.grow(int64(end))
			b.WriteString(format[i : i+end])
			i += end
			continue
		}
		text, n := f.one(format[i+1:])
		m.grow(int64(len(text)))
		b.WriteString(text)
		i += 1 + n
	}
	if f.named == nil && f.used < len(f.tuple) {
		typeError("not all arguments converted during string formatting")
	}
	return like(self, b.String())
}

func (f *percentFormat) next() Value {
	if f.used >= len(f.tuple) {
		typeError("not enough arguments for format string")
	}
	f.used++
	return f.tuple[f.used-1]
}

// one formats what s, which stands behind a percent sign, begins with; n is how much of s that is.
func (f *percentFormat) one(s string) (text string, n int) {
	p := spec{fill: " ", precision: -1}
	at := 0
	current := func() byte {
		if at >= len(s) {
			valueError("incomplete format")
		}
		return s[at]
	}
	var key Value
	if current() == '(' {
		if f.named == nil {
			typeError("format requires a mapping")
		}
		open := 1
		begin := at + 1
		for open > 0 {
			if at++; at >= len(s) {
				valueError("incomplete format key")
			}
			switch s[at] {
			case '(':
				open++
			case ')':
				open--
			}
		}
		key = s[begin:at]
		at++
	}
	left, zero := false, false
flags:
	for {
		switch current() {
		case '-':
			left = true
		case '+':
			p.sign = '+'
		case ' ':
			if p.sign == 0 {
				p.sign = ' '
			}
		case '#':
			p.alternate = true
		case '0':
			zero = true
		default:
			break flags
		}
		at++
	}
	size := func() int64 {
		if current() == '*' {
			at++
			v := f.next()
			if _, ok := number(v); !ok {
				typeError("* wants int")
			}
			return needIndex(v)
		}
		begin := at
		for decimal(current()) {
			at++
		}
		v, err := strconv.ParseInt("0"+s[begin:at], 10, 32)
		if err != nil {
			valueError("width too big")
		}
		return v
	}
	if p.width = size(); p.width < 0 {
		left = true
		p.width = -p.width
	}
	if current() == '.' {
		at++
		p.precision = max(size(), 0)
	}
	if c := current(); c == 'h' || c == 'l' || c == 'L' {
		at++
	}
	kind := current()
	_, width := utf8.DecodeRuneInString(s[at:])
	at += width
	if kind == '%' && at == 1 {
		return "%", at
	}
	f.m.grow(p.width + max(p.precision, 0))
	var v Value
	if key != nil {
		v = f.lookup(key)
	} else {
		v = f.next()
	}
	if left {
		p.align = '<'
	}
	return f.convert(v, kind, p, left, zero), at
}

func (f *percentFormat) lookup(key Value) Value {
	switch f.named.(type) {
	case *Dict:
		if v, ok := f.m.item(f.named, key); ok {
			return v
		}
		fail(Lookup, "%s", f.m.repr(key))
	case *Missing:
		f.named.(*Missing).fail()
	}
	typeError("%s indices must be integers or slices, not str", typeName(f.named))
	return nil
}

// convert formats one value.
func (f *percentFormat) convert(v Value, kind byte, p spec, left, zero bool) string {
	plain := func(s string) string {
		if f.safe {
			s = escapeHTML(s)
		}
		if p.precision >= 0 {
			s = cut(s, 0, int(p.precision))
		}
		return p.pad("", s, '>')
	}
	switch kind {
	case 's':
		if f.safe {
			s := string(f.m.escape(v))
			if p.precision >= 0 {
				s = cut(s, 0, int(p.precision))
			}
			return p.pad("", s, '>')
		}
		return plain(f.m.str(v))
	case 'r':
		return plain(f.m.repr(v))
	case 'a':
		return plain(ascii(f.m.repr(v)))
	case 'c':
		return f.character(v, p)
	case 'd', 'i', 'u', 'o', 'x', 'X':
		return f.integer(v, kind, p, left, zero)
	case 'e', 'E', 'f', 'F', 'g', 'G':
		if u, ok := v.(*Missing); ok {
			u.fail()
		}
		x, ok := toFloat(v)
		if s, isText := text(v); isText && f.safe {
			if x, ok = parseFloat(s); !ok {
				valueError("could not convert string to float: %s", quote(s))
			}
		}
		if !ok {
			typeError("must be real number, not %s", typeName(v))
		}
		precision := int(p.precision)
		if precision < 0 {
			precision = 6
		}
		negative := x < 0 || x == 0 && 1/x < 0
		if negative {
			x = -x
		}
		s := fixedText(x, kind, precision, p.alternate)
		if zero && !left && p.align == 0 {
			p.fill, p.align = "0", '='
		}
		return p.pad(p.signOf(negative), s, '>')
	}
	valueError("unsupported format character '%c' (0x%x)", kind, kind)
	return ""
}

func (f *percentFormat) character(v Value, p spec) string {
	if s, ok := text(v); ok && runeLen(s) == 1 && !f.safe {
		return p.pad("", s, '>')
	}
	n, ok := index(v)
	if _, isFloat := v.(float64); f.safe || isFloat || !ok {
		typeError("%%c requires int or char")
	}
	if n < 0 || n > utf8.MaxRune {
		fail(Arithmetic, "%%c arg not in range(0x110000)")
	}
	if n >= 0xd800 && n < 0xe000 {
		refuse("half of a surrogate pair as a character")
	}
	return p.pad("", string(rune(n)), '>')
}

func (f *percentFormat) integer(v Value, kind byte, p spec, left, zero bool) string {
	n, ok := number(v)
	if x, isFloat := v.(float64); isFloat && (kind == 'd' || kind == 'i' || kind == 'u') {
		n, ok = truncate(x), true
	}
	if u, isMissing := v.(*Missing); isMissing {
		if kind == 'd' || kind == 'i' || kind == 'u' {
			u.fail()
		}
		typeError("%%%c format: an integer is required, not Undefined", kind)
	}
	if f.safe && !ok {
		if s, isText := text(v); isText && (kind == 'd' || kind == 'i' || kind == 'u') {
			if n, ok = parseInteger(s, 10); !ok {
				valueError("invalid literal for int() with base 10: %s", quote(s))
			}
		}
	}
	if f.safe && kind != 'd' && kind != 'i' && kind != 'u' {
		typeError("%%%c format: an integer is required, not _MarkupEscapeHelper", kind)
	}
	if !ok {
		what := "an integer"
		if kind == 'd' || kind == 'i' || kind == 'u' {
			what = "a real number"
		}
		typeError("%%%c format: %s is required, not %s", kind, what, typeName(v))
	}
	b := toBig(n)
	var digits string
	prefix := ""
	switch kind {
	case 'o':
		digits, prefix = new(big.Int).Abs(b).Text(8), "0o"
	case 'x':
		digits, prefix = new(big.Int).Abs(b).Text(16), "0x"
	case 'X':
		digits, prefix = strings.ToUpper(new(big.Int).Abs(b).Text(16)), "0X"
	default:
		digits = strings.TrimPrefix(integerText(b), "-")
	}
	if n := int(p.precision) - len(digits); n > 0 {
		digits = strings.Repeat("0", n) + digits
	}
	sign := p.signOf(b.Sign() < 0)
	if p.alternate {
		sign += prefix
	}
	if zero && !left {
		p.fill, p.align = "0", '='
	}
	return p.pad(sign, digits, '>')
}
