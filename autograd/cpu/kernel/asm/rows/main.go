// Command rows generates the loops for products with few rows.
package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"example.com/gotrain/autograd/cpu/kernel/asm/x86"
)

const head = `
Products of a row with a matrix that is read in place, several rows at a time so
that several pages are prefetched at once.

dot: x with four rows, for a matrix that is contiguous along K; four accumulators.
axpy: y += x₀·row₀ + … + x₇·row₇, for a matrix that is contiguous across K.
Both read each weight once and are bound by memory. BF16 converts the weights to
bfloat16 in registers; in axpy a permutation of words then pairs two rows.

On one core of a busy Zen 4: four rows of dot that are neighbours and shorter than a page read memory at 9-14
GB/s, long streams at 23; prefetching the next rows by instruction is slower. axpy over 4 rows of 4 KiB: 16 GB/s, over 8 rows of 16 KiB: 20.
`

func main() {
	ConstraintExpr(x86.Constraint)
	dot("dotAVX2", x86.Y, false)
	dot("dotAVX512", x86.Z, false)
	dot("dotBF16", x86.Z, true)
	axpy("axpyAVX2", x86.Y, false)
	axpy("axpyAVX512", x86.Z, false)
	axpy("axpyBF16", x86.Z, true)
	x86.Generate(head)
}

func zero(regs []reg.VecPhysical, i int) {
	if regs[0] == x86.Y[0] {
		VXORPS(regs[i], regs[i], regs[i])
	} else {
		VPXORD(regs[i], regs[i], regs[i])
	}
}

// matrix gives the addresses of the four rows at w.
func matrix(w, ld, ld3 reg.Register, disp int) [4]Mem {
	return [4]Mem{
		{Base: w, Disp: disp},
		{Base: w, Index: ld, Scale: 1, Disp: disp},
		{Base: w, Index: ld, Scale: 2, Disp: disp},
		{Base: w, Index: ld3, Scale: 1, Disp: disp},
	}
}

// dot emits sums[r] = Σₖ x[k]·w[r·ld + k] for r < 4.
func dot(name string, regs []reg.VecPhysical, pairs bool) {
	TEXT(name, NOSPLIT, "func(x, w *float32, k, ld int, sums *float32)")
	x, w := Load(Param("x"), GP64()), Load(Param("w"), GP64())
	k, ld := Load(Param("k"), GP64()), Load(Param("ld"), GP64())
	sums := Load(Param("sums"), GP64())
	SHLQ(U8(2), ld)
	ld3 := GP64()
	LEAQ(Mem{Base: ld, Index: ld, Scale: 2}, ld3)
	for i := range 4 {
		zero(regs, i)
	}
	bytes, steps := 64, 16 // of w per iteration
	if pairs {
		bytes, steps = 128, 32
	}
	SUBQ(U8(steps), k)
	JLT(LabelRef("end"))
	Label("loop")
	switch {
	case pairs:
		VMOVUPS(Mem{Base: x}, x86.Z[4])
		low, high := matrix(w, ld, ld3, 0), matrix(w, ld, ld3, 64)
		for i := range 4 {
			VMOVUPS(low[i], x86.Z[5])
			VMOVUPS(high[i], x86.Z[6])
			x86.VCVTNE2PS2BF16(true, 7+i, 6, 5)
			x86.VDPBF16PS(i, 7+i, 4)
		}
	case regs[0] == x86.Z[0]:
		VMOVUPS(Mem{Base: x}, x86.Z[4])
		for i, m := range matrix(w, ld, ld3, 0) {
			VFMADD231PS(m, x86.Z[4], x86.Z[i])
		}
	default:
		for disp := 0; disp < bytes; disp += 32 {
			VMOVUPS(Mem{Base: x, Disp: disp}, x86.Y[4])
			for i, m := range matrix(w, ld, ld3, disp) {
				VFMADD231PS(m, x86.Y[4], x86.Y[i])
			}
		}
	}
	ADDQ(U8(64), x)
	ADDQ(U32(bytes), w)
	SUBQ(U8(steps), k)
	JGE(LabelRef("loop"))
	Label("end")
	for i := range 4 {
		if regs[0] == x86.Z[0] {
			VEXTRACTF64X4(U8(1), x86.Z[i], x86.Y[4])
			VADDPS(x86.Y[4], x86.Y[i], x86.Y[i])
		}
		VEXTRACTF128(U8(1), x86.Y[i], x86.X[4])
		VADDPS(x86.X[4], x86.X[i], x86.X[i])
	}
	VHADDPS(x86.X[1], x86.X[0], x86.X[0])
	VHADDPS(x86.X[3], x86.X[2], x86.X[2])
	VHADDPS(x86.X[2], x86.X[0], x86.X[0])
	VMOVUPS(x86.X[0], Mem{Base: sums})
	VZEROUPPER()
	RET()
}

// axpy emits y[j] += Σ x[r]·w[r·ld + j] over r < 8.
func axpy(name string, regs []reg.VecPhysical, pairs bool) {
	TEXT(name, NOSPLIT, "func(x, w *float32, n, ld int, y *float32)")
	x, w := Load(Param("x"), GP64()), Load(Param("w"), GP64())
	n, ld := Load(Param("n"), GP64()), Load(Param("ld"), GP64())
	y := Load(Param("y"), GP64())
	SHLQ(U8(2), ld)
	ld3, w4 := GP64(), GP64()
	LEAQ(Mem{Base: ld, Index: ld, Scale: 2}, ld3)
	LEAQ(Mem{Base: w, Index: ld, Scale: 4}, w4)
	bytes := 32
	if regs[0] == x86.Z[0] {
		bytes = 64
	}
	const sum, low, high, pair, order = 8, 9, 10, 11, 12 // above the coefficients
	coefficients := 8
	if pairs {
		coefficients = 4
		VMOVDQU64(interleave(), x86.Z[order])
	}
	for i := range coefficients {
		VBROADCASTSS(Mem{Base: x, Disp: 4 * i}, regs[i])
	}
	SUBQ(U8(bytes/4), n)
	JLT(LabelRef("end"))
	Label("loop")
	VMOVUPS(Mem{Base: y}, regs[sum])
	for half, base := range []reg.Register{w, w4} {
		rows := matrix(base, ld, ld3, 0)
		for i := 0; pairs && i < 2; i++ {
			VMOVUPS(rows[2*i], x86.Z[low])
			VMOVUPS(rows[2*i+1], x86.Z[high])
			x86.VCVTNE2PS2BF16(true, pair, high, low)
			VPERMW(x86.Z[pair], x86.Z[order], x86.Z[pair])
			x86.VDPBF16PS(sum, pair, 2*half+i)
		}
		for i := 0; !pairs && i < 4; i++ {
			VFMADD231PS(rows[i], regs[4*half+i], regs[sum])
		}
	}
	VMOVUPS(regs[sum], Mem{Base: y})
	ADDQ(U8(bytes), y)
	ADDQ(U8(bytes), w)
	ADDQ(U8(bytes), w4)
	SUBQ(U8(bytes/4), n)
	JGE(LabelRef("loop"))
	Label("end")
	VZEROUPPER()
	RET()
}

// interleave is the permutation of words (0, 16, 1, 17, …, 15, 31).
func interleave() Mem {
	m := GLOBL("interleaveRows", RODATA|NOPTR)
	for i := range 32 {
		DATA(2*i, U16(i/2+16*(i%2)))
	}
	return m
}
