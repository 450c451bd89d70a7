package pipeline

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/plan"
	"example.com/gotrain/data/picture"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/diffusion"
	"example.com/gotrain/nn/unet"
)

// Drawer draws rows pictures at a time with a pipeline: [Drawer.Plan] plans its programs,
// [Drawer.Bind] makes them ready, [Drawer.Draw] runs them. It serves one goroutine.
type Drawer struct {
	pipeline *Pipeline
	rows     int
	compute  ir.DType
	state    func(state string) string
	strength float64 // of conditions

	plans    []*plan.Plan
	sessions []*exec.Session
}

// Programs of a Drawer; the last two are there with an autoencoder alone.
const (
	reads = iota
	denoises
	decodes
	encodes
)

// NewDrawer returns a drawer whose programs compute in a type, on states that are called in the
// store as state says; nil is as in the pipeline.
func NewDrawer(p *Pipeline, rows int, compute ir.DType, state func(string) string) *Drawer {
	if state == nil {
		state = func(name string) string { return name }
	}
	return &Drawer{pipeline: p, rows: rows, compute: compute, state: state, strength: 1}
}

// Rows is the most pictures of a Draw.
func (d *Drawer) Rows() int { return d.rows }

// SetStrength has conditions count by a factor other than 1, before Plan.
func (d *Drawer) SetStrength(factor float64) { d.strength = factor }

// Plan plans the programs for a back end.
func (d *Drawer) Plan(t plan.Target) ([]*plan.Plan, error) {
	p, rows := d.pipeline, d.rows
	channels, side, factor := p.Latents()
	pixels := side * side
	picture := func(g *autograd.Graph, channels, side int) nn.Pictures {
		return nn.Pictures{X: g.Floats("x", rows*side*side, channels), Batch: rows, Height: side, Width: side}
	}
	builds := []func(g *autograd.Graph) *autograd.Node{
		reads: func(g *autograd.Graph) *autograd.Node { return p.Text.Encode(g, g.Ints("ids", rows*p.Text.Context())) },
		denoises: func(g *autograd.Graph) *autograd.Node {
			times, captions := g.Floats("times", rows, p.Denoiser.TimeWidth()), g.Floats("context", rows*p.Text.Context(), p.Text.Width())
			y := Denoise(g, p.Denoiser, p.Control, d.strength, picture(g, channels, side), times, captions)
			return autograd.Reshape(y.X, rows*pixels, channels)
		},
	}
	if p.Autoencoder != nil {
		builds = append(builds,
			func(g *autograd.Graph) *autograd.Node { return p.Autoencoder.Decode(g, picture(g, channels, side)).X },
			func(g *autograd.Graph) *autograd.Node {
				mean, _ := p.Autoencoder.Encode(g, picture(g, p.Channels(), side*factor))
				return mean.X
			})
	}
	d.plans = nil
	for i, build := range builds {
		g := autograd.NewGraph()
		program, err := g.Lower([]string{"read_captions", "denoise", "decode", "encode"}[i], build(g))
		if err != nil {
			return nil, err
		}
		built, err := plan.Build(program, plan.Options{Target: t, Compute: d.compute})
		if err != nil {
			return nil, err
		}
		d.plans = append(d.plans, built)
	}
	return d.plans, nil
}

// Bind makes the programs ready to run on the states of store.
func (d *Drawer) Bind(store *exec.Store, arena *exec.Arena) error {
	d.sessions = nil
	for _, p := range d.plans {
		s, err := exec.NewSessionOf(p, store, arena, d.state)
		if err != nil {
			return err
		}
		d.sessions = append(d.sessions, s)
	}
	return nil
}

// Ready plans and binds on a back end, with memory of its own.
func (d *Drawer) Ready(store *exec.Store) error {
	plans, err := d.Plan(store.Backend().Target())
	if err != nil {
		return err
	}
	arena, err := exec.NewArenaFor(store.Backend(), plans)
	if err != nil {
		return err
	}
	return d.Bind(store, arena)
}

// Request says what to draw.
type Request struct {
	Prompts  []string
	Negative string  // what is steered away from; "" is a picture without a caption
	Guidance float64 // weight of captions; 1 is none, and half the time
	Method   string
	Steps    int
	Eta      float64 // of ddim
	Seed     uint64
	// Noise is what pictures begin from, a row a pixel; nil is drawn by the seed.
	Noise []float32
	// Picture is drawn anew for each prompt, by Strength in (0, 1]: bytes of Side × Side pixels.
	Picture  []byte
	Strength float64
	// Mask keeps Picture where it is 0, of Side × Side bytes; nil keeps nothing.
	Mask []byte
	// Conditions are what a Control shows for each prompt, bytes (Side, Side, 3).
	Conditions [][]byte
	// Each is called behind each look with the pictures as the model tells them; it may be nil.
	Each func(look, of int, pictures func() ([][]byte, error)) error
}

// Draw returns the bytes of a picture for each prompt, a pure function of the weights and of r.
func (d *Drawer) Draw(ctx context.Context, r Request) ([][]byte, error) {
	if len(r.Prompts) > d.rows {
		return nil, fmt.Errorf("%d prompts are more than the %d that are drawn at once", len(r.Prompts), d.rows)
	}
	p := d.pipeline
	s, err := p.Process.Sampler(r.Method, r.Steps, r.Eta)
	if err != nil {
		return nil, err
	}
	with, err := d.read(r.Prompts)
	if err := errors.Join(err, d.condition(r)); err != nil {
		return nil, err
	}
	var without []float32
	if r.Guidance != 1 {
		if without, err = d.read(slices.Repeat([]string{r.Negative}, d.rows)); err != nil {
			return nil, err
		}
	}
	channels, side, _ := p.Latents()
	size := d.rows * side * side * channels
	draws := newNoise(r.Seed, d.rows)
	noise := r.Noise
	if len(noise) != size {
		noise = draws.next(size)
	}
	x, first := make([]float32, size), 0
	var origin []float32
	var kept []bool
	if r.Picture == nil {
		s.Begin(noise, x)
	} else {
		if first = s.Start(r.Strength); first == len(s.Looks) {
			return nil, fmt.Errorf("a strength of %g leaves no step of %d: take more of either", r.Strength, r.Steps)
		}
		if origin, err = d.encode(r.Picture); err != nil {
			return nil, err
		}
		kept = p.kept(r.Mask, d.rows)
		s.Noised(first, origin, noise, x)
	}
	for i := first; i < len(s.Looks); i++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		out, err := d.denoise(x, s.Looks[i].Time, with)
		if err != nil {
			return nil, err
		}
		if without != nil {
			plain, err := d.denoise(x, s.Looks[i].Time, without)
			if err != nil {
				return nil, err
			}
			diffusion.Guide(out, plain, r.Guidance)
		}
		var fresh []float32
		if s.Looks[i].Fresh > 0 {
			fresh = draws.next(size)
		}
		s.Step(i, x, out, fresh)
		if kept != nil {
			restore(s, i, x, origin, noise, kept)
		}
		if r.Each != nil {
			told := s.Picture()
			if err := r.Each(i-first+1, len(s.Looks)-first, func() ([][]byte, error) { return d.pictures(told, len(r.Prompts)) }); err != nil {
				return nil, err
			}
		}
	}
	return d.pictures(x, len(r.Prompts))
}

// kept are the elements of what is denoised that a mask keeps, nil without one.
func (p *Pipeline) kept(mask []byte, rows int) []bool {
	if mask == nil {
		return nil
	}
	channels, side, factor := p.Latents()
	var kept []bool
	for range rows {
		for i := range side * side {
			y, x := i/side*factor+factor/2, i%side*factor+factor/2
			for range channels {
				kept = append(kept, mask[y*p.Side+x] == 0)
			}
		}
	}
	return kept
}

// restore puts what is kept of the origin back behind a look, with the noise of the level that x
// has there.
func restore(s *diffusion.Sampler, look int, x, origin, noise []float32, kept []bool) {
	level := s.After(look)
	for i, is := range kept {
		if is {
			x[i] = float32(level.Alpha*float64(origin[i]) + level.Sigma*float64(noise[i]))
		}
	}
}

// read gives the states of captions, of "" behind the last.
func (d *Drawer) read(prompts []string) ([]float32, error) {
	p := d.pipeline
	var ids []int32
	for i := range d.rows {
		text := ""
		if i < len(prompts) {
			text = prompts[i]
		}
		ids = append(ids, p.Caption(text)...)
	}
	if err := d.sessions[reads].SetInts("ids", ids); err != nil {
		return nil, err
	}
	out := make([]float32, len(ids)*p.Text.Width())
	return out, d.run(reads, out)
}

// run runs a program.
func (d *Drawer) run(program int, out []float32) error {
	s := d.sessions[program]
	return errors.Join(s.Run(), s.Output(0, out))
}

// condition sets the conditions of a request, black behind the last.
func (d *Drawer) condition(r Request) error {
	p := d.pipeline
	if p.Control == nil {
		if r.Conditions != nil {
			return errors.New("the model heeds no condition: it has no ControlNet")
		}
		return nil
	}
	size := p.Side * p.Side * unet.ConditionChannels
	if len(r.Conditions) != len(r.Prompts) {
		return fmt.Errorf("%d conditions are given for %d prompts: the model has a ControlNet, which needs one for each", len(r.Conditions), len(r.Prompts))
	}
	all := make([]byte, 0, d.rows*size)
	for _, c := range r.Conditions {
		if len(c) != size {
			return fmt.Errorf("a condition has %d bytes, not those of %d × %d pixels of %d channels", len(c), p.Side, p.Side, unet.ConditionChannels)
		}
		all = append(all, c...)
	}
	in, _ := d.sessions[denoises].Input(Condition)
	return in.SetBytes(append(all, make([]byte, d.rows*size-len(all))...))
}

func (d *Drawer) denoise(x []float32, time float64, captions []float32) ([]float32, error) {
	width := d.pipeline.Denoiser.TimeWidth()
	times := make([]float32, d.rows*width)
	for i := range d.rows {
		nn.TimeFeatures(time, times[i*width:][:width])
	}
	s := d.sessions[denoises]
	if err := errors.Join(s.SetFloats("x", x), s.SetFloats("times", times), s.SetFloats("context", captions)); err != nil {
		return nil, err
	}
	out := make([]float32, len(x))
	return out, d.run(denoises, out)
}

// encode gives the latents of a picture, once for each row, scaled.
func (d *Drawer) encode(picture []byte) ([]float32, error) {
	p := d.pipeline
	x := make([]float32, 0, d.rows*len(picture))
	for range d.rows {
		for _, v := range picture {
			x = append(x, float32(v)*(2./255)-1)
		}
	}
	if p.Autoencoder == nil {
		return x, nil
	}
	if err := d.sessions[encodes].SetFloats("x", x); err != nil {
		return nil, err
	}
	channels, side, _ := p.Latents()
	z := make([]float32, d.rows*side*side*channels)
	err := d.run(encodes, z)
	for i := range z {
		z[i] *= float32(p.Scale)
	}
	return z, err
}

// pictures are the bytes of the first n of latents, or of what is denoised in their place.
func (d *Drawer) pictures(z []float32, n int) ([][]byte, error) {
	p := d.pipeline
	y := z
	if p.Autoencoder != nil {
		unscaled := make([]float32, len(z))
		for i, v := range z {
			unscaled[i] = v / float32(p.Scale)
		}
		if err := d.sessions[decodes].SetFloats("x", unscaled); err != nil {
			return nil, err
		}
		y = make([]float32, d.rows*p.Side*p.Side*p.Channels())
		if err := d.run(decodes, y); err != nil {
			return nil, err
		}
	}
	size := p.Side * p.Side * p.Channels()
	return slices.Collect(slices.Chunk(picture.Bytes(y[:n*size], p.logits()), size)), nil
}

// noise are normals, a stream for each row, so that a picture does not depend on those beside it.
type noise []*rand.Rand

func newNoise(seed uint64, rows int) noise {
	n := make(noise, rows)
	for i := range n {
		n[i] = rand.New(rand.NewPCG(seed, uint64(i)))
	}
	return n
}

func (n noise) next(size int) []float32 {
	out := make([]float32, size)
	row := size / len(n)
	for i := range out {
		out[i] = float32(n[i/row].NormFloat64())
	}
	return out
}
