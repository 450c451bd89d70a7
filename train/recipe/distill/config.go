package distill

import (
	"errors"
	"fmt"
	"math"

	"example.com/gotrain/autograd"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/recipe/text"
)

// Name is the recipe's.
const Name = "distill"

// The divergences of the teacher's distribution p and the student's q.
const (
	Forward = "forward" // KL(p ‖ q): q covers all that p does (Hinton et al. 2015)
	Reverse = "reverse" // KL(q ‖ p): q keeps to what p finds likely (Gu et al. 2023, "MiniLLM")
	JSD     = "jsd"     // β·KL(p ‖ m) + (1-β)·KL(q ‖ m), m = β·p + (1-β)·q (Agarwal et al. 2023)
)

// Config is the section recipe.
type Config struct {
	Teacher     string  `yaml:"teacher"`     // a run or a checkpoint, of the student's tokenizer
	Divergence  string  `yaml:"divergence"`  // forward, reverse, jsd
	Beta        float64 `yaml:"beta"`        // β of jsd
	Temperature float64 `yaml:"temperature"` // τ, which divides the logits of both
	Weight      float64 `yaml:"weight"`      // of the divergence; what is left to 1 is that of the text's own next tokens
	// TopK is how many of the teacher's likeliest tokens are kept of each distribution, with the
	// probability of all others together.
	TopK int `yaml:"top_k"`
}

// Validate reports every fault at once.
func (c *Config) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf("recipe."+format, args...))
		}
	}
	check(c.Teacher != "", "teacher is empty: name the run or the checkpoint to learn from")
	check(c.Divergence == Forward || c.Divergence == Reverse || c.Divergence == JSD, "divergence is %q; use forward, reverse or jsd", c.Divergence)
	check(c.Beta > 0 && c.Beta < 1, "beta is %g; use a number between 0 and 1, such as 0.5", c.Beta)
	check(c.Temperature > 0 && !math.IsInf(c.Temperature, 0), "temperature is %g; use a positive number, such as 1 or 2", c.Temperature)
	check(c.Weight > 0 && c.Weight <= 1, "weight is %g; use more than 0, to learn from the teacher, up to 1", c.Weight)
	check(c.TopK >= 1 && c.TopK <= autograd.MaxTop, "top_k is %d; use 1 to %d", c.TopK, autograd.MaxTop)
	return errors.Join(errs...)
}

// own is the section recipe of c.
func own(c config.Config) *Config { return c.Recipe.Value().(*Config) }

// check returns what only this recipe finds wrong.
func check(c config.Config) error {
	var errs []error
	if c.Train.Smoothing != 0 || c.Train.ZLoss != 0 {
		errs = append(errs, fmt.Errorf("train.label_smoothing and train.z_loss are of recipe lm: the teacher's distribution takes their place in recipe %s", Name))
	}
	if c.Tokenizer.Path == "" && c.Tokenizer.Kind != "bytes" {
		errs = append(errs, fmt.Errorf("recipe %s needs the teacher's tokenizer: set tokenizer.path to the teacher's directory", Name))
	}
	if conversing(c) {
		errs = append(errs, text.CheckConversations(c))
	}
	return errors.Join(errs...)
}
