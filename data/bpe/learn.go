package bpe

import "context"

// Words are counted words of symbols that stand for tokens.
type Words struct {
	Symbols []int32 // of all words, one after the other
	Ends    []int   // of the words in Symbols
	Counts  []int64 // of the words
}

// LearnConfig says which tokens Learn makes.
type LearnConfig struct {
	// Tokens are there already, by id.
	Tokens []string
	// Vocab is the number of tokens wanted, at least those that are there.
	Vocab int
	// MinFrequency is the least count of a pair that is merged; 0 and 1 are the same.
	MinFrequency int64
	// Join is the token of two; nil puts one behind the other.
	Join func(left, right string) string
	// Progress, if not nil, is called now and then.
	Progress func(Progress)
}

// Learn merges the most frequent pair of neighbours over and over, of equal ones that of
// the smallest ids, and returns the tokens by id. It changes words.
func Learn(ctx context.Context, words Words, cfg LearnConfig) ([]string, error) {
	l := &learner{vocab: cfg.Vocab, minFrequency: max(1, cfg.MinFrequency), ids: make(map[string]int32, cfg.Vocab), symbols: words.Symbols, join: cfg.Join}
	if l.join == nil {
		l.join = concatenate
	}
	for _, token := range cfg.Tokens {
		l.token(token)
	}
	l.place(words.Ends, words.Counts)
	l.countAnyPairs()
	for l.step() {
		if len(l.merges)%64 != 0 {
			continue
		}
		if cfg.Progress != nil {
			cfg.Progress(Progress{Merges: len(l.merges), Total: cfg.Vocab - len(cfg.Tokens)})
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	return l.tokens, nil
}

// countAnyPairs fills pairs and queue from the words.
func (l *learner) countAnyPairs() {
	where := map[uint64][]uint32{}
	for w, start := range l.starts {
		word := l.symbols[start : start+int(l.lengths[w])]
		for i := 1; i < len(word); i++ {
			pair := pairOf(word[i-1], word[i])
			l.pairs.add(pair, l.counts[w])
			if in := where[pair]; len(in) == 0 || in[len(in)-1] != uint32(w) {
				where[pair] = append(in, uint32(w))
			}
		}
	}
	for pair, words := range where {
		l.queue.push(candidate{count: l.pairs.get(pair), pair: pair, words: words})
	}
}
