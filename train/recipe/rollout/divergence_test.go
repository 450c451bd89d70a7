package rollout

import (
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestDivergence plants what makes an estimate of the divergence negative: a sampler that leaves
// tokens out, whose log-probabilities are those of the whole distribution for the policy, and of
// what is left for the base. Where both are of what is left, or both of all, nothing is told.
func TestDivergence(t *testing.T) {
	policy, base := []float64{0.4, 0.3, 0.2, 0.1}, []float64{0.35, 0.35, 0.2, 0.1}
	share := func(p []float64) float64 { return p[0] + p[1] } // of the tokens that are drawn from
	draw := func(texts int, lose func() (policy, base float64)) ([]Text, [][]float32) {
		rng := rand.New(rand.NewPCG(1, 2))
		all, ref := make([]Text, texts), make([][]float32, texts)
		for i := range all {
			for range 8 {
				token := 0
				if rng.Float64()*share(policy) >= policy[0] {
					token = 1
				}
				p, q := lose()
				all[i].LogProbs = append(all[i].LogProbs, float32(math.Log(policy[token])-p))
				ref[i] = append(ref[i], float32(math.Log(base[token])-q))
			}
		}
		return all, ref
	}
	both := func() (float64, float64) { return math.Log(share(policy)), math.Log(share(base)) }
	one := func() (float64, float64) { return 0, math.Log(share(base)) }
	if err := checkDivergence(draw(200, both)); err != nil {
		t.Errorf("renormalised on both sides: %v", err)
	}
	err := checkDivergence(draw(200, one))
	if !errors.Is(err, errNegative) || !strings.Contains(err.Error(), "a sampler leaves tokens out") || !strings.Contains(err.Error(), "of 200 texts") {
		t.Errorf("renormalised on one side: %v", err)
	}
	if err := checkDivergence(draw(leastTexts-1, one)); err != nil {
		t.Errorf("too few texts to tell: %v", err)
	}
	texts, ref := draw(3, both)
	ref[2][5] = float32(math.NaN())
	if err := checkDivergence(texts, ref); !errors.Is(err, errNegative) {
		t.Errorf("a divergence that is no number: %v", err)
	}
}
