// Command peak generates loops of nothing but multiply-adds in registers.
package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"example.com/gotrain/autograd/cpu/kernel/asm/x86"
)

const chains = 12 // independent sums: latency 4 to 6 × 2 per cycle

const head = `
Multiply-adds on registers, as many independent chains as hide the latency: the
highest rate of arithmetic of the core.
`

func main() {
	ConstraintExpr(x86.Constraint)
	loop("peakAVX2", x86.Y, false)
	loop("peakAVX512", x86.Z, false)
	loop("peakBF16", x86.Z, true)
	x86.Generate(head)
}

func loop(name string, regs []reg.VecPhysical, pairs bool) {
	TEXT(name, NOSPLIT, "func(n int)")
	n := Load(Param("n"), GP64())
	for i := range chains + 2 {
		VXORPS(x86.Y[i], x86.Y[i], x86.Y[i])
	}
	Label("loop")
	for i := range chains {
		if pairs {
			x86.VDPBF16PS(i, chains, chains+1)
		} else {
			VFMADD231PS(regs[chains], regs[chains+1], regs[i])
		}
	}
	DECQ(n)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}
