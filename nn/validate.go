package nn

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"gotrain/autograd"
)

// Limits of sizes, far above any model: they keep a damaged config.json from
// asking for absurd graphs and products of sizes inside int64.
const (
	maxLayers = 1 << 12
	maxSize   = 1 << 24
)

// Validate returns all faults of c, joined, each with its cure, or nil. It
// judges c with the family's defaults filled in. Vocab may be 0 as long as the
// tokenizer is to fill it in.
func (c Config) Validate() error {
	if c.Family != GPT2 && c.Family != Llama {
		return fmt.Errorf("model.family: %q is unknown: use %s or %s", c.Family, GPT2, Llama)
	}
	var f faults
	f.sizes(c)
	c = c.WithDefaults()
	f.common(c)
	if c.Family == GPT2 {
		f.gpt2(c)
	} else {
		f.llama(c)
	}
	return errors.Join(errors.Join(f...), c.Adapter.Validate())
}

// faults collects what is wrong with a configuration.
type faults []error

func (f *faults) add(key, format string, args ...any) {
	*f = append(*f, fmt.Errorf("model.%s: %s", key, fmt.Sprintf(format, args...)))
}

// sizes checks the numbers as they were written.
func (f *faults) sizes(c Config) {
	for _, s := range []struct {
		key           string
		value         int
		least, most   int
		zeroIsDefault bool
	}{
		{"layers", c.Layers, 1, maxLayers, false},
		{"heads", c.Heads, 1, maxSize, false},
		{"width", c.Width, 1, maxSize, false},
		{"context", c.Context, 1, maxSize, false},
		{"kv_heads", c.KVHeads, 1, maxSize, true},
		{"head_dim", c.HeadDim, 1, maxSize, true},
		{"ffn", c.FFN, 1, maxSize, true},
		{"vocab", c.Vocab, 1, maxSize, true},
		{"sliding_window", c.SlidingWindow, 1, maxSize, true},
	} {
		switch {
		case s.value == 0 && s.zeroIsDefault:
		case s.value == 0:
			f.add(s.key, "is missing: give a whole number of at least %d", s.least)
		case s.value < s.least || s.value > s.most:
			f.add(s.key, "%d is outside [%d, %d]", s.value, s.least, s.most)
		}
	}
}

func (f *faults) common(c Config) {
	if !(c.Dropout >= 0 && c.Dropout < 1) {
		f.add("dropout", "%g is outside [0, 1): 0 turns it off", c.Dropout)
	}
	if _, ok := activations[c.Activation]; !ok {
		f.add("activation", "%q is unknown: use %s", c.Activation, strings.Join(slices.Sorted(maps.Keys(activations)), ", "))
	}
	if !(c.NormEps > 0 && c.NormEps < 1) {
		f.add("norm_eps", "%g is outside (0, 1): 1e-5 is usual", c.NormEps)
	}
	if !(c.InitStd > 0 && c.InitStd < 1e3) {
		f.add("init_std", "%g is outside (0, 1000): 0.02 is usual", c.InitStd)
	}
}

func (f *faults) gpt2(c Config) {
	if c.Heads > 0 && c.Width > 0 && c.HeadDim*c.Heads != c.Width {
		if c.Width%c.Heads != 0 {
			f.add("width", "%d does not divide into %d heads: use a multiple, such as %d", c.Width, c.Heads, max(1, c.Width/c.Heads)*c.Heads)
		} else {
			f.add("head_dim", "is width / heads = %d in family %s: leave it out", c.Width/c.Heads, GPT2)
		}
	}
	if c.KVHeads != c.Heads {
		f.add("kv_heads", "family %s has as many key as query heads: leave it out, or use family %s", GPT2, Llama)
	}
	if c.Positions != Learned && c.Positions != Sinusoidal && c.Positions != NoPosition {
		f.add("positions", "%q is not one of %s, %s, %s of family %s", c.Positions, Learned, Sinusoidal, NoPosition, GPT2)
	}
	if c.QKNorm {
		f.add("qk_norm", "belongs to family %s: leave it out", Llama)
	}
	if c.SlidingWindow != 0 {
		f.add("sliding_window", "belongs to family %s: leave it out", Llama)
	}
	if c.QKVBias {
		f.add("qkv_bias", "belongs to family %s: leave it out", Llama)
	}
	if c.RopeScaling != nil {
		f.add("rope_scaling", "belongs to family %s: leave it out", Llama)
	}
	if c.RopeTheta != 0 {
		f.add("rope_theta", "belongs to family %s: leave it out", Llama)
	}
}

func (f *faults) llama(c Config) {
	switch {
	case c.Heads <= 0 || c.Width <= 0:
	case c.HeadDim == 0:
		f.add("width", "%d is less than the %d heads: raise it, or set head_dim", c.Width, c.Heads)
	case c.HeadDim == c.Width/c.Heads && c.Width%c.Heads != 0:
		f.add("width", "%d does not divide into %d heads: use a multiple, such as %d, or set head_dim", c.Width, c.Heads, c.HeadDim*c.Heads)
	case c.HeadDim%2 != 0:
		f.add("head_dim", "%d is odd, but rotary positions turn pairs: use an even one (width / heads is the default)", c.HeadDim)
	}
	if c.KVHeads > 0 && c.Heads > 0 && c.Heads%c.KVHeads != 0 {
		f.add("kv_heads", "%d does not divide the %d heads", c.KVHeads, c.Heads)
	}
	if c.Positions != Rotary {
		f.add("positions", "%q: family %s has %s only: leave it out, or use family %s", c.Positions, Llama, Rotary, GPT2)
	}
	if !(c.RopeTheta > 1 && c.RopeTheta < 1e12) {
		f.add("rope_theta", "%g is outside (1, 1e12): 10000 is usual", c.RopeTheta)
	}
	if c.RopeScaling != nil {
		f.ropeScaling(*c.RopeScaling)
	}
}

func (f *faults) ropeScaling(s RopeScaling) {
	if !(s.Factor > 0 && s.Factor < 1e6) {
		f.add("rope_scaling.factor", "%g is outside (0, 1e6): it is the new context by the old one", s.Factor)
	}
	switch s.Type {
	case autograd.LinearScaling:
		return
	case autograd.Llama3Scaling:
		if !(s.LowFreqFactor > 0 && s.HighFreqFactor > s.LowFreqFactor) {
			f.add("rope_scaling", "low_freq_factor %g and high_freq_factor %g: use 0 < low < high, such as 1 and 4", s.LowFreqFactor, s.HighFreqFactor)
		}
	case autograd.YaRNScaling:
		if !(s.BetaSlow > 0 && s.BetaFast > s.BetaSlow && s.AttentionFactor > 0) {
			f.add("rope_scaling", "beta_fast %g, beta_slow %g, attention_factor %g: use fast > slow > 0, such as 32 and 1, and a positive factor", s.BetaFast, s.BetaSlow, s.AttentionFactor)
		}
	default:
		f.add("rope_scaling.type", "%q is unknown: use %s, %s or %s", s.Type, autograd.LinearScaling, autograd.Llama3Scaling, autograd.YaRNScaling)
		return
	}
	if s.Original <= 0 || s.Original > maxSize {
		f.add("rope_scaling.original", "%d is outside [1, %d]: give the context before the scaling", s.Original, maxSize)
	}
}
