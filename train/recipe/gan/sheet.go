package gan

import (
	"context"
	"errors"
	"fmt"
	"math"
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
	duel    *duel
	data    picture.Config
	compute ir.DType

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
	s.noise, s.out = make([]float32, z.Shape().Size()), make([]float32, count*s.data.Bytes())
	return []*plan.Plan{s.plan}, nil
}

// Bind is part of recipe.Tool.
func (s *sheet) Bind(store *exec.Store, arena *exec.Arena) (err error) {
	s.session, err = exec.NewSession(s.plan, store, arena)
	return err
}

// show draws the sheet.
func (s *sheet) show(context.Context) (recipe.Shown, error) {
	drawn, err := s.draw(0)
	shown := recipe.Shown{Name: "drawn", Text: "pictures that the generator draws, of the same random numbers each time"}
	if err == nil {
		shown.Picture = picture.Grid(drawn, s.data.Size, s.duel.config.Shown)
	}
	return shown, err
}

// draw draws the pictures of a sheet by its number.
func (s *sheet) draw(number uint64) ([][]byte, error) {
	pictures.Latents(number, s.noise)
	if err := errors.Join(s.session.SetFloats("latents", s.noise), s.session.Run(), s.session.Output(0, s.out)); err != nil {
		return nil, err
	}
	return slices.Collect(slices.Chunk(picture.Bytes(s.out, false), s.data.Bytes())), nil
}

// measured is the least number of pictures that measure draws.
const measured = 256

// measure tells how many of the pictures that the generator draws show a shape, and how evenly
// they are of all colours and forms.
func (s *sheet) measure(context.Context) (recipe.Measured, error) {
	kinds := make([]float64, len(picture.Colours)*len(picture.Forms))
	right, n := 0.0, 0.0
	for number := uint64(1); n < measured; number++ {
		drawn, err := s.draw(number)
		if err != nil {
			return recipe.Measured{}, err
		}
		for _, pixels := range drawn {
			n++
			if shape, fit := picture.Recognise(s.data, pixels); fit >= picture.Fitting {
				right++
				kinds[shape.Colour*len(picture.Forms)+shape.Form]++
			}
		}
	}
	return recipe.Measured{
		Values: []recipe.Measurement{{Name: "shapes_right", Value: right / n}, {Name: "shapes_kinds", Value: effective(kinds)}},
		Notes: []recipe.Note{{Name: "shapes_right_signature", Text: fmt.Sprintf("%.0f pictures that show a shape by the rule of picture.Recognise, which fits by %g; "+
			"kinds are e to the entropy of their colours and forms, of %d", n, picture.Fitting, len(kinds))}},
	}, nil
}

// effective is e to the entropy of counts: how many kinds there are of which none is rare.
func effective(counts []float64) float64 {
	sum, entropy := 0.0, 0.0
	for _, n := range counts {
		sum += n
	}
	for _, n := range counts {
		if n > 0 {
			entropy -= n / sum * math.Log(n/sum)
		}
	}
	if sum == 0 {
		return 0
	}
	return math.Exp(entropy)
}
