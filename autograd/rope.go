package autograd

import (
	"fmt"
	"math"

	"example.com/gotrain/autograd/ir"
)

// RoPEConfig describes rotary position embeddings (Su et al. 2021) in the
// half-rotation layout of Hugging Face's Llama.
type RoPEConfig struct {
	Heads   int     // heads in a row of x
	Length  int     // positions 0 … Length-1
	Theta   float64 // base, 10000 for Llama 2
	Scaling RoPEScaling
}

// Ways to stretch rotary positions that RoPEScaling.Kind names.
const (
	LinearScaling   = "linear"   // all frequencies alike (Chen et al. 2023)
	Llama3Scaling   = "llama3"   // low frequencies only (Dubey et al. 2024)
	YaRNScaling     = "yarn"     // by how often a frequency turns in the old context (Peng et al. 2023)
	LongRoPEScaling = "longrope" // each frequency by a factor of its own (Ding et al. 2024)
)

// RoPEScaling stretches rotary positions beyond the context that a model was
// first trained on. The zero value does not.
type RoPEScaling struct {
	Kind                        string
	Factor                      float64 // new context / old context
	Original                    int     // old context; llama3, yarn, longrope
	LowFrequency, HighFrequency float64 // llama3: turns in the old context below which positions are stretched, and above which not
	BetaFast, BetaSlow          float64 // yarn: the same, the other way round
	Fractional                  bool    // yarn: the bounds of BetaFast and BetaSlow are not rounded to whole pairs
	// ShortFactor and LongFactor divide the hd/2 frequencies of longrope: the first where
	// RoPEConfig.Length is at most Original, the second in longer sequences, at all
	// positions of them.
	ShortFactor, LongFactor []float64
	Attention               float64 // yarn, longrope: factor of cos and sin
}

// String tells scalings apart in the names of tables.
func (s RoPEScaling) String() string {
	text := fmt.Sprint(s.Kind, " ", s.Factor, " ", s.Original, " ", s.LowFrequency, " ", s.HighFrequency, " ", s.BetaFast, " ", s.BetaSlow, " ", s.Attention)
	if s.Fractional {
		text += " fractional"
	}
	if len(s.ShortFactor)+len(s.LongFactor) > 0 {
		text += fmt.Sprint(" ", s.ShortFactor, " ", s.LongFactor)
	}
	return "{" + text + "}"
}

// frequencies returns the angle by which each of hd/2 pairs turns from a position
// to the next.
func (cfg RoPEConfig) frequencies(hd int) []float64 {
	s, f := cfg.Scaling, make([]float64, hd/2)
	for i := range f {
		f[i] = math.Pow(cfg.Theta, -2*float64(i)/float64(hd))
		switch s.Kind {
		case LinearScaling:
			f[i] /= s.Factor
		case Llama3Scaling:
			turns := float64(s.Original) * f[i] / (2 * math.Pi)
			keep := min(max((turns-s.LowFrequency)/(s.HighFrequency-s.LowFrequency), 0), 1)
			f[i] = (1-keep)*f[i]/s.Factor + keep*f[i]
		case YaRNScaling:
			low, high := cfg.pairOf(s.BetaFast, hd), cfg.pairOf(s.BetaSlow, hd)
			if !s.Fractional {
				low, high = math.Floor(low), math.Ceil(high)
			}
			low, high = max(low, 0), min(high, float64(hd-1))
			if low == high {
				high += 0.001
			}
			stretch := min(max((float64(i)-low)/(high-low), 0), 1)
			f[i] = stretch*f[i]/s.Factor + (1-stretch)*f[i]
		case LongRoPEScaling:
			factors := s.ShortFactor
			if cfg.Length > s.Original {
				factors = s.LongFactor
			}
			f[i] /= factors[i]
		}
	}
	return f
}

// pairOf returns the pair, a fraction, that turns so often in the old context.
func (cfg RoPEConfig) pairOf(turns float64, hd int) float64 {
	return float64(hd) * math.Log(float64(cfg.Scaling.Original)/(turns*2*math.Pi)) / (2 * math.Log(cfg.Theta))
}

// RoPE rotates the heads of x (N, Heads·hd) by their positions (N) int32.
func RoPE(x, positions *Node, cfg RoPEConfig) *Node {
	g := x.g
	if broken(x, positions) {
		return g.pass()
	}
	if len(x.shape) != 2 || cfg.Heads <= 0 || x.shape[1]%cfg.Heads != 0 || x.shape[1]/cfg.Heads%2 != 0 {
		return g.fail("RoPE", "%s does not divide into %d heads of even size", x.shape, cfg.Heads)
	}
	hd := x.shape[1] / cfg.Heads
	if s := cfg.Scaling; s.Kind == LongRoPEScaling && (len(s.ShortFactor) != hd/2 || len(s.LongFactor) != hd/2) {
		return g.fail("RoPE", "longrope has %d short and %d long factors for the %d pairs of a head", len(s.ShortFactor), len(s.LongFactor), hd/2)
	}
	table := g.Table(fmt.Sprintf("rope.%d.%d.%g.%v", cfg.Length, hd, cfg.Theta, cfg.Scaling), func() []float32 { return ropeTable(cfg, hd) }, cfg.Length, hd)
	attrs := ir.RoPEAttrs{Heads: cfg.Heads, HeadDim: hd}
	return g.apply(ir.RoPE, attrs, []*Node{x, table, positions}, []spec{like(x)}, []bool{true, false, false},
		func(o *op, in []*Node, _, dy *Node) []*Node {
			inverse := attrs
			inverse.Inverse = true
			return []*Node{g.apply(ir.RoPE, inverse, []*Node{dy, in[1], in[2]}, []spec{like(dy)}, nil, nil), nil, nil}
		})
}

// ropeTable computes (Length, hd): cos of the angles, then sin.
func ropeTable(cfg RoPEConfig, hd int) []float32 {
	t := make([]float32, cfg.Length*hd)
	frequencies, size := cfg.frequencies(hd), 1.0
	if cfg.Scaling.Kind == YaRNScaling || cfg.Scaling.Kind == LongRoPEScaling {
		size = cfg.Scaling.Attention
	}
	for pos := range cfg.Length {
		row := t[pos*hd : (pos+1)*hd]
		for i, f := range frequencies {
			angle := float64(pos) * f
			row[i] = float32(size * math.Cos(angle))
			row[hd/2+i] = float32(size * math.Sin(angle))
		}
	}
	return t
}
