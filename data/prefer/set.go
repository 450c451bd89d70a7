package prefer

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/zeebo/xxh3"

	"example.com/gotrain/data"
	"example.com/gotrain/data/chat"
	"example.com/gotrain/data/instruct"
)

// Set is samples as tokens.
type Set struct {
	sequences *instruct.Set
	samples   []encoded
	behind    int       // tokens of a sequence that are targets only: its last, or none
	reference []float32 // of the sequences, by number; nil until it is set
	stats     Stats
}

// encoded is a sample whose sequences are examples of the set.
type encoded struct {
	first         int // of the two
	label, margin float32
}

// Stats counts what became of the records.
type Stats struct {
	Samples   int               `json:"samples"`
	Tokens    int64             `json:"tokens"`
	Counted   int64             `json:"counted"`   // tokens of answers
	Truncated int               `json:"truncated"` // sequences that were cut
	Dropped   int               `json:"dropped"`   // samples that do not fit a row
	Skipped   Skipped           `json:"skipped"`
	Unread    []instruct.Unread `json:"unread,omitempty"`
}

// ErrNone says that there are no samples.
var ErrNone = errors.New("prefer: there are no samples (are the files empty, or all records skipped?)")

// Build encodes samples for rows of so many positions, which hold both sequences of a
// sample, for Loaders of that want. Sequences that are to be cut are cut to half a row.
// skipped is what the source of samples counts.
func Build(ctx context.Context, cfg instruct.Config, enc *instruct.Encoder, rowLength int, want Want, samples iter.Seq2[Sample, error], skipped *Skipped) (*Set, error) {
	if cfg.Loss == instruct.LossAll {
		return nil, &data.SettingError{Err: errors.New("data.instruct.loss is all: preferences are of answers; use assistant or last")}
	}
	s := &Set{behind: 1}
	if want&LastToken != 0 {
		s.behind = 0
	}
	longest := rowLength - 1 + s.behind
	if cfg.Truncate != instruct.TruncateDrop {
		longest = rowLength/2 - 1 + s.behind
	}
	longest = max(1, longest)
	most := cfg.MaxExamples
	cfg.MaxExamples = 0
	var read []Sample // without what they say
	sequences := func(yield func(chat.Conversation, error) bool) {
		for s, err := range samples {
			if err != nil {
				yield(chat.Conversation{}, err)
				return
			}
			s.First.Source, s.Second.Source = s.sources()
			read = append(read, Sample{Label: s.Label, Margin: s.Margin, First: chat.Conversation{Source: s.First.Source}, Second: chat.Conversation{Source: s.Second.Source}})
			if !yield(s.First, nil) || !yield(s.Second, nil) || len(read) == most {
				return
			}
		}
	}
	built, err := instruct.Build(ctx, cfg, enc, longest, sequences)
	if errors.Is(err, instruct.ErrNone) {
		return nil, fmt.Errorf("%w: %d records have equal answers, %d an empty one", ErrNone, skipped.Same, skipped.Empty)
	}
	if err != nil {
		return nil, err
	}
	s.sequences = built
	s.match(read, rowLength, skipped)
	if len(s.samples) == 0 {
		return nil, &data.SettingError{Err: fmt.Errorf("prefer: none of %d samples fits a row of %d tokens with both of its answers (raise train.context, or set data.instruct.truncate to left; %d have equal answers)",
			len(read), rowLength, skipped.Same)}
	}
	st := built.Stats()
	s.stats.Truncated, s.stats.Skipped, s.stats.Unread = st.Truncated, *skipped, st.Unread
	return s, nil
}

// sources name the sequences of a sample.
func (s Sample) sources() (first, second string) {
	if s.Label < 0 {
		return s.Source + ", the bad answer", s.Source + ", an answer to another prompt beside the bad one"
	}
	return s.Source + ", the good answer", s.Source + ", the other answer"
}

// match finds the sequences of the samples that were read among those that were kept.
func (s *Set) match(read []Sample, rowLength int, skipped *Skipped) {
	at := 0
	next := func(source string) bool {
		if at < s.sequences.Examples() && s.sequences.Example(at).Source == source {
			at++
			return true
		}
		return false
	}
	for _, r := range read {
		first := at
		a, b := next(r.First.Source), next(r.Second.Source)
		if !a || !b {
			s.stats.Dropped++
			continue
		}
		x, y := s.sequences.Example(first), s.sequences.Example(first+1)
		switch {
		case s.positions(x)+s.positions(y) > rowLength:
			s.stats.Dropped++
			continue
		case slices.Equal(x.Tokens, y.Tokens) && slices.Equal(x.Counted, y.Counted):
			skipped.Same++
			continue
		}
		s.samples = append(s.samples, encoded{first, r.Label, r.Margin})
		s.stats.Samples++
		for _, e := range []instruct.Example{x, y} {
			s.stats.Tokens += int64(len(e.Tokens))
			s.stats.Counted += int64(counted(e))
		}
	}
}

// positions is what a sequence takes of a row.
func (s *Set) positions(x instruct.Example) int { return len(x.Tokens) - s.behind }

func counted(x instruct.Example) (n int) {
	for _, c := range x.Counted {
		if c {
			n++
		}
	}
	return n
}

// Stats returns the counts of the set.
func (s *Set) Stats() Stats { return s.stats }

// Samples is the number of samples.
func (s *Set) Samples() int { return len(s.samples) }

// EndTokens returns the special tokens that end turns.
func (s *Set) EndTokens() []int32 { return s.sequences.EndTokens() }

// sequence returns sequence side (0, 1) of sample i.
func (s *Set) sequence(i, side int) instruct.Example {
	return s.sequences.Example(s.samples[i].first + side)
}

// Key tells a sequence from others by its tokens and those of them that count.
type Key [16]byte

// Keys returns the key of each sequence; those of sample i are 2i and 2i+1.
func (s *Set) Keys() []Key {
	keys := make([]Key, 0, 2*len(s.samples))
	var text []byte
	for i := range s.samples {
		for side := range 2 {
			x := s.sequence(i, side)
			text = text[:0]
			for t, id := range x.Tokens {
				text = binary.LittleEndian.AppendUint32(text, uint32(id)<<1)
				if x.Counted[t] {
					text[len(text)-4] |= 1
				}
			}
			keys = append(keys, xxh3.Hash128(text).Bytes())
		}
	}
	return keys
}

// SetReference gives each sequence, in the order of Keys, its log-probability under the
// reference: the sum over the tokens that count. Loaders that have the field Reference
// need it before they fill a batch.
func (s *Set) SetReference(logps []float32) error {
	if len(logps) != 2*len(s.samples) {
		return fmt.Errorf("prefer: %d log-probabilities for %d sequences", len(logps), 2*len(s.samples))
	}
	s.reference = logps
	return nil
}
