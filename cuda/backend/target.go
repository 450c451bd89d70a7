package backend

import (
	"gotrain/autograd/ir"
	"gotrain/autograd/plan"
)

// blasWorkspace is the scratch memory of cuBLASLt: what NVIDIA advises for
// Hopper.
const blasWorkspace = 32 << 20

// logitElements bounds the logits that exist at a time: 512 MiB in bfloat16,
// chunks of 5336 rows for GPT-2's vocabulary.
const logitElements = 256 << 20

// Target describes the CUDA back end to the planner. Workspaces depend on the
// instruction alone, never on the card, so that results do not either.
func Target() plan.Target {
	return plan.Target{
		Groups: groups, Workspace: workspace, StoresBF16: true, FusesSums: true, LogitElements: logitElements,
		InPlace: inPlace, Reserved: blasWorkspace + stagingSlots*stagingBytes + faultBytes,
	}
}

// Slots of the copies between host and device. Two in flight keep the bus busy;
// the inputs of one micro-batch fit without a wait.
const (
	stagingSlots = 8
	stagingBytes = 1 << 20
)

// faultBytes is the device memory of the first fault of a kernel: code, row,
// value.
const faultBytes = 256

// inPlace refuses MatMul to write its result over pre, which cuBLASLt reads.
func inPlace(in *ir.Instr, out, x int) bool {
	return in.Kind != ir.MatMul || x != 4
}

// groups tells whether consecutive instructions of a kind are one launch.
func groups(kind ir.Kind) bool {
	switch kind {
	case ir.Cast, ir.AdamW, ir.SGD, ir.Lion, ir.Muon, ir.EMA:
		return true
	}
	return false
}

// workspaces gives the bytes of scratch of each kind that needs any and does not
// form groups.
var workspaces = [ir.NumKinds]func(in *ir.Instr) int64{
	ir.MatMul:             scratchMatMul,
	ir.EmbeddingBackward:  scratchEmbeddingBackward,
	ir.ColumnSum:          scratchColumnSum,
	ir.LayerNormBackward:  scratchNormBackward,
	ir.RMSNormBackward:    scratchNormBackward,
	ir.Attention:          scratchAttention,
	ir.AttentionBackward:  scratchAttentionBackward,
	ir.AttentionCached:    scratchAttentionCached,
	ir.CrossEntropy:       scratchCrossEntropy,
	ir.LinearCrossEntropy: scratchLinearCrossEntropy,
	ir.MSE:                scratchMSE,
	ir.ReduceSum:          scratchReduceSum,
	ir.SumSquares:         scratchSumSquares,
}

func workspace(group []*ir.Instr) int64 {
	kind := group[0].Kind
	if kind == ir.Muon {
		return scratchMuon(group)
	}
	if f := workspaces[kind]; f != nil {
		return f(group[0])
	}
	return 0
}
