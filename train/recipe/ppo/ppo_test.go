package ppo

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/cpu"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/plan"
	"example.com/gotrain/data"
	"example.com/gotrain/data/prompts"
	"example.com/gotrain/train/recipe/rollout"
)

// golden is what PyTorch computes; see scripts/golden/ppo.py.
type golden struct {
	Lengths                       []int
	Length                        int
	KL                            float64
	Scores                        []float64
	Old, Ref, Values, LogP, VPred []float32
	Cases                         []struct {
		Gamma, Lambda                          float64
		Rewards, Advantages, Returns, Whitened []float64
		Policy, Value                          float64
		PolicyGradient                         []float64 `json:"policy_gradient"`
		ValueGradient                          []float64 `json:"value_gradient"`
	}
	Controller struct {
		Target, Horizon float64
		Steps           [][2]float64
		Values          []float64
	}
}

func readGolden(t *testing.T) (g golden) {
	t.Helper()
	text, err := os.ReadFile("testdata/ppo.json")
	if err == nil {
		err = json.Unmarshal(text, &g)
	}
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// near compares numbers of tokens, of which those behind a text do not count.
func (g *golden) near(t *testing.T, name string, got []float32, want []float64, tolerance float64) {
	t.Helper()
	for i, w := range want {
		if i%g.Length < g.Lengths[i/g.Length] && !(math.Abs(float64(got[i])-w) <= tolerance) {
			t.Errorf("%s %d is %g, want %g", name, i, got[i], w)
		}
	}
}

// TestTRL: rewards of tokens, advantages, returns, losses and gradients are those of TRL's
// formulas, for texts as the recipe puts them into batches.
func TestTRL(t *testing.T) {
	g := readGolden(t)
	for _, c := range g.Cases {
		o := Default()
		o.Gamma, o.Lambda = c.Gamma, c.Lambda
		texts := make([]rollout.Text, len(g.Lengths))
		part := make([]int, len(texts))
		for i, n := range g.Lengths {
			at := i * g.Length
			texts[i] = rollout.Text{
				Prompt: &prompts.Prompt{}, Tokens: make([]int32, 1+n), First: 1, LogProbs: g.Old[at : at+n], Reward: g.Scores[i], Ended: true,
				Learnt: rollout.Learnt{Values: g.Values[at : at+n], Ref: g.Ref[at : at+n], Coefficient: g.KL},
			}
			part[i] = i
			for k, r := range tokenRewards(g.Scores[i], texts[i].LogProbs, texts[i].Ref, g.KL) {
				if math.Abs(r-c.Rewards[at+k]) > 1e-6 {
					t.Errorf("the reward of token %d of text %d is %g, want %g", k, i, r, c.Rewards[at+k])
				}
			}
			advantages, _ := estimate(tokenRewards(g.Scores[i], texts[i].LogProbs, texts[i].Ref, g.KL), texts[i].Values, c.Gamma, c.Lambda)
			for k, a := range advantages {
				if math.Abs(a-c.Advantages[at+k]) > 1e-6 {
					t.Errorf("advantage %d of text %d is %g, want %g", k, i, a, c.Advantages[at+k])
				}
			}
		}
		b := &batches{Config: o, layout: rollout.Layout{Length: g.Length}}
		if _, err := b.judge(texts, false); err != nil {
			t.Fatal(err)
		}
		dst := data.NewBatch(len(texts), b.fields())
		if err := b.fill(dst, texts, part); err != nil {
			t.Fatal(err)
		}
		g.near(t, "whitened advantage", dst.Floats[advantages], c.Whitened, 1e-6)
		g.near(t, "return", dst.Floats[returns], c.Returns, 1e-6)
		policy, policyGradient := differentiate(t, dst, "logp", g.LogP, func(p *autograd.Node, n int) *autograd.Node {
			loss, _ := o.policyLoss(p, p.Graph().Floats(oldLogProbs, n), p.Graph().Floats(advantages, n))
			return loss
		})
		value, valueGradient := differentiate(t, dst, "value", g.VPred, func(v *autograd.Node, n int) *autograd.Node {
			loss, _ := o.valueLoss(v, v.Graph().Floats(oldValues, n), v.Graph().Floats(returns, n))
			return loss
		})
		if math.Abs(policy-c.Policy) > 1e-5 || math.Abs(value-c.Value) > 1e-5 {
			t.Errorf("the losses are %.8f and %.8f, want %.8f and %.8f", policy, value, c.Policy, c.Value)
		}
		for i := range valueGradient {
			valueGradient[i] *= float32(o.ValueWeight)
		}
		g.near(t, "policy gradient", policyGradient, c.PolicyGradient, 1e-6)
		g.near(t, "value gradient", valueGradient, c.ValueGradient, 1e-6)
	}
}

// TestController: the coefficient of the divergence follows its target as TRL's does.
func TestController(t *testing.T) {
	c := readGolden(t).Controller
	o := Default()
	if got := o.adapted(0.3, 99, 64); got != 0.3 {
		t.Errorf("a coefficient without a target becomes %g", got)
	}
	o.KLTarget, o.KLHorizon = c.Target, c.Horizon
	coefficient := o.KL
	for i, s := range c.Steps {
		if coefficient = o.adapted(coefficient, s[0], s[1]); math.Abs(coefficient-c.Values[i]) > 1e-9 {
			t.Errorf("coefficient %d is %g, want %g", i, coefficient, c.Values[i])
		}
	}
}

// differentiate returns the mean over the tokens of a batch of a loss of numbers x, and its
// gradient by them.
func differentiate(t *testing.T, b *data.Batch, name string, x []float32, loss func(x *autograd.Node, n int) *autograd.Node) (float64, []float32) {
	t.Helper()
	fatal := func(err error) {
		if err != nil {
			t.Helper()
			t.Fatal(err)
		}
	}
	backend, err := cpu.New(cpu.Config{Threads: 1})
	fatal(err)
	defer backend.Close()
	g := autograd.NewGraph()
	n := len(x)
	param := g.Param(name, n)
	value := weighted(g, autograd.Mul(loss(param, n), g.Floats(weights, n)))
	program, err := g.Lower("loss", value, g.Grad(value, param)[0])
	fatal(err)
	built, err := plan.Build(program, plan.Options{Target: backend.Target()})
	fatal(err)
	store := exec.NewStore(backend)
	arena, err := exec.NewArena(backend, built.Arena)
	fatal(err)
	session, err := exec.NewSession(built, store, arena)
	fatal(err)
	fatal(store.Write(name, x))
	for _, in := range session.Inputs() {
		values := b.Floats[in.Name()]
		if in.Name() == "loss_weight" {
			values = []float32{float32(1 / b.Weight)}
		}
		fatal(in.SetFloats(values))
	}
	fatal(session.Run())
	one, gradient := make([]float32, 1), make([]float32, n)
	fatal(session.Output(0, one))
	fatal(session.Output(1, gradient))
	return float64(one[0]), gradient
}
