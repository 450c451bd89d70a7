package instruct

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"

	"example.com/gotrain/data"
	"example.com/gotrain/data/chat"
)

// Set is the examples of a data set as tokens.
type Set struct {
	examples []Example
	block    block
	ends     []int32 // the tokens that end turns
	stats    Stats
}

// A block holds the tokens of examples that follow each other. What is full stays where it is, so that a set takes no more
// memory while it grows.
type block struct {
	tokens  []int32
	counted []bool
}

// blockTokens is the size of a block that no example is longer than.
const blockTokens = 1 << 20

// keep copies what an example has of tokens.
func (b *block) keep(x *Example) {
	if n := len(x.Tokens); n > cap(b.tokens)-len(b.tokens) {
		*b = block{make([]int32, 0, max(n, blockTokens)), make([]bool, 0, max(n, blockTokens))}
	}
	at := len(b.tokens)
	b.tokens, b.counted = append(b.tokens, x.Tokens...), append(b.counted, x.Counted...)
	x.Tokens, x.Counted = b.tokens[at:len(b.tokens):len(b.tokens)], b.counted[at:len(b.counted):len(b.counted)]
}

// Stats says what became of the conversations.
type Stats struct {
	Examples  int   `json:"examples"`  // in the set
	Tokens    int64 `json:"tokens"`    // of them
	Counted   int64 `json:"counted"`   // tokens that the loss counts
	Truncated int   `json:"truncated"` // examples that were cut
	Dropped   int   `json:"dropped"`   // conversations that were left out: too long, or without a counted token when cut
	Ends      int   `json:"ends"`      // counted tokens that end a turn and are one special token

	Unanswered   int      `json:"unanswered"`       // of the dropped ones, those that were cut and had no answer left
	Empty        int      `json:"empty"`            // conversations that were left out: no answer, or only empty ones and those of weight 0
	EmptyAnswers int      `json:"empty_answers"`    // answers that say nothing, in all conversations: the loss does not count them
	Unread       []Unread `json:"unread,omitempty"` // keys of records that say nothing to gotrain, sorted
}

// ErrNone says that there are no conversations.
var ErrNone = errors.New("instruct: there are no examples (are the files empty?)")

// ErrNoEnd says that a model trained on the set would never learn to stop.
var ErrNoEnd = errors.New("no end-of-turn token is ever trained")

// Build encodes conversations for rows of context positions. It works on all processors; the set does not depend on their
// number. It fails with ErrNoEnd when no answer in the set ends with a special token.
func Build(ctx context.Context, cfg Config, enc *Encoder, rowLength int, conversations iter.Seq2[chat.Conversation, error]) (*Set, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if rowLength < 1 {
		return nil, fmt.Errorf("instruct: a row of %d tokens (use 1 or more)", rowLength)
	}
	b := &builder{cfg: cfg, enc: enc, longest: rowLength + 1, set: &Set{}, unread: map[string]Unread{}}
	chunk := make([]chat.Conversation, 0, chunkSize)
	read, bytes := 0, 0
	for c, err := range conversations {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, err
		}
		chunk = append(chunk, c)
		for _, m := range c.Messages {
			bytes += len(m.Content)
		}
		if len(chunk) == cap(chunk) || bytes >= chunkBytes {
			if err := b.add(chunk); err != nil {
				return nil, err
			}
			clear(chunk)
			chunk, bytes = chunk[:0], 0
		}
		if read++; read == cfg.MaxExamples {
			break
		}
	}
	if err := b.add(chunk); err != nil {
		return nil, err
	}
	b.set.stats.Unread = slices.SortedFunc(maps.Values(b.unread), func(a, b Unread) int { return strings.Compare(a.Key, b.Key) })
	return b.set, b.check()
}

// The conversations that are encoded at a time: so many, or as many as have so many bytes.
const (
	chunkSize  = 512
	chunkBytes = 4 << 20
)

type builder struct {
	cfg      Config
	enc      *Encoder
	longest  int // tokens of an example
	set      *Set
	unread   map[string]Unread
	source   string   // of the conversation before, which the same record may have
	noted    []string // its keys that are counted
	lastText string   // the end of the first answer, for an error
}

// add encodes a chunk in parallel and appends it in order.
func (b *builder) add(chunk []chat.Conversation) error {
	examples := make([]Example, len(chunk))
	faults := make([]error, len(chunk))
	var wait sync.WaitGroup
	workers := min(runtime.GOMAXPROCS(0), len(chunk))
	for w := range workers {
		wait.Go(func() {
			for i := w; i < len(chunk); i += workers {
				if learns(chunk[i]) {
					examples[i], faults[i] = b.example(chunk[i])
				}
			}
		})
	}
	wait.Wait()
	for i, x := range examples {
		b.note(chunk[i])
		switch {
		case faults[i] != nil:
			return faults[i]
		case !learns(chunk[i]):
			b.set.stats.Empty++
		case x.Tokens == nil:
			b.set.stats.Dropped++
		default:
			b.append(x)
		}
	}
	return nil
}

// How many bytes of text a conversation may have for its tokens to be made, which takes about 100 times as much memory. Rows
// that are long raise it.
const (
	dropText      = 1 << 20 // one that is longer is left out where long ones are
	maxText       = 4 << 20 // one that is longer cannot be cut
	bytesPerToken = 64      // that a token stands for at most, on average
)

// example encodes a conversation. One that is far longer than a row, so that it is left out, has no tokens.
func (b *builder) example(c chat.Conversation) (Example, error) {
	size := 0
	for _, m := range c.Messages {
		m.Texts(func(s string) { size += len(s) })
	}
	row := bytesPerToken * b.longest
	switch {
	case b.cfg.Truncate == TruncateDrop && size > max(dropText, row):
		return Example{}, nil
	case size > max(maxText, row):
		return Example{}, &data.SettingError{Err: fmt.Errorf("%s: the conversation has %d bytes of text, and of at most %d tokens are made to be cut (set data.instruct.truncate to drop, or leave it out)",
			c.Source, size, max(maxText, row))}
	}
	return b.enc.Example(c, b.cfg.Loss)
}

// append adds an example, cut or left out as the configuration says.
func (b *builder) append(x Example) {
	s := &b.set.stats
	if len(x.Tokens) > b.longest {
		switch b.cfg.Truncate {
		case TruncateLeft:
			from := len(x.Tokens) - b.longest
			x.Tokens, x.Counted = x.Tokens[from:], x.Counted[from:]
			x.Counted[0] = false
		case TruncateRight:
			x.Tokens, x.Counted = x.Tokens[:b.longest], x.Counted[:b.longest]
		default:
			s.Dropped++
			return
		}
		if !slices.Contains(x.Counted, true) {
			s.Dropped++
			s.Unanswered++
			return
		}
		s.Truncated++
	}
	counted := 0
	for i, c := range x.Counted {
		if !c {
			continue
		}
		counted++
		if slices.Contains(x.Ends, x.Tokens[i]) && b.isSpecial(x.Tokens[i]) {
			s.Ends++
			if !slices.Contains(b.set.ends, x.Tokens[i]) {
				b.set.ends = append(b.set.ends, x.Tokens[i])
			}
		}
	}
	if counted == 0 {
		s.Dropped++
		return
	}
	if b.lastText == "" && len(x.Ends) > 0 {
		b.lastText = string(b.enc.tokens.TokenBytes(x.Ends[0]))
	}
	b.set.block.keep(&x)
	b.set.examples = append(b.set.examples, Example{Tokens: x.Tokens, Counted: x.Counted, Source: x.Source})
	s.Examples++
	s.Tokens += int64(len(x.Tokens))
	s.Counted += int64(counted)
}

func (b *builder) isSpecial(id int32) bool {
	_, ok := b.enc.tokens.Special(string(b.enc.tokens.TokenBytes(id)))
	return ok
}

func (b *builder) check() error {
	s := b.set.stats
	if s.Examples == 0 {
		return b.nothing()
	}
	if s.Ends > 0 {
		return nil
	}
	name := b.enc.template.Name()
	if b.cfg.Truncate == TruncateRight && s.Truncated == s.Examples {
		return settingf("instruct: %w: every example is cut before the end of its answer (raise train.context, or set data.instruct.truncate to left)", ErrNoEnd)
	}
	return settingf("instruct: %w: with the chat template %q answers end in %q, which is no special token of this tokenizer, so the model would not learn to stop (use a template whose end of turn the tokenizer has: plain and alpaca end with eos_token; or add the token to the tokenizer; its special tokens are %s)",
		ErrNoEnd, name, b.lastText, quoted(b.enc.special))
}

// nothing says why there are no examples.
func (b *builder) nothing() error {
	s, row := b.set.stats, b.longest-1
	switch {
	case s.Unanswered > 0 && b.cfg.Truncate == TruncateRight:
		return settingf("instruct: of %d examples that are longer than a row of %d tokens no answer is left when they are cut on the right (set data.instruct.truncate to left, or raise train.context)", s.Unanswered, row)
	case s.Unanswered > 0:
		return settingf("instruct: of %d examples that are longer than a row of %d tokens no answer is left when they are cut on the left (raise train.context)", s.Unanswered, row)
	case s.Dropped > 0:
		return settingf("instruct: all %d examples are longer than a row of %d tokens (raise train.context, or set data.instruct.truncate to left, which keeps the answers)", s.Dropped, row)
	case s.Empty > 0:
		return fmt.Errorf("instruct: none of %d conversations has an answer to learn: what the assistant says is empty (%d answers) or left out of the loss by weight or train", s.Empty, s.EmptyAnswers)
	}
	return ErrNone
}

func settingf(format string, args ...any) error {
	return &data.SettingError{Err: fmt.Errorf(format, args...)}
}

// quoted lists the first few of names.
func quoted(names []string) string {
	const most = 8
	var b strings.Builder
	for i, name := range names {
		if i == most {
			b.WriteString(", …")
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%q", name)
	}
	return b.String()
}

// Stats returns the counts of the set.
func (s *Set) Stats() Stats { return s.stats }

// EndTokens returns the special tokens that end turns, at which generation stops; there is at least one.
func (s *Set) EndTokens() []int32 { return s.ends }

// Examples returns the number of examples.
func (s *Set) Examples() int { return len(s.examples) }

// Example returns example i, whose slices the caller does not modify.
func (s *Set) Example(i int) Example { return s.examples[i] }

// positions is what example i takes of a row.
func (s *Set) positions(i int) int { return len(s.examples[i].Tokens) - 1 }
