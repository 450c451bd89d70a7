package kernel

import (
	"math"
	"unsafe"
)

// An operand is op(A) or op(B) as the packer sees it: element (i, k), i counting
// rows of A or columns of B, is p[i·ld+k] if alongK, else p[k·ld+i]; or what read, if
// set, writes there.
type operand struct {
	p      []float32
	ld     int
	alongK bool
	read   Reader
}

func (o *operand) element(i, k int) float32 {
	if o.alongK {
		return o.p[i*o.ld+k]
	}
	return o.p[k*o.ld+i]
}

func (o *operand) address(i, k int) *float32 {
	if o.alongK {
		return &o.p[i*o.ld+k]
	}
	return &o.p[k*o.ld+i]
}

// A slab is the part of an operand that one call packs: elements i0 ≤ i < i0+n,
// k0 ≤ k < k0+k. Element (i, k) goes to dst[((i-i0)/8)·groupStride +
// (k-k0)·kStride + (i-i0)%8], pairs sharing an element of dst where kernels.pairs
// is set; groups beyond n are filled with zeros.
type slab struct {
	i0, n, k0, k         int
	groups               int // of 8 in dst
	kStride, groupStride int
}

// steps is the number of elements that k steps along K take in a panel.
func (kn *kernels) steps(k int) int {
	if kn.pairs {
		return (k + 1) / 2
	}
	return k
}

// pack writes the slab s of o to dst. space, of readFloats, is for what o has to read.
func (kn *kernels) pack(dst []float32, o *operand, space []float32, s slab) {
	switch {
	case o.read == nil:
		kn.lay(dst, o, s)
	case o.alongK:
		kn.packRows(dst, o, space, s)
	default:
		kn.packSteps(dst, o, space, s)
	}
	if kn.round != nil {
		kn.roundSlab(dst, s)
	}
}

// packRows packs an operand that is read, some rows along K at a time.
func (kn *kernels) packRows(dst []float32, o *operand, space []float32, s slab) {
	at := len(space) / s.k / 8 // groups
	for g := 0; g < s.groups; g += at {
		part := s
		part.i0, part.k0, part.n, part.groups = 0, 0, max(min(s.n-8*g, 8*at), 0), min(at, s.groups-g)
		if part.n > 0 {
			o.read(space, s.i0+8*g, part.n, s.k0, s.k)
		}
		kn.lay(dst[g*s.groupStride:], &operand{p: space, ld: s.k, alongK: true}, part)
	}
}

// packSteps packs an operand that is read, some steps across K at a time.
func (kn *kernels) packSteps(dst []float32, o *operand, space []float32, s slab) {
	at := len(space) / s.n &^ 1
	for k := 0; k < s.k; k += at {
		part := s
		part.i0, part.k0, part.k = 0, 0, min(at, s.k-k)
		o.read(space, s.k0+k, part.k, s.i0, s.n)
		kn.lay(dst[kn.steps(k)*s.kStride:], &operand{p: space, ld: s.n}, part)
	}
}

// lay writes the slab s of o, which is in memory, to dst. It leaves the rounding.
func (kn *kernels) lay(dst []float32, o *operand, s slab) {
	whole := s.n / 8 // groups that the fast packers take
	fast := s.k &^ 1
	if o.alongK {
		fast = s.k &^ 15
		if fast > 0 {
			for g := range whole {
				kn.packAlong(&dst[g*s.groupStride], o.address(s.i0+8*g, s.k0), fast, o.ld, s.kStride)
			}
		}
	} else if fast > 0 && whole > 0 {
		kn.packAcross(&dst[0], o.address(s.i0, s.k0), fast, o.ld, s.kStride, whole, s.groupStride)
	}
	if fast < s.k {
		for g := range whole {
			kn.packSlow(dst, o, s, g, fast)
		}
	}
	for g := whole; g < s.groups; g++ {
		kn.packSlow(dst, o, s, g, 0)
	}
}

// packSlow writes the steps from k (even) on of group g element by element.
func (kn *kernels) packSlow(dst []float32, o *operand, s slab, g, k int) {
	valid := min(max(s.n-8*g, 0), 8)
	for ; k < s.k; k++ {
		row := dst[g*s.groupStride+kn.steps(k)*s.kStride:][:8]
		clear(row[valid:])
		i := s.i0 + 8*g
		for x := range valid {
			row[x] = o.element(i+x, s.k0+k)
		}
		if !kn.pairs {
			continue
		}
		for x := range valid {
			pair := uint32(bfloat16(row[x]))
			if k+1 < s.k {
				pair |= uint32(bfloat16(o.element(i+x, s.k0+k+1))) << 16
			}
			row[x] = math.Float32frombits(pair)
		}
		k++
	}
}

// roundSlab rounds a packed slab, which is contiguous per group or per step.
func (kn *kernels) roundSlab(dst []float32, s slab) {
	if s.groupStride == 8 {
		kn.round(&dst[0], s.k*s.kStride)
		return
	}
	for g := range s.groups {
		kn.round(&dst[g*s.groupStride], s.k*8)
	}
}

// bfloat16 rounds x to nearest, ties to even. Subnormals become zero, as
// AVX512_BF16 has it, and NaN stays NaN.
func bfloat16(x float32) uint16 {
	b := math.Float32bits(x)
	switch {
	case b&0x7f800000 == 0:
		return uint16(b >> 16 & 0x8000)
	case b&0x7fffffff > 0x7f800000:
		return uint16(b>>16) | 0x40
	}
	return uint16((b + 0x7fff + b>>16&1) >> 16)
}

// RoundBF16 is x rounded to bfloat16 as the product does it for Args.BF16.
func RoundBF16(x float32) float32 {
	return math.Float32frombits(uint32(bfloat16(x)) << 16)
}

func packAlongGeneric(dst, src *float32, k, ld, kStride int) {
	d := unsafe.Slice(dst, (k-1)*kStride+8)
	for i := range 8 {
		row := unsafe.Slice(at(src, 4*i*ld), k)
		for x, v := range row {
			d[x*kStride+i] = v
		}
	}
}

func packAcrossGeneric(dst, src *float32, k, ld, kStride, groups, groupStride int) {
	for x := range k {
		for g := range groups {
			to := (*[8]float32)(unsafe.Pointer(at(dst, 4*(x*kStride+g*groupStride))))
			*to = *(*[8]float32)(unsafe.Pointer(at(src, 4*(x*ld+8*g))))
		}
	}
}

func roundGeneric(p *float32, n int) {
	for i, v := range unsafe.Slice(p, n) {
		*at(p, 4*i) = RoundBF16(v)
	}
}
