package data

import (
	"cmp"
	"os"
	"slices"
	"strconv"
)

// Vocabulary is what a person wants to know of a tokenizer.
type Vocabulary struct {
	Vocab       int            `json:"vocab"`
	Model       string         `json:"model"`
	Fingerprint string         `json:"fingerprint"`
	Special     []SpecialToken `json:"special"`
	Longest     []LongToken    `json:"longest"` // the 8 longest, by bytes
	Text        *Compression   `json:"text,omitempty"`
}

// SpecialToken is a special token of a Vocabulary.
type SpecialToken struct {
	ID      int32  `json:"id"`
	Content string `json:"content"`
}

// LongToken is one of the longest tokens of a Vocabulary.
type LongToken struct {
	ID    int32  `json:"id"`
	Bytes int    `json:"bytes"`
	Text  string `json:"text"` // in Go quotes, since a token may be any bytes
}

// Compression is how a tokenizer compresses texts.
type Compression struct {
	Bytes         int64   `json:"bytes"`
	Tokens        int64   `json:"tokens"`
	BytesPerToken float64 `json:"bytes_per_token"`
	Used          int     `json:"vocab_used"` // different tokens
}

// longestShown is the length of Vocabulary.Longest.
const longestShown = 8

// Describe describes a tokenizer, without Text.
func Describe(t Tokenizer) Vocabulary {
	v := Vocabulary{Vocab: t.Vocab(), Model: t.Model(), Fingerprint: t.Fingerprint(), Special: []SpecialToken{}}
	special := map[int32]bool{}
	for _, s := range t.Specials() {
		special[s.ID] = true
		v.Special = append(v.Special, SpecialToken{s.ID, s.Content})
	}
	var all []LongToken
	for id := range int32(t.Vocab()) {
		if b := t.TokenBytes(id); !special[id] && len(b) > 0 {
			all = append(all, LongToken{id, len(b), strconv.Quote(string(b))})
		}
	}
	slices.SortStableFunc(all, func(a, b LongToken) int { return cmp.Compare(b.Bytes, a.Bytes) })
	v.Longest = all[:min(longestShown, len(all))]
	return v
}

// Compress tokenizes files, each a text, and counts.
func Compress(t Tokenizer, files []string) (*Compression, error) {
	c := &Compression{}
	used := map[int32]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		ids := t.EncodeParallel(text, 0)
		c.Bytes += int64(len(text))
		c.Tokens += int64(len(ids))
		for _, id := range ids {
			used[id] = true
		}
	}
	c.Used = len(used)
	if c.Tokens > 0 {
		c.BytesPerToken = float64(c.Bytes) / float64(c.Tokens)
	}
	return c, nil
}
