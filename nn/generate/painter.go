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

// NewPainter draws a picture with a generator, of m.Latent numbers.
func NewPainter(m nn.PictureGenerator, store *exec.Store, compute ir.DType) (*Painter, error) {
	return newPainter(store, compute, ir.Shape{1, m.Latent()}, func(g *autograd.Graph, z *autograd.Node) nn.Pictures {
		return m.Draw(g, z, nn.RunningStatistics)
	})
}

// NewDecoder draws a picture with an autoencoder, of latents of side × side pixels.
func NewDecoder(m nn.Autoencoder, store *exec.Store, compute ir.DType, side int) (*Painter, error) {
	_, latent, _ := m.Config().(nn.AutoencoderConfig).Picture()
	return newPainter(store, compute, ir.Shape{side * side, latent}, func(g *autograd.Graph, z *autograd.Node) nn.Pictures {
		return m.Decode(g, nn.Pictures{X: z, Batch: 1, Height: side, Width: side})
	})
}

// NewRetelling tells a picture of side × side pixels again with an autoencoder, by the means of
// its latents.
func NewRetelling(m nn.Autoencoder, store *exec.Store, compute ir.DType, side int) (*Painter, error) {
	channels, _, _ := m.Config().(nn.AutoencoderConfig).Picture()
	return newPainter(store, compute, ir.Shape{side * side, channels}, func(g *autograd.Graph, x *autograd.Node) nn.Pictures {
		mean, _ := m.Encode(g, nn.Pictures{X: x, Batch: 1, Height: side, Width: side})
		return m.Decode(g, mean)
	})
}

// newPainter binds what build makes of an input of shape on the parameters in store.
func newPainter(store *exec.Store, compute ir.DType, shape ir.Shape, build func(g *autograd.Graph, z *autograd.Node) nn.Pictures) (*Painter, error) {
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
