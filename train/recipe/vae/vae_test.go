package vae

import (
	"math"
	"strings"
	"testing"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/cpu"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/plan"
	"example.com/gotrain/data/picture"
	"example.com/gotrain/nn"
	family "example.com/gotrain/nn/vae"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/recipe/pictures"
)

func table() recipe.Table {
	return recipe.Table{Families: nn.Families{family.Family()}, Recipes: []recipe.Recipe{Recipe()}}
}

func assemble(t *testing.T, set ...string) (config.Config, error) {
	t.Helper()
	base := []string{"recipe.kind=vae", "model={family: vae, widths: [4, 8], latent: 2}", "data={format: pictures, shapes: 40, size: 8, validation: 0.2}", "run.dir=x"}
	return config.Assemble(table().Config(), append(base, set...)...)
}

func TestRefusals(t *testing.T) {
	for want, set := range map[string]string{
		"recipe.likelihood": "recipe.likelihood=laplace",
		"recipe.deviation":  "recipe.deviation=0",
		"recipe.beta":       "recipe.beta=-1",
		"recipe.shown":      "recipe.shown=-1",
		"data.size":         "data.size=9",
		"model.channels":    "model.channels=1",
		"groups":            "model.groups=3",
		"model.output":      "model.output=logits",
		`output: is "bits"`: "model.output=bits",
	} {
		cfg, err := assemble(t, set)
		if err == nil {
			err = cfg.Validate(table().Config())
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", set, err)
		}
	}
}

// TestLoss compares the bound with its definition, element by element, of what the model tells
// of two pictures, the second of which does not count.
func TestLoss(t *testing.T) {
	for _, likelihood := range []string{Gaussian, Bernoulli} {
		cfg, err := assemble(t, "recipe.likelihood="+likelihood, "recipe.deviation=0.5", "recipe.beta=0.25", "recipe.shown=0", "train.batch=2")
		if err != nil {
			t.Fatal(err)
		}
		j, err := table().Open(t.Context(), recipe.Env{Config: cfg})
		if err != nil {
			t.Fatal(err)
		}
		b, err := cpu.New(cpu.Config{Threads: 2})
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		store := exec.NewStore(b)
		m := &autoencoder{j.Parts[0].Model.(nn.Autoencoder), own(j.Config), pictures.Section(j.Config)}
		run := func(build func(g *autograd.Graph) []*autograd.Node) [][]float32 {
			g := autograd.NewGraph()
			p, err := g.Lower("test", build(g)...)
			if err != nil {
				t.Fatal(err)
			}
			built, err := plan.Build(p, plan.Options{Target: b.Target()})
			if err != nil {
				t.Fatal(err)
			}
			arena, err := exec.NewArena(b, built.Arena)
			if err != nil {
				t.Fatal(err)
			}
			s, err := exec.NewSession(built, store, arena)
			if err != nil {
				t.Fatal(err)
			}
			if in, ok := s.Input(picture.Field); ok {
				batch := j.Train.NewBatch()
				if err := j.Train.Fill(batch, 0); err != nil {
					t.Fatal(err)
				}
				if err := in.SetBytes(batch.Raw[picture.Field]); err != nil {
					t.Fatal(err)
				}
			}
			for name, x := range map[string][]float32{picture.Counts: {1, 0}, "loss_weight": {0.5}} {
				if _, ok := s.Input(name); ok {
					if err := s.SetFloats(name, x); err != nil {
						t.Fatal(err)
					}
				}
			}
			if _, ok := s.Input("rng"); ok {
				if err := s.SetInts("rng", []int32{1, 2, 3, 0}); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.Run(); err != nil {
				t.Fatal(err)
			}
			var out [][]float32
			for i, v := range built.Program.Outputs {
				x := make([]float32, v.Shape.Size())
				if err := s.Output(i, x); err != nil {
					t.Fatal(err)
				}
				out = append(out, x)
			}
			return out
		}
		var names []string
		write := func() {
			if err := nn.Initialize(j.Params(), 5, func(state string, offset int, values []float32) error {
				p := make([]float32, 0, len(values))
				for _, v := range values {
					p = append(p, 2*v)
				}
				return store.Write(state, p)
			}); err != nil {
				t.Fatal(err)
			}
		}
		build := func(g *autograd.Graph) []*autograd.Node {
			l := m.loss(g, 2)
			names = nil
			nodes := []*autograd.Node{l.Value.Named("value")}
			for _, metric := range l.Metrics {
				names = append(names, metric.Name)
				nodes = append(nodes, metric.Sum.Named(metric.Name))
			}
			return nodes
		}
		run(build) // declares the states
		write()
		got := run(build)
		parts := run(func(g *autograd.Graph) []*autograd.Node {
			bytes := autograd.Pixels(g, picture.Field, 2, m.data.Bytes())
			x := nn.Pictures{X: autograd.Reshape(bytes(2./255, -1), 128, 3), Batch: 2, Height: 8, Width: 8}
			mean, logVariance := m.Encode(g, x)
			noise := autograd.Reshape(g.Normal(g.Ints("rng", 4), 2, 32), 32, 2)
			z := mean
			z.X = autograd.Add(mean.X, autograd.Mul(autograd.Exp(autograd.Scale(logVariance.X, 0.5)), noise))
			return []*autograd.Node{x.X.Named("x"), mean.X.Named("mean"), logVariance.X.Named("log_variance"), m.Decode(g, z).X.Named("y"), noise.Named("noise")}
		})
		var nll, kl float64
		for i := range 64 * 3 { // of the first picture
			x, y := float64(parts[0][i]), float64(parts[3][i])
			if likelihood == Gaussian {
				nll += (x-y)*(x-y)/(2*0.25) + math.Log(0.5*math.Sqrt(2*math.Pi))
			} else {
				x, p := (x+1)/2, 1/(1+math.Exp(-y))
				nll -= x*math.Log(p) + (1-x)*math.Log(1-p)
			}
		}
		for i := range 16 * 2 {
			mean, lv := float64(parts[1][i]), float64(parts[2][i])
			kl += (mean*mean + math.Exp(lv) - lv - 1) / 2
		}
		// The noise of the loss is that of another site: its part is compared through the metrics.
		if strings.Join(names, " ") != "loss reconstruction kl" || got[2][1] != 0 || got[3][1] != 0 {
			t.Errorf("%s: %v %v", likelihood, names, got)
		}
		if math.Abs(float64(got[3][0])-kl) > 1e-4*kl {
			t.Errorf("%s: divergence %g, want %g", likelihood, got[3][0], kl)
		}
		if bound := float64(got[2][0]) + 0.25*kl; math.Abs(float64(got[1][0])-bound) > 1e-4*bound || math.Abs(float64(got[0][0])-bound/2) > 1e-4*bound {
			t.Errorf("%s: loss %g of weight ½ is %g, want %g", likelihood, got[1][0], got[0][0], bound)
		}
		if math.Abs(float64(got[2][0])-nll) > 0.2*math.Abs(nll) {
			t.Errorf("%s: reconstruction %g beside %g with other noise", likelihood, got[2][0], nll)
		}
	}
}
