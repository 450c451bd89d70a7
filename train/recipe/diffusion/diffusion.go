package diffusion

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"example.com/gotrain/autograd"
	"example.com/gotrain/data"
	"example.com/gotrain/data/picture"
	"example.com/gotrain/data/tokenizers"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/clip"
	"example.com/gotrain/nn/diffusion"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/nn/pipeline"
	"example.com/gotrain/nn/unet"
	"example.com/gotrain/nn/vae"
	"example.com/gotrain/optim"
	"example.com/gotrain/train/checkpoint"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/ranks"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/recipe/pictures"
)

// model is what a job trains.
type model struct {
	*pipeline.Pipeline
	// average are the models whose parameters are the running averages of those that learn, the
	// same models where there are none.
	average drawing
	config  Config
	data    picture.Config
	job     *recipe.Job
	// conditions are those of files, by their names without ends.
	conditions map[string][]byte
	prior      int // place of the first picture of the prior in the pictures of training; behind the last where there is none
}

// drawing are the models that tell the noise.
type drawing struct {
	text     *clip.Model
	denoiser *unet.Model
	control  *unet.Control // nil for none
}

// process is how pictures get noise.
func (r Config) process(latents bool) pipeline.Process {
	return pipeline.Trained(r.Schedule, diffusion.Prediction(r.Prediction), latents)
}

// designTokens stands for the vocabulary in a plan, which reads no captions.
func designTokens(r Config) (data.Tokenizer, error) {
	var texts []string
	for _, colour := range picture.Colours {
		for _, form := range picture.Forms {
			texts = append(texts, colour+" "+form+" at the top left centre right bottom")
		}
	}
	return tokenizers.WordsCLIP(texts, r.Vocab)
}

// design is the job without its data.
func design(_ context.Context, env recipe.Env) (*recipe.Job, error) {
	tokens, err := designTokens(own(env.Config))
	if err != nil {
		return nil, err
	}
	m, err := newModel(env, tokens)
	if err != nil {
		return nil, err
	}
	return m.job, nil
}

// newModel makes the models of a configuration and their job.
func newModel(env recipe.Env, tokens data.Tokenizer) (*model, error) {
	c := env.Config
	m := &model{Pipeline: &pipeline.Pipeline{Tokens: tokens, Scale: 1}, config: own(c), data: pictures.Section(c)}
	m.Side = m.data.Size
	if c.Base != "" {
		return m, m.goOn(env)
	}
	m.Process = m.config.process(m.config.VAE != "")
	if after := tokens.Frame().After; len(after) > 0 {
		m.Pad = after[0]
	}
	channels := m.data.Channels()
	if m.config.VAE != "" {
		if err := m.openVAE(env); err != nil {
			return nil, err
		}
		_, channels, _ = m.Autoencoder.Config().(*vae.Config).Picture()
	}
	text := m.config.Text
	text.Vocab = tokens.Vocab()
	section := c.Model.Value().(*unet.Config)
	section.SetDenoised(channels, text.Width)
	if err := c.Model.Set(c.Model.Name(), section); err != nil {
		return nil, err
	}
	denoiser := *section
	var errs [2]error
	m.Text, errs[0] = clip.New(text, nn.Tuning{Role: pipeline.Text, Freeze: c.Train.Freeze})
	m.Denoiser, errs[1] = unet.New(denoiser, nn.Tuning{Role: pipeline.Denoiser, Freeze: c.Train.Freeze})
	if err := errors.Join(errs[:]...); err != nil {
		return nil, config.Faultf("%w", err)
	}
	if err := m.averages(c); err != nil {
		return nil, err
	}
	m.design(c)
	return m, m.fits()
}

// averages makes the models of averages.
func (m *model) averages(c config.Config) error {
	m.average = drawing{m.Text, m.Denoiser, m.Control}
	if !averages(c) {
		return nil
	}
	tuning := func(role string) nn.Tuning { return nn.Tuning{Role: optim.AverageOf(role)} }
	var errs [3]error
	if m.Control != nil {
		m.average.control, errs[0] = unet.NewControl(*m.Control.Config().(*unet.ControlConfig), tuning(pipeline.Control))
		return errs[0]
	}
	m.average.text, errs[1] = clip.New(*m.Text.Config().(*clip.Config), tuning(pipeline.Text))
	m.average.denoiser, errs[2] = unet.New(*m.Denoiser.Config().(*unet.Config), tuning(pipeline.Denoiser))
	return errors.Join(errs[:]...)
}

// averages tells whether the run keeps an average of every parameter, which then draws and is
// evaluated.
func averages(c config.Config) bool { return c.Optimizer.EMA > 0 && len(c.Train.Freeze) == 0 }

// fits wants what is denoised to halve as often as the model does.
func (m *model) fits() error {
	_, side, _ := m.Latents()
	if _, factor, _ := m.Denoiser.Config().(*unet.Config).Denoised(); side%factor != 0 || side == 0 {
		return config.Faultf("data.size %d makes latents of %d a side, and model.widths halves a side to one of %d: use a multiple of that", m.data.Size, side, factor)
	}
	return nil
}

// openVAE reads the configuration of the autoencoder: of the checkpoint that the run goes on from,
// else of the model that recipe.vae names.
func (m *model) openVAE(env recipe.Env) error {
	var section vae.Config
	if env.From != "" {
		text, err := hub.ReadText(filepath.Join(env.From, pipeline.Autoencoder, "config.json"))
		if err != nil {
			return err
		}
		if section, _, err = vae.Parse(text); err == nil {
			_, err = section.Logits()
		}
		if err != nil {
			return fmt.Errorf("%s: %w", env.From, err)
		}
	} else {
		place, d, err := hub.Whole(m.config.VAE, env.Families)
		if err != nil {
			return config.Faultf("recipe.vae: %w", err)
		}
		c, ok := d.Spec.Config.(*vae.Config)
		if !ok {
			return config.Faultf("recipe.vae: %s is a model of family %s: name one of recipe vae", place.Dir, d.Spec.Family)
		}
		if _, err := c.Logits(); err != nil {
			return config.Faultf("recipe.vae: %s: %w", place.Dir, err)
		}
		section, m.config.VAE = *c, place.Dir
	}
	if channels, _, factor := section.Picture(); channels != m.data.Channels() || m.data.Size%factor != 0 {
		return config.Faultf("recipe.vae has learnt pictures of %d channels, sides multiples of %d; data.size is %d, of %d channels", channels, factor, m.data.Size, m.data.Channels())
	}
	var err error
	m.Autoencoder, err = vae.New(section, nn.Tuning{Role: pipeline.Autoencoder})
	return err
}

// design is the job of the models, without data.
func (m *model) design(c config.Config) {
	part := func(model nn.Model) recipe.Part {
		base := ""
		if c.Base != "" {
			base = filepath.Join(c.Base, model.Tuning().Role)
		}
		return recipe.Part{Model: model, Base: base, Files: func() ([]checkpoint.File, error) { return m.Files(model.Tuning().Role) }}
	}
	m.job = &recipe.Job{
		Config: c, Unit: pictures.Unit,
		Parts:  []recipe.Part{part(m.Denoiser), part(m.Text)},
		Phases: []recipe.Phase{{Learns: pipeline.Denoiser, With: []string{pipeline.Text}, Loss: m.loss, Optimizer: c.Optimizer}},
		Score:  m.score,
	}
	if m.Autoencoder != nil {
		autoencoder := part(m.Autoencoder)
		if c.Base == "" {
			autoencoder.Base = m.config.VAE
		}
		m.job.Parts = append(m.job.Parts, autoencoder)
	}
	if m.Control != nil {
		m.learnControl(part(m.Control), c)
	}
	if m.Text.Tuning().Adapter.Rank == 0 && c.LoRA.Rank > 0 {
		m.job.Phases[0].With = nil
	}
	if m.Denoiser.Tuning().Adapter.Rank == 0 && c.LoRA.Rank > 0 {
		m.job.Phases[0].Learns, m.job.Phases[0].With = pipeline.Text, nil
	}
	m.job.Next = func(model string) string {
		return fmt.Sprintf("gotrain sample --model %s --prompt %q --out picture.png", model, "red circle")
	}
}

// loss is the weighted squared error of what the denoiser tells, a mean over the elements of a
// picture.
func (m *model) loss(g *autograd.Graph, rows int) recipe.Loss {
	return m.build(g, rows, drawing{m.Text, m.Denoiser, m.Control})
}

// score is loss with the averages of parameters, where there are some.
func (m *model) score(g *autograd.Graph, rows int) recipe.Loss {
	return m.build(g, rows, m.average)
}

func (m *model) build(g *autograd.Graph, rows int, by drawing) (l recipe.Loss) {
	channels, side, _ := m.Latents()
	pixels := side * side
	size := pixels * channels
	var x *autograd.Node // (rows, size)
	if m.Autoencoder != nil {
		x = g.Floats(latentsField, rows, size)
	} else {
		x = autograd.Pixels(g, picture.Field, rows, size)(2./255, -1)
	}
	captions := by.text.Encode(g, g.Ints(captionField, rows*by.text.Context()))
	levels := g.Floats(levelsField, rows, levelWidth)
	level := func(i, width int) *autograd.Node {
		return autograd.Broadcast(autograd.Slice(levels, 1, i, i+1), rows, width)
	}
	mix := func(picture, noise *autograd.Node, i int) *autograd.Node {
		return autograd.Add(autograd.Mul(picture, level(i, size)), autograd.Mul(noise, level(i+1, size)))
	}
	var noise, noisy *autograd.Node
	g.In("noise", func() {
		rng := g.Ints("rng", 4)
		noise = g.Normal(rng, rows, size)
		if m.config.Offset > 0 {
			common := autograd.Reshape(g.Normal(rng, rows, channels), rows, 1, channels)
			common = autograd.Reshape(autograd.Broadcast(common, rows, pixels, channels), rows, size)
			noise = autograd.Add(noise, autograd.Scale(common, float32(m.config.Offset)))
		}
		noisy = mix(x, noise, 0)
	})
	shown := nn.Pictures{X: autograd.Reshape(noisy, rows*pixels, channels), Batch: rows, Height: side, Width: side}
	told := pipeline.Denoise(g, by.denoiser, by.control, 1, shown, g.Floats(timesField, rows, by.denoiser.TimeWidth()), captions)
	g.In("loss", func() {
		off := autograd.Sub(autograd.Reshape(told.X, rows, size), mix(x, noise, 2))
		counts := g.Floats(picture.Counts, rows, 1)
		square := autograd.Mul(autograd.Mean(autograd.Mul(off, off), 1), counts)
		weighted := autograd.Mul(square, level(4, 1))
		l.Value = autograd.Reshape(autograd.Mul(autograd.Reshape(autograd.Sum(weighted), 1), g.Floats("loss_weight", 1)))
		l.Metrics = []recipe.Metric{{Name: "loss", Sum: weighted}, {Name: "mse", Sum: square}}
	})
	return l
}

// open reads the pictures and gives the job its batches.
func open(_ context.Context, env recipe.Env) (*recipe.Job, error) {
	c := env.Config
	set, err := pictures.Read(env)
	if err != nil {
		return nil, err
	}
	prior, err := own(c).Prior.add(c, set)
	if err != nil {
		return nil, err
	}
	texts, silent := captionsOf(set)
	if len(texts) == 0 {
		return nil, config.Faultf("data.captions: none of the pictures has a text file beside it, such as a.txt beside a.png")
	}
	tokens, err := tokenizers.WordsCLIP(texts, own(c).Vocab)
	if err != nil {
		return nil, err
	}
	m, err := newModel(env, tokens)
	if err != nil {
		return nil, err
	}
	pictures.Tell(env, set, fmt.Sprintf("; %d have no caption; %d tokens", silent, m.Tokens.Vocab()))
	if m.Control != nil {
		if err := m.readConditions(set); err != nil {
			return nil, err
		}
	}
	m.prior = prior
	m.feed(set)
	return m.job, nil
}

// captionsOf are the captions of all pictures, and how many have none.
func captionsOf(set *picture.Set) (texts []string, silent int) {
	for _, pictures := range [][]picture.Picture{set.Train, set.Held} {
		for _, p := range pictures {
			if p.Caption == "" {
				silent++
			} else {
				texts = append(texts, p.Caption)
			}
		}
	}
	return texts, silent
}

// feed gives the job the pictures.
func (m *model) feed(set *picture.Set) {
	j := m.job
	pictures.Give(j, set)
	for _, c := range m.conditions {
		j.Reading.Kept += int64(len(c))
	}
	j.Facts = append(j.Facts, ranks.Fact{Name: "tokens", Value: fmt.Sprintf("%.16s", m.Tokens.Fingerprint()), Cure: "data.train has to name the same pictures, with the same captions, on all nodes"})
	train := m.loader(j.Train)
	j.Train = train
	loaders := []*loader{train}
	if j.Eval != nil {
		held := m.loader(j.Eval)
		j.Eval, loaders = held, append(loaders, held)
	}
	if m.Autoencoder != nil {
		m.cache(loaders)
	}
	if m.config.Shown > 0 {
		m.show(set)
	}
}

// loader adds captions and times to batches of pictures.
func (m *model) loader(of data.Source) *loader {
	l := &loader{Loader: *of.(*picture.Loader), without: m.Caption(""),
		timeWidth: m.Denoiser.TimeWidth(), levels: m.config.Schedule.Levels(), told: m.config.Schedule.Told, config: m.config}
	for _, p := range l.Set {
		l.captions = append(l.captions, m.Caption(p.Caption))
	}
	if l.prior = len(l.Set); !l.Held {
		l.prior = m.prior
	}
	if m.Autoencoder != nil {
		channels, side, _ := m.Latents()
		l.size = []int{side, side, channels}
	}
	if m.Control != nil {
		l.condition = m.condition
	}
	return l
}
