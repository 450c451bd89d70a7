package hf

import (
	"bytes"
	"unicode/utf8"
)

// A Span is the bytes [Begin, End) of a text.
type Span struct{ Begin, End int }

// A Text is a stretch of a text on its way to the model: normalized, cut, and with what was put in. It knows where each byte
// comes from, if it was asked to.
type Text struct {
	Bytes []byte
	lead  int    // how many of them, from the beginning on, come from the first character of the whole text
	spans []Span // for each byte what it stands for in the whole text; nil where nobody asks
}

// NewText is a whole text.
func NewText(text []byte) Text {
	_, size := utf8.DecodeRune(text)
	return Text{Bytes: text, lead: size}
}

// TracedText is a whole text that knows where its bytes come from: each from its character.
func TracedText(text []byte) Text {
	t := NewText(text)
	t.spans = make([]Span, len(text))
	for at := 0; at < len(text); {
		_, size := utf8.DecodeRune(text[at:])
		for i := range size {
			t.spans[at+i] = Span{at, at + size}
		}
		at += size
	}
	return t
}

// First tells that t begins where the whole text does.
func (t Text) First() bool { return t.lead > 0 }

// Slice returns the bytes [begin, end) of t.
func (t Text) Slice(begin, end int) Text {
	s := Text{Bytes: t.Bytes[begin:end], lead: max(t.lead-begin, 0)}
	if t.spans != nil {
		s.spans = t.spans[begin:end]
	}
	return s
}

// Traced says whether t knows where its bytes come from.
func (t Text) Traced() bool { return t.spans != nil }

// Span returns what the bytes [begin, end) of t, at least one, stand for in the whole text.
func (t Text) Span(begin, end int) Span {
	return Span{t.spans[begin].Begin, t.spans[end-1].End}
}

// An Editor makes a text of another from left to right. What it makes comes from where tokenizers says that it does: what
// replaces a character from that, what is put in from the character before it.
type Editor struct {
	in    Text
	at    int // what of in is done
	bytes []byte
	spans []Span
	lead  int  // of what is made
	moved bool // something was made that does not come from the first character
	swept int  // what Swap left out before anything was made, which tokenizers does not notice
}

// NewEditor edits t, with room for about as much.
func NewEditor(t Text) *Editor {
	e := &Editor{in: t, bytes: make([]byte, 0, len(t.Bytes)+len(t.Bytes)/8+8)}
	if t.spans != nil {
		e.spans = make([]Span, 0, cap(e.bytes))
	}
	return e
}

// Keep takes n bytes over.
func (e *Editor) Keep(n int) {
	if !e.moved {
		e.leads(n, e.in.lead-(e.at-e.swept))
	}
	e.bytes = append(e.bytes, e.in.Bytes[e.at:e.at+n]...)
	if e.in.spans != nil {
		e.spans = append(e.spans, e.in.spans[e.at:e.at+n]...)
	}
	e.at += n
}

// Drop leaves n bytes out.
func (e *Editor) Drop(n int) { e.at += n }

// Replace puts text, not empty, in the place of the next n bytes.
func (e *Editor) Replace(n int, text []byte) {
	if !e.moved {
		lead := 0
		if e.at-e.swept < e.in.lead {
			lead = len(text)
		}
		e.leads(len(text), lead)
	}
	e.bytes = append(e.bytes, text...)
	if e.in.spans != nil {
		for range text {
			e.spans = append(e.spans, e.in.spans[e.at])
		}
	}
	e.at += n
}

// Insert puts text in; it comes from what is before it.
func (e *Editor) Insert(text []byte) {
	if !e.moved {
		lead := 0
		if e.at-e.swept <= e.in.lead {
			lead = len(text)
		}
		e.leads(len(text), lead)
	}
	e.bytes = append(e.bytes, text...)
	if e.in.spans != nil {
		var from Span
		if e.at > 0 {
			from = e.in.spans[e.at-1]
		}
		for range text {
			e.spans = append(e.spans, from)
		}
	}
}

// Swap puts text in the place of the next n bytes, character by character: those that are more are put in, those that are
// fewer left out.
func (e *Editor) Swap(n int, text []byte) {
	end := e.at + n
	if e.moved && e.in.spans == nil {
		e.bytes, e.at = append(e.bytes, text...), end
		return
	}
	if len(text) == 0 && len(e.bytes) == 0 {
		e.swept += n
	}
	for len(text) > 0 {
		_, size := utf8.DecodeRune(text)
		if e.at < end {
			_, old := utf8.DecodeRune(e.in.Bytes[e.at:end])
			e.Replace(old, text[:size])
		} else {
			e.Insert(text[:size])
		}
		text = text[size:]
	}
	e.at = end
}

// Done takes the rest over and returns what was made.
func (e *Editor) Done() Text {
	e.Keep(len(e.in.Bytes) - e.at)
	return Text{Bytes: e.bytes, lead: e.lead, spans: e.spans}
}

// replaceAll puts content in the place of each old, not empty.
func (t Text) replaceAll(old, content []byte) Text {
	first := bytes.Index(t.Bytes, old)
	switch {
	case first < 0:
		return t
	case t.spans == nil && first >= t.lead:
		return Text{Bytes: bytes.ReplaceAll(t.Bytes, old, content), lead: t.lead}
	}
	e := NewEditor(t)
	for first >= 0 {
		e.Keep(first)
		e.Drop(len(old))
		e.Insert(content)
		first = bytes.Index(t.Bytes[e.at:], old)
	}
	return e.Done()
}

// leads counts n bytes that are made, of which the first lead come from the first character of the whole text.
func (e *Editor) leads(n, lead int) {
	lead = min(max(lead, 0), n)
	e.lead += lead
	e.moved = lead < n
}
