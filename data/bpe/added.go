package bpe

import (
	"bytes"
	"sort"
	"unicode"
	"unicode/utf8"
)

// A segmenter cuts text at added tokens: first at those that are not normalized, in the text between them at those that
// are. At each place the longest token wins, as in tokenizers.
type segmenter [2]finder

func newSegmenter(tokens []AddedToken) segmenter {
	var byPass [2][]AddedToken
	for _, a := range tokens {
		pass := 0
		if a.Normalized {
			pass = 1
		}
		byPass[pass] = append(byPass[pass], a)
	}
	return segmenter{newFinder(byPass[0]), newFinder(byPass[1])}
}

// A finder finds tokens by their first byte.
type finder struct {
	byFirst map[byte][]AddedToken // longest first
	only    int                   // the first byte if all share it, else -1
	first   [256]bool
}

func newFinder(tokens []AddedToken) finder {
	f := finder{byFirst: map[byte][]AddedToken{}, only: -1}
	for _, a := range tokens {
		b := a.Content[0]
		f.byFirst[b] = append(f.byFirst[b], a)
		f.first[b] = true
		f.only = int(b)
	}
	if len(f.byFirst) > 1 {
		f.only = -1
	}
	for _, list := range f.byFirst {
		sort.SliceStable(list, func(i, j int) bool { return len(list[i].Content) > len(list[j].Content) })
	}
	return f
}

// candidate returns the first position from i on at which a token may start, or len(text).
func (f *finder) candidate(text []byte, i int) int {
	if f.only >= 0 {
		if at := bytes.IndexByte(text[i:], byte(f.only)); at >= 0 {
			return i + at
		}
		return len(text)
	}
	for i < len(text) && !f.first[text[i]] {
		i++
	}
	return i
}

// at returns the longest token that text has at i.
func (f *finder) at(text []byte, i int) (AddedToken, bool) {
	for _, a := range f.byFirst[text[i]] {
		if len(a.Content) <= len(text)-i && string(text[i:i+len(a.Content)]) == a.Content {
			return a, true
		}
	}
	return AddedToken{}, false
}

// segments calls plain for each stretch of text between added tokens, with dst, and appends the ids of the tokens.
// With token it calls that for the ids instead.
func (s *segmenter) segments(text []byte, pass int, dst []int32, plain func([]int32, []byte) []int32, token ...func(int32)) []int32 {
	if pass == len(s) {
		if len(text) == 0 {
			return dst
		}
		return plain(dst, text)
	}
	f := &s[pass]
	if len(f.byFirst) == 0 {
		return s.segments(text, pass+1, dst, plain, token...)
	}
	done := 0
	for i := f.candidate(text, 0); i < len(text); i = f.candidate(text, i) {
		a, ok := f.at(text, i)
		if !ok {
			i++
			continue
		}
		start, end := i, i+len(a.Content)
		i = end
		if a.SingleWord && (endsInWord(text[:start]) || startsWithWord(text[end:])) {
			continue
		}
		if a.LStrip {
			start = max(done, len(bytes.TrimRightFunc(text[:start], unicode.IsSpace)))
		}
		if a.RStrip {
			end = len(text) - len(bytes.TrimLeftFunc(text[end:], unicode.IsSpace))
			i = end
		}
		dst = s.segments(text[done:start], pass+1, dst, plain, token...)
		if len(token) > 0 {
			token[0](a.ID)
		} else {
			dst = append(dst, a.ID)
		}
		done = end
	}
	return s.segments(text[done:], pass+1, dst, plain, token...)
}

func endsInWord(text []byte) bool {
	r, _ := utf8.DecodeLastRune(text)
	return isWord(r)
}

func startsWithWord(text []byte) bool {
	r, _ := utf8.DecodeRune(text)
	return isWord(r)
}

// isWord is \w of Unicode Technical Standard 18.
func isWord(r rune) bool {
	return unicode.In(r, unicode.L, unicode.M, unicode.Nd, unicode.Nl, unicode.Pc, unicode.Other_Alphabetic, unicode.Join_Control)
}
