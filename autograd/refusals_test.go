package autograd

import (
	"fmt"
	"strings"
	"testing"
)

// build makes an operation of floats and integers of shapes.
type build func(f, i func(shape ...int) *Node) *Node

// operation has shapes at the border of what fits, and those that miss it by one condition.
type operation struct {
	op      string
	good    []build
	refused []build
}

func operations() []operation {
	attention := func(q, kv []int, cfg AttentionConfig) build {
		return func(f, _ func(...int) *Node) *Node {
			return Attention(f(q...), f(kv...), f(kv...), AttentionMask{}, cfg)
		}
	}
	packed := func(qkv []int, cfg AttentionConfig) build {
		return func(f, _ func(...int) *Node) *Node { return PackedAttention(f(qkv...), AttentionMask{}, cfg) }
	}
	cached := func(k, kcache, vcache []int) build {
		return func(f, i func(...int) *Node) *Node {
			return AttentionCached(f(2, 8), f(k...), f(k...), f(kcache...), f(vcache...), i(2), AttentionConfig{Batch: 2, Heads: 4, KVHeads: 2})
		}
	}
	entropy := func(logits, targets, weight []int) build {
		return func(f, i func(...int) *Node) *Node {
			loss, _ := CrossEntropy(f(logits...), i(targets...), f(weight...), LossConfig{})
			return loss
		}
	}
	linear := func(x, w, targets, weight []int) build {
		return func(f, i func(...int) *Node) *Node {
			loss, _ := LinearCrossEntropy(f(x...), f(w...), i(targets...), f(weight...), LossConfig{})
			return loss
		}
	}
	logp := func(x, w, targets []int, temperature float32) build {
		return func(f, i func(...int) *Node) *Node {
			logp, _, _ := LinearLogProb(f(x...), f(w...), i(targets...), LogProbConfig{Temperature: temperature})
			return logp
		}
	}
	top := func(x, w, classes []int, temperature float32) build {
		return func(f, i func(...int) *Node) *Node {
			return LinearTopLogProb(f(x...), f(w...), i(classes...), temperature)
		}
	}
	keptLogp := func(x, w, kept []int, most int) build {
		return func(f, i func(...int) *Node) *Node {
			logp, _ := KeptLogProb(f(x...), f(w...), i(kept...), LogProbConfig{Kept: most})
			return logp
		}
	}
	product := func(a, b []int, transA, transB bool) build {
		return func(f, _ func(...int) *Node) *Node { return MatMul(f(a...), f(b...), transA, transB) }
	}
	of := func(shape ...int) []int { return shape }
	return []operation{
		{"Attention", []build{
			attention(of(6, 12), of(6, 12), AttentionConfig{Batch: 2, Heads: 3}), attention(of(6, 8), of(6, 4), AttentionConfig{Batch: 3, Heads: 4, KVHeads: 2}),
			attention(of(4, 6), of(8, 2), AttentionConfig{Batch: 1, Heads: 3, KVHeads: 1}), packed(of(6, 12), AttentionConfig{Batch: 2, Heads: 2}), packed(of(6, 16), AttentionConfig{Batch: 1, Heads: 4, KVHeads: 2}),
		}, []build{
			attention(of(6, 6), of(6, 4), AttentionConfig{Batch: 2, Heads: 3, KVHeads: 2}), attention(of(6, 12), of(6, 12), AttentionConfig{Batch: 4, Heads: 3}),
			attention(of(6, 12), of(7, 12), AttentionConfig{Batch: 2, Heads: 3}), attention(of(6, 12), of(6, 12), AttentionConfig{Heads: 3}), attention(of(6, 12), of(6, 12), AttentionConfig{Batch: 2, Heads: 0, KVHeads: 1}),
			attention(of(6, 13), of(6, 13), AttentionConfig{Batch: 2, Heads: 3}), attention(of(6, 12), of(6, 8), AttentionConfig{Batch: 2, Heads: 3}), attention(of(6, 12, 1), of(6, 12, 1), AttentionConfig{Batch: 2, Heads: 3}),
			func(f, _ func(...int) *Node) *Node {
				return Attention(f(6, 12), f(6, 12), f(4, 12), AttentionMask{}, AttentionConfig{Batch: 2, Heads: 3})
			},
			packed(of(6, 14), AttentionConfig{Batch: 2, Heads: 3, KVHeads: 2}), packed(of(6, 13), AttentionConfig{Batch: 2, Heads: 2}), packed(of(7, 12), AttentionConfig{Batch: 2, Heads: 2}),
			packed(of(6, 12), AttentionConfig{Heads: 2}), packed(of(6, 12), AttentionConfig{Batch: 2, KVHeads: 1}), packed(of(6, 12, 1), AttentionConfig{Batch: 2, Heads: 2}),
		}},
		{"AttentionCached", []build{cached(of(2, 4), of(10, 4), of(10, 4))}, []build{cached(of(2, 4), of(10, 4), of(8, 4)), cached(of(2, 4), of(10, 6), of(10, 6)), cached(of(2, 4), of(9, 4), of(9, 4))}},
		{"CrossEntropy", []build{entropy(of(3, 5), of(3), of(1))}, []build{entropy(of(3, 5), of(4), of(1)), entropy(of(3, 5), of(3), of(2)), entropy(of(3, 5, 1), of(3), of(1)), entropy(of(3, 5), of(3, 1), of(1))}},
		{"LinearCrossEntropy", []build{linear(of(3, 4), of(5, 4), of(3), of(1))}, []build{
			linear(of(3, 4), of(5, 3), of(3), of(1)), linear(of(3, 4), of(5, 4), of(4), of(1)), linear(of(3, 4), of(5, 4), of(3), of(3)), linear(of(3, 4, 1), of(5, 4), of(3), of(1)), linear(of(3, 4), of(5, 4, 1), of(3), of(1)),
		}},
		{"LinearLogProb", []build{logp(of(3, 4), of(5, 4), of(3), 0)}, []build{
			logp(of(3, 4), of(5, 3), of(3), 1), logp(of(3, 4), of(5, 4), of(4), 1), logp(of(3, 4, 1), of(5, 4), of(3), 1), logp(of(3, 4), of(5, 4, 1), of(3), 1), logp(of(3, 4), of(5, 4), of(3), -1),
		}},
		{"LinearTopLogProb", []build{top(of(3, 4), of(5, 4), of(3, 5), 0)}, []build{
			top(of(3, 4), of(5, 3), of(3, 2), 1), top(of(3, 4), of(5, 4), of(4, 2), 1), top(of(3, 4), of(5, 4), of(3), 1), top(of(3, 4), of(5, 4), of(3, 6), 1), top(of(3, 4), of(5, 4), of(3, 2), -1),
			top(of(3, 4), of(2000, 4), of(3, 1025), 1),
		}},
		{"KeptLogProb", []build{keptLogp(of(3, 4), of(5, 4), of(3, 2), 2)}, []build{
			keptLogp(of(3, 4), of(5, 4), of(3, 2), 3), keptLogp(of(3, 4), of(5, 4), of(6), 2),
		}},
		{"Clip", []build{func(f, _ func(...int) *Node) *Node { return Clip(f(2), 1, 1) }}, []build{func(f, _ func(...int) *Node) *Node { return Clip(f(2), 1, 0.5) }}},
		{"Map", []build{func(f, _ func(...int) *Node) *Node { return Min(f(2, 3), f(2, 3)) }}, []build{func(f, _ func(...int) *Node) *Node { return Max(f(2, 3), f(3, 2)) }}},
		{"SegmentSum", []build{func(f, i func(...int) *Node) *Node { return SegmentSum(f(5), i(5), 2) }}, []build{
			func(f, i func(...int) *Node) *Node { return SegmentSum(f(5), i(4), 2) }, func(f, i func(...int) *Node) *Node { return SegmentSum(f(5, 1), i(5, 1), 2) }, func(f, i func(...int) *Node) *Node { return SegmentSum(f(5), i(5), 0) },
		}},
		{"SegmentBroadcast", []build{func(f, i func(...int) *Node) *Node { return SegmentBroadcast(f(2), i(5)) }}, []build{
			func(f, i func(...int) *Node) *Node { return SegmentBroadcast(f(2, 1), i(5)) }, func(f, i func(...int) *Node) *Node { return SegmentBroadcast(f(2), i(5, 1)) },
		}},
		{"MatMul", []build{
			product(of(2, 3), of(3, 4), false, false), product(of(3, 2), of(3, 4), true, false), product(of(2, 3), of(4, 3), false, true), product(of(5, 2, 3), of(5, 3, 4), false, false),
			func(f, _ func(...int) *Node) *Node { return Linear(f(2, 3), f(4, 3), f(4), OutIn) }, func(f, _ func(...int) *Node) *Node { return Linear(f(2, 3), f(3, 4), f(4), InOut) },
		}, []build{
			product(of(2, 3), of(4, 3), false, false), product(of(2, 3), of(3, 4), true, false), product(of(2, 3), of(3, 4), false, true), product(of(5, 2, 3), of(4, 3, 4), false, false),
			product(of(2, 3), of(1, 3, 4), false, false), product(of(3), of(3), false, false), func(f, _ func(...int) *Node) *Node { return Linear(f(2, 3), f(4, 3), f(3), OutIn) },
			func(f, _ func(...int) *Node) *Node { return Linear(f(2, 3), f(4, 3), f(1, 4), OutIn) },
		}},
		{"MSE", []build{func(f, _ func(...int) *Node) *Node { return MSE(f(2, 3), f(2, 3)) }}, []build{func(f, _ func(...int) *Node) *Node { return MSE(f(2, 3), f(3, 2)) }, func(f, _ func(...int) *Node) *Node { return MSE(f(2, 3), f(6)) }}},
		{"Add", []build{func(f, _ func(...int) *Node) *Node { return Add(f(2, 3), f(2, 3)) }}, []build{func(f, _ func(...int) *Node) *Node { return Add(f(2, 3), f(3, 2)) }}},
		{"Mul", []build{func(f, _ func(...int) *Node) *Node { return Mul(f(2, 3), f(2, 3)) }}, []build{func(f, _ func(...int) *Node) *Node { return Mul(f(2, 3), f(2)) }}},
		{"SwiGLU", []build{func(f, _ func(...int) *Node) *Node { return SwiGLU(f(2, 3), f(2, 3)) }}, []build{func(f, _ func(...int) *Node) *Node { return SwiGLU(f(2, 3), f(2, 4)) }}},
		{"Dropout", []build{func(f, i func(...int) *Node) *Node { return Dropout(f(2, 3), i(4), 0.999) }}, []build{
			func(f, i func(...int) *Node) *Node { return Dropout(f(2, 3), i(4), 1) }, func(f, i func(...int) *Node) *Node { return Dropout(f(2, 3), i(4), -0.1) },
		}},
		{"Embedding", []build{func(f, i func(...int) *Node) *Node { return Embedding(i(3), f(5, 2)) }}, []build{
			func(f, i func(...int) *Node) *Node { return Embedding(f(3), f(5, 2)) }, func(f, i func(...int) *Node) *Node { return Embedding(i(3, 1), f(5, 2)) },
			func(f, i func(...int) *Node) *Node { return Embedding(i(3), f(5)) },
		}},
		{"LayerNorm", []build{func(f, _ func(...int) *Node) *Node { return LayerNorm(f(2, 3), f(3), f(3), 1e-5) }, func(f, _ func(...int) *Node) *Node { return LayerNorm(f(2, 3), f(3), nil, 1e-5) }}, []build{
			func(f, _ func(...int) *Node) *Node { return LayerNorm(f(2, 3), f(2), f(3), 1e-5) }, func(f, _ func(...int) *Node) *Node { return LayerNorm(f(2, 3), f(3), f(2), 1e-5) },
		}},
		{"RMSNorm", []build{func(f, _ func(...int) *Node) *Node { return RMSNorm(f(2, 3), f(3), 1e-5) }}, []build{func(f, _ func(...int) *Node) *Node { return RMSNorm(f(2, 3), f(2), 1e-5) }}},
		{"RoPE", []build{func(f, i func(...int) *Node) *Node {
			return RoPE(f(2, 12), i(2), RoPEConfig{Heads: 3, Theta: 1e4, Length: 8})
		}}, []build{
			func(f, i func(...int) *Node) *Node {
				return RoPE(f(2, 9), i(2), RoPEConfig{Heads: 3, Theta: 1e4, Length: 8})
			}, func(f, i func(...int) *Node) *Node {
				return RoPE(f(2, 12), i(2), RoPEConfig{Heads: 5, Theta: 1e4, Length: 8})
			},
			func(f, i func(...int) *Node) *Node { return RoPE(f(2, 12), i(2), RoPEConfig{Theta: 1e4, Length: 8}) }, func(f, i func(...int) *Node) *Node {
				return RoPE(f(2, 12, 1), i(2), RoPEConfig{Heads: 3, Theta: 1e4, Length: 8})
			},
		}},
		{"ReduceSum", []build{func(f, _ func(...int) *Node) *Node { return Sum(f(2, 3), 1) }, func(f, _ func(...int) *Node) *Node { return Mean(f(2, 3)) }}, []build{
			func(f, _ func(...int) *Node) *Node { return Sum(f(2, 3), 2) }, func(f, _ func(...int) *Node) *Node { return Sum(f(2, 3), -1) },
		}},
		{"Broadcast", []build{func(f, _ func(...int) *Node) *Node { return Broadcast(f(1, 3), 4, 3) }}, []build{
			func(f, _ func(...int) *Node) *Node { return Broadcast(f(2, 3), 4, 3) }, func(f, _ func(...int) *Node) *Node { return Broadcast(f(1, 3), 3) },
		}},
		{"Reshape", []build{func(f, _ func(...int) *Node) *Node { return Reshape(f(2, 3), 6) }}, []build{func(f, _ func(...int) *Node) *Node { return Reshape(f(2, 3), 5) }, func(f, _ func(...int) *Node) *Node { return Reshape(f(2, 3), 7) }}},
		{"Transpose", []build{func(f, _ func(...int) *Node) *Node { return Transpose(f(2, 3, 4), 2, 0, 1) }}, []build{
			func(f, _ func(...int) *Node) *Node { return Transpose(f(2, 3), 0) }, func(f, _ func(...int) *Node) *Node { return Transpose(f(2, 3), 0, 0) }, func(f, _ func(...int) *Node) *Node { return Transpose(f(2, 3), 1, 2) },
			func(f, _ func(...int) *Node) *Node { return Transpose(f(2, 3), -1, 0) },
		}},
		{"Slice", []build{func(f, _ func(...int) *Node) *Node { return Slice(f(2, 3), 1, 0, 3) }, func(f, _ func(...int) *Node) *Node { return Slice(f(2, 3), 0, 1, 2) }}, []build{
			func(f, _ func(...int) *Node) *Node { return Slice(f(2, 3), 1, 0, 4) }, func(f, _ func(...int) *Node) *Node { return Slice(f(2, 3), 2, 0, 1) }, func(f, _ func(...int) *Node) *Node { return Slice(f(2, 3), 0, -1, 1) },
			func(f, _ func(...int) *Node) *Node { return Slice(f(2, 3), 0, 1, 1) }, func(f, _ func(...int) *Node) *Node { return Slice(f(2, 3), -1, 0, 1) },
		}},
		{"Concat", []build{func(f, _ func(...int) *Node) *Node { return Concat(1, f(2, 3), f(2, 1)) }}, []build{
			func(f, _ func(...int) *Node) *Node { return Concat(1, f(2, 3), f(3, 3)) }, func(f, _ func(...int) *Node) *Node { return Concat(2, f(2, 3), f(2, 3)) }, func(f, _ func(...int) *Node) *Node { return Concat(-1, f(2, 3), f(2, 3)) },
			func(f, _ func(...int) *Node) *Node { return Concat(0, f(2, 3), f(2, 3, 1)) },
		}},
	}
}

// TestShapesThatFit builds each operation with what fits, and with what the graph refuses by
// the operation's name.
func TestShapesThatFit(t *testing.T) {
	for _, tt := range operations() {
		try := func(b build) error {
			g, n := NewGraph(), 0
			name := func() string { n++; return fmt.Sprint("x", n) }
			b(func(shape ...int) *Node { return g.Floats(name(), shape...) }, func(shape ...int) *Node { return g.Ints(name(), shape...) })
			return g.Err()
		}
		for i, b := range tt.good {
			if err := try(b); err != nil {
				t.Errorf("%s %d: %v", tt.op, i, err)
			}
		}
		for i, b := range tt.refused {
			if err := try(b); err == nil || !strings.HasPrefix(err.Error(), tt.op+":") {
				t.Errorf("%s %d that should be refused: %v", tt.op, i, err)
			}
		}
	}
}
