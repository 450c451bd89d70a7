package generate_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"example.com/gotrain/nn/generate"
)

// TestStops cuts texts into pieces at random: what comes out is the text before the first
// stop, or all of it.
func TestStops(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	letters := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = "ab\n"[rng.IntN(3)]
		}
		return string(b)
	}
	for range 3000 {
		text := letters(rng.IntN(20))
		stops := []string{letters(rng.IntN(4)), letters(1 + rng.IntN(5))}
		want, found := text, false
		for end := 1; end <= len(text) && !found; end++ {
			for _, stop := range stops {
				if stop != "" && strings.HasSuffix(text[:end], stop) && end-len(stop) < len(want) {
					want, found = text[:end-len(stop)], true
				}
			}
		}
		s := generate.NewStops(stops)
		got, stopped := "", false
		for rest := text; rest != "" && !stopped; {
			n := 1 + rng.IntN(len(rest))
			var out []byte
			out, stopped = s.Next([]byte(rest[:n]))
			got, rest = got+string(out), rest[n:]
		}
		if !stopped {
			got += string(s.Rest())
		}
		if got != want || stopped != found {
			t.Fatalf("%q with stops %q: got %q, %v, want %q, %v", text, stops, got, stopped, want, found)
		}
	}
}
