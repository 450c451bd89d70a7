package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func (g *gen) rope() {
	g.kernel("rope", "func(dst, x, cos, sin []float32, sign float32)",
		"rotates the pairs (i, i+len(cos)) of x.", func() {
			dst, x, cos, sin, sign := g.pointer("dst"), g.pointer("x"), g.pointer("cos"), g.pointer("sin"), g.scalar("sign")
			n := g.length("cos")
			dst2, x2 := g.GP64(), g.GP64()
			g.LEAQ(operand.Mem{Base: dst, Index: n, Scale: 4}, dst2)
			g.LEAQ(operand.Mem{Base: x, Index: n, Scale: 4}, x2)
			g.loop(n, 1, func(_ int, m access) {
				a, b, c, s := m.load(x), m.load(x2), m.load(cos), g.mul(sign, m.load(sin))
				m.store(g.fnma(b, s, g.mul(a, c)), dst)
				m.store(g.fma(a, s, g.mul(b, c)), dst2)
			}, nil)
		})
}

// transpose emits the transposition of one column of 8×8 blocks, in 256-bit
// registers on both instruction sets.
func (g *gen) transpose() {
	g.kernel("transpose8", "func(dst *float32, ldd int, src *float32, lds, blocks int)",
		"sets dst[c, r] = src[r, c] for 8·blocks rows r and 8 columns c.", func() {
			dst, ldd := g.pointer("*dst"), g.integer("ldd")
			src, lds := g.pointer("*src"), g.integer("lds")
			g.SHLQ(operand.U8(2), ldd)
			g.SHLQ(operand.U8(2), lds)
			g.counted(g.integer("blocks"), func() {
				x := g.rows8(src, lds)
				var t, u, r [8]vec
				for i := range 8 {
					t[i], u[i], r[i] = g.YMM(), g.YMM(), g.YMM()
				}
				for i := 0; i < 8; i += 2 {
					g.VUNPCKLPS(x[i+1], x[i], t[i])
					g.VUNPCKHPS(x[i+1], x[i], t[i+1])
				}
				for i := 0; i < 8; i += 4 {
					for j := range 2 {
						g.VUNPCKLPD(t[i+2+j], t[i+j], u[i+2*j])
						g.VUNPCKHPD(t[i+2+j], t[i+j], u[i+2*j+1])
					}
				}
				for i := range 4 {
					g.VPERM2F128(operand.U8(0x20), u[i+4], u[i], r[i])
					g.VPERM2F128(operand.U8(0x31), u[i+4], u[i], r[i+4])
				}
				to := g.GP64()
				g.MOVQ(dst, to)
				for i := range 8 {
					g.VMOVUPS(r[i], operand.Mem{Base: to})
					if i < 7 {
						g.ADDQ(ldd, to)
					}
				}
				g.ADDQ(operand.I8(32), dst)
			})
		})
}

// rows8 loads 8 floats of each of 8 rows and moves src behind them.
func (g *gen) rows8(src, stride reg.GPVirtual) (x [8]vec) {
	for i := range x {
		x[i] = g.YMM()
		g.VMOVUPS(operand.Mem{Base: src}, x[i])
		g.ADDQ(stride, src)
	}
	return x
}
