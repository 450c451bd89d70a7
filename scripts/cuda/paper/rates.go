package main

import (
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/plan"
)

// An H200 by its data sheet, and what its memory and large products of cuBLASLt reach by
// public measurements (4.3 TB/s; 790 TFLOP/s at 8192³ in bfloat16).
const (
	peak      = 989e12
	bandwidth = 4.3e12
	products  = 790e12
)

// launch is the gap between two kernels of a graph.
const launch = 0.7e-6

// Attention on mma.sync, all five products of the gradient counted, in FLOP/s for heads of
// 64 and below and for larger ones. Forward: flash-attention 2 reaches 306 TFLOP/s at head
// size 128 and 8192 tokens (flash-attention#1893). Backward: the rate of the seven
// products of the two passes before, 189 and 259 TFLOP/s, less 15% for the sums of dq and
// what blocks wait for each other.
const (
	forward64, forward128   = 200e12, 300e12
	backward64, backward128 = 0.85 * 189e12, 0.85 * 259e12
)

// Shares of the bandwidth that kernels reach whose rows take a warp; whose rows take a
// block, with barriers between the sums of a row; and the rest, without sums. Gradients of
// norms prefetch the next row.
const (
	warpRows  = 0.80
	blockRows = 0.65
	elements  = 0.90
)

// logitPasses are how often a chunk of logits crosses the memory in LinearCrossEntropy:
// written, made gradients in place, and read by two products.
const logitPasses = 5

var classes = []string{"products", "bias sums", "head", "attention backward", "attention", "norms", "optimizer", "rest", "launches"}

// step is the time of a step in seconds, by class, and the arithmetic that the model asks for.
type step struct {
	seconds map[string]float64
	model   float64
}

func (s *step) add(p *plan.Plan) {
	if s.seconds == nil {
		s.seconds = map[string]float64{}
	}
	for _, in := range p.Program.Instrs {
		class, seconds := timeOf(in)
		s.seconds[class] += seconds
		s.addSum(in)
		s.model += in.Cost().Model
	}
	s.seconds["launches"] += launch * float64(len(p.Launches))
}

// addSum adds what the sum of an operand's rows takes that a product has beside it: two
// kernels, of which one reads the operand. cuBLASLt 13.4 has bfloat16 products with sums
// for sm_80 alone. Beside attention it is two kernels, which add up what 32 queries and 64
// keys have left; a norm has it with the gradients of its weights.
func (s *step) addSum(in *ir.Instr) {
	if in.Kind == ir.AttentionBackward && in.Out[4] != nil {
		a, rows := in.Attrs.(ir.AttentionAttrs), in.Out[0].Shape.Rows()
		left := rows/32*a.Heads*a.HeadDim + rows/64*2*a.KVHeads*a.HeadDim
		s.seconds["bias sums"] += 2 * 4 * float64(left) / bandwidth / elements
		s.seconds["launches"] += 2 * launch
	}
	if in.Kind != ir.MatMul || in.Out[2] == nil {
		return
	}
	operand := in.In[1]
	if in.Attrs.(ir.MatMulAttrs).SumA {
		operand = in.In[0]
	}
	s.seconds["bias sums"] += float64(operand.Bytes()) / bandwidth / elements
	s.seconds["launches"] += 2 * launch
}

func (s *step) total() float64 {
	var sum float64
	for _, seconds := range s.seconds {
		sum += seconds
	}
	return sum
}

// mfu is the model FLOPs utilization.
func (s *step) mfu() float64 { return s.model / s.total() / peak }

// timeOf is the time of an instruction. Of a product, arithmetic and memory add up: at its
// begin and end tensor cores wait.
func timeOf(in *ir.Instr) (class string, seconds float64) {
	c := in.Cost()
	memory := c.Bytes / bandwidth
	switch in.Kind {
	case ir.MatMul:
		return "products", c.Products/products + memory
	case ir.LinearCrossEntropy:
		logits := 2 * float64(in.In[0].Shape.Rows()) * float64(in.In[1].Shape[0])
		return "head", c.Products/products + memory + logitPasses*logits/bandwidth
	case ir.Attention:
		return "attention", attention(in, forward64, forward128)
	case ir.AttentionBackward:
		return "attention backward", attention(in, backward64, backward128)
	case ir.LayerNorm, ir.RMSNorm, ir.LayerNormBackward, ir.RMSNormBackward:
		share := warpRows
		if in.In[0].Shape.Cols() > 768 {
			share = blockRows
		}
		return "norms", memory / share
	case ir.AdamW, ir.SumSquares, ir.Cast:
		return "optimizer", memory / elements
	}
	return "rest", memory / elements
}

// attention adds the memory to the arithmetic: at short sequences it counts.
func attention(in *ir.Instr, rate64, rate128 float64) float64 {
	rate := rate128
	if in.Attrs.(ir.AttentionAttrs).HeadDim <= 64 {
		rate = rate64
	}
	c := in.Cost()
	return c.Attention/rate + c.Bytes/bandwidth
}
