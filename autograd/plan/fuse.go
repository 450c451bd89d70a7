package plan

import (
	"slices"

	"example.com/gotrain/autograd/ir"
)

// Positions of MatMul's optional arguments in ir.Info.
const (
	matMulBias   = 2
	matMulAddend = 3
	matMulPre    = 4 // input
	matMulPreOut = 1 // output
	matMulSum    = 2 // output
)

// plain tells whether a MatMul puts out its product (with bias and addend)
// as it is.
func plain(in *ir.Instr) bool {
	a := in.Attrs.(ir.MatMulAttrs)
	return a.Act == ir.NoAct && !a.ActBackward
}

// applies gives a MatMul the activation of act, or the derivative of it.
func applies(mm, act *ir.Instr, backward bool) {
	a := mm.Attrs.(ir.MatMulAttrs)
	a.Act, a.ActBackward = act.Attrs.(ir.ActivationAttrs).Act, backward
	mm.Attrs = a
}

// fuseActivation turns t = MatMul(a, b, …), y = Activation(t) into
//
//	y, t = MatMul{Act}(a, b, …)
//
// where t stays as the output pre only if something else reads it, as
// ActivationBackward does.
func fuseActivation(p *ir.Program, _ Options) {
	f := newFlow(p)
	for j, act := range p.Instrs {
		if act == nil || act.Kind != ir.Activation || act.Out[0].Class != ir.Temp {
			continue
		}
		t := act.In[0]
		i := f.def[t.ID]
		if i < 0 || t.Class != ir.Temp || p.Instrs[i].Kind != ir.MatMul || !plain(p.Instrs[i]) {
			continue
		}
		needed := !f.only(t, j)
		f.take(j)
		mm := f.take(i)
		applies(mm, act, false)
		mm.Out[0], mm.Out[matMulPreOut] = act.Out[0], nil
		if needed {
			mm.Out[matMulPreOut] = t
		}
		f.put(i, mm)
	}
}

// fuseActivationBackward turns dy = MatMul(a, b), dx = ActivationBackward(pre, dy)
// into dx = MatMul{Act, ActBackward}(a, b, pre), when nothing else reads dy and
// the product has no bias, addend or activation.
func fuseActivationBackward(p *ir.Program, _ Options) {
	f := newFlow(p)
	for j, act := range p.Instrs {
		if act == nil || act.Kind != ir.ActivationBackward {
			continue
		}
		pre, dy := act.In[0], act.In[1]
		i := f.def[dy.ID]
		if i < 0 || pre == dy || !f.only(dy, j) || p.Instrs[i].Kind != ir.MatMul {
			continue
		}
		mm := p.Instrs[i]
		if !plain(mm) || mm.In[matMulBias] != nil || mm.In[matMulAddend] != nil {
			continue
		}
		at := f.place(i, j, dy)
		if at < 0 {
			continue
		}
		f.take(j)
		f.take(i)
		applies(mm, act, true)
		mm.In[matMulPre], mm.Out[0] = pre, act.Out[0]
		f.put(at, mm)
	}
}

// fuseBiasGradient turns dw = MatMul{TransA}(x, dy), db = ColumnSum(dy) into
// dw, db = MatMul(x, dy), so that dy is read once; likewise where dy is a.
func fuseBiasGradient(p *ir.Program, _ Options) {
	f := newFlow(p)
	for j, sum := range p.Instrs {
		if sum == nil || sum.Kind != ir.ColumnSum || sum.In[1] != nil || sum.Out[0].Class != ir.Temp {
			continue
		}
		for _, i := range f.uses[sum.In[0].ID] {
			mm := p.Instrs[i]
			if mm.Kind != ir.MatMul || !f.takesSum(mm, i, sum) {
				continue
			}
			f.take(j)
			f.take(i)
			a := mm.Attrs.(ir.MatMulAttrs)
			a.SumA = mm.In[0] == sum.In[0]
			mm.Out[matMulSum], mm.Attrs = sum.Out[0], a
			f.put(i, mm)
			break
		}
	}
}

// fuseSums lets the instruction that writes a gradient sum its rows (ir.Info.Sums) in the
// place of a ColumnSum or a MatMul, which would read it for that.
func fuseSums(p *ir.Program, _ Options) {
	f := newFlow(p)
	for i, in := range p.Instrs {
		if in == nil {
			continue
		}
		for _, pair := range ir.Kinds[in.Kind].Sums {
			sum, x := pair[0], in.Out[pair[1]]
			if x == nil || in.Out[sum] != nil {
				continue
			}
			if total := f.takeSum(x); total != nil {
				f.take(i)
				in.Out[sum] = total
				f.put(i, in)
			}
		}
	}
}

// takeSum takes the sum of the rows of x from an instruction that has it, and returns it;
// nil where none has.
func (f *flow) takeSum(x *ir.Value) *ir.Value {
	for _, j := range f.uses[x.ID] {
		switch in := f.p.Instrs[j]; in.Kind {
		case ir.ColumnSum:
			if in.In[1] == nil && in.Out[0].Class == ir.Temp {
				return f.take(j).Out[0]
			}
		case ir.MatMul:
			a := in.Attrs.(ir.MatMulAttrs)
			total := in.Out[matMulSum]
			if total == nil || a.SumA != (in.In[0] == x) {
				continue
			}
			f.take(j)
			a.SumA, in.Out[matMulSum] = false, nil
			in.Attrs = a
			f.put(j, in)
			return total
		}
	}
	return nil
}

// takesSum tells whether the product at i can compute sum too: it has the
// operand as it is summed, and nothing before it reads the result.
func (f *flow) takesSum(mm *ir.Instr, i int, sum *ir.Instr) bool {
	x, a := sum.In[0], mm.Attrs.(ir.MatMulAttrs)
	if mm.Out[matMulSum] != nil || !plain(mm) || !a.TransA || a.TransB || len(x.Shape) != 2 || mm.In[0] == mm.In[1] {
		return false
	}
	return !slices.ContainsFunc(f.uses[sum.Out[0].ID], func(pos int) bool { return pos < i })
}
