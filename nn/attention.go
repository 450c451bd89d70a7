package nn

import (
	"example.com/gotrain/autograd/ir"
)

// Linformer is the kind of attention that no causal model has; see AttentionOptions.
const Linformer = "linformer"

// AttentionOptions is the key attention of families whose tokens see those before them:
// patterns of blocks in place of all pairs. Nil is all pairs.
type AttentionOptions struct {
	Kind   string `yaml:"kind" json:"kind"`                         // strided, fixed, local_global
	Block  int    `yaml:"block,omitempty" json:"block,omitempty"`   // tokens, a multiple of 64; default 64
	Local  int    `yaml:"local,omitempty" json:"local,omitempty"`   // blocks back, the own included; default 1, none under fixed
	Stride int    `yaml:"stride,omitempty" json:"stride,omitempty"` // blocks; of strided and fixed
	Global int    `yaml:"global,omitempty" json:"global,omitempty"` // blocks that all see; of fixed (of each span) and local_global, default 1
}

// WithDefaults is o with every default filled in.
func (o *AttentionOptions) WithDefaults() *AttentionOptions {
	if o == nil {
		return nil
	}
	full := *o
	Default(&full.Block, ir.SparseGranule)
	if full.Kind != ir.Fixed.String() {
		Default(&full.Local, 1)
	}
	if full.Kind != ir.Strided.String() {
		Default(&full.Global, 1)
	}
	return &full
}

// Sparsity is the pattern of o with its defaults filled in, Dense for nil.
func (o *AttentionOptions) Sparsity() ir.Sparsity {
	if o == nil {
		return ir.Sparsity{}
	}
	p, _ := ir.ParsePattern(o.Kind)
	return ir.Sparsity{Pattern: p, Block: o.Block, Local: o.Local, Stride: o.Stride, Global: o.Global}
}

// Attention wants options of a causal model, with their defaults filled in.
func (f *Faults) Attention(key string, o *AttentionOptions) {
	if o == nil {
		return
	}
	p, ok := ir.ParsePattern(o.Kind)
	switch {
	case o.Kind == Linformer:
		f.Add(key+".kind", "linformer mixes the keys of all positions before they are looked at, so that tokens would see later ones: a causal model cannot use it; use strided, fixed or local_global")
	case !ok || p == ir.Dense:
		f.Add(key+".kind", "%q is not one of strided, fixed, local_global; leave attention out for all pairs", o.Kind)
	default:
		if err := o.Sparsity().Check(); err != nil {
			f.Add(key, "%v", err)
		}
	}
}
