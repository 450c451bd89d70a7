package generate

import (
	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/plan"
	"example.com/gotrain/nn"
)

// Painter makes pictures of numbers: latents, or the pixels of other pictures.
type Painter struct {
	session *exec.Session
	out     []float32
}

// NewPainter binds what build makes of an input of shape on the parameters in store, which is
// the Painter's: it adds nothing to it.
func NewPainter(store *exec.Store, compute ir.DType, shape ir.Shape, build func(g *autograd.Graph, z *autograd.Node) nn.Pictures) (*Painter, error) {
	g := autograd.NewGraph()
	p, err := g.Lower("paint", build(g, g.Floats("latents", shape...)).X)
	if err != nil {
		return nil, err
	}
	b := store.Backend()
	built, err := plan.Build(p, plan.Options{Target: b.Target(), Compute: compute})
	if err != nil {
		return nil, err
	}
	arena, err := exec.NewArena(b, built.Arena)
	if err != nil {
		return nil, err
	}
	s, err := exec.NewSession(built, store, arena)
	if err != nil {
		return nil, err
	}
	return &Painter{s, make([]float32, built.Program.Outputs[0].Shape.Size())}, nil
}

// Paint returns the pixels of the pictures of z, which are good until the next call: a row for
// each, its channels beside each other.
func (p *Painter) Paint(z []float32) ([]float32, error) {
	if err := p.session.SetFloats("latents", z); err != nil {
		return nil, err
	}
	if err := p.session.Run(); err != nil {
		return nil, err
	}
	return p.out, p.session.Output(0, p.out)
}
