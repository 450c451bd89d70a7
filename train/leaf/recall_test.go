package leaf

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/data"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/data/vfs/vfstest"
	"example.com/gotrain/nn"
	"example.com/gotrain/train/checkpoint"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/events"
	"example.com/gotrain/train/metrics"
	"example.com/gotrain/train/recipe"
)

// Echo is the section of a toy that hears a number a step and has to say the one that it
// heard in the step before: it needs a memory of each sample.
type Echo struct {
	Channels int `yaml:"channels" json:"channels"`
}

// SetDefaults has nothing to fill in.
func (c *Echo) SetDefaults() {}

// Validate returns all faults.
func (c *Echo) Validate() error {
	var f nn.Faults
	f.Size("channels", c.Channels, nn.MaxSize)
	return f.Err()
}

func echoes() nn.Family { return nn.NewFamily("echo", Echo{Channels: 6}, newEcho, nil) }

// echo is h = relu(x·W + memory·U), y = h·V; memory = h, and running follows Σ x.
type echo struct {
	nn.Core
	config Echo
}

func newEcho(c Echo, t nn.Tuning) (*echo, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	m := &echo{config: c}
	var err error
	m.Core, err = nn.NewCore("echo", t, nn.Style{Layout: autograd.OutIn, InitStd: 0.4, Bias: true}, func(b *nn.Builder) {
		m.forward(b, b.Graph.Floats("x", 1, 1))
	})
	return m, err
}

func (m *echo) Config() any { c := m.config; return &c }

func (m *echo) HuggingFace() (map[string]any, error) {
	return nil, fmt.Errorf("%w: it is a toy", nn.ErrNoCounterpart)
}

func (m *echo) forward(b *nn.Builder, x *autograd.Node) *autograd.Node {
	rows := x.Shape()[0]
	memory := b.Memory("heard", rows, m.config.Channels)
	h := autograd.Activation(autograd.Add(b.Linear("x", x, m.config.Channels), b.Linear("memory", memory, m.config.Channels)), ir.ReLU)
	b.Graph.Write(memory, h)
	return b.Linear("y", h, 1)
}

// recall is the row of the recipe.
func recall() recipe.Recipe {
	return recipe.Recipe{
		Name:    "recall",
		Formats: []config.Choice{{Name: "numbers", New: func() any { return &Numbers{HeldOut: 12} }}},
		Design:  func(_ context.Context, env recipe.Env) (*recipe.Job, error) { return designRecall(env) },
		Open: func(_ context.Context, env recipe.Env) (*recipe.Job, error) {
			j, err := designRecall(env)
			if err == nil {
				j.Train = &numbers{Rows: env.Config.TrainRows()}
				j.Eval = &numbers{Rows: env.Config.EvalRows(), end: uint64(env.Config.Data.Value().(*Numbers).HeldOut)}
			}
			return j, err
		},
	}
}

func designRecall(env recipe.Env) (*recipe.Job, error) {
	model, err := env.Families.New(nn.Spec{Family: "echo", Config: env.Config.Model.Value()}, nn.Tuning{})
	if err != nil {
		return nil, err
	}
	m := model.(*echo)
	wrong := func(g *autograd.Graph, rows int) (x, off *autograd.Node) {
		x = g.Floats("x", rows, 1)
		off = autograd.Add(m.forward(m.Builder(g, nn.Inputs{}), x), autograd.Scale(g.Floats("y", rows, 1), -1))
		return x, autograd.Mul(g.Floats("counts", rows, 1), autograd.Mul(off, off))
	}
	return &recipe.Job{
		Config: env.Config, Unit: recipe.Unit{Name: "numbers", PerSample: 1},
		Parts: []recipe.Part{{Model: m, Files: func() ([]checkpoint.File, error) {
			text, err := nn.ConfigJSON(m, nn.SpecialTokens{BOS: -1, PAD: -1})
			return []checkpoint.File{vfs.Bytes("config.json", text)}, err
		}}},
		Phases: []recipe.Phase{{Optimizer: env.Config.Optimizer, Loss: func(g *autograd.Graph, rows int) recipe.Loss {
			x, loss := wrong(g, rows)
			mean := g.Running("mean", 1, 1)
			g.Write(mean, autograd.Add(autograd.Scale(mean, 0.75), autograd.Scale(autograd.Sum(x, 0), 0.25/float32(rows))))
			return recipe.Loss{Value: weighted(g, loss), Metrics: []recipe.Metric{{Name: "loss", Sum: loss}}}
		}}},
		Score: func(g *autograd.Graph, rows int) recipe.Loss {
			_, loss := wrong(g, rows)
			mean := autograd.Reshape(g.Running("mean", 1, 1), 1)
			return recipe.Loss{Metrics: []recipe.Metric{{Name: "loss", Sum: loss}, {Name: "mean", Sum: mean, Per: recipe.PerRun}}}
		},
	}, nil
}

// Numbers is the section data of streams of numbers, one a sample of a step.
type Numbers struct {
	HeldOut int `yaml:"held_out"`
}

// numbers gives x, a number of ±1 of the stream and the step, and y, that of the step
// before; counts is 0 in rows that hold none.
type numbers struct {
	data.Rows
	end uint64
}

func (s *numbers) Fields() []data.Field {
	return []data.Field{{Name: "x", Kind: data.Float32, Shape: []int{1}}, {Name: "y", Kind: data.Float32, Shape: []int{1}}, {Name: "counts", Kind: data.Float32, Shape: []int{1}}}
}

func (s *numbers) NewBatch() *data.Batch { return data.NewBatch(s.Batch, s.Fields()) }

func (s *numbers) Fill(b *data.Batch, position uint64) error {
	if s.end > 0 && position >= s.end {
		return io.EOF
	}
	number := func(stream, step uint64) float32 {
		return float32(2*rand.New(rand.NewPCG(stream, step)).IntN(2) - 1)
	}
	first, rows := s.Share()
	clear(b.Floats["x"])
	clear(b.Floats["y"])
	clear(b.Floats["counts"])
	b.Position, b.Weight = position, 0
	for row := range b.Rows {
		b.From[row] = data.Origin{}
		if row >= rows {
			continue
		}
		stream, step := first+uint64(row), position/s.Stride()
		b.Floats["x"][row] = number(stream, step+1)
		b.Floats["y"][row] = number(stream, step)
		b.Floats["counts"][row] = 1
		b.From[row] = data.Origin{File: fmt.Sprint("stream-", stream), Offset: int64(step)}
		b.Weight++
	}
	return nil
}

func recalling(t *testing.T, set ...string) recallRun {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "run")
	return recallRun{dir, func(more ...string) config.Config {
		return leafConfig(t, dir, `
recipe: {kind: recall}
model: {family: echo, channels: 8}
data: {format: numbers}
train: {steps: 6, batch: 3, accumulate: 2, eval_every: 2, save_every: 2}
optimizer: {kind: adamw, lr: 0.02, warmup: 2}
cluster: {check_every: 2}
`, append(set, more...)...)
	}}
}

// recallRun is a run of recall: its directory, and its configuration with further settings.
type recallRun struct {
	dir    string
	config func(set ...string) config.Config
}

// tensors are those of the newest checkpoint, whatever its link says: that of the last save is
// no part of a checkpoint, and a crash there loses nothing.
func (r recallRun) tensors(t *testing.T) []byte {
	t.Helper()
	newest, err := filepath.Glob(filepath.Join(r.dir, "checkpoints", "step-*"))
	if err != nil || len(newest) == 0 {
		t.Fatalf("%v, %v", newest, err)
	}
	files, err := filepath.Glob(filepath.Join(slices.Max(newest), "*.safetensors"))
	if err != nil || len(files) < 3 {
		t.Fatalf("%v, %v", files, err)
	}
	var all []byte
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b...)
	}
	return all
}

// losses trains on n ranks and returns the losses of the steps that were made.
func (r recallRun) losses(t *testing.T, n int, set ...string) (losses []float64) {
	t.Helper()
	listen := events.Listener{Step: func(e events.Step) { losses = append(losses, e.Record.Get("loss")) }}
	if err := run(t.Context(), r.config(set...), n, onDisk, openers()["cpu"], listen); err != nil {
		t.Fatal(err)
	}
	return losses
}

// TestRecallResumes: memories are part of a checkpoint. Runs that are killed at random
// operations on files, and stopped at random steps, end with the bits of those that are
// not, on one rank and on two.
func TestRecallResumes(t *testing.T) {
	for name, open := range openers() {
		for _, n := range []int{1, 2} {
			t.Run(fmt.Sprintf("%s/%d", name, n), func(t *testing.T) {
				whole := recalling(t)
				if err := run(t.Context(), whole.config(), n, onDisk, open, events.Listener{}); err != nil {
					t.Fatal(err)
				}
				want := whole.tensors(t)
				rng := rand.New(rand.NewPCG(7, uint64(n)))
				for kill := range 4 {
					killed := recalling(t)
					for life := 0; ; life++ {
						if life > 60 {
							t.Fatal("the run does not come to its end")
						}
						ctx, stop := context.WithCancel(t.Context())
						moment, stopAt, made := rng.IntN(100*(life+1)), 1+rng.IntN(4), 0
						err := run(ctx, killed.config(), n, func(rank int) vfs.FS {
							fault := vfstest.NewFault(vfs.OS{})
							if rank == 0 && kill%2 == 0 {
								fault.CrashAt(moment)
							}
							return fault
						}, open, events.Listener{Step: func(events.Step) {
							if made++; made == stopAt && kill%2 == 1 {
								stop()
							}
						}})
						stop()
						if err == nil {
							break
						}
					}
					if !bytes.Equal(killed.tensors(t), want) {
						t.Fatalf("run %d that was killed ends with other bits", kill)
					}
				}
			})
		}
	}
}

// TestRecallRows: a sample finds its memory in whatever micro-batch and on whatever rank
// it is; a run goes on with other ones, but its samples are other streams with another
// number of them.
func TestRecallRows(t *testing.T) {
	close := func(a, b []float64) bool {
		if len(a) != len(b) {
			return false
		}
		for i := range a {
			if math.Abs(a[i]-b[i]) > 1e-5*math.Abs(a[i]) {
				return false
			}
		}
		return true
	}
	want := recalling(t).losses(t, 1)
	for _, pieces := range []int{1, 3, 6} {
		for ranks := 1; ranks <= 3; ranks++ {
			set := []string{fmt.Sprintf("train.batch=%d", 6/pieces), fmt.Sprintf("train.accumulate=%d", pieces)}
			if got := recalling(t, set...).losses(t, ranks); !close(got, want) {
				t.Errorf("%d pieces on %d ranks: %v, want %v", pieces, ranks, got, want)
			}
		}
	}
	for _, before := range []int{1, 2, 3} {
		r := recalling(t, "optimizer.schedule=constant")
		first := r.losses(t, before, "train.steps=4")
		second := r.losses(t, 4-before, "train.batch=2", "train.accumulate=3")
		if got := append(first, second...); !close(got, recalling(t, "optimizer.schedule=constant").losses(t, 1)) {
			t.Errorf("%d ranks, then %d: %v", before, 4-before, got)
		}
	}
	r := recalling(t)
	r.losses(t, 2, "train.steps=4")
	if got := r.losses(t, 1, "train.batch=4", "train.accumulate=1"); len(got) != 2 {
		t.Errorf("with fewer samples a step the run goes on for %d steps, want 2", len(got))
	}
}

// TestRecallNeedsMemory: with the memory the toy learns what it heard, and evaluations
// begin with an empty one and leave that of training alone.
func TestRecallNeedsMemory(t *testing.T) {
	r := recalling(t, "train.steps=300", "train.save_every=300", "train.eval_every=100", "data.held_out=240")
	var vals []float64
	listen := events.Listener{Validation: func(rec metrics.Record) { vals = append(vals, rec.Get("loss"), rec.Get("mean")) }}
	if err := run(t.Context(), r.config(), 1, onDisk, openers()["cpu"], listen); err != nil {
		t.Fatal(err)
	}
	if n := len(vals); n != 6 || vals[n-2] > 0.6 || math.Abs(vals[n-1]) > 1 || vals[n-1] == 0 {
		t.Errorf("evaluations (loss, running mean): %v", vals)
	}
	quiet := recalling(t, "train.steps=300", "train.save_every=300", "train.eval_every=0", "data.held_out=240")
	loud := r.tensors(t)
	quiet.losses(t, 1)
	if !bytes.Equal(quiet.tensors(t), loud) {
		t.Error("evaluations change what is trained")
	}
}
