package generate_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/nn/generate"
)

// TestBranches: what completions score is what they score in a forward pass of the whole text,
// and to the bit what they score alone, whatever stands beside them.
func TestBranches(t *testing.T) {
	text := randomText(contextLength)
	at := func(from, n int) []int32 { return text[from : from+n] }
	list := []generate.Branches{
		{Prompt: at(0, 1), Completions: [][]int32{at(5, 1), at(6, 3), at(7, 9), {}, at(5, 1)}},
		{Prompt: at(3, 8), Completions: [][]int32{at(20, 17)}},
		{Prompt: at(3, 9), Completions: [][]int32{at(20, 8), at(9, 2), at(31, 1)}},
		{Prompt: at(2, 72), Completions: [][]int32{at(0, 9), at(1, 1)}}, // to the end of the context
		{Prompt: at(0, 65)},
		{Prompt: at(10, 64), Completions: slices.Repeat([][]int32{at(1, 2), at(2, 1)}, 20)}, // more than a run takes
	}
	for name, m := range models(t) {
		t.Run(name, func(t *testing.T) {
			for _, compute := range []ir.DType{ir.F32, ir.BF16} {
				whole, err := generate.NewScorer(m, load(t, m), generate.Config{Compute: compute})
				if err != nil {
					t.Fatal(err)
				}
				var alone [][]generate.Likelihood
				for _, batch := range []int{1, 2, 6} {
					store := load(t, m)
					s, err := generate.NewBranchScorer(m, store, generate.Config{Compute: compute}, batch, true)
					if err != nil {
						t.Fatal(err)
					}
					var got [][]generate.Likelihood
					for part := range slices.Chunk(list, batch) {
						scores, err := s.Score(part)
						if err != nil {
							t.Fatal(err)
						}
						got = append(got, scores...)
					}
					if batch == 1 {
						alone = got
						for i, b := range list {
							for j, c := range b.Completions {
								want, err := whole.Score(b.Prompt, c)
								if err != nil {
									t.Fatal(err)
								}
								tol := 2e-5
								if compute == ir.BF16 {
									tol = 0.1
								}
								near(t, "a completion", got[i][j].Logs, want, tol)
								read := append(slices.Clone(b.Prompt), c[:max(0, len(c)-1)]...)
								if greedy := isGreedy(t, forward(t, m, store, read), len(b.Prompt), c); compute == ir.F32 && greedy != got[i][j].Greedy {
									t.Errorf("%v after %v: greedy %t, want %t", c, b.Prompt, got[i][j].Greedy, greedy)
								}
							}
						}
						continue
					}
					for i := range list {
						for j := range got[i] {
							if a, b := alone[i][j], got[i][j]; a.Greedy != b.Greedy || !slices.EqualFunc(a.Logs, b.Logs, func(x, y float32) bool { return math.Float32bits(x) == math.Float32bits(y) }) {
								t.Errorf("%v, %d at once: completion %d of prompt %d scores %v, alone %v", compute, batch, j, i, b, a)
							}
						}
					}
				}
			}
		})
	}
}

// isGreedy tells whether each token of c is the likeliest after the logits (T, V) of a text.
func isGreedy(t *testing.T, logits []float32, prompt int, c []int32) bool {
	t.Helper()
	for i, token := range c {
		row := logits[(prompt-1+i)*vocab:][:vocab]
		if slices.Index(row, slices.Max(row)) != int(token) {
			return false
		}
	}
	return true
}

func TestBranchesRefuses(t *testing.T) {
	m := models(t)["gpt2"]
	store := load(t, m)
	if _, err := generate.NewBranchScorer(m, store, generate.Config{}, 0, false); err == nil || !strings.Contains(err.Error(), "0 prompts at once") {
		t.Errorf("no prompt at once: %v", err)
	}
	s, err := generate.NewBranchScorer(m, store, generate.Config{Context: 20}, 2, false)
	if err != nil {
		t.Fatal(err)
	}
	one := [][]int32{{1}}
	for want, list := range map[string][]generate.Branches{
		"the prompt is empty":                {{Completions: one}},
		"3 prompts; 2 are scored at once":    make([]generate.Branches, 3),
		"token 29 is outside the vocabulary": {{Prompt: []int32{1}, Completions: [][]int32{{2, 29}}}},
		"takes 21, the context has 20":       {{Prompt: randomText(20), Completions: [][]int32{{1, 2}}}},
	} {
		if _, err := s.Score(list); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if scores, err := s.Score([]generate.Branches{{Prompt: randomText(20), Completions: one}}); err != nil || scores[0][0].Greedy {
		t.Errorf("to the end of the context: %+v, %v", scores, err)
	}
}
