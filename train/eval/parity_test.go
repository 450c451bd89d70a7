package eval

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/autograd/cpu"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/data/bpe"
	"example.com/gotrain/data/tokenizers"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/gpt2"
	"example.com/gotrain/nn/zoo"
)

// golden is what lm-evaluation-harness makes of the files in testdata; scripts/parity/tasks.py
// writes it.
type golden struct {
	Parameters []string
	Tasks      map[string]struct {
		File    string
		Metrics map[string]float64
		Logs    [][]float64 `json:"log_likelihoods"`
	}
	Answers []struct {
		Text, Expected string
		Strict         verdict `json:"strict-match"`
		Flexible       verdict `json:"flexible-extract"`
	}
}

type verdict struct{ Found, Right bool }

func readGolden(t *testing.T) (g golden) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "lm-eval.json"))
	if err == nil {
		err = json.Unmarshal(text, &g)
	}
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// chosen is the model of tasks.py, whose weights are sines.
func chosen(t *testing.T, names []string) Subject {
	t.Helper()
	tokens, err := bpe.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	built, err := zoo.Families().New(nn.Spec{Family: gpt2.Name, Config: &gpt2.Config{Layers: 2, Heads: 2, Width: 16, Context: 1024, Vocab: 257}}, nn.Tuning{})
	if err != nil {
		t.Fatal(err)
	}
	model := built.(*gpt2.Model)
	backend, err := cpu.New(cpu.Config{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { backend.Close() })
	store := exec.NewStore(backend)
	for _, p := range model.Params() {
		n := slices.Index(names, p.Name)
		if n < 0 {
			t.Fatalf("lm-eval's model has no %s", p.Name)
		}
		weights := make([]float32, p.Shape.Size())
		for i := range weights {
			x := 0.1 * math.Sin(float64(i+1)*float64(n+1))
			if strings.Contains(p.Name, ".ln_") && strings.HasSuffix(p.Name, "weight") {
				x++
			}
			weights[i] = float32(x)
		}
		if _, err := store.Ensure(p.State(), ir.F32, p.Shape); err != nil {
			t.Fatal(err)
		}
		if err := store.WriteAt(p.State(), 0, weights); err != nil {
			t.Fatal(err)
		}
	}
	end, _ := tokens.Special("<|endoftext|>")
	return Subject{Model: model, Store: store, Tokens: tokens, Prompts: tokenizers.Prompts{Tokens: tokens, Empty: []int32{end}}, Ends: []int32{end}}
}

// TestHarness: log-likelihoods within 1e-4 of lm-evaluation-harness's, everything that is
// counted the same.
func TestHarness(t *testing.T) {
	g := readGolden(t)
	model := NewLanguage(chosen(t, g.Parameters), nil, 3)
	for name, want := range g.Tasks {
		c := Config{Data: filepath.Join("testdata", want.File)}
		if name == "gsm8k" {
			c.Format, c.MaxTokens = name, 40
		}
		task, err := Open(c)
		if err != nil {
			t.Fatal(err)
		}
		results, err := task.AskAll(t.Context(), model, nil)
		if err != nil {
			t.Fatal(err)
		}
		total := Summarize(results)[0]
		for metric, x := range want.Metrics {
			if got := total.Value(metric); math.Abs(got-x) > 1e-4*max(1, x) {
				t.Errorf("%s: %s is %g, lm-eval's %g", name, metric, got, x)
			}
		}
		if strings.HasPrefix(name, "mc") { // both sets of choices are asked at once
			continue
		}
		for i, logs := range want.Logs {
			for j, x := range logs {
				if got := results[i].LogLikely[j]; len(results[i].LogLikely) != len(logs) || math.Abs(got-x) > 1e-4 {
					t.Errorf("%s: completion %d of question %d has %g, lm-eval's %g", name, j, i, got, x)
				}
			}
		}
	}
}

// TestHarnessFilters: answers that are hard to read.
func TestHarnessFilters(t *testing.T) {
	e, err := newExtractor(gsm8k.Config)
	if err != nil {
		t.Fatal(err)
	}
	g := readGolden(t)
	if len(g.Answers) < 200 {
		t.Errorf("only %d answers", len(g.Answers))
	}
	for _, a := range g.Answers {
		for i, want := range []verdict{a.Strict, a.Flexible} {
			f := e.filters[i]
			answer, found := e.find(f, a.Text)
			expected, _ := e.expected(f, a.Expected)
			if right := found && answer == expected; found != want.Found || right != want.Right {
				t.Errorf("%s of %q, where %q is right: %q is found (%t) and right (%t), lm-eval says %+v", f.Name, a.Text, a.Expected, answer, found, right, want)
			}
		}
	}
}
