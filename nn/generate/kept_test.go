package generate_test

import (
	"context"
	"math"
	"slices"
	"testing"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/nn/generate"
	"example.com/gotrain/nn/generate/generatetest"
)

// TestKept: a batch tells which tokens it has drawn from, of a script whose probabilities are
// known, and LogProbs renormalises among them, whatever stands in other rows.
func TestKept(t *testing.T) {
	logits := []float32{0, 2, 4, 3, 1} // after any token
	m := generatetest.New(t, len(logits), 16)
	for token := range logits {
		if err := m.Row(token, logits); err != nil {
			t.Fatal(err)
		}
	}
	b, err := generate.NewBatch(m, m.Store(), generate.BatchConfig{Temperature: 2})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		options generate.Sampling
		kept    []int32
	}{
		"top-k":        {generate.Sampling{TopK: 3}, []int32{1, 2, 3}},
		"top-p":        {generate.Sampling{TopK: 4, TopP: 0.6}, []int32{2, 3}}, // 0.45 and 0.27 of the best four
		"min-p":        {generate.Sampling{TopK: 4, MinP: 0.5}, []int32{2, 3}}, // e^-½, then e^-1
		"all that are": {generate.Sampling{TopK: 9}, []int32{0, 1, 2, 3, 4}},
	} {
		request := generate.Request{Prompt: []int32{0, 1}, Samples: 40, Keep: true, Options: generate.Options{Sampling: c.options, MaxTokens: 4, Stop: []int32{3}}}
		request.Temperature = 1
		samples, err := b.Generate(context.Background(), []generate.Request{request}, nil)
		if err != nil {
			t.Fatal(err)
		}
		l, err := generate.DesignLogProbs(m, generate.Config{}, 3, autograd.LogProbConfig{Temperature: 2, Kept: 5})
		if err != nil {
			t.Fatal(err)
		}
		bind(t, l, m.Store())
		var texts []generate.Scored
		for _, s := range samples {
			text := slices.Concat(request.Prompt, s.Tokens)
			if s.End >= 0 {
				text = append(text, s.End)
			}
			if len(s.Kept) != len(text)-2 {
				t.Fatalf("%s: %d sets of %d tokens", name, len(s.Kept), len(text)-2)
			}
			for i, kept := range s.Kept {
				if kept[0] != text[2+i] || !slices.Equal(slices.Sorted(slices.Values(kept)), c.kept) {
					t.Fatalf("%s: token %d was drawn from %v, want itself first of %v", name, text[2+i], kept, c.kept)
				}
			}
			texts = append(texts, generate.Scored{Text: text, First: 2, Kept: s.Kept})
		}
		all, err := l.Of(texts)
		if err != nil {
			t.Fatal(err)
		}
		sum := 0.0
		for _, token := range c.kept {
			sum += math.Exp(float64(logits[token]) / 2)
		}
		for i, logProbs := range all {
			for k, got := range logProbs {
				if want := float64(logits[texts[i].Text[2+k]])/2 - math.Log(sum); math.Abs(float64(got)-want) > 1e-5 {
					t.Fatalf("%s: the log-probability of token %d is %g, want %g", name, texts[i].Text[2+k], got, want)
				}
			}
		}
	}
	if _, err := b.Generate(context.Background(), []generate.Request{{Prompt: []int32{0}, Keep: true}}, nil); err == nil {
		t.Error("the likeliest token was kept from nothing")
	}
}

// bind plans and binds a tool on its own.
func bind(t *testing.T, l *generate.LogProbs, store *exec.Store) {
	t.Helper()
	plans, err := l.Plan(store.Backend().Target())
	if err != nil {
		t.Fatal(err)
	}
	arena, err := exec.NewArena(store.Backend(), plans[0].Arena)
	if err == nil {
		err = l.Bind(store, arena)
	}
	if err != nil {
		t.Fatal(err)
	}
}
