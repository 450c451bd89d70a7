package ir

import (
	"fmt"
	"slices"
)

// Elems calls f for each argument that has an element type (Info.ElemIn,
// ElemOut) with its group: arguments of one group have one dtype. Group 0 is
// that of the kernel; group 1 exists for MatMul only, its result with what is
// added to it.
func (in *Instr) Elems(f func(group int, v **Value)) {
	info := &Kinds[in.Kind]
	for i := range in.In {
		if in.In[i] != nil && slices.Contains(info.ElemIn, min(i, len(info.In)-1)) {
			f(in.elemGroup(i, false), &in.In[i])
		}
	}
	for i := range in.Out {
		if in.Out[i] != nil && slices.Contains(info.ElemOut, i) {
			f(in.elemGroup(i, true), &in.Out[i])
		}
	}
}

func (in *Instr) elemGroup(position int, output bool) int {
	if in.Kind == MatMul && (output || position >= 2) {
		return 1
	}
	return 0
}

// Elem returns the element type of a group of arguments, F32 when the
// instruction has none.
func (in *Instr) Elem(group int) DType {
	d := F32
	in.Elems(func(g int, v **Value) {
		if g == group {
			d = (*v).DType
		}
	})
	return d
}

// checkElems tells which argument has a dtype that its kind does not take.
func checkElems(in *Instr) error {
	elem := map[*Value]bool{}
	var err error
	in.Elems(func(group int, v **Value) {
		elem[*v] = true
		if d := (*v).DType; err == nil && (d != in.Elem(group) || !d.Float()) {
			err = fmt.Errorf("argument %d is %s beside %s", (*v).ID, d, in.Elem(group))
		}
	})
	switch in.Kind {
	case Cast:
		return err
	case ToFloat:
		if d := in.In[0].DType; err == nil && d.Float() {
			err = fmt.Errorf("argument %d is %s already", in.In[0].ID, d)
		}
		return err
	}
	for _, vs := range [][]*Value{in.In, in.Out} {
		for _, v := range vs {
			if v != nil && (v.DType == BF16 || v.DType.Packed()) && !elem[v] && err == nil {
				err = fmt.Errorf("argument %d is %s where the kind takes f32", v.ID, v.DType)
			}
		}
	}
	return err
}
