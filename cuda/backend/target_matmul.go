package backend

import "example.com/gotrain/autograd/ir"

// scratchMatMul is for the sum of an operand's rows where cuBLASLt does not add
// them up.
func scratchMatMul(in *ir.Instr) int64 {
	if in.Out[2] == nil {
		return 0
	}
	return scratchColumnSum(sumOf(in))
}

// summed is the input of a MatMul whose rows output sum adds up.
func summed(in *ir.Instr) int {
	if in.Attrs.(ir.MatMulAttrs).SumA {
		return 0
	}
	return 1
}

// sumOf is the ColumnSum that gives output sum of a MatMul.
func sumOf(in *ir.Instr) *ir.Instr {
	return &ir.Instr{Kind: ir.ColumnSum, In: []*ir.Value{in.In[summed(in)], nil}, Out: []*ir.Value{in.Out[2]}, Path: in.Path, Block: in.Block}
}
