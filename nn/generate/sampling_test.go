package generate

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// distribution is what Sampling promises, worked out the slow way.
func distribution(cfg Sampling, logits []float32) []float64 {
	type tok struct {
		id int
		p  float64
	}
	var toks []tok
	peak := float64(slices.Max(logits))
	for i, x := range logits {
		toks = append(toks, tok{i, math.Exp((float64(x) - peak) / cfg.Temperature)})
	}
	slices.SortStableFunc(toks, func(a, b tok) int {
		switch {
		case a.p > b.p:
			return -1
		case a.p < b.p:
			return 1
		}
		return 0
	})
	normalise := func() {
		sum := 0.0
		for _, t := range toks {
			sum += t.p
		}
		for i := range toks {
			toks[i].p /= sum
		}
	}
	if cfg.TopK > 0 {
		toks = toks[:min(cfg.TopK, len(toks))]
	}
	normalise()
	if cfg.TopP > 0 && cfg.TopP < 1 {
		n, sum := 0, 0.0
		for n < len(toks) && (n == 0 || sum < cfg.TopP) {
			sum += toks[n].p
			n++
		}
		toks = toks[:n]
	}
	for len(toks) > 1 && toks[len(toks)-1].p < cfg.MinP*toks[0].p {
		toks = toks[:len(toks)-1]
	}
	normalise()
	p := make([]float64, len(logits))
	for _, t := range toks {
		p[t.id] = t.p
	}
	return p
}

func TestSamplerDistribution(t *testing.T) {
	logits := []float32{0.3, -1, 2, 2, 0.1, 1.2, float32(math.Inf(-1)), -3}
	const draws = 20000
	for _, cfg := range []Sampling{
		{Temperature: 1}, {Temperature: 0.5}, {Temperature: 2},
		{Temperature: 1, TopK: 1}, {Temperature: 1, TopK: 3}, {Temperature: 1, TopK: 100},
		{Temperature: 1, TopP: 0.5}, {Temperature: 1, TopP: 0.9}, {Temperature: 1, TopP: 1e-9},
		{Temperature: 1, MinP: 0.2}, {Temperature: 1, MinP: 1},
		{Temperature: 1, TopK: 3, TopP: 0.8}, {Temperature: 1, TopK: 2, TopP: 1}, {Temperature: 1, TopK: 4, MinP: 0.3},
		{Temperature: 1.5, TopK: 5, TopP: 0.9, MinP: 0.3},
	} {
		s, err := NewSampler(cfg, len(logits))
		if err != nil {
			t.Fatal(err)
		}
		count := make([]float64, len(logits))
		for range draws {
			token, err := s.Next(slices.Clone(logits), nil)
			if err != nil {
				t.Fatal(err)
			}
			count[token]++
		}
		for i, p := range distribution(cfg, logits) {
			got, sigma := count[i]/draws, math.Sqrt(p*(1-p)/draws)
			if p == 0 && got > 0 || math.Abs(got-p) > 5*sigma {
				t.Errorf("%+v: token %d came with frequency %.4f, want %.4f", cfg, i, got, p)
			}
		}
	}
}

func TestSamplerGreedyAndPenalty(t *testing.T) {
	for _, c := range []struct {
		cfg     Sampling
		logits  []float32
		history []int32
		want    int32
	}{
		{Sampling{}, []float32{1, 3, 3, 2}, nil, 1},
		{Sampling{RepetitionPenalty: 1.2}, []float32{1, 3, 2.4, 2}, []int32{1, 1}, 1}, // 3/1.2 once, not 3/1.44
		{Sampling{RepetitionPenalty: 2}, []float32{-1, -1.5, -2}, []int32{0}, 1},      // -1·2
		{Sampling{RepetitionPenalty: 1.4}, []float32{1, 3, 2, 2}, []int32{1}, 1},      // 3/1.4 > 2
		{Sampling{RepetitionPenalty: 1}, []float32{1, 3, 2.9, 2}, []int32{1}, 1},
	} {
		s, err := NewSampler(c.cfg, len(c.logits))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.Next(slices.Clone(c.logits), c.history); got != c.want || err != nil {
			t.Errorf("%+v on %v after %v: %d, %v, want %d", c.cfg, c.logits, c.history, got, err, c.want)
		}
	}
}

func TestSamplerRefuses(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	s, err := NewSampler(Sampling{Temperature: 1}, 3)
	if err != nil {
		t.Fatal(err)
	}
	for _, logits := range [][]float32{{1, nan, 2}, {nan, 1, 2}, {1, inf, 0}, {-inf, -inf, -inf}} {
		if _, err := s.Next(slices.Clone(logits), nil); !errors.Is(err, ErrNotFinite) {
			t.Errorf("%v: got %v, want ErrNotFinite", logits, err)
		}
	}
	_, err = NewSampler(Sampling{Temperature: -1, TopK: -1, TopP: 2, MinP: math.NaN(), RepetitionPenalty: -2}, 3)
	for _, want := range []string{"temperature -1", "top-k -1", "top-p 2", "min-p NaN", "repetition penalty -2"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("lacks %q: %v", want, err)
		}
	}
}

func TestRankingSorts(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for n := range 40 {
		var r ranking
		var want []candidate
		for i := range n {
			c := candidate{float64(rng.IntN(8)), int32(i)}
			want = append(want, c)
			r.add(c)
		}
		r.build()
		slices.SortFunc(want, func(a, b candidate) int {
			if a.before(b) {
				return -1
			}
			return 1
		})
		for i, c := range want {
			if got := r.at(i); got != c {
				t.Fatalf("rank %d of %d is %v, want %v", i, n, got, c)
			}
		}
	}
}

// BenchmarkSampler chooses among GPT-2's vocabulary.
func BenchmarkSampler(b *testing.B) {
	const vocab = 50257
	rng := rand.New(rand.NewPCG(1, 1))
	logits := make([]float32, vocab)
	for i := range logits {
		logits[i] = float32(3 * rng.NormFloat64())
	}
	for _, c := range []struct {
		name string
		cfg  Sampling
	}{
		{"greedy", Sampling{}}, {"plain", Sampling{Temperature: 1}},
		{"topk40", Sampling{Temperature: 1, TopK: 40}}, {"topp0.9", Sampling{Temperature: 1, TopP: 0.9}},
	} {
		b.Run(c.name, func(b *testing.B) {
			s, err := NewSampler(c.cfg, vocab)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Next(logits, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestSeeds: each seed makes choices of its own, the same whenever it is given.
func TestSeeds(t *testing.T) {
	seen := map[string]uint64{}
	for _, seed := range []uint64{0, 1, 2, 3, 1 << 32, 1<<32 + 1, 1 << 63, 1<<64 - 1, 1<<64 - 2} {
		var first string
		for range 2 {
			s, err := NewSampler(Sampling{Temperature: 1, Seed: seed}, 1000)
			if err != nil {
				t.Fatal(err)
			}
			var ids []int32
			for range 8 {
				id, err := s.Next(make([]float32, 1000), nil)
				if err != nil {
					t.Fatal(err)
				}
				ids = append(ids, id)
			}
			text := fmt.Sprint(ids)
			if first != "" && text != first {
				t.Errorf("seed %d chooses %s, then %s", seed, first, text)
			}
			first = text
		}
		if other, ok := seen[first]; ok {
			t.Errorf("seeds %d and %d choose %s", other, seed, first)
		}
		seen[first] = seed
	}
}
