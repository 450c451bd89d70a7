package seq2seq

import (
	"encoding/json"
	"math"
	"path/filepath"
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

// golden is a file of scripts/golden/pairs.py, which documents the fields.
type golden struct {
	Config               json.RawMessage
	Source, IDs, Targets []int32
	Lengths              []int
	Batch, Length        int
	Logits               nntest.Tensor
	Loss                 float64
	Searches             []struct {
		Beams         int
		LengthPenalty float64 `json:"length_penalty"`
		EarlyStopping string  `json:"early_stopping"`
		MaxTokens     int     `json:"max_tokens"`
		IDs           [][]int32
	}
	Weights, Grads map[string]nntest.Tensor
}

// goldens runs check on each golden file, with the model's weights in a store.
func goldens(t *testing.T, check func(t *testing.T, g golden, m *Model, store *exec.Store)) {
	paths, err := filepath.Glob("testdata/*.json.gz")
	if err != nil || len(paths) < 3 {
		t.Fatalf("golden files: %v, %v", paths, err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".json.gz"), func(t *testing.T) {
			var g golden
			nntest.Read(t, path, &g)
			m := parse(t, g)
			store := nntest.Open(t)
			for _, p := range m.Params() {
				w, ok := g.Weights[p.Name]
				if !ok || !p.Shape.Equal(w.Shape) {
					t.Fatalf("%s %s: transformers has %v", p.Name, p.Shape, w.Shape)
				}
				if _, err := store.Ensure(p.State(), ir.F32, p.Shape); err != nil {
					t.Fatal(err)
				}
				if err := store.Write(p.State(), w.Floats()); err != nil {
					t.Fatal(err)
				}
			}
			if len(g.Weights) != len(m.Params()) {
				t.Fatalf("%d parameters, transformers has %d", len(m.Params()), len(g.Weights))
			}
			check(t, g, m, store)
		})
	}
}

// parse makes the model of the config.json of g; the weights tell whether it has a bias.
func parse(t *testing.T, g golden) *Model {
	t.Helper()
	spec, err := nn.Families{Family()}.Parse(g.Config)
	if err != nil {
		t.Fatal(err)
	}
	c := spec.Config.(*Config)
	name, _ := c.HeadBias()
	_, there := g.Weights[name]
	c.SetHeadBias(there)
	m, err := New(*c, nn.Tuning{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// feed writes the inputs that s reads: row i of the source has lengths[i] tokens.
func feed(t *testing.T, s *exec.Session, batch, length int, source, ids, targets []int32, lengths []int) {
	t.Helper()
	n := batch * length
	positions, segments, sourceSegments := make([]int32, n), make([]int32, n), make([]int32, n)
	for i := range n {
		positions[i], segments[i], sourceSegments[i] = int32(i%length), 0, -1
		if i%length < lengths[i/length] {
			sourceSegments[i] = 0
		}
	}
	for name, data := range map[string][]int32{
		"source_ids": source, "source_positions": positions, "source_segments": sourceSegments,
		"ids": ids, "positions": positions, "segments": segments, "targets": targets,
	} {
		if in, ok := s.Input(name); ok {
			if err := in.SetInts(data); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func output(t *testing.T, s *exec.Session, i int) []float32 {
	t.Helper()
	if err := s.Run(); err != nil {
		t.Fatal(err)
	}
	out := make([]float32, s.Plan.Program.Outputs[i].Shape.Size())
	if err := s.Output(i, out); err != nil {
		t.Fatal(err)
	}
	return out
}

// near fails t unless every element of got is within tol·(1 + |want|).
func near(t *testing.T, what string, got, want []float32, tol float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d elements, want %d", what, len(got), len(want))
		return
	}
	for i := range got {
		if d := math.Abs(float64(got[i])-float64(want[i])) / (1 + math.Abs(float64(want[i]))); !(d <= tol) {
			t.Errorf("%s: element %d is %g, want %g: off by %.2g, allowed %g", what, i, got[i], want[i], d, tol)
			return
		}
	}
}

// relative fails t unless got is within tol of want, both as vectors. The gradient of a bias of
// keys is zero but for rounding.
func relative(t *testing.T, what string, got, want []float32, tol float64) {
	t.Helper()
	var off, size float64
	for i := range got {
		off, size = off+math.Pow(float64(got[i]-want[i]), 2), size+math.Pow(float64(want[i]), 2)
	}
	if d := math.Sqrt(off / max(size, 1e-2)); !(d <= tol) {
		t.Errorf("%s: off by %.2g of its norm %.3g, allowed %g", what, d, math.Sqrt(size), tol)
	}
}

// TestGolden holds logits, loss and gradients against transformers, with the configuration
// read from its config.json, and the same with fused and recomputed programs.
func TestGolden(t *testing.T) {
	goldens(t, func(t *testing.T, g golden, m *Model, store *exec.Store) {
		rows := nn.Rows{Batch: g.Batch, Length: g.Length, Segments: true}
		counted := 0
		for _, target := range g.Targets {
			if target >= 0 {
				counted++
			}
		}
		for _, opt := range []plan.Options{{}, {NoFuse: true}, {Recompute: true}} {
			graph, logits := nn.PairLogits(m, rows)
			p, err := graph.Lower("logits", logits)
			if err != nil {
				t.Fatal(err)
			}
			s := nntest.Session(t, store, p, opt)
			feed(t, s, g.Batch, g.Length, g.Source, g.IDs, g.Targets, g.Lengths)
			near(t, "logits", output(t, s, 0), g.Logits.Floats(), 1e-4)

			graph = autograd.NewGraph()
			loss, _ := nn.PairTraining(graph, m, rows, autograd.LossConfig{})
			p, _, err = graph.LowerTrain("train", graph.Grad(loss), autograd.GradStore, loss)
			if err != nil {
				t.Fatal(err)
			}
			s = nntest.Session(t, store, p, opt)
			feed(t, s, g.Batch, g.Length, g.Source, g.IDs, g.Targets, g.Lengths)
			if err := s.SetFloats("loss_weight", []float32{1 / float32(counted)}); err != nil {
				t.Fatal(err)
			}
			near(t, "loss", output(t, s, 0), []float32{float32(g.Loss)}, 1e-5)
			for name, want := range g.Grads {
				got := make([]float32, len(want.Data)/4)
				if err := store.Read(autograd.GradState(name), got); err != nil {
					t.Fatal(err)
				}
				relative(t, "gradient of "+name, got, want.Floats(), 1e-5)
			}
		}
	})
}

// TestSearches holds the texts of beam search against those of transformers' generate, of
// all sources at once and of each by itself.
func TestSearches(t *testing.T) {
	goldens(t, func(t *testing.T, g golden, m *Model, store *exec.Store) {
		special, err := nn.ParseSpecialTokens("config.json", g.Config)
		if err != nil || len(special.Start) != 1 || len(special.EOS) != 1 {
			t.Fatalf("%+v, %v", special, err)
		}
		var sources [][]int32
		for i, n := range g.Lengths {
			sources = append(sources, g.Source[i*g.Length:][:n])
		}
		scorer, err := generate.NewPairScorer(m, store, generate.Config{})
		if err != nil {
			t.Fatal(err)
		}
		for i, source := range sources { // the likelihood of what transformers was given
			ids := g.IDs[i*g.Length:][:g.Length]
			logs, greedy, err := scorer.Score(source, ids[0], ids[1:])
			if err != nil {
				t.Fatal(err)
			}
			likeliest := true
			for at, target := range ids[1:] {
				v := len(g.Logits.Floats()) / (g.Batch * g.Length)
				row := g.Logits.Floats()[(i*g.Length+at)*v:][:v]
				sum := 0.0
				for _, x := range row {
					sum += math.Exp(float64(x))
				}
				if want := float64(row[target]) - math.Log(sum); math.Abs(float64(logs[at])-want) > 1e-4*(1+math.Abs(want)) {
					t.Errorf("source %d, token %d: %g, want %g", i, at, logs[at], want)
				}
				likeliest = likeliest && slices.Max(row) == row[target]
			}
			if greedy != likeliest || len(logs) != g.Length-1 {
				t.Errorf("source %d: greedy %t, %d tokens", i, greedy, len(logs))
			}
		}
		for what, c := range map[string]struct{ source, target []int32 }{
			"a source is empty": {nil, []int32{1}}, "a target without tokens": {[]int32{1}, nil}, "a side of 25 tokens does not fit the context of 24": {make([]int32, 25), []int32{1}},
			"of 25 tokens": {[]int32{1}, make([]int32, 25)}, "token 37": {[]int32{37}, []int32{1}}, "token -1": {[]int32{1}, []int32{-1}},
		} {
			if _, _, err := scorer.Score(c.source, 0, c.target); err == nil || !strings.Contains(err.Error(), what) {
				t.Errorf("%v, want %q", err, what)
			}
		}
		if _, _, err := scorer.Score(make([]int32, 24), 0, make([]int32, 24)); err != nil {
			t.Error(err)
		}
		for _, batch := range []int{len(sources), 1} {
			tr, err := generate.NewTranslator(m, store, generate.TranslatorConfig{Batch: batch, Beams: 4, Source: g.Length, MaxTokens: g.Length})
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range g.Searches {
				opt := generate.BeamOptions{
					Beams: s.Beams, LengthPenalty: s.LengthPenalty, EarlyStopping: generate.EarlyStopping(s.EarlyStopping),
					MaxTokens: s.MaxTokens, Stop: []int32{int32(special.EOS[0])},
				}
				for from := 0; from < len(sources); from += batch {
					out, err := tr.Translate(t.Context(), sources[from:from+batch], int32(special.Start[0]), opt)
					if err != nil {
						t.Fatal(err)
					}
					for i, got := range out {
						tokens := got.Tokens
						if got.Reason == generate.Stopped {
							tokens = append(slices.Clone(tokens), opt.Stop[0])
						}
						if want := s.IDs[from+i]; !slices.Equal(tokens, want) {
							t.Errorf("%+v, batch %d, source %d: %v, want %v", opt, batch, from+i, tokens, want)
						}
						logs, _, err := scorer.Score(sources[from+i], int32(special.Start[0]), tokens)
						if err != nil {
							t.Fatal(err)
						}
						sum := 0.0
						for _, x := range logs {
							sum += float64(x)
						}
						if want := sum / math.Pow(float64(len(tokens)), s.LengthPenalty); math.Abs(got.Score-want) > 1e-4*math.Abs(want) {
							t.Errorf("%+v, source %d: %v scores %g, want %g", opt, from+i, tokens, got.Score, want)
						}
					}
				}
			}
		}
	})
}
