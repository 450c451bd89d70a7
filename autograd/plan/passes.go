package plan

import (
	"fmt"
	"strings"

	"example.com/gotrain/autograd/ir"
)

// Pass is one step of [Build].
type Pass struct {
	Name string
	// Why tells what the pass does and why it stands where it stands.
	Why string
	Run func(p *ir.Program, opt Options)
	// Skip tells when the options leave the pass out; nil means never.
	Skip func(opt Options) bool
}

// Passes lists the passes in the order in which [Build] runs them. After each
// one, Build links reshapes, drops the values that nothing mentions and
// verifies the program.
var Passes = []Pass{
	{Name: "shard", Run: shard, Skip: func(opt Options) bool { return opt.Layout.Rank.Alone() },
		Why: "makes the program of a process that is alone that of a rank; first, because the fusions hide what is a gradient"},
	{Name: "fold", Run: fold,
		Why: "removes identities and joins constants; first, because Grad leaves many and they hide equal instructions and fusions"},
	{Name: "cse", Run: cse,
		Why: "computes equal instructions once; after fold, which makes more of them equal; before the fusions, which make them differ, and before recompute, whose clones must stay"},
	{Name: "dce", Run: prune,
		Why: "drops what nothing uses; before the fusions, which count uses"},
	{Name: "fuse-activation", Run: fuseActivation, Skip: noFuse,
		Why: "lets MatMul apply the activation; before the addends, which it would no longer take behind one"},
	{Name: "fuse-activation-backward", Run: fuseActivationBackward, Skip: noFuse,
		Why: "lets MatMul apply the derivative; before the addends, which exclude it"},
	{Name: "fuse-residual", Run: fuseResidual, Skip: noFuse,
		Why: "lets forward MatMuls add the residual; apart from fuse-accumulate only for the report"},
	{Name: "fuse-bias-gradient", Run: fuseBiasGradient, Skip: func(opt Options) bool { return opt.NoFuse || !opt.Target.FusesSums },
		Why: "lets products of weight gradients sum the gradient of the bias; before fuse-accumulate, which gives sums addends"},
	{Name: "fuse-accumulate", Run: fuseAccumulate, Skip: noFuse,
		Why: "lets the producers of gradients add to what is there; after all fusions that compete for MatMul"},
	{Name: "fuse-sums", Run: fuseSums, Skip: func(opt Options) bool { return opt.NoFuse || !opt.Target.FusesSums },
		Why: "lets what writes a gradient sum its rows, which saves the product that took the sum a pass over it; after fuse-accumulate, which makes that gradient whole"},
	{Name: "recompute", Run: recompute, Skip: func(opt Options) bool { return !opt.Recompute },
		Why: "clones the forward instructions of a block into its backward pass; after the fusions, so that the clones are fused alike"},
	{Name: "prune", Run: prune,
		Why: "dce again: drops the optional outputs of the first forward pass that only the backward pass read; also what the fusions orphaned"},
	{Name: "precision", Run: precision, Skip: func(opt Options) bool { return opt.Compute == ir.F32 },
		Why: "marks the products that compute in tf32 or bf16; after recompute, so that clones are marked alike"},
	{Name: "storage", Run: storage, Skip: func(opt Options) bool { return opt.Compute != ir.BF16 || !opt.Target.StoresBF16 },
		Why: "gives activations bfloat16 storage; after all that counts uses, because casts are uses"},
	{Name: "chunk", Run: chunk, Skip: func(opt Options) bool { return opt.Target.LogitElements == 0 },
		Why: "sets the rows of logits that the target holds at a time; before memory is laid out"},
	{Name: "schedule", Run: schedule,
		Why: "moves updates and weight gradients up, so that gradients and activations die early; when the set of instructions is final"},
	{Name: "in-place", Run: inPlace,
		Why: "lets results take the storage of inputs that die; last, because it depends on the order"},
}

func noFuse(opt Options) bool { return opt.NoFuse }

// apply runs the pass and verifies what it left.
func (pass Pass) apply(p *ir.Program, opt Options) error {
	pass.Run(p, opt)
	link(p)
	compact(p)
	if err := ir.Verify(p); err != nil {
		var dump strings.Builder
		if derr := p.Dump(&dump); derr != nil {
			return fmt.Errorf("plan: after pass %s: %w (and no dump: %v)", pass.Name, err, derr)
		}
		return fmt.Errorf("plan: after pass %s: %w\n%s", pass.Name, err, dump.String())
	}
	return nil
}

func prune(p *ir.Program, _ Options) { p.Prune() }
