package spm

import (
	"bytes"
	"strings"

	"gotrain/data/hf"
)

// unescape turns ▁ into spaces.
func unescape(text string) string { return strings.ReplaceAll(text, space, " ") }

// normalize prepares text as sentencepiece's Normalizer does.
func (t *Tokenizer) normalize(text []byte) []byte {
	r := t.cfg.Rules
	next := func() (replacement []byte, size int) {
		if size := t.defined.longest(text); size > 0 {
			return text[:size], size
		}
		return r.Charsmap.Next(text)
	}
	for r.RemoveExtraSpace && len(text) > 0 {
		replacement, size := next()
		if len(replacement) != 1 || replacement[0] != ' ' {
			break
		}
		text = text[size:]
	}
	if len(text) == 0 {
		return nil
	}
	escaped := space
	if r.KeepSpaces {
		escaped = " "
	}
	out := make([]byte, 0, len(text)+len(text)/4+len(space))
	if r.DummyPrefix {
		out = append(out, escaped...)
	}
	afterSpace := r.RemoveExtraSpace
	for len(text) > 0 {
		replacement, size := next()
		text = text[size:]
		for afterSpace && len(replacement) > 0 && replacement[0] == ' ' {
			replacement = replacement[1:]
		}
		if len(replacement) == 0 {
			continue
		}
		for _, b := range replacement {
			if b == ' ' {
				out = append(out, escaped...)
			} else {
				out = append(out, b)
			}
		}
		afterSpace = r.RemoveExtraSpace && replacement[len(replacement)-1] == ' '
	}
	for r.RemoveExtraSpace && bytes.HasSuffix(out, []byte(escaped)) {
		out = out[:len(out)-len(escaped)]
	}
	return out
}

// A matcher finds the user-defined pieces of sentencepiece.
type matcher struct{ byFirst map[byte][]string }

func (m *matcher) init(c *Config) error {
	if c.Rules == nil {
		return nil
	}
	for id, p := range c.Pieces {
		if p.Type != UserDefined {
			continue
		}
		if p.Text == "" {
			return hf.Faultf("Pieces", "piece %d is user-defined and empty", id)
		}
		if m.byFirst == nil {
			m.byFirst = map[byte][]string{}
		}
		m.byFirst[p.Text[0]] = append(m.byFirst[p.Text[0]], p.Text)
	}
	return nil
}

// longest returns the length of the longest piece that text begins with, 0 for none.
func (m *matcher) longest(text []byte) int {
	if m.byFirst == nil {
		return 0
	}
	size := 0
	for _, piece := range m.byFirst[text[0]] {
		if len(piece) > size && len(piece) <= len(text) && string(text[:len(piece)]) == piece {
			size = len(piece)
		}
	}
	return size
}
