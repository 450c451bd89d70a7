package bpe

import "unicode/utf8"

// A splitter cuts text into pre-tokens by one Pattern. It is a value of read-only data, safe for concurrent use.
//
// Every split looks only forward, so the pre-tokens of text[i:] are those of text from i on if i is a boundary.
type splitter struct {
	classes *classTable
	rules   splitRules
}

// splitRules tells the patterns of a family apart.
type splitRules struct {
	family     family
	digits     int  // most characters of a number in one pre-token
	alone      bool // numbers are cut out before the rest of the pattern looks at the text (Digits pre-tokenizer)
	tailWhole  bool // white space at the end of the text stays whole, newlines or not (tiktoken's `\s++$`)
	marks      bool // marks count as letters
	contracted bool // o200k: contractions stay with their word
}

type family uint8

const (
	familyGPT2 family = iota
	familyGPT4
	familyO200K
)

func newSplitter(p Pattern) splitter {
	s := splitter{classes: classes(), rules: patternTable[p].rules}
	if s.rules.alone {
		s.classes = numberClasses()
	}
	return s
}

// next returns the end of the pre-token that starts at text[i], i < len(text).
func (s *splitter) next(text []byte, i int) int {
	switch s.rules.family {
	case familyGPT2:
		return s.nextGPT2(text, i)
	case familyGPT4:
		return s.nextGPT4(text, i)
	default:
		return s.nextO200K(text, i)
	}
}

// nextGPT2 scans
//
//	's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
func (s *splitter) nextGPT2(text []byte, i int) int {
	t := s.classes
	j := i
	if text[i] == ' ' && i+1 < len(text) {
		j++
	}
	c, size := t.at(text, j)
	switch {
	case c&inLetter != 0:
		return t.run(text, j+size, inLetter)
	case c&inNumber != 0 && !s.rules.alone:
		return t.run(text, j+size, inNumber)
	case c&inNumber != 0 && j > i:
		return j // the space alone
	case c&inNumber != 0:
		return i + size
	case c&inSpace != 0:
		return s.nextSpace(text, i)
	}
	if text[i] == '\'' {
		if end := contraction(text, i, false); end > 0 {
			return end
		}
	}
	return t.run(text, j+size, inOther|inMark)
}

// nextGPT4 scans, with \p{N} limited to the pattern's digits and \p{L} extended to marks where the pattern says so,
//
//	(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
func (s *splitter) nextGPT4(text []byte, i int) int {
	t := s.classes
	letters, others := inLetter, inOther|inMark
	if s.rules.marks {
		letters, others = inLetter|inMark, inOther
	}
	c, size := t.at(text, i)
	switch {
	case c&letters != 0:
		return t.run(text, i+size, letters)
	case c&inNumber != 0:
		return t.runMax(text, i, inNumber, s.rules.digits)
	case c&inNewline != 0:
		return s.nextSpace(text, i)
	}
	if text[i] == '\'' {
		if end := contraction(text, i, true); end > 0 {
			return end
		}
	}
	j := i + size
	if j < len(text) {
		d, dsize := t.at(text, j)
		if d&letters != 0 {
			return t.run(text, j+dsize, letters)
		}
		if text[i] == ' ' && d&others != 0 {
			c, j = d, j+dsize
		}
	}
	if c&inSpace != 0 {
		return s.nextSpace(text, i)
	}
	return t.run(text, t.run(text, j, others), inNewline)
}

// nextO200K scans, with U = [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}] and W = [\p{Ll}\p{Lm}\p{Lo}\p{M}],
//
//	[^\r\n\p{L}\p{N}]?U*W+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?U+W*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|
//	\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+
func (s *splitter) nextO200K(text []byte, i int) int {
	t := s.classes
	c, size := t.at(text, i)
	if c&inNumber != 0 {
		return t.runMax(text, i, inNumber, s.rules.digits)
	}
	if c&inNewline != 0 {
		return s.nextSpace(text, i)
	}
	if end := s.wordO200K(text, i, c, size); end > 0 {
		if s.rules.contracted && end < len(text) && text[end] == '\'' {
			end = max(end, contraction(text, end, true))
		}
		return end
	}
	j := i + size
	if text[i] == ' ' && j < len(text) {
		if d, dsize := t.at(text, j); d&(inOther|inMark) != 0 {
			c, j = d, j+dsize
		}
	}
	if c&inSpace != 0 {
		return s.nextSpace(text, i)
	}
	j = t.run(text, j, inOther|inMark)
	for j < len(text) && (text[j] == '\n' || text[j] == '\r' || text[j] == '/') {
		j++
	}
	return j
}

// wordO200K matches the two word alternatives of o200k, without contraction, in the order in which the regular
// expression tries them: lower-case ending with a prefix character, without one, then upper-case the same way.
// c and size are those of text[i], neither number nor newline. It returns 0 where none matches.
func (s *splitter) wordO200K(text []byte, i int, c class, size int) int {
	t := s.classes
	const words = inUpper | inLower
	after := i
	if c&inLetter == 0 {
		after += size
		if after < len(text) {
			if end := s.lowerEnding(text, after); end > 0 {
				return end
			}
		}
	}
	if c&words != 0 {
		if end := s.lowerEnding(text, i); end > 0 {
			return end
		}
	}
	if end := t.run(text, after, inUpper); end > after {
		return end
	}
	return 0
}

// lowerEnding returns the end of U*W+ from text[i], or 0. Where no W follows the run of U, the run gives back
// characters up to the last one that is a W too, and ends behind it.
func (s *splitter) lowerEnding(text []byte, i int) int {
	t := s.classes
	both := 0 // end of the last character of the run that is both U and W
	j := i
	for j < len(text) {
		c, size := t.at(text, j)
		if c&inUpper == 0 {
			if c&inLower != 0 {
				return t.run(text, j+size, inLower)
			}
			break
		}
		j += size
		if c&inLower != 0 {
			both = j
		}
	}
	return both
}

// nextSpace splits a run of white space at text[i]: in GPT-4 and o200k up to its last newline; else all of it at the
// end of the text, and all but its last character, which may belong to the next word, before anything else.
func (s *splitter) nextSpace(text []byte, i int) int {
	t := s.classes
	newline := 0 // end of the last newline
	last := i    // start of the last character
	j := i
	for j < len(text) {
		c, size := t.at(text, j)
		if c&inSpace == 0 {
			break
		}
		last, j = j, j+size
		if c&inNewline != 0 {
			newline = j
		}
	}
	if j == len(text) && (s.rules.tailWhole || newline == 0) {
		return j
	}
	if newline > 0 && s.rules.family != familyGPT2 {
		return newline
	}
	if last == i || j == len(text) {
		return j
	}
	if s.rules.alone {
		if c, _ := t.at(text, j); c&inNumber != 0 {
			return j
		}
	}
	return last
}

// contraction returns the end of 's, 't, 're, 've, 'm, 'll or 'd at text[i] == `'`, or 0. Folding case, it takes
// U+017F (ſ) for s as the peers do.
func contraction(text []byte, i int, fold bool) int {
	if i+1 >= len(text) {
		return 0
	}
	a, b := text[i+1], byte(0)
	if i+2 < len(text) {
		b = text[i+2]
	}
	if fold {
		if a == 0xC5 && b == 0xBF {
			return i + 3
		}
		a, b = lowerASCII(a), lowerASCII(b)
	}
	switch a {
	case 's', 't', 'm', 'd':
		return i + 2
	case 'r', 'v':
		if b == 'e' {
			return i + 3
		}
	case 'l':
		if b == 'l' {
			return i + 3
		}
	}
	return 0
}

func lowerASCII(b byte) byte {
	if 'A' <= b && b <= 'Z' {
		return b + 'a' - 'A'
	}
	return b
}

// safeBoundary returns the smallest position p ≥ from, 0 < p < len(text), at which text can be cut in two so that the
// pre-tokens of both halves, each split as a whole text, are the pre-tokens of the text; or len(text) if it sees none.
//
// It takes a space between a printable ASCII character and an ASCII letter (cut before the space), and a lone newline
// between a character that is not white space and a letter (cut behind the newline): no alternative of any pattern spans
// these, and none that ends there looks at what follows.
func (s *splitter) safeBoundary(text []byte, from int) int {
	for p := max(from, 1); p < len(text)-1; p++ {
		switch text[p] {
		case ' ':
			if prev := text[p-1]; prev > ' ' && prev < 0x7F && s.classes[text[p+1]]&inLetter != 0 && text[p+1] < utf8.RuneSelf {
				return p
			}
		case '\n':
			prev, _ := s.classes.before(text, p)
			next, _ := s.classes.at(text, p+1)
			if prev&inSpace == 0 && next&inLetter != 0 {
				return p + 1
			}
		}
	}
	return len(text)
}
