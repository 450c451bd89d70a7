package pairs

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"sync"

	"github.com/zeebo/xxh3"

	"example.com/gotrain/data"
)

// Example is a pair as a model gets it.
type Example struct {
	Source []int32
	Target []int32 // with its end; what the decoder reads is the start and all but the last
	Origin data.Origin
	hash   uint64 // of the source's text, which decides its side
	copied bool   // the target is the source
}

// positions is what the example takes of a row, on the longer side.
func (x Example) positions() int { return max(len(x.Source), len(x.Target)) }

// Set are the pairs that are trained on, or those that are held out.
type Set struct {
	examples []Example
	stats    Stats
}

// Stats count what became of pairs.
type Stats struct {
	Pairs        int   `json:"pairs"`
	SourceTokens int64 `json:"source_tokens"`
	TargetTokens int64 `json:"target_tokens"` // the ends of targets with them
	// Long are pairs with a side that is longer than a row, which are left out; LongFirst
	// is where the first of them stands.
	Long      int    `json:"long"`
	LongFirst string `json:"long_first,omitempty"`
	// Copies are pairs whose target is their source, which stay; CopiesFirst is where the
	// first of them stands.
	Copies      int    `json:"copies"`
	CopiesFirst string `json:"copies_first,omitempty"`
}

// ErrNone says that there are no pairs.
var ErrNone = errors.New("pairs: there are none (are the files empty?)")

// Split is how pairs are divided.
type Split struct {
	// Fraction of the pairs is held out, by the hash of their sources, so that pairs of one
	// source are on one side.
	Fraction float64
	// Known is what the run has trained on and holds out already, nil for nothing.
	Known *data.Ledger
}

// side is that of a pair, and that by the rule alone.
func (s Split) side(hash uint64) (side, rule data.Split) {
	if float64(hash>>11)/(1<<53) < s.Fraction {
		rule = data.Validation
	}
	if known, ok := s.Known.Side(hash); ok && s.Fraction > 0 {
		return known, rule
	}
	return rule, rule
}

// chunk is how many pairs are encoded at a time.
const chunk = 4096

// Build encodes pairs for rows of length tokens and divides them. It works on all
// processors; the sets do not depend on their number. Where chance would leave nothing on one
// side of several pairs, the one whose hash is nearest to it changes over. most bounds the
// pairs, 0 for all.
func Build(ctx context.Context, enc Encoder, length, most int, split Split, pairs iter.Seq2[Pair, error]) (train, held *Set, ledger *data.Ledger, err error) {
	train, held, ledger = &Set{}, &Set{}, data.NewLedger()
	batch := make([]Pair, 0, chunk)
	read := 0
	flush := func() {
		for _, x := range encode(enc, batch) {
			side, _ := split.side(x.hash)
			to := train
			if side == data.Validation {
				to = held
			}
			to.add(x, length)
		}
		batch = batch[:0]
	}
	for p, err := range pairs {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, nil, nil, err
		}
		if batch = append(batch, p); len(batch) == cap(batch) {
			flush()
		}
		if read++; read == most {
			break
		}
	}
	flush()
	if split.Fraction > 0 {
		balance(train, held)
	}
	for side, s := range []*Set{train, held} {
		for _, x := range s.examples {
			_, rule := split.side(x.hash)
			ledger.Note(split.Known, x.hash, data.Split(side), rule, false)
		}
	}
	ledger.Seal()
	if s := train.stats; s.Pairs == 0 && s.Long > 0 {
		return nil, nil, nil, settingf("pairs: every pair has a side that is longer than a row of %d tokens, the first of %d at %s (raise train.context and model.context, or cut the texts)", length, s.Long, s.LongFirst)
	}
	if train.stats.Pairs == 0 {
		return nil, nil, nil, ErrNone
	}
	return train, held, ledger, nil
}

// encode makes examples of pairs in parallel, in their order.
func encode(enc Encoder, batch []Pair) []Example {
	examples := make([]Example, len(batch))
	workers := min(runtime.GOMAXPROCS(0), len(batch))
	var wait sync.WaitGroup
	for w := range workers {
		wait.Go(func() {
			for i := w; i < len(batch); i += workers {
				p := batch[i]
				examples[i] = Example{Source: enc.Source(p.Source), Target: enc.Target(p.Target), Origin: p.Origin, hash: xxh3.HashString(p.Source), copied: p.Source == p.Target}
			}
		})
	}
	wait.Wait()
	return examples
}

// add takes an example in, unless it is longer than a row.
func (s *Set) add(x Example, length int) {
	if x.positions() > length {
		if s.stats.Long++; s.stats.Long == 1 {
			s.stats.LongFirst = x.Origin.String()
		}
		return
	}
	if x.copied {
		if s.stats.Copies++; s.stats.Copies == 1 {
			s.stats.CopiesFirst = x.Origin.String()
		}
	}
	s.examples = append(s.examples, x)
	s.stats.Pairs++
	s.stats.SourceTokens += int64(len(x.Source))
	s.stats.TargetTokens += int64(len(x.Target))
}

// balance moves the pairs of one source to the side that has none.
func balance(train, held *Set) {
	from, to := train, held
	if len(train.examples) == 0 {
		from, to = held, train
	}
	if len(to.examples) > 0 || len(from.examples) < 2 {
		return
	}
	hash, other := from.examples[0].hash, false
	for _, x := range from.examples {
		other = other || x.hash != hash
		if x.hash < hash == (to == held) {
			hash = x.hash
		}
	}
	if !other {
		return
	}
	examples := from.examples
	stats := from.stats
	*from = Set{stats: Stats{Long: stats.Long, LongFirst: stats.LongFirst}}
	for _, x := range examples {
		if x.hash == hash {
			to.add(x, x.positions())
		} else {
			from.add(x, x.positions())
		}
	}
}

// Stats are the counts of the set.
func (s *Set) Stats() Stats { return s.stats }

// Len is the number of pairs.
func (s *Set) Len() int { return len(s.examples) }

// Example is pair i, whose slices the caller does not modify.
func (s *Set) Example(i int) Example { return s.examples[i] }

// check wants the tokens of a set to be inside a vocabulary, 0 for any.
func (s *Set) check(vocab int) error {
	for _, x := range s.examples {
		for _, side := range [][]int32{x.Source, x.Target} {
			for _, id := range side {
				if vocab > 0 && int(id) >= vocab {
					return fmt.Errorf("pairs: %s: token %d is outside the model's vocabulary of %d (tokenizer and model do not belong together)", x.Origin, id, vocab)
				}
			}
		}
	}
	return nil
}

// HeldOut tells whether the rule alone, without what a run knows, holds a pair out where it
// holds a fraction out.
func HeldOut(p Pair, fraction float64) bool {
	_, rule := Split{Fraction: fraction}.side(xxh3.HashString(p.Source))
	return rule == data.Validation
}
