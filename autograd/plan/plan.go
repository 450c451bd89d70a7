// Package plan turns an ir.Program into a Plan: passes rewrite the program
// (see [Passes] for the table and the reason for its order), then every temp
// and every workspace gets an offset in one arena, so that the exact peak is
// known before anything runs.
//
// Read in this order: [Options], [Build], [Passes], [Plan]. The passes rely on
// a few facts about programs that the front end keeps:
//
//   - State, Input and Table names are declared once; a value of class State
//     that an instruction puts out redefines that state, in place of Base's
//     content when Base is set (gradient accumulation), from nothing otherwise.
//   - A temp is defined once. A Reshape shares its input's storage.
//   - The values in Program.Outputs keep their identity through all passes.
//
// Build owns the program that it is given. A Plan is read-only.
package plan

import (
	"fmt"

	"example.com/gotrain/autograd/ir"
)

// Options selects what the passes do.
type Options struct {
	// Compute is the precision of matrix products: F32, TF32 or BF16 operands,
	// float32 accumulation. Under BF16 a Target that stores bfloat16 keeps
	// activations so; parameters, their gradients, optimizer state and
	// statistics are float32 always.
	Compute ir.DType
	// Recompute drops the activations of each block (Instr.Block ≥ 0) after
	// the forward pass and computes them again before the block's backward
	// pass (Chen et al. 2016): memory grows with one block instead of all.
	Recompute bool
	// NoFuse leaves out the fusing passes; tests compare both.
	NoFuse bool
	// Target is the back end that the plan is for.
	Target Target
	// Layout places states on ranks.
	Layout Layout
}

// Target is what the planner must know of a back end. The zero Target is one
// without wishes.
type Target struct {
	// Fuses tells whether the back end runs consecutive instructions of a kind as one
	// launch, of those that ir.Info.Fuses or others. Nil means never.
	Fuses func(kind ir.Kind) bool
	// Workspace returns the bytes of scratch that the back end needs while the
	// instructions of a launch run. Nil means none.
	Workspace func(launch []*ir.Instr) int64
	// StoresBF16 tells that its kernels read and write bfloat16 activations.
	StoresBF16 bool
	// FusesSums tells that MatMul adds up the rows of an operand on its way, and kinds with
	// ir.Info.Sums those of their results.
	FusesSums bool
	// LogitElements is the number of logits that instructions are to hold at a
	// time (ir.Chunked); 0 leaves their rows as the program has them.
	LogitElements int
	// InPlace tells whether output out of in may take the storage of input x
	// where ir.Info.Overwrites allows it. Nil means always.
	InPlace func(in *ir.Instr, out, x int) bool
	// HostMemory tells that its memory is that of the process, which others can
	// read without a copy.
	HostMemory bool
	// Reserved is what the back end allocates for itself, in bytes.
	Reserved int64
}

// Slot is a place in the arena, in bytes; Offset is a multiple of Align.
type Slot struct{ Offset, Bytes int64 }

// Align is the alignment of every slot: what cuBLASLt assumes of its operands;
// a multiple of the cache line and of a ZMM register.
const Align = 256

// Plan is a program with its memory laid out. It is read-only after Build and
// safe for concurrent use.
type Plan struct {
	// Program is what the passes made. Its Values are those that an
	// instruction or an output mentions; where Base is set, a value has the
	// storage of its Root, which may be a State.
	Program *ir.Program
	// Slots holds the arena slot of the value with that ID; only root temps
	// have one (Bytes > 0).
	Slots []Slot
	// Launches are the instructions as the back end runs them, in order.
	Launches []Launch
	// Arena is the size of the arena, Naive the size without sharing (a buffer
	// for each temp, the largest workspace), Live the largest sum of values
	// alive at once (a lower bound), all in bytes.
	Arena, Naive, Live int64
	// State, Inputs and Tables are the bytes of those classes that the program touches.
	State, Inputs, Tables int64
	// Report tells for each pass how many instructions it left.
	Report []PassReport
}

// PassReport is the effect of one pass.
type PassReport struct {
	Name                string
	InstrsIn, InstrsOut int
}

// Build runs the passes over p and lays out its memory. It owns p from then
// on, also when it fails. An error names the pass whose result ir.Verify
// refused and carries the dump of that result.
func Build(p *ir.Program, opt Options) (*Plan, error) {
	if err := checkNames(p); err != nil {
		return nil, err
	}
	link(p)
	if err := ir.Verify(p); err != nil {
		return nil, fmt.Errorf("plan: before the first pass: %w", err)
	}
	pl := &Plan{Program: p}
	for _, pass := range Passes {
		if pass.Skip != nil && pass.Skip(opt) {
			continue
		}
		n := len(p.Instrs)
		if err := pass.apply(p, opt); err != nil {
			return nil, err
		}
		pl.Report = append(pl.Report, PassReport{pass.Name, n, len(p.Instrs)})
	}
	pl.layout(opt)
	return pl, nil
}

// Peak returns the bytes that a run needs: arena, state, inputs and tables.
func (p *Plan) Peak() int64 { return p.Arena + p.State + p.Inputs + p.Tables }

// checkNames refuses two values for one named storage: the planner tells
// storages apart by identity, the back ends by name.
func checkNames(p *ir.Program) error {
	type key struct {
		class ir.Class
		name  string
	}
	seen := map[key]bool{}
	for _, v := range p.Values {
		if v == nil || v.Base != nil || v.Class == ir.Temp || v.Class == ir.Const {
			continue
		}
		k := key{v.Class, v.Name}
		if seen[k] {
			return fmt.Errorf("plan: program %s: %s %q is declared twice; use Program.Lookup for the second use", p.Name, v.Class, v.Name)
		}
		seen[k] = true
	}
	return nil
}

// link lets results that are their input under another name share its storage, so
// that Root is right for the hazards of state and for liveness.
func link(p *ir.Program) {
	for _, in := range p.Instrs {
		if in != nil && ir.Kinds[in.Kind].Alias && len(in.In) == 1 && len(in.Out) == 1 && in.In[0] != nil && in.Out[0] != nil {
			in.Out[0].Base = in.In[0]
		}
	}
}

// compact removes the instructions that a pass has set to nil and the values
// that nothing mentions any more, and numbers the rest anew.
func compact(p *ir.Program) {
	instrs := p.Instrs[:0]
	used := make([]bool, len(p.Values))
	mark := func(v *ir.Value) {
		for ; v != nil && !used[v.ID]; v = v.Base {
			used[v.ID] = true
			if v.Master != nil {
				used[v.Master.ID] = true
			}
		}
	}
	for _, in := range p.Instrs {
		if in == nil {
			continue
		}
		instrs = append(instrs, in)
		for _, v := range in.In {
			mark(v)
		}
		for _, v := range in.Out {
			mark(v)
		}
	}
	for _, v := range p.Outputs {
		mark(v)
	}
	clear(p.Instrs[len(instrs):])
	p.Instrs = instrs
	values := p.Values[:0]
	for i, v := range p.Values {
		if used[i] {
			v.ID = len(values)
			values = append(values, v)
		}
	}
	clear(p.Values[len(values):])
	p.Values = values
}

// outputs returns the set of p's outputs, by ID.
func outputs(p *ir.Program) []bool {
	is := make([]bool, len(p.Values))
	for _, v := range p.Outputs {
		is[v.ID] = true
	}
	return is
}
