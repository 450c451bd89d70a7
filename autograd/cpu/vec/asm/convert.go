package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// conversions emits the half-precision kernels; they do whole vectors only.
func (g *gen) conversions() {
	narrow := func() vec { // half a vector
		if g.lanes == 16 {
			return g.YMM()
		}
		return g.XMM()
	}
	each := func(name, signature, doc, slice string, body func(wide, half reg.Register, index reg.Register)) {
		g.kernel(name, signature, doc+" It does whole vectors only.", func() {
			dst, src := g.pointer("dst"), g.pointer("src")
			n, index := g.length(slice), g.GP64()
			g.XORQ(index, index)
			g.SHRQ(operand.U8(3+g.lanes/16), n)
			g.counted(n, func() {
				body(dst, src, index)
				g.ADDQ(operand.I32(g.lanes), index)
			})
		})
	}
	at := func(base, index reg.Register, size uint8) operand.Mem {
		return operand.Mem{Base: base, Index: index, Scale: size}
	}
	each("toBF16", "func(dst []uint16, src []float32)", "rounds to bfloat16.", "dst", func(dst, src, index reg.Register) {
		x := g.in(at(src, index, 4))
		odd, r := g.vec(), g.vec()
		g.VPSRLD(operand.U8(16), x, odd)
		if g.lanes == 16 {
			g.VPANDD(g.word(1), odd, odd)
		} else {
			g.VPAND(g.word(1), odd, odd)
		}
		g.VPADDD(g.word(0x7fff), odd, odd)
		g.VPADDD(odd, x, r)
		quiet := g.or(x, g.word(0x00400000))
		r = g.choose(g.cmp(unordered, x, x), quiet, r)
		g.VPSRLD(operand.U8(16), r, r)
		if g.lanes == 16 {
			g.VPMOVDW(r, at(dst, index, 2))
			return
		}
		upper := g.XMM()
		g.VEXTRACTF128(operand.U8(1), r, upper)
		g.VPACKUSDW(upper, r.AsX(), r.AsX())
		g.VMOVUPS(r.AsX(), at(dst, index, 2))
	})
	each("fromBF16", "func(dst []float32, src []uint16)", "widens bfloat16.", "dst", func(dst, src, index reg.Register) {
		r := g.vec()
		g.VPMOVZXWD(at(src, index, 2), r)
		g.VPSLLD(operand.U8(16), r, r)
		g.VMOVUPS(r, at(dst, index, 4))
	})
	each("toF16", "func(dst []uint16, src []float32)", "rounds to binary16.", "dst", func(dst, src, index reg.Register) {
		r := narrow()
		g.VCVTPS2PH(operand.U8(0), g.in(at(src, index, 4)), r)
		g.VMOVUPS(r, at(dst, index, 2))
	})
	each("fromF16", "func(dst []float32, src []uint16)", "widens binary16.", "dst", func(dst, src, index reg.Register) {
		r := g.vec()
		g.VCVTPH2PS(at(src, index, 2), r)
		g.VMOVUPS(r, at(dst, index, 4))
	})
}
