package vae

import (
	"math"
	"math/rand/v2"

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
	m, rows, size := s.model, s.columns, s.model.data.Size
	section := m.Autoencoder.Config().(nn.AutoencoderConfig)
	_, latent, factor := section.Picture()
	side := size / factor
	for i, build := range []func(g *autograd.Graph) *autograd.Node{
		func(g *autograd.Graph) *autograd.Node {
			bytes := autograd.Pixels(g, picture.Field, rows, m.data.Bytes())
			x := nn.Pictures{X: autograd.Reshape(bytes(2./255, -1), rows*size*size, m.data.Channels()), Batch: rows, Height: size, Width: size}
			mean, _ := m.Encode(g, x)
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

// drawSeed is that of the latents of a sheet, the same at every evaluation.
const drawSeed = 20

// show draws the sheet of some pictures.
func (s *sheet) show(held []picture.Picture) (recipe.Shown, error) {
	to := pictures.NewSheet(3, s.columns, s.model.data.Size, s.model.data.Channels())
	bytes := make([]byte, s.columns*s.model.data.Bytes())
	for i := range min(s.columns, len(held)) {
		copy(bytes[i*s.model.data.Bytes():], held[i].Pixels)
	}
	to.Paint(0, s.columns, func(i int) byte { return bytes[i] })
	shown := recipe.Shown{Name: "sheet", Picture: to, Text: "a picture: held-out pictures, how the model tells them again, pictures that it draws"}
	if in, ok := s.sessions[0].Input(picture.Field); ok {
		if err := in.SetBytes(bytes); err != nil {
			return shown, err
		}
	}
	rng := rand.New(rand.NewPCG(drawSeed, 0))
	for i := range s.noise {
		s.noise[i] = float32(rng.NormFloat64())
	}
	if err := s.sessions[1].SetFloats("latents", s.noise); err != nil {
		return shown, err
	}
	for i, session := range s.sessions {
		if err := session.Run(); err != nil {
			return shown, err
		}
		if err := session.Output(0, s.out); err != nil {
			return shown, err
		}
		to.Paint(1+i, s.columns, func(i int) byte { return s.model.pixel(s.out[i]) })
	}
	return shown, nil
}

// pixel is the byte of what the decoder tells.
func (m *autoencoder) pixel(y float32) byte {
	share := float64(y)/2 + 0.5
	if m.config.Likelihood == Bernoulli {
		share = 1 / (1 + math.Exp(-float64(y)))
	}
	return pictures.Byte(share)
}
