package generate_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/generate"
	"example.com/gotrain/nn/nntest"
	"example.com/gotrain/nn/seq2seq"
)

// pairModel is a small model of pairs, of 11 tokens, with random parameters.
func pairModel(t *testing.T) (nn.PairModel, *exec.Store) {
	t.Helper()
	m, err := seq2seq.New(seq2seq.Config{Layers: 1, Heads: 2, Width: 16, Context: 9, Vocab: 11}, nn.Tuning{})
	if err != nil {
		t.Fatal(err)
	}
	return m, nntest.Random(t, m, 5, 3)
}

// TestTranslationByScores: what the scorer of pairs says of every continuation decides what a
// translation is: its token each time the likeliest, its score their sum by the length, which
// counts the token that ends it, whatever is translated beside it and in what order.
func TestTranslationByScores(t *testing.T) {
	m, store := pairModel(t)
	scorer, err := generate.NewPairScorer(m, store, generate.Config{})
	if err != nil {
		t.Fatal(err)
	}
	const start, end, most = 1, 7, 6
	sum := func(source, target []int32) (total float64, greedy bool) {
		logs, greedy, err := scorer.Score(source, start, target)
		if err != nil || len(logs) != len(target) {
			t.Fatal(logs, err)
		}
		for _, x := range logs {
			total += float64(x)
		}
		return total, greedy
	}
	sources := [][]int32{{3}, {4, 5, 6}, {7, 8, 9, 10, 3, 4, 5, 6, 7}, {3, 3}, {10, 9}}
	var want []generate.Translation
	for _, source := range sources {
		var w generate.Translation
		score, total := 0.0, 0.0
		for n := 1; ; n++ {
			best, next, mass := math.Inf(-1), int32(0), 0.0
			for token := range int32(11) {
				s, greedy := sum(source, append(slices.Clone(w.Tokens), token))
				if mass += math.Exp(s - total); s > best {
					best, next = s, token
				}
				if n == 1 && greedy && s < best {
					t.Errorf("%v: token %d is greedy and not the likeliest", source, token)
				}
			}
			if math.Abs(mass-1) > 1e-4 {
				t.Errorf("%v: after %v the probabilities sum to %g", source, w.Tokens, mass)
			}
			score, total = best/float64(n), best
			if next == end {
				w.Reason = generate.Stopped
				break
			}
			if w.Tokens = append(w.Tokens, next); n == most {
				w.Reason = generate.Length
				break
			}
		}
		w.Score = score
		want = append(want, w)
	}
	for _, reason := range []generate.Reason{generate.Stopped, generate.Length} {
		if !slices.ContainsFunc(want, func(w generate.Translation) bool { return w.Reason == reason && len(w.Tokens) > 0 }) {
			t.Errorf("no text ends by %s: %+v", reason, want)
		}
	}
	for _, batch := range []int{1, 2, 5} {
		tr, err := generate.NewTranslator(m, store, generate.TranslatorConfig{Batch: batch, Beams: 2, MaxTokens: most})
		if err != nil {
			t.Fatal(err)
		}
		if c := tr.Config(); c.Batch != batch || c.Beams != 2 || c.Source != 9 || c.MaxTokens != most {
			t.Errorf("%+v", c)
		}
		for _, order := range [][]int{{0, 1, 2, 3, 4}, {4, 2, 0, 1, 3}} {
			for at := 0; at < len(order); at += batch {
				part := order[at:min(len(order), at+batch)]
				var texts [][]int32
				for _, i := range part {
					texts = append(texts, sources[i])
				}
				got, err := tr.Translate(t.Context(), texts, start, generate.BeamOptions{Beams: 1, MaxTokens: most, LengthPenalty: 1, Stop: []int32{end}})
				if err != nil || len(got) != len(part) {
					t.Fatal(got, err)
				}
				for k, i := range part {
					w := want[i]
					if !slices.Equal(got[k].Tokens, w.Tokens) || got[k].Reason != w.Reason || math.Abs(got[k].Score-w.Score) > 1e-3 {
						t.Errorf("batch %d: %v gives %+v, want %+v", batch, sources[i], got[k], w)
					}
				}
			}
		}
		// Two beams without a bound find no worse text than one.
		got, err := tr.Translate(t.Context(), sources[:1], start, generate.BeamOptions{Beams: 2, MaxTokens: most, Stop: []int32{end}, EarlyStopping: generate.StopNever})
		if err != nil {
			t.Fatal(err)
		}
		text := got[0].Tokens
		if got[0].Reason == generate.Stopped {
			text = append(slices.Clone(text), end)
		}
		if total, _ := sum(sources[0], text); math.Abs(total-got[0].Score) > 1e-3 {
			t.Errorf("two beams: %+v, whose tokens have %g", got[0], total)
		}
	}
}

// TestFaultsOfPairs holds the whole text of what a translator and a scorer of pairs refuse.
func TestFaultsOfPairs(t *testing.T) {
	m, store := pairModel(t)
	design := func(c generate.TranslatorConfig) error { _, err := generate.NewTranslator(m, store, c); return err }
	tr, err := generate.NewTranslator(m, store, generate.TranslatorConfig{Batch: 2, Source: 3})
	if err != nil {
		t.Fatal(err)
	}
	scorer, err := generate.NewPairScorer(m, store, generate.Config{})
	if err != nil {
		t.Fatal(err)
	}
	translate := func(sources ...[]int32) error {
		_, err := tr.Translate(t.Context(), sources, 1, generate.BeamOptions{})
		return err
	}
	score := func(source, target []int32) error { _, _, err := scorer.Score(source, 1, target); return err }
	long := make([]int32, 10)
	_, bare := generate.NewPairScorer(m, exec.NewStore(store.Backend()), generate.Config{})
	for _, tc := range []struct {
		name string
		err  error
		want string
	}{
		{"batch", design(generate.TranslatorConfig{Batch: -1}), "<nil>"}, {"beams", design(generate.TranslatorConfig{Beams: -1}), "<nil>"}, {"many beams", design(generate.TranslatorConfig{Beams: 6}), "generate: 6 beams of a vocabulary of 11: use 5 or fewer"}, {"source", design(generate.TranslatorConfig{Source: 10}), "generate: the tokens of a source are at most 10, outside [1, 9], the model's context"},
		{"most", design(generate.TranslatorConfig{MaxTokens: 10}), "generate: the tokens of a translation are at most 10, outside [1, 9], the model's context"}, {"fits", design(generate.TranslatorConfig{Beams: 5, Source: 9, MaxTokens: 9}), "<nil>"}, {"three", translate(long[:1], long[:1], long[:1]), "generate: 3 sources; 2 are translated at once"}, {"long", translate(long[:1], long[:4]), "generate: a source of 4 tokens does not fit in 3: the context is full"},
		{"token", translate([]int32{11}), "generate: token 11 is outside the vocabulary of 11"}, {"no target", score(long[:1], nil), "generate: a target without tokens has no likelihood"}, {"long target", score(long[:1], long), "generate: a side of 10 tokens does not fit the context of 9: the context is full"}, {"long source", score(long, long[:1]), "generate: a side of 10 tokens does not fit the context of 9: the context is full"}, {"token of a target", score(long[:1], []int32{-1}), "generate: token -1 is outside the vocabulary of 11"}, {"no parameters", bare, `generate: the store does not hold parameter "model.shared.weight" (11, 16): load or initialise the model first`},
	} {
		if got := fmt.Sprint(tc.err); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, got, tc.want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := tr.Translate(ctx, [][]int32{{3}}, 1, generate.BeamOptions{}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
