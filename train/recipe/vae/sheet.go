package vae

import (
	"slices"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/plan"
	"example.com/gotrain/data/picture"
	"example.com/gotrain/nn"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/recipe/pictures"
)

// sheet is a tool that draws what a model knows: pictures, how it tells them again, and
// pictures of latents from N(0, 1).
type sheet struct {
	model   *autoencoder
	compute ir.DType
	columns int

	plans      [2]*plan.Plan // tell again, and draw
	sessions   [2]*exec.Session
	noise, out []float32
}

// Plan is part of recipe.Tool.
func (s *sheet) Plan(t plan.Target) ([]*plan.Plan, error) {
	m, rows := s.model, s.columns
	section := m.Autoencoder.Config().(nn.AutoencoderConfig)
	_, latent, factor := section.Picture()
	side := m.data.Size / factor
	for i, build := range []func(g *autograd.Graph) *autograd.Node{
		func(g *autograd.Graph) *autograd.Node {
			mean, _ := m.Encode(g, pictures.Input(g, rows, m.data, 2./255, -1))
			return m.Decode(g, mean).X
		},
		func(g *autograd.Graph) *autograd.Node {
			return m.Decode(g, nn.Pictures{X: g.Floats("latents", rows*side*side, latent), Batch: rows, Height: side, Width: side}).X
		},
	} {
		g := autograd.NewGraph()
		p, err := g.Lower([]string{"tell_again", "draw"}[i], build(g))
		if err != nil {
			return nil, err
		}
		if s.plans[i], err = plan.Build(p, plan.Options{Target: t, Compute: s.compute}); err != nil {
			return nil, err
		}
	}
	s.noise, s.out = make([]float32, rows*side*side*latent), make([]float32, rows*m.data.Bytes())
	return s.plans[:], nil
}

// Bind is part of recipe.Tool.
func (s *sheet) Bind(store *exec.Store, arena *exec.Arena) (err error) {
	for i, p := range s.plans {
		if s.sessions[i], err = exec.NewSession(p, store, arena); err != nil {
			return err
		}
	}
	return nil
}

// show draws the sheet of some pictures.
func (s *sheet) show(held []picture.Picture) (recipe.Shown, error) {
	size := s.model.data.Bytes()
	bytes := make([]byte, s.columns*size)
	for i := range min(s.columns, len(held)) {
		copy(bytes[i*size:], held[i].Pixels)
	}
	lines := bytes
	shown := recipe.Shown{Name: "sheet", Text: "a picture: held-out pictures, how the model tells them again, pictures that it draws"}
	if in, ok := s.sessions[0].Input(picture.Field); ok {
		if err := in.SetBytes(bytes); err != nil {
			return shown, err
		}
	}
	pictures.Latents(0, s.noise)
	if err := s.sessions[1].SetFloats("latents", s.noise); err != nil {
		return shown, err
	}
	for _, session := range s.sessions {
		if err := session.Run(); err != nil {
			return shown, err
		}
		if err := session.Output(0, s.out); err != nil {
			return shown, err
		}
		lines = append(lines, picture.Bytes(s.out, s.model.config.Likelihood == Bernoulli)...)
	}
	shown.Picture = picture.Grid(slices.Collect(slices.Chunk(lines, size)), s.model.data.Size, s.columns)
	return shown, nil
}
