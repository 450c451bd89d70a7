package clip

import (
	"errors"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/plan"
	"example.com/gotrain/nn"
)

// Embedder gives the places of pictures and captions, rows of them at a time: [Embedder.Plan] plans
// its programs, [Embedder.Bind] makes them ready. It serves one goroutine.
type Embedder struct {
	Model   *Pair
	rows    int
	compute ir.DType

	plans    [2]*plan.Plan // of pictures, and of captions
	sessions [2]*exec.Session
}

// NewEmbedder returns an embedder whose programs compute in a type.
func NewEmbedder(m *Pair, rows int, compute ir.DType) *Embedder {
	return &Embedder{Model: m, rows: max(rows, 1), compute: compute}
}

// Plan plans the programs for a back end.
func (e *Embedder) Plan(t plan.Target) ([]*plan.Plan, error) {
	m, rows := e.Model, e.rows
	p := m.config.Picture
	for i, build := range []func(g *autograd.Graph) []*autograd.Node{
		func(g *autograd.Graph) []*autograd.Node {
			x := autograd.Pixels(g, "image", rows, p.Size*p.Size*p.Channels)(2./255, -1)
			shown := nn.Pictures{X: autograd.Reshape(x, rows*p.Size*p.Size, p.Channels), Batch: rows, Height: p.Size, Width: p.Size}
			places, features := m.EmbedPictures(g, shown)
			return []*autograd.Node{places, features}
		},
		func(g *autograd.Graph) []*autograd.Node {
			places := m.EmbedCaptions(g, g.Ints("ids", rows*m.Context()), g.Floats("ends", rows, m.Context()))
			return []*autograd.Node{places, autograd.Scale(autograd.Reshape(m.Scale(g), 1), 1)}
		},
	} {
		g := autograd.NewGraph()
		program, err := g.Lower([]string{"embed_pictures", "embed_captions"}[i], build(g)...)
		if err != nil {
			return nil, err
		}
		if e.plans[i], err = plan.Build(program, plan.Options{Target: t, Compute: e.compute}); err != nil {
			return nil, err
		}
	}
	return e.plans[:], nil
}

// Bind makes the programs ready to run on the states of store.
func (e *Embedder) Bind(store *exec.Store, arena *exec.Arena) (err error) {
	for i, p := range e.plans {
		if e.sessions[i], err = exec.NewSession(p, store, arena); err != nil {
			return err
		}
	}
	return nil
}

// Ready plans and binds on a back end, with memory of its own.
func (e *Embedder) Ready(store *exec.Store) error {
	plans, err := e.Plan(store.Backend().Target())
	if err != nil {
		return err
	}
	arena, err := exec.NewArenaFor(store.Backend(), plans)
	if err != nil {
		return err
	}
	return e.Bind(store, arena)
}

// Pictures gives n pictures their places (n, E), and what the encoder tells of each before it is
// projected, (n, D). pixels are bytes (n, Size, Size, Channels).
func (e *Embedder) Pictures(pixels []byte) (places, features []float32, err error) {
	p := e.Model.config.Picture
	size := p.Size * p.Size * p.Channels
	n := len(pixels) / size
	batch := make([]byte, e.rows*size)
	y, z := make([]float32, e.rows*e.Model.config.Projection), make([]float32, e.rows*p.Width)
	s := e.sessions[0]
	for first := 0; first < n; first += e.rows {
		copy(batch, pixels[first*size:])
		in, _ := s.Input("image")
		if err := errors.Join(in.SetBytes(batch), s.Run(), s.Output(0, y), s.Output(1, z)); err != nil {
			return nil, nil, err
		}
		count := min(e.rows, n-first)
		places = append(places, y[:count*e.Model.config.Projection]...)
		features = append(features, z[:count*p.Width]...)
	}
	return places, features, nil
}

// Captions gives n captions of tokens ids (n·Context), each with an end, their places (n, E), and
// the logarithm of the scale of cosines.
func (e *Embedder) Captions(ids []int32, end int32) (places []float32, scale float64, err error) {
	length, width := e.Model.Context(), e.Model.config.Projection
	n := len(ids) / length
	batch, ends := make([]int32, e.rows*length), make([]float32, e.rows*length)
	y, at := make([]float32, e.rows*width), make([]float32, 1)
	s := e.sessions[1]
	for first := 0; first < n; first += e.rows {
		copy(batch, ids[first*length:])
		for row := range e.rows {
			Ends(batch[row*length:][:length], end, ends[row*length:])
		}
		if err := errors.Join(s.SetInts("ids", batch), s.SetFloats("ends", ends), s.Run(), s.Output(0, y), s.Output(1, at)); err != nil {
			return nil, 0, err
		}
		places = append(places, y[:min(e.rows, n-first)*width]...)
	}
	return places, float64(at[0]), nil
}
