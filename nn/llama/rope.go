package llama

import (
	"math"
	"strings"

	"example.com/gotrain/autograd"
	"example.com/gotrain/nn"
)

// RopeScaling is how rotary positions are stretched; see autograd.RoPEScaling.
type RopeScaling struct {
	Type            string    `yaml:"type" json:"type"`               // linear, llama3, yarn, longrope, dynamic
	Factor          float64   `yaml:"factor,omitempty" json:"factor"` // new context / old context
	Original        int       `yaml:"original,omitempty" json:"original,omitempty"`
	LowFreqFactor   float64   `yaml:"low_freq_factor,omitempty" json:"low_freq_factor,omitempty"`   // llama3; default 1
	HighFreqFactor  float64   `yaml:"high_freq_factor,omitempty" json:"high_freq_factor,omitempty"` // llama3; default 4
	BetaFast        float64   `yaml:"beta_fast,omitempty" json:"beta_fast,omitempty"`               // yarn; default 32
	BetaSlow        float64   `yaml:"beta_slow,omitempty" json:"beta_slow,omitempty"`               // yarn; default 1
	Truncate        *bool     `yaml:"truncate,omitempty" json:"truncate,omitempty"`                 // yarn: bounds are whole pairs; default true
	ShortFactor     []float64 `yaml:"short_factor,omitempty" json:"short_factor,omitempty"`         // longrope: head_dim / 2 divisors, of sequences that fit into the old context
	LongFactor      []float64 `yaml:"long_factor,omitempty" json:"long_factor,omitempty"`           // longrope: those of longer sequences
	AttentionFactor float64   `yaml:"attention_factor,omitempty" json:"attention_factor,omitempty"` // yarn; default 0.1·ln(factor) + 1; longrope: √(1 + ln factor / ln original)
}

// dynamicScaling is transformers' name of a scaling by the length of each sequence, which
// begins beyond max_position_embeddings. Sequences end there here, so that it changes
// nothing and is only kept.
const dynamicScaling = "dynamic"

// scalings are the values of Type.
var scalings = []string{autograd.LinearScaling, autograd.Llama3Scaling, autograd.YaRNScaling, autograd.LongRoPEScaling, dynamicScaling}

// withDefaults fills in what the type leaves open. The old context is by default
// the new one by the factor.
func (s RopeScaling) withDefaults(context int) *RopeScaling {
	if s.Type == autograd.LongRoPEScaling && s.Factor == 0 && s.Original > 0 {
		s.Factor = float64(context) / float64(s.Original)
	}
	switch s.Type {
	case autograd.LinearScaling, dynamicScaling:
		return &s
	case autograd.Llama3Scaling:
		nn.Default(&s.LowFreqFactor, 1)
		nn.Default(&s.HighFreqFactor, 4)
	case autograd.YaRNScaling:
		nn.Default(&s.BetaFast, 32)
		nn.Default(&s.BetaSlow, 1)
		if s.Factor > 0 {
			nn.Default(&s.AttentionFactor, 0.1*math.Log(max(s.Factor, 1))+1)
		}
		if s.Truncate != nil && *s.Truncate {
			s.Truncate = nil
		}
	}
	if s.Factor > 0 {
		nn.Default(&s.Original, int(float64(context)/s.Factor))
	}
	if s.Type == autograd.LongRoPEScaling && s.Factor > 0 && s.Original > 1 {
		nn.Default(&s.AttentionFactor, math.Sqrt(1+math.Log(max(s.Factor, 1))/math.Log(float64(s.Original))))
	}
	return &s
}

// scaling is what package autograd wants to know; s may be nil.
func (s *RopeScaling) scaling() autograd.RoPEScaling {
	if s == nil || s.Type == dynamicScaling {
		return autograd.RoPEScaling{}
	}
	return autograd.RoPEScaling{
		Kind: s.Type, Factor: s.Factor, Original: s.Original, LowFrequency: s.LowFreqFactor, HighFrequency: s.HighFreqFactor,
		BetaFast: s.BetaFast, BetaSlow: s.BetaSlow, Fractional: s.Truncate != nil && !*s.Truncate,
		ShortFactor: s.ShortFactor, LongFactor: s.LongFactor, Attention: s.AttentionFactor,
	}
}

// check wants the scaling to be one of the known types, with its numbers in order.
func (s *RopeScaling) check(f *nn.Faults, headDim int) {
	if !(s.Factor > 0 && s.Factor < 1e6) {
		f.Add("rope_scaling.factor", "%g is outside (0, 1e6): it is the new context by the old one", s.Factor)
	}
	if s.Truncate != nil && s.Type != autograd.YaRNScaling {
		f.Add("rope_scaling.truncate", "belongs to %s: leave it out", autograd.YaRNScaling)
	}
	if (s.ShortFactor != nil || s.LongFactor != nil) && s.Type != autograd.LongRoPEScaling {
		f.Add("rope_scaling", "short_factor and long_factor belong to %s: leave them out", autograd.LongRoPEScaling)
	}
	switch s.Type {
	case autograd.LinearScaling, dynamicScaling:
		return
	case autograd.Llama3Scaling:
		if !(s.LowFreqFactor > 0 && s.HighFreqFactor > s.LowFreqFactor) {
			f.Add("rope_scaling", "low_freq_factor %g and high_freq_factor %g: use 0 < low < high, such as 1 and 4", s.LowFreqFactor, s.HighFreqFactor)
		}
	case autograd.YaRNScaling:
		if !(s.BetaSlow > 0 && s.BetaFast > s.BetaSlow && s.AttentionFactor > 0) {
			f.Add("rope_scaling", "beta_fast %g, beta_slow %g, attention_factor %g: use fast > slow > 0, such as 32 and 1, and a positive factor", s.BetaFast, s.BetaSlow, s.AttentionFactor)
		}
	case autograd.LongRoPEScaling:
		checkFactors(f, "short_factor", s.ShortFactor, headDim/2)
		checkFactors(f, "long_factor", s.LongFactor, headDim/2)
		if !(s.AttentionFactor > 0) {
			f.Add("rope_scaling.attention_factor", "%g is not above 0", s.AttentionFactor)
		}
	default:
		f.Add("rope_scaling.type", "%q is unknown: use one of %s", s.Type, strings.Join(scalings, ", "))
		return
	}
	if s.Original <= 0 || s.Original > nn.MaxSize {
		f.Add("rope_scaling.original", "%d is outside [1, %d]: give the context before the scaling", s.Original, nn.MaxSize)
	}
}

// checkFactors wants a positive divisor for each pair of a head.
func checkFactors(f *nn.Faults, key string, factors []float64, pairs int) {
	if len(factors) != pairs {
		f.Add("rope_scaling."+key, "has %d numbers: longrope needs %d, one for each pair of a head", len(factors), pairs)
		return
	}
	for _, x := range factors {
		if !(x > 0 && x < 1e6) {
			f.Add("rope_scaling."+key, "%g is outside (0, 1e6)", x)
			return
		}
	}
}
