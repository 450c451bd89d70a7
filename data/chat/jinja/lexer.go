package jinja

import (
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

// token is a lexical unit. kind is "data", "name", "string", "integer", "float", "eof", one of the four "block_begin",
// "block_end", "variable_begin", "variable_end", or an operator's own text.
type token struct {
	kind  string
	text  string // of data, names and strings, decoded
	value Value  // of numbers
	line  int
}

// is tells a name from other tokens.
func (t token) is(name string) bool { return t.kind == "name" && t.text == name }

// lexer cuts a template into tokens by the rules of jinja2 with trim_blocks and lstrip_blocks.
type lexer struct {
	source   string
	at       int
	line     int
	tokens   []token
	starting bool   // what was matched last ends a line, or nothing was
	brackets []byte // those that are open, as the ones that close them
}

// lex returns the tokens of a template, "eof" last.
func lex(source string) []token {
	source = strings.ReplaceAll(strings.ReplaceAll(source, "\r\n", "\n"), "\r", "\n")
	x := &lexer{source: strings.TrimSuffix(source, "\n"), line: 1, starting: true}
	for x.at < len(x.source) {
		x.root()
	}
	x.add(token{kind: "eof", line: x.line})
	return x.tokens
}

func (x *lexer) add(t token) { x.tokens = append(x.tokens, t) }

func (x *lexer) fail(format string, args ...any) { failAt(x.line, format, args...) }

// take moves on by n bytes and counts lines.
func (x *lexer) take(n int) string {
	taken := x.source[x.at : x.at+n]
	x.at += n
	x.line += strings.Count(taken, "\n")
	x.starting = strings.HasSuffix(taken, "\n")
	return taken
}

func (x *lexer) rest() string { return x.source[x.at:] }

// spaces returns how many bytes of white space s begins with.
func spaces(s string) int { return len(s) - len(strings.TrimLeftFunc(s, isSpace)) }

// root reads text up to the next tag, and the tag.
func (x *lexer) root() {
	rest := x.rest()
	begin := -1
	for from := 0; ; {
		i := strings.IndexByte(rest[from:], '{')
		if i < 0 || from+i+1 >= len(rest) {
			break
		}
		if c := rest[from+i+1]; c == '%' || c == '{' || c == '#' {
			begin = from + i
			break
		}
		from += i + 1
	}
	if begin < 0 {
		x.data(x.take(len(rest)), x.line)
		return
	}
	tag := rest[begin : begin+2]
	length, sign := 2, byte(0)
	if begin+2 < len(rest) && (rest[begin+2] == '-' || rest[begin+2] == '+') {
		sign = rest[begin+2]
		length = 3
	}
	raw := 0
	if tag == "{%" {
		raw = rawBegin(rest[begin+length:])
	}
	text := x.trimmed(rest[:begin], tag, sign)
	line := x.line
	x.take(begin)
	x.data(text, line)
	x.take(length + raw)
	switch {
	case raw > 0:
		x.raw()
	case tag == "{#":
		x.comment()
	case tag == "{%":
		x.add(token{kind: "block_begin", line: x.line})
		x.code("%}", "block_end")
	default:
		x.add(token{kind: "variable_begin", line: x.line})
		x.code("}}", "variable_end")
	}
}

// data adds text as a token.
func (x *lexer) data(text string, line int) {
	if text != "" {
		x.add(token{kind: "data", text: text, line: line})
	}
}

// trimmed cuts from the text before a tag the white space that the tag takes away.
func (x *lexer) trimmed(text, tag string, sign byte) string {
	if sign == '-' {
		return strings.TrimRightFunc(text, isSpace)
	}
	if sign != '+' && tag != "{{" {
		begin := strings.LastIndexByte(text, '\n') + 1
		if (begin > 0 || x.starting) && begin < len(text) && spaces(text[begin:]) == len(text)-begin {
			return text[:begin]
		}
	}
	return text
}

// rawBegin returns how much of s, which stands behind "{%", makes it the begin of a raw block: 0 for none.
func rawBegin(s string) int {
	n := spaces(s)
	if !strings.HasPrefix(s[n:], "raw") {
		return 0
	}
	n += len("raw")
	n += spaces(s[n:])
	switch {
	case strings.HasPrefix(s[n:], "-%}"):
		return n + 3 + spaces(s[n+3:])
	case strings.HasPrefix(s[n:], "%}"):
		return n + 2
	}
	return 0
}

// raw reads up to the end of a raw block.
func (x *lexer) raw() {
	rest := x.rest()
	for from := 0; ; {
		i := strings.Index(rest[from:], "{%")
		if i < 0 && rest == "" {
			return
		}
		if i < 0 {
			x.fail("Missing end of raw directive")
		}
		begin := from + i
		sign, n := byte(0), begin+2
		if n < len(rest) && (rest[n] == '-' || rest[n] == '+') {
			sign = rest[n]
			n++
		}
		n += spaces(rest[n:])
		if strings.HasPrefix(rest[n:], "endraw") {
			n += len("endraw")
			n += spaces(rest[n:])
			if end := tagEnd(rest[n:], "%}"); end > 0 {
				text := x.trimmed(rest[:begin], "{%", sign)
				line := x.line
				x.take(n + end)
				x.data(text, line)
				return
			}
		}
		from = begin + 2
	}
}

// tagEnd returns the length of the end of a block or comment that s begins with, white space that it takes away
// included: 0 for none.
func tagEnd(s, mark string) int {
	switch {
	case strings.HasPrefix(s, "-"+mark):
		return 3 + spaces(s[3:])
	case strings.HasPrefix(s, "+"+mark):
		return 3
	case strings.HasPrefix(s, mark+"\n"):
		return 3
	case strings.HasPrefix(s, mark):
		return 2
	}
	return 0
}

func (x *lexer) comment() {
	rest := x.rest()
	i := strings.Index(rest, "#}")
	if i < 0 {
		if rest == "" {
			return // jinja2 overlooks a comment that begins at the very end
		}
		x.fail("Missing end of comment tag")
	}
	if i > 0 && (rest[i-1] == '-' || rest[i-1] == '+') {
		i--
	}
	x.take(i + tagEnd(rest[i:], "#}"))
}

// code reads the inside of a block or an output up to its end.
func (x *lexer) code(mark, kind string) {
	x.brackets = x.brackets[:0]
	for {
		rest := x.rest()
		if rest == "" {
			return
		}
		if len(x.brackets) == 0 {
			end := 0
			if mark == "%}" {
				end = tagEnd(rest, mark)
			} else if strings.HasPrefix(rest, "-}}") {
				end = 3 + spaces(rest[3:])
			} else if strings.HasPrefix(rest, "}}") {
				end = 2
			}
			if end > 0 {
				x.add(token{kind: kind, line: x.line})
				x.take(end)
				return
			}
		}
		if n := spaces(rest); n > 0 {
			x.take(n)
			continue
		}
		x.expression(rest)
	}
}

// expression reads one token of an expression.
func (x *lexer) expression(rest string) {
	line := x.line
	if n := floatLength(rest); n > 0 && (x.at == 0 || x.source[x.at-1] != '.') {
		f, _ := strconv.ParseFloat(strings.ReplaceAll(x.take(n), "_", ""), 64)
		x.add(token{kind: "float", value: f, line: line})
		return
	}
	if n := integerLength(rest); n > 0 {
		x.add(token{kind: "integer", value: integerToken(x.take(n), line), line: line})
		return
	}
	if n := nameLength(rest); n > 0 {
		name := x.take(n)
		if !isIdentifier(name) {
			failAt(line, "Invalid character in identifier")
		}
		x.add(token{kind: "name", text: name, line: line})
		return
	}
	if n := stringLength(rest); n > 0 {
		x.add(token{kind: "string", text: unescape(x.take(n)[1:n-1], line), line: line})
		return
	}
	op := operatorOf(rest)
	if op == "" {
		c, _ := utf8.DecodeRuneInString(rest)
		x.fail("unexpected char %s at %d", quote(string(c)), runeLen(x.source[:x.at]))
	}
	switch op {
	case "{", "(", "[":
		x.brackets = append(x.brackets, map[string]byte{"{": '}', "(": ')', "[": ']'}[op])
		if len(x.brackets) > maxBrackets {
			x.fail("more than %d brackets are open", maxBrackets)
		}
	case "}", ")", "]":
		if len(x.brackets) == 0 {
			x.fail("unexpected '%s'", op)
		}
		expected := x.brackets[len(x.brackets)-1]
		x.brackets = x.brackets[:len(x.brackets)-1]
		if expected != op[0] {
			x.fail("unexpected '%s', expected '%c'", op, expected)
		}
	}
	x.take(len(op))
	x.add(token{kind: op, line: line})
}

// operators are the longest first.
var operators = []string{
	"//", "**", "==", "!=", ">=", "<=",
	"+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<", "=", ".", ":", "|", ",", ";",
}

func operatorOf(s string) string {
	for _, op := range operators {
		if strings.HasPrefix(s, op) {
			return op
		}
	}
	return ""
}

// digits returns the length of digits that single underscores may part; an underscore is never last.
func digits(s string, is func(c byte) bool) int {
	n := 0
	for n < len(s) {
		switch {
		case is(s[n]):
			n++
		case s[n] == '_' && n > 0 && n+1 < len(s) && is(s[n+1]):
			n += 2
		default:
			return n
		}
	}
	return n
}

func decimal(c byte) bool { return c >= '0' && c <= '9' }

// floatLength returns the length of the floating-point number that s begins with.
func floatLength(s string) int {
	n := digits(s, decimal)
	if n == 0 {
		return 0
	}
	end := 0
	if n < len(s) && s[n] == '.' {
		if d := digits(s[n+1:], decimal); d > 0 {
			n += 1 + d
			end = n
		}
	}
	if n < len(s) && (s[n] == 'e' || s[n] == 'E') {
		e := n + 1
		if e < len(s) && (s[e] == '+' || s[e] == '-') {
			e++
		}
		if d := digits(s[e:], decimal); d > 0 {
			end = e + d
		}
	}
	return end
}

func integerLength(s string) int {
	if s == "" || !decimal(s[0]) {
		return 0
	}
	if s[0] != '0' {
		return digits(s, decimal)
	}
	if len(s) > 2 {
		var is func(c byte) bool
		switch s[1] {
		case 'b', 'B':
			is = func(c byte) bool { return c == '0' || c == '1' }
		case 'o', 'O':
			is = func(c byte) bool { return c >= '0' && c <= '7' }
		case 'x', 'X':
			is = func(c byte) bool { return decimal(c) || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F' }
		}
		if is != nil {
			body := s[2:]
			skip := 0
			if body[0] == '_' {
				skip = 1
			}
			if n := digits(body[skip:], is); n > 0 {
				return 2 + skip + n
			}
		}
	}
	return digits(s, func(c byte) bool { return c == '0' })
}

func integerToken(s string, line int) Value {
	s = strings.ReplaceAll(s, "_", "")
	if len(s) > maxDigits {
		failAt(line, "a number of %d digits", len(s))
	}
	b, _ := new(big.Int).SetString(s, 0)
	return shrink(b)
}

func nameLength(s string) int {
	for i, c := range s {
		if !isWord(c) && (c < utf8.RuneSelf || !identifierPart(c)) {
			return i
		}
	}
	return len(s)
}

// stringLength returns the length of the string that s begins with, quotes included; 0 where none ends.
func stringLength(s string) int {
	if s[0] != '\'' && s[0] != '"' {
		return 0
	}
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case s[0]:
			return i + 1
		}
	}
	return 0
}
