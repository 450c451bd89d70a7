package spm

import (
	"bytes"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"example.com/gotrain/data/hf"
)

// AppendEncode appends the ids of text to dst, without a frame. Special tokens are not recognised: text that spells one is
// ordinary text.
func (t *Tokenizer) AppendEncode(dst []int32, text []byte) []int32 {
	return t.encode(dst, text, hf.AllSpecial)
}

// AppendEncodeSpecial is AppendEncode that recognises the special tokens in allowed too, by content; all of them if
// allowed is empty. Each stretch of text between two of them is encoded as a text of its own.
func (t *Tokenizer) AppendEncodeSpecial(dst []int32, text []byte, allowed ...string) []int32 {
	return t.encode(dst, text, hf.SpecialBut(t.special, allowed))
}

// EncodeParallel is AppendEncode(nil, text). A text is not cut for several goroutines: where one begins, SentencePiece puts
// a space.
func (t *Tokenizer) EncodeParallel(text []byte, _ int) []int32 { return t.AppendEncode(nil, text) }

// EncodeBatch encodes each text as AppendEncode(nil, text) does, by n goroutines, n ≤ 0 for GOMAXPROCS.
func (t *Tokenizer) EncodeBatch(texts [][]byte, n int) [][]int32 {
	if n <= 0 {
		n = runtime.GOMAXPROCS(0)
	}
	out := make([][]int32, len(texts))
	var taken atomic.Int64
	var wg sync.WaitGroup
	for range min(n, len(texts)) {
		wg.Go(func() {
			for i := int(taken.Add(1)) - 1; i < len(texts); i = int(taken.Add(1)) - 1 {
				out[i] = t.AppendEncode(nil, texts[i])
			}
		})
	}
	wg.Wait()
	return out
}

func (t *Tokenizer) encode(dst []int32, text []byte, ordinary func(*hf.AddedToken, hf.Span) bool) []int32 {
	e := t.borrow()
	t.segments.Cut(hf.NewText(text), ordinary, func(p hf.Piece) {
		if p.ID >= 0 {
			dst = append(dst, p.ID)
			return
		}
		t.prepare(p.Text, func(word hf.Text) { dst = e.encode(dst, word.Bytes) })
	})
	t.giveBack(e)
	return dst
}

// prepare calls yield for the words of a piece of text, as the model sees them.
func (t *Tokenizer) prepare(text hf.Text, yield func(hf.Text)) {
	if t.cfg.Rules != nil {
		yield(t.normalize(text))
	} else {
		t.cfg.Hub.PreTokenizer.Cut(text, yield)
	}
}

// EncodeSpans returns the ids of text and for each of them the bytes of text that it stands for: what a normalizer put in
// stands for what it was put in beside, a byte for its character. Special tokens for which ordinary is true stay text; it is
// told where each stands.
func (t *Tokenizer) EncodeSpans(text []byte, ordinary func(*hf.AddedToken, hf.Span) bool) (ids []int32, spans []hf.Span) {
	e := t.borrow()
	e.tracing = true
	t.segments.Cut(hf.TracedText(text), ordinary, func(p hf.Piece) {
		if p.ID >= 0 {
			ids, spans = append(ids, p.ID), append(spans, p.Span)
			return
		}
		t.prepare(p.Text, func(word hf.Text) {
			e.places = e.places[:0]
			ids = e.encode(ids, word.Bytes)
			for _, at := range e.places {
				spans = append(spans, word.Span(at.Begin, at.End))
			}
		})
	})
	e.tracing = false
	t.giveBack(e)
	return ids, spans
}

// An encoder is what one goroutine needs to encode: scratch space and a cache of words.
type encoder struct {
	t *Tokenizer
	merger
	path
	cache []cached

	tracing bool      // places gets where each token comes from
	places  []hf.Span // bytes of the word that is being encoded
	base    int       // where in it the stretch begins that is
}

// place notes that the ids of dst from number from on, all of them, come from the bytes [begin, end) of the stretch.
func (e *encoder) place(dst []int32, from, begin, end int) {
	for range dst[from:] {
		e.places = append(e.places, hf.Span{Begin: e.base + begin, End: e.base + end})
	}
}

// A cached is the encoding of one word.
type cached struct {
	word [maxCached]byte
	size uint8
	n    uint8
	ids  [4]int32
}

const (
	maxCached = 30 // longest word, in bytes, that is cached
	cacheBits = 15
)

// borrow returns an encoder for one goroutine to use, warm if there is one.
func (t *Tokenizer) borrow() *encoder {
	select {
	case e := <-t.encoders:
		return e
	default:
		return &encoder{t: t, cache: make([]cached, 1<<cacheBits)}
	}
}

// giveBack keeps e for others, unless there are as many idle ones as processors.
func (t *Tokenizer) giveBack(e *encoder) {
	select {
	case t.encoders <- e:
	default:
	}
}

// encode encodes a word, or a whole text that sentencepiece's rules have prepared. Unigram sums go through the whole text
// then, since their rounding decides between segmentations that are about as likely.
func (e *encoder) encode(dst []int32, text []byte) []int32 {
	e.base = 0
	c := &e.t.cfg
	switch {
	case len(text) == 0:
		return dst
	case c.Hub != nil && (c.Algorithm == Unigram || c.Hub.IgnoreMerges || c.Hub.Continuing != "" || c.Hub.Suffix != ""):
		return e.word(dst, text)
	case c.Hub != nil:
		return e.wordByWord(dst, text)
	case c.Algorithm == Unigram:
		return e.segment(dst, text)
	}
	from, places := len(dst), len(e.places)
	dst = e.wordByWord(dst, text)
	if c.ByteFallback {
		return dst
	}
	return e.fuse(dst, from, places) // words end in it where one begins
}

// fuse makes one of each run of the unknown token in ids[from:], and in their places.
func (e *encoder) fuse(ids []int32, from, places int) []int32 {
	out := ids[:from]
	for i := from; i < len(ids); i++ {
		if ids[i] == e.t.unknown && len(out) > from && out[len(out)-1] == ids[i] {
			if e.tracing {
				e.places[places+len(out)-from-1].End = e.places[places+i-from].End
			}
			continue
		}
		if e.tracing {
			e.places[places+len(out)-from] = e.places[places+i-from]
		}
		out = append(out, ids[i])
	}
	if e.tracing {
		e.places = e.places[:places+len(out)-from]
	}
	return out
}

// wordByWord encodes text in stretches across whose ends nothing joins.
func (e *encoder) wordByWord(dst []int32, text []byte) []int32 {
	if !e.t.words {
		return e.merge(dst, text)
	}
	for len(text) > 0 {
		end := wordEnd(text)
		dst = e.word(dst, text[:end])
		text = text[end:]
		e.base += end
	}
	return dst
}

// wordEnd returns where the next ▁ behind another character begins, or the end.
func wordEnd(text []byte) int {
	i := 0
	for bytes.HasPrefix(text[i:], []byte(space)) {
		i += len(space)
	}
	if next := bytes.Index(text[i:], []byte(space)); next >= 0 {
		return i + next
	}
	return len(text)
}

// word encodes a word through the cache.
func (e *encoder) word(dst []int32, word []byte) []int32 {
	if len(word) > maxCached || e.tracing {
		return e.uncached(dst, word)
	}
	var key [maxCached]byte
	copy(key[:], word)
	hash := uint32(2166136261)
	for _, b := range word {
		hash = (hash ^ uint32(b)) * 16777619
	}
	c := &e.cache[hash>>(32-cacheBits)]
	if int(c.size) == len(word) && c.word == key {
		return append(dst, c.ids[:c.n]...)
	}
	was := len(dst)
	dst = e.uncached(dst, word)
	if n := len(dst) - was; n <= len(c.ids) {
		*c = cached{word: key, size: uint8(len(word)), n: uint8(n)}
		copy(c.ids[:], dst[was:])
	}
	return dst
}

func (e *encoder) uncached(dst []int32, word []byte) []int32 {
	if e.t.cfg.Algorithm == Unigram {
		return e.segment(dst, word)
	}
	if e.t.cfg.Hub != nil && e.t.cfg.Hub.IgnoreMerges {
		if id, ok := e.t.ids[string(word)]; ok {
			dst = append(dst, id)
			if e.tracing {
				e.place(dst, len(dst)-1, 0, len(word))
			}
			return dst
		}
	}
	return e.merge(dst, word)
}

// appendUnknown appends what stands for text that no piece spells: its bytes, the unknown token, or nothing.
func (t *Tokenizer) appendUnknown(dst []int32, text []byte) []int32 {
	if t.cfg.Hub != nil { // tokenizers looks up what it takes for unknown, and may find the unknown token itself
		if id, ok := t.ids[string(text)]; ok {
			return append(dst, id)
		}
	}
	switch {
	case t.cfg.ByteFallback && t.spellsBytes(text):
		for _, b := range text {
			dst = append(dst, t.byteIDs[b])
		}
		return dst
	case t.unknown >= 0:
		return append(dst, t.unknown)
	}
	return dst
}

// cutsAtSpaces reports whether no piece, no merge and no run of unknown characters spans the end of a word.
func (t *Tokenizer) cutsAtSpaces() bool {
	if t.cfg.Algorithm != BPE {
		return false
	}
	if t.cfg.Hub != nil {
		if id, ok := t.ids[space]; !ok || id == t.unknown || t.cfg.Hub.Continuing != "" || t.cfg.Hub.Suffix != "" {
			return false
		}
	}
	for _, p := range t.cfg.Pieces {
		if crosses(p.Text) {
			return false
		}
	}
	return true
}

// crosses reports whether text has a ▁ behind another character.
func crosses(text string) bool {
	for at, seen := 0, false; at < len(text); {
		if strings.HasPrefix(text[at:], space) {
			if seen {
				return true
			}
			at += len(space)
			continue
		}
		seen = true
		_, size := utf8.DecodeRuneInString(text[at:])
		at += size
	}
	return false
}
