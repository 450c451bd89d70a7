package train

import (
	"context"
	"io"
	"math"
	"time"

	"example.com/gotrain/autograd"
	"example.com/gotrain/data"
	"example.com/gotrain/nn"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/recipe"
)

// The job of arithmetic_test.go: two models y = x·wᵀ + b, of which each has a phase with
// an optimizer of its own, on samples that are functions of their number. It is small
// enough to compute every number of a run in the test.

// Sizes of the samples.
const (
	lineInputs = 2
	lineUnits  = 3  // of a sample
	lineHeld   = 13 // samples held out
)

type lineConfig struct {
	Out int `yaml:"out" json:"out"`
}

func (c *lineConfig) SetDefaults()    {}
func (c *lineConfig) Validate() error { return nil }

// line is y = x·wᵀ + b, (N, 2) → (N, 1).
type line struct{ nn.Core }

func newLine(_ lineConfig, t nn.Tuning) (*line, error) {
	m := &line{}
	var err error
	m.Core, err = nn.NewCore("line", t, nn.Style{Layout: autograd.OutIn, InitStd: 0.5, Bias: true}, func(b *nn.Builder) {
		b.Linear("out", b.Graph.Floats("x", 1, lineInputs), 1)
	})
	return m, err
}

func (m *line) Config() any                          { return &lineConfig{Out: 1} }
func (m *line) HuggingFace() (map[string]any, error) { return nil, nn.ErrNoCounterpart }

// off is y - t, 0 in the rows without a sample, (rows, 1).
func (m *line) off(g *autograd.Graph, field string, rows int) *autograd.Node {
	y := m.Builder(g, nn.Inputs{}).Linear("out", g.Floats(field, rows, lineInputs), 1)
	return autograd.Mul(autograd.Add(y, g.Floats("minus_t", rows, 1)), g.Floats("there", rows, 1))
}

type lineData struct {
	Noise float64 `yaml:"noise"`
}

// lineTable is the table of the job. tick is called between the beginning of a step, or
// of a batch of an evaluation, and its end.
func lineTable(tick func(time.Duration)) recipe.Table {
	design := func(env recipe.Env) (*recipe.Job, error) { return lineJob(env, tick) }
	return recipe.Table{
		Families: nn.Families{nn.NewFamily("line", lineConfig{}, newLine, nil)},
		Recipes: []recipe.Recipe{{
			Name:    "lines",
			Formats: []config.Choice{{Name: "lines", New: func() any { return &lineData{} }}},
			Design:  func(_ context.Context, env recipe.Env) (*recipe.Job, error) { return design(env) },
			Open:    func(_ context.Context, env recipe.Env) (*recipe.Job, error) { return design(env) },
		}},
	}
}

// Times that the clock of a test goes on.
const (
	stepTime = 250 * time.Millisecond
	evalTime = 100 * time.Millisecond // of a batch
)

func lineJob(env recipe.Env, tick func(time.Duration)) (*recipe.Job, error) {
	c := env.Config
	models := map[string]*line{}
	var parts []recipe.Part
	for _, role := range []string{"a", "b"} {
		m, err := newLine(lineConfig{}, nn.Tuning{Role: role})
		if err != nil {
			return nil, err
		}
		models[role] = m
		parts = append(parts, recipe.Part{Model: m})
	}
	a := c.Optimizer
	a.Kind, a.LR, a.Schedule, a.Clip, a.Momentum, a.EMA = "sgd", 0.05, "linear", 0, 0.9, 0
	return &recipe.Job{
		Config: c, Parts: parts, Unit: recipe.Unit{Name: "beats", PerSample: lineUnits},
		Phases: []recipe.Phase{
			{Name: "a", Learns: "a", Optimizer: a, Loss: func(g *autograd.Graph, rows int) recipe.Loss {
				off := models["a"].off(g, "x", rows)
				squares := autograd.Mul(off, off)
				first, high := lineRandom(g)
				return recipe.Loss{Value: lineLoss(g, squares), Metrics: []recipe.Metric{
					{Name: "nll", Sum: squares}, {Name: "ppl", Sum: squares, As: recipe.Perplexity},
					{Name: "bits_per_byte", Sum: squares, Per: recipe.PerByte, As: recipe.BitsPerByte},
					{Name: "first", Sum: first, Per: recipe.PerRun}, {Name: "first_squared", Sum: autograd.Mul(first, first), Per: recipe.PerRun},
					{Name: "seed_high", Sum: high, Per: recipe.PerRun},
				}}
			}},
			{Name: "b", Learns: "b", Optimizer: c.Optimizer, Loss: func(g *autograd.Graph, rows int) recipe.Loss {
				off := models["b"].off(g, "z", rows)
				squares := autograd.Mul(off, off)
				return recipe.Loss{Value: lineLoss(g, squares), Metrics: []recipe.Metric{{Name: "miss", Sum: squares, Per: recipe.PerRow}}}
			}},
		},
		Score: func(g *autograd.Graph, rows int) recipe.Loss {
			off := models["a"].off(g, "x", rows)
			squares := autograd.Mul(off, off)
			return recipe.Loss{Metrics: []recipe.Metric{
				{Name: "nll", Sum: squares}, {Name: "bits_per_byte", Sum: squares, Per: recipe.PerByte, As: recipe.BitsPerByte},
				{Name: "runs", Sum: off, Per: recipe.PerRun},
			}}
		},
		Train: &lineSource{Rows: c.TrainRows()},
		Eval:  &lineSource{Rows: c.EvalRows(), from: 1000, end: lineHeld, tick: func() { tick(evalTime) }},
		Prepare: func(context.Context, *data.Batch) error {
			tick(stepTime)
			return nil
		},
	}, nil
}

func lineLoss(g *autograd.Graph, squares *autograd.Node) *autograd.Node {
	sum := autograd.Reshape(autograd.Sum(squares, 0, 1), 1)
	return autograd.Reshape(autograd.Mul(sum, g.Floats("loss_weight", 1)))
}

// lineRandom is what the engine gives in rng as numbers: the first unit's, and the seed's
// high half and low half as 100·high + low.
func lineRandom(g *autograd.Graph) (first, seed *autograd.Node) {
	const most = 2000
	table := g.Table("counting", func() []float32 {
		all := make([]float32, most)
		for i := range all {
			all[i] = float32(i)
		}
		return all
	}, most, 1)
	all := autograd.Reshape(autograd.Embedding(g.Ints("rng", 4), table), 4)
	part := func(i int) *autograd.Node { return autograd.Slice(all, 0, i, i+1) }
	return autograd.Add(part(2), autograd.Scale(part(3), 1000)), autograd.Add(autograd.Scale(part(1), 100), part(0))
}

// lineSample is sample n: what model a reads, what model b reads, the target of both,
// its weight and the bytes of its text.
type lineSample struct {
	x, z   [lineInputs]float32
	t      float32
	weight int
	bytes  int
}

func lineAt(n uint64) lineSample {
	wave := func(k float64) float32 { return float32(math.Sin(k*float64(n) + k)) }
	s := lineSample{x: [2]float32{wave(1.1), wave(2.3)}, z: [2]float32{wave(0.7), wave(3.1)}, t: wave(1.7) + 0.5, weight: 1 + int(n%3), bytes: 2 + int(n%5)}
	switch step := n / 6; {
	case n >= 1000:
	case step == 0 || step == 4: // of b these are not finite
		s.z[0] = float32(math.Inf(1))
	case step == 3: // nor are the squares of these
		s.z[0] = 1e30
	case step == 21 || step == 23: // and these are spikes
		s.z[0] *= 40
	}
	return s
}

// lineSource gives the samples from a number on.
type lineSource struct {
	data.Rows
	from, end uint64 // end of held-out samples, 0 for never
	tick      func()
}

func (s *lineSource) Fields() []data.Field {
	f := func(name string, n int) data.Field {
		return data.Field{Name: name, Kind: data.Float32, Shape: []int{n}}
	}
	return []data.Field{f("x", lineInputs), f("z", lineInputs), f("minus_t", 1), f("there", 1)}
}

func (s *lineSource) NewBatch() *data.Batch { return data.NewBatch(s.Batch, s.Fields()) }

func (s *lineSource) Fill(b *data.Batch, position uint64) error {
	if s.end > 0 && position >= s.end {
		return io.EOF
	}
	if s.tick != nil {
		s.tick()
	}
	first, rows := s.Share()
	b.Position, b.Weight, b.TextBytes = position, 0, 0
	for row := range b.Rows {
		number := position + first + uint64(row)
		there := row < rows && (s.end == 0 || number < s.end)
		sample := lineAt(s.from + number)
		copy(b.Floats["x"][row*lineInputs:], sample.x[:])
		copy(b.Floats["z"][row*lineInputs:], sample.z[:])
		b.Floats["minus_t"][row], b.Floats["there"][row], b.From[row] = -sample.t, 0, data.Origin{}
		if !there {
			clear(b.Floats["z"][row*lineInputs : (row+1)*lineInputs])
			continue
		}
		b.Floats["there"][row], b.From[row] = 1, data.Origin{File: "lines", Offset: int64(number)}
		b.Weight += float64(sample.weight)
		b.TextBytes += int64(sample.bytes)
	}
	return nil
}
