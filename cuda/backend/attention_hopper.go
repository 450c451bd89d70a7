//go:build gpu

package backend

import (
	"fmt"
	"slices"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/cuda"
)

var _ exec.Attender = (*Backend)(nil)

// UseAttention says which kernels later Binds take for attention that is not decoding,
// AttentionMMA or AttentionHopper; at first the former. They differ by rounding.
func (b *Backend) UseAttention(name string) error {
	info := b.device.Info()
	switch {
	case name != AttentionMMA && name != AttentionHopper:
		return fmt.Errorf("cuda.attention is %q; use %s or %s", name, AttentionMMA, AttentionHopper)
	case name == AttentionHopper && !hopperChip(info.Major, info.Minor):
		return fmt.Errorf("cuda.attention: hopper is for compute capability 9.0 (H100, H200); %s (%s) has %d.%d: leave the key out",
			b.Name(), info.Name, info.Major, info.Minor)
	}
	b.hopper = name == AttentionHopper
	return nil
}

// maps is device memory that holds tensor maps of some tensors of heads, each of tokens
// rows a sequence with a stride of ld elements: boxes of 64 columns and 64 tokens.
func (a *attentionCall) maps(tensors ...heads) cuda.Ptr {
	var words []uint64
	for _, t := range tensors {
		tiles := cuda.Tiles{Base: t.base, Dims: [4]int{a.HeadDim, t.heads, t.tokens, a.Batch},
			Strides: [3]int{2 * a.HeadDim, 2 * t.ld, 2 * t.ld * t.tokens}, Box: [4]int{64, 1, 64, 1}}
		w, err := tiles.Map()
		if err != nil {
			a.fail(err)
		}
		words = append(words, w[:]...)
	}
	return a.table(words)
}

// heads are queries, keys or values, or what has their shape.
type heads struct {
	base              cuda.Ptr
	heads, tokens, ld int
}

// hopperTensors describes q, k and v.
func (a *attentionCall) hopperTensors() (q, k, v heads) {
	ldq, ldkv := a.strides()
	atQ, atK, atV := a.qkv(a.in)
	return heads{atQ, a.Heads, a.queries, ldq}, heads{atK, a.KVHeads, a.keys, ldkv}, heads{atV, a.KVHeads, a.keys, ldkv}
}

// startHopper is start for kernels that know strides from their maps.
func (a *attentionCall) startHopper(k attentionKernel, t tiles, tensors ...any) {
	lo, hi := a.band()
	args := append(tensors, int32(a.queries), int32(a.keys), int32(a.Heads), int32(a.KVHeads),
		int32(t.units), int32(t.section), int32(lo), int32(hi), a.Scale)
	a.do(a.launch(k.name, cuda.Dim{X: t.grid, Y: 1, Z: 1}, cuda.Dim{X: k.threads, Y: 1, Z: 1}, k.shared, args...))
}

// flashHopper launches the kernel on wgmma.
func (a *attentionCall) flashHopper() {
	q, k, v := a.hopperTensors()
	kernel := a.hopperKernels()[0]
	a.startHopper(kernel, a.overQueries(kernel.rows), a.maps(q, k, v), a.qSegments, a.kSegments, a.qBounds, a.kBounds, a.out(0), a.out(1))
}

// gradientHopper launches the statistics and both passes of the gradient on wgmma.
func (a *attentionCall) gradientHopper() {
	inputs, _, _ := a.gradientInputs()
	stats := inputs[4]
	q, k, v := a.hopperTensors()
	dy := heads{a.in(7), a.Heads, a.queries, a.Heads * a.HeadDim}
	common := []any{a.maps(q, k, v, dy), stats, a.qSegments, a.kSegments, a.qBounds, a.kBounds}
	dq, dk, dv := a.qkv(a.out)
	kernels := a.hopperKernels()
	a.startHopper(kernels[0], a.overKeys(kernels[0].rows), append(slices.Clone(common), dk, dv, int32(k.ld))...)
	a.startHopper(kernels[1], a.overQueries(kernels[1].rows), append(slices.Clone(common), dq, int32(q.ld))...)
}
