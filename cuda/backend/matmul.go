//go:build gpu

package backend

import (
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/cuda"
)

// productOf describes the product of in without an epilogue.
func productOf(in *ir.Instr) cuda.Product {
	y, a, attrs := in.Out[0].Shape, in.In[0].Shape, in.Attrs.(ir.MatMulAttrs)
	p := cuda.Product{
		Batch: y[:len(y)-2].Size(), M: y[len(y)-2], N: y[len(y)-1], K: a[len(a)-1],
		TransA: attrs.TransA, TransB: attrs.TransB, AB: dtype(in.Elem(ir.Elem)), D: dtype(in.Elem(ir.Result)), TF32: attrs.Compute == ir.TF32,
	}
	if attrs.TransA {
		p.K = a[len(a)-2]
	}
	if in.In[3] != nil {
		p.Beta = 1
	}
	return p
}

// fused returns the epilogue that computes all of in behind its product, and
// whether cuBLASLt has one: of the activations it knows GELU's approximation.
func fused(in *ir.Instr) (cuda.Epilogue, bool) {
	bias, pre, a := in.In[2] != nil, in.Out[1] != nil, in.Attrs.(ir.MatMulAttrs)
	switch {
	case in.Out[2] != nil && in.Elem(ir.Result) == ir.BF16:
		return cuda.Plain, false // it would round the sums
	case in.Out[2] != nil && a.SumA:
		return cuda.BiasGradientA, true
	case in.Out[2] != nil:
		return cuda.BiasGradientB, true
	case a.Act == ir.NoAct && bias:
		return cuda.Bias, true
	case a.Act == ir.NoAct:
		return cuda.Plain, true
	case a.Act != ir.GELUTanh:
		return cuda.Plain, false
	case a.ActBackward:
		return cuda.DGELU, true
	case bias && pre:
		return cuda.GELUAuxBias, true
	case bias:
		return cuda.GELUBias, true
	case pre:
		return cuda.GELUAux, true
	}
	return cuda.GELU, true
}

// bindMatMul lets cuBLASLt do all of the instruction, or the product with bias and addend
// with the rest in kernels behind it. Where sums of an operand's rows are part of it, the
// kernels come first: cuBLASLt 13.4 has bfloat16 products with sums for sm_80 alone, slower
// on later chips than a product and a kernel by more than the sums take.
func bindMatMul(c *call) func() { return c.decoded(bindProduct(c)) }

func bindProduct(c *call) func() {
	p := productOf(c.Instr)
	separate := way{"separate", func() (func(), error) { return c.productThenRest(p) }}
	epilogue, ok := fused(c.Instr)
	if !ok {
		return c.only(separate)
	}
	whole := p
	whole.Epilogue = epilogue
	fused := way{"fused", func() (func(), error) {
		bias, aux := c.in(2), c.out(1)
		if c.Out[2] != nil {
			bias = c.out(2)
		}
		if c.Attrs.(ir.MatMulAttrs).ActBackward {
			aux = c.in(4)
		}
		return c.product(whole, c.in(0), c.weight(), c.in(3), c.out(0), bias, aux)
	}}
	switch epilogue {
	case cuda.Plain, cuda.Bias:
		return c.only(fused)
	case cuda.BiasGradientA, cuda.BiasGradientB:
		return c.choose("sums beside "+productID(whole), separate, fused)
	}
	return c.choose("activation behind "+productID(whole), fused, separate)
}

// only binds what there is one way for.
func (c *call) only(w way) func() {
	launch, err := w.bind()
	c.fail(err)
	return launch
}

// productThenRest computes the activation, or the sum of an operand's rows, in
// kernels behind the product.
func (c *call) productThenRest(p cuda.Product) (func(), error) {
	p.Epilogue = cuda.Plain
	if c.In[2] != nil {
		p.Epilogue = cuda.Bias
	}
	y := c.out(0)
	product := y // where the argument of the activation goes
	if pre := c.out(1); pre != 0 {
		product = pre
	}
	multiply, err := c.product(p, c.in(0), c.weight(), c.in(3), product, c.in(2), 0)
	if err != nil {
		return nil, err
	}
	if c.Out[2] != nil {
		return sequence(multiply, c.sumOperand()), nil
	}
	attrs, elements, suffix := c.Attrs.(ir.MatMulAttrs), int64(c.Out[0].Shape.Size()), "_"+c.Elem(ir.Result).String()
	act := int32(attrs.Act)
	if attrs.ActBackward {
		return sequence(multiply, c.launch("activation_backward"+suffix, elementGrid(elements), elementBlock, 0, c.in(4), y, y, elements, act)), nil
	}
	return sequence(multiply, c.launch("activation"+suffix, elementGrid(elements), elementBlock, 0, product, y, elements, act)), nil
}

// sumOperand adds up the rows of an operand for output sum.
func (c *call) sumOperand() func() {
	return c.columnSum(sumOf(c.Instr), c.args.In[summed(c.Instr)], c.args.Out[2])
}
