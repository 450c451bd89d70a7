package bpe

import (
	"context"
	"iter"
	"runtime"
	"strconv"

	"example.com/gotrain/data/hf"
)

// A TrainConfig says what Train learns.
type TrainConfig struct {
	Pattern Pattern
	// Vocab is the number of tokens, at least 256 and the special tokens. The text may give fewer.
	Vocab int
	// Special tokens get the first ids, in order.
	Special []string
	// MinFrequency is the least count of a pair that is merged; 0 and 1 are the same.
	MinFrequency int64
	// Workers is the number of goroutines that count pre-tokens, ≤ 0 for GOMAXPROCS. It does not alter the result.
	Workers int
	// Progress, if not nil, is called now and then from the goroutine that called Train.
	Progress func(Progress)
}

// Progress tells how far Train has come: first it reads text, then it merges.
type Progress struct {
	Bytes  int64 // of text read so far
	Merges int   // made so far, 0 while reading
	Total  int   // merges wanted
}

// Validate reports what is wrong with c, nil if nothing.
func (c TrainConfig) Validate() error {
	if int(c.Pattern) >= len(patternTable) {
		return faultf("Pattern", "%d is not a pattern", c.Pattern)
	}
	if least := 256 + len(c.Special); c.Vocab < least || c.Vocab > maxVocab {
		return &FormatError{Key: "Vocab", Offset: -1, Fault: "a vocabulary of " + strconv.Itoa(c.Vocab) + " tokens is out of range",
			Cure: "256 bytes and " + strconv.Itoa(len(c.Special)) + " special tokens need at least " + strconv.Itoa(least) + ", the most is " + strconv.Itoa(maxVocab)}
	}
	seen := map[string]bool{}
	for i, s := range c.Special {
		if s == "" || seen[s] {
			return faultf("Special", "token %d, %s, is empty or comes twice", i, quote(s))
		}
		if len(s) == 1 || byteOfChar(s) >= 0 {
			return faultf("Special", "token %d, %s, is a single byte in the alphabet", i, quote(s))
		}
		seen[s] = true
	}
	return nil
}

// Train learns a tokenizer from documents; pre-tokens do not cross from one to the next. A document is read until the
// iterator goes on, not later. The result is, id by id and merge by merge, that of BpeTrainer of Hugging Face tokenizers
// 0.23 on the same documents with pre-tokenizer ByteLevel (or Split and ByteLevel) and initial_alphabet
// ByteLevel.alphabet(): of pairs of equal count, that of the smallest ids is merged first.
//
// It returns an error of the iterator or of ctx as it is, and a *FormatError for a faulty cfg.
func Train(ctx context.Context, docs iter.Seq2[[]byte, error], cfg TrainConfig) (*Tokenizer, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	workers := cfg.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	report := Progress{Total: cfg.Vocab - 256 - len(cfg.Special)}
	progress := func() {
		if cfg.Progress != nil {
			cfg.Progress(report)
		}
	}
	split := newSplitter(cfg.Pattern)
	words, err := countWords(ctx, docs, &split, workers, func(bytes int64) {
		report.Bytes = bytes
		progress()
	})
	if err != nil {
		return nil, err
	}
	l := newLearner(cfg, words)
	words = nil
	for l.step() {
		if report.Merges = len(l.merges); report.Merges%64 != 0 {
			continue
		}
		progress()
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	report.Merges = len(l.merges)
	progress()
	out := Config{Pattern: cfg.Pattern, Tokens: l.tokens, Merges: l.distinctMerges()}
	for id, s := range cfg.Special {
		out.Added = append(out.Added, AddedToken{ID: int32(id), Content: s, Special: true})
	}
	return New(out)
}

// A learner merges the most frequent pair of symbols in a set of counted words, over and over.
type learner struct {
	vocab        int
	minFrequency int64

	tokens []string         // id → bytes; special tokens as they are
	ids    map[string]int32 // and back
	merges []Merge

	symbols []int32 // of all words, one after the other
	starts  []int   // of the words in symbols
	lengths []int32 // of the words now, in symbols
	counts  []int64 // of the words

	pairs pairCounts
	queue candidates
	left  neighbours
	right neighbours

	join func(left, right string) string // the token of a merge
}

// newLearner sets up the alphabet, special tokens first and then the bytes in the order of their characters in
// tokenizer.json, and counts the pairs of bytes.
func newLearner(cfg TrainConfig, words *wordCounts) *learner {
	l := &learner{vocab: cfg.Vocab, minFrequency: max(1, cfg.MinFrequency), ids: make(map[string]int32, cfg.Vocab), join: concatenate}
	for _, s := range cfg.Special {
		if string(hf.AppendSpelled(nil, s)) == s {
			l.token(s) // merges may come to the same spelling, and then to the same token
		} else {
			l.tokens = append(l.tokens, "")
		}
	}
	var byteIDs [256]int32
	for _, b := range bytesByChar() {
		byteIDs[b] = l.token(string([]byte{b}))
	}
	l.symbols = make([]int32, len(words.bytes))
	for i, b := range words.bytes {
		l.symbols[i] = byteIDs[b]
	}
	l.place(words.ends, words.counts)
	l.countPairs(words, &byteIDs)
	return l
}

func concatenate(left, right string) string { return left + right }

// place notes where the words end in symbols, and their counts.
func (l *learner) place(ends []int, counts []int64) {
	l.counts = counts
	l.starts = make([]int, len(ends))
	l.lengths = make([]int32, len(ends))
	for w, end := range ends {
		if w > 0 {
			l.starts[w] = ends[w-1]
		}
		l.lengths[w] = int32(end - l.starts[w])
	}
	l.left.resize(l.vocab)
	l.right.resize(l.vocab)
}

// token returns the id of bytes, a new one if need be.
func (l *learner) token(bytes string) int32 {
	id, ok := l.ids[bytes]
	if !ok {
		id = int32(len(l.tokens))
		l.tokens = append(l.tokens, bytes)
		l.ids[bytes] = id
	}
	return id
}

// countPairs fills pairs and queue from the words, which still consist of bytes.
func (l *learner) countPairs(words *wordCounts, ids *[256]int32) {
	const n = 256
	counts, sizes := make([]int64, n*n), make([]int, n*n)
	last := make([]uint32, n*n) // the last word seen with the pair, +1
	each := func(visit func(pair, word int, first bool)) {
		clear(last)
		for w := range words.counts {
			word := words.word(w)
			for i := 1; i < len(word); i++ {
				pair := int(word[i-1])*n + int(word[i])
				visit(pair, w, last[pair] != uint32(w)+1)
				last[pair] = uint32(w) + 1
			}
		}
	}
	each(func(pair, w int, first bool) {
		counts[pair] += words.counts[w]
		if first {
			sizes[pair]++
		}
	})
	where := make([][]uint32, n*n)
	for pair, size := range sizes {
		where[pair] = make([]uint32, 0, size)
	}
	each(func(pair, w int, first bool) {
		if first {
			where[pair] = append(where[pair], uint32(w))
		}
	})
	for pair, count := range counts {
		if count > 0 {
			key := pairOf(ids[pair/n], ids[pair%n])
			l.pairs.add(key, count)
			l.queue.push(candidate{count: count, pair: key, words: where[pair]})
		}
	}
}

// step makes the next merge; false if there is none or the vocabulary is full.
//
// A candidate's count may be out of date: then it goes back into the queue with the true one. The count of a merged
// pair stays as it is, and words in which the pair comes up later, through another way to build the same token, make a
// candidate of their own; both as in tokenizers, whose ranks depend on it.
func (l *learner) step() bool {
	for len(l.tokens) < l.vocab && len(l.queue) > 0 {
		top := l.queue[0]
		count := l.pairs.get(top.pair)
		if count != top.count {
			l.queue[0].count = count
			l.queue.down(0)
			continue
		}
		if count < l.minFrequency {
			return false
		}
		l.queue.pop()
		merge := Merge{int32(top.pair >> 32), int32(uint32(top.pair))}
		id := l.token(l.join(l.tokens[merge.Left], l.tokens[merge.Right]))
		l.merges = append(l.merges, merge)
		for _, w := range top.words {
			l.mergeWord(w, merge, id)
		}
		l.recount(merge, id)
		return true
	}
	return false
}

// mergeWord replaces the pair by id in word w, from left to right, and notes the neighbours of each place.
func (l *learner) mergeWord(w uint32, pair Merge, id int32) {
	start := l.starts[w]
	word, count := l.symbols[start:start+int(l.lengths[w])], l.counts[w]
	out := 0
	for i := 0; i < len(word); i++ {
		symbol := word[i]
		if symbol == pair.Left && i+1 < len(word) && word[i+1] == pair.Right {
			if out > 0 {
				l.left.note(word[out-1], w, count)
			}
			if i++; i+1 < len(word) {
				l.right.note(word[i+1], w, count)
			}
			symbol = id
		}
		word[out] = symbol
		out++
	}
	l.lengths[w] = int32(out)
}

// recount moves the counts of the pairs that a merge broke up to those that it made, and queues the latter.
func (l *learner) recount(pair Merge, id int32) {
	for _, p := range l.left.touched {
		l.pairs.add(pairOf(p, pair.Left), -l.left.counts[p])
		l.pairs.add(pairOf(p, id), l.left.counts[p])
	}
	for _, q := range l.right.touched {
		l.pairs.add(pairOf(pair.Right, q), -l.right.counts[q])
		l.pairs.add(pairOf(id, q), l.right.counts[q])
	}
	left, right := l.left.places(), l.right.places()
	for i, p := range l.left.touched {
		words := left[i]
		if p == id && l.right.counts[id] > 0 {
			words = append(words, right[l.right.index[id]]...)
		}
		l.push(pairOf(p, id), words)
	}
	for i, q := range l.right.touched {
		if q == id && l.left.counts[id] > 0 {
			continue // queued as the left neighbour
		}
		l.push(pairOf(id, q), right[i])
	}
	l.left.reset()
	l.right.reset()
}

// push queues a pair if it has a count.
func (l *learner) push(pair uint64, words []uint32) {
	if count := l.pairs.get(pair); count > 0 {
		l.queue.push(candidate{count, pair, int32(len(l.merges)), words})
	}
}

// distinctMerges returns the merges in order of rank. Of a pair merged twice the later place holds, as in tokenizers.
func (l *learner) distinctMerges() []Merge {
	last := make(map[Merge]int, len(l.merges))
	for i, m := range l.merges {
		last[m] = i
	}
	if len(last) == len(l.merges) {
		return l.merges
	}
	var out []Merge
	for i, m := range l.merges {
		if last[m] == i {
			out = append(out, m)
		}
	}
	return out
}
