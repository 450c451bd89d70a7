package gan

import (
	"context"
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

// sheet is a tool that draws pictures of the same random numbers at every evaluation.
type sheet struct {
	duel           *duel
	size, channels int
	compute        ir.DType

	plan       *plan.Plan
	session    *exec.Session
	noise, out []float32
}

// Plan is part of recipe.Tool.
func (s *sheet) Plan(t plan.Target) ([]*plan.Plan, error) {
	count := s.duel.config.Shown * s.duel.config.Shown
	g := autograd.NewGraph()
	z := g.Floats("latents", count, s.duel.generator.Latent())
	p, err := g.Lower("draw", s.duel.drawer().Draw(g, z, nn.RunningStatistics).X)
	if err != nil {
		return nil, err
	}
	if s.plan, err = plan.Build(p, plan.Options{Target: t, Compute: s.compute}); err != nil {
		return nil, err
	}
	s.noise, s.out = make([]float32, z.Shape().Size()), make([]float32, count*s.size*s.size*s.channels)
	return []*plan.Plan{s.plan}, nil
}

// Bind is part of recipe.Tool.
func (s *sheet) Bind(store *exec.Store, arena *exec.Arena) (err error) {
	s.session, err = exec.NewSession(s.plan, store, arena)
	return err
}

// show draws the sheet.
func (s *sheet) show(context.Context) (recipe.Shown, error) {
	shown := recipe.Shown{Name: "drawn", Text: "pictures that the generator draws, of the same random numbers each time"}
	pictures.Latents(s.noise)
	if err := s.session.SetFloats("latents", s.noise); err != nil {
		return shown, err
	}
	if err := s.session.Run(); err != nil {
		return shown, err
	}
	if err := s.session.Output(0, s.out); err != nil {
		return shown, err
	}
	drawn := slices.Collect(slices.Chunk(picture.Bytes(s.out, false), s.size*s.size*s.channels))
	shown.Picture = picture.Grid(drawn, s.size, s.duel.config.Shown)
	return shown, nil
}
