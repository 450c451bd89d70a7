package spm

import (
	"bytes"
	"strings"

	"example.com/gotrain/data/hf"
)

var spaceByte = []byte(" ")

// unescape turns ▁ into spaces.
func unescape(text string) string { return strings.ReplaceAll(text, space, " ") }

// normalize prepares text as sentencepiece's Normalizer does.
func (t *Tokenizer) normalize(from hf.Text) hf.Text {
	r := t.cfg.Rules
	text := from.Bytes
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
		return from.Slice(len(from.Bytes), len(from.Bytes))
	}
	escaped := []byte(space)
	if r.KeepSpaces {
		escaped = []byte(" ")
	}
	e := hf.NewEditor(from.Slice(len(from.Bytes)-len(text), len(from.Bytes)))
	if r.DummyPrefix {
		e.Replace(0, escaped)
	}
	afterSpace := r.RemoveExtraSpace
	same := 0 // bytes that stay and have not been kept yet
	for len(text) > 0 {
		replacement, size := next()
		stays := len(replacement) == size && &replacement[0] == &text[0] && replacement[0] != ' '
		text = text[size:]
		if stays {
			same += size
			afterSpace = false
			continue
		}
		e.Keep(same)
		same = 0
		for afterSpace && len(replacement) > 0 && replacement[0] == ' ' {
			replacement = replacement[1:]
		}
		switch {
		case len(replacement) == 0:
			e.Drop(size)
			continue
		case len(replacement) == 1 && replacement[0] == ' ':
			e.Replace(size, escaped)
		case bytes.IndexByte(replacement, ' ') < 0:
			e.Replace(size, replacement)
		default:
			e.Replace(size, bytes.ReplaceAll(replacement, spaceByte, escaped))
		}
		afterSpace = r.RemoveExtraSpace && replacement[len(replacement)-1] == ' '
	}
	done := e.Done()
	for r.RemoveExtraSpace && bytes.HasSuffix(done.Bytes, escaped) {
		done = done.Slice(0, len(done.Bytes)-len(escaped))
	}
	return done
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
