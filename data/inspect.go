package data

import (
	"fmt"
	"strings"
)

// Summary is what there is to say about a Set in a few lines.
type Summary struct {
	Tokens, Documents, TextBytes int64
	VocabSize                    int
	Tokenizer, Source, Split     string
	Shards                       []string // paths
}

// Summarize describes a set.
func Summarize(s *Set) Summary {
	first := s.shards[0]
	summary := Summary{
		Tokens: s.Tokens(), Documents: s.Documents(), TextBytes: s.TextBytes(), VocabSize: first.VocabSize,
		Tokenizer: first.Tokenizer, Source: first.Source, Split: first.Split,
	}
	for _, shard := range s.shards {
		summary.Shards = append(summary.Shards, shard.path)
	}
	return summary
}

// String returns the summary as aligned lines.
func (s Summary) String() string {
	var b strings.Builder
	line := func(name string, value any) { fmt.Fprintf(&b, "%-12s%v\n", name, value) }
	line("split", s.Split)
	line("tokens", s.Tokens)
	line("documents", s.Documents)
	line("text", fmt.Sprintf("%d bytes, %.3f a token", s.TextBytes, float64(s.TextBytes)/float64(max(s.Tokens, 1))))
	line("vocabulary", s.VocabSize)
	line("tokenizer", s.Tokenizer)
	line("source", s.Source)
	for i, shard := range s.Shards {
		line(fmt.Sprintf("shard %d", i), shard)
	}
	return b.String()
}

// Preview returns the n tokens from position at, fewer at the end, a line each: position, id, text in Go quotes, and a
// mark before the first token of each document. The line of the end-of-text token has no text.
func Preview(s *Set, tokens TokenByter, at int64, n int) string {
	at = min(max(at, 0), s.Tokens())
	ids := make([]int32, min(int64(max(n, 0)), s.Tokens()-at))
	s.Read(ids, at)
	next := s.NextStart(at)
	var b strings.Builder
	for i, id := range ids {
		position := at + int64(i)
		if position == next {
			fmt.Fprintf(&b, "---- document\n")
			next = s.NextStart(position + 1)
		}
		if id == s.EndOfText() {
			fmt.Fprintf(&b, "%10d %7d end of text\n", position, id)
			continue
		}
		fmt.Fprintf(&b, "%10d %7d %q\n", position, id, tokens.TokenBytes(id))
	}
	return b.String()
}
