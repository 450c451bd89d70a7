package gan

import (
	"math"
	"path/filepath"
	"strings"
	"testing"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/nn"
	family "example.com/gotrain/nn/gan"
	"example.com/gotrain/nn/nntest"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/recipe"
)

func table() recipe.Table {
	return recipe.Table{Families: nn.Families{family.DCGAN(), family.Residual()}, Recipes: []recipe.Recipe{Recipe()}}
}

func assemble(t *testing.T, set ...string) (config.Config, error) {
	t.Helper()
	base := []string{"recipe.kind=gan", "model={family: dcgan, width: 4, latent: 6}", "data={format: pictures, shapes: 40, size: 8, validation: 0.2}", "run.dir=x"}
	return config.Assemble(table().Config(), append(base, set...)...)
}

func TestRefusals(t *testing.T) {
	for set, want := range map[string]string{
		"recipe.loss=squared":                             "recipe.loss",
		"recipe.r1=-1":                                    "recipe.r1",
		"recipe.discriminator_lr=-1":                      "recipe.discriminator_lr",
		"recipe.average=1":                                "recipe.average",
		"recipe.shown=-1":                                 "recipe.shown",
		"recipe.collapse=stop":                            "recipe.collapse",
		"recipe.least_variety=1":                          "recipe.least_variety",
		"recipe.most_accuracy=0.5":                        "recipe.most_accuracy",
		"data.size=12":                                    "data.size",
		"model.channels=1":                                "model.channels",
		"model.size=16":                                   "model.size",
		"model.width=-1":                                  "width",
		"model.part=critic":                               "part",
		"{recipe: {r1: 1}, precision: bfloat16}":          "recipe.r1",
		"{lora: {rank: 4}}":                               "lora",
		"train={steps: 4, batch: 2, document_mask: true}": "train.document_mask",
	} {
		var sets []string
		if strings.HasPrefix(set, "{") {
			sets = map[string][]string{"{recipe: {r1: 1}, precision: bfloat16}": {"recipe.r1=1", "precision=bfloat16"}, "{lora: {rank: 4}}": {"lora.rank=4"}}[set]
		} else {
			sets = []string{set}
		}
		cfg, err := assemble(t, sets...)
		if err == nil {
			err = cfg.Validate(table().Config())
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", set, err)
		}
	}
}

// golden is a file of scripts/golden/gan.py.
type golden struct {
	Config                  family.Config
	LR                      float64
	X, Z, Drawn, Real, Fake nntest.Tensor
	DiscriminatorLoss       float64                  `json:"discriminator_loss"`
	GeneratorLoss           float64                  `json:"generator_loss"`
	DiscriminatorGrads      map[string]nntest.Tensor `json:"discriminator_grads"`
	GeneratorGrads          map[string]nntest.Tensor `json:"generator_grads"`
	Weights                 map[string]map[string]nntest.Tensor
	Running                 map[string]nntest.Tensor
}

// models are the parts of a job by role.
func models(t *testing.T, c *family.Config, name string) map[string]nn.Model {
	t.Helper()
	all := map[string]nn.Model{}
	for role, part := range map[string]string{generatorRole: generatorRole, discriminatorRole: discriminatorRole, averageRole: generatorRole} {
		m, err := table().Families.New(nn.Spec{Family: name, Config: c.ForPart(part, 3, 8)}, nn.Tuning{Role: role, Average: role == averageRole})
		if err != nil {
			t.Fatal(err)
		}
		all[role] = m
	}
	return all
}

// TestGolden compares pictures, an alternating step, its gradients and running statistics with
// PyTorch's.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json.gz")
	if err != nil || len(files) != 2 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json.gz"), func(t *testing.T) {
			var want golden
			nntest.Read(t, file, &want)
			testGolden(t, want)
		})
	}
}

func testGolden(t *testing.T, want golden) {
	c, rows := want.Config, want.X.Shape[0]
	all := models(t, &c, "dcgan")
	store := nntest.Open(t)
	d := &duel{
		config:    Config{Loss: NonSaturating, Average: 0.9},
		generator: all[generatorRole].(nn.PictureGenerator), discriminator: all[discriminatorRole].(nn.Discriminator), average: all[averageRole].(nn.PictureGenerator),
		latents: func(g *autograd.Graph, rows int) *autograd.Node { return g.Floats("z", rows, c.Latent) },
		pictures: func(g *autograd.Graph, rows int) (nn.Pictures, *autograd.Node) {
			return nn.Pictures{X: g.Floats("x", rows*c.Size*c.Size, c.Channels), Batch: rows, Height: c.Size, Width: c.Size}, g.Floats("counts", rows, 1)
		},
	}
	phase := func(build func(g *autograd.Graph, rows int) recipe.Loss, learns nn.Model) *exec.Session {
		g := autograd.NewGraph()
		l := build(g, rows)
		outputs := []*autograd.Node{l.Value.Named("value")}
		for _, m := range l.Metrics {
			outputs = append(outputs, m.Sum.Named(m.Name))
		}
		var wrt []*autograd.Node
		for _, p := range nn.Trainable(learns.Params()) {
			wrt = append(wrt, g.Declared(p.State()))
		}
		return nntest.Bind(t, store, g, g.Grad(l.Value, wrt...), outputs...)
	}
	judging, drawing := phase(d.judging, d.discriminator), phase(d.drawing, d.generator)
	g := autograd.NewGraph()
	drawn := nntest.Bind(t, store, g, nil, d.generator.Draw(g, d.latents(g, rows), nn.RunningStatistics).X.Named("drawn"))
	nntest.Write(t, store, d.generator.Params(), want.Weights[generatorRole])
	nntest.Write(t, store, d.discriminator.Params(), want.Weights[discriminatorRole])

	inputs := map[string][]float32{"z": want.Z.Floats()}
	nntest.Near(t, "pictures", nntest.Run(t, drawn, inputs)[0], want.Drawn.Pixels(), 1e-5, 0.5)
	ones := []float32{1, 1, 1, 1}
	inputs["x"], inputs["counts"], inputs["loss_weight"] = want.X.Pixels(), ones, ones[:1]
	got := nntest.Run(t, judging, inputs)
	nntest.Near(t, "discriminator's loss", got[0], []float32{float32(want.DiscriminatorLoss)}, 1e-5, 0.5)
	known := 0.0
	for i, real := range want.Real.Floats() {
		known += map[bool]float64{true: 0.5}[real > 0] + map[bool]float64{true: 0.5}[want.Fake.Floats()[i] <= 0]
	}
	if sum := float64(got[2][0] + got[2][1] + got[2][2] + got[2][3]); math.Abs(sum-known) > 1e-6 {
		t.Errorf("the discriminator knows %g of 4 pairs, want %g", sum, known)
	}
	trained := nn.Trainable(d.discriminator.Params())
	nntest.NearGrads(t, store, trained, want.DiscriminatorGrads, 1e-5, 0.01)
	for _, p := range trained {
		w, grad := make([]float32, p.Shape.Size()), make([]float32, p.Shape.Size())
		if err := store.Read(p.State(), w); err != nil {
			t.Fatal(err)
		}
		if err := store.Read(autograd.GradState(p.State()), grad); err != nil {
			t.Fatal(err)
		}
		for i := range w {
			w[i] -= float32(want.LR) * grad[i]
		}
		if err := store.Write(p.State(), w); err != nil {
			t.Fatal(err)
		}
	}
	delete(inputs, "x")
	got = nntest.Run(t, drawing, inputs)
	nntest.Near(t, "generator's loss", got[0], []float32{float32(want.GeneratorLoss)}, 1e-5, 0.5)
	nntest.NearGrads(t, store, nn.Trainable(d.generator.Params()), want.GeneratorGrads, 1e-5, 0.01)
	params := d.generator.Params()
	for i, p := range d.average.Params() {
		x, average := make([]float32, p.Shape.Size()), make([]float32, p.Shape.Size())
		if err := store.Read(params[i].State(), x); err != nil {
			t.Fatal(err)
		}
		if err := store.Read(p.State(), average); err != nil {
			t.Fatal(err)
		}
		was := want.Weights[generatorRole][p.Name].Floats()
		if w, ok := want.Running[p.Name]; ok {
			nntest.Near(t, p.Name, x, w.Floats(), 1e-5, 0.5)
		}
		nntest.Near(t, "first average of "+p.Name, average, was, 1e-6, 0.5)
	}
}

// TestEffective: kinds that are as frequent as each other count one each, rare ones little.
func TestEffective(t *testing.T) {
	for want, counts := range map[float64][]float64{0: {0, 0}, 1: {5, 0, 0}, 3: {7, 7, 0, 7}} {
		if got := effective(counts); math.Abs(got-want) > 1e-12 {
			t.Errorf("%v are %g kinds, want %g", counts, got, want)
		}
	}
}
