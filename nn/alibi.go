package nn

import (
	"math"

	"example.com/gotrain/autograd"
)

// ALiBi is the value of the key positions for scores that fall with the distance of a key,
// in each head at another slope (Press et al. 2022, "Train Short, Test Long"): no
// parameters, and texts may be longer than those that a model was trained on.
const ALiBi = "alibi"

// ALiBi adds the biases of that many heads to the attention of c, for all its layers.
func (b *Builder) ALiBi(heads int, c autograd.AttentionConfig) autograd.AttentionConfig {
	slopes, span := alibiSlopes(heads), b.Span()
	c.Behind = span - 1
	c.Bias = b.Table("alibi", heads, span, func(head, column int) float32 { return slopes[head] * float32(column-c.Behind) })
	return c
}

// alibiSlopes are a geometric series from 2^(-8/n) to 2^-8 for n heads, a power of two; the
// heads beyond one have every other slope of the next.
func alibiSlopes(heads int) []float32 {
	power := 1
	for 2*power <= heads {
		power *= 2
	}
	slopes := make([]float32, heads)
	for i := range slopes {
		exponent := 8 * float64(i+1) / float64(power)
		if i >= power {
			exponent = 8 * float64(2*(i-power)+1) / float64(2*power)
		}
		slopes[i] = float32(math.Exp2(-exponent))
	}
	return slopes
}
