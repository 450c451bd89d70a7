package plan

import (
	"math"

	"example.com/gotrain/autograd/ir"
)

// fold removes instructions that do nothing and joins constants:
//
//	ScaleBy(x, const c), Mul(x, const c)   → Scale(x)·c
//	Scale(Scale(x)·a)·b                    → Scale(x)·(a·b)
//	Scale(x)·1, Add(x, const 0), Dropout(x) with P = 0, ReduceSum over no
//	  axis, Broadcast, Reshape to x's own shape, the identical Transpose → x
//	Reshape(Reshape(x)), Transpose(Transpose(x)) → one of them
//	MatMul(Transpose(a), b) → MatMul{TransA}, when only the last two axes swap
//
// A program output and a new state content are never replaced by another
// value, nor is a copy of state by the state itself when the program writes it.
func fold(p *ir.Program, _ Options) {
	f := &folder{def: map[*ir.Value]*ir.Instr{}, same: map[*ir.Value]*ir.Value{}, written: map[*ir.Value]bool{}}
	for _, in := range p.Instrs {
		in.Writes(func(v *ir.Value) {
			if r := v.Root(); r.Class == ir.State {
				f.written[r] = true
			}
		})
	}
	isOutput := outputs(p)
	for i, in := range p.Instrs {
		for j, v := range in.In {
			if x := f.same[v]; x != nil {
				in.In[j] = x
			}
		}
		f.rewrite(in)
		if x := f.identity(in); x != nil {
			if y := in.Out[0]; y.Class == ir.Temp && !isOutput[y.ID] && !f.written[x.Root()] && y.DType == x.DType && y.Shape.Equal(x.Shape) {
				f.same[y] = x
				p.Instrs[i] = nil
				continue
			}
		}
		for _, v := range in.Out {
			f.def[v] = in
		}
	}
}

type folder struct {
	def     map[*ir.Value]*ir.Instr
	same    map[*ir.Value]*ir.Value // removed value → the one it equals
	written map[*ir.Value]bool      // state that the program changes
}

// producer returns the instruction that defines v if it is of that kind and
// may be looked through: its input still has the content that it read.
func (f *folder) producer(v *ir.Value, kind ir.Kind) *ir.Instr {
	in := f.def[v]
	if in == nil || in.Kind != kind || v.Class == ir.State || f.written[in.In[0].Root()] {
		return nil
	}
	return in
}

// rewrite replaces in by a simpler instruction with the same output.
func (f *folder) rewrite(in *ir.Instr) {
	switch in.Kind {
	case ir.ScaleBy:
		if s := in.In[1]; s.Class == ir.Const {
			in.Kind, in.In, in.Attrs = ir.Scale, in.In[:1], ir.ScaleAttrs{Alpha: s.Const}
		}
	case ir.Mul:
		for i, c := range in.In {
			if x := in.In[1-i]; c.Class == ir.Const && x.Shape.Equal(in.Out[0].Shape) {
				in.Kind, in.In, in.Attrs = ir.Scale, []*ir.Value{x}, ir.ScaleAttrs{Alpha: c.Const}
				break
			}
		}
	}
	switch in.Kind {
	case ir.Scale:
		if d := f.producer(in.In[0], ir.Scale); d != nil {
			if a := alpha(d) * alpha(in); a != 0 && !math.IsInf(float64(a), 0) {
				in.In[0], in.Attrs = d.In[0], ir.ScaleAttrs{Alpha: a}
			}
		}
	case ir.Reshape:
		if d := f.producer(in.In[0], ir.Reshape); d != nil {
			in.In[0] = d.In[0]
		}
	case ir.Transpose:
		if d := f.producer(in.In[0], ir.Transpose); d != nil {
			first, second := d.Attrs.(ir.TransposeAttrs).Perm, in.Attrs.(ir.TransposeAttrs).Perm
			var both ir.TransposeAttrs
			for i := range in.Out[0].Shape {
				both.Perm[i] = first[second[i]]
			}
			in.In[0], in.Attrs = d.In[0], both
		}
	case ir.MatMul:
		a := in.Attrs.(ir.MatMulAttrs)
		for i, trans := range []*bool{&a.TransA, &a.TransB} {
			if d := f.producer(in.In[i], ir.Transpose); d != nil && swapsLast(d) {
				in.In[i], *trans = d.In[0], !*trans
			}
		}
		in.Attrs = a
	}
}

// alpha is the factor of a Scale or Broadcast.
func alpha(in *ir.Instr) float32 { return in.Attrs.(ir.ScaleAttrs).Alpha }

// swapsLast tells whether a Transpose swaps the last two axes and no others.
func swapsLast(in *ir.Instr) bool {
	n, perm := len(in.Out[0].Shape), in.Attrs.(ir.TransposeAttrs).Perm
	if n < 2 {
		return false
	}
	for i := range n - 2 {
		if int(perm[i]) != i {
			return false
		}
	}
	return int(perm[n-2]) == n-1 && int(perm[n-1]) == n-2
}

// identity returns the input that in's output equals, or nil.
func (f *folder) identity(in *ir.Instr) *ir.Value {
	switch in.Kind {
	case ir.Scale, ir.Broadcast:
		if alpha(in) == 1 {
			return in.In[0]
		}
	case ir.ReduceSum:
		if in.Attrs == (ir.ReduceAttrs{Alpha: 1}) {
			return in.In[0]
		}
	case ir.Add:
		for i, c := range in.In {
			if c.Class == ir.Const && c.Const == 0 {
				return in.In[1-i]
			}
		}
	case ir.Dropout:
		if in.Attrs.(ir.DropoutAttrs).P == 0 {
			return in.In[0]
		}
	case ir.Reshape:
		return in.In[0]
	case ir.Transpose:
		for i := range in.Out[0].Shape {
			if int(in.Attrs.(ir.TransposeAttrs).Perm[i]) != i {
				return nil
			}
		}
		return in.In[0]
	}
	return nil
}
