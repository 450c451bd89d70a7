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
	steps    []func(Text) Text
	raw      json.RawMessage
	charsmap *Charsmap // of the last Precompiled step
}

// Apply returns the normalized text, which may share memory with text; text itself is not written.
func (n Normalizer) Apply(text []byte) []byte { return n.ApplyTo(NewText(text)).Bytes }

// ApplyTo is Apply for a text that may know where it comes from.
func (n Normalizer) ApplyTo(t Text) Text {
	for _, step := range n.steps {
		t = step(t)
	}
	return t
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

// ParseNormalizer reads the normalizer of a tokenizer.json: null, a step, or a Sequence of steps. The steps are all that
// tokenizers has, each by the version of Unicode that it has it by (unicode_table.go).
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
		bertJSON
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		return keyed(jsonFault(err), "normalizer")
	}
	add := func(step func(Text) Text) error {
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
		return add(without(accents))
	case "Nmt":
		return add(mapRunes(nmt))
	case "Strip":
		left, right := s.Left == nil || *s.Left, s.Right == nil || *s.Right
		return add(func(t Text) Text { return strip(t, left, right) })
	case "Prepend":
		return add(func(t Text) Text { return prepend(t, s.Prepend) })
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
		return add(m.byGraphemes)
	case "ByteLevel":
		return add(spellText)
	case "BertNormalizer":
		n.steps = append(n.steps, s.steps()...)
		return nil
	}
	return &UnsupportedError{What: "normalizer", Value: s.Type,
		Cure: "known are Sequence, NFC, NFD, NFKC, NFKD, Lowercase, StripAccents, Strip, Replace, Prepend, Nmt, Precompiled, ByteLevel and BertNormalizer"}
}

// lowercase maps each character by itself, as Rust's char::to_lowercase does.
func lowercase(t Text) Text {
	return eachRune(t, func(e *Editor, r rune, size int) {
		if r == 'İ' {
			e.Swap(size, []byte("i\u0307"))
			return
		}
		lower, ok := laterLower[r]
		if !ok {
			lower = unicode.ToLower(r)
		}
		e.put(r, size, lower)
	})
}

// put puts a character in the place of the next one, which is old and has size bytes; a negative one leaves it out.
func (e *Editor) put(old rune, size int, r rune) {
	switch {
	case r == old:
		e.Keep(size)
	case r < 0:
		e.Drop(size)
	default:
		var buf [utf8.UTFMax]byte
		e.Replace(size, utf8.AppendRune(buf[:0], r))
	}
}

// eachRune edits a text character by character; bytes that are no UTF-8 stay.
func eachRune(t Text, change func(e *Editor, r rune, size int)) Text {
	e := NewEditor(t)
	for e.at < len(t.Bytes) {
		r, size := utf8.DecodeRune(t.Bytes[e.at:])
		if r == utf8.RuneError && size == 1 {
			e.Keep(1)
		} else {
			change(e, r, size)
		}
	}
	return e.Done()
}

// mapRunes maps each character, dropping those that become negative.
func mapRunes(f func(rune) rune) func(Text) Text {
	return func(t Text) Text {
		return eachRune(t, func(e *Editor, r rune, size int) { e.put(r, size, f(r)) })
	}
}

// without drops the characters of a table.
func without(table *unicode.RangeTable) func(Text) Text {
	return mapRunes(func(r rune) rune {
		if unicode.Is(table, r) {
			return -1
		}
		return r
	})
}

// nmt drops control characters and turns all white space into spaces, as tokenizers' Nmt does.
func nmt(r rune) rune {
	switch {
	case r >= 1 && r <= 8, r == 0x0B, r >= 0x0E && r <= 0x1F, r == 0x7F, r == 0x8F, r == 0x9F:
		return -1
	case r == '\t', r == '\n', r == '\f', r == '\r', r == 0x1680, r >= 0x200B && r <= 0x200F, r == 0x2028, r == 0x2029,
		r == 0x2581, r == 0xFEFF, r == 0xFFFD:
		return ' '
	}
	return r
}

func strip(t Text, left, right bool) Text {
	begin, end := 0, len(t.Bytes)
	if left {
		begin = end - len(bytes.TrimLeftFunc(t.Bytes, unicode.IsSpace))
	}
	if right && begin < end {
		end = begin + len(bytes.TrimRightFunc(t.Bytes[begin:], unicode.IsSpace))
	}
	return t.Slice(begin, end)
}

// prepend puts prefix before any text that is not empty.
func prepend(t Text, prefix string) Text {
	if len(t.Bytes) == 0 || prefix == "" {
		return t
	}
	e := NewEditor(t)
	e.Replace(0, []byte(prefix))
	return e.Done()
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
func (p PatternJSON) replacer(content string) (func(Text) Text, error) {
	if p.String != nil && *p.String != "" {
		old, text := []byte(*p.String), []byte(content)
		return func(t Text) Text { return t.replaceAll(old, text) }, nil
	}
	find, err := p.finder()
	if err != nil {
		return nil, err
	}
	text := []byte(content)
	return func(t Text) Text {
		matches := find(t.Bytes)
		if len(matches) == 0 {
			return t
		}
		e := NewEditor(t)
		for _, m := range matches {
			e.Keep(m[0] - e.at)
			e.Drop(m[1] - m[0])
			e.Insert(text)
		}
		return e.Done()
	}, nil
}

// A matcher returns what a pattern matches in a text, one behind the other.
type matcher func(text []byte) [][2]int

// finder returns the matches of a pattern. A String that is empty matches as the empty expression does.
func (p PatternJSON) finder() (matcher, error) {
	if p.String != nil && *p.String != "" {
		return substrings(*p.String), nil
	}
	if p.Regex == nil && p.String == nil {
		return nil, Faultf("", "neither String nor Regex")
	}
	re, err := CompileRegex(p.Text())
	if err != nil {
		return nil, err
	}
	return func(text []byte) [][2]int {
		if len(text) == 0 {
			return nil // tokenizers looks for nothing in it
		}
		return re.FindAll(text)
	}, nil
}

// substrings finds a text.
func substrings(part string) matcher {
	return func(text []byte) [][2]int {
		var spans [][2]int
		for at := 0; ; at += len(part) {
			next := bytes.Index(text[at:], []byte(part))
			if next < 0 {
				return spans
			}
			at += next
			spans = append(spans, [2]int{at, at + len(part)})
		}
	}
}

// keyed puts key before the key of an error that this package made.
func keyed(err error, key string) error {
	if f, ok := err.(*FormatError); ok {
		f.Key, f.Offset = strings.TrimSuffix(key+"."+f.Key, "."), -1
	}
	return err
}
