package ir

import "math"

// Cost is the work of instructions, for forecasts and for the share of a device's
// peak that a run reaches. A multiplication with an addition counts as two
// floating-point operations.
type Cost struct {
	// Products are the operations of matrix products.
	Products float64
	// Attention are those of attention, over the pairs of a query and a key that the
	// mask leaves, with scores that are computed again; Keys is the number of keys of a
	// sequence.
	Attention float64
	Keys      int
	// Model is the part of both that the definition of the model asks for, whatever
	// computes it: what the model FLOPs utilization counts (Chowdhery et al. 2022).
	Model float64
	// Bytes is what has to cross the memory: each input read once, each output written
	// once.
	Bytes float64
}

// Cost returns the work of an instruction.
func (in *Instr) Cost() Cost {
	var c Cost
	info := &Kinds[in.Kind]
	if info.Cost != nil {
		c = info.Cost(in)
	}
	for i, v := range in.In {
		if v != nil {
			c.Bytes += min(float64(v.Bytes()), in.reads(i))
		}
	}
	for _, v := range in.Out {
		if v != nil {
			c.Bytes += float64(v.Bytes())
		}
	}
	if info.Update != NoUpdate { // reads what it writes
		for _, i := range info.Mutates {
			if v := in.In[i]; v != nil && (i == 0 || i != info.Copy) {
				c.Bytes += float64(v.Bytes())
			}
		}
	}
	return c
}

// reads is the most that an instruction reads of input i, where that may be less than
// the whole: rows of a table, a part of a tensor.
func (in *Instr) reads(i int) float64 {
	switch {
	case in.Kind == Embedding && i == 1:
		return float64(in.In[1].DType.Bytes(in.Out[0].Shape))
	case in.Kind == Slice:
		return float64(in.Out[0].Bytes())
	}
	return math.Inf(1)
}

// ModelFLOPs adds up Cost.Model over a program. Of a training program before the
// passes of package plan, which may compute twice, it is the arithmetic of a step.
func (p *Program) ModelFLOPs() float64 {
	var sum float64
	for _, in := range p.Instrs {
		sum += in.Cost().Model
	}
	return sum
}

// matMulCost is m·n·k multiplications a matrix of the batch.
func matMulCost(in *Instr) Cost {
	a := in.In[0].Shape
	inner := a[len(a)-1]
	if in.Attrs.(MatMulAttrs).TransA {
		inner = a[len(a)-2]
	}
	flops := 2 * float64(in.Out[0].Shape.Size()) * float64(inner)
	return Cost{Products: flops, Model: flops}
}

// convCost is that of the product of the patches that y's pixels see with the weights.
func convCost(in *Instr) Cost { return convProduct(in.Out[0].Shape.Size(), in.In[1].Shape) }

func convInputCost(in *Instr) Cost { return convProduct(in.In[0].Shape.Size(), in.In[1].Shape) }

func convWeightsCost(in *Instr) Cost { return convProduct(in.In[1].Shape.Size(), in.Out[0].Shape) }

// convProduct takes the size of y and the shape of w.
func convProduct(results int, w Shape) Cost {
	flops := 2 * float64(results) * float64(w.Size()/w[0])
	return Cost{Products: flops, Model: flops}
}

// linearCrossEntropyCost is a product for the logits and one for each gradient.
func linearCrossEntropyCost(in *Instr) Cost {
	products := 1.0
	for _, gradient := range in.Out[2:4] {
		if gradient != nil {
			products++
		}
	}
	flops := products * 2 * float64(in.In[0].Shape.Size()) * float64(in.In[1].Shape[0])
	return Cost{Products: flops, Model: flops}
}

// linearLogProbCost is a product for the logits.
func linearLogProbCost(in *Instr) Cost {
	flops := 2 * float64(in.In[0].Shape.Size()) * float64(in.In[1].Shape[0])
	return Cost{Products: flops, Model: flops}
}

// linearLogProbBackwardCost is a product for each gradient, and the logits once more.
func linearLogProbBackwardCost(in *Instr) Cost {
	c := linearLogProbCost(in)
	logits := c.Products
	c.Model = 0
	for _, gradient := range in.Out {
		if gradient != nil {
			c.Products += logits
			c.Model += logits
		}
	}
	return c
}

// attentionCost is a product for the scores and one with the values.
func attentionCost(in *Instr) Cost {
	product, keys := attentionProduct(in)
	return Cost{Attention: 2 * product, Keys: keys, Model: 2 * product}
}

// attentionBackwardCost is four products, and the scores once more.
func attentionBackwardCost(in *Instr) Cost {
	product, keys := attentionProduct(in)
	return Cost{Attention: 5 * product, Keys: keys, Model: 4 * product}
}

// relativeCost is a product for the scores, one for those of distances and one with the
// values.
func relativeCost(in *Instr) Cost {
	product, keys := relativeProduct(in, in.In[1].Shape[0])
	return Cost{Attention: 3 * product, Keys: keys, Model: 3 * product}
}

// relativeBackwardCost is six products, and the scores once more.
func relativeBackwardCost(in *Instr) Cost {
	product, keys := relativeProduct(in, in.In[1].Shape[0])
	return Cost{Attention: 8 * product, Keys: keys, Model: 6 * product}
}

// relativeCachedCost takes the caches for full.
func relativeCachedCost(in *Instr) Cost {
	product, keys := relativeProduct(in, in.In[5].Shape[0])
	return Cost{Attention: 3 * product, Keys: keys, Model: 3 * product}
}

// relativeProduct is attentionProduct of a RelativeAttention with rows of keys.
func relativeProduct(in *Instr, rows int) (flops float64, keys int) {
	a := in.Attrs.(RelativeAttrs)
	keys = rows / a.Batch
	band := AttentionAttrs{Window: a.Window, Causal: true}
	return 2 * float64(a.Batch*a.Heads*a.HeadDim) * float64(band.Pairs(in.In[0].Shape[0]/a.Batch, keys)), keys
}

// attentionProduct returns the operations of one product over the visible pairs of
// tokens, and the number of keys of a sequence.
func attentionProduct(in *Instr) (flops float64, keys int) {
	a := in.Attrs.(AttentionAttrs)
	queries := in.In[0].Shape[0] / a.Batch
	keys = queries
	if !a.Packed {
		keys = in.In[1].Shape[0] / a.Batch
	}
	return 2 * float64(a.Batch*a.Heads*a.HeadDim) * float64(a.Pairs(queries, keys)), keys
}

// Pairs counts the keys that each of the queries sees, over all of them.
func (a AttentionAttrs) Pairs(queries, keys int) int {
	if a.Sparse.Pattern != Dense {
		return a.sparsePairs(queries, keys)
	}
	sum := 0
	for t := range queries {
		lo, hi, at := 0, keys, t+keys-queries
		if a.Window > 0 {
			lo, hi = max(0, at-a.Window+1), min(keys, at+a.Window)
		}
		if a.Causal {
			hi = min(hi, at+1)
		}
		sum += max(0, hi-lo)
	}
	return sum
}

// sparsePairs is Pairs by blocks: a pair of blocks that see each other is seen whole, but
// for the causal mask inside.
func (a AttentionAttrs) sparsePairs(queries, keys int) int {
	sum, block, shift := 0, a.Sparse.Block, keys-queries
	for first := max(0, shift); first < keys; {
		i := first / block
		end := min((i+1)*block, keys) // of the positions of queries
		for j := 0; j*block < keys; j++ {
			lo, hi := j*block, min((j+1)*block, keys)
			switch {
			case !a.Sparse.Sees(i, j) || a.Causal && lo >= end:
			case !a.Causal || hi <= first+1:
				sum += (end - first) * (hi - lo)
			default:
				for at := first; at < end; at++ {
					sum += max(0, min(hi, at+1)-lo)
				}
			}
		}
		first = end
	}
	return sum
}

// attentionCachedCost takes the caches for full.
func attentionCachedCost(in *Instr) Cost {
	a := in.Attrs.(AttentionAttrs)
	keys := in.In[3].Shape[0] / a.Batch
	flops := 4 * float64(a.Batch*a.Heads*a.HeadDim) * float64(a.Pairs(in.In[0].Shape[0]/a.Batch, keys))
	return Cost{Attention: flops, Keys: keys, Model: flops}
}

// recurrentCost is the products of the state with w, and with the projection.
func recurrentCost(in *Instr) Cost { return recurrentProducts(in.In[0], in.In[1], in.In[3]) }

// recurrentBackwardCost is as many products, of gradients; those of the weights are
// instructions of their own.
func recurrentBackwardCost(in *Instr) Cost { return recurrentProducts(in.In[5], in.In[0], in.In[1]) }

func recurrentProducts(x, w, wr *Value) Cost {
	size := w.Shape.Size()
	if wr != nil {
		size += wr.Shape.Size()
	}
	flops := 2 * float64(x.Shape.Rows()) * float64(size)
	return Cost{Products: flops, Model: flops}
}

// muonCost is three products an iteration: X·Xᵀ, its square, and that with X.
func muonCost(in *Instr) Cost {
	rows, cols := in.In[0].Shape.Rows(), in.In[0].Shape.Cols()
	side, long := float64(min(rows, cols)), float64(max(rows, cols))
	return Cost{Products: float64(in.Attrs.(MuonAttrs).NewtonSchulz) * 2 * side * side * (2*long + side)}
}

// inverseNormsCost is a product of the rank for each weight, whatever the number of tokens:
// it is no part of Model.
func inverseNormsCost(in *Instr) Cost {
	return Cost{Products: 2 * float64(in.In[1].Shape.Size()) * float64(in.In[0].Shape[0])}
}
