package llama

import (
	"math"

	"gotrain/autograd"
	"gotrain/nn"
)

// RopeScaling is how rotary positions are stretched; see autograd.RoPEScaling.
type RopeScaling struct {
	Type            string  `yaml:"type" json:"type"`     // linear, llama3, yarn
	Factor          float64 `yaml:"factor" json:"factor"` // new context / old context
	Original        int     `yaml:"original,omitempty" json:"original,omitempty"`
	LowFreqFactor   float64 `yaml:"low_freq_factor,omitempty" json:"low_freq_factor,omitempty"`   // llama3; default 1
	HighFreqFactor  float64 `yaml:"high_freq_factor,omitempty" json:"high_freq_factor,omitempty"` // llama3; default 4
	BetaFast        float64 `yaml:"beta_fast,omitempty" json:"beta_fast,omitempty"`               // yarn; default 32
	BetaSlow        float64 `yaml:"beta_slow,omitempty" json:"beta_slow,omitempty"`               // yarn; default 1
	AttentionFactor float64 `yaml:"attention_factor,omitempty" json:"attention_factor,omitempty"` // yarn; default 0.1·ln(factor) + 1
}

// withDefaults fills in what the type leaves open. The old context is by default
// the new one by the factor.
func (s RopeScaling) withDefaults(context int) *RopeScaling {
	switch s.Type {
	case autograd.Llama3Scaling:
		nn.Default(&s.LowFreqFactor, 1)
		nn.Default(&s.HighFreqFactor, 4)
	case autograd.YaRNScaling:
		nn.Default(&s.BetaFast, 32)
		nn.Default(&s.BetaSlow, 1)
		if s.Factor > 0 {
			nn.Default(&s.AttentionFactor, 0.1*math.Log(max(s.Factor, 1))+1)
		}
	default:
		return &s
	}
	if s.Factor > 0 {
		nn.Default(&s.Original, int(float64(context)/s.Factor))
	}
	return &s
}

// scaling is what package autograd wants to know; s may be nil.
func (s *RopeScaling) scaling() autograd.RoPEScaling {
	if s == nil {
		return autograd.RoPEScaling{}
	}
	return autograd.RoPEScaling{
		Kind: s.Type, Factor: s.Factor, Original: s.Original, LowFrequency: s.LowFreqFactor, HighFrequency: s.HighFreqFactor,
		BetaFast: s.BetaFast, BetaSlow: s.BetaSlow, Attention: s.AttentionFactor,
	}
}

// check wants the scaling to be one of the known types, with its numbers in order.
func (s *RopeScaling) check(f *nn.Faults) {
	if !(s.Factor > 0 && s.Factor < 1e6) {
		f.Add("rope_scaling.factor", "%g is outside (0, 1e6): it is the new context by the old one", s.Factor)
	}
	switch s.Type {
	case autograd.LinearScaling:
		return
	case autograd.Llama3Scaling:
		if !(s.LowFreqFactor > 0 && s.HighFreqFactor > s.LowFreqFactor) {
			f.Add("rope_scaling", "low_freq_factor %g and high_freq_factor %g: use 0 < low < high, such as 1 and 4", s.LowFreqFactor, s.HighFreqFactor)
		}
	case autograd.YaRNScaling:
		if !(s.BetaSlow > 0 && s.BetaFast > s.BetaSlow && s.AttentionFactor > 0) {
			f.Add("rope_scaling", "beta_fast %g, beta_slow %g, attention_factor %g: use fast > slow > 0, such as 32 and 1, and a positive factor", s.BetaFast, s.BetaSlow, s.AttentionFactor)
		}
	default:
		f.Add("rope_scaling.type", "%q is unknown: use %s, %s or %s", s.Type, autograd.LinearScaling, autograd.Llama3Scaling, autograd.YaRNScaling)
		return
	}
	if s.Original <= 0 || s.Original > nn.MaxSize {
		f.Add("rope_scaling.original", "%d is outside [1, %d]: give the context before the scaling", s.Original, nn.MaxSize)
	}
}
