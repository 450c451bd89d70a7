package generate_test

import (
	"math"
	"testing"

	"example.com/gotrain/nn/generate"
)

// TestByPosition compares the means with scores of each window alone, whatever number of
// windows is read at once.
func TestByPosition(t *testing.T) {
	const context, stride = 12, 5
	text := randomText(40) // windows at 0, 5, …, 25
	for name, m := range models(t) {
		t.Run(name, func(t *testing.T) {
			store := load(t, m)
			scorer, err := generate.NewScorer(m, store, generate.Config{Context: context})
			if err != nil {
				t.Fatal(err)
			}
			want := make([]float64, context)
			for at := 0; at <= 25; at += stride {
				logs, err := scorer.Score(text[at:at+1], text[at+1:at+1+context])
				if err != nil {
					t.Fatal(err)
				}
				for i, log := range logs {
					want[i] -= float64(log) / 6
				}
			}
			for _, batch := range []int{1, 4, 9} {
				got, err := generate.ByPosition(t.Context(), m, store, generate.Config{Context: context}, text[:38], stride, batch)
				if err != nil || len(got) != context {
					t.Fatal(len(got), err)
				}
				for i := range want {
					if math.Abs(got[i]-want[i]) > 1e-4 {
						t.Errorf("%d windows at once: position %d has %g, want %g", batch, i, got[i], want[i])
					}
				}
			}
			for _, c := range []struct {
				tokens        []int32
				stride, batch int
			}{{text[:context], 1, 1}, {text, 0, 1}, {text, 1, 0}, {append([]int32{vocab}, text...), 1, 1}} {
				if _, err := generate.ByPosition(t.Context(), m, store, generate.Config{Context: context}, c.tokens, c.stride, c.batch); err == nil {
					t.Errorf("%d tokens, stride %d, batch %d are not refused", len(c.tokens), c.stride, c.batch)
				}
			}
		})
	}
}
