package backend

import (
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/plan"
)

// decodes tells whether in reads its weight, input 1, from the workspace, into which it is
// decoded first: one that lies in memory as another type than its products take.
func decodes(in *ir.Instr) bool {
	if len(in.In) < 2 || in.In[1] == nil || ir.Kinds[in.Kind].Input(1).Type != ir.Weight {
		return false
	}
	return in.In[1].Stored() && in.In[1].DType != in.Elem(ir.Elem)
}

// decodedAt is where the decoded weight lies in the workspace, behind what in needs else.
func decodedAt(in *ir.Instr) int64 {
	var n int64
	if f := workspaces[in.Kind]; f != nil {
		n = f(in)
	}
	return (n + plan.Align - 1) / plan.Align * plan.Align
}

// decodedBytes is the workspace with the decoded weight.
func decodedBytes(in *ir.Instr) int64 {
	return decodedAt(in) + in.Elem(ir.Elem).Bytes(in.In[1].Shape)
}
