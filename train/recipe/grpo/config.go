package grpo

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"example.com/gotrain/data"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/recipe/rollout"
)

// Name is the recipe's.
const Name = "grpo"

// Ways to weigh the tokens of a step, as TRL's loss_type.
const (
	PerText   = "grpo"    // mean over the tokens of a text, then over texts (Shao et al. 2024)
	PerMicro  = "bnpo"    // mean over the tokens of a micro-batch, then over micro-batches
	PerLength = "dr_grpo" // sum over tokens, by texts × max_tokens (Liu et al. 2025)
	PerToken  = "dapo"    // mean over the tokens of the step (Yu et al. 2025)
)

// Ways to compare the rewards of a prompt.
const (
	Group       = "group"         // r - mean, by scale_rewards
	LeaveOneOut = "leave_one_out" // r - mean of the others (RLOO; Ahmadian et al. 2024)
)

// What advantages are divided by.
const (
	ScaleGroup = "group" // the standard deviation of the prompt's rewards, and 1e-4
	ScaleBatch = "batch" // that of all rewards of this rank's step
	ScaleNone  = "none"
)

// Config is the section recipe.
type Config struct {
	rollout.Config `yaml:",inline"`
	Loss           string  `yaml:"loss"`          // grpo, bnpo, dr_grpo, dapo
	Advantage      string  `yaml:"advantage"`     // group, leave_one_out
	ScaleRewards   string  `yaml:"scale_rewards"` // group, batch, none
	Ratio          string  `yaml:"ratio"`         // of probabilities: of a token, or of a text, as RLOO has it
	Epsilon        float64 `yaml:"epsilon"`       // ratios of probabilities are clipped to 1 - ε …
	EpsilonHigh    float64 `yaml:"epsilon_high"`  // … and 1 + this; 0 is ε
	Beta           float64 `yaml:"beta"`          // of the KL divergence from the base
}

// What a ratio of probabilities is of.
const (
	OfToken = "token"
	OfText  = "text"
)

// Default are the defaults.
func Default() *Config {
	return &Config{Config: rollout.Default(), Loss: PerText, Advantage: Group, ScaleRewards: ScaleGroup, Ratio: OfToken, Epsilon: 0.2}
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
	oneOf := func(key, value string, of ...string) {
		if !slices.Contains(of, value) {
			errs = append(errs, fmt.Errorf("recipe.%s is %q; use %s", key, value, strings.Join(of, ", ")))
		}
	}
	oneOf("loss", o.Loss, PerText, PerMicro, PerLength, PerToken)
	oneOf("advantage", o.Advantage, Group, LeaveOneOut)
	oneOf("scale_rewards", o.ScaleRewards, ScaleGroup, ScaleBatch, ScaleNone)
	oneOf("ratio", o.Ratio, OfToken, OfText)
	if o.Samples < 2 {
		errs = append(errs, fmt.Errorf("recipe.samples is %d: a text is compared with others of its prompt; use 2 or more", o.Samples))
	}
	if !(o.Epsilon > 0 && o.Epsilon < 1) || o.EpsilonHigh < 0 || o.EpsilonHigh > 0 && o.EpsilonHigh < o.Epsilon {
		errs = append(errs, fmt.Errorf("recipe.epsilon is %g and epsilon_high %g; use a number between 0 and 1, and one that is not less, or 0", o.Epsilon, o.EpsilonHigh))
	}
	if o.Beta < 0 {
		errs = append(errs, fmt.Errorf("recipe.beta is %g; use 0 or more", o.Beta))
	}
	if o.Beta > 0 && c.Base == "" {
		errs = append(errs, errors.New("recipe.beta: the divergence is that from the base, and there is none: set base, or leave recipe.beta out"))
	}
	if d, ok := c.Data.Value().(*rollout.Data); ok && len(d.Sources) > 0 {
		errs = append(errs, &data.SettingError{Err: errors.New("data.sources are for plain text: name all files of prompts in data.train")})
	}
	return errors.Join(errs...)
}
