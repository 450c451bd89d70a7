package optim

import (
	"errors"
	"fmt"
	"math"
)

// Config is the optimizer section of a configuration.
type Config struct {
	Kind        string    `yaml:"kind"` // adamw, sgd, lion, muon
	LR          float64   `yaml:"lr"`   // peak learning rate
	Betas       []float64 `yaml:"betas"`
	Eps         float64   `yaml:"eps"`
	Momentum    float64   `yaml:"momentum"`     // sgd, muon
	Nesterov    bool      `yaml:"nesterov"`     // sgd, muon
	WeightDecay float64   `yaml:"weight_decay"` // not applied to norms and biases
	Clip        float64   `yaml:"clip"`         // largest global gradient norm, 0 = off
	Schedule    string    `yaml:"schedule"`     // constant, linear, cosine, wsd
	Warmup      int       `yaml:"warmup"`       // steps of linear warm-up
	MinLR       float64   `yaml:"min_lr"`       // last learning rate as a fraction of lr
	Decay       float64   `yaml:"decay"`        // wsd: the last fraction of the steps that decays
	EMA         float64   `yaml:"ema"`          // decay of averaged parameters, 0 = off
	MatrixLR    float64   `yaml:"matrix_lr"`    // muon: learning rate of hidden matrices; lr is AdamW's for the rest
	// InBackward updates each parameter as soon as its gradient exists, so that
	// gradients are never all in memory. It excludes clipping and the guard
	// against non-finite steps, which need every gradient first.
	InBackward bool `yaml:"in_backward"`
}

// Default is AdamW as GPT-3 was trained (Brown et al. 2020).
func Default() Config {
	return Config{
		Kind: "adamw", LR: 1e-3, Betas: []float64{0.9, 0.95}, Eps: 1e-8, Momentum: 0.95, Nesterov: true,
		WeightDecay: 0.1, Clip: 1, Schedule: "cosine", Warmup: 50, MinLR: 0.1, Decay: 0.2, MatrixLR: 0.02,
	}
}

// Validate returns all faults of c at once.
func (c Config) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf("optimizer."+format, args...))
		}
	}
	oneOf := func(v string, names ...string) bool {
		for _, n := range names {
			if v == n {
				return true
			}
		}
		return false
	}
	fraction := func(x float64) bool { return x >= 0 && x < 1 }
	check(oneOf(c.Kind, "adamw", "sgd", "lion", "muon"), "kind is %q; use adamw, sgd, lion or muon", c.Kind)
	check(c.LR > 0 && !math.IsInf(c.LR, 0), "lr is %g; use a positive number", c.LR)
	check(len(c.Betas) == 2 && fraction(c.Betas[0]) && fraction(c.Betas[1]), "betas are %v; use two numbers in [0, 1)", c.Betas)
	check(c.Eps >= 0, "eps is %g; use 0 or more", c.Eps)
	check(fraction(c.Momentum), "momentum is %g; use a number in [0, 1)", c.Momentum)
	check(c.WeightDecay >= 0, "weight_decay is %g; use 0 or more", c.WeightDecay)
	check(c.Clip >= 0, "clip is %g; use a positive norm, or 0 for none", c.Clip)
	check(oneOf(c.Schedule, "constant", "linear", "cosine", "wsd"), "schedule is %q; use constant, linear, cosine or wsd", c.Schedule)
	check(c.Warmup >= 0, "warmup is %d steps; use 0 or more", c.Warmup)
	check(c.MinLR >= 0 && c.MinLR <= 1, "min_lr is %g; it is a fraction of lr in [0, 1]", c.MinLR)
	check(c.Decay > 0 && c.Decay <= 1, "decay is %g; it is a fraction of the steps in (0, 1]", c.Decay)
	check(fraction(c.EMA), "ema is %g; use a decay in [0, 1), 0 for none", c.EMA)
	check(c.Kind != "muon" || c.MatrixLR > 0, "matrix_lr is %g; use a positive number", c.MatrixLR)
	check(!c.InBackward || c.Clip == 0, "in_backward needs clip: 0: the norm of all gradients is not known when the first is applied")
	return errors.Join(errs...)
}

// LRFraction returns the learning rate of step (0 is the first) of total, as a fraction
// of the peak: a linear warm-up, then
//
//	constant  1
//	linear    down to MinLR
//	cosine    half a cosine down to MinLR (Loshchilov & Hutter 2017)
//	wsd       1, then linear down to MinLR over the last Decay of the steps
func (c Config) LRFraction(step, total int) float64 {
	if step < c.Warmup {
		return float64(step+1) / float64(c.Warmup)
	}
	progress := 1.0
	if total > c.Warmup {
		progress = min(1, float64(step-c.Warmup)/float64(total-c.Warmup))
	}
	switch c.Schedule {
	case "linear":
		return 1 - (1-c.MinLR)*progress
	case "cosine":
		return c.MinLR + (1-c.MinLR)*0.5*(1+math.Cos(math.Pi*progress))
	case "wsd":
		start := float64(total) * (1 - c.Decay)
		if float64(step) < start {
			return 1
		}
		return 1 - (1-c.MinLR)*min(1, (float64(step)-start)/(float64(total)*c.Decay))
	}
	return 1
}
