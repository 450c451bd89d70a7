// Package vae is the recipe of variational autoencoders (Kingma & Welling 2014): a model
// learns to tell pictures again from latents that are near N(0, 1).
package vae

import (
	"context"
	"errors"
	"fmt"
	"math"

	"example.com/gotrain/autograd"
	"example.com/gotrain/data/picture"
	"example.com/gotrain/nn"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/recipe/pictures"
)

// Name is the recipe's.
const Name = "vae"

// Likelihoods of pictures given their latents.
const (
	Gaussian  = "gaussian"  // of pixels in [-1, 1], with one deviation
	Bernoulli = "bernoulli" // of pixels in [0, 1], of whose logits the decoder tells
)

// Config is the section recipe.
type Config struct {
	Likelihood string  `yaml:"likelihood"` // gaussian or bernoulli
	Deviation  float64 `yaml:"deviation"`  // of a gaussian pixel
	Beta       float64 `yaml:"beta"`       // weight of the divergence (Higgins et al. 2017); 0 is an autoencoder, without noise
	Shown      int     `yaml:"shown"`      // pictures of each line of the sheet that evaluations draw; 0 is none
}

// Recipe is the row of the table.
func Recipe() recipe.Recipe {
	return recipe.Recipe{
		Name: Name, Config: func() any { return &Config{Likelihood: Gaussian, Deviation: 0.1, Beta: 1, Shown: 8} },
		Formats: pictures.Formats(), Check: check, Design: design, Open: open, Inspect: pictures.Inspect,
	}
}

// own is the section recipe of c.
func own(c config.Config) Config { return *c.Recipe.Value().(*Config) }

// check returns what only this recipe finds wrong.
func check(c config.Config) error {
	var errs []error
	fault := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	r := own(c)
	if r.Likelihood != Gaussian && r.Likelihood != Bernoulli {
		fault("recipe.likelihood is %q; use %s or %s", r.Likelihood, Gaussian, Bernoulli)
	}
	if !(r.Deviation > 0) || math.IsInf(r.Deviation, 0) {
		fault("recipe.deviation is %g; use a number above 0, such as 0.1: it is that of a pixel in [-1, 1]", r.Deviation)
	}
	if !(r.Beta >= 0) || math.IsInf(r.Beta, 0) {
		fault("recipe.beta is %g; use 0 or more", r.Beta)
	}
	if r.Shown < 0 {
		fault("recipe.shown is %d; use 0 or more", r.Shown)
	}
	model, ok := c.Model.Value().(nn.AutoencoderConfig)
	if !ok {
		fault("recipe %s needs an autoencoder, and family %s is none: set model.family vae", Name, c.Model.Name())
		return errors.Join(errs...)
	}
	if logits, err := model.Logits(); err == nil && logits != (r.Likelihood == Bernoulli) {
		fault("model.output is not that of recipe.likelihood %s: leave it out", r.Likelihood)
	}
	if p, ok := c.Data.Value().(*picture.Config); ok {
		channels, _, factor := model.Picture()
		if p.Size%factor != 0 {
			fault("data.size is %d pixels, and the latents of model.widths have one for %d of a side: use a multiple of that", p.Size, factor)
		}
		if channels != 0 && channels != p.Channels() {
			fault("model.channels is %d, and the pictures have %d: leave it out, or set data.grey", channels, p.Channels())
		}
	}
	if c.Train.DocumentMask {
		fault("train.document_mask is for text: leave it out")
	}
	return errors.Join(errs...)
}

// autoencoder is the model of a job.
type autoencoder struct {
	nn.Autoencoder
	config Config
	data   picture.Config
}

// design is the job without its data.
func design(_ context.Context, env recipe.Env) (*recipe.Job, error) {
	j, _, err := newJob(&env)
	return j, err
}

func newJob(env *recipe.Env) (*recipe.Job, *sheet, error) {
	c := env.Config
	p := pictures.Section(c)
	section := c.Model.Value().(nn.AutoencoderConfig)
	section.SetChannels(p.Channels())
	section.SetLogits(own(c).Likelihood == Bernoulli)
	if err := c.Model.Set(c.Model.Name(), section); err != nil {
		return nil, nil, err
	}
	model, err := c.NewModel(env.Families)
	if err != nil {
		return nil, nil, err
	}
	m := &autoencoder{model.(nn.Autoencoder), own(c), p}
	j := &recipe.Job{
		Config: c, Unit: pictures.Unit,
		Parts:  []recipe.Part{{Model: model, Base: c.Base, Files: pictures.Files(model)}},
		Phases: []recipe.Phase{{Loss: m.loss, Optimizer: c.Optimizer}},
		Score:  m.loss,
	}
	if m.config.Shown == 0 {
		return j, nil, nil
	}
	s := &sheet{model: m, compute: c.Compute(), columns: m.config.Shown}
	j.Tools = []recipe.Tool{s}
	return j, s, nil
}

// loss is the negative evidence lower bound of the pictures of a batch, in nats.
func (m *autoencoder) loss(g *autograd.Graph, rows int) (l recipe.Loss) {
	scale, shift := m.scaled()
	x := pictures.Input(g, rows, m.data, scale, shift)
	mean, logVariance := m.Encode(g, m.centred(x))
	z := mean
	if m.config.Beta > 0 {
		g.In("latents", func() {
			noise := autograd.Reshape(g.Normal(g.Ints("rng", 4), rows, mean.X.Shape().Size()/rows), mean.X.Shape()...)
			z.X = autograd.Add(mean.X, autograd.Mul(autograd.Exp(autograd.Scale(logVariance.X, 0.5)), noise))
		})
	}
	y := m.Decode(g, z)
	g.In("loss", func() {
		counts := g.Floats(picture.Counts, rows, 1)
		counted := func(x *autograd.Node) *autograd.Node {
			sums := autograd.Sum(autograd.Reshape(x, rows, x.Shape().Size()/rows), 1)
			return autograd.Mul(sums, counts)
		}
		nll, divergence := counted(m.nll(x.X, y.X)), counted(divergence(mean.X, logVariance.X))
		bound := autograd.Add(nll, autograd.Scale(divergence, float32(m.config.Beta)))
		l.Value = autograd.Reshape(autograd.Mul(autograd.Reshape(autograd.Sum(bound), 1), g.Floats("loss_weight", 1)))
		l.Metrics = []recipe.Metric{{Name: "loss", Sum: bound}, {Name: "reconstruction", Sum: nll}, {Name: "kl", Sum: divergence}}
	})
	return l
}

// scaled makes bytes pixels as the likelihood has them.
func (m *autoencoder) scaled() (scale, shift float32) {
	if m.config.Likelihood == Bernoulli {
		return 1. / 255, 0
	}
	return 2. / 255, -1
}

// centred are pixels in [-1, 1].
func (m *autoencoder) centred(x nn.Pictures) nn.Pictures {
	if m.config.Likelihood == Bernoulli {
		x.X = autograd.Shift(autograd.Scale(x.X, 2), -1)
	}
	return x
}

// nll is -ln p(x) of each element given what the decoder tells of it.
func (m *autoencoder) nll(x, y *autograd.Node) *autograd.Node {
	if m.config.Likelihood == Bernoulli {
		// -x·ln σ(y) - (1-x)·ln(1-σ(y)) = -ln σ(-y) - x·y
		return autograd.Scale(autograd.Add(autograd.LogSigmoid(autograd.Scale(y, -1)), autograd.Mul(x, y)), -1)
	}
	off := autograd.Sub(x, y)
	variance := m.config.Deviation * m.config.Deviation
	return autograd.Shift(autograd.Scale(autograd.Mul(off, off), float32(0.5/variance)), float32(0.5*math.Log(2*math.Pi*variance)))
}

// divergence is KL(N(mean, e^logVariance) ‖ N(0, 1)) of each element.
func divergence(mean, logVariance *autograd.Node) *autograd.Node {
	spread := autograd.Sub(autograd.Exp(logVariance), logVariance)
	return autograd.Scale(autograd.Shift(autograd.Add(autograd.Mul(mean, mean), spread), -1), 0.5)
}

// open reads the pictures and gives the job its batches.
func open(_ context.Context, env recipe.Env) (*recipe.Job, error) {
	set, err := pictures.Read(env)
	if err != nil {
		return nil, err
	}
	pictures.Tell(env, set, "")
	j, s, err := newJob(&env)
	if err != nil {
		return nil, err
	}
	pictures.Give(j, set)
	if s != nil && j.Eval != nil {
		j.Show = func(context.Context) (recipe.Shown, error) { return s.show(set.Held) }
	}
	return j, nil
}
