package seq2seq

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/plan"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/generate"
	"example.com/gotrain/nn/nntest"
)

// TestConfigRoundTrip reads back the config.json of each variant.
func TestConfigRoundTrip(t *testing.T) {
	for _, c := range []Config{
		{Layers: 2, Heads: 2, Width: 16, Context: 12, Vocab: 31},
		{Layers: 2, DecoderLayers: 1, Heads: 2, Width: 16, FFN: 20, Context: 12, Vocab: 31, Activation: "silu", Dropout: 0.1},
		{Variant: BART, Layers: 2, Heads: 2, Width: 16, Context: 12, Vocab: 31, ScaleEmbeddings: nn.Bool(true)},
		{Layers: 1, Heads: 2, Width: 16, Context: 12, Vocab: 31, Tied: nn.Bool(false)}, // without counterpart
		{Variant: LSTM, Layers: 1, Heads: 2, Width: 16, Context: 12, Vocab: 31},
		{Variant: T5, Layers: 2, Heads: 2, Width: 16, Context: 12, Vocab: 31},
		{Variant: T5, Layers: 2, DecoderLayers: 1, Heads: 3, HeadDim: 8, Width: 16, Context: 12, Vocab: 31, Gated: true, Tied: nn.Bool(false), Buckets: 8, MaxDistance: 20, Dropout: 0.1},
		{Variant: T5, Layers: 1, Heads: 2, Width: 16, Context: 12, Vocab: 31, Gated: true, Activation: "silu", ScaleLogits: nn.Bool(false), InitStd: 0.125},
		{Variant: T5, Layers: 1, Heads: 2, Width: 16, Context: 12, Vocab: 31, Activation: "gelu", ScaleLogits: nn.Bool(true), Tied: nn.Bool(false)},
		{Variant: T5, Layers: 1, Heads: 2, Width: 16, Context: 12, Vocab: 31, Gated: true, Activation: "gelu"}, // without counterpart
	} {
		m, err := New(c, nn.Tuning{})
		if err != nil {
			t.Fatal(err)
		}
		special := nn.SpecialTokens{BOS: -1, PAD: 0, EOS: []int{1}, Start: []int{0}}
		text, err := nn.ConfigJSON(m, special)
		if err != nil {
			t.Fatal(err)
		}
		spec, err := nn.Families{Family()}.Parse(text)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		got := spec.Config.(*Config)
		if nn.IsSet(c.Tied) || c.Tied == nil {
			got.SetHeadBias(false) // the weights tell
		}
		if want := m.Config(); !reflect.DeepEqual(got, want) {
			t.Errorf("read back %+v, want %+v", got, want)
		}
		if back, err := nn.ParseSpecialTokens("config.json", text); err != nil || !reflect.DeepEqual(back, special) {
			t.Errorf("special tokens %+v, %v", back, err)
		}
	}
}

func TestFaults(t *testing.T) {
	for want, c := range map[string]Config{
		"model.width: 10 does not divide into 4 heads": {Layers: 1, Heads: 4, Width: 10, Context: 8, Vocab: 9},
		"model.width: 9 is odd, and each direction":    {Variant: LSTM, Layers: 1, Heads: 3, Width: 9, Context: 8, Vocab: 9},
		`model.variant: "t6" is not one of`:            {Variant: "t6", Layers: 1, Heads: 1, Width: 8, Context: 8, Vocab: 9},
		"model.context: is missing":                    {Layers: 1, Heads: 1, Width: 8, Vocab: 9},
		"model.vocab: is missing":                      {Layers: 1, Heads: 1, Width: 8, Context: 8},
		"model.gated: is a key of variant t5":          {Layers: 1, Heads: 1, Width: 8, Context: 8, Vocab: 9, Gated: true},
		"model.buckets: 6 is no multiple of 4":         {Variant: T5, Layers: 1, Heads: 1, Width: 8, Context: 8, Vocab: 9, Buckets: 6},
		"model.max_distance: 16 is outside (16,":       {Variant: T5, Layers: 1, Heads: 1, Width: 8, Context: 8, Vocab: 9, MaxDistance: 16},
		"model.logits_bias: is no key of variant t5":   {Variant: T5, Layers: 1, Heads: 1, Width: 8, Context: 8, Vocab: 9, LogitsBias: nn.Bool(true)},
		`model.activation: "mish" is unknown`:          {Layers: 1, Heads: 1, Width: 8, Context: 8, Vocab: 9, Activation: "mish"},
	} {
		if _, err := New(c, nn.Tuning{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", c, err, want)
		}
	}
}

// TestPacking: pairs that share a row do not see each other. What a pair scores beside
// another, told apart by segments, is what it scores in a row of its own.
func TestPacking(t *testing.T) {
	for _, variant := range []string{Transformer, BART, T5, LSTM} {
		t.Run(variant, func(t *testing.T) {
			m, err := New(Config{Variant: variant, Layers: 2, Heads: 2, Width: 16, Context: 16, Vocab: 31, InitStd: 0.3}, nn.Tuning{})
			if err != nil {
				t.Fatal(err)
			}
			checkPacking(t, m)
			checkDecoding(t, m)
		})
	}
}

// checkDecoding: the caches give what whole sequences do. The likelihood of what a search
// with one beam writes is that of its tokens in a row.
func checkDecoding(t *testing.T, m *Model) {
	t.Helper()
	store := nntest.Open(t)
	initialise(t, store, m)
	source := []int32{3, 4, 5, 6, 7}
	tr, err := generate.NewTranslator(m, store, generate.TranslatorConfig{Batch: 2, Beams: 3, Source: 8, MaxTokens: 8})
	if err != nil {
		t.Fatal(err)
	}
	scorer, err := generate.NewPairScorer(m, store, generate.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for _, beams := range []int{1, 3} {
		out, err := tr.Translate(t.Context(), [][]int32{source, {9, 8, 7}}, 1, generate.BeamOptions{Beams: beams, Stop: []int32{2}})
		if err != nil {
			t.Fatal(err)
		}
		tokens := out[0].Tokens
		if out[0].Reason == generate.Stopped {
			tokens = append(tokens, 2)
		}
		logs, greedy, err := scorer.Score(source, 1, tokens)
		if err != nil {
			t.Fatal(err)
		}
		sum := 0.0
		for _, x := range logs {
			sum += float64(x)
		}
		if beams == 1 && !greedy {
			t.Errorf("one beam writes %v, which is not what is likeliest", tokens)
		}
		if math.Abs(sum-out[0].Score) > 1e-3 {
			t.Errorf("%d beams write %v with %g nats; in a row it has %g", beams, tokens, out[0].Score, sum)
		}
	}
}

func checkPacking(t *testing.T, m *Model) {
	t.Helper()
	store := nntest.Open(t)
	initialise(t, store, m)
	// Two pairs of 5 → 4 and 7 → 3 tokens, and padding behind them.
	source := []int32{3, 4, 5, 6, 7, 10, 11, 12, 13, 14, 15, 16, 0, 0, 0, 0}
	sourceSegments := []int32{0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1}
	sourcePositions := []int32{0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 5, 6, 0, 0, 0, 0}
	ids := []int32{1, 20, 21, 22, 1, 23, 24, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	targets := []int32{20, 21, 22, 2, 23, 24, 2, -1, -1, -1, -1, -1, -1, -1, -1, -1}
	segments := []int32{0, 0, 0, 0, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1, -1, -1}
	positions := []int32{0, 1, 2, 3, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	together := nlls(t, m, store, 16, map[string][]int32{
		"source_ids": source, "source_segments": sourceSegments, "source_positions": sourcePositions,
		"ids": ids, "targets": targets, "segments": segments, "positions": positions,
	})
	pad := func(x []int32, with int32) []int32 {
		for len(x) < 16 {
			x = append(x, with)
		}
		return x
	}
	for _, pair := range []struct{ s0, s1, t0, t1 int }{{0, 5, 0, 4}, {5, 12, 4, 7}} {
		part := func(x []int32, from, to int, with int32) []int32 { return pad(slices.Clone(x[from:to]), with) }
		alone := nlls(t, m, store, 16, map[string][]int32{
			"source_ids": part(source, pair.s0, pair.s1, 0), "source_segments": part(sourceSegments, pair.s0, pair.s1, -1), "source_positions": part(sourcePositions, pair.s0, pair.s1, 0),
			"ids": part(ids, pair.t0, pair.t1, 0), "targets": part(targets, pair.t0, pair.t1, -1), "segments": part(segments, pair.t0, pair.t1, -1), "positions": part(positions, pair.t0, pair.t1, 0),
		})
		near(t, "a pair beside another", together[pair.t0:pair.t1], alone[:pair.t1-pair.t0], 1e-5)
	}
}

func initialise(t *testing.T, store *exec.Store, m *Model) {
	t.Helper()
	for _, p := range m.Params() {
		if _, err := store.Ensure(p.State(), ir.F32, p.Shape); err != nil {
			t.Fatal(err)
		}
	}
	if err := nn.Initialize(m.Params(), 7, store.WriteAt); err != nil {
		t.Fatal(err)
	}
}

// nlls are those of the targets of one row.
func nlls(t *testing.T, m *Model, store *exec.Store, length int, inputs map[string][]int32) []float32 {
	t.Helper()
	g := autograd.NewGraph()
	_, nll := nn.PairEvaluation(g, m, nn.Rows{Batch: 1, Length: length, Segments: true})
	p, err := g.Lower("eval", nll)
	if err != nil {
		t.Fatal(err)
	}
	s := nntest.Session(t, store, p, plan.Options{})
	for name, data := range inputs {
		in, ok := s.Input(name)
		if !ok {
			continue // LSTMs read no positions
		}
		if err := in.SetInts(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.SetFloats("loss_weight", []float32{1}); err != nil {
		t.Fatal(err)
	}
	return output(t, s, 0)
}
