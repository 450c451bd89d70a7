package backend

import (
	"slices"

	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/plan"
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
		Fuses: fuses, Workspace: workspace, StoresBF16: true, FusesSums: true, LogitElements: logitElements,
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

// inPlace refuses results over inputs that kernels read later than they write.
func inPlace(in *ir.Instr, _, x int) bool { return !slices.Contains(readsLate[in.Kind], x) }

// readsLate lists, for kinds whose kernels cannot do all that ir.Info.Overwrites
// allows, the inputs: cuBLASLt reads MatMul's pre.
var readsLate = [ir.NumKinds][]int{ir.MatMul: {4}}

// fuses tells whether consecutive instructions of a kind are one launch.
func fuses(kind ir.Kind) bool { return ir.Kinds[kind].Fuses }

// workspaces gives the bytes of scratch of each kind that needs any; a launch of
// several instructions has its own rule, or needs none.
var workspaces = [ir.NumKinds]func(in *ir.Instr) int64{
	ir.MatMul:             scratchMatMul,
	ir.EmbeddingBackward:  scratchEmbeddingBackward,
	ir.ColumnSum:          scratchColumnSum,
	ir.LayerNormBackward:  scratchNormBackward,
	ir.RMSNormBackward:    scratchNormBackward,
	ir.Attention:          scratchAttention,
	ir.AttentionBackward:  scratchAttentionBackward,
	ir.AttentionCached:    scratchAttentionCached,
	ir.Recurrent:          scratchRecurrent,
	ir.RecurrentBackward:  scratchRecurrent,
	ir.RecurrentCached:    scratchRecurrent,
	ir.CrossEntropy:       scratchCrossEntropy,
	ir.LinearCrossEntropy: scratchLinearCrossEntropy,
	ir.LinearLogProb:      scratchLogits,
	ir.MSE:                scratchMSE,
	ir.ReduceSum:          scratchReduceSum,
	ir.SumSquares:         scratchSumSquares,

	ir.GroupNormBackward:         scratchGroupNormBackward,
	ir.LinearLogProbBackward:     scratchLogits,
	ir.LinearTopLogProb:          scratchLogits,
	ir.LinearTopLogProbBackward:  scratchLogits,
	ir.RelativeAttentionBackward: scratchRelativeAttentionBackward,
}

var fusedWorkspaces = [ir.NumKinds]func(launch []*ir.Instr) int64{ir.Muon: scratchMuon}

func workspace(launch []*ir.Instr) int64 {
	kind := launch[0].Kind
	if f := fusedWorkspaces[kind]; f != nil {
		return f(launch)
	}
	if decodes(launch[0]) {
		return decodedBytes(launch[0])
	}
	if f := workspaces[kind]; f != nil {
		return f(launch[0])
	}
	return 0
}
