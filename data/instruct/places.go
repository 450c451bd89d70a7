package instruct

import (
	"fmt"
	"slices"
	"sort"
	"unicode/utf8"

	"example.com/gotrain/data/chat"
	"example.com/gotrain/data/hf"
)

// places tells where in a text its tokens stand.
type places struct {
	spans  []hf.Span
	sorted bool // the ends never fall, so that a search by halves finds them
}

func newPlaces(spans []hf.Span) places {
	return places{spans, slices.IsSortedFunc(spans, func(a, b hf.Span) int { return a.End - b.End })}
}

// from returns the first token that ends behind a byte.
func (p places) from(at int) int {
	behind := func(i int) bool { return p.spans[i].End > at }
	if p.sorted {
		return sort.Search(len(p.spans), behind)
	}
	for i := range p.spans {
		if behind(i) {
			return i
		}
	}
	return len(p.spans)
}

// at returns the first token that stands for a byte, -1 for one that the tokenizer drops.
func (p places) at(at int) int {
	for t := p.from(at); t < len(p.spans); t++ {
		switch s := p.spans[t]; {
		case s.Begin <= at && at < s.End:
			return t
		case p.sorted && s.Begin > at:
			return -1
		}
	}
	return -1
}

// over calls f for the tokens that stand for a byte of a span, be it one of several.
func (p places) over(s chat.Span, f func(token int)) {
	for t := p.from(s.Begin); t < len(p.spans); t++ {
		switch at := p.spans[t]; {
		case at.Begin < s.End && at.End > s.Begin:
			f(t)
		case p.sorted && at.Begin >= s.End:
			return
		}
	}
}

// marked calls f for the tokens of what a generation block has written, as the assistant masks of transformers have them: from
// the first that stands for its first character to the first that stands for its last one. Where one of these characters is
// dropped by the tokenizer transformers marks other parts of the conversation, which is an error here.
func (p places) marked(text string, s chat.Span, f func(token int)) error {
	if s.Begin == s.End {
		return nil
	}
	first, last := p.at(s.Begin), p.at(s.End-1)
	switch {
	case first < 0:
		return fmt.Errorf("the tokenizer drops %q, with which a generation block of the chat template begins: transformers then learns none of what follows (leave it out of the block, or of the record)", firstRune(text[s.Begin:s.End]))
	case last < 0:
		return fmt.Errorf("the tokenizer drops %q, with which a generation block of the chat template ends: transformers then learns all that follows (leave it out of the block, or of the record)", lastRune(text[s.Begin:s.End]))
	case last == 0:
		return fmt.Errorf("a generation block of the chat template is the first token: transformers then learns all that follows (begin the conversation with a message of the user)")
	}
	for t := first; t <= last; t++ {
		f(t)
	}
	return nil
}

func firstRune(s string) string {
	_, size := utf8.DecodeRuneInString(s)
	return s[:size]
}

func lastRune(s string) string {
	_, size := utf8.DecodeLastRuneInString(s)
	return s[len(s)-size:]
}
