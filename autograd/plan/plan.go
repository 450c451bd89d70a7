// Package plan turns an ir.Program into a Plan: passes rewrite the program
// (see [Passes] for the table and the reason for its order), then every temp
// and every workspace gets an offset in one arena, so that the exact peak is
// known before anything runs.
package plan

import "gotrain/autograd/ir"

// Options selects what the passes do.
type Options struct {
	// BF16 computes matrix products with bfloat16 operands and float32
	// accumulation; everything stays float32 in memory.
	BF16 bool
	// Recompute drops the activations of each block (Instr.Block ≥ 0) after
	// the forward pass and computes them again before the block's backward
	// pass (Chen et al. 2016): memory grows with one block instead of all.
	Recompute bool
	// NoFuse leaves out the fusing passes; tests compare both.
	NoFuse bool
	// Workspace returns the bytes of scratch that a back end needs while in
	// runs. Nil means none.
	Workspace func(in *ir.Instr) int64
}

// Slot is a place in the arena, in bytes; Offset is a multiple of Align.
type Slot struct{ Offset, Bytes int64 }

// Align is the alignment of every slot: a cache line and a ZMM register.
const Align = 64

// Plan is a program with its memory laid out. It is read-only after Build and
// safe for concurrent use.
type Plan struct {
	Program *ir.Program
	// Slots holds the arena slot of the value with that ID; only root temps
	// have one (Bytes > 0).
	Slots []Slot
	// Workspaces holds the scratch slot of each instruction.
	Workspaces []Slot
	// Arena is the size of the arena, Naive the size without sharing, Live
	// the largest sum of values alive at once (a lower bound), all in bytes.
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
