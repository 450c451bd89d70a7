package gan

import (
	"example.com/gotrain/autograd"
	"example.com/gotrain/data/picture"
	"example.com/gotrain/nn"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/recipe/pictures"
)

// Columns of metrics.
const (
	accuracy    = "accuracy"     // of the discriminator: share of pictures that it knows for what they are
	trueSpread  = "spread_held"  // mean squared difference of elements of two held-out pictures
	drawnSpread = "spread_drawn" // of two drawn ones
)

// duel is the models of a job and what they do to each other.
type duel struct {
	config        Config
	generator     nn.PictureGenerator
	discriminator nn.Discriminator
	average       nn.PictureGenerator // nil where there is none
	// latents are normal numbers for rows pictures. They come first in the graph of each
	// phase, so that both have the same.
	latents func(g *autograd.Graph, rows int) *autograd.Node
	// pictures are true ones, and 1 for each that counts, (rows, 1).
	pictures func(g *autograd.Graph, rows int) (x nn.Pictures, counts *autograd.Node)
}

// truePictures are those of the source, in [-1, 1].
func truePictures(p picture.Config) func(g *autograd.Graph, rows int) (nn.Pictures, *autograd.Node) {
	return func(g *autograd.Graph, rows int) (nn.Pictures, *autograd.Node) {
		return pictures.Input(g, rows, p, 2./255, -1), g.Floats(picture.Counts, rows, 1)
	}
}

// normal draws the latents of a step by their position in the run.
func (d *duel) normal(g *autograd.Graph, rows int) *autograd.Node {
	return g.Normal(random(g), rows, d.generator.Latent())
}

// random is the input of the run's random numbers.
func random(g *autograd.Graph) *autograd.Node {
	if n := g.Declared("rng"); n != nil {
		return n
	}
	return g.Ints("rng", 4)
}

// judging is the loss of the discriminator.
func (d *duel) judging(g *autograd.Graph, rows int) (l recipe.Loss) {
	z := d.latents(g, rows)
	x, counts := d.pictures(g, rows)
	drawn := d.generator.Draw(g, z, nn.BatchStatistics)
	drawn.X = autograd.Detach(drawn.X)
	real := d.discriminator.Judge(g, x, nn.WrittenStatistics)
	fake := d.discriminator.Judge(g, drawn, nn.BatchStatistics)
	var slope *autograd.Node
	if d.config.R1 > 0 {
		slope = d.slope(g, x, real)
	}
	g.In("loss", func() {
		loss := d.config.against(real, fake)
		if slope != nil {
			loss = autograd.Add(loss, autograd.Scale(slope, float32(d.config.R1/2)))
		}
		counted := autograd.Mul(loss, counts)
		l.Value = weighted(g, counted)
		l.Metrics = []recipe.Metric{{Name: "discriminator_loss", Sum: counted}, {Name: accuracy, Sum: right(real, fake, counts)}}
		if slope != nil {
			l.Metrics = append(l.Metrics, recipe.Metric{Name: "r1", Sum: autograd.Mul(slope, counts)})
		}
	})
	return l
}

// slopeStep is the standard deviation of the step along which slope looks.
const slopeStep = 0.01

// slope is an unbiased estimate of the squared length of the discriminator's gradient at x,
// (rows, 1), that needs no second derivative: the mean over v from N(0, 1) of
// ((D(x + h·v) - D(x))/h)² is |∇D|² as h goes to 0 (Lin et al. 2025).
func (d *duel) slope(g *autograd.Graph, x nn.Pictures, real *autograd.Node) *autograd.Node {
	v := g.Normal(random(g), x.Batch, x.X.Shape().Size()/x.Batch)
	near := x
	near.X = autograd.Add(x.X, autograd.Scale(autograd.Reshape(v, x.X.Shape()...), slopeStep))
	off := autograd.Scale(autograd.Sub(d.discriminator.Judge(g, near, nn.BatchStatistics), real), 1/slopeStep)
	return autograd.Mul(off, off)
}

// against is the discriminator's loss of each row.
func (c Config) against(real, fake *autograd.Node) *autograd.Node {
	minus := func(x *autograd.Node) *autograd.Node { return autograd.Scale(x, -1) }
	switch c.Loss {
	case Hinge: // max(0, 1 - real) + max(0, 1 + fake)
		return autograd.Add(positive(autograd.Shift(minus(real), 1)), positive(autograd.Shift(fake, 1)))
	case Wasserstein:
		return autograd.Sub(fake, real)
	}
	// -ln σ(real) - ln(1 - σ(fake))
	return minus(autograd.Add(autograd.LogSigmoid(real), autograd.LogSigmoid(minus(fake))))
}

// positive is max(0, x).
func positive(x *autograd.Node) *autograd.Node { return autograd.Mul(x, autograd.Step(x)) }

// drawing is the loss of the generator. Its average follows.
func (d *duel) drawing(g *autograd.Graph, rows int) (l recipe.Loss) {
	z := d.latents(g, rows)
	_, counts := d.pictures(g, rows)
	fake := d.discriminator.Judge(g, d.generator.Draw(g, z, nn.WrittenStatistics), nn.BatchStatistics)
	g.In("loss", func() {
		loss := autograd.Scale(fake, -1)
		if d.config.Loss == NonSaturating {
			loss = autograd.Scale(autograd.LogSigmoid(fake), -1)
		}
		counted := autograd.Mul(loss, counts)
		l.Value = weighted(g, counted)
		l.Metrics = []recipe.Metric{{Name: "generator_loss", Sum: counted}}
	})
	if d.average != nil {
		g.In(averageRole, func() { d.follow(g) })
	}
	return l
}

// follow moves the average to the generator, by 1 - decay of what lies between them; in the
// first steps by 1/n in step n, which is the mean of all so far.
func (d *duel) follow(g *autograd.Graph) {
	steps := g.Running(averageRole+".steps", 1)
	next := autograd.Shift(steps, 1)
	g.Write(steps, next)
	share := autograd.Exp(autograd.Scale(autograd.Log(next), -1))
	least := g.Table(averageRole+".share", func() []float32 { return []float32{float32(1 - d.config.Average)} }, 1)
	share = autograd.Max(share, least)
	params := d.generator.Params()
	for i, p := range d.average.Params() {
		from := g.Declared(params[i].State())
		n := p.Shape.Size()
		average := g.Running(nn.Tuning{Role: p.Role}.State(p.Name), p.Shape...)
		off := autograd.Reshape(autograd.Sub(from, average), n)
		g.Write(average, autograd.Add(average, autograd.Reshape(autograd.Mul(off, autograd.Broadcast(share, n)), p.Shape...)))
	}
}

// score is how well the discriminator tells held-out pictures from those that the generator's
// average draws, and how much both differ among themselves.
func (d *duel) score(g *autograd.Graph, rows int) (l recipe.Loss) {
	z := d.latents(g, rows)
	x, counts := d.pictures(g, rows)
	drawn := d.drawer().Draw(g, z, nn.RunningStatistics)
	real := d.discriminator.Judge(g, x, nn.BatchStatistics)
	fake := d.discriminator.Judge(g, drawn, nn.BatchStatistics)
	both := autograd.Mul(counts, rolled(counts))
	l.Metrics = []recipe.Metric{
		{Name: accuracy, Sum: right(real, fake, counts)},
		{Name: trueSpread, Sum: autograd.Mul(spread(x), both), Higher: true},
		{Name: drawnSpread, Sum: autograd.Mul(spread(drawn), both), Higher: true},
	}
	return l
}

// drawer is who draws what is shown.
func (d *duel) drawer() nn.PictureGenerator {
	if d.average != nil {
		return d.average
	}
	return d.generator
}

// spread is the mean squared difference of a picture and the next of the batch, (rows, 1).
func spread(x nn.Pictures) *autograd.Node {
	flat := x.Flat()
	off := autograd.Sub(flat, rolled(flat))
	return autograd.Mean(autograd.Mul(off, off), 1)
}

// rolled has the next row of x in each row, in the last the first.
func rolled(x *autograd.Node) *autograd.Node {
	rows := x.Shape()[0]
	if rows == 1 {
		return x
	}
	return autograd.Concat(0, autograd.Slice(x, 0, 1, rows), autograd.Slice(x, 0, 0, 1))
}

// right is the share of a true and a drawn picture that the discriminator knows, (rows, 1).
func right(real, fake, counts *autograd.Node) *autograd.Node {
	known := autograd.Sub(autograd.Step(real), autograd.Step(fake)) // -1, 0 or 1
	return autograd.Mul(autograd.Scale(autograd.Shift(known, 1), 0.5), counts)
}

// weighted is the sum of x (rows, 1) by the weight of the step, a scalar.
func weighted(g *autograd.Graph, x *autograd.Node) *autograd.Node {
	return autograd.Reshape(autograd.Mul(autograd.Reshape(autograd.Sum(x), 1), g.Floats("loss_weight", 1)))
}
