package gan

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/cpu"
	"example.com/gotrain/data"
	"example.com/gotrain/data/picture"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/nntest"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/engine"
	"example.com/gotrain/train/ranks"
	"example.com/gotrain/train/recipe"
)

// pointConfig is the model section of points: a generator of two numbers of latents, or a
// discriminator of them.
type pointConfig struct {
	Width int `yaml:"width"`
}

func (c *pointConfig) SetDefaults()    {}
func (c *pointConfig) Validate() error { return nil }

// points are the two halves of a GAN of points: pictures of a pixel with two channels.
type points struct {
	nn.Core
	config pointConfig
}

const pointLatent = 2

func newPoints(c pointConfig, t nn.Tuning) (*points, error) {
	m := &points{config: c}
	var err error
	m.Core, err = nn.NewCore("points", t, nn.Style{Layout: autograd.OutIn, InitStd: 0.2, Bias: true}, func(b *nn.Builder) {
		if t.Role == discriminatorRole {
			m.layers(b, b.Graph.Floats("x", 1, 2), 1)
			return
		}
		m.layers(b, b.Graph.Floats("z", 1, pointLatent), 2)
	})
	return m, err
}

func (m *points) Config() any { c := m.config; return &c }
func (m *points) Latent() int { return pointLatent }
func (m *points) HuggingFace() (map[string]any, error) {
	return nil, fmt.Errorf("%w: of a test", nn.ErrNoCounterpart)
}

func (m *points) layers(b *nn.Builder, x *autograd.Node, out int) *autograd.Node {
	for i := range 3 {
		x = autograd.LeakyReLU(b.Linear(fmt.Sprintf("layers.%d", i), x, m.config.Width))
	}
	return b.Linear("out", x, out)
}

func (m *points) Draw(g *autograd.Graph, z *autograd.Node, _ nn.Statistics) nn.Pictures {
	return nn.Pictures{X: m.layers(m.Builder(g, nn.Inputs{}), z, 2), Batch: z.Shape()[0], Height: 1, Width: 1}
}

func (m *points) Judge(g *autograd.Graph, x nn.Pictures, _ nn.Statistics) *autograd.Node {
	return m.layers(m.Builder(g, nn.Inputs{}), x.X, 1)
}

// ring is a source of points around 8 places of a circle of radius 1.
type ring struct {
	data.Rows
	seed uint64
}

const (
	ringModes  = 8
	ringSpread = 0.05
)

func (r *ring) Fields() []data.Field {
	return []data.Field{{Name: "point", Kind: data.Float32, Shape: []int{2}}, {Name: picture.Counts, Kind: data.Float32}}
}
func (r *ring) NewBatch() *data.Batch { return data.NewBatch(r.Batch, r.Fields()) }

func (r *ring) Fill(b *data.Batch, position uint64) error {
	b.Position, b.Weight = position, float64(r.Batch)
	for row := range r.Batch {
		rng := rand.New(rand.NewPCG(r.seed, position+uint64(row)))
		y, x := math.Sincos(2 * math.Pi * float64(rng.IntN(ringModes)) / ringModes)
		b.Floats["point"][2*row] = float32(x + ringSpread*rng.NormFloat64())
		b.Floats["point"][2*row+1] = float32(y + ringSpread*rng.NormFloat64())
		b.Floats[picture.Counts][row] = 1
	}
	return nil
}

// ringTable has a recipe of the ring, whose losses are those of this package.
func ringTable() recipe.Table {
	row := Recipe()
	row.Check, row.Design = nil, nil
	row.Formats = []config.Choice{{Name: "ring", New: func() any { return &struct{}{} }}}
	row.Open = func(_ context.Context, env recipe.Env) (*recipe.Job, error) {
		c := env.Config
		d := &duel{config: own(c)}
		j := &recipe.Job{Config: c, Unit: recipe.Unit{Name: "points", PerSample: 1}}
		of := map[string]*points{}
		for _, role := range []string{generatorRole, discriminatorRole, averageRole} {
			m, err := env.Families.New(nn.Spec{Family: "points", Config: c.Model.Value()}, nn.Tuning{Role: role, Average: role == averageRole})
			if err != nil {
				return nil, err
			}
			of[role] = m.(*points)
			j.Parts = append(j.Parts, recipe.Part{Model: m})
		}
		d.generator, d.discriminator, d.average = of[generatorRole], of[discriminatorRole], of[averageRole]
		d.latents = d.normal
		d.pictures = func(g *autograd.Graph, rows int) (nn.Pictures, *autograd.Node) {
			return nn.Pictures{X: g.Floats("point", rows, 2), Batch: rows, Height: 1, Width: 1}, g.Floats(picture.Counts, rows, 1)
		}
		j.Phases = []recipe.Phase{
			{Name: discriminatorRole, Learns: discriminatorRole, Loss: d.judging, Optimizer: c.Optimizer},
			{Name: generatorRole, Learns: generatorRole, Loss: d.drawing, Optimizer: c.Optimizer},
		}
		j.Score = d.score
		j.Train = &ring{Rows: c.TrainRows(), seed: c.Run.Seed}
		return j, nil
	}
	return recipe.Table{Families: nn.Families{nn.NewFamily("points", pointConfig{Width: 64}, newPoints, nil)}, Recipes: []recipe.Recipe{row}}
}

// TestRing trains a GAN on a ring of 8 Gaussians: what its average draws has at least 7 of
// them, and most points lie within three deviations of one (90%, of which rounding moves some).
func TestRing(t *testing.T) {
	cfg, err := config.Assemble(ringTable().Config(), "recipe.kind=gan", "recipe.r1=0.01", "recipe.average=0.99", "model={family: points}", "data={format: ring}", "run.dir=x",
		"train={steps: 5000, batch: 256}", "optimizer={kind: adamw, lr: 5e-3, betas: [0.0, 0.99], weight_decay: 0, clip: 0, schedule: cosine, warmup: 0}")
	if err != nil {
		t.Fatal(err)
	}
	job, err := ringTable().Open(t.Context(), recipe.Env{Config: cfg, FS: vfs.OS{}, Families: ringTable().Families})
	if err != nil {
		t.Fatal(err)
	}
	b, err := cpu.New(cpu.Config{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	e, err := engine.New(job.Config, job, b, ranks.Coordinate(nil))
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Initialize(vfs.OS{}); err != nil {
		t.Fatal(err)
	}
	batch := job.Train.NewBatch()
	for step := range cfg.Train.Steps {
		if err := job.Train.Fill(batch, uint64(step)*job.Train.Stride()); err != nil {
			t.Fatal(err)
		}
		if _, err := e.Step(batch, engine.StepConfig{Step: step, Weight: batch.Weight}); err != nil {
			t.Fatal(err)
		}
	}
	const drawn = 2000
	g := autograd.NewGraph()
	average := job.Part(averageRole).Model.(*points)
	s := nntest.Bind(t, e.Store(), g, nil, average.Draw(g, g.Floats("z", drawn, pointLatent), nn.RunningStatistics).X.Named("x"))
	rng := rand.New(rand.NewPCG(1, 2))
	z := make([]float32, drawn*pointLatent)
	for i := range z {
		z[i] = float32(rng.NormFloat64())
	}
	x := nntest.Run(t, s, map[string][]float32{"z": z})[0]
	var near [ringModes]int
	good := 0
	for i := range drawn {
		for mode := range near {
			sin, cos := math.Sincos(2 * math.Pi * float64(mode) / ringModes)
			if math.Hypot(float64(x[2*i])-cos, float64(x[2*i+1])-sin) < 3*ringSpread {
				near[mode]++
				good++
			}
		}
	}
	modes := 0
	for _, n := range near {
		if n >= drawn/100 {
			modes++
		}
	}
	t.Logf("%d modes, %.1f%% of points within three deviations: %v", modes, 100*float64(good)/drawn, near)
	if modes < 7 || good < drawn*8/10 {
		t.Errorf("%d modes, %d of %d points within three deviations of one: %v", modes, good, drawn, near)
	}
}
