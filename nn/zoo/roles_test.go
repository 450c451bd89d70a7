package zoo

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/plan"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/nntest"
)

// TestRolesShareAStore puts a policy with an adapter and its reference into one
// store and one graph: they are the models that they are alone, and only the
// policy is differentiated.
func TestRolesShareAStore(t *testing.T) {
	for _, name := range []string{"gpt2", "gpt2 sinusoidal", "llama"} {
		t.Run(name, func(t *testing.T) {
			spec := specs()[name]
			alone := newModel(t, spec, nn.Tuning{})
			policy := newModel(t, spec, nn.Tuning{Role: "policy", Adapter: nn.Adapter{Rank: 2}})
			reference := newModel(t, spec, nn.Tuning{Role: "reference", Freeze: []string{alone.Params()[0].Name}})
			store := nntest.Open(t)
			values, rng := map[string][]float32{}, rand.New(rand.NewPCG(1, 2))
			for _, m := range []nn.LanguageModel{alone, policy, reference} {
				write(t, store, m, func(p nn.Param) []float32 {
					if values[p.Name] == nil {
						values[p.Name] = make([]float32, p.Shape.Size())
						for i := range values[p.Name] {
							values[p.Name][i] = float32(p.Init.Value + 0.25*rng.NormFloat64())
						}
						if strings.HasSuffix(p.Name, nn.LoRAB) {
							clear(values[p.Name]) // the adapter changes nothing yet
						}
					}
					return values[p.Name]
				})
			}
			ids := randomIDs(24, alone.Vocab())
			want := fullLogits(t, store, alone, 2, ids, positions(2, 12), nil)

			g := autograd.NewGraph()
			in := nn.NewInputs(g, 2, 12)
			logits := func(m nn.LanguageModel) *autograd.Node {
				hidden, head := m.Build(g, in)
				return autograd.MatMul(hidden, head, false, true)
			}
			p, r := logits(policy), logits(reference)
			program, err := g.Lower("both", p, r)
			if err != nil {
				t.Fatal(err)
			}
			at := func(role string) func(*ir.Instr) bool {
				return func(in *ir.Instr) bool { return strings.HasPrefix(in.Path, role) }
			}
			if !slices.ContainsFunc(program.Instrs, at("policy.")) || !slices.ContainsFunc(program.Instrs, at("reference.")) {
				t.Error("the paths of instructions lack the roles")
			}
			s := nntest.Session(t, store, program, plan.Options{})
			setInts(t, s, "ids", ids)
			setInts(t, s, "positions", positions(2, 12))
			run(t, s)
			near(t, "logits of the policy", output(t, s, 0), want, 1e-5)
			near(t, "logits of the reference", output(t, s, 1), want, 1e-5)

			g = autograd.NewGraph()
			in = nn.NewInputs(g, 2, 12)
			loss := scalar(autograd.Mul(logits(policy), logits(reference)))
			var learns []*autograd.Node
			for _, p := range nn.Trainable(policy.Params()) {
				learns = append(learns, g.Declared(p.State()))
			}
			_, grads, err := g.LowerTrain("phase", g.Grad(loss, learns...), autograd.GradTemp, loss)
			if err != nil {
				t.Fatal(err)
			}
			for _, grad := range grads {
				if !strings.HasPrefix(grad.Param.Name, "policy.") || !strings.Contains(grad.Param.Name, ".lora_") {
					t.Errorf("there is a gradient of %s", grad.Param.Name)
				}
			}
			if len(grads) != len(nn.Adapters(policy.Params())) {
				t.Errorf("%d gradients of %d parameters", len(grads), len(nn.Adapters(policy.Params())))
			}
		})
	}
}

// TestInitialValuesGoByState: models of different roles begin differently, the one
// that is alone as ever.
func TestInitialValuesGoByState(t *testing.T) {
	first := func(role string) (values []float32) {
		m := newModel(t, specs()["gpt2"], nn.Tuning{Role: role})
		err := nn.Initialize(m.Params()[:1], 1, func(state string, _ int, part []float32) error {
			if want := m.Params()[0].State(); state != want {
				t.Errorf("the state is called %s, want %s", state, want)
			}
			values = append(values, part...)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return values
	}
	if a, b := first("generator"), first("discriminator"); slices.Equal(a, b) {
		t.Error("two roles begin with the same values")
	}
}

// TestTwoPassesShareParameters builds a model twice into one graph: the gradient is
// that of both passes.
func TestTwoPassesShareParameters(t *testing.T) {
	m := newModel(t, specs()["llama tied"], nn.Tuning{})
	store := nntest.Open(t)
	randomWeights(t, store, m)
	first, second := randomIDs(12, m.Vocab()), randomIDs(24, m.Vocab())[12:]
	gradients := func(names ...string) map[string][]float32 {
		g := autograd.NewGraph()
		var loss *autograd.Node
		for _, name := range names {
			in := nn.Inputs{Batch: 1, Length: 12, IDs: g.Ints(name, 12), Positions: g.Ints("positions of "+name, 12)}
			hidden, head := m.Build(g, in)
			sum := scalar(autograd.MatMul(hidden, head, false, true))
			if loss == nil {
				loss = sum
			} else {
				loss = autograd.Add(loss, sum)
			}
		}
		p, grads, err := g.LowerTrain("passes", g.Grad(loss), autograd.GradStore, loss)
		if err != nil {
			t.Fatal(err)
		}
		if len(grads) != len(m.Params()) {
			t.Fatalf("%d gradients of %d parameters", len(grads), len(m.Params()))
		}
		s := nntest.Session(t, store, p, plan.Options{})
		for _, name := range names {
			setInts(t, s, name, map[string][]int32{"first": first, "second": second}[name])
			setInts(t, s, "positions of "+name, positions(1, 12))
		}
		run(t, s)
		all := map[string][]float32{}
		for _, p := range m.Params() {
			all[p.Name] = make([]float32, p.Shape.Size())
			if err := store.Read(autograd.GradState(p.State()), all[p.Name]); err != nil {
				t.Fatal(err)
			}
		}
		return all
	}
	a, b, both := gradients("first"), gradients("second"), gradients("first", "second")
	for name, got := range both {
		for i := range got {
			a[name][i] += b[name][i]
		}
		near(t, "gradient of "+name, got, a[name], 1e-5)
	}
}

// scalar is the mean of a matrix.
func scalar(x *autograd.Node) *autograd.Node { return autograd.Reshape(autograd.Mean(x, 0, 1)) }
