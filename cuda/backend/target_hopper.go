package backend

import (
	"fmt"

	"example.com/gotrain/autograd/ir"
)

// AttentionMMA and AttentionHopper are the kernels of attention that UseAttention knows:
// those on mma.sync and without tensor cores, which run everywhere, and those on wgmma
// and TMA for chips of compute capability 9.0.
const (
	AttentionMMA    = "mma"
	AttentionHopper = "hopper"
)

// The tile of the kernels for Hopper, rows and columns, and the threads of a block:
// attention_hopper.cu.
const (
	hopperRows    = 128
	hopperColumns = 128
	hopperThreads = 3 * 128
	hopperStages  = 2       // of each ring of the forward pass
	hopperPairs   = 4       // of the ring of the backward passes
	hopperAlign   = 1 << 10 // panels of shared memory start at multiples
)

// hopperChip tells whether a chip has the instructions: sm_90a's are of no other.
func hopperChip(major, minor int) bool { return major == 9 && minor == 0 }

// checkHopper refuses what the kernels for Hopper do not take. Decoding has kernels of its
// own.
func checkHopper(in *ir.Instr, perBlock int) error {
	if !onHopper(in.Kind) {
		return nil
	}
	a := attentionOf(in)
	if !a.tensorCores() || a.view() != "general" || a.HeadDim != 64 && a.HeadDim != 128 {
		pattern := "no pattern"
		switch {
		case a.Drop.P > 0:
			pattern = "dropped weights"
		case a.bias() != nil:
			pattern = "a bias by distance"
		case a.Sparse.Pattern != ir.Dense:
			pattern = "a pattern"
		}
		return fmt.Errorf("cuda: cuda.attention: hopper takes bfloat16, heads of 64 or 128, no pattern of blocks and no dropout of weights, but %s at %q has %s, %s and heads of %d: leave the key out",
			in.Kind, in.Path, pattern, a.dtype(), a.HeadDim)
	}
	for _, k := range a.hopperKernels() {
		if !k.fits(perBlock) {
			return fmt.Errorf("cuda: %s at %q: %s takes %d bytes of shared memory, a block of this card has %d", in.Kind, in.Path, k.name, k.shared, perBlock)
		}
	}
	return nil
}

// onHopper tells whether cuda.attention is for instructions of this kind.
func onHopper(kind ir.Kind) bool { return kind == ir.Attention || kind == ir.AttentionBackward }

// hopperKernels are attention_hopper.cu's, a tile of queries and rings of keys and of
// values, or the two passes of attention_hopper_backward.cu, that of keys first: a pair of
// tiles of rows, and a ring of pairs, in the pass of keys with statistics.
func (a attentionShape) hopperKernels() []attentionKernel {
	if a.instr.Kind == ir.Attention {
		return []attentionKernel{{fmt.Sprintf("attention_hopper_d%d_bf16", a.HeadDim), hopperRows, hopperThreads,
			2*a.HeadDim*(hopperRows+2*hopperStages*hopperColumns) + hopperAlign}}
	}
	pass := func(name string, stats int) attentionKernel {
		return attentionKernel{fmt.Sprintf("attention_hopper_%s_d%d_bf16", name, a.HeadDim), hopperRows, hopperThreads,
			2*a.HeadDim*2*hopperRows + hopperPairs*(2*a.HeadDim*2*boundsTokens+stats) + hopperAlign}
	}
	return []attentionKernel{pass("keys", hopperAlign), pass("queries", 0)}
}
