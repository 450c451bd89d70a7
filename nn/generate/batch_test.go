package generate_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/cpu"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/plan"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/gemma3"
	"example.com/gotrain/nn/generate"
	"example.com/gotrain/nn/generate/generatetest"
	"example.com/gotrain/nn/gpt2"
	"example.com/gotrain/nn/llama"
	"example.com/gotrain/nn/lstm"
)

func newBatch(t *testing.T, m nn.LanguageModel, store *exec.Store, cfg generate.BatchConfig) *generate.Batch {
	t.Helper()
	b, err := generate.NewBatch(m, store, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// requests are prompts of many lengths with samples of several temperatures.
func requests() []generate.Request {
	var all []generate.Request
	for i, n := range []int{1, 2, 9, 66, 5, 73, 30} {
		prompt := make([]int32, n)
		for j := range prompt {
			prompt[j] = int32((7*i + 3*j + j*j) % vocab)
		}
		all = append(all, generate.Request{
			Prompt: prompt, Samples: 1 + i%4, First: i,
			Options: generate.Options{Sampling: generate.Sampling{Temperature: float64(i%3) / 2, Seed: 5}, MaxTokens: 20 * (i % 2), Stop: []int32{3}},
		})
	}
	return all
}

func run(t *testing.T, b *generate.Batch, all ...generate.Request) []generate.Sample {
	t.Helper()
	samples, err := b.Generate(context.Background(), all, nil)
	if err != nil {
		t.Fatal(err)
	}
	return samples
}

func sameSample(a, b generate.Sample) bool {
	return slices.Equal(a.Tokens, b.Tokens) && slices.EqualFunc(a.LogProbs, b.LogProbs, sameBits) && a.Reason == b.Reason && a.End == b.End && sameBits(a.EndLogProb, b.EndLogProb)
}

func sameBits(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) }

// TestBatchIsNoMatter: a text and its log-probabilities are the same to the bit whether it
// is written alone, with two others or with many, in 8 rows or in 24.
func TestBatchIsNoMatter(t *testing.T) {
	for name, m := range models(t) {
		store := load(t, m)
		wide := run(t, newBatch(t, m, store, generate.BatchConfig{Rows: 17}), requests()...)
		store = load(t, m)
		narrow := newBatch(t, m, store, generate.BatchConfig{Rows: 1})
		for _, together := range []int{1, 3, len(requests())} {
			var got []generate.Sample
			for part := range slices.Chunk(requests(), together) {
				if together == 1 { // each sample for itself
					one := part[0]
					one.Samples = 1
					for range part[0].Samples {
						got = append(got, run(t, narrow, one)...)
						one.First++
					}
					continue
				}
				got = append(got, run(t, narrow, part...)...)
			}
			if len(got) != len(wide) {
				t.Fatalf("%s: %d samples, want %d", name, len(got), len(wide))
			}
			for i := range got {
				if !sameSample(got[i], wide[i]) {
					t.Errorf("%s, %d at once: sample %d is %v, with all of them %v", name, together, i, got[i], wide[i])
				}
			}
		}
	}
}

// TestBatchIsTraining: the log-probabilities of a batch are to the bit those of the programs
// that train and evaluate on the texts, each in a row of its own.
func TestBatchIsTraining(t *testing.T) {
	all := models(t)
	for name, c := range map[string]any{
		"gemma3": &gemma3.Config{Layers: 2, Heads: 4, KVHeads: 1, HeadDim: 24, Width: 32, FFN: 48, Context: contextLength, Vocab: vocab, SlidingWindow: 3, GlobalEvery: 2},
		"sparse": &gpt2.Config{Layers: 1, Heads: 2, Width: 32, Context: contextLength, Vocab: vocab, Attention: &nn.AttentionOptions{Kind: "local_global", Block: 64}},
		"wide":   &llama.Config{Layers: 1, Heads: 6, KVHeads: 2, HeadDim: 68, Width: 400, FFN: 900, Context: contextLength, Vocab: vocab, QKVBias: true},
	} {
		all[name] = model(t, c)
	}
	for name, m := range all {
		for i, isa := range cpu.ISAs() {
			if name == "wide" && i == 0 { // generic
				continue
			}
			compute := []ir.DType{ir.F32, ir.BF16}[(i+len(name))%2]
			if isa == cpu.ISAs()[len(cpu.ISAs())-1] {
				checkTraining(t, name+" "+isa, m, isa, ir.F32)
				compute = ir.BF16
			}
			checkTraining(t, name+" "+isa, m, isa, compute)
		}
	}
}

func checkTraining(t *testing.T, name string, m nn.LanguageModel, isa string, compute ir.DType) {
	t.Helper()
	store := loadOn(t, m, isa)
	b := newBatch(t, m, store, generate.BatchConfig{Config: generate.Config{Compute: compute}})
	if !b.Exact() {
		t.Errorf("%s: a batch on the CPU is not exact", name)
	}
	all := requests()
	samples := run(t, b, all...)
	for _, trains := range []bool{true, false} {
		score := scoreRows(t, m, store, compute, trains)
		for some := range slices.Chunk(samples, scoredRows) {
			var texts [][]int32
			for _, s := range some {
				text := append(slices.Clone(all[s.Request].Prompt), s.Tokens...)
				if s.End >= 0 {
					text = append(text, s.End)
				}
				texts = append(texts, text)
			}
			got := score(texts)
			for i, s := range some {
				want := s.LogProbs
				if s.End >= 0 {
					want = append(want, s.EndLogProb)
				}
				nll := got[i][len(all[s.Request].Prompt)-1:]
				for k := range want {
					if !sameBits(-nll[k], want[k]) {
						t.Errorf("%s %s, training %t: token %d of sample %d of request %d: %g, in the batch %g", name, compute, trains, k, s.Number, s.Request, -nll[k], want[k])
						break
					}
				}
			}
		}
	}
}

// scoredRows is how many texts scoreRows takes at once.
const scoredRows = 6

// scoreRows returns the NLL of each token of texts after the first, by a program over
// rows of whole contexts, with or without gradients.
func scoreRows(t *testing.T, m nn.LanguageModel, store *exec.Store, compute ir.DType, trains bool) func(texts [][]int32) [][]float32 {
	t.Helper()
	fatal := func(err error) {
		if err != nil {
			t.Helper()
			t.Fatal(err)
		}
	}
	g := autograd.NewGraph()
	var p *ir.Program
	var err error
	if trains {
		loss, nll := nn.Training(g, m, nn.Rows{Batch: scoredRows, Length: contextLength}, autograd.LossConfig{})
		p, _, err = g.LowerTrain("train", g.Grad(loss, g.Params()...), autograd.GradStore, nll)
	} else {
		_, nll := nn.Evaluation(g, m, nn.Rows{Batch: scoredRows, Length: contextLength})
		p, err = g.Lower("eval", nll)
	}
	fatal(err)
	built, err := plan.Build(p, plan.Options{Compute: compute, Target: store.Backend().Target()})
	fatal(err)
	arena, err := exec.NewArena(store.Backend(), built.Arena)
	fatal(err)
	session, err := exec.NewSession(built, store, arena)
	fatal(err)
	const n = scoredRows * contextLength
	return func(texts [][]int32) [][]float32 {
		ids, targets, positions := make([]int32, n), make([]int32, n), make([]int32, n)
		for i := range n {
			targets[i], positions[i] = -1, int32(i%contextLength)
		}
		for row, text := range texts {
			for i := range text[1:] {
				at := row*contextLength + i
				ids[at], targets[at] = text[i], text[i+1]
			}
		}
		fatal(session.SetInts("ids", ids))
		fatal(session.SetInts("targets", targets))
		if _, recurrent := m.(*lstm.Model); !recurrent {
			fatal(session.SetInts("positions", positions))
		}
		fatal(session.SetFloats("loss_weight", []float32{1}))
		fatal(session.Run())
		nll := make([]float32, n)
		fatal(session.Output(0, nll))
		var each [][]float32
		for row, text := range texts {
			each = append(each, nll[row*contextLength:][:len(text)-1])
		}
		return each
	}
}

// TestBatchIsGenerator: without chance a batch writes what a Generator does.
func TestBatchIsGenerator(t *testing.T) {
	for name, m := range models(t) {
		store := load(t, m)
		g, b := newGenerator(t, m, store), newBatch(t, m, store, generate.BatchConfig{})
		all := requests()
		for i := range all {
			all[i].Temperature, all[i].Samples = 0, 1
			all[i].RepetitionPenalty = 1 + float64(i%2)/4
		}
		for i, s := range run(t, b, all...) {
			want, err := g.Generate(context.Background(), all[i].Prompt, all[i].Options, nil)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(s.Tokens, want.Tokens) || s.Reason != want.Reason {
				t.Errorf("%s: request %d gives %v (%s), a generator %v (%s)", name, i, s.Tokens, s.Reason, want.Tokens, want.Reason)
			}
		}
	}
}

// TestBatchTemperature: that of the configuration is that of the log-probabilities.
func TestBatchTemperature(t *testing.T) {
	m := generatetest.New(t, 3, 8)
	if err := m.Row(0, []float32{0, 2, 4}); err != nil {
		t.Fatal(err)
	}
	b := newBatch(t, m, m.Store(), generate.BatchConfig{Temperature: 2})
	s := run(t, b, generate.Request{Prompt: []int32{1}, Options: generate.Options{MaxTokens: 1}})[0]
	want := 2 - math.Log(1+math.E+math.Exp(2))
	if s.Tokens[0] != 2 || math.Abs(float64(s.LogProbs[0])-want) > 1e-6 {
		t.Errorf("token %d with log-probability %g, want 2 with %g", s.Tokens[0], s.LogProbs[0], want)
	}
}

// TestBatchDiffers: samples of a prompt differ, and so do seeds.
func TestBatchDiffers(t *testing.T) {
	m := models(t)["llama"]
	b := newBatch(t, m, load(t, m), generate.BatchConfig{})
	seen := map[string]bool{}
	for seed := range uint64(2) {
		r := generate.Request{Prompt: []int32{1, 2}, Samples: 4, Options: generate.Options{Sampling: generate.Sampling{Temperature: 2, Seed: seed}, MaxTokens: 12}}
		for _, s := range run(t, b, r) {
			seen[fmt.Sprint(s.Tokens)] = true
		}
	}
	if len(seen) != 8 {
		t.Errorf("%d different texts of 2 seeds with 4 samples each", len(seen))
	}
}

// TestBatchRefuses names the request that asks for what a batch does not do.
func TestBatchRefuses(t *testing.T) {
	m := models(t)["gpt2"]
	b := newBatch(t, m, load(t, m), generate.BatchConfig{})
	good := generate.Request{Prompt: []int32{1}}
	for name, bad := range map[string]generate.Request{
		"no prompt":   {},
		"long prompt": {Prompt: make([]int32, contextLength+1)},
		"vocabulary":  {Prompt: []int32{vocab}},
		"slides":      {Prompt: []int32{1}, Options: generate.Options{Slide: true, MaxTokens: 3}},
		"temperature": {Prompt: []int32{1}, Options: generate.Options{Sampling: generate.Sampling{Temperature: -1}}},
		"negative":    {Prompt: []int32{1}, Samples: -1},
	} {
		if _, err := b.Generate(context.Background(), []generate.Request{good, bad}, nil); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	short := generatetest.New(t, 3, 7)
	if _, err := generate.NewBatch(short, short.Store(), generate.BatchConfig{}); err == nil {
		t.Error("a context of 7 tokens is accepted")
	}
	if _, err := generate.NewBatch(m, load(t, m), generate.BatchConfig{Temperature: -1}); err == nil {
		t.Error("a negative temperature is accepted")
	}
}

// TestBatchNamesTheSample: logits that are no numbers name the sample, its request and how far it was.
func TestBatchNamesTheSample(t *testing.T) {
	m := models(t)["gpt2"]
	store := load(t, m)
	for _, p := range m.Params() {
		if strings.Contains(p.Name, "ln_f") {
			if err := store.Write(p.State(), slices.Repeat([]float32{float32(math.NaN())}, p.Shape.Size())); err != nil {
				t.Fatal(err)
			}
		}
	}
	b := newBatch(t, m, store, generate.BatchConfig{Rows: 2})
	_, err := b.Generate(context.Background(), []generate.Request{{Prompt: []int32{1, 2, 3}, First: 7, Options: generate.Options{MaxTokens: 3}}}, nil)
	if err == nil || !strings.Contains(err.Error(), "sample 7 of request 0, after 3 tokens") || !errors.Is(err, generate.ErrNotFinite) {
		t.Error(err)
	}
}

// TestBatchStops: an error of done ends the work with what is there.
func TestBatchStops(t *testing.T) {
	m := models(t)["gpt2"]
	b := newBatch(t, m, load(t, m), generate.BatchConfig{Rows: 8})
	enough, count := errors.New("enough"), 0
	r := generate.Request{Prompt: []int32{1}, Samples: 30, Options: generate.Options{MaxTokens: 3}}
	samples, err := b.Generate(context.Background(), []generate.Request{r}, func(*generate.Sample) error {
		if count++; count == 4 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) || len(samples) != 30 || len(samples[3].Tokens) != 3 || len(samples[29].Tokens) != 0 {
		t.Errorf("%v with %d samples", err, len(samples))
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := b.Generate(ctx, []generate.Request{r}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled context: %v", err)
	}
}
