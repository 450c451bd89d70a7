package backend

import (
	"fmt"
	"slices"

	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/plan"
	"example.com/gotrain/cuda/kernels"
)

// attentionKernel is a kernel of attention with its block: rows is the tile that a
// block owns, shared the bytes of dynamic shared memory.
type attentionKernel struct {
	name                  string
	rows, threads, shared int
}

// simtTile is that of the kernels without,
// rows and columns, and widestHead the largest head that they hold: attention_mma.cuh,
// attention_simt.cuh.
const (
	simtTile   = 32
	widestHead = 256
	tokenHeads = 8 // of a block of attention_cached_token
)

// simtBytes is the shared memory of tiles whose elements have so many bytes together,
// and of float32 scores.
func simtBytes(hd, elements, scores int) int {
	stride := (divideUp(hd, 4) | 1) * 4
	return elements*simtTile*stride + 4*scores*simtTile*(simtTile+1)
}

// tensorCores says whether the kernels on tensor cores take the instruction.
// They compare unscaled scores, so the scale has to be positive.
func (a attentionShape) tensorCores() bool {
	of := func(f flash) bool { return a.takes(f.view, f.head) }
	return a.dtype() == ir.BF16 && slices.ContainsFunc(flashes, of) && a.Scale > 0
}

// takes says whether kernels on tensor cores of a view and a head size are for the
// instruction: those that drop weights know neither a bias nor patterns, those with a bias
// no patterns, and they scale it with the scores.
func (a attentionShape) takes(view string, head int) bool {
	if head != a.HeadDim || view != a.view() {
		return false
	}
	switch dense := a.Sparse.Pattern == ir.Dense; view {
	case "dropped":
		return dense && a.bias() == nil
	case "biased":
		return dense && a.Scale > 0
	}
	return true
}

func (a attentionShape) dtype() ir.DType { return a.instr.Elem(ir.Elem) }

// flash is a kernel of attention.cu, or of attention_sparse_flash.cu and its kin by their views.
// Those of one head size and view give the same bits.
type flash struct {
	view                         string
	head, queries, keys, threads int // queries and keys of the tiles
	suffix                       string
}

// flashes lists those of a head, first what is taken untimed.
var flashes = []flash{
	{"general", 32, 128, 64, 128, ""},
	{"general", 64, 128, 64, 128, ""},
	{"general", 64, 64, 64, 128, "_rows64"},
	{"general", 64, 256, 64, 256, "_rows256"},
	{"general", 96, 128, 64, 128, ""},
	{"general", 128, 128, 64, 128, ""},
	{"general", 128, 64, 64, 128, "_rows64"},
	{"general", 128, 128, 64, 256, "_warps8"},
	{"general", 256, 64, 32, 128, ""},
	{"sparse", 32, 64, 64, 128, "_sparse"},
	{"sparse", 64, 64, 64, 128, "_sparse"},
	{"sparse", 96, 64, 64, 128, "_sparse"},
	{"sparse", 128, 64, 64, 128, "_sparse"},
	{"sparse", 256, 64, 32, 128, "_sparse"},
	{"dropped", 32, 64, 64, 128, "_dropped"},
	{"dropped", 64, 64, 64, 128, "_dropped"},
	{"dropped", 96, 64, 64, 128, "_dropped"},
	{"dropped", 128, 64, 64, 128, "_dropped"},
	{"dropped", 256, 64, 32, 128, "_dropped"},
	{"biased", 32, 64, 64, 128, "_biased"},
	{"biased", 64, 64, 64, 128, "_biased"},
	{"biased", 96, 64, 64, 128, "_biased"},
	{"biased", 128, 64, 64, 128, "_biased"},
	{"biased", 256, 64, 32, 128, "_biased"},
}

// kernel has a tile of queries and a ring of three of keys and values in shared memory.
func (f flash) kernel() attentionKernel {
	return attentionKernel{fmt.Sprintf("attention%s_d%d_bf16", f.suffix, f.head), f.queries, f.threads, 2 * f.head * (f.queries + 3*f.keys)}
}

// flashKernels are those of the head that fit into blocks of perBlock bytes.
func (a attentionShape) flashKernels(perBlock int) []attentionKernel {
	var all []attentionKernel
	for _, f := range flashes {
		if k := f.kernel(); a.takes(f.view, f.head) && k.fits(perBlock) {
			all = append(all, k)
		}
	}
	return all
}

// view is the part of a kernel's name that says whether it drops weights, takes a bias or
// patterns of blocks. Without tensor cores, the kernels that drop take all, and those that
// take a bias patterns, too.
func (a attentionShape) view() string {
	switch {
	case a.Drop.P > 0:
		return "dropped"
	case a.bias() != nil:
		return "biased"
	case a.Sparse.Pattern != ir.Dense:
		return "sparse"
	}
	return "general"
}

// bias is the input of that name, nil for none.
func (a attentionShape) bias() *ir.Value { return a.instr.In[len(a.instr.In)-1] }

// generalKernel is that of the view without tensor cores (attention_general.cu and its kin): a tile of queries, of keys
// and of values, which are float32 in caches, scores, and a factor a row.
func (a attentionShape) generalKernel() attentionKernel {
	size, name := a.dtype().Bits()/8, "attention_"+a.view()+"_"+a.dtype().String()
	elements := 3 * size
	if a.instr.Kind == ir.AttentionCached && a.dtype() != ir.F32 {
		elements, name = size+2*4, "attention_"+a.view()+"_cached_bf16"
	}
	return attentionKernel{name, simtTile, 256, simtBytes(a.HeadDim, elements, 1) + 4*simtTile}
}

// byToken says whether the kernel of one new token serves the instruction.
func (a attentionShape) byToken() bool {
	return a.instr.Kind == ir.AttentionCached && a.queries == 1 && a.view() == "general"
}

// tokenKernel is attention_cached.cu's.
func (a attentionShape) tokenKernel() attentionKernel {
	padded := divideUp(a.HeadDim, 4) * 4
	groups := 256 / (padded / 4)
	return attentionKernel{"attention_cached_token_" + a.dtype().String(), 1, 256, 4 * tokenHeads * (padded + cachedKeys + groups*padded)}
}

// gradient is a kernel of attention_backward.cu, or of attention_backward_sparse_flash.cu
// and its kin by their views: one pass over tiles of keys. A tile of another size gives the
// same bits.
type gradient struct {
	view                         string
	head, keys, queries, threads int // keys and queries of the tiles
	split                        int // warps that share keys
	suffix                       string
}

// gradients lists those of a head, first what is taken untimed.
var gradients = []gradient{
	{"general", 32, 128, 64, 128, 1, ""},
	{"general", 64, 128, 64, 128, 1, ""},
	{"general", 64, 64, 64, 128, 1, "_keys64"},
	{"general", 96, 64, 64, 128, 1, ""},
	{"general", 128, 128, 64, 256, 1, ""},
	{"general", 128, 64, 32, 128, 1, "_keys64"},
	{"general", 256, 64, 32, 256, 2, ""},
	{"sparse", 32, 64, 64, 128, 1, "_sparse"},
	{"sparse", 64, 64, 64, 128, 1, "_sparse"},
	{"sparse", 96, 64, 64, 128, 1, "_sparse"},
	{"sparse", 128, 64, 32, 128, 1, "_sparse"},
	{"sparse", 256, 64, 32, 256, 2, "_sparse"},
	{"dropped", 32, 64, 64, 128, 1, "_dropped"},
	{"dropped", 64, 64, 64, 128, 1, "_dropped"},
	{"dropped", 96, 64, 64, 128, 1, "_dropped"},
	{"dropped", 128, 64, 32, 128, 1, "_dropped"},
	{"dropped", 256, 64, 32, 256, 2, "_dropped"},
	{"biased", 32, 64, 64, 128, 1, "_biased"},
	{"biased", 64, 64, 64, 128, 1, "_biased"},
	{"biased", 96, 64, 64, 128, 1, "_biased"},
	{"biased", 128, 64, 32, 128, 1, "_biased"},
	{"biased", 256, 64, 32, 256, 2, "_biased"},
}

// kernel has in shared memory the keys and values of its tile, two pairs of queries and
// their gradients with the statistics, and the gradients of the scores, beside which
// warps that share keys have the probabilities.
func (g gradient) kernel() attentionKernel {
	shared := 2*g.head*(2*g.keys+4*g.queries) + 2*g.keys*g.queries*g.split + 2*8*g.queries
	return attentionKernel{fmt.Sprintf("attention_backward%s_d%d_bf16", g.suffix, g.head), g.keys, g.threads, shared}
}

// gradientKernels are those of one pass that fit into blocks of perBlock bytes.
func (a attentionShape) gradientKernels(perBlock int) []attentionKernel {
	var all []attentionKernel
	for _, g := range gradients {
		if k := g.kernel(); a.dtype() == ir.BF16 && a.has(g) && k.fits(perBlock) {
			all = append(all, k)
		}
	}
	return all
}

// onePass says whether a card with large blocks has a kernel of one pass.
func (a attentionShape) onePass() bool {
	return a.dtype() == ir.BF16 && slices.ContainsFunc(gradients, a.has)
}

// has says whether a kernel is for the heads and the view.
func (a attentionShape) has(g gradient) bool { return a.takes(g.view, g.head) }

// generalGradients are the two passes of attention_backward_general.cu and its kin.
func (a attentionShape) generalGradients() (keys, queries attentionKernel) {
	elem := a.dtype()
	keys = attentionKernel{"attention_backward_" + a.view() + "_keys_" + elem.String(), simtTile, 256, simtBytes(a.HeadDim, 4*elem.Bits()/8, 2)}
	queries = keys
	queries.name = "attention_backward_" + a.view() + "_queries_" + elem.String()
	return keys, queries
}

func (k attentionKernel) fits(perBlock int) bool {
	return k.shared+kernels.Signatures[k.name].Shared <= perBlock
}

// kernels are those whose shared memory grows with the head.
func (a attentionShape) kernels(perBlock int) []attentionKernel {
	switch {
	case a.instr.Kind == ir.AttentionBackward:
		if one := a.gradientKernels(perBlock); len(one) > 0 {
			return one
		}
		keys, queries := a.generalGradients()
		return []attentionKernel{keys, queries}
	case a.byToken():
		return []attentionKernel{a.tokenKernel()}
	case a.instr.Kind == ir.Attention && a.tensorCores():
		return a.flashKernels(perBlock)
	}
	return []attentionKernel{a.generalKernel()}
}

// checkAttention refuses an attention instruction whose heads no kernel holds on blocks
// of perBlock bytes.
func checkAttention(in *ir.Instr, perBlock int) error {
	a := attentionOf(in)
	if a.HeadDim > widestHead {
		return fmt.Errorf("cuda: %s at %q: the head size is %d, the kernels go up to %d", in.Kind, in.Path, a.HeadDim, widestHead)
	}
	for _, k := range a.kernels(perBlock) {
		if !k.fits(perBlock) {
			cure := "use more heads, which are smaller"
			if a.dtype() == ir.F32 {
				cure += ", or precision: bfloat16"
			}
			return fmt.Errorf("cuda: %s at %q: heads of %d in %s take %d bytes of shared memory, a block of this card has %d: %s",
				in.Kind, in.Path, a.HeadDim, a.dtype(), k.shared+kernels.Signatures[k.name].Shared, perBlock, cure)
		}
	}
	return nil
}

// Check tells whether the kernels of a plan run on a card, by the first instruction that
// does not. Those of other kinds than attention run on every card.
// Attention is by the kernels of that name, AttentionMMA or AttentionHopper.
func (c Card) Check(p *plan.Plan, attention string) error {
	if err := c.attention(attention); err != nil {
		return err
	}
	for _, in := range p.Program.Instrs {
		switch in.Kind {
		case ir.Attention, ir.AttentionBackward, ir.AttentionCached:
			if err := checkAttention(in, c.Shared); err != nil {
				return err
			}
			if attention != AttentionHopper {
				continue
			}
			if err := checkHopper(in, c.Shared); err != nil {
				return err
			}
		case ir.RelativeAttention, ir.RelativeAttentionBackward, ir.RelativeAttentionCached:
			if err := checkRelative(in); err != nil {
				return err
			}
		}
	}
	return nil
}
