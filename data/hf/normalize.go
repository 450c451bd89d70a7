package hf

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Normalizer alters text before anything else looks at it, step by step. The zero Normalizer leaves it as it is.
type Normalizer struct {
	steps    []func(text []byte) []byte
	raw      json.RawMessage
	charsmap *Charsmap // of the last Precompiled step
}

// Apply returns the normalized text, which may share memory with text; text itself is not written.
func (n Normalizer) Apply(text []byte) []byte {
	for _, step := range n.steps {
		text = step(text)
	}
	return text
}

// Identity reports whether n leaves every text as it is.
func (n Normalizer) Identity() bool { return len(n.steps) == 0 }

// Charsmap returns the map of a Precompiled step, nil if there is none.
func (n Normalizer) Charsmap() *Charsmap { return n.charsmap }

// AppendJSON appends the normalizer of tokenizer.json, null for none.
func (n Normalizer) AppendJSON(dst []byte) []byte {
	if len(n.raw) == 0 {
		return append(dst, "null"...)
	}
	return append(dst, n.raw...)
}

// maxNesting is how deep Sequences may lie in each other.
const maxNesting = 8

// ParseNormalizer reads the normalizer of a tokenizer.json: null, a step, or a Sequence of steps. The steps are NFC, NFD,
// NFKC, NFKD, Lowercase, StripAccents, Strip, Replace, Prepend, Nmt and Precompiled, each by the version of Unicode that
// tokenizers has it by (unicode_table.go).
func ParseNormalizer(raw json.RawMessage) (Normalizer, error) {
	if IsNull(raw) {
		return Normalizer{}, nil
	}
	n := Normalizer{raw: raw}
	return n, n.parse(raw, 0)
}

func (n *Normalizer) parse(raw json.RawMessage, depth int) error {
	var s struct {
		Type        string            `json:"type"`
		Normalizers []json.RawMessage `json:"normalizers"`
		Left        *bool             `json:"strip_left"`
		Right       *bool             `json:"strip_right"`
		Pattern     PatternJSON       `json:"pattern"`
		Content     string            `json:"content"`
		Prepend     string            `json:"prepend"`
		Charsmap    []byte            `json:"precompiled_charsmap"` // base64
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		return keyed(jsonFault(err), "normalizer")
	}
	add := func(step func([]byte) []byte) error {
		n.steps = append(n.steps, step)
		return nil
	}
	switch s.Type {
	case "Sequence":
		if depth == maxNesting {
			return Faultf("normalizer", "Sequences lie more than %d deep in each other", maxNesting)
		}
		for _, inner := range s.Normalizers {
			if err := n.parse(inner, depth+1); err != nil {
				return err
			}
		}
		return nil
	case "NFC", "NFD", "NFKC", "NFKD":
		return add(forms[s.Type].apply)
	case "Lowercase":
		return add(lowercase)
	case "StripAccents":
		return add(stripAccents)
	case "Nmt":
		return add(nmt)
	case "Strip":
		left, right := s.Left == nil || *s.Left, s.Right == nil || *s.Right
		return add(func(text []byte) []byte { return strip(text, left, right) })
	case "Prepend":
		return add(func(text []byte) []byte { return prepend(text, s.Prepend) })
	case "Replace":
		replace, err := s.Pattern.replacer(s.Content)
		if err != nil {
			return keyed(err, "normalizer.pattern")
		}
		return add(replace)
	case "Precompiled":
		if len(s.Charsmap) == 0 {
			return nil
		}
		m, err := ParseCharsmap(s.Charsmap)
		if err != nil {
			return keyed(err, "normalizer.precompiled_charsmap")
		}
		n.charsmap = m
		return add(m.ByGraphemes)
	}
	return &UnsupportedError{What: "normalizer", Value: s.Type,
		Cure: "known are Sequence, NFC, NFD, NFKC, NFKD, Lowercase, StripAccents, Strip, Replace, Prepend, Nmt and Precompiled"}
}

// lowercase maps each character by itself, as Rust's char::to_lowercase does.
func lowercase(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		switch {
		case r == utf8.RuneError && size == 1:
			out = append(out, text[0])
		case r == 'İ':
			out = append(out, "i\u0307"...)
		default:
			lower, ok := laterLower[r]
			if !ok {
				lower = unicode.ToLower(r)
			}
			out = utf8.AppendRune(out, lower)
		}
		text = text[size:]
	}
	return out
}

// stripAccents drops all marks.
func stripAccents(text []byte) []byte {
	return keepRunes(text, func(r rune) rune {
		if unicode.Is(accents, r) {
			return -1
		}
		return r
	})
}

// nmt drops control characters and turns all white space into spaces, as tokenizers' Nmt does.
func nmt(text []byte) []byte {
	return keepRunes(text, func(r rune) rune {
		switch {
		case r >= 1 && r <= 8, r == 0x0B, r >= 0x0E && r <= 0x1F, r == 0x7F, r == 0x8F, r == 0x9F:
			return -1
		case r == '\t', r == '\n', r == '\f', r == '\r', r == 0x1680, r >= 0x200B && r <= 0x200F, r == 0x2028, r == 0x2029,
			r == 0x2581, r == 0xFEFF, r == 0xFFFD:
			return ' '
		}
		return r
	})
}

// keepRunes maps each character, dropping those that become negative; bytes that are no UTF-8 stay.
func keepRunes(text []byte, f func(rune) rune) []byte {
	out := make([]byte, 0, len(text))
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		if r == utf8.RuneError && size == 1 {
			out = append(out, text[0])
		} else if r = f(r); r >= 0 {
			out = utf8.AppendRune(out, r)
		}
		text = text[size:]
	}
	return out
}

func strip(text []byte, left, right bool) []byte {
	if left {
		text = bytes.TrimLeftFunc(text, unicode.IsSpace)
	}
	if right {
		text = bytes.TrimRightFunc(text, unicode.IsSpace)
	}
	return text
}

// prepend puts prefix before any text that is not empty.
func prepend(text []byte, prefix string) []byte {
	if len(text) == 0 {
		return text
	}
	out := make([]byte, 0, len(prefix)+len(text))
	return append(append(out, prefix...), text...)
}

// A PatternJSON is what a Replace or a Split looks for: {"String": …} or {"Regex": …}.
type PatternJSON struct {
	Regex  *string
	String *string
}

// Text returns the pattern as it is written.
func (p PatternJSON) Text() string {
	switch {
	case p.Regex != nil:
		return *p.Regex
	case p.String != nil:
		return *p.String
	}
	return ""
}

// replacer returns the step that puts content in the place of each match.
func (p PatternJSON) replacer(content string) (func([]byte) []byte, error) {
	if p.String != nil && *p.String != "" {
		old, new := []byte(*p.String), []byte(content)
		return func(text []byte) []byte {
			if !bytes.Contains(text, old) {
				return text
			}
			return bytes.ReplaceAll(text, old, new)
		}, nil
	}
	if p.Regex == nil {
		return nil, Faultf("", "neither String nor Regex")
	}
	re, err := CompileRegex(*p.Regex)
	if err != nil {
		return nil, err
	}
	return func(text []byte) []byte {
		var out []byte
		done := 0
		for _, m := range re.FindAll(text) {
			out = append(append(out, text[done:m[0]]...), content...)
			done = m[1]
		}
		if done == 0 && out == nil {
			return text
		}
		return append(out, text[done:]...)
	}, nil
}

// keyed puts key before the key of an error that this package made.
func keyed(err error, key string) error {
	if f, ok := err.(*FormatError); ok {
		f.Key, f.Offset = strings.TrimSuffix(key+"."+f.Key, "."), -1
	}
	return err
}
