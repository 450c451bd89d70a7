package grpo

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

// golden is what TRL computes; see scripts/golden/grpo.py.
type golden struct {
	Lengths   []int
	Length    int
	MaxTokens int `json:"max_tokens"`
	Group     int
	Rewards   []float64
	LogP      []float32
	Old, Ref  []float32
	Cases     []struct {
		Name, Loss, Advantage, Scale, Ratio string
		Beta, High                          float64
		Advantages                          []float64
		Value                               float64
		Gradient                            []float64
	}
}

// texts are those of the golden file: prompts of a token, which the last is.
func (g *golden) texts() []rollout.Text {
	texts := make([]rollout.Text, len(g.Lengths))
	for i, n := range g.Lengths {
		at := i * g.Length
		texts[i] = rollout.Text{Prompt: &prompts.Prompt{}, Tokens: make([]int32, 1+n), First: 1, LogProbs: g.Old[at : at+n], Reward: g.Rewards[i], Ended: true}
	}
	return texts
}

// TestTRL: advantages, losses and gradients of each variant are those of TRL.
func TestTRL(t *testing.T) {
	var g golden
	text, err := os.ReadFile("testdata/trl.json")
	if err == nil {
		err = json.Unmarshal(text, &g)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range g.Cases {
		t.Run(c.Name, func(t *testing.T) {
			o := Default()
			o.Samples, o.MaxTokens, o.Loss, o.Advantage, o.ScaleRewards, o.Ratio, o.Beta, o.EpsilonHigh = g.Group, g.MaxTokens, c.Loss, c.Advantage, c.Scale, c.Ratio, c.Beta, c.High
			b := &batches{Config: o, layout: rollout.Layout{Length: g.Length}, micro: len(g.Lengths)}
			dst := data.NewBatch(len(g.Lengths), b.fields())
			texts := g.texts()
			for i, a := range o.Advantages(texts) {
				if math.Abs(a-c.Advantages[i]) > 1e-6 {
					t.Errorf("advantage %d is %g, want %g", i, a, c.Advantages[i])
				}
			}
			for i, n := range g.Lengths {
				texts[i].Ref = g.Ref[i*g.Length:][:n]
			}
			if err := b.fill(dst, texts); err != nil {
				t.Fatal(err)
			}
			value, gradient := differentiate(t, o, dst, g.LogP)
			if math.Abs(value-c.Value) > 1e-6 {
				t.Errorf("the loss is %.8f, want %.8f", value, c.Value)
			}
			for i, want := range c.Gradient {
				if i%g.Length >= g.Lengths[i/g.Length] {
					continue // no target, by whose log-probability nothing is differentiated
				}
				if math.Abs(float64(gradient[i])-want) > 1e-6 {
					t.Errorf("the gradient at %d is %g, want %g", i, gradient[i], want)
				}
			}
		})
	}
}

// differentiate returns the loss of a batch and its gradient by the log-probabilities.
func differentiate(t *testing.T, o *Config, b *data.Batch, logp []float32) (float64, []float32) {
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
	n := len(logp)
	p := policy{rows: b.Rows, logp: g.Param("logp", n), old: g.Floats(oldLogProbs, n), advantage: g.Floats(advantages, n)}
	if o.Beta > 0 {
		p.ref = g.Floats(refLogProbs, n)
	}
	loss, _, _ := o.loss(p)
	value := autograd.Sum(autograd.Mul(loss, g.Floats(weights, n)))
	grads := g.Grad(autograd.Reshape(value), p.logp)
	program, err := g.Lower("loss", value, grads[0])
	fatal(err)
	built, err := plan.Build(program, plan.Options{Target: backend.Target()})
	fatal(err)
	store := exec.NewStore(backend)
	arena, err := exec.NewArena(backend, built.Arena)
	fatal(err)
	session, err := exec.NewSession(built, store, arena)
	fatal(err)
	fatal(store.Write("logp", logp))
	for _, in := range session.Inputs() {
		fatal(in.SetFloats(b.Floats[in.Name()]))
	}
	fatal(session.Run())
	one, gradient := make([]float32, 1), make([]float32, n)
	fatal(session.Output(0, one))
	fatal(session.Output(1, gradient))
	for i := range gradient {
		gradient[i] /= float32(b.Weight)
	}
	return float64(one[0]) / b.Weight, gradient
}
