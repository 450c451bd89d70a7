package jinja

import (
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Python's strings are sequences of code points; Go's are bytes. Positions in this engine are in characters wherever a
// template can see them.

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func runeLen(s string) int { return utf8.RuneCountInString(s) }

// byteOffset returns where character n of s begins; n may be its length.
func byteOffset(s string, n int) int {
	if n <= 0 {
		return 0
	}
	for i := range s {
		if n == 0 {
			return i
		}
		n--
	}
	return len(s)
}

// cut returns the characters [begin, end) of s.
func cut(s string, begin, end int) string {
	if begin >= end {
		return ""
	}
	if isASCII(s) {
		return s[min(begin, len(s)):min(end, len(s))]
	}
	from := byteOffset(s, begin)
	return s[from : from+byteOffset(s[from:], end-begin)]
}

// isSpace is str.isspace() of a character.
func isSpace(c rune) bool {
	switch {
	case c <= ' ':
		return c == ' ' || c >= '\t' && c <= '\r' || c >= 0x1c && c <= 0x1f
	case c < 0x1680:
		return c == 0x85 || c == 0xa0
	}
	return c == 0x1680 || c >= 0x2000 && c <= 0x200a || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000
}

func strip(s string) string { return strings.TrimFunc(s, isSpace) }

func isDecimal(c rune) bool { return unicode.Is(unicode.Nd, c) }

func inRanges(c rune, ranges [][2]rune) bool {
	i := sort.Search(len(ranges), func(i int) bool { return ranges[i][1] >= c })
	return i < len(ranges) && ranges[i][0] <= c
}

func isDigit(c rune) bool { return isDecimal(c) || inRanges(c, digitRanges) }

func isNumeric(c rune) bool {
	return unicode.In(c, unicode.Nd, unicode.Nl, unicode.No) || inRanges(c, numericRanges)
}

func isAlnum(c rune) bool { return unicode.IsLetter(c) || isNumeric(c) }

// isWord is \w of Python's regular expressions.
func isWord(c rune) bool { return c == '_' || isAlnum(c) }

func isLower(c rune) bool { return unicode.IsLower(c) || inRanges(c, otherLower) }

func isUpper(c rune) bool { return unicode.IsUpper(c) || unicode.Is(unicode.Other_Uppercase, c) }

func isCased(c rune) bool { return isLower(c) || isUpper(c) || unicode.IsTitle(c) }

// isPrintable says whether repr() leaves a character as it is.
func isPrintable(c rune) bool { return unicode.IsPrint(c) }

// asciiDigits writes decimal digits of other scripts in ASCII, as int() and float() read them.
func asciiDigits(s string) string {
	if isASCII(s) {
		return s
	}
	return strings.Map(func(c rune) rune {
		if c >= utf8.RuneSelf && isDecimal(c) {
			zero := c
			for zero > 0 && isDecimal(zero-1) && c-zero < 9 {
				zero--
			}
			// The digits of a script stand in tens; those of mathematics, several tens in a row, begin at U+1D7CE.
			if c >= 0x1d7ce && c <= 0x1d7ff {
				zero = 0x1d7ce + (c-0x1d7ce)/10*10
			}
			return '0' + c - zero
		}
		return c
	}, s)
}

func upperRune(b *strings.Builder, c rune) {
	if long, ok := upperLong[c]; ok {
		b.WriteString(long)
		return
	}
	b.WriteRune(unicode.ToUpper(c))
}

func titleRune(b *strings.Builder, c rune) {
	if long, ok := titleLong[c]; ok {
		b.WriteString(long)
		return
	}
	b.WriteRune(unicode.ToTitle(c))
}

// lowerRune writes the lower case of the character c that stands at s[i:].
func lowerRune(b *strings.Builder, s string, i int, c rune) {
	switch c {
	case 'Σ':
		if finalSigma(s, i) {
			b.WriteRune('ς')
			return
		}
		b.WriteRune('σ')
	case 'İ':
		b.WriteString("i̇")
	default:
		b.WriteRune(unicode.ToLower(c))
	}
}

// finalSigma says whether the sigma at s[i:] ends a word, which gives it another lower case.
func finalSigma(s string, i int) bool {
	before := strings.TrimRightFunc(s[:i], caseIgnorable)
	last, _ := utf8.DecodeLastRuneInString(before)
	if before == "" || !isCased(last) {
		return false
	}
	behind := strings.TrimLeftFunc(s[i+len("Σ"):], caseIgnorable)
	next, _ := utf8.DecodeRuneInString(behind)
	return behind == "" || !isCased(next)
}

func caseIgnorable(c rune) bool {
	switch c {
	case '\'', '.', ':', '^', '`', '·', '’', '‘', '․', '‧', '︓', '﹒', '﹕', '＇', '．', '：', 0xa8, 0xad, 0xaf, 0xb4, 0xb8, 0x387, 0x55f, 0x5f4:
		return true
	}
	return unicode.In(c, unicode.Mn, unicode.Me, unicode.Cf, unicode.Lm, unicode.Sk)
}

func lower(s string) string {
	if isASCII(s) {
		return strings.ToLower(s)
	}
	var b strings.Builder
	for i, c := range s {
		lowerRune(&b, s, i, c)
	}
	return b.String()
}

func upper(s string) string {
	if isASCII(s) {
		return strings.ToUpper(s)
	}
	var b strings.Builder
	for _, c := range s {
		upperRune(&b, c)
	}
	return b.String()
}

func casefold(s string) string {
	if isASCII(s) {
		return strings.ToLower(s)
	}
	var b strings.Builder
	for _, c := range s {
		if other, ok := foldOther[c]; ok {
			b.WriteString(other)
		} else if c == 'İ' {
			b.WriteString("i̇")
		} else {
			b.WriteRune(unicode.ToLower(c))
		}
	}
	return b.String()
}

func swapcase(s string) string {
	var b strings.Builder
	for i, c := range s {
		switch {
		case isUpper(c):
			lowerRune(&b, s, i, c)
		case isLower(c):
			upperRune(&b, c)
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}

// capitalize writes the first character in title case and the others in lower case.
func capitalize(s string) string {
	var b strings.Builder
	for i, c := range s {
		if i == 0 {
			titleRune(&b, c)
		} else {
			lowerRune(&b, s, i, c)
		}
	}
	return b.String()
}

// title is str.title(): a letter behind another letter is lower case, any other is title case.
func title(s string) string {
	var b strings.Builder
	cased := false
	for i, c := range s {
		if cased {
			lowerRune(&b, s, i, c)
		} else {
			titleRune(&b, c)
		}
		cased = isCased(c)
	}
	return b.String()
}

// isIdentifier is str.isidentifier().
func isIdentifier(s string) bool {
	for i, c := range s {
		starts := c == '_' || unicode.IsLetter(c) || unicode.In(c, unicode.Nl, unicode.Other_ID_Start)
		switch {
		case i == 0 && (!starts || inRanges(c, noStarts)), !starts && !identifierPart(c), inRanges(c, noParts):
			return false
		}
	}
	return s != ""
}

func identifierPart(c rune) bool {
	return unicode.In(c, unicode.Mn, unicode.Mc, unicode.Nd, unicode.Pc, unicode.Other_ID_Continue)
}
