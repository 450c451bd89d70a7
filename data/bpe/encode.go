package bpe

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"example.com/gotrain/data/hf"
)

// bytesPerToken is a guess, on the low side, by which memory for ids is set aside.
const bytesPerToken = 2

// AppendEncode appends the ids of text to dst. Special tokens are not recognised: text that spells one is ordinary text.
// Added tokens that are not special are recognised, as in tokenizers with encode_special_tokens=True.
func (t *Tokenizer) AppendEncode(dst []int32, text []byte) []int32 {
	e := t.borrow()
	dst = e.appendPieces(slices.Grow(dst, len(text)/bytesPerToken), text, hf.AllSpecial)
	t.giveBack(e)
	return dst
}

// AppendEncodeSpecial is AppendEncode that recognises the special tokens in allowed too, by content; all of them if
// allowed is empty. Names that are no special tokens are ignored.
func (t *Tokenizer) AppendEncodeSpecial(dst []int32, text []byte, allowed ...string) []int32 {
	e := t.borrow()
	dst = e.appendPieces(dst, text, hf.SpecialBut(t.specials, allowed))
	t.giveBack(e)
	return dst
}

// appendPieces appends the ids of text, added tokens included.
func (e *encoder) appendPieces(dst []int32, text []byte, ordinary func(*AddedToken, hf.Span) bool) []int32 {
	e.t.segmenter.Cut(hf.NewText(text), ordinary, func(p hf.Piece) {
		if p.ID >= 0 {
			dst = append(dst, p.ID)
		} else {
			dst = e.appendText(dst, p.Text)
		}
	})
	return dst
}

// EncodeSpans returns the ids of text and for each of them the bytes of text that it stands for: those that a normalizer put
// in stand for what they were put in beside, tokens of parts of a character for the whole of it. Special tokens for which
// ordinary is true stay text; it is told where each stands.
func (t *Tokenizer) EncodeSpans(text []byte, ordinary func(*AddedToken, hf.Span) bool) (ids []int32, spans []hf.Span) {
	e := t.borrow()
	word := func(w hf.Text) {
		from := len(ids)
		ids = e.appendPreToken(ids, w.Bytes)
		spans = t.appendSpans(spans, ids[from:], w)
	}
	t.segmenter.Cut(hf.TracedText(text), ordinary, func(p hf.Piece) {
		switch {
		case p.ID >= 0:
			ids, spans = append(ids, p.ID), append(spans, p.Span)
		case t.cfg.PreTokenizer != nil:
			t.cfg.PreTokenizer.Cut(p.Text, word)
		default:
			for i := 0; i < len(p.Text.Bytes); {
				end := t.split.next(p.Text.Bytes, i)
				word(p.Text.Slice(i, end))
				i = end
			}
		}
	})
	t.giveBack(e)
	return ids, spans
}

// appendSpans appends where the tokens of a word come from: each is as many bytes as it has, those that are no tokens passed
// over.
func (t *Tokenizer) appendSpans(spans []hf.Span, ids []int32, word hf.Text) []hf.Span {
	if len(ids) == 1 {
		return append(spans, word.Span(0, len(word.Bytes)))
	}
	at := 0
	for _, id := range ids {
		for t.byteIDs[word.Bytes[at]] < 0 {
			at++
		}
		begin := at
		for n := len(t.vocab.text(id)); n > 0; at++ {
			if t.byteIDs[word.Bytes[at]] >= 0 {
				n--
			}
		}
		spans = append(spans, word.Span(begin, at))
	}
	return spans
}

// parallelChunk is the size of the pieces that EncodeParallel hands out: short enough to keep all workers busy to the end
// and the ids of a piece in the processor's cache until they are copied.
const parallelChunk = 32 << 10

// EncodeParallel is AppendEncode(nil, text) by n goroutines, n ≤ 0 for GOMAXPROCS; the ids are the same. It cuts the text
// where a cut cannot alter pre-tokens.
func (t *Tokenizer) EncodeParallel(text []byte, n int) []int32 {
	var chunks []chunk
	t.segmenter.Cut(hf.NewText(text), hf.AllSpecial, func(p hf.Piece) {
		if p.ID >= 0 {
			chunks = append(chunks, chunk{added: p.ID})
			return
		}
		if t.cfg.PreTokenizer != nil { // nobody knows where it may be cut
			chunks = append(chunks, chunk{p.Text, -1})
			return
		}
		for part := p.Text; len(part.Bytes) > 0; {
			end := t.split.safeBoundary(part.Bytes, min(parallelChunk, len(part.Bytes)))
			chunks = append(chunks, chunk{part.Slice(0, end), -1})
			part = part.Slice(end, len(part.Bytes))
		}
	})
	out := joiner{dst: make([]int32, 0, len(text)/bytesPerToken), ready: make(map[int][]int32)}
	inParallel(n, len(chunks), func(next func() (int, bool)) {
		e := t.borrow()
		ids := make([]int32, 0, parallelChunk/bytesPerToken)
		for i, ok := next(); ok; i, ok = next() {
			ids = e.appendText(ids[:0], chunks[i].text)
			if chunks[i].added >= 0 {
				ids = append(ids, chunks[i].added)
			}
			ids = out.put(i, ids)
		}
		t.giveBack(e)
	})
	return out.dst
}

// A chunk is a stretch of text, or one added token.
type chunk struct {
	text  hf.Text
	added int32 // -1 for none
}

// A joiner puts the ids of chunks, which come in any order, one after the other.
type joiner struct {
	mu    sync.Mutex
	dst   []int32
	next  int             // the chunk that comes next in dst
	ready map[int][]int32 // chunks that came too early
	spare [][]int32       // memory of chunks that were joined
}

// put takes the ids of chunk i and returns memory for the ids of another.
func (j *joiner) put(i int, ids []int32) []int32 {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.ready[i] = ids
	for ids, ok := j.ready[j.next]; ok; ids, ok = j.ready[j.next] {
		j.dst = append(j.dst, ids...)
		j.spare = append(j.spare, ids)
		delete(j.ready, j.next)
		j.next++
	}
	if len(j.spare) == 0 {
		return make([]int32, 0, parallelChunk/bytesPerToken)
	}
	last := len(j.spare) - 1
	ids = j.spare[last]
	j.spare = j.spare[:last]
	return ids
}

// EncodeBatch encodes each text as AppendEncode(nil, text) does, by n goroutines, n ≤ 0 for GOMAXPROCS.
func (t *Tokenizer) EncodeBatch(texts [][]byte, n int) [][]int32 {
	out := make([][]int32, len(texts))
	inParallel(n, len(texts), func(next func() (int, bool)) {
		e := t.borrow()
		for i, ok := next(); ok; i, ok = next() {
			dst := make([]int32, 0, len(texts[i])/bytesPerToken)
			out[i] = e.appendPieces(dst, texts[i], hf.AllSpecial)
		}
		t.giveBack(e)
	})
	return out
}

// inParallel runs work in n goroutines, n ≤ 0 for GOMAXPROCS, which share the tasks 0 … tasks-1 by asking for the next.
func inParallel(n, tasks int, work func(next func() (int, bool))) {
	if n <= 0 {
		n = runtime.GOMAXPROCS(0)
	}
	var taken atomic.Int64
	next := func() (int, bool) {
		i := int(taken.Add(1)) - 1
		return i, i < tasks
	}
	var wg sync.WaitGroup
	for range min(n, tasks) {
		wg.Go(func() { work(next) })
	}
	wg.Wait()
}

// An encoder is what one goroutine needs to encode: scratch space and a cache of pre-tokens.
type encoder struct {
	t      *Tokenizer
	cache  cache
	window window
	merger
}

func newEncoder(t *Tokenizer) *encoder {
	return &encoder{t: t, cache: newCache()}
}

// borrow returns an encoder for one goroutine to use, warm if there is one.
func (t *Tokenizer) borrow() *encoder {
	select {
	case e := <-t.encoders:
		return e
	default:
		return newEncoder(t)
	}
}

// giveBack keeps e for others, unless there are as many idle ones as processors.
func (t *Tokenizer) giveBack(e *encoder) {
	select {
	case t.encoders <- e:
	default:
	}
}

// appendText appends the ids of text without added tokens.
func (e *encoder) appendText(dst []int32, t hf.Text) []int32 {
	if p := e.t.cfg.PreTokenizer; p != nil {
		p.Cut(t, func(word hf.Text) { dst = e.appendPreToken(dst, word.Bytes) })
		return dst
	}
	text := t.Bytes
	for i := 0; i < len(text); {
		if end := e.t.split.cut(&e.window, text[i:]); end > 0 {
			dst = e.appendWindow(dst, text[i:], end)
			i += end
			continue
		}
		end := e.t.split.next(text, i)
		dst = e.appendPreToken(dst, text[i:end])
		i = end
	}
	return dst
}

// appendWindow appends the ids of the pre-tokens of text[:end], the window, behind which text goes on.
func (e *encoder) appendWindow(dst []int32, text []byte, end int) []int32 {
	dst = slices.Grow(dst, end+len(cached{}.ids)) // no pre-token has more ids than bytes
	w := walk{set: e.window.starts[0]}
	for {
		n := walkWindow(&w, text, e.window.starts[:end/blockBytes+1], &e.cache, dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
		if w.at == w.begin {
			return dst
		}
		dst = e.appendPreToken(dst, text[w.begin:w.at])
		w.begin = w.at
	}
}

// appendPreToken appends the ids of a pre-token.
func (e *encoder) appendPreToken(dst []int32, word []byte) []int32 {
	if len(word) > maxCached {
		return e.appendLong(dst, word)
	}
	lo, hi := cacheKey(word)
	c := e.cache.lookUp(lo, hi)
	if c.lo == lo && c.hi == hi {
		if n := c.ids[idsCached]; n <= idsCached {
			return append(dst, c.ids[:n]...)
		}
		return append(dst, e.cache.many(c)...)
	}
	was := len(dst)
	dst = e.appendWord(dst, word)
	e.cache.put(lo, hi, dst[was:])
	return dst
}

// appendLong appends the ids of a pre-token of more than maxCached bytes.
func (e *encoder) appendLong(dst []int32, word []byte) []int32 {
	if len(word) > maxLong {
		return e.appendWord(dst, word)
	}
	hash := longHash(word)
	if ids, ok := e.cache.long(hash, word); ok {
		return append(dst, ids...)
	}
	was := len(dst)
	dst = e.appendWord(dst, word)
	e.cache.putLong(hash, word, dst[was:])
	return dst
}

// appendWord encodes one pre-token.
func (e *encoder) appendWord(dst []int32, word []byte) []int32 {
	if e.t.cfg.IgnoreMerges {
		if id, ok := e.t.vocab.id(word); ok {
			return append(dst, id)
		}
	}
	if e.t.gaps {
		if word = e.t.known(word); len(word) == 0 {
			return dst
		}
	}
	return e.merge(dst, e.t, word)
}

// known returns word without the bytes that are no tokens.
func (t *Tokenizer) known(word []byte) []byte {
	lacks := func(b byte) bool { return t.byteIDs[b] < 0 }
	if !slices.ContainsFunc(word, lacks) {
		return word
	}
	return slices.DeleteFunc(slices.Clone(word), lacks)
}
