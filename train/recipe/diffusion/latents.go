package diffusion

import (
	"context"
	"math"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/plan"
	"example.com/gotrain/data/picture"
	"example.com/gotrain/train/recipe/pictures"
)

// encoder is a tool that makes latents of pictures, rows at a time.
type encoder struct {
	model   *model
	rows    int
	compute ir.DType
	plan    *plan.Plan
	session *exec.Session
}

// Plan is part of recipe.Tool.
func (e *encoder) Plan(t plan.Target) ([]*plan.Plan, error) {
	g := autograd.NewGraph()
	mean, _ := e.model.Autoencoder.Encode(g, pictures.Input(g, e.rows, e.model.data, 2./255, -1))
	p, err := g.Lower("encode_all", mean.X)
	if err != nil {
		return nil, err
	}
	e.plan, err = plan.Build(p, plan.Options{Target: t, Compute: e.compute})
	return []*plan.Plan{e.plan}, err
}

// Bind is part of recipe.Tool.
func (e *encoder) Bind(store *exec.Store, arena *exec.Arena) (err error) {
	e.session, err = exec.NewSession(e.plan, store, arena)
	return err
}

// cache has every process make the latents of all pictures before it trains, the means that the
// autoencoder tells. They are scaled so that those of training have deviation 1, or as the base has it.
func (m *model) cache(loaders []*loader) {
	e := &encoder{model: m, rows: max(m.job.Train.(*loader).Batch, 1), compute: m.job.Config.Compute()}
	m.job.Makers = append(m.job.Makers, e)
	n := loaders[0].size[0] * loaders[0].size[1] * loaders[0].size[2]
	for _, l := range loaders {
		l.latents = make([]float32, len(l.Set)*n)
		m.job.Reading.Kept += int64(len(l.latents)) * 4
	}
	m.job.Begin = func(ctx context.Context, _ int) error {
		for _, l := range loaders {
			if err := e.encode(ctx, l.Set, l.latents); err != nil {
				return err
			}
		}
		if m.job.Config.Base == "" {
			m.Scale = 1 / deviation(loaders[0].latents)
		}
		for _, l := range loaders {
			for i := range l.latents {
				l.latents[i] *= float32(m.Scale)
			}
		}
		return nil
	}
}

// encode writes the latents of pictures.
func (e *encoder) encode(ctx context.Context, set []picture.Picture, to []float32) error {
	size, n := e.model.data.Bytes(), len(to)/max(len(set), 1)
	bytes, out := make([]byte, e.rows*size), make([]float32, e.rows*n)
	for first := 0; first < len(set); first += e.rows {
		if err := ctx.Err(); err != nil {
			return err
		}
		count := min(e.rows, len(set)-first)
		for i := range count {
			copy(bytes[i*size:], set[first+i].Pixels)
		}
		in, _ := e.session.Input(picture.Field)
		if err := in.SetBytes(bytes); err != nil {
			return err
		}
		if err := e.session.Run(); err != nil {
			return err
		}
		if err := e.session.Output(0, out); err != nil {
			return err
		}
		copy(to[first*n:], out[:count*n])
	}
	return nil
}

// deviation is that from the mean over all elements.
func deviation(x []float32) float64 {
	var sum, squares float64
	for _, v := range x {
		sum += float64(v)
		squares += float64(v) * float64(v)
	}
	mean := sum / float64(len(x))
	return math.Sqrt(max(squares/float64(len(x))-mean*mean, 1e-12))
}
