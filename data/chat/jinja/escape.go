package jinja

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// simpleEscapes are those of one letter.
var simpleEscapes = map[byte]string{
	'\n': "", '\\': "\\", '\'': "'", '"': "\"", 'a': "\a", 'b': "\b", 'f': "\f", 'n': "\n", 'r': "\r", 't': "\t", 'v': "\v",
}

// unescape decodes the inside of a string of a template as Python's unicode-escape does.
func unescape(s string, line int) string {
	if !strings.Contains(s, "\\") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			i++
			continue
		}
		c := s[i+1]
		i += 2
		if simple, ok := simpleEscapes[c]; ok {
			b.WriteString(simple)
			continue
		}
		switch {
		case c >= '0' && c <= '7':
			n := 1
			for n < 3 && i-1+n < len(s) && s[i-1+n] >= '0' && s[i-1+n] <= '7' {
				n++
			}
			code, _ := strconv.ParseUint(s[i-1:i-1+n], 8, 32)
			b.WriteRune(rune(code))
			i += n - 1
		case c == 'x' || c == 'u' || c == 'U':
			width := map[byte]int{'x': 2, 'u': 4, 'U': 8}[c]
			end := min(i+width, len(s))
			code, err := strconv.ParseUint(s[i:end], 16, 32)
			if err != nil || end-i < width || s[i] == '+' {
				failAt(line, "truncated \\%c%s escape", c, strings.Repeat("X", width))
			}
			if code > utf8.MaxRune {
				failAt(line, "illegal Unicode character")
			}
			if code >= 0xd800 && code < 0xe000 {
				refuseAt(line, "a string holds \\u%04x, half of a surrogate pair, which no text can hold (write the character itself, or \\U and eight digits)", code)
			}
			b.WriteRune(rune(code))
			i = end
		case c == 'N':
			refuseAt(line, "a character by its name, \\N{…}, is not supported (write the character itself)")
		case c < utf8.RuneSelf:
			b.WriteByte('\\')
			b.WriteByte(c)
		default: // Python has written the character as an escape before it reads escapes, and the backslash guards that
			r, size := utf8.DecodeRuneInString(s[i-1:])
			b.WriteByte('\\')
			switch {
			case r <= 0xff:
				fmt.Fprintf(&b, "x%02x", r)
			case r <= 0xffff:
				fmt.Fprintf(&b, "u%04x", r)
			default:
				fmt.Fprintf(&b, "U%08x", r)
			}
			i += size - 1
		}
	}
	return b.String()
}
