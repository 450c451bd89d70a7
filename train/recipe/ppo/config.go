package ppo

import (
	"errors"
	"fmt"
	"math"

	"example.com/gotrain/data"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/recipe/rollout"
)

// Name is the recipe's.
const Name = "ppo"

// Config is the section recipe.
type Config struct {
	rollout.Config `yaml:",inline"`
	Epsilon        float64 `yaml:"epsilon"`      // ratios of probabilities are clipped to 1 ± ε
	ValueClip      float64 `yaml:"value_clip"`   // values are clipped to those of the rollout ± this
	ValueWeight    float64 `yaml:"value_weight"` // of the loss of values
	Gamma          float64 `yaml:"gamma"`        // discount of a token
	Lambda         float64 `yaml:"lambda"`       // of generalised advantage estimation
	Whiten         bool    `yaml:"whiten"`       // advantages have mean 0 and deviation 1 over a rollout
	KL             float64 `yaml:"kl"`           // coefficient of the divergence from the base in the reward of a token
	KLTarget       float64 `yaml:"kl_target"`    // nats a text towards which the coefficient is adapted; 0 keeps it
	KLHorizon      float64 `yaml:"kl_horizon"`   // texts in which it may change e-fold, at a fault of one
	EntropyWeight  float64 `yaml:"entropy"`      // of the entropy, which the loss of the policy is less
	Value          string  `yaml:"value"`        // model that the value model begins with, such as a reward model; "" is the base
	ValueLR        float64 `yaml:"value_lr"`     // learning rate of the value model; 0 is optimizer.lr
}

// Default are the defaults.
func Default() *Config {
	r := rollout.Default()
	r.Samples, r.Updates = 1, 4
	return &Config{
		Config: r, Epsilon: 0.2, ValueClip: 0.2, ValueWeight: 0.1, Gamma: 1, Lambda: 0.95, Whiten: true, KL: 0.05, KLHorizon: 10000,
	}
}

// Recipe is the row of the table.
func Recipe() recipe.Recipe {
	return recipe.Recipe{
		Name: Name, Config: func() any { return Default() },
		Formats: []config.Choice{{Name: rollout.Format, New: rollout.NewData}},
		Check:   check, Design: design, Open: open,
	}
}

// own is the section recipe of c.
func own(c config.Config) *Config { return c.Recipe.Value().(*Config) }

// check returns what only this recipe finds wrong.
func check(c config.Config) error {
	o := own(c)
	errs := []error{o.Check(c)}
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf("recipe."+format, args...))
		}
	}
	positive := func(x float64) bool { return x > 0 && !math.IsInf(x, 0) }
	check(o.Epsilon > 0 && o.Epsilon < 1, "epsilon is %g; use a number between 0 and 1, such as 0.2", o.Epsilon)
	check(positive(o.ValueClip), "value_clip is %g; use a positive number, such as 0.2", o.ValueClip)
	check(positive(o.ValueWeight), "value_weight is %g; use a positive number, such as 0.1", o.ValueWeight)
	check(o.Gamma > 0 && o.Gamma <= 1, "gamma is %g; use a number in (0, 1]", o.Gamma)
	check(o.Lambda >= 0 && o.Lambda <= 1, "lambda is %g; use a number in [0, 1]", o.Lambda)
	check(o.KL == 0 || positive(o.KL), "kl is %g; use 0 or a positive number, such as 0.05", o.KL)
	check(o.KLTarget == 0 || positive(o.KLTarget) && o.KL > 0, "kl_target is %g and kl %g; use positive numbers, which kl begins with, or leave kl_target out", o.KLTarget, o.KL)
	check(positive(o.KLHorizon), "kl_horizon is %g texts; use a positive number", o.KLHorizon)
	check(o.EntropyWeight == 0 || positive(o.EntropyWeight), "entropy is %g; use 0 or a small positive number", o.EntropyWeight)
	check(o.ValueLR == 0 || positive(o.ValueLR), "value_lr is %g; use a positive number, or leave it out", o.ValueLR)
	check(o.KL == 0 || c.Base != "", "kl: the divergence is that from the base, and there is none: set base, or kl to 0")
	if d, ok := c.Data.Value().(*rollout.Data); ok && len(d.Sources) > 0 {
		errs = append(errs, &data.SettingError{Err: errors.New("data.sources are for plain text: name all files of prompts in data.train")})
	}
	return errors.Join(errs...)
}
