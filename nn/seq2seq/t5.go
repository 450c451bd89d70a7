package seq2seq

import (
	"fmt"
	"math"

	"example.com/gotrain/autograd"
	"example.com/gotrain/nn"
)

func (c *Config) setT5Defaults() {
	if c.Heads > 0 {
		nn.Default(&c.HeadDim, c.Width/c.Heads)
	}
	if c.Gated {
		nn.Default(&c.Activation, "gelu_tanh")
	}
	nn.Default(&c.NormEps, 1e-6)
	nn.Default(&c.Buckets, 32)
	nn.Default(&c.MaxDistance, 128)
	flag(&c.ScaleLogits, c.Tied == nil || *c.Tied)
}

// checkT5 finds the faults of the keys of t5; full has the defaults of c.
func (c *Config) checkT5(f *nn.Faults, full Config) {
	if full.Variant != T5 {
		for key, set := range map[string]bool{
			"head_dim": c.HeadDim != 0, "gated": c.Gated, "buckets": c.Buckets != 0, "max_distance": c.MaxDistance != 0, "scale_logits": c.ScaleLogits != nil,
		} {
			if set {
				f.Add(key, "is a key of variant %s: leave it out of a %s", T5, full.Variant)
			}
		}
		return
	}
	f.OptionalSize("head_dim", c.HeadDim, nn.MaxSize)
	// A side that looks both ways has half of the buckets for each, and half of those for
	// single distances.
	if full.Buckets < 4 || full.Buckets%4 != 0 || full.Buckets > nn.MaxLayers {
		f.Add("buckets", "%d is no multiple of 4 in [4, %d]: 32 is usual", full.Buckets, nn.MaxLayers)
	}
	if full.MaxDistance <= full.Buckets/2 || full.MaxDistance > nn.MaxLayers {
		f.Add("max_distance", "%d is outside (%d, %d], more than half of the buckets: 128 is usual", full.MaxDistance, full.Buckets/2, nn.MaxLayers)
	}
	if full.LogitsBias != nil && *full.LogitsBias {
		f.Add("logits_bias", "is no key of variant %s: leave it out", T5)
	}
}

// t5Encoder is the tokens of the builder's inputs → (N, D).
func (c *Config) t5Encoder(b *nn.Builder, table *autograd.Node) (x *autograd.Node) {
	b.In("encoder", func() {
		x = b.Dropout(autograd.Embedding(b.IDs, table))
		var bias *autograd.Node
		for i := range c.Layers {
			b.Block(i, fmt.Sprintf("block.%d", i), func() {
				x = c.t5Self(b, x, &bias, false)
				x = c.t5Layer(b, 1, x, func(x *autograd.Node) *autograd.Node { return c.t5FeedForward(b, x) })
			})
		}
		x = b.Dropout(b.RMSNorm("final_layer_norm", x))
	})
	return x
}

// t5Decoder is the target tokens and the encoded source x (M, D), as decoder.
func (c *Config) t5Decoder(b *nn.Builder, table, x *autograd.Node, in nn.PairInputs) (y *autograd.Node) {
	b.In("decoder", func() {
		y = b.Dropout(autograd.Embedding(b.IDs, table))
		var bias *autograd.Node
		for i := range c.DecoderLayers {
			b.Block(c.Layers+i, fmt.Sprintf("block.%d", i), func() {
				y = c.t5Self(b, y, &bias, true)
				y = c.t5Layer(b, 1, y, func(y *autograd.Node) *autograd.Node { return c.cross(b, y, x, in, i) })
				y = c.t5Layer(b, 2, y, func(y *autograd.Node) *autograd.Node { return c.t5FeedForward(b, y) })
			})
		}
		y = b.Dropout(b.RMSNorm("final_layer_norm", y))
		if nn.IsSet(c.ScaleLogits) {
			y = autograd.Scale(y, float32(1/math.Sqrt(float64(c.Width))))
		}
	})
	return y
}

// t5Layer adds a branch of the normalised x to x: (N, D) → (N, D).
func (c *Config) t5Layer(b *nn.Builder, number int, x *autograd.Node, branch func(*autograd.Node) *autograd.Node) (y *autograd.Node) {
	b.In(fmt.Sprintf("layer.%d", number), func() { y = autograd.Add(x, b.Dropout(branch(b.RMSNorm("layer_norm", x)))) })
	return y
}

// t5Self is the layer of attention among the tokens of a side. The first block has the bias
// of all.
func (c *Config) t5Self(b *nn.Builder, x *autograd.Node, bias **autograd.Node, causal bool) *autograd.Node {
	return c.t5Layer(b, 0, x, func(x *autograd.Node) *autograd.Node {
		if *bias == nil {
			b.In(c.names().self, func() { *bias = c.distanceBias(b, causal) })
		}
		return c.attention(b, x, autograd.AttentionConfig{Causal: causal, Bias: *bias, Behind: c.MaxDistance})
	})
}

// distanceBias is (H, distances): of MaxDistance tokens behind a query to as many ahead of
// it, or to itself where causal. Beyond, all have the bucket of the last.
func (c *Config) distanceBias(b *nn.Builder, causal bool) *autograd.Node {
	table := b.Embedding("relative_attention_bias", c.Buckets, c.Heads)
	distances := c.MaxDistance + 1
	if !causal {
		distances += c.MaxDistance
	}
	buckets := b.Table("buckets", distances, c.Buckets, func(row, column int) float32 {
		if c.bucket(row-c.MaxDistance, causal) == column {
			return 1
		}
		return 0
	})
	return autograd.MatMul(table, buckets, true, true) // (buckets, H)ᵀ × (distances, buckets)ᵀ → (H, distances)
}

// bucket is that of a key so many tokens behind a query, below 0, or ahead of it. Half of
// those of a direction have one distance each, the others ever more, on a logarithmic scale
// up to MaxDistance. It is computed in float32, as transformers does.
func (c *Config) bucket(distance int, causal bool) int {
	count, first := c.Buckets, 0
	if !causal {
		count /= 2
		if distance > 0 {
			first, distance = count, -distance
		}
	}
	distance = max(-distance, 0)
	exact := count / 2
	if distance < exact {
		return first + distance
	}
	log := float32(math.Log(float64(float32(distance) / float32(exact))))
	span := float32(math.Log(float64(c.MaxDistance) / float64(exact)))
	return first + min(exact+int(log/span*float32(count-exact)), count-1)
}

// t5FeedForward is (N, D) → (N, D).
func (c *Config) t5FeedForward(b *nn.Builder, x *autograd.Node) (y *autograd.Node) {
	b.In("DenseReluDense", func() {
		var h *autograd.Node // (N, F)
		if c.Gated {
			h = autograd.Mul(autograd.Activation(b.Linear("wi_0", x, c.FFN), nn.Act(c.Activation)), b.Linear("wi_1", x, c.FFN))
		} else {
			h = autograd.Activation(b.Linear("wi", x, c.FFN), nn.Act(c.Activation))
		}
		b.Std(c.InitStd*math.Sqrt(float64(c.Width)/float64(c.FFN)), func() { y = b.Residual("wo", h, c.Width) })
	})
	return y
}
