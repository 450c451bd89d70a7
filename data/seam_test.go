package data_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"example.com/gotrain/data"
	"example.com/gotrain/data/spm"
	"example.com/gotrain/data/tokenizers"
)

// seamTexts are 100,000 bytes and more each, with few places or none at which a tokenizer could be told to begin anew.
func seamTexts(r *rand.Rand) map[string]string {
	const size = 100_000
	fill := func(next func() string) string {
		var b strings.Builder
		for b.Len() < size {
			b.WriteString(next())
		}
		return b.String()
	}
	letters := func(from string) func() string {
		set := []rune(from)
		return func() string { return string(set[r.IntN(len(set))]) }
	}
	word := letters("etaoinshrdlu")
	prose := func() string {
		w := ""
		for range 1 + r.IntN(8) {
			w += word()
		}
		return w + []string{" ", " ", " ", ", ", ".\n\n", "\n", "'s ", "  ", " 123 ", "\r\n", "\t\tx"}[r.IntN(11)]
	}
	return map[string]string{
		"prose":     fill(prose),
		"lines":     fill(func() string { return "\n\n" + word() }),
		"no spaces": fill(letters("etaoinshrdlu")),
		"one":       strings.Repeat("a", size+r.IntN(7)),
		"two":       strings.Repeat("ab", size/2) + "b",
		"digits":    fill(letters("0123456789")),
		"Chinese":   fill(letters("的一是不了人我在有他这中大来上国")),
		"accents":   fill(letters("éèàe\u0301u\u0308ÀÉoO")),
		"blank":     "a" + strings.Repeat(" ", size) + "b",
		"newlines":  "a" + strings.Repeat("\n", size) + "b",
		"dots":      strings.Repeat(".", size),
		"emoji":     fill(letters("😀👩\u200d🚀🏽é")),
		"bytes":     fill(func() string { return string([]byte{byte(r.IntN(256))}) }),
	}
}

// A document that comes in pieces has the tokens of the whole text, for every kind of tokenizer, whatever stands at the
// borders.
func TestPiecesAreOneText(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 13))
	texts := seamTexts(r)
	tokens := seamTokenizers(t)
	for _, name := range slices.Sorted(maps.Keys(tokens)) {
		tok := tokens[name]
		enc := tokenizers.NewEncoder(tok, []int32{1, 2}, 0)
		for _, kind := range slices.Sorted(maps.Keys(texts)) {
			text := []byte(texts[kind])
			if strings.HasPrefix(name, "generated") && r.IntN(4) > 0 {
				continue
			}
			want := append(tok.AppendEncode([]int32{1, 2}, text), 0)
			var pieces [][]byte
			for rest := text; len(rest) > 0; {
				n := min(len(rest), []int{20_000, 25_001, 100, 9_000, 17_002}[r.IntN(5)])
				for n < len(rest) && !utf8.RuneStart(rest[n]) {
					n++
				}
				pieces, rest = append(pieces, rest[:n]), rest[n:]
			}
			got, err := data.EncodePieces(t.Context(), enc, pieces)
			if err != nil {
				t.Fatal(err)
			}
			s, ok := tok.(*spm.Tokenizer)
			unigram := ok && s.Config().Algorithm == spm.Unigram
			if unigram && slices.Contains([]string{"one", "two", "blank"}, kind) {
				continue // segmentations that are as likely, between which the rounding of sums decides everywhere
			}
			if unigram && s.Config().Rules != nil {
				// As likely, but for the rounding of sums through the whole text.
				a, b := likelihood(s, got), likelihood(s, want)
				if math.Abs(a-b) > 1e-6*math.Abs(b) || !bytes.Equal(tok.AppendDecode(nil, got[2:len(got)-1]), tok.AppendDecode(nil, want[2:len(want)-1])) {
					t.Errorf("%s of %s: %v, want %v", kind, name, a, b)
				}
				continue
			}
			if !slices.Equal(got, want) {
				at := 0
				for at < min(len(got), len(want)) && got[at] == want[at] {
					at++
				}
				t.Errorf("%s of %s: %d tokens, want %d; they part at %d: %d, want %d", kind, name, len(got), len(want), at, got[at:min(at+6, len(got))], want[at:min(at+6, len(want))])
			}
		}
	}
}

func likelihood(t *spm.Tokenizer, ids []int32) (sum float64) {
	for _, id := range ids {
		sum += t.Config().Pieces[id].Score
	}
	return sum
}

// wholeEncoder has one token for any text, and notes the longest.
type wholeEncoder struct {
	mu      sync.Mutex
	longest int
}

func (e *wholeEncoder) AppendEncode(dst []int32, text []byte) []int32 {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.longest = max(e.longest, len(text))
	return append(dst, 1)
}
func (e *wholeEncoder) VocabSize() int       { return 2 }
func (e *wholeEncoder) BeginOfText() []int32 { return nil }
func (e *wholeEncoder) EndOfText() int32     { return 0 }
func (e *wholeEncoder) Fingerprint() string  { return "whole" }

// Pieces that only the whole text tells apart become one up to 3 MiB, no more: memory has a bound.
func TestPiecesThatAreOneWord(t *testing.T) {
	for pieces, want := range [][]int32{1: {1, 0}, 2: {1, 0}, 3: {1, 0}, 4: {1, 1, 0}, 7: {1, 1, 1, 0}} {
		if want == nil {
			continue
		}
		enc := &wholeEncoder{}
		text := slices.Repeat([][]byte{bytes.Repeat([]byte("y"), 1<<20)}, pieces)
		got, err := data.EncodePieces(t.Context(), enc, text)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%d pieces are %d, %v; want %d", pieces, got, err, want)
		}
		if enc.longest > 3<<20+8<<10 {
			t.Errorf("%d pieces: a text of %d bytes", pieces, enc.longest)
		}
	}
}

// seamTokenizers are those of the tests beside the code, and one in five of those made at random, and WordPiece.
func seamTokenizers(t *testing.T) map[string]data.Tokenizer {
	t.Helper()
	all := map[string]data.Tokenizer{}
	for _, path := range []string{"bpe/testdata/hf_gpt2.json", "bpe/testdata/hf_gpt4.json", "bpe/testdata/hf_o200k.json", "spm/testdata/bpe.model", "spm/testdata/bpe_defined.model",
		"spm/testdata/unigram.model", "spm/testdata/unigram_bytes.model"} {
		tok, err := tokenizers.Load(path)
		if err != nil {
			t.Fatal(err)
		}
		all[path] = tok
	}
	file, err := os.Open("tokenizers/testdata/generated.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	text, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	var generated []struct {
		Kind      string
		Tokenizer json.RawMessage
	}
	if err := json.NewDecoder(text).Decode(&generated); err != nil {
		t.Fatal(err)
	}
	for i, g := range generated {
		if i%5 > 0 && g.Kind != "wordpiece" {
			continue
		}
		tok, err := tokenizers.Read(bytes.NewReader(g.Tokenizer), "tokenizer.json")
		if err != nil {
			t.Fatal(err)
		}
		all[fmt.Sprintf("generated %d, %s", i, g.Kind)] = tok
	}
	return all
}
