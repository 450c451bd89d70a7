// Command pack generates the routines that lay out operands of the matrix
// product as panels.
package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"example.com/gotrain/autograd/cpu/kernel/asm/x86"
)

const head = `
Packing of matrices into panels.

packAlong transposes 8 rows of W that are contiguous along K, 8 columns at a time.
The halves of rows i and i+4 share a register, so a 4×4 transposition inside the
128-bit lanes gives whole columns: 16 shuffles for 64 floats, two a cycle on Zen 4,
hence bound by the loads of the source. packAcross copies rows that are contiguous
across the panels, and prefetches 16 rows ahead because each row is another stream
(8, 32 and 64 rows: 1-5 % slower on long K, near the noise; prefetching in packAlong,
be it the next rows or the next columns, gains nothing).
The BF16 variants convert two steps along K into one 32-bit element on the way.
`

func main() {
	ConstraintExpr(x86.Constraint)
	packAlong("packAlongAVX2", false)
	packAlong("packAlongBF16", true)
	packAcross("packAcrossAVX2", false)
	packAcross("packAcrossBF16", true)
	round()
	x86.Generate(head)
}

// packAlong emits the transposing packer: 8 rows that are contiguous along K.
//
// float32: the halves of rows i and i+4 share a register, so that a 4×4
// transposition inside the 128-bit lanes (8 unpacks of floats, 8 of doubles for
// 8×8 elements) gives whole columns. bfloat16: 16 floats of a row become 8 pairs,
// and the 8×8 pairs are transposed alike.
func packAlong(name string, pairs bool) {
	TEXT(name, NOSPLIT, "func(dst, src *float32, k, ld, kStride int)")
	dst, src := Load(Param("dst"), GP64()), Load(Param("src"), GP64())
	k := Load(Param("k"), GP64())
	ld := Load(Param("ld"), GP64())
	stride := Load(Param("kStride"), GP64())
	SHLQ(U8(2), ld)
	SHLQ(U8(2), stride)
	if pairs {
		SHRQ(U8(4), k)
	} else {
		SHRQ(U8(3), k)
	}
	src4, ld3, dst4, stride3 := GP64(), GP64(), GP64(), GP64()
	LEAQ(Mem{Base: src, Index: ld, Scale: 4}, src4)
	LEAQ(Mem{Base: ld, Index: ld, Scale: 2}, ld3)
	LEAQ(Mem{Base: dst, Index: stride, Scale: 4}, dst4)
	LEAQ(Mem{Base: stride, Index: stride, Scale: 2}, stride3)
	TESTQ(k, k)
	JZ(LabelRef("end"))
	Label("block")
	if pairs {
		loadPairs(src, src4, ld, ld3)
	} else {
		loadFloats(src, src4, ld, ld3)
	}
	for half := range 2 {
		d := dst
		if half == 1 {
			d = dst4
		}
		y := x86.Y[4*half:]
		VUNPCKLPS(y[1], y[0], x86.Y[8])
		VUNPCKHPS(y[1], y[0], x86.Y[9])
		VUNPCKLPS(y[3], y[2], x86.Y[10])
		VUNPCKHPS(y[3], y[2], x86.Y[11])
		VUNPCKLPD(x86.Y[10], x86.Y[8], x86.Y[12])
		VUNPCKHPD(x86.Y[10], x86.Y[8], x86.Y[13])
		VUNPCKLPD(x86.Y[11], x86.Y[9], x86.Y[14])
		VUNPCKHPD(x86.Y[11], x86.Y[9], x86.Y[15])
		for i, m := range rows(d, stride, stride3, 0) {
			VMOVUPS(x86.Y[12+i], m)
		}
	}
	step := 32
	if pairs {
		step = 64
	}
	ADDQ(U8(step), src)
	ADDQ(U8(step), src4)
	LEAQ(Mem{Base: dst, Index: stride, Scale: 8}, dst)
	LEAQ(Mem{Base: dst4, Index: stride, Scale: 8}, dst4)
	DECQ(k)
	JNZ(LabelRef("block"))
	Label("end")
	VZEROUPPER()
	RET()
}

// rows gives the addresses of four rows from base on.
func rows(base, ld, ld3 reg.Register, disp int) []Mem {
	return []Mem{
		{Base: base, Disp: disp},
		{Base: base, Index: ld, Scale: 1, Disp: disp},
		{Base: base, Index: ld, Scale: 2, Disp: disp},
		{Base: base, Index: ld3, Scale: 1, Disp: disp},
	}
}

// loadFloats fills Y[4h+i] with floats 4h..4h+3 of rows i and i+4.
func loadFloats(src, src4, ld, ld3 reg.Register) {
	for half := range 2 {
		low, high := rows(src, ld, ld3, 16*half), rows(src4, ld, ld3, 16*half)
		for i := range 4 {
			VMOVUPS(low[i], x86.X[4*half+i])
			VINSERTF128(U8(1), high[i], x86.Y[4*half+i], x86.Y[4*half+i])
		}
	}
}

// loadPairs fills Y[4h+i] with pairs 4h..4h+3 of rows i and i+4.
func loadPairs(src, src4, ld, ld3 reg.Register) {
	for i := range 4 {
		for half, base := range []reg.Register{src, src4} {
			VMOVUPS(rows(base, ld, ld3, 0)[i], x86.Y[8])
			VMOVUPS(rows(base, ld, ld3, 32)[i], x86.Y[9])
			x86.VCVTNE2PS2BF16(false, 10+half, 9, 8)
		}
		VINSERTF128(U8(1), x86.X[11], x86.Y[10], x86.Y[i])
		VPERM2F128(U8(0x31), x86.Y[11], x86.Y[10], x86.Y[4+i])
	}
}

// packAcross emits the copying packer: rows that are contiguous across the
// panels, 8 floats to a group. bfloat16: two rows at a time, interleaved.
func packAcross(name string, pairs bool) {
	TEXT(name, NOSPLIT, "func(dst, src *float32, k, ld, kStride, groups, groupStride int)")
	dst, src := Load(Param("dst"), GP64()), Load(Param("src"), GP64())
	k := Load(Param("k"), GP64())
	ld := Load(Param("ld"), GP64())
	stride := Load(Param("kStride"), GP64())
	groups := Load(Param("groups"), GP64())
	groupStride := Load(Param("groupStride"), GP64())
	SHLQ(U8(2), ld)
	SHLQ(U8(2), stride)
	SHLQ(U8(2), groupStride)
	if pairs {
		SHRQ(U8(1), k)
		VMOVDQU(interleave(), x86.Y[15])
	}
	ld2 := GP64()
	LEAQ(Mem{Base: ld, Index: ld, Scale: 1}, ld2)
	TESTQ(k, k)
	JZ(LabelRef("end"))
	Label("row")
	s, d, g := GP64(), GP64(), GP64()
	MOVQ(src, s)
	MOVQ(dst, d)
	MOVQ(groups, g)
	Label("group")
	VMOVUPS(Mem{Base: s}, x86.Y[0])
	PREFETCHT0(Mem{Base: s, Index: ld2, Scale: 8})
	if pairs {
		VMOVUPS(Mem{Base: s, Index: ld, Scale: 1}, x86.Y[1])
		x86.VCVTNE2PS2BF16(false, 0, 1, 0)
		VPERMW(x86.Y[0], x86.Y[15], x86.Y[0])
	}
	VMOVUPS(x86.Y[0], Mem{Base: d})
	ADDQ(U8(32), s)
	ADDQ(groupStride, d)
	DECQ(g)
	JNZ(LabelRef("group"))
	ADDQ(ld, src)
	if pairs {
		ADDQ(ld, src)
	}
	ADDQ(stride, dst)
	DECQ(k)
	JNZ(LabelRef("row"))
	Label("end")
	VZEROUPPER()
	RET()
}

// interleave is the permutation of words (0, 8, 1, 9, …, 7, 15).
func interleave() Mem {
	m := GLOBL("interleave", RODATA|NOPTR)
	for i := range 16 {
		DATA(2*i, U16(i/2+8*(i%2)))
	}
	return m
}

// round emits the rounding to bfloat16 of floats that stay floats: add half of
// the last place that is kept, less one when that place is even, and cut.
// Subnormals become zero, as VCVTNE2PS2BF16 makes them. NaN stays NaN.
func round() {
	TEXT("roundAVX2", NOSPLIT, "func(p *float32, n int)")
	p, n := Load(Param("p"), GP64()), Load(Param("n"), GP64())
	constant := func(v uint32, y int) {
		r := GP32()
		MOVL(U32(v), r)
		VMOVD(r, x86.X[y])
		VPBROADCASTD(x86.X[y], x86.Y[y])
	}
	const one, half, cut, exponent, zero = 8, 9, 10, 11, 12
	constant(1, one)
	constant(0x7fff, half)
	constant(0xffff0000, cut)
	constant(0x7f800000, exponent)
	VPXOR(x86.Y[zero], x86.Y[zero], x86.Y[zero])
	SHRQ(U8(3), n)
	JZ(LabelRef("end"))
	Label("loop")
	VMOVDQU(Mem{Base: p}, x86.Y[0])
	VPSRLD(U8(16), x86.Y[0], x86.Y[1])
	VPAND(x86.Y[one], x86.Y[1], x86.Y[1])
	VPADDD(x86.Y[half], x86.Y[1], x86.Y[1])
	VPADDD(x86.Y[0], x86.Y[1], x86.Y[1])
	VPAND(x86.Y[cut], x86.Y[1], x86.Y[1])
	VPAND(x86.Y[exponent], x86.Y[0], x86.Y[2])
	VPCMPEQD(x86.Y[zero], x86.Y[2], x86.Y[2])
	VPANDN(x86.Y[1], x86.Y[2], x86.Y[1])
	VCMPPS(U8(3), x86.Y[0], x86.Y[0], x86.Y[2])
	VBLENDVPS(x86.Y[2], x86.Y[0], x86.Y[1], x86.Y[1])
	VMOVDQU(x86.Y[1], Mem{Base: p})
	ADDQ(U8(32), p)
	DECQ(n)
	JNZ(LabelRef("loop"))
	Label("end")
	VZEROUPPER()
	RET()
}
