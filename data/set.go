package data

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sort"
	"sync"
)

// Set is the logical concatenation of shards made together: one sequence of N tokens.
type Set struct {
	shards    []*Shard
	ends      []int64 // ends[i] is the position behind shard i
	documents int64
	textBytes int64
}

// OpenSet opens and verifies shards in parallel and concatenates them in the order of paths. They must agree on
// tokenizer, vocabulary and end-of-text token.
func OpenSet(paths ...string) (*Set, error) { return openSet(OpenShard, paths) }

// openBins is OpenSet for files of token ids that enc made.
func openBins(enc Encoder, paths []string) (*Set, error) {
	s, err := openSet(func(path string) (*Shard, error) { return openBin(path, enc) }, paths)
	if err != nil {
		return nil, err
	}
	for i, shard := range s.shards[1:] {
		var last [1]int32
		before := s.shards[i]
		before.read(last[:], before.Tokens-1)
		if shard.first = last[0] == shard.EndOfText; !shard.first && shard.scanFirst() {
			shard.Documents--
			s.documents--
		}
	}
	return s, nil
}

func openSet(open func(path string) (*Shard, error), paths []string) (*Set, error) {
	if len(paths) == 0 {
		return nil, errors.New("data: a set needs at least one shard")
	}
	s := &Set{shards: make([]*Shard, len(paths))}
	if err := s.open(open, paths); err != nil {
		s.Close()
		return nil, err
	}
	if err := s.concatenate(); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// concatenate finds where each shard ends, and what all of them hold.
func (s *Set) concatenate() error {
	first := s.shards[0]
	end := int64(0)
	for _, shard := range s.shards {
		if shard.Tokenizer != first.Tokenizer || shard.VocabSize != first.VocabSize || shard.EndOfText != first.EndOfText || !slices.Equal(shard.BeginOfText, first.BeginOfText) {
			return fmt.Errorf("data: shard %s was made with another tokenizer than %s (prepare both with one)", shard.path, first.path)
		}
		end += shard.Tokens
		s.ends = append(s.ends, end)
		s.documents += shard.Documents
		s.textBytes += shard.TextBytes
	}
	return nil
}

// joinSets is the concatenation of sets, whose shards remain theirs.
func joinSets(sets []*Set) (*Set, error) {
	all := &Set{}
	for _, set := range sets {
		all.shards = append(all.shards, set.shards...)
	}
	return all, all.concatenate()
}

func (s *Set) open(open func(path string) (*Shard, error), paths []string) error {
	errs := make([]error, len(paths))
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	var wg sync.WaitGroup
	for i, path := range paths {
		slots <- struct{}{}
		wg.Go(func() {
			s.shards[i], errs[i] = open(path)
			<-slots
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// Close closes all shards. Nothing may read the set afterwards.
func (s *Set) Close() error {
	var errs []error
	for _, shard := range s.shards {
		if shard != nil {
			errs = append(errs, shard.Close())
		}
	}
	s.shards = nil
	return errors.Join(errs...)
}

// Tokens returns N.
func (s *Set) Tokens() int64 { return s.ends[len(s.ends)-1] }

// Documents returns the number of documents.
func (s *Set) Documents() int64 { return s.documents }

// TextBytes returns the bytes of text that the tokens stand for.
func (s *Set) TextBytes() int64 { return s.textBytes }

// VocabSize returns the size of the vocabulary; every token is below it.
func (s *Set) VocabSize() int { return s.shards[0].VocabSize }

// EndOfText returns the token that ends each document.
func (s *Set) EndOfText() int32 { return s.shards[0].EndOfText }

// BeginOfText returns the tokens that begin each document, none as a rule.
func (s *Set) BeginOfText() []int32 { return s.shards[0].BeginOfText }

// Tokenizer returns the fingerprint of the tokenizer.
func (s *Set) Tokenizer() string { return s.shards[0].Tokenizer }

// Shards returns the shards in order; they belong to the set.
func (s *Set) Shards() []*Shard { return s.shards }

// list is Shards; none of nil.
func (s *Set) list() []*Shard {
	if s == nil {
		return nil
	}
	return s.shards
}

// Read copies the tokens [at, at+len(dst)) into dst, widened to int32: the one copy between the page cache and a batch.
// The range must lie in [0, N].
func (s *Set) Read(dst []int32, at int64) {
	for i := s.find(at); len(dst) > 0; i++ {
		begin := s.ends[i] - s.shards[i].Tokens
		n := min(int64(len(dst)), s.ends[i]-at)
		s.shards[i].read(dst[:n], at-begin)
		dst = dst[n:]
		at += n
	}
}

// NextStart returns the first position at or after at where a document begins, N for none.
func (s *Set) NextStart(at int64) int64 {
	return s.startBefore(at, s.Tokens())
}

// startBefore returns the first position in [at, end) where a document begins; for none end, or N where that is less.
func (s *Set) startBefore(at, end int64) int64 {
	for i := s.find(at); i < len(s.shards); i++ {
		begin := s.ends[i] - s.shards[i].Tokens
		if begin >= end {
			break
		}
		if start := s.shards[i].nextStart(max(at-begin, 0), end-begin); start >= 0 {
			return begin + start
		}
	}
	return min(end, s.Tokens())
}

// origin returns the shard that holds position at, and the place in it.
func (s *Set) origin(at int64) Origin {
	i := s.find(at)
	return Origin{File: s.shards[i].path, Offset: at - s.ends[i] + s.shards[i].Tokens}
}

// find returns the shard that holds position at.
func (s *Set) find(at int64) int {
	return sort.Search(len(s.ends), func(i int) bool { return at < s.ends[i] })
}

// checkModel reports a vocabulary that does not fit the model's.
func (s *Set) checkModel(vocabSize int) error {
	if vocabSize > 0 && s.VocabSize() > vocabSize {
		return settingf("data: the tokens come from a vocabulary of %d, the model has %d (raise the model's vocabulary or prepare with its own tokenizer)",
			s.VocabSize(), vocabSize)
	}
	return nil
}
