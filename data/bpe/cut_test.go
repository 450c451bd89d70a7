package bpe

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// cutAll returns the pre-tokens of text as windows cut them, what they leave cut by next, and how many bytes they cut.
func cutAll(s *splitter, w *window, text []byte) (words []string, cut int) {
	for at := 0; at < len(text); {
		end := s.cut(w, text[at:])
		if end == 0 {
			next := s.next(text, at)
			words = append(words, string(text[at:next]))
			at = next
			continue
		}
		cut += end
		begin := 0
		for i := 0; i <= end; i++ {
			if has(w.starts[i/blockBytes], i) {
				words = append(words, string(text[at+begin:at+i]))
				begin = i
			}
		}
		if begin != end {
			words = append(words, "BAD")
		}
		at += end
	}
	return words, cut
}

// hostile makes text of pieces, of which few or many kinds come, so that runs of all lengths meet the borders of blocks.
func hostile(rng *rand.Rand, n int) string {
	some := make([]string, 1+rng.IntN(12))
	for i := range some {
		some[i] = pieces[rng.IntN(len(pieces))]
		if rng.IntN(20) == 0 {
			some[i] = string([]byte{byte(rng.IntN(256)), byte(rng.IntN(256))})
		}
	}
	var b strings.Builder
	for b.Len() < n {
		piece := some[rng.IntN(len(some))]
		for range 1 + rng.IntN(4)*rng.IntN(4) {
			b.WriteString(piece)
		}
	}
	return b.String()
}

// TestCutMatchesNext: windows cut hostile text as the scanners do, which are the definition.
func TestCutMatchesNext(t *testing.T) {
	for _, p := range Patterns() {
		t.Run(p.String(), func(t *testing.T) {
			s := newSplitter(p)
			rng := rand.New(rand.NewPCG(31, uint64(p)))
			var w window
			all, cut := 0, 0
			for range 1000 {
				text := []byte(hostile(rng, 64+rng.IntN(1200)))
				want := splitAll(&s, text)
				got, n := cutAll(&s, &w, text)
				for i := range min(len(got), len(want)) {
					if got[i] != want[i] {
						before := strings.Join(want[max(i-4, 0):i], "·")
						t.Fatalf("after %q:\n got %q\nwant %q", before, got[i:min(i+4, len(got))], want[i:min(i+4, len(want))])
					}
				}
				if len(got) != len(want) {
					t.Fatalf("%d pre-tokens, want %d", len(got), len(want))
				}
				all, cut = all+len(text), cut+n
			}
			if cut < all/2 {
				t.Errorf("windows cut %d of %d bytes", cut, all)
			}
		})
	}
}

// TestClassify: the assembly describes all bytes, in all places, as the definition does.
func TestClassify(t *testing.T) {
	rng := rand.New(rand.NewPCG(33, 34))
	for range 200 {
		text := make([]byte, 5*blockBytes)
		for i := range text {
			text[i] = byte(rng.IntN(256))
			if i < blockBytes {
				text[i] &= 0x7F
			}
		}
		var got, want [5]block
		classifyBlocks(got[:], text)
		classifyGeneric(want[:], text)
		if got != want {
			t.Fatalf("%q:\n got %x\nwant %x", text, got, want)
		}
	}
}
