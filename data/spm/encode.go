package spm

import (
	"bytes"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"unicode"
	"unicode/utf8"

	"gotrain/data/hf"
)

// AppendEncode appends the ids of text to dst, without a frame. Special tokens are not recognised: text that spells one is
// ordinary text.
func (t *Tokenizer) AppendEncode(dst []int32, text []byte) []int32 {
	return t.encode(dst, text, func(a *hf.AddedToken) bool { return a.Special })
}

// AppendEncodeSpecial is AppendEncode that recognises the special tokens in allowed too, by content; all of them if
// allowed is empty. Each stretch of text between two of them is encoded as a text of its own.
func (t *Tokenizer) AppendEncodeSpecial(dst []int32, text []byte, allowed ...string) []int32 {
	if len(allowed) == 0 {
		return t.encode(dst, text, nil)
	}
	return t.encode(dst, text, func(a *hf.AddedToken) bool {
		return a.Special && !slices.Contains(allowed, string(t.texts[a.ID]))
	})
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

func (t *Tokenizer) encode(dst []int32, text []byte, ordinary func(*hf.AddedToken) bool) []int32 {
	e := t.borrow()
	t.segments.Cut(text, ordinary, func(p hf.Piece) {
		switch {
		case p.ID >= 0:
			dst = append(dst, p.ID)
		case t.cfg.Rules != nil:
			dst = e.ruled(dst, t.normalize(p.Text))
		default:
			dst = e.hub(dst, p)
		}
	})
	t.giveBack(e)
	return dst
}

// An encoder is what one goroutine needs to encode: scratch space and a cache of words.
type encoder struct {
	t *Tokenizer
	merger
	path
	cache []cached
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

// ruled encodes text that sentencepiece's rules have prepared. Unigram sums go through the whole text, since their
// rounding decides between segmentations that are about as likely.
func (e *encoder) ruled(dst []int32, text []byte) []int32 {
	if len(text) == 0 {
		return dst
	}
	if e.t.cfg.Algorithm == Unigram {
		return e.segment(dst, e.t.unigram, text)
	}
	from := len(dst)
	dst = e.wordByWord(dst, text)
	if e.t.cfg.ByteFallback {
		return dst
	}
	return fuse(dst, from, e.t.unknown) // words end in it where one begins
}

// fuse makes one of each run of id in ids[from:].
func fuse(ids []int32, from int, id int32) []int32 {
	out := ids[:from]
	for i := from; i < len(ids); i++ {
		if ids[i] != id || len(out) == from || out[len(out)-1] != id {
			out = append(out, ids[i])
		}
	}
	return out
}

// wordByWord encodes text in stretches across whose ends nothing joins.
func (e *encoder) wordByWord(dst []int32, text []byte) []int32 {
	if !e.t.words {
		return e.merge(dst, e.t.bpe, text)
	}
	for len(text) > 0 {
		end := wordEnd(text)
		dst = e.word(dst, text[:end])
		text = text[end:]
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
	if len(word) > maxCached {
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
		return e.segment(dst, e.t.unigram, word)
	}
	if e.t.cfg.Hub != nil && e.t.cfg.Hub.IgnoreMerges {
		if id, ok := e.t.ids[string(word)]; ok {
			return append(dst, id)
		}
	}
	return e.merge(dst, e.t.bpe, word)
}

// hub encodes text that tokenizers' normalizer has prepared.
func (e *encoder) hub(dst []int32, p hf.Piece) []int32 {
	pre := e.t.cfg.Hub.PreTokenizer
	if !pre.Whitespace {
		return e.metaspace(dst, p.Text, p.At == 0)
	}
	for at := 0; at < len(p.Text); {
		start := at + len(p.Text[at:]) - len(bytes.TrimLeftFunc(p.Text[at:], unicode.IsSpace))
		end := len(p.Text)
		if n := bytes.IndexFunc(p.Text[start:], unicode.IsSpace); n >= 0 {
			end = start + n
		}
		dst = e.metaspace(dst, p.Text[start:end], p.At == 0 && start == 0)
		at = end
	}
	return dst
}

// metaspace encodes a stretch of text as Metaspace prepares it; first tells that a text begins with it.
func (e *encoder) metaspace(dst []int32, text []byte, first bool) []int32 {
	pre := e.t.cfg.Hub.PreTokenizer
	if len(text) == 0 {
		return dst
	}
	if pre.Metaspace {
		text = bytes.ReplaceAll(text, []byte(" "), []byte(space))
		if (pre.Prepend == "always" || pre.Prepend == "first" && first) && !bytes.HasPrefix(text, []byte(space)) {
			text = append([]byte(space), text...)
		}
	}
	switch {
	case pre.Metaspace && pre.Split:
		for len(text) > 0 {
			end := len(text)
			if next := bytes.Index(text[min(len(space), len(text)):], []byte(space)); next >= 0 && bytes.HasPrefix(text, []byte(space)) {
				end = len(space) + next
			} else if next := bytes.Index(text[1:], []byte(space)); next >= 0 {
				end = 1 + next
			}
			dst = e.word(dst, text[:end])
			text = text[end:]
		}
		return dst
	case e.t.cfg.Algorithm == Unigram || e.t.cfg.Hub.IgnoreMerges:
		return e.word(dst, text)
	}
	return e.wordByWord(dst, text)
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
		if id, ok := t.ids[space]; !ok || id == t.unknown {
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
