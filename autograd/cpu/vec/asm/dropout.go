package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
)

// dropout emits the kernel that runs one Philox block in each lane: lanes blocks
// make 4·lanes words, which four unpack instructions put into the order of the
// elements because the lanes' counters are chosen so.
func (g *gen) dropout() {
	if g.lanes == 8 { // the rounds need all registers
		defer func(n int) { g.isa.constants = n }(g.isa.constants)
		g.isa.constants = 0
	}
	g.kernel("dropoutBlocks", "func(dst, x []float32, seedLow, seedHigh, site, blockLow, blockHigh, threshold uint32, scale float32)",
		fmt.Sprintf("drops out a multiple of %d elements.", 4*g.lanes), func() {
			dst, x := g.pointer("dst"), g.pointer("x")
			counter := g.scalar("blockLow")
			g.VPADDD(g.blockOrder(), counter, counter)
			threshold, scale := g.scalar("threshold"), g.scalar("scale")
			n, index := g.length("dst"), g.GP64()
			g.XORQ(index, index)
			g.SHRQ(operand.U8(5+g.lanes/16), n) // elements to iterations
			g.counted(n, func() {
				w := g.philox(g.copyOf(counter))
				g.VPADDD(g.word(uint32(g.lanes)), counter, counter)
				for i, words := range g.interleave(w) {
					m := access{g: g, index: index, disp: 4 * g.lanes * i}
					m.store(g.keepAtLeast(words, threshold, g.mul(scale, m.load(x))), dst)
				}
				g.ADDQ(operand.I32(4*g.lanes), index)
			})
		})
}

// blockOrder is the table of the lanes' block numbers: element k of 128-bit lane
// l is block k·(lanes/4) + l.
func (g *gen) blockOrder() operand.Mem {
	words := make([]uint32, g.lanes)
	for i := range words {
		words[i] = uint32(i%4*g.lanes/4 + i/4)
	}
	return g.table("blockOrder", words)
}

// philox runs ten rounds of Philox4x32 on the counters (c0, site, blockHigh, 0).
func (g *gen) philox(c0 vec) [4]vec {
	k0, k1 := g.scalar("seedLow"), g.scalar("seedHigh")
	c := [4]vec{c0, g.scalar("site"), g.scalar("blockHigh"), g.zero()}
	for round := range 10 {
		hi0, lo0 := g.multiply(c[0], 0xD2511F53)
		hi1, lo1 := g.multiply(c[2], 0xCD9E8D57)
		c = [4]vec{g.xor3(hi1, c[1], k0), lo1, g.xor3(hi0, c[3], k1), lo0}
		if round < 9 {
			g.VPADDD(g.word(0x9E3779B9), k0, k0)
			g.VPADDD(g.word(0xBB67AE85), k1, k1)
		}
	}
	return c
}

// multiply returns the high and low words of the 64-bit products of 32-bit lanes.
func (g *gen) multiply(a vec, by uint32) (hi, lo vec) {
	m := g.word(by)
	lo, even, odd := g.vec(), g.vec(), g.vec()
	hi = g.vec()
	g.VPMULLD(m, a, lo)
	g.VPMULUDQ(m, a, even)
	g.VPSRLQ(operand.U8(32), a, odd)
	g.VPMULUDQ(m, odd, odd)
	g.VPSRLQ(operand.U8(32), even, hi)
	if g.lanes == 16 {
		bits, k := g.GP32(), g.K()
		g.MOVL(operand.U32(0xaaaa), bits)
		g.KMOVW(bits, k)
		g.VMOVDQA32(odd, k, hi)
	} else {
		g.VPBLENDD(operand.U8(0xaa), odd, hi, hi)
	}
	return hi, lo
}

func (g *gen) xor3(a, b, c vec) vec {
	r := g.copyOf(a)
	if g.lanes == 16 {
		g.VPTERNLOGD(operand.U8(0x96), b, c, r)
	} else {
		g.VPXOR(b, r, r)
		g.VPXOR(c, r, r)
	}
	return r
}

// interleave transposes 4×4 words within each 128-bit lane.
func (g *gen) interleave(w [4]vec) [4]vec {
	var t, r [4]vec
	for i := range t {
		t[i], r[i] = g.vec(), g.vec()
	}
	g.VUNPCKLPS(w[1], w[0], t[0])
	g.VUNPCKHPS(w[1], w[0], t[1])
	g.VUNPCKLPS(w[3], w[2], t[2])
	g.VUNPCKHPS(w[3], w[2], t[3])
	g.VUNPCKLPD(t[2], t[0], r[0])
	g.VUNPCKHPD(t[2], t[0], r[1])
	g.VUNPCKLPD(t[3], t[1], r[2])
	g.VUNPCKHPD(t[3], t[1], r[3])
	return r
}

// keepAtLeast returns y where word ≥ threshold, unsigned, and 0 elsewhere.
func (g *gen) keepAtLeast(word, threshold, y vec) vec {
	top := g.vec()
	g.VPMAXUD(threshold, word, top)
	return g.zeroUnless(g.sameWord(top, word), y)
}
