package generate_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/autograd/cpu"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/plan"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/gemma3"
	"example.com/gotrain/nn/generate"
	"example.com/gotrain/nn/gpt2"
	"example.com/gotrain/nn/llama"
	"example.com/gotrain/nn/lstm"
	"example.com/gotrain/nn/nntest"
	"example.com/gotrain/nn/zoo"
)

const contextLength, vocab = 80, 29

func models(t *testing.T) map[string]nn.LanguageModel {
	t.Helper()
	all := map[string]nn.LanguageModel{}
	for name, c := range map[string]any{
		"gpt2":    &gpt2.Config{Layers: 2, Heads: 2, Width: 16, Context: contextLength, Vocab: vocab},
		"llama":   &llama.Config{Layers: 2, Heads: 4, KVHeads: 2, Width: 32, FFN: 40, Context: contextLength, Vocab: vocab},
		"mistral": &llama.Config{Layers: 2, Heads: 4, KVHeads: 1, Width: 32, FFN: 40, Context: contextLength, Vocab: vocab, SlidingWindow: 7},
		"lstm":    &lstm.Config{Layers: 2, Width: 24, Projection: 16, Context: contextLength, Vocab: vocab},
		"gru":     &lstm.Config{Kind: lstm.GRU, Layers: 1, Width: 16, Context: contextLength, Vocab: vocab},
	} {
		all[name] = model(t, c)
	}
	return all
}

// model is that of a family's configuration.
func model(t *testing.T, c any) nn.LanguageModel {
	t.Helper()
	family := llama.Name
	switch c.(type) {
	case *gpt2.Config:
		family = gpt2.Name
	case *gemma3.Config:
		family = gemma3.Name
	case *lstm.Config:
		family = lstm.Name
	}
	m, err := zoo.Families().New(nn.Spec{Family: family, Config: c}, nn.Tuning{})
	if err != nil {
		t.Fatal(err)
	}
	l, err := nn.AsLanguageModel(m)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// load returns a store that holds m with weights of some size.
func load(t *testing.T, m nn.LanguageModel) *exec.Store {
	t.Helper()
	return loadOn(t, m, "")
}

// loadOn is load with the kernels of an instruction set.
func loadOn(t *testing.T, m nn.LanguageModel, isa string) *exec.Store {
	t.Helper()
	b, err := cpu.New(cpu.Config{Threads: 2, ISA: isa})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	store := exec.NewStore(b)
	rng := rand.New(rand.NewPCG(5, 6))
	for _, p := range m.Params() {
		if _, err := store.Ensure(p.State(), ir.F32, p.Shape); err != nil {
			t.Fatal(err)
		}
		w := make([]float32, p.Shape.Size())
		for i := range w {
			w[i] = float32(p.Init.Value + 0.25*rng.NormFloat64())
		}
		if err := store.Write(p.State(), w); err != nil {
			t.Fatal(err)
		}
	}
	return store
}

func newGenerator(t *testing.T, m nn.LanguageModel, store *exec.Store) *generate.Generator {
	t.Helper()
	g, err := generate.New(m, store, generate.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// forward returns the logits (T, V) of the whole text.
func forward(t *testing.T, m nn.LanguageModel, store *exec.Store, text []int32) []float32 {
	t.Helper()
	graph, logits := nn.Logits(m, nn.Rows{Batch: 1, Length: len(text)})
	p, err := graph.Lower("logits", logits)
	if err != nil {
		t.Fatal(err)
	}
	s := nntest.Session(t, store, p, plan.Options{})
	positions := make([]int32, len(text))
	for i := range positions {
		positions[i] = int32(i)
	}
	out := make([]float32, len(text)*vocab)
	if _, reads := s.Input("positions"); reads {
		if err := s.SetInts("positions", positions); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(s.SetInts("ids", text), s.Run(), s.Output(0, out)); err != nil {
		t.Fatal(err)
	}
	return out
}

func randomText(n int) []int32 {
	rng := rand.New(rand.NewPCG(7, 8))
	text := make([]int32, n)
	for i := range text {
		text[i] = int32(rng.IntN(vocab))
	}
	return text
}

func near(t *testing.T, what string, got, want []float32, tol float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d elements, want %d", what, len(got), len(want))
		return
	}
	for i := range got {
		if d := math.Abs(float64(got[i]) - float64(want[i])); !(d <= tol*(1+math.Abs(float64(want[i])))) {
			t.Errorf("%s: element %d is %g, want %g", what, i, got[i], want[i])
			return
		}
	}
}

// TestAppendEqualsForward fills the context in several ways: by programs that end beyond the
// text and such that begin before what is new.
func TestAppendEqualsForward(t *testing.T) {
	text := randomText(contextLength)
	for name, m := range models(t) {
		t.Run(name, func(t *testing.T) {
			store := load(t, m)
			want := forward(t, m, store, text)
			g := newGenerator(t, m, store)
			for _, pieces := range [][]int{{contextLength}, {1, 64, 15}, {3, 70, 1, 1, 1, 4}, slices.Repeat([]int{1}, contextLength)} {
				g.Truncate(0)
				end := 0
				for _, n := range pieces {
					if err := g.Append(text[end : end+n]...); err != nil {
						t.Fatal(err)
					}
					end += n
					near(t, "logits", g.Logits(), want[(end-1)*vocab:end*vocab], 1e-5)
				}
				if !slices.Equal(g.Tokens(), text) {
					t.Errorf("holds %v, want %v", g.Tokens(), text)
				}
			}
		})
	}
}

func TestGreedyEqualsForward(t *testing.T) {
	for name, m := range models(t) {
		t.Run(name, func(t *testing.T) {
			store := load(t, m)
			prompt := randomText(10)
			var streamed []int32
			got, err := newGenerator(t, m, store).Generate(context.Background(), prompt, generate.Options{MaxTokens: 12},
				func(token int32) error { streamed = append(streamed, token); return nil })
			if err != nil {
				t.Fatal(err)
			}
			text := slices.Clone(prompt)
			for range 12 {
				logits := forward(t, m, store, text)
				last := logits[len(logits)-vocab:]
				text = append(text, int32(slices.Index(last, slices.Max(last))))
			}
			if want := text[len(prompt):]; !slices.Equal(got.Tokens, want) || !slices.Equal(streamed, want) || got.Reason != generate.Length {
				t.Errorf("got %+v, streamed %v, want %v", got, streamed, want)
			}
		})
	}
}

func TestGenerateEnds(t *testing.T) {
	m := models(t)["llama"]
	g := newGenerator(t, m, load(t, m))
	prompt := randomText(10)
	sampling := generate.Sampling{Temperature: 1, TopP: 0.95, Seed: 3}
	run := func(opt generate.Options, emit func(int32) error) generate.Result {
		t.Helper()
		r, err := g.Generate(context.Background(), prompt, opt, emit)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	all := run(generate.Options{Sampling: sampling}, nil)
	if want := contextLength - len(prompt) + 1; all.Reason != generate.Full || len(all.Tokens) != want {
		t.Errorf("%d tokens, reason %q, want %d, context", len(all.Tokens), all.Reason, want)
	}
	if again := run(generate.Options{Sampling: sampling}, nil); !slices.Equal(all.Tokens, again.Tokens) {
		t.Error("one seed gave two texts")
	}
	other := sampling
	other.Seed++
	if again := run(generate.Options{Sampling: other}, nil); slices.Equal(all.Tokens, again.Tokens) {
		t.Error("two seeds gave one text")
	}
	short := run(generate.Options{Sampling: sampling, MaxTokens: 5}, nil)
	if !slices.Equal(short.Tokens, all.Tokens[:5]) || short.Reason != generate.Length {
		t.Errorf("five tokens: %+v, want %v", short, all.Tokens[:5])
	}
	stop := all.Tokens[6]
	first := slices.Index(all.Tokens, stop)
	stopped := run(generate.Options{Sampling: sampling, Stop: []int32{-1, stop}}, nil)
	if !slices.Equal(stopped.Tokens, all.Tokens[:first]) || stopped.Reason != generate.Stopped {
		t.Errorf("stop token %d: %+v, want %v", stop, stopped, all.Tokens[:first])
	}
	emitted := 0
	stopped = run(generate.Options{Sampling: sampling}, func(int32) error {
		if emitted++; emitted == 3 {
			return generate.ErrStop
		}
		return nil
	})
	if !slices.Equal(stopped.Tokens, all.Tokens[:3]) || stopped.Reason != generate.Stopped {
		t.Errorf("ErrStop from emit: %+v, want %v", stopped, all.Tokens[:3])
	}
	ctx, cancel := context.WithCancel(context.Background())
	partial, err := g.Generate(ctx, prompt, generate.Options{Sampling: sampling}, func(int32) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) || !slices.Equal(partial.Tokens, all.Tokens[:1]) {
		t.Errorf("cancelled: %+v, %v", partial, err)
	}
}

// TestReuse continues a conversation: only what is new enters the caches.
func TestReuse(t *testing.T) {
	m := models(t)["gpt2"]
	store := load(t, m)
	g := newGenerator(t, m, store)
	first := randomText(20)
	if _, err := g.Generate(context.Background(), first, generate.Options{MaxTokens: 1}, nil); err != nil {
		t.Fatal(err)
	}
	second := append(slices.Clone(first[:15]), 1, 2, 3)
	opt := generate.Options{MaxTokens: 9}
	fresh, err := g.Generate(context.Background(), second, opt, nil)
	if err != nil || fresh.Reused != 0 {
		t.Fatalf("%+v, %v", fresh, err)
	}
	if _, err := g.Generate(context.Background(), first, generate.Options{MaxTokens: 1}, nil); err != nil {
		t.Fatal(err)
	}
	opt.Reuse = true
	reused, err := g.Generate(context.Background(), second, opt, nil)
	if err != nil || reused.Reused != 15 || !slices.Equal(reused.Tokens, fresh.Tokens) {
		t.Errorf("%+v, %v, want 15 reused and %v", reused, err, fresh.Tokens)
	}
	// The whole prompt is there: its last token runs again for its logits.
	if again, err := g.Generate(context.Background(), second, opt, nil); err != nil || again.Reused != len(second)-1 || !slices.Equal(again.Tokens, fresh.Tokens) {
		t.Errorf("%+v, %v, want %d reused and %v", again, err, len(second)-1, fresh.Tokens)
	}
}

// TestResume takes another text up where it parts from the one in the caches, also
// where that goes on longer.
func TestResume(t *testing.T) {
	m := models(t)["llama"]
	store := load(t, m)
	g := newGenerator(t, m, store)
	text := randomText(30)
	if err := g.Append(text...); err != nil {
		t.Fatal(err)
	}
	for _, want := range [][]int32{append(slices.Clone(text[:20]), 3, 1, 2), text[:21], text, {5}} {
		if err := g.Resume(want); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(g.Tokens(), want) {
			t.Errorf("resumed %v, want %v", g.Tokens(), want)
		}
		if err := g.Append(4); err != nil {
			t.Fatal(err)
		}
		logits := forward(t, m, store, append(slices.Clone(want), 4))
		near(t, "logits", g.Logits(), logits[len(logits)-vocab:], 1e-5)
	}
}

// TestCompute generates and scores with operands rounded to bfloat16: close to float32
// and not the same.
func TestCompute(t *testing.T) {
	m := models(t)["gpt2"]
	store := load(t, m)
	text := randomText(20)
	var logits, likelihood [2][]float32
	for i, compute := range []ir.DType{ir.F32, ir.BF16} {
		g, err := generate.New(m, store, generate.Config{Compute: compute})
		if err != nil {
			t.Fatal(err)
		}
		s, err := generate.NewScorer(m, store, generate.Config{Compute: compute})
		if err != nil {
			t.Fatal(err)
		}
		if err := g.Append(text...); err != nil {
			t.Fatal(err)
		}
		logits[i] = slices.Clone(g.Logits())
		if likelihood[i], err = s.Score(text[:5], text[5:]); err != nil {
			t.Fatal(err)
		}
	}
	near(t, "logits", logits[1], logits[0], 0.1)
	near(t, "log-likelihood", likelihood[1], likelihood[0], 0.1)
	if slices.Equal(logits[0], logits[1]) || slices.Equal(likelihood[0], likelihood[1]) {
		t.Error("bfloat16 computes the bits of float32")
	}
}

func TestSeesNewParameters(t *testing.T) {
	m := models(t)["gpt2"]
	store := load(t, m)
	g := newGenerator(t, m, store)
	text := randomText(5)
	if err := g.Append(text...); err != nil {
		t.Fatal(err)
	}
	before := slices.Clone(g.Logits())
	if err := store.Write("transformer.ln_f.weight", make([]float32, 16)); err != nil {
		t.Fatal(err)
	}
	g.Truncate(0)
	if err := g.Append(text...); err != nil {
		t.Fatal(err)
	}
	if slices.Equal(before, g.Logits()) {
		t.Error("the generator does not see the store's new values")
	}
	near(t, "logits", g.Logits(), forward(t, m, store, text)[4*vocab:], 1e-5)
}

func TestDecodingAllocatesNothing(t *testing.T) {
	for name, m := range models(t) {
		store := load(t, m)
		g := newGenerator(t, m, store)
		sampler, err := generate.NewSampler(generate.Sampling{Temperature: 1, TopK: 5, TopP: 0.9, RepetitionPenalty: 1.1}, vocab)
		if err != nil {
			t.Fatal(err)
		}
		if err := g.Append(1, 2, 3); err != nil {
			t.Fatal(err)
		}
		allocs := testing.AllocsPerRun(50, func() {
			token, err := sampler.Next(g.Logits(), g.Tokens())
			if err != nil {
				t.Fatal(err)
			}
			if err := g.Append(token); err != nil {
				t.Fatal(err)
			}
		})
		if allocs != 0 {
			t.Errorf("%s: %g allocations a token", name, allocs)
		}
	}
}

func TestScore(t *testing.T) {
	for name, m := range models(t) {
		t.Run(name, func(t *testing.T) {
			store := load(t, m)
			s, err := generate.NewScorer(m, store, generate.Config{})
			if err != nil {
				t.Fatal(err)
			}
			text := randomText(contextLength + 20)
			for _, c := range []struct{ prompt, completion int }{{1, 1}, {4, 9}, {31, 2}, {1, contextLength}, {60, 21}, {contextLength, 20}} {
				end := c.prompt + c.completion
				got, err := s.Score(text[:c.prompt], text[c.prompt:end])
				if err != nil {
					t.Fatal(err)
				}
				start := max(0, end-1-contextLength) // what does not fit is left out
				logits := forward(t, m, store, text[start:end-1])
				var want []float32
				for i := c.prompt; i < end; i++ {
					row := logits[(i-1-start)*vocab : (i-start)*vocab]
					sum := 0.0
					for _, x := range row {
						sum += math.Exp(float64(x))
					}
					want = append(want, float32(float64(row[text[i]])-math.Log(sum)))
				}
				near(t, "log-likelihood", got, want, 1e-5)
			}
			if got, err := s.Score(text[:3], nil); err != nil || len(got) != 0 {
				t.Errorf("an empty completion gave %v, %v", got, err)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	m := models(t)["gpt2"]
	store := load(t, m)
	g := newGenerator(t, m, store)
	s, err := generate.NewScorer(m, store, generate.Config{})
	if err != nil {
		t.Fatal(err)
	}
	gen := func(prompt []int32, opt generate.Options) error {
		_, err := g.Generate(context.Background(), prompt, opt, nil)
		return err
	}
	score := func(prompt, completion []int32) error {
		_, err := s.Score(prompt, completion)
		return err
	}
	_, empty := generate.New(m, exec.NewStore(store.Backend()), generate.Config{})
	_, long := generate.New(m, store, generate.Config{Context: contextLength + 1})
	failed := errors.New("pipe closed")
	_, emit := g.Generate(context.Background(), []int32{1}, generate.Options{}, func(int32) error { return failed })
	for _, c := range []struct {
		err  error
		want string
	}{
		{gen(nil, generate.Options{}), "the prompt is empty"},
		{gen(make([]int32, contextLength+1), generate.Options{}), "a prompt of 81 tokens does not fit the context of 80"},
		{gen([]int32{vocab}, generate.Options{}), "token 29 is outside the vocabulary of 29"},
		{gen([]int32{1}, generate.Options{MaxTokens: -1}), "at most -1 tokens"},
		{gen([]int32{1}, generate.Options{Sampling: generate.Sampling{TopP: 3}}), "top-p 3"},
		{score(nil, []int32{1}), "the prompt is empty"},
		{score([]int32{1}, make([]int32, contextLength+1)), "a completion of 81 tokens does not fit"},
		{score([]int32{1}, []int32{-4}), "token -4 is outside"},
		{empty, `the store does not hold parameter "transformer.wte.weight" (29, 16)`},
		{long, "context 81 is outside [1, 80]"},
		{emit, "pipe closed"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("got %v, want %q", c.err, c.want)
		}
	}
	g.Truncate(0)
	if err := g.Append(make([]int32, contextLength)...); err != nil {
		t.Fatal(err)
	}
	if err := g.Append(1); !errors.Is(err, generate.ErrContext) {
		t.Errorf("beyond the context: %v", err)
	}
	// Weights that have diverged end the text, not the process.
	if err := store.Write("transformer.ln_f.weight", slices.Repeat([]float32{float32(math.NaN())}, 16)); err != nil {
		t.Fatal(err)
	}
	if err := gen([]int32{1}, generate.Options{}); !errors.Is(err, generate.ErrNotFinite) {
		t.Errorf("NaN weights: %v", err)
	}
}

// TestRolesHaveCachesOfTheirOwn has two models of one store speak by turns.
func TestRolesHaveCachesOfTheirOwn(t *testing.T) {
	store := load(t, models(t)["gpt2"])
	config := gpt2.Config{Layers: 2, Heads: 2, Width: 16, Context: contextLength, Vocab: vocab}
	var speakers []*generate.Generator
	for i, role := range []string{"policy", "reference"} {
		m, err := gpt2.New(config, nn.Tuning{Role: role})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range m.Params() {
			if _, err := store.Ensure(p.State(), ir.F32, p.Shape); err != nil {
				t.Fatal(err)
			}
		}
		if err := nn.Initialize(m.Params(), uint64(i), store.WriteAt); err != nil {
			t.Fatal(err)
		}
		speakers = append(speakers, newGenerator(t, m, store))
	}
	text := []int32{3, 1, 4, 1, 5, 9, 2, 6}
	var want [2][]float32
	for i, g := range speakers {
		if err := g.Append(text...); err != nil {
			t.Fatal(err)
		}
		want[i] = slices.Clone(g.Logits())
		g.Truncate(0)
	}
	if slices.Equal(want[0], want[1]) {
		t.Fatal("the models are the same")
	}
	for _, token := range text {
		for _, g := range speakers {
			if err := g.Append(token); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i, g := range speakers {
		for j, x := range g.Logits() {
			if math.Abs(float64(x-want[i][j])) > 1e-5*(1+math.Abs(float64(want[i][j]))) {
				t.Fatalf("model %d: logit %d is %g, alone %g", i, j, x, want[i][j])
			}
		}
	}
}

// TestSlide compares a text that goes on beyond the context with one that reads each
// window as a prompt of its own.
func TestSlide(t *testing.T) {
	for name, m := range models(t) {
		store := load(t, m)
		g, naive := newGenerator(t, m, store), newGenerator(t, m, load(t, m))
		for _, n := range []int{3, contextLength, contextLength + 9} {
			prompt := randomText(n)
			got, err := g.Generate(t.Context(), prompt, generate.Options{MaxTokens: 2 * contextLength, Slide: true}, nil)
			if err != nil || got.Reason != generate.Length || len(got.Tokens) != 2*contextLength {
				t.Fatalf("%s, prompt of %d: %d tokens, ended by %s, %v", name, n, len(got.Tokens), got.Reason, err)
			}
			text := slices.Clone(prompt)
			window := max(0, len(text)-contextLength)
			for i, token := range got.Tokens {
				if len(text)-window > contextLength {
					window = len(text) - contextLength/2
				}
				next, err := naive.Generate(t.Context(), text[window:], generate.Options{MaxTokens: 1}, nil)
				if err != nil {
					t.Fatal(err)
				}
				if next.Tokens[0] != token {
					t.Fatalf("%s, prompt of %d: token %d is %d, want %d", name, n, i, token, next.Tokens[0])
				}
				text = append(text, token)
			}
		}
	}
	_, err := newGenerator(t, models(t)["gpt2"], load(t, models(t)["gpt2"])).Generate(t.Context(), []int32{1}, generate.Options{Slide: true}, nil)
	if err == nil || !strings.Contains(err.Error(), "set MaxTokens") {
		t.Fatalf("a text without end: %v", err)
	}
}
