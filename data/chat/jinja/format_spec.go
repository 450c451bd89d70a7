package jinja

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

// spec is a format specification: [[fill]align][sign][z][#][0][width][grouping][.precision][type].
type spec struct {
	fill      string
	align     byte // '<' '>' '=' '^', 0 for none
	sign      byte // '+' '-' ' ', 0 for none
	alternate bool
	width     int64
	group     byte // ',' or '_', 0 for none
	precision int64
	kind      byte // 0 for none
}

// parseSpec reads a specification for values that stand at the side align.
func parseSpec(m *machine, s string, align byte) spec {
	p := spec{fill: " ", precision: -1}
	filled := false
	_, n := utf8.DecodeRuneInString(s)
	isAlign := func(c byte) bool { return c == '<' || c == '>' || c == '=' || c == '^' }
	switch {
	case len(s) > n && n > 0 && isAlign(s[n]):
		p.fill, p.align, filled = s[:n], s[n], true
		s = s[n+1:]
	case s != "" && isAlign(s[0]):
		p.align = s[0]
		s = s[1:]
	}
	if s != "" && (s[0] == '+' || s[0] == '-' || s[0] == ' ') {
		p.sign = s[0]
		s = s[1:]
	}
	if s != "" && s[0] == 'z' {
		refuse("the option z of a format specification")
	}
	if s != "" && s[0] == '#' {
		p.alternate = true
		s = s[1:]
	}
	if !filled && s != "" && s[0] == '0' {
		if p.fill = "0"; p.align == 0 && align == '>' {
			p.align = '='
		}
		s = s[1:]
	}
	digits := func(missing int64) int64 {
		n := 0
		for n < len(s) && decimal(s[n]) {
			n++
		}
		if n == 0 {
			return missing
		}
		v, err := strconv.ParseInt(s[:n], 10, 64)
		if err != nil {
			valueError("Too many decimal digits in format string")
		}
		s = s[n:]
		return v
	}
	p.width = digits(0)
	if s != "" && (s[0] == ',' || s[0] == '_') {
		p.group = s[0]
		if s = s[1:]; s != "" && (s[0] == ',' || s[0] == '_') {
			valueError("Cannot specify both ',' and '_'.")
		}
	}
	if s != "" && s[0] == '.' {
		s = s[1:]
		if p.precision = digits(-1); p.precision < 0 {
			valueError("Format specifier missing precision")
		}
	}
	if runeLen(s) > 1 {
		valueError("Invalid format specifier")
	}
	if s != "" {
		p.kind = s[0]
		if s[0] >= utf8.RuneSelf {
			valueError("Unknown format code %s", quote(s))
		}
	}
	m.grow(p.width + max(p.precision, 0))
	return p
}

// formatValue is format(v, specification).
func (m *machine) formatValue(v Value, s string) string {
	if s == "" {
		return m.str(v)
	}
	switch v := v.(type) {
	case string, Markup:
		t, _ := text(v)
		return m.formatText(t, parseSpec(m, s, '<'))
	case bool, int64, *big.Int:
		p := parseSpec(m, s, '>')
		n, _ := number(v)
		return m.formatInt(v, n, p)
	case float64:
		return m.formatFloat(v, parseSpec(m, s, '>'))
	}
	typeError("unsupported format string passed to %s.__format__", typeName(v))
	return ""
}

func (m *machine) formatText(s string, p spec) string {
	switch {
	case p.kind != 0 && p.kind != 's':
		valueError("Unknown format code '%c' for object of type 'str'", p.kind)
	case p.sign == ' ':
		valueError("Space not allowed in string format specifier")
	case p.sign != 0:
		valueError("Sign not allowed in string format specifier")
	case p.alternate:
		valueError("Alternate form (#) not allowed in string format specifier")
	case p.group != 0:
		valueError("Cannot specify '%c' with 's'.", p.group)
	case p.align == '=':
		valueError("'=' alignment not allowed in string format specifier")
	}
	if p.precision >= 0 {
		s = cut(s, 0, int(min(p.precision, math.MaxInt32)))
	}
	return p.pad("", s, '<')
}

// pad fills a text up to the width: sign is what stands before the fill of '='.
func (p *spec) pad(sign, s string, align byte) string {
	if p.align != 0 {
		align = p.align
	}
	n := int(max(p.width-int64(runeLen(sign)+runeLen(s)), 0))
	fill := func(n int) string { return strings.Repeat(p.fill, n) }
	switch align {
	case '<':
		return sign + s + fill(n)
	case '^':
		return fill(n/2) + sign + s + fill(n-n/2)
	case '=':
		return sign + fill(n) + s
	}
	return fill(n) + sign + s
}

func (p *spec) signOf(negative bool) string {
	switch {
	case negative:
		return "-"
	case p.sign == '+' || p.sign == ' ':
		return string(p.sign)
	}
	return ""
}

// grouped parts digits by a mark and, of '=' with zeros, puts as many zeros before that the width is reached.
func (p *spec) grouped(digits, rest string, every, before int) string {
	if p.group == 0 {
		return digits + rest
	}
	least := 0
	if p.align == '=' && p.fill == "0" {
		least = int(p.width) - before - len(rest)
	}
	part := func(s string) string {
		var b strings.Builder
		for i := range s {
			if i > 0 && (len(s)-i)%every == 0 {
				b.WriteByte(p.group)
			}
			b.WriteByte(s[i])
		}
		return b.String()
	}
	out := part(digits)
	for len(out) < least {
		digits = "0" + digits
		out = part(digits)
	}
	return out + rest
}

func (m *machine) formatInt(v, n Value, p spec) string {
	switch p.kind {
	case 'e', 'E', 'f', 'F', 'g', 'G', '%':
		f, _ := toFloat(n)
		return m.formatFloat(f, p)
	case 0, 'd', 'n', 'b', 'o', 'x', 'X', 'c':
	default:
		valueError("Unknown format code '%c' for object of type '%s'", p.kind, typeName(v))
	}
	if p.precision >= 0 {
		valueError("Precision not allowed in integer format specifier")
	}
	b := toBig(n)
	if p.kind == 'c' {
		switch {
		case p.sign != 0:
			valueError("Sign not allowed with integer format specifier 'c'")
		case p.alternate:
			valueError("Alternate form (#) not allowed with integer format specifier 'c'")
		case p.group != 0:
			valueError("Cannot specify '%c' with 'c'.", p.group)
		case !b.IsInt64() || b.Int64() < 0 || b.Int64() > utf8.MaxRune:
			fail(Arithmetic, "%%c arg not in range(0x110000)")
		case b.Int64() >= 0xd800 && b.Int64() < 0xe000:
			refuse("half of a surrogate pair as a character")
		}
		return p.pad("", string(rune(b.Int64())), '>')
	}
	if p.kind == 'n' && p.group != 0 || p.group == ',' && strings.IndexByte("boxX", p.kind) >= 0 && p.kind != 0 {
		valueError("Cannot specify '%c' with '%c'.", p.group, p.kind)
	}
	base, prefix, every := 10, "", 3
	switch p.kind {
	case 'b':
		base, prefix, every = 2, "0b", 4
	case 'o':
		base, prefix, every = 8, "0o", 4
	case 'x', 'X':
		base, prefix, every = 16, "0"+string(p.kind), 4
	}
	var digits string
	if base == 10 {
		digits = strings.TrimPrefix(integerText(b), "-")
	} else {
		digits = new(big.Int).Abs(b).Text(base)
	}
	if p.kind == 'X' {
		digits = strings.ToUpper(digits)
	}
	sign := p.signOf(b.Sign() < 0)
	if p.alternate {
		sign += prefix
	}
	return p.pad(sign, p.grouped(digits, "", every, len(sign)), '>')
}

func (m *machine) formatFloat(f float64, p spec) string {
	kind, precision := p.kind, int(min(p.precision, math.MaxInt32))
	switch kind {
	case 0, 'e', 'E', 'f', 'F', 'g', 'G', '%', 'n':
	default:
		valueError("Unknown format code '%c' for object of type 'float'", kind)
	}
	if kind == 'n' && p.group != 0 {
		valueError("Cannot specify '%c' with 'n'.", p.group)
	}
	negative := math.Signbit(f) && f == f
	abs := math.Abs(f)
	percent := ""
	if kind == '%' {
		abs, kind, percent = abs*100, 'f', "%"
	}
	if precision < 0 && kind != 0 {
		precision = 6
	}
	var s string
	switch {
	case kind == 0 && precision < 0:
		if s = floatText(abs); p.alternate && !strings.Contains(s, ".") {
			s = strings.Replace(s, "e", ".e", 1)
		}
	case kind == 0:
		s = general(abs, max(precision, 1), p.alternate, true)
	case kind == 'n':
		s = general(abs, max(precision, 1), p.alternate, false)
	default:
		s = fixedText(abs, kind, precision, p.alternate)
	}
	s += percent
	sign := p.signOf(negative)
	n := 0
	for n < len(s) && decimal(s[n]) {
		n++
	}
	if n > 0 {
		s = p.grouped(s[:n], s[n:], 3, len(sign))
	}
	return p.pad(sign, s, '>')
}

// fixedText is C's %e, %f or %g of a number that is not negative.
func fixedText(f float64, kind byte, precision int, alternate bool) string {
	var s string
	switch kind {
	case 'f', 'F':
		s = strconv.FormatFloat(f, 'f', precision, 64)
	case 'e', 'E':
		s = strconv.FormatFloat(f, 'e', precision, 64)
	default:
		s = general(f, max(precision, 1), alternate, false)
	}
	if math.IsInf(f, 0) || f != f {
		s = map[bool]string{true: "nan", false: "inf"}[f != f]
	} else if alternate && precision == 0 && (kind == 'f' || kind == 'F') {
		s += "."
	} else if alternate && precision == 0 && (kind == 'e' || kind == 'E') {
		s = strings.Replace(s, "e", ".e", 1)
	}
	if kind == 'E' || kind == 'F' || kind == 'G' {
		s = strings.ToUpper(s)
	}
	return s
}

// general is C's %g: precision significant digits, without the zeros at the end but for the alternate form. With point, a
// whole number keeps ".0", and the exponent comes one digit earlier, as format() without a type has it.
func general(f float64, precision int, alternate, point bool) string {
	if math.IsInf(f, 0) {
		return "inf"
	}
	if f != f {
		return "nan"
	}
	scientific := strconv.FormatFloat(f, 'e', precision-1, 64)
	mark := strings.IndexByte(scientific, 'e')
	exponent, _ := strconv.Atoi(scientific[mark+1:])
	limit := precision
	if point {
		limit--
	}
	if f != 0 && (exponent < -4 || exponent >= limit) || f == 0 && limit <= 0 {
		digits := scientific[:mark]
		if strings.Contains(digits, ".") && !alternate {
			digits = strings.TrimRight(strings.TrimRight(digits, "0"), ".")
		}
		if alternate && !strings.Contains(digits, ".") {
			digits += "."
		}
		return digits + scientific[mark:]
	}
	s := strconv.FormatFloat(f, 'f', max(precision-1-exponent, 0), 64)
	if alternate {
		if !strings.Contains(s, ".") {
			s += "."
		}
		return s
	}
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	if point && !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}
