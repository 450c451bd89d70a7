package generate_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/plan"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/generate"
	"example.com/gotrain/nn/generate/generatetest"
	"example.com/gotrain/nn/gpt2"
)

// scripted is a model of 8 tokens and 12 positions with its generator.
func scripted(t *testing.T, cfg generate.Config) (*generatetest.Script, *generate.Generator) {
	t.Helper()
	s := generatetest.New(t, 8, 12)
	g, err := generate.New(s, s.Store(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s, g
}

// TestChosenIDs has a model emit chosen ids: where a text ends, why, and what it holds.
func TestChosenIDs(t *testing.T) {
	prompt := []int32{1, 2, 1}
	for _, tc := range []struct {
		name    string
		options generate.Options
		context int
		want    []int32
		reason  generate.Reason
	}{
		{"first stop", generate.Options{Stop: []int32{6, 7}}, 0, []int32{3, 4, 3, 5}, "stop"},
		{"second stop", generate.Options{Stop: []int32{7, 6}}, 0, []int32{3, 4, 3, 5}, "stop"},
		{"a later stop", generate.Options{Stop: []int32{7}}, 0, []int32{3, 4, 3, 5, 6, 3}, "stop"},
		{"at once", generate.Options{Stop: []int32{3}}, 0, []int32{}, "stop"},
		{"length", generate.Options{MaxTokens: 3, Stop: []int32{6}}, 0, []int32{3, 4, 3}, "length"},
		{"length at the stop", generate.Options{MaxTokens: 4, Stop: []int32{6}}, 0, []int32{3, 4, 3, 5}, "length"},
		{"context", generate.Options{}, 0, []int32{3, 4, 3, 5, 6, 3, 7, 0, 0, 0}, "context"},
		{"a shorter context", generate.Options{}, 6, []int32{3, 4, 3, 5}, "context"},
		{"length is the context", generate.Options{MaxTokens: 4}, 6, []int32{3, 4, 3, 5}, "length"},
	} {
		s, g := scripted(t, generate.Config{Context: tc.context})
		if err := s.Say(len(prompt)-1, 3, 4, 3, 5, 6, 3, 7); err != nil {
			t.Fatal(err)
		}
		var emitted []int32
		r, err := g.Generate(t.Context(), prompt, tc.options, func(id int32) error {
			emitted = append(emitted, id)
			return nil
		})
		if err != nil || !slices.Equal(r.Tokens, tc.want) || !slices.Equal(emitted, r.Tokens) || r.Reason != tc.reason || r.Reused != 0 {
			t.Errorf("%s: %v, emitted %v, %v", tc.name, r, emitted, err)
		}
		if limit := map[int]int{0: 12}[tc.context] + tc.context; g.Context() != limit {
			t.Errorf("%s: the context is %d, want %d", tc.name, g.Context(), limit)
		}
	}
	if err := func() error { _, g := scripted(t, generate.Config{Context: 6}); return g.Append(make([]int32, 7)...) }(); !errors.Is(err, generate.ErrContext) {
		t.Errorf("7 tokens in a context of 6: %v", err)
	}
}

// TestPenaltyOfTheText: tokens of the prompt and of the answer are less likely once, however
// often they occurred, and 1.2 is enough to tell.
func TestPenaltyOfTheText(t *testing.T) {
	s, g := scripted(t, generate.Config{})
	rows := [][]float32{
		{0, 1.1, 0, 1},                      // 1 is in the prompt, 1.1/1.2 < 1
		{0, 1.1, 0, 1},                      // 3 is in the answer: 1.1/1.2 against 1/1.2
		{0, 1.3, 0, 1, 1},                   // 1 three times by now: 1.3/1.2 > 1 for the 4, but not 1.3/1.2³
		{0, -1.1, 0, -1, -5, -5, -1.25, -5}, // zeros of 0 and 2 are likeliest; 2 is in the prompt, 0·1.2 is 0: the lowest id
	}
	prompt := []int32{1, 2, 1}
	for i, row := range rows {
		if err := s.Row(len(prompt)-1+i, row); err != nil {
			t.Fatal(err)
		}
	}
	options := generate.Options{Sampling: generate.Sampling{RepetitionPenalty: 1.2}, MaxTokens: 4}
	for range 2 { // a second text begins with nothing seen
		r, err := g.Generate(t.Context(), prompt, options, nil)
		if err != nil || !slices.Equal(r.Tokens, []int32{3, 1, 1, 0}) {
			t.Errorf("%v, %v", r, err)
		}
	}
}

// TestSamplerPenaltyByHand: for each history what 1.2 makes of the logits.
func TestSamplerPenaltyByHand(t *testing.T) {
	s, err := generate.NewSampler(generate.Sampling{RepetitionPenalty: 1.2}, 4)
	if err != nil {
		t.Fatal(err)
	}
	for i, tc := range []struct {
		logits  []float32
		history []int32
		want    int32
		left    string
	}{
		{[]float32{2.3, 2, 1, 0}, []int32{0}, 1, "[1.917 2.000 1.000 0.000]"},
		{[]float32{2.5, 2, 1, 0}, []int32{0, 0, 0}, 0, "[2.083 2.000 1.000 0.000]"},
		{[]float32{2.3, 2, 1, 0}, []int32{1, 2, 0}, 0, "[1.917 1.667 0.833 0.000]"},
		{[]float32{-1, -1.1, -3, -4}, []int32{0}, 1, "[-1.200 -1.100 -3.000 -4.000]"},
		{[]float32{-1, -1.1, -3, -4}, nil, 0, "[-1.000 -1.100 -3.000 -4.000]"},
		{[]float32{2.3, 2, 1, 0}, []int32{0}, 1, "[1.917 2.000 1.000 0.000]"},
	} {
		logits := slices.Clone(tc.logits)
		if got, err := s.Next(logits, tc.history); err != nil || got != tc.want || fmt.Sprintf("%.3f", logits) != tc.left {
			t.Errorf("%d: %d of %v, %v; want %d of %s", i, got, logits, err, tc.want, tc.left)
		}
	}
}

// TestPrecisionOfPrograms: decoding and scoring compute in the precision that they are given.
func TestPrecisionOfPrograms(t *testing.T) {
	m, err := gpt2.New(gpt2.Config{Layers: 1, Heads: 2, Width: 16, Context: 16, Vocab: 20}, nn.Tuning{})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []ir.DType{ir.F32, ir.BF16} {
		g, err := generate.Design(m, generate.Config{Compute: want})
		if err != nil {
			t.Fatal(err)
		}
		plans, err := g.Plan(plan.Target{})
		if err != nil {
			t.Fatal(err)
		}
		products := 0
		for _, p := range plans {
			for _, in := range p.Program.Instrs {
				if a, ok := in.Attrs.(ir.MatMulAttrs); ok {
					if products++; a.Compute != want {
						t.Errorf("%s: a product of %s", p.Program.Name, a.Compute)
					}
				}
			}
		}
		if products < 9 {
			t.Errorf("%d products", products)
		}
	}
}
