// Package gan is the recipe of generative adversarial networks (Goodfellow et al. 2014): a
// generator draws pictures of random numbers, and a discriminator learns to tell them from true
// ones, each with an optimizer of its own.
package gan

import (
	"context"
	"errors"
	"fmt"
	"math"

	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/nn"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/recipe/pictures"
)

// Name is the recipe's.
const Name = "gan"

// Losses.
const (
	NonSaturating = "nonsaturating" // Goodfellow et al. 2014
	Hinge         = "hinge"         // Lim & Ye 2017
	Wasserstein   = "wasserstein"   // Arjovsky et al. 2017; its bound on slopes is model.spectral, or r1
)

// What a collapse does.
const (
	Warn   = "warn"   // it is told
	Return = "return" // the run goes back to the newest checkpoint before it, and on with other data
)

// Config is the section recipe.
type Config struct {
	Loss            string  `yaml:"loss"`             // nonsaturating, hinge or wasserstein
	R1              float64 `yaml:"r1"`               // weight γ of the discriminator's squared slope at true pictures (Mescheder et al. 2018), 0 for none
	DiscriminatorLR float64 `yaml:"discriminator_lr"` // 0 takes optimizer.lr (Heusel et al. 2017)
	Average         float64 `yaml:"average"`          // decay of the generator's average, which draws what is shown; 0 has none
	Shown           int     `yaml:"shown"`            // pictures of a side of the sheet that evaluations draw; 0 is none
	Collapse        string  `yaml:"collapse"`         // warn or return
	LeastVariety    float64 `yaml:"least_variety"`    // share of the held-out pictures' differences, below which what is drawn has collapsed; 0 never
	MostAccuracy    float64 `yaml:"most_accuracy"`    // of the discriminator on held-out and drawn pictures, above which the generator learns nothing; 1 never
}

// Parts of the job.
const (
	generatorRole     = nn.GeneratorPart
	discriminatorRole = nn.DiscriminatorPart
	averageRole       = "average"
)

// Recipe is the row of the table.
func Recipe() recipe.Recipe {
	return recipe.Recipe{
		Name: Name, Config: func() any {
			return &Config{Loss: NonSaturating, Average: 0.999, Shown: 8, Collapse: Warn, LeastVariety: 0.2, MostAccuracy: 1}
		},
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
	if r.Loss != NonSaturating && r.Loss != Hinge && r.Loss != Wasserstein {
		fault("recipe.loss is %q; use %s, %s or %s", r.Loss, NonSaturating, Hinge, Wasserstein)
	}
	if !(r.R1 >= 0) || math.IsInf(r.R1, 0) {
		fault("recipe.r1 is %g; use 0 or more", r.R1)
	}
	if r.R1 > 0 && c.Compute() == ir.BF16 {
		fault("recipe.r1 takes the difference of two nearby outputs, which bfloat16 rounds away: use precision float32, or model.spectral in its place")
	}
	if !(r.DiscriminatorLR >= 0) || math.IsInf(r.DiscriminatorLR, 0) {
		fault("recipe.discriminator_lr is %g; use 0 for that of the optimizer, or more", r.DiscriminatorLR)
	}
	if !(r.Average >= 0 && r.Average < 1) {
		fault("recipe.average is %g; use a decay in [0, 1), 0 for none", r.Average)
	}
	if r.Shown < 0 {
		fault("recipe.shown is %d; use 0 or more", r.Shown)
	}
	if r.Collapse != Warn && r.Collapse != Return {
		fault("recipe.collapse is %q; use %s or %s", r.Collapse, Warn, Return)
	}
	if !(r.LeastVariety >= 0 && r.LeastVariety < 1) {
		fault("recipe.least_variety is %g; use a share in [0, 1), 0 for none", r.LeastVariety)
	}
	if !(r.MostAccuracy > 0.5 && r.MostAccuracy <= 1) {
		fault("recipe.most_accuracy is %g; use a share above ½, 1 for none", r.MostAccuracy)
	}
	if c.Train.DocumentMask {
		fault("train.document_mask is for text: leave it out")
	}
	if c.LoRA.Rank > 0 || c.Base != "" {
		fault("recipe %s begins with new models: leave out base and lora", Name)
	}
	return errors.Join(append(errs, checkModel(c))...)
}

// checkModel returns what is wrong with the section model.
func checkModel(c config.Config) error {
	model, ok := c.Model.Value().(nn.AdversarialConfig)
	if !ok {
		return fmt.Errorf("recipe %s needs a family of two parts, and family %s has one: set model.family dcgan or residual-gan", Name, c.Model.Name())
	}
	p := pictures.Section(c)
	channels, size := model.Picture()
	if channels != 0 && channels != p.Channels() {
		return fmt.Errorf("model.channels is %d, and the pictures have %d: leave it out, or set data.grey", channels, p.Channels())
	}
	if size != 0 && size != p.Size {
		return fmt.Errorf("model.size is %d, and the pictures have a side of %d pixels: leave it out", size, p.Size)
	}
	if err := model.ForPart(generatorRole, p.Channels(), p.Size).Validate(); err != nil {
		return fmt.Errorf("data.size: %w", err)
	}
	return nil
}

// design is the job without its data.
func design(_ context.Context, env recipe.Env) (*recipe.Job, error) {
	j, _, err := newJob(env)
	return j, err
}

// open reads the pictures and gives the job its batches.
func open(_ context.Context, env recipe.Env) (*recipe.Job, error) {
	set, err := pictures.Read(env)
	if err != nil {
		return nil, err
	}
	pictures.Tell(env, set, "")
	j, s, err := newJob(env)
	if err != nil {
		return nil, err
	}
	pictures.Give(j, set)
	if s != nil {
		j.Show = s.show
		if p := s.data; p.Shapes > 0 && !p.Grey {
			j.Measure = s.measure
		}
	}
	return j, nil
}

func newJob(env recipe.Env) (*recipe.Job, *sheet, error) {
	c, p := env.Config, pictures.Section(env.Config)
	d := &duel{config: own(c), pictures: truePictures(p)}
	d.latents = d.normal
	section := c.Model.Value().(nn.AdversarialConfig)
	j := &recipe.Job{Config: c, Unit: pictures.Unit}
	add := func(role, part string) (nn.Model, error) {
		m, err := env.Families.New(nn.Spec{Family: c.Model.Name(), Config: section.ForPart(part, p.Channels(), p.Size)}, nn.Tuning{Role: role, Average: role == averageRole})
		if err == nil {
			j.Parts = append(j.Parts, recipe.Part{Model: m, Files: pictures.Files(m)})
		}
		return m, err
	}
	generator, err := add(generatorRole, generatorRole)
	if err != nil {
		return nil, nil, err
	}
	discriminator, err := add(discriminatorRole, discriminatorRole)
	if err != nil {
		return nil, nil, err
	}
	d.generator, d.discriminator = generator.(nn.PictureGenerator), discriminator.(nn.Discriminator)
	if d.config.Average > 0 {
		average, err := add(averageRole, generatorRole)
		if err != nil {
			return nil, nil, err
		}
		d.average = average.(nn.PictureGenerator)
	}
	judging := c.Optimizer
	if d.config.DiscriminatorLR > 0 {
		judging.LR = d.config.DiscriminatorLR
	}
	j.Phases = []recipe.Phase{
		{Name: discriminatorRole, Learns: discriminatorRole, Loss: d.judging, Optimizer: judging},
		{Name: generatorRole, Learns: generatorRole, Loss: d.drawing, Optimizer: c.Optimizer},
	}
	j.Score, j.Alarm, j.GoesBack = d.score, d.config.alarm, d.config.Collapse == Return
	if d.config.Shown == 0 {
		return j, nil, nil
	}
	s := &sheet{duel: d, data: p, compute: c.Compute()}
	j.Tools = []recipe.Tool{s}
	return j, s, nil
}

// alarm says what an evaluation tells of a collapse, "" for none.
func (c Config) alarm(value func(name string) float64) string {
	if variety := value(drawnSpread) / value(trueSpread); variety < c.LeastVariety {
		return fmt.Sprintf("collapse: drawn pictures differ from each other by %.0f%% of what held-out ones do (recipe.least_variety %g)", 100*variety, c.LeastVariety)
	}
	if known := value(accuracy); known > c.MostAccuracy {
		return fmt.Sprintf("collapse: the discriminator is right of %.1f%% of held-out and drawn pictures (recipe.most_accuracy %g): the generator learns nothing of it", 100*known, c.MostAccuracy)
	}
	return ""
}
