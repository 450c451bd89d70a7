package bpe

import (
	"encoding/json"
	"strings"
	"unicode/utf8"

	"gotrain/data/hf"
)

// A Sequence cuts text into pre-tokens by several steps, each of which cuts what the one before it left: the
// pre_tokenizers of tokenizer.json that are no single Pattern. The steps are Split, Digits, Punctuation and ByteLevel.
type Sequence struct {
	raw   json.RawMessage
	steps []sequenceStep
}

// A sequenceStep calls yield for the parts of a piece of text in order.
type sequenceStep func(text []byte, yield func([]byte))

// ParseSequence reads the pre_tokenizer of a tokenizer.json, which must spell bytes as ByteLevel does.
func ParseSequence(raw json.RawMessage) (*Sequence, error) {
	list, err := steps(raw, "pre_tokenizer")
	if err != nil {
		return nil, err
	}
	s := &Sequence{raw: raw}
	spelled := false
	for i, st := range list {
		cut, err := st.cutter()
		if err != nil {
			return nil, err
		}
		s.steps = append(s.steps, cut)
		if st.Type != "ByteLevel" {
			continue
		}
		if spelled {
			return nil, unsupportedSplit(list, "ByteLevel may come once")
		}
		if spelled = true; i < len(list)-1 {
			s.steps = append(s.steps, spell)
		}
	}
	if !spelled {
		return nil, unsupportedSplit(list, "only byte-level tokenizers are supported: one of the pre-tokenizers must be ByteLevel")
	}
	if list[len(list)-1].Type != "ByteLevel" {
		s.steps = append(s.steps, unspell)
	}
	return s, nil
}

// cut calls yield for each pre-token of text.
func (s *Sequence) cut(text []byte, yield func([]byte)) { cutBy(s.steps, text, yield) }

func cutBy(steps []sequenceStep, text []byte, yield func([]byte)) {
	switch {
	case len(text) == 0:
	case len(steps) == 0:
		yield(text)
	default:
		steps[0](text, func(part []byte) { cutBy(steps[1:], part, yield) })
	}
}

// cutter makes the step that a pre-tokenizer describes.
func (s step) cutter() (sequenceStep, error) {
	switch s.Type {
	case "ByteLevel":
		return byteLevel(s.AddPrefixSpace, s.UseRegex == nil || *s.UseRegex), nil
	case "Digits":
		behavior := "Contiguous"
		if s.IndividualDigits {
			behavior = "Isolated"
		}
		return splitAt(runes(func(r rune) bool { return numberClasses()[r]&inNumber != 0 }), behavior, false)
	case "Punctuation":
		behavior := s.Behavior
		if behavior == "" {
			behavior = "Isolated"
		}
		return splitAt(runes(hf.IsPunctuation), behavior, false)
	case "Split":
		find, err := s.finder()
		if err != nil {
			return nil, err
		}
		return splitAt(find, s.Behavior, s.Invert)
	}
	return nil, &UnsupportedError{What: "pre_tokenizer", Value: s.Type, Cure: "byte-level tokenizers may have Split, Digits, Punctuation, ByteLevel and Sequences of them"}
}

// A matcher returns what a Split looks for in text: spans one behind the other.
type matcher func(text []byte) [][2]int

// finder returns the matcher of a Split: a scanner where its expression is that of a Pattern, else package regexp.
func (s step) finder() (matcher, error) {
	if s.Pattern.String != nil {
		return substrings(*s.Pattern.String), nil
	}
	regex := s.Pattern.Text()
	if p, ok := patternOfRegex(regex); ok {
		split := newSplitter(p)
		return func(text []byte) [][2]int {
			var spans [][2]int
			for i := 0; i < len(text); {
				end := split.next(text, i)
				spans = append(spans, [2]int{i, end})
				i = end
			}
			return spans
		}, nil
	}
	re, err := hf.CompileRegex(regex)
	if err != nil {
		return nil, err
	}
	return re.FindAll, nil
}

func substrings(part string) matcher {
	return func(text []byte) [][2]int {
		var spans [][2]int
		for i := 0; part != "" && i+len(part) <= len(text); {
			if string(text[i:i+len(part)]) == part {
				spans = append(spans, [2]int{i, i + len(part)})
				i += len(part)
			} else {
				i++
			}
		}
		return spans
	}
}

// runes matches each character of a class by itself.
func runes(in func(rune) bool) matcher {
	return func(text []byte) [][2]int {
		var spans [][2]int
		for i := 0; i < len(text); {
			r, size := utf8.DecodeRune(text[i:])
			if in(r) {
				spans = append(spans, [2]int{i, i + size})
			}
			i += size
		}
		return spans
	}
}

// A span is a part of a text that matches or lies between matches.
type span struct {
	start, end int
	match      bool
}

// splitAt cuts text at matches in the way that behavior names; invert swaps matches and what lies between.
func splitAt(find matcher, behavior string, invert bool) (sequenceStep, error) {
	var join func([]span) []span
	switch behavior {
	case "Isolated":
		join = func(spans []span) []span { return spans }
	case "Removed":
		join = removed
	case "MergedWithPrevious":
		join = mergedWithPrevious
	case "MergedWithNext":
		join = mergedWithNext
	case "Contiguous":
		join = contiguous
	default:
		return nil, &UnsupportedError{What: "pre_tokenizer.behavior", Value: behavior,
			Cure: "known are Isolated, Removed, MergedWithPrevious, MergedWithNext and Contiguous"}
	}
	return func(text []byte, yield func([]byte)) {
		for _, s := range join(cover(find(text), len(text), invert)) {
			yield(text[s.start:s.end])
		}
	}, nil
}

// cover lists matches and what lies between them.
func cover(matches [][2]int, n int, invert bool) []span {
	var spans []span
	done := 0
	for _, m := range matches {
		if m[0] > done {
			spans = append(spans, span{done, m[0], invert})
		}
		spans = append(spans, span{m[0], m[1], !invert})
		done = m[1]
	}
	if done < n {
		spans = append(spans, span{done, n, invert})
	}
	return spans
}

func removed(spans []span) []span {
	var out []span
	for _, s := range spans {
		if !s.match {
			out = append(out, s)
		}
	}
	return out
}

// mergedWithPrevious joins a match to what precedes it, unless that is a match.
func mergedWithPrevious(spans []span) []span {
	var out []span
	before := false
	for _, s := range spans {
		if s.match && !before && len(out) > 0 {
			out[len(out)-1].end = s.end
		} else {
			out = append(out, s)
		}
		before = s.match
	}
	return out
}

// mergedWithNext joins a match to what follows it, unless that is a match.
func mergedWithNext(spans []span) []span {
	out := make([]span, len(spans))
	at, behind := len(spans), false
	for i := len(spans) - 1; i >= 0; i-- {
		s := spans[i]
		if s.match && !behind && at < len(spans) {
			out[at].start = s.start
		} else {
			at--
			out[at] = s
		}
		behind = s.match
	}
	return out[at:]
}

// contiguous joins matches that touch.
func contiguous(spans []span) []span {
	var out []span
	before := false
	for _, s := range spans {
		if s.match == before && len(out) > 0 {
			out[len(out)-1].end = s.end
		} else {
			out = append(out, s)
		}
		before = s.match
	}
	return out
}

// byteLevel adds a space before text that has none, and cuts by the pattern of GPT-2, where it is told to.
func byteLevel(prefix, regex bool) sequenceStep {
	split := newSplitter(GPT2)
	return func(text []byte, yield func([]byte)) {
		if prefix && text[0] != ' ' {
			text = append([]byte{' '}, text...)
		}
		if !regex {
			yield(text)
			return
		}
		for i := 0; i < len(text); {
			end := split.next(text, i)
			yield(text[i:end])
			i = end
		}
	}
}

// spell writes bytes in the byte alphabet for the steps behind ByteLevel, unspell reads it.
func spell(text []byte, yield func([]byte)) { yield(appendChars(nil, string(text))) }

func unspell(text []byte, yield func([]byte)) {
	if token, ok := bytesOfChars(string(text)); ok {
		yield([]byte(token))
	}
}

// unsupportedSplit names the steps of a pre_tokenizer.
func unsupportedSplit(list []step, cure string) error {
	var names []string
	for _, s := range list {
		names = append(names, strings.TrimSuffix(s.Type+" "+s.Pattern.Text(), " "))
	}
	return &UnsupportedError{What: "pre_tokenizer", Value: strings.Join(names, ", "), Cure: cure}
}
