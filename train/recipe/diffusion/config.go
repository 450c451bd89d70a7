// Package diffusion is the recipe of pictures from captions (Ho et al. 2020, Rombach et al. 2022):
// a denoiser learns, given what a text encoder tells of a caption, what noise there is in a
// picture, or in the latents that a frozen autoencoder makes of it.
package diffusion

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"example.com/gotrain/data/picture"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/clip"
	"example.com/gotrain/nn/diffusion"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/recipe/pictures"
)

// Name is the recipe's.
const Name = "diffusion"

// Config is the section recipe.
type Config struct {
	Schedule   diffusion.Schedule `yaml:"schedule"`
	Prediction string             `yaml:"prediction"` // epsilon, v_prediction, or velocity with schedule flow
	MinSNR     float64            `yaml:"min_snr"`    // γ of the weights of times (Hang et al. 2023); 0 weighs all alike
	Offset     float64            `yaml:"offset"`     // share of noise that all pixels of a picture have in common
	Dropout    float64            `yaml:"dropout"`    // share of captions that are left out, which guidance needs
	VAE        string             `yaml:"vae"`        // checkpoint or run of recipe vae, whose latents are denoised; "" is pictures themselves
	Text       clip.Config        `yaml:"text"`       // the text encoder, which learns beside the denoiser
	Vocab      int                `yaml:"vocab"`      // about so many tokens at most, of the words of captions
	Prior      Prior              `yaml:"prior"`      // pictures of a class beside few of one of its members
	Control    Control            `yaml:"control"`    // pictures that a ControlNet learns to heed, beside a base that stays as it is

	Shown    int      `yaml:"shown"`    // pictures that evaluations draw; 0 is none
	Prompts  []string `yaml:"prompts"`  // of them; default captions of held-out pictures
	Sampler  string   `yaml:"sampler"`  // that draws them
	Steps    int      `yaml:"steps"`    // of it
	Guidance float64  `yaml:"guidance"` // of it
}

func defaults() *Config {
	return &Config{
		Schedule: diffusion.Schedule{Shape: diffusion.Cosine, Steps: 1000, Start: 0.00085, End: 0.012}, Prediction: string(diffusion.V), MinSNR: 5, Dropout: 0.1,
		Text: clip.Config{Layers: 1, Heads: 4, Width: 64, Context: 16}, Vocab: 4096,
		Prior: Prior{Weight: 1}, Control: Control{Canny: picture.Canny{Low: 100, High: 200}}, Shown: 8, Sampler: diffusion.DDIM, Steps: 20, Guidance: 2,
	}
}

// Recipe is the row of the table.
func Recipe() recipe.Recipe {
	return recipe.Recipe{
		Name: Name, Config: func() any { return defaults() },
		Formats: pictures.Formats(),
		Check:   check, Base: findBase, Design: design, Open: open, Inspect: pictures.Inspect,
	}
}

// own is the section recipe of c.
func own(c config.Config) Config { return *c.Recipe.Value().(*Config) }

// check returns what only this recipe finds wrong.
func check(c config.Config) error {
	var errs []error
	fault := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	share := func(x float64) bool { return x >= 0 && x < 1 }
	r := own(c)
	errs = append(errs, prefixed("recipe.", r.Schedule.Validate()))
	fault(slices.Contains(diffusion.Predictions, diffusion.Prediction(r.Prediction)), "recipe.prediction is %q; use one of %q", r.Prediction, diffusion.Predictions)
	fault(r.MinSNR >= 0 && !math.IsInf(r.MinSNR, 0), "recipe.min_snr is %g; use 0 for equal weights, or a number such as 5", r.MinSNR)
	fault(share(r.Offset), "recipe.offset is %g; use a share in [0, 1), such as 0.1", r.Offset)
	fault(share(r.Dropout), "recipe.dropout is %g; use a share in [0, 1), such as 0.1", r.Dropout)
	fault(r.Vocab >= 600, "recipe.vocab is %d; use 600 or more: single bytes are 512 tokens", r.Vocab)
	fault(r.Shown >= 0 && r.Guidance >= 0, "recipe.shown and recipe.guidance are %d and %g; use 0 or more", r.Shown, r.Guidance)
	errs = append(errs, prefixed("recipe.text.", r.Text.Validate()))
	if errors.Join(errs...) == nil {
		_, err := r.process(r.VAE != "").Sampler(r.Sampler, r.Steps, 0)
		errs = append(errs, prefixed("recipe.", err))
	}
	errs = append(errs, prefixed("recipe.control.", r.Control.validate(c)))
	fault(c.LoRA.Rank == 0 || r.Control.Kind == "", "lora and recipe.control exclude each other: a ControlNet is trained whole")
	fault(len(r.Prior.Paths) == 0 || r.Control.Kind == "", "recipe.prior and recipe.control exclude each other")
	fault(c.LoRA.Rank == 0 || c.Optimizer.EMA == 0, "optimizer.ema keeps averages of whole models: leave it out with lora")
	fault(c.Adapter == "", "adapter: merge it into the base with gotrain export --adapter, and name the result as the base")
	errs = append(errs, prefixed("recipe.prior.", r.Prior.validate()))
	fault(c.Base == "" || r.VAE == "", "recipe.vae is that of the base: leave it out")
	fault(!c.Train.DocumentMask, "train.document_mask is for text: leave it out")
	model, ok := c.Model.Value().(nn.DenoiserConfig)
	fault(ok, "recipe %s needs a denoiser, and family %s is none: set model.family unet", Name, c.Model.Name())
	if p, isPictures := c.Data.Value().(*picture.Config); ok && isPictures {
		_, factor, _ := model.Denoised()
		fault(r.VAE != "" || c.Base != "" || p.Size%factor == 0, "data.size is %d pixels, and model.widths halves a side to one of %d: use a multiple of that", p.Size, factor)
		fault(p.Shapes > 0 || p.Captions, "data.captions is not set: without captions there is nothing to draw by; each picture needs a text file beside it")
		fault(r.VAE == "" || !p.Flip, "data.flip and recipe.vae exclude each other: latents are made once, of pictures as they are")
	}
	return errors.Join(errs...)
}

// prefixed puts the name of a section before each line of an error, in place of that of a model.
func prefixed(section string, err error) error {
	if err == nil {
		return nil
	}
	var lines []string
	for line := range strings.SplitSeq(err.Error(), "\n") {
		lines = append(lines, section+strings.TrimPrefix(line, "model."))
	}
	return errors.New(strings.Join(lines, "\n"))
}
