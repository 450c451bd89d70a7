package hf

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Regex is a regular expression in the syntax of tokenizers' (Oniguruma's) that Go's package regexp can match: both take
// the leftmost match and in it the first alternative, so what differs is how it is written.
//
// A \p{…} holds what Unicode 16.0 has in it, but for \P{…} inside a class, which is of Go's version, and for U+1171E, which
// was in Mn before.
//
// Beyond Go's syntax it knows \s and \S for all of Unicode's white space, and the look-ahead \s+(?!\S) as an alternative by
// itself: white space but for its last character where something else follows.
type Regex struct {
	re *regexp.Regexp
	// spaces is the group of the alternative \s+(?!\S), 0 for none; rest is the group of the \s+ behind it.
	spaces int
}

// Classes as Oniguruma has them, and limits.
const (
	spaceClass = `\t\n\v\f\r \x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}`
	// wordExtra are the members of \w that are in none of wordClasses: ², ³, ¹, ¼ to ¾ and letters in circles and squares.
	wordExtra     = `\x{B2}\x{B3}\x{B9}\x{BC}-\x{BE}\x{24B6}-\x{24E9}\x{1F130}-\x{1F149}\x{1F150}-\x{1F169}\x{1F170}-\x{1F189}`
	lookahead     = `\s+(?!\S)`
	spacesGroup   = `spaces`
	maxRegexBytes = 1 << 14
)

// CompileRegex reads an expression. What Go cannot match is an *UnsupportedError.
func CompileRegex(text string) (*Regex, error) {
	unsupported := func(cure string) error {
		return &UnsupportedError{What: "regular expression", Value: text, Cure: cure}
	}
	if len(text) > maxRegexBytes {
		return nil, Faultf("", "a regular expression of %d bytes, more than %d", len(text), maxRegexBytes)
	}
	translated := text
	if strings.Contains(text, lookahead) {
		head, tail, _ := strings.Cut(text, lookahead)
		if head != "" && !strings.HasSuffix(head, "|") || tail != "|\\s+" && tail != "|\\s" || strings.Count(head, "(") != strings.Count(head, ")") {
			return nil, unsupported(`the look-ahead \s+(?!\S) is known as the last alternative but one, before \s+`)
		}
		translated = head + `(?P<` + spacesGroup + `>\s+)`
	}
	translated, ok := goSyntax(translated)
	if !ok {
		return nil, unsupported("Go has no look-around, no possessive quantifiers and no back-references")
	}
	re, err := regexp.Compile(translated)
	if err != nil {
		return nil, unsupported("Go cannot match it: " + err.Error())
	}
	return &Regex{re: re, spaces: max(0, re.SubexpIndex(spacesGroup))}, nil
}

// goSyntax rewrites what Go spells differently; false if Go lacks something.
func goSyntax(text string) (string, bool) {
	var b strings.Builder
	inClass := false
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '\\' && i+1 < len(text):
			i++
			switch next := text[i]; {
			case next == 's' && inClass:
				b.WriteString(spaceClass)
			case next == 's':
				b.WriteString("[" + spaceClass + "]")
			case next == 'S' && !inClass:
				b.WriteString("[^" + spaceClass + "]")
			case next == 'S' || next >= '1' && next <= '9' || strings.IndexByte("GKRXZhHg", next) >= 0:
				return "", false
			case next == 'd':
				writeClass(&b, opening(inClass), "Nd")
			case next == 'w':
				writeClass(&b, opening(inClass)+wordExtra, wordClasses...)
			case next == 'p' && isClass(text[i:]):
				end := i + strings.IndexByte(text[i:], '}')
				writeClass(&b, opening(inClass), text[i+len("p{"):end])
				i = end
			case next == 'P' && !inClass && isClass(text[i:]):
				end := i + strings.IndexByte(text[i:], '}')
				writeClass(&b, "[^", text[i+len("P{"):end])
				i = end
			case next >= utf8.RuneSelf:
				b.WriteByte(next)
			default:
				b.WriteByte('\\')
				b.WriteByte(next)
			}
			continue
		case c == '[' && !inClass:
			inClass = true
		case c == '[' && !strings.HasPrefix(text[i:], "[:"):
			b.WriteByte('\\')
		case c == '&' && inClass && strings.HasPrefix(text[i:], "&&"):
			return "", false
		case c == ']':
			inClass = false
		case !inClass && c == '+' && i > 0 && strings.IndexByte("+*?", text[i-1]) >= 0 && (i < 2 || text[i-2] != '\\'):
			return "", false // possessive
		}
		b.WriteByte(c)
	}
	return b.String(), true
}

// opening is what begins a class, unless it is inside another one.
func opening(inClass bool) string {
	if inClass {
		return ""
	}
	return "["
}

// isClass reports whether text begins with p{NAME} or P{NAME}.
func isClass(text string) bool {
	end := strings.IndexByte(text, '}')
	return end > len("p{") && text[1] == '{' && text[len("p{")] != '^'
}

// writeClass writes \p{…} of the names as Go has it with what Unicode 16.0 adds, between open and its end.
func writeClass(b *strings.Builder, open string, names ...string) {
	b.WriteString(open)
	for _, name := range names {
		b.WriteString(`\p{` + name + `}`)
		for _, class := range slices.Sorted(maps.Keys(laterClasses)) {
			if class == name || len(name) == 1 && len(class) == 2 && class[0] == name[0] {
				writeRanges(b, laterClasses[class])
			}
		}
	}
	if strings.HasPrefix(open, "[") {
		b.WriteByte(']')
	}
}

func writeRanges(b *strings.Builder, table *unicode.RangeTable) {
	for _, r := range table.R32 {
		fmt.Fprintf(b, `\x{%x}-\x{%x}`, r.Lo, r.Hi)
	}
}

// FindAll returns the matches in text, one behind the other, those that are empty left out.
func (r *Regex) FindAll(text []byte) [][2]int {
	var out [][2]int
	if r.spaces == 0 {
		for _, m := range r.re.FindAllIndex(text, -1) {
			if m[0] < m[1] {
				out = append(out, [2]int{m[0], m[1]})
			}
		}
		return out
	}
	for i := 0; i < len(text); {
		m := r.re.FindSubmatchIndex(text[i:])
		if m == nil {
			break
		}
		start, end := i+m[0], i+m[1]
		if start == end {
			_, size := utf8.DecodeRune(text[start:])
			i = start + max(size, 1)
			continue
		}
		if m[2*r.spaces] >= 0 && end < len(text) {
			if _, size := utf8.DecodeLastRune(text[start:end]); size < end-start {
				end -= size
			}
		}
		out = append(out, [2]int{start, end})
		i = end
	}
	return out
}
