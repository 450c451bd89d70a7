package zoo

import (
	"encoding/json"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/plan"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/nntest"
)

// golden is a file of scripts/golden/models.py, which documents the fields.
type golden struct {
	Config         json.RawMessage
	IDs, Targets   []int32
	Batch, Length  int
	Logits         nntest.Tensor
	Loss           float64
	Weights, Grads map[string]nntest.Tensor
}

func readGolden(t *testing.T, path string) golden {
	t.Helper()
	var g golden
	nntest.Read(t, path, &g)
	return g
}

// write puts values into the states of m's parameters.
func write(t *testing.T, store *exec.Store, m nn.LanguageModel, values func(nn.Param) []float32) {
	t.Helper()
	for _, p := range m.Params() {
		if _, err := store.Ensure(p.State(), ir.F32, p.Shape); err != nil {
			t.Fatal(err)
		}
		if err := store.Write(p.State(), values(p)); err != nil {
			t.Fatal(err)
		}
	}
}

// setInts writes an input where the program reads it: not all models have positions.
func setInts(t *testing.T, s *exec.Session, name string, data []int32) {
	t.Helper()
	if in, ok := s.Input(name); ok {
		if err := in.SetInts(data); err != nil {
			t.Fatal(err)
		}
	}
}

func run(t *testing.T, s *exec.Session) {
	t.Helper()
	if err := s.Run(); err != nil {
		t.Fatal(err)
	}
}

func output(t *testing.T, s *exec.Session, i int) []float32 {
	t.Helper()
	out := make([]float32, s.Plan.Program.Outputs[i].Shape.Size())
	if err := s.Output(i, out); err != nil {
		t.Fatal(err)
	}
	return out
}

// positions counts 0 … length-1 for each of batch sequences.
func positions(batch, length int) []int32 {
	p := make([]int32, batch*length)
	for i := range p {
		p[i] = int32(i % length)
	}
	return p
}

// near fails t unless every element of got is within tol·(1 + |want|).
func near(t *testing.T, what string, got, want []float32, tol float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d elements, want %d", what, len(got), len(want))
		return
	}
	worst, at := -1.0, 0
	for i := range got {
		d := math.Abs(float64(got[i])-float64(want[i])) / (1 + math.Abs(float64(want[i])))
		if !(d <= worst) { // also for NaN
			worst, at = d, i
		}
	}
	if !(worst <= tol) {
		t.Errorf("%s: element %d is %g, want %g: off by %.2g, allowed %g", what, at, got[at], want[at], worst, tol)
	}
}

// TestGolden holds logits, loss and gradients against transformers, with the
// configuration read from its config.json, and the same with fused and
// recomputed programs.
func TestGolden(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.json.gz")
	if err != nil || len(paths) < 7 {
		t.Fatalf("golden files: %v, %v", paths, err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".json.gz"), func(t *testing.T) {
			g := readGolden(t, path)
			m := newModel(t, parse(t, g.Config), nn.Tuning{})
			if len(g.Weights) != len(m.Params()) {
				t.Fatalf("%d parameters, transformers has %d", len(m.Params()), len(g.Weights))
			}
			store := nntest.Open(t)
			write(t, store, m, func(p nn.Param) []float32 {
				w, ok := g.Weights[p.Name]
				if !ok || !p.Shape.Equal(w.Shape) {
					t.Fatalf("%s %s: transformers has %v", p.Name, p.Shape, w.Shape)
				}
				return w.Floats()
			})
			for _, opt := range []plan.Options{{}, {NoFuse: true}, {Recompute: true}} {
				checkGolden(t, g, m, store, opt)
			}
		})
	}
}

func checkGolden(t *testing.T, g golden, m nn.LanguageModel, store *exec.Store, opt plan.Options) {
	t.Helper()
	shape := nn.Rows{Batch: g.Batch, Length: g.Length}
	graph, logits := nn.Logits(m, shape)
	p, err := graph.Lower("logits", logits)
	if err != nil {
		t.Fatal(err)
	}
	s := nntest.Session(t, store, p, opt)
	feed := func() {
		setInts(t, s, "ids", g.IDs)
		setInts(t, s, "positions", positions(g.Batch, g.Length))
		setInts(t, s, "targets", g.Targets)
	}
	feed()
	run(t, s)
	near(t, "logits", output(t, s, 0), g.Logits.Floats(), 1e-5)

	graph = autograd.NewGraph()
	loss, _ := nn.Training(graph, m, shape, autograd.LossConfig{})
	p, _, err = graph.LowerTrain("train", graph.Grad(loss), autograd.GradStore, loss)
	if err != nil {
		t.Fatal(err)
	}
	s = nntest.Session(t, store, p, opt)
	feed()
	if err := s.SetFloats("loss_weight", []float32{1 / float32(counted(g.Targets))}); err != nil {
		t.Fatal(err)
	}
	run(t, s)
	near(t, "loss", output(t, s, 0), []float32{float32(g.Loss)}, 1e-5)
	for name, want := range g.Grads {
		got := make([]float32, len(want.Data)/4)
		if err := store.Read(autograd.GradState(name), got); err != nil {
			t.Fatal(err)
		}
		near(t, "gradient of "+name, got, want.Floats(), 1e-5)
	}
}
