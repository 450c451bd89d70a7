package rollout

import (
	"errors"
	"fmt"
	"math"

	"example.com/gotrain/autograd"
	"example.com/gotrain/nn/generate"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/reward"
)

// Config are the keys of texts and rewards in the section recipe.
type Config struct {
	Samples     int     `yaml:"samples"`     // texts a prompt; train.batch × train.accumulate, of each rank, is a multiple
	MaxTokens   int     `yaml:"max_tokens"`  // of an answer
	Temperature float64 `yaml:"temperature"` // divides logits, in writing and in learning
	// TopK, TopP and MinP leave only likely tokens to draw from, as in gotrain sample; what is
	// learnt is the distribution of those. TopK bounds their number, so the others need it.
	TopK        int     `yaml:"top_k"`
	TopP        float64 `yaml:"top_p"`
	MinP        float64 `yaml:"min_p"`
	Updates     int     `yaml:"updates"`     // passes over the texts of a rollout
	Minibatches int     `yaml:"minibatches"` // optimizer steps of a pass, each on a part of the texts
	AtOnce      int     `yaml:"at_once"`     // texts that are written at once; memory for caches grows with it
	// Resample is how often a prompt whose texts all have the same reward, from which
	// nothing is learnt, is replaced by another (Yu et al. 2025, dynamic sampling).
	Resample int `yaml:"resample"`
	// MaskTruncated leaves texts that max_tokens has cut out of the loss.
	MaskTruncated bool `yaml:"mask_truncated"`
	// Unended is what a text loses that max_tokens has cut, as TRL's missing_eos_penalty.
	Unended float64 `yaml:"unended"`
	// Overlong is the number of tokens before max_tokens in which the reward falls, by up to 1.
	Overlong int           `yaml:"overlong"`
	Rewards  []reward.Rule `yaml:"rewards"` // whose weighted sum is the reward
}

// Default are the defaults.
func Default() Config {
	return Config{Samples: 8, MaxTokens: 64, Temperature: 1, Updates: 1, Minibatches: 1, AtOnce: 16}
}

// Check returns all that is wrong with the keys in a configuration.
func (r Config) Check(c config.Config) error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf("recipe."+format, args...))
		}
	}
	check(r.Samples >= 1, "samples is %d; use 1 or more", r.Samples)
	check(r.MaxTokens >= 1 && r.MaxTokens < c.Length() || c.Length() == 0, "max_tokens is %d; use 1 or more, and fewer than the %d of a row", r.MaxTokens, c.Length())
	check(r.Temperature > 0 && r.Temperature <= 1e3, "temperature is %g; use more than 0, such as 1: texts without chance teach nothing", r.Temperature)
	if err := r.sampling().Validate(); err != nil {
		errs = append(errs, fmt.Errorf("recipe: %w", err))
	}
	check(r.TopK > 0 || (r.TopP == 0 || r.TopP == 1) && r.MinP == 0, "top_k is %d, which bounds the number of tokens that top_p and min_p may leave: set it, such as 64", r.TopK)
	check(r.TopK <= autograd.MaxTop, "top_k is %d; use up to %d, or 0 for all tokens", r.TopK, autograd.MaxTop)
	check(r.Updates >= 1, "updates is %d; use 1 or more", r.Updates)
	check(r.Minibatches >= 1, "minibatches is %d; use 1 or more", r.Minibatches)
	check(r.Unended >= 0 && !math.IsInf(r.Unended, 0), "unended is %g; use 0 or more", r.Unended)
	check(r.Resample == 0 || r.Samples > 1, "resample replaces texts of a prompt that all have the same reward: with samples %d leave it out", r.Samples)
	check(r.AtOnce >= 1, "at_once is %d; use 1 or more", r.AtOnce)
	check(r.Resample >= 0, "resample is %d; use 0 or more", r.Resample)
	check(r.Overlong >= 0 && r.Overlong <= r.MaxTokens, "overlong is %d; use 0 to max_tokens, %d", r.Overlong, r.MaxTokens)
	check(len(r.Rewards) > 0, "rewards is empty: nothing says which text is better; name rules, such as [{kind: exact, answer: answer}]")
	for i, rule := range r.Rewards {
		if err := rule.Validate(); err != nil {
			errs = append(errs, fmt.Errorf("recipe.rewards[%d]: %w", i, err))
		}
	}
	if n := c.Length(); n%8 != 0 {
		errs = append(errs, fmt.Errorf("a row has %d tokens: use a multiple of 8 (train.context), so that writing and learning add up in the same order", n))
	}
	if c.Train.DocumentMask {
		errs = append(errs, errors.New("train.document_mask: a row of texts that the model writes is one text: leave it out"))
	}
	if share := c.Train.Batch * c.Train.Accumulate; r.Samples >= 1 && share%(r.Samples*c.Rank.Shares()) != 0 {
		errs = append(errs, fmt.Errorf("train.batch × train.accumulate is %d, which %d ranks share: use a multiple of recipe.samples × ranks, %d, so that no group is divided", share, c.Rank.Shares(), r.Samples*c.Rank.Shares()))
	}
	return errors.Join(errs...)
}

// sampling is how tokens are drawn, of logits that the temperature has divided already.
func (r Config) sampling() generate.Sampling {
	return generate.Sampling{Temperature: 1, TopK: r.TopK, TopP: r.TopP, MinP: r.MinP}
}
