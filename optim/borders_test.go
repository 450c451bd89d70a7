package optim

import (
	"math"
	"strings"
	"testing"
)

// TestBorders: each setting is right up to its borders and not beyond; faults come back together.
func TestBorders(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	below1 := math.Nextafter(1, 0)
	for key, test := range map[string]struct {
		set       func(c *Config, x float64)
		good, bad []float64
	}{
		"lr is":           {func(c *Config, x float64) { c.LR = x }, []float64{1e-300, 1, 1e9}, []float64{0, -1, nan, inf}},
		"betas are":       {func(c *Config, x float64) { c.Betas = []float64{x, 0.5} }, []float64{0, below1}, []float64{1, -1e-9, nan, inf}},
		"betas are [0.5":  {func(c *Config, x float64) { c.Betas = []float64{0.5, x} }, []float64{0, below1}, []float64{1, -1e-9, nan, inf}},
		"eps is":          {func(c *Config, x float64) { c.Eps = x }, []float64{0, 1}, []float64{-1e-30, nan}},
		"momentum is":     {func(c *Config, x float64) { c.Momentum = x }, []float64{0, below1}, []float64{1, -1e-9, nan}},
		"weight_decay is": {func(c *Config, x float64) { c.WeightDecay = x }, []float64{0, 5}, []float64{-1e-9, nan}},
		"clip is":         {func(c *Config, x float64) { c.Clip = x }, []float64{0, 1e-9, 100}, []float64{-1e-9, nan}},
		"warmup is":       {func(c *Config, x float64) { c.Warmup = int(x) }, []float64{0, 1, 1e6}, []float64{-1}},
		"min_lr is":       {func(c *Config, x float64) { c.MinLR = x }, []float64{0, 1}, []float64{-1e-9, math.Nextafter(1, 2), nan}},
		"decay is":        {func(c *Config, x float64) { c.Decay = x }, []float64{1e-9, 1}, []float64{0, math.Nextafter(1, 2), nan}},
		"ema is":          {func(c *Config, x float64) { c.EMA = x }, []float64{0, below1}, []float64{1, -1e-9, nan}},
		"matrix_lr is":    {func(c *Config, x float64) { c.Kind, c.MatrixLR = "muon", x }, []float64{1e-9, 10}, []float64{0, -1, nan}},
	} {
		for _, x := range test.good {
			c := Default()
			if test.set(&c, x); c.Validate() != nil {
				t.Errorf("%g: %v", x, c.Validate())
			}
		}
		for _, x := range test.bad {
			c := Default()
			test.set(&c, x)
			if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "optimizer."+key) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%g: %v, want one fault of %s", x, err, key)
			}
		}
	}
	for _, test := range []struct {
		change func(c *Config)
		want   string
	}{
		{func(c *Config) { c.Betas = []float64{0.9} }, "betas are"}, {func(c *Config) { c.Betas = []float64{0.9, 0.9, 0.9} }, "betas are"}, {func(c *Config) { c.MatrixLR = 0 }, ""},
		{func(c *Config) { c.InBackward = true }, "in_backward needs"}, {func(c *Config) { c.InBackward, c.Clip = true, 0 }, ""}, {func(c *Config) { c.Kind = "Adam" }, "kind is"}, {func(c *Config) { c.Schedule = "" }, "schedule is"},
	} {
		c := Default()
		test.change(&c)
		if err := c.Validate(); (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v, want %q", c, err, test.want)
		}
	}
	for _, kind := range []string{"adamw", "sgd", "lion", "muon"} {
		for _, schedule := range []string{"constant", "linear", "cosine", "wsd"} {
			c := Default()
			if c.Kind, c.Schedule = kind, schedule; c.Validate() != nil {
				t.Errorf("%s, %s: %v", kind, schedule, c.Validate())
			}
		}
	}
	c := Config{Kind: "x", Schedule: "y", LR: -1}
	if err := c.Validate(); err == nil || strings.Count(err.Error(), "\n") != 4 {
		t.Errorf("five faults: %v", err)
	}
}
