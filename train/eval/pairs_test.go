package eval

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/data"
	"example.com/gotrain/data/bpe"
	"example.com/gotrain/data/pairs"
	"example.com/gotrain/data/tokenizers"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/generate"
	"example.com/gotrain/nn/nntest"
	"example.com/gotrain/nn/seq2seq"
	"example.com/gotrain/nn/xl"
	"example.com/gotrain/train/config"
)

// pairSubject reads bytes, in 40 tokens a side; its texts begin with "^" and end with end-of-text or "." .
func pairSubject(t *testing.T) PairSubject {
	t.Helper()
	tokens, err := bpe.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	m, err := seq2seq.New(seq2seq.Config{Layers: 1, Heads: 2, Width: 16, Context: 40, Vocab: tokens.Vocab()}, nn.Tuning{})
	if err != nil {
		t.Fatal(err)
	}
	return PairSubject{Model: m, Store: nntest.Random(t, m, 9, 10), Encoder: pairs.Encoder{Tokens: tokens, Start: '^', End: 256}, Ends: []int32{256}}
}

// likely are the log-likelihoods of a target.
func (s PairSubject) likely(t *testing.T, source string, target []int32) (logs []float64, sum float64) {
	t.Helper()
	scorer, err := generate.NewPairScorer(s.Model, s.Store, generate.Config{})
	if err != nil {
		t.Fatal(err)
	}
	out, _, err := scorer.Score([]int32(byteIDs(source)), '^', target)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range out {
		logs, sum = append(logs, float64(x)), sum+float64(x)
	}
	return logs, sum
}

// byteIDs are the tokens of a text in bytes.
func byteIDs(text string) (ids []int32) {
	for _, b := range []byte(text) {
		ids = append(ids, int32(b))
	}
	return ids
}

// TestPairsByDefinition: the figures of a set are sums over its pairs, each by itself, whatever the batch.
func TestPairsByDefinition(t *testing.T) {
	s := pairSubject(t)
	list := [][2]string{{"red", "rot"}, {"a green tree", "ein grüner Baum"}, {"blue", "blau"}, {strings.Repeat("long ", 9), "lang"}, {"x", strings.Repeat("y", 39)}}
	set, _, _, err := pairs.Build(t.Context(), s.Encoder, 40, 0, pairs.Split{}, func(yield func(pairs.Pair, error) bool) {
		for _, p := range list {
			if !yield(pairs.Pair{Source: p[0], Target: p[1]}, nil) {
				return
			}
		}
	})
	if err != nil || set.Len() != 4 {
		t.Fatalf("%d pairs, %v", set.Len(), err)
	}
	sum, tokens, bytes := 0.0, 0, 0
	for i, p := range list {
		if i == 3 {
			continue // longer than the context
		}
		_, x := s.likely(t, p[0], append(byteIDs(p[1]), 256))
		sum, tokens, bytes = sum-x, tokens+len(p[1])+1, bytes+len(p[1])
	}
	nll := sum / float64(tokens)
	for _, batch := range []int{1, 3} {
		got, err := s.Pairs(set, batch)
		if err != nil || got.BitsPerByte == nil {
			t.Fatalf("%+v, %v", got, err)
		}
		if math.Abs(got.NLL-nll) > 1e-4*nll || math.Abs(got.PPL-math.Exp(nll)) > 1e-3*got.PPL || got.Tokens != tokens || got.Bytes != int64(bytes) || got.Documents != 4 || math.Abs(*got.BitsPerByte-sum/math.Ln2/float64(bytes)) > 1e-3 {
			t.Errorf("batches of %d: %+v; want an NLL of %g over %d tokens, %d bytes", batch, got, nll, tokens, bytes)
		}
	}
	// A run whose weights have diverged says so.
	p := s.Model.Params()[0]
	if err := s.Store.WriteAt(p.State(), 0, slices.Repeat([]float32{float32(math.NaN())}, p.Shape.Size())); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Pairs(set, 1); err != ErrNotFinite {
		t.Errorf("of weights that are not numbers: %v", err)
	}
}

// sources are the tokens of texts.
func (s PairSubject) sources(texts ...string) (all [][]int32) {
	for _, text := range texts {
		all = append(all, s.Encoder.Source(text))
	}
	return all
}

// TestTranslateInOrder: texts come with their places, cut where they are too long, whatever is translated beside them.
func TestTranslateInOrder(t *testing.T) {
	s := pairSubject(t)
	texts := []string{"a long sentence of words", "red", "green trees", "b", "blue and yellow birds sing"}
	alone := make([]Translated, len(texts))
	opt := generate.BeamOptions{Beams: 2, LengthPenalty: 1, MaxTokens: 7}
	for i, text := range texts {
		if err := s.Translate(t.Context(), s.sources(text), 1, opt, func(_ int, x Translated) error { alone[i] = x; return nil }); err != nil {
			t.Fatal(err)
		}
		x := alone[i]
		target := slices.Clone(x.Tokens)
		if x.EndedBy == generate.Stopped {
			target = append(target, 256)
		}
		if _, sum := s.likely(t, text, target); len(target) > 7 || math.Abs(x.Score-sum/float64(len(target))) > 1e-3 || x.EndedBy != generate.Stopped && len(target) != 7 {
			t.Errorf("%q: %+v, of likelihood %g", text, x, sum)
		}
		var want []byte
		for _, id := range x.Tokens {
			if id < 256 && id != '^' {
				want = append(want, byte(id))
			}
		}
		if x.Text != string(want) {
			t.Errorf("%q gives the tokens %v and the text %q", text, x.Tokens, x.Text)
		}
	}
	for _, batch := range []int{2, 16} {
		seen := map[int]bool{}
		if err := s.Translate(t.Context(), s.sources(texts...), batch, opt, func(i int, x Translated) error {
			seen[i] = true
			if !slices.Equal(x.Tokens, alone[i].Tokens) || x.EndedBy != alone[i].EndedBy || math.Abs(x.Score-alone[i].Score) > 1e-4 {
				t.Errorf("batches of %d, text %d: %+v, alone %+v", batch, i, x, alone[i])
			}
			return nil
		}); err != nil || len(seen) != len(texts) {
			t.Errorf("%d texts, %v", len(seen), err)
		}
	}
	if err := s.Translate(t.Context(), s.sources("a", strings.Repeat("b", 41)), 2, opt, nil); err == nil || !strings.Contains(err.Error(), "text 2 has 41 tokens, and the model reads 40 at most") {
		t.Error(err)
	}
	if err := s.Translate(t.Context(), s.sources(strings.Repeat("b", 40)), 2, opt, func(int, Translated) error { return nil }); err != nil {
		t.Error(err)
	}
	broken := fmt.Errorf("broken")
	if err := s.Translate(t.Context(), s.sources(texts...), 2, opt, func(int, Translated) error { return broken }); err != broken {
		t.Error(err)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if err := s.Translate(stopped, s.sources(texts...), 2, opt, nil); err != context.Canceled {
		t.Error(err)
	}
}

// TestPairAnswers: completions are targets without an end, prompts lose their beginning; answers end before a stop.
func TestPairAnswers(t *testing.T) {
	s := pairSubject(t)
	scorer, err := NewPairScorer(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ prompt, completion string }{{"red", "rot"}, {"green", "grün"}, {strings.Repeat("a", 10) + strings.Repeat("b", 40), "x"}} {
		over := max(0, len(c.prompt)-40)
		logs, sum := s.likely(t, c.prompt[over:], byteIDs(c.completion))
		l, err := scorer.Score(Question{Line: 5, Prompt: c.prompt, Completion: c.completion})
		n := float64(len(c.completion))
		if err != nil || l.Line != 5 || l.Overflow != over || l.Tokens != len(logs) || math.Abs(l.LogLikelihood-sum) > 1e-4 || math.Abs(l.PerToken-sum/n) > 1e-4 || math.Abs(l.PerByte-sum/n) > 1e-4 ||
			len(l.TokenLogprobs) != len(logs) || math.Abs(float64(l.TokenLogprobs[0])-logs[0]) > 1e-4 || l.Greedy {
			t.Errorf("%q, %q: %+v, %v; want %g, %v", c.prompt, c.completion, l, err, sum, logs)
		}
	}
	var first Translated
	if err := s.Translate(t.Context(), s.sources("red"), 1, generate.BeamOptions{MaxTokens: 3}, func(_ int, x Translated) error { first = x; return nil }); err != nil {
		t.Fatal(err)
	}
	if l, err := scorer.Score(Question{Prompt: "red", Completion: string(s.Encoder.Tokens.AppendDecode(nil, first.Tokens))}); err == nil && slices.Equal(byteIDs(first.Text), first.Tokens) && !l.Greedy {
		t.Errorf("what is written greedily, %q, is not greedy: %+v", first.Text, l)
	}
	if _, err := scorer.Score(Question{Prompt: "red"}); err == nil || err.Error() != `the completion "" has no token` {
		t.Error(err)
	}
	a, err := NewPairAnswers(s)
	if err != nil {
		t.Fatal(err)
	}
	queries := []Query{{Prompt: "red", Completions: []string{" rot\n", "blau"}}, {Prompt: "blue", Completions: []string{"blau"}}}
	n := 0
	if err := a.Score(t.Context(), queries, func(i int, scores []Completion) error {
		if i != n || len(scores) != len(queries[i].Completions) {
			t.Errorf("query %d as %d: %v", i, n, scores)
		}
		for c, text := range queries[i].Completions {
			if _, sum := s.likely(t, queries[i].Prompt, byteIDs(strings.TrimSpace(text))); math.Abs(scores[c].LogLikelihood-sum) > 1e-4 {
				t.Errorf("query %d, %q: %+v, want %g", i, text, scores[c], sum)
			}
		}
		n++
		return nil
	}); err != nil || n != 2 {
		t.Errorf("%d queries, %v", n, err)
	}
	if err := a.Score(t.Context(), []Query{{Source: "q:1", Prompt: "red", Completions: []string{" "}}}, nil); err == nil || !strings.HasPrefix(err.Error(), "q:1: ") {
		t.Error(err)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if err := a.Score(stopped, queries, nil); err != context.Canceled {
		t.Error(err)
	}
	// The text that is written greedily, up to the first of the stops.
	var written Translated
	if err := s.Translate(t.Context(), s.sources("blue"), 1, generate.BeamOptions{MaxTokens: 12}, func(_ int, x Translated) error { written = x; return nil }); err != nil {
		t.Fatal(err)
	}
	if got, _, err := a.Generate(t.Context(), "blue", nil, 12); err != nil || got != written.Text || written.Text == "" {
		t.Errorf("%q, want %q, %v", got, written.Text, err)
	}
	stop1 := written.Text[len(written.Text)/2:]
	want, _, _ := strings.Cut(written.Text, stop1)
	if got, _, err := a.Generate(t.Context(), "blue", []string{stop1, "not there"}, 12); err != nil || got != want {
		t.Errorf("before %q: %q, want %q, %v", stop1, got, want, err)
	}
	if _, _, err := a.Generate(t.Context(), "blue", nil, 1000); err != nil {
		t.Errorf("more tokens than the context: %v", err)
	}
	// Of a prompt that is too long the end counts, and it is told.
	long := strings.Repeat("p", 30) + strings.Repeat("blue", 10)
	got, overflow, err := a.Generate(t.Context(), long, nil, 12)
	if end, none, err2 := a.Generate(t.Context(), long[30:], nil, 12); err != nil || err2 != nil || got != end || overflow != 30 || none != 0 {
		t.Errorf("a long prompt gives %q, its end %q; %d and %d tokens are left out: %v, %v", got, end, overflow, none, err, err2)
	}
	if err := a.Score(t.Context(), []Query{{Prompt: long, Completions: []string{"blau"}}}, func(_ int, scores []Completion) error {
		if _, sum := s.likely(t, long[30:], byteIDs("blau")); math.Abs(scores[0].LogLikelihood-sum) > 1e-4 || scores[0].Overflow != 30 {
			t.Errorf("behind a long prompt: %+v, want %g", scores[0], sum)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

// TestDistances: tokens that see one token, two, four, … and all; the last is what Text scores. Where a token sees
// itself alone, texts of the same transitions score the same in another order.
func TestDistances(t *testing.T) {
	tokens, err := bpe.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	m, err := xl.New(xl.Config{Layers: 1, Heads: 2, Width: 16, Context: 6, Memory: 5, Vocab: tokens.Vocab()}, nn.Tuning{})
	if err != nil {
		t.Fatal(err)
	}
	store := nntest.Random(t, m, 9, 10)
	enc := tokenizers.NewEncoder(tokens, nil, 256)
	prepare := func(text string) *data.Set {
		dir := t.TempDir()
		p, err := data.Prepare(t.Context(), data.Config{Paths: []string{write(t, dir, "a.txt", text)}, Format: data.FormatText, CacheDir: dir}, enc, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { p.Close() })
		return p.Train
	}
	cfg := config.Default(config.Tables{})
	one, other := prepare("abcabdacbdabdcab"), prepare("abdcabcabdacbdab") // the same transitions
	all, err := Distances(cfg, m, store, one, enc, 1)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Distances(cfg, m, store, other, enc, 1)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := Text(cfg, m, store, one, enc, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	var reach []int
	for _, d := range all {
		reach = append(reach, d.Tokens)
		if d.TextScore.Tokens != 16 || d.Bytes != 16 || d.Documents != 1 {
			t.Errorf("%+v", d)
		}
	}
	if !slices.Equal(reach, []int{1, 2, 4, 8, 11}) {
		t.Errorf("the distances are %v", reach)
	}
	if math.Abs(all[0].NLL-again[0].NLL) > 1e-5 || math.Abs(all[1].NLL-again[1].NLL) < 1e-4 || all[4].NLL != whole.NLL || all[0].NLL == all[1].NLL || all[3].NLL == all[2].NLL {
		t.Errorf("%+v\n%+v\n%+v", all, again, whole)
	}
	subject, err := subject()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Distances(cfg, subject.Model, subject.Store, one, enc, 1); err == nil || !strings.Contains(err.Error(), "family gpt2 sees no distances") {
		t.Error(err)
	}
	if _, err := Text(cfg, m, store, one, enc, 1, 3); err == nil || !strings.Contains(err.Error(), "leave the stride out") {
		t.Error(err)
	}
}
