package leaf

import (
	"context"
	"fmt"
	"math/rand/v2"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/plan"
	"example.com/gotrain/data"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn"
	"example.com/gotrain/train/checkpoint"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/recipe"
)

// noiseSize is the number of random numbers from which a picture is made.
const noiseSize = 3

// Duel is the section recipe: two models that learn from each other with squared
// errors (Mao et al. 2017, "Least Squares GANs").
type Duel struct {
	JudgeLR float64 `yaml:"judge_lr"`
}

// duel is the row of the recipe.
func duel() recipe.Recipe {
	return recipe.Recipe{
		Name:    "duel",
		Config:  func() any { return &Duel{JudgeLR: 0.01} },
		Formats: []config.Choice{{Name: "pictures", New: func() any { return &Pictures{Side: 4, HeldOut: 10} }}},
		Design:  func(_ context.Context, env recipe.Env) (*recipe.Job, error) { return design(env) },
		Open:    open,
	}
}

// table is what the leaves add to an empty program.
func table() recipe.Table {
	return recipe.Table{Families: nn.Families{family(), echoes()}, Recipes: []recipe.Recipe{duel(), recall()}}
}

// design makes the painter and the judge, whose phases have optimizers of their own.
func design(env recipe.Env) (*recipe.Job, error) {
	c := env.Config
	own, pictures := c.Recipe.Value().(*Duel), c.Data.Value().(*Pictures)
	size := pictures.Side * pictures.Side
	models := map[string]*toy{}
	var parts []recipe.Part
	for role, shape := range map[string][2]int{"painter": {noiseSize, size}, "judge": {size, 1}} {
		section := *c.Model.Value().(*Config)
		section.Inputs, section.Outputs = shape[0], shape[1]
		m, err := env.Families.New(nn.Spec{Family: c.Model.Name(), Config: &section}, nn.Tuning{Role: role})
		if err != nil {
			return nil, err
		}
		models[role] = m.(*toy)
	}
	for _, role := range []string{"painter", "judge"} {
		m := models[role]
		parts = append(parts, recipe.Part{Model: m, Files: func() ([]checkpoint.File, error) {
			text, err := nn.ConfigJSON(m, nn.SpecialTokens{BOS: -1, PAD: -1})
			return []checkpoint.File{vfs.Bytes("config.json", text)}, err
		}})
	}
	painter, judge := models["painter"], models["judge"]
	judging := c.Optimizer
	judging.Kind, judging.LR, judging.Schedule = "sgd", own.JudgeLR, "constant"
	brush := &brush{painter: painter}
	return &recipe.Job{
		Config: c, Parts: parts, Unit: recipe.Unit{Name: "images", PerSample: 1}, Tools: []recipe.Tool{brush},
		Phases: []recipe.Phase{
			{Name: "judge", Learns: "judge", Optimizer: judging, Loss: func(g *autograd.Graph, rows int) recipe.Loss {
				real, fake := judge.apply(g, photos(g, rows, size)), judge.apply(g, painter.apply(g, noise(g, rows)))
				wrong := autograd.Add(missed(g, real, rows, 1), missed(g, fake, rows, 0))
				return recipe.Loss{Value: weighted(g, wrong), Metrics: []recipe.Metric{{Name: "judge_loss", Sum: wrong}}}
			}},
			{Name: "painter", Learns: "painter", Optimizer: c.Optimizer, Loss: func(g *autograd.Graph, rows int) recipe.Loss {
				photos(g, rows, size)
				wrong := missed(g, judge.apply(g, painter.apply(g, noise(g, rows))), rows, 1)
				return recipe.Loss{Value: weighted(g, wrong), Metrics: []recipe.Metric{{Name: "painter_loss", Sum: wrong}}}
			}},
		},
		Score: func(g *autograd.Graph, rows int) recipe.Loss {
			noise(g, rows)
			return recipe.Loss{Metrics: []recipe.Metric{{Name: "trust", Sum: judge.apply(g, photos(g, rows, size)), Higher: true}}}
		},
		Show: brush.show,
	}, nil
}

// open gives the job its pictures.
func open(_ context.Context, env recipe.Env) (*recipe.Job, error) {
	j, err := design(env)
	if err != nil {
		return nil, err
	}
	c, p := env.Config, env.Config.Data.Value().(*Pictures)
	train := &source{Rows: c.TrainRows(), side: p.Side, seed: c.Run.Seed}
	j.Train = train
	j.Eval = &source{Rows: c.EvalRows(), side: p.Side, seed: c.Run.Seed + 1, end: uint64(p.HeldOut)}
	j.Prepare = func(_ context.Context, b *data.Batch) error {
		first, _ := train.Share()
		for row := range b.Rows {
			rng := rand.New(rand.NewPCG(c.Run.Seed+2, b.Position+first+uint64(row)))
			for i := range noiseSize {
				b.Floats["noise"][row*noiseSize+i] = float32(rng.NormFloat64())
			}
		}
		return nil
	}
	return j, nil
}

// photos are the pictures of a batch in [-1, 1], (rows, size).
func photos(g *autograd.Graph, rows, size int) *autograd.Node {
	return autograd.ToFloat(g.Input("image", ir.U8, rows, size), 1.0/128, -1)
}

func noise(g *autograd.Graph, rows int) *autograd.Node { return g.Floats("noise", rows, noiseSize) }

// missed is (y - target)², (rows, 1).
func missed(g *autograd.Graph, y *autograd.Node, rows int, target float32) *autograd.Node {
	minus := g.Table(fmt.Sprintf("minus_%g", target), func() []float32 {
		all := make([]float32, rows)
		for i := range all {
			all[i] = -target
		}
		return all
	}, rows, 1)
	off := autograd.Add(y, minus)
	return autograd.Mul(off, off)
}

// weighted is the sum of x by the weight of the step, a scalar.
func weighted(g *autograd.Graph, x *autograd.Node) *autograd.Node {
	sum := autograd.Reshape(autograd.Sum(x, 0, 1), 1)
	return autograd.Reshape(autograd.Mul(sum, g.Floats("loss_weight", 1)))
}

// brush is a tool: it paints one picture with the parameters of the moment.
type brush struct {
	painter *toy
	plan    *plan.Plan
	session *exec.Session
	picture []float32
}

func (b *brush) Plan(t plan.Target) ([]*plan.Plan, error) {
	g := autograd.NewGraph()
	p, err := g.Lower("paint", b.painter.apply(g, noise(g, 1)))
	if err != nil {
		return nil, err
	}
	if b.plan, err = plan.Build(p, plan.Options{Target: t}); err != nil {
		return nil, err
	}
	b.picture = make([]float32, b.painter.config.Outputs)
	return []*plan.Plan{b.plan}, nil
}

func (b *brush) Bind(store *exec.Store, arena *exec.Arena) (err error) {
	b.session, err = exec.NewSession(b.plan, store, arena)
	return err
}

func (b *brush) show(context.Context) (recipe.Shown, error) {
	shown := recipe.Shown{Name: "picture"}
	if err := b.session.SetFloats("noise", make([]float32, noiseSize)); err != nil {
		return shown, err
	}
	if err := b.session.Run(); err != nil {
		return shown, err
	}
	err := b.session.Output(0, b.picture)
	shown.Text = fmt.Sprint(b.picture[:4])
	return shown, err
}
