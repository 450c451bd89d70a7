package nn

import (
	"math"
	"slices"
	"strings"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/ir"
)

// Kinds of attention beside the patterns of package ir.
const (
	Linformer = "linformer" // of models that read from both sides
	Latent    = "latent"    // of causal ones
)

// AttentionOptions is the key attention of a family: what its tokens see in place of all
// others, or of all before them. Nil is all.
type AttentionOptions struct {
	// Kind is a pattern of blocks, strided, fixed or local_global; linformer, keys and values
	// mixed to few, in models that read from both sides; or latent, in causal ones.
	Kind   string `yaml:"kind" json:"kind"`
	Block  int    `yaml:"block,omitempty" json:"block,omitempty"`   // tokens of a block, a multiple of 64; default 64
	Local  int    `yaml:"local,omitempty" json:"local,omitempty"`   // blocks back (and forth), the own included; default 1, none under fixed
	Stride int    `yaml:"stride,omitempty" json:"stride,omitempty"` // blocks; of strided and fixed
	Global int    `yaml:"global,omitempty" json:"global,omitempty"` // blocks that all see; of fixed (of each span) and local_global, default 1
	Rank   int    `yaml:"rank,omitempty" json:"rank,omitempty"`     // of linformer: keys and values that are left
	Share  string `yaml:"share,omitempty" json:"share,omitempty"`   // of linformer, see Mixtures; default heads
	// Latents is the number of tokens, a multiple of 64, that see each other in all layers
	// behind the first of latent, in which all before them are seen.
	Latents int `yaml:"latents,omitempty" json:"latents,omitempty"`
}

// patterns are the kinds that Sparsity describes.
var patterns = []string{ir.Strided.String(), ir.Fixed.String(), ir.LocalGlobal.String()}

// WithDefaults is o with every default filled in.
func (o *AttentionOptions) WithDefaults() *AttentionOptions {
	if o == nil {
		return nil
	}
	full := *o
	switch full.Kind {
	case Linformer:
		Default(&full.Share, shareHeads)
	case ir.Strided.String(), ir.Fixed.String(), ir.LocalGlobal.String():
		Default(&full.Block, ir.SparseGranule)
		if full.Kind != ir.Fixed.String() {
			Default(&full.Local, 1)
		}
		if full.Kind != ir.Strided.String() {
			Default(&full.Global, 1)
		}
	}
	return &full
}

// Sparsity is the pattern of a layer, counted from 0, of o with its defaults filled in:
// Dense for nil, for linformer and for the first layer of latent.
func (o *AttentionOptions) Sparsity(layer int) ir.Sparsity {
	switch {
	case o == nil || o.Kind == Linformer || o.Kind == Latent && layer == 0:
		return ir.Sparsity{}
	case o.Kind == Latent:
		return ir.Sparsity{Pattern: ir.LocalGlobal, Block: o.Latents, Local: 1}
	}
	p, _ := ir.ParsePattern(o.Kind)
	return ir.Sparsity{Pattern: p, Block: o.Block, Local: o.Local, Stride: o.Stride, Global: o.Global}
}

// Attention wants options of a causal model, with their defaults filled in.
func (f *Faults) Attention(key string, o *AttentionOptions) {
	switch {
	case o == nil:
	case o.Kind == Linformer:
		f.Add(key+".kind", "linformer mixes the keys of all positions before they are looked at, so that tokens would see later ones: a causal model cannot use it; use strided, fixed, local_global or latent")
	case o.Kind != Latent:
		f.pattern(key, o, Latent)
	case o.Latents < 1 || o.Latents%ir.SparseGranule != 0 || o.Latents > MaxSize:
		f.Add(key+".latents", "%d is no multiple of %d: use one, such as %[2]d", o.Latents, ir.SparseGranule)
	default:
		f.foreign(key, o, AttentionOptions{Kind: Latent, Latents: o.Latents})
	}
}

// EncoderAttention wants options of a model of at most context tokens that reads from both
// sides, with their defaults filled in.
func (f *Faults) EncoderAttention(key string, o *AttentionOptions, context int) {
	switch {
	case o == nil:
	case o.Kind == Latent:
		f.Add(key+".kind", "latent is of causal models; here latents are those of family perceiver")
	case o.Kind != Linformer:
		f.pattern(key, o, Linformer)
	case o.Rank < 1 || o.Rank > context:
		f.Add(key+".rank", "%d keys and values of the %d of a row: use 1 to %[2]d, and few to save time", o.Rank, context)
	case !slices.Contains(shares, o.Share):
		f.Add(key+".share", "%q is not one of %s", o.Share, strings.Join(shares, ", "))
	default:
		f.foreign(key, o, AttentionOptions{Kind: Linformer, Rank: o.Rank, Share: o.Share})
	}
}

// pattern wants blocks that o describes; other is the kind beside patterns.
func (f *Faults) pattern(key string, o *AttentionOptions, other string) {
	if !slices.Contains(patterns, o.Kind) {
		f.Add(key+".kind", "%q is not one of %s, %s; leave attention out for all pairs", o.Kind, strings.Join(patterns, ", "), other)
		return
	}
	if err := o.Sparsity(0).Check(); err != nil {
		f.Add(key, "%v", err)
		return
	}
	own := *o
	own.Rank, own.Share, own.Latents = 0, "", 0
	f.foreign(key, o, own)
}

// foreign wants no keys in o but those of its kind.
func (f *Faults) foreign(key string, o *AttentionOptions, own AttentionOptions) {
	if *o != own {
		f.Add(key, "has keys of another kind than %s: leave them out", o.Kind)
	}
}

// What heads and layers share of Mixtures (Wang et al. 2020, section 4).
const (
	shareNone   = "none"      // each head has its own, of keys and of values
	shareHeads  = "heads"     // the heads of a layer have one of keys and one of values
	shareValues = "key_value" // the heads of a layer have one of both
	shareLayers = "layers"    // all layers have one of both
)

var shares = []string{shareNone, shareHeads, shareValues, shareLayers}

// Mixtures are the matrices of Linformer (Wang et al. 2020), (M, R, C) each: of the keys of
// C positions they make R sums, and of the values, for every head (M = H) or for all (M = 1).
type Mixtures struct{ keys, values *autograd.Node }

// IsLinformer tells whether o asks for Mixtures.
func (o *AttentionOptions) IsLinformer() bool { return o != nil && o.Kind == Linformer }

// SharedMixtures declares the Mixtures of all layers where o has those, as Mixtures does.
func (b *Builder) SharedMixtures(o *AttentionOptions, heads, context int) Mixtures {
	if !o.IsLinformer() || o.Share != shareLayers {
		return Mixtures{}
	}
	return b.mixtures(o, heads, context)
}

// Mixtures declares those of a layer, unless shared are of all layers: "project_keys.weight"
// and "project_values.weight" (M·R, context), or "project.weight" for both.
func (b *Builder) Mixtures(o *AttentionOptions, heads, context int, shared Mixtures) Mixtures {
	if shared.keys != nil || !o.IsLinformer() {
		return shared
	}
	return b.mixtures(o, heads, context)
}

func (b *Builder) mixtures(o *AttentionOptions, heads, context int) Mixtures {
	if o.Share != shareNone {
		heads = 1
	}
	declare := func(name string) *autograd.Node {
		w := b.param(Param{Name: name + ".weight", Shape: ir.Shape{heads * o.Rank, context}, Init: Init{Std: 1 / math.Sqrt(float64(context))}, Decay: true})
		return autograd.Reshape(w, heads, o.Rank, context)
	}
	if o.Share == shareNone || o.Share == shareHeads {
		return Mixtures{declare("project_keys"), declare("project_values")}
	}
	both := declare("project")
	return Mixtures{both, both}
}

// MixedAttention attends from q (B·T, H·hd) to mixtures of k and v (B·T, H·hd), which
// leave padding out → (B·T, H·hd). Rows have one segment, 0, behind which is padding. The
// batch of c is that of the inputs.
func (b *Builder) MixedAttention(name string, q, k, v *autograd.Node, m Mixtures, c autograd.AttentionConfig) *autograd.Node {
	c.Batch = b.Batch
	return b.layer(name, func() *autograd.Node {
		return autograd.Attention(q, b.mix(m.keys, k), b.mix(m.values, v), autograd.AttentionMask{}, c)
	})
}

// mix gives the sums of the rows of x (B·T, D) that w (M, R, C) describes, C ≥ T, each of
// the M for so many of the columns in turn → (B·R, D).
func (b *Builder) mix(w, x *autograd.Node) *autograd.Node {
	n, d := x.Shape().Rows(), x.Shape().Cols()
	parts, rank := w.Shape()[0], w.Shape()[1]
	if b.Segments != nil {
		there := autograd.Reshape(autograd.ToFloat(b.Segments, 1, 1), n, 1) // 0 for padding
		x = autograd.Mul(x, autograd.Broadcast(there, n, d))
	}
	if w.Shape()[2] > b.Length {
		w = autograd.Slice(w, 2, 0, b.Length) // (M, R, T)
	}
	x = autograd.Reshape(x, b.Batch, b.Length, parts, d/parts)
	x = autograd.Reshape(autograd.Transpose(x, 2, 1, 0, 3), parts, b.Length, b.Batch*d/parts) // (M, T, B·D/M)
	x = autograd.MatMul(w, x, false, false)                                                   // (M, R, T) × (M, T, B·D/M) → (M, R, B·D/M)
	x = autograd.Transpose(autograd.Reshape(x, parts, rank, b.Batch, d/parts), 2, 1, 0, 3)    // (B, R, M, D/M)
	return autograd.Reshape(x, b.Batch*rank, d)
}
