// Command asm writes the assembly of package bpe. It is a module of its own so that only whoever changes the kernel needs
// avo. Run it by `go generate` in package bpe.
package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func main() {
	ConstraintExpr("amd64,!noasm")
	TEXT("classifyAVX2", NOSPLIT, "func(blocks *uint64, text *byte, n int)")
	Doc("classifyAVX2 is classifyGeneric for n blocks. Ranges of bytes are found by adding what moves their end to 127, the",
		"highest of signed bytes, and comparing.")
	Pragma("noescape")
	k := &kernel{constants: map[byte]Mem{}, blocks: Load(Param("blocks"), GP64())}
	text, n := Load(Param("text"), GP64()), Load(Param("n"), GP64())
	TESTQ(n, n)
	JZ(LabelRef("end"))

	Label("block")
	for half := range k.text {
		k.text[half] = YMM()
		VMOVDQU(Mem{Base: text, Disp: 32 * half}, k.text[half])
	}
	k.between(0, 'A', 'Z')
	k.between(1, 'a', 'z')
	k.between(2, '0', '9')
	blank := k.set(func(x reg.VecVirtual) reg.VecVirtual { return k.equal(x, ' ') })
	space := k.set(func(x reg.VecVirtual) reg.VecVirtual { return k.inside(x, '\t', '\r') })
	ORQ(blank, space)
	k.store(3, space)
	newline := k.set(func(x reg.VecVirtual) reg.VecVirtual {
		both := YMM()
		VPOR(k.equal(x, '\n'), k.equal(x, '\r'), both)
		return both
	})
	k.store(4, newline)
	k.store(5, blank)
	k.store(6, k.set(func(x reg.VecVirtual) reg.VecVirtual { return k.equal(x, '\'') }))
	k.store(7, k.set(func(x reg.VecVirtual) reg.VecVirtual { return k.equal(x, '/') }))
	high := k.set(func(x reg.VecVirtual) reg.VecVirtual { return x })
	k.store(8, high)
	TESTQ(high, high)
	JZ(LabelRef("ascii"))
	k.between(9, 0x80, 0xBF)
	k.between(10, 0xE5, 0xE9)
	k.between(11, 0xE4, 0xE4)
	k.between(12, 0xB8, 0xBF)
	JMP(LabelRef("next"))

	Label("ascii")
	zero := GP64()
	XORQ(zero, zero)
	for field := 9; field < 13; field++ {
		k.store(field, zero)
	}

	Label("next")
	ADDQ(U8(64), text)
	ADDQ(U8(fields*8), k.blocks)
	DECQ(n)
	JNZ(LabelRef("block"))
	Label("end")
	VZEROUPPER()
	RET()
	Generate()
}

// fields is how many there are in a block.
const fields = 18

type kernel struct {
	blocks    reg.Register
	text      [2]reg.VecVirtual
	constants map[byte]Mem
}

// all is a constant in every byte of a vector.
func (k *kernel) all(b byte) Mem {
	m, ok := k.constants[b]
	if !ok {
		m = GLOBL("byte"+string("0123456789abcdef"[b>>4])+string("0123456789abcdef"[b&15]), RODATA|NOPTR)
		word := uint64(b) * 0x0101010101010101
		for i := range 4 {
			DATA(8*i, U64(word))
		}
		k.constants[b] = m
	}
	return m
}

func (k *kernel) equal(x reg.VecVirtual, b byte) reg.VecVirtual {
	y := YMM()
	VPCMPEQB(k.all(b), x, y)
	return y
}

// inside finds the bytes from lo to hi.
func (k *kernel) inside(x reg.VecVirtual, lo, hi byte) reg.VecVirtual {
	y := YMM()
	VPADDB(k.all(127-hi), x, y)
	VPCMPGTB(k.all(126-(hi-lo)), y, y)
	return y
}

// set makes the set of bytes that find finds.
func (k *kernel) set(find func(reg.VecVirtual) reg.VecVirtual) reg.GPVirtual {
	low, high := GP64(), GP64()
	VPMOVMSKB(find(k.text[0]), low.As32())
	VPMOVMSKB(find(k.text[1]), high.As32())
	SHLQ(U8(32), high)
	ORQ(low, high)
	return high
}

func (k *kernel) store(field int, set reg.Register) {
	MOVQ(set, Mem{Base: k.blocks, Disp: 8 * field})
}

func (k *kernel) between(field int, lo, hi byte) {
	k.store(field, k.set(func(x reg.VecVirtual) reg.VecVirtual { return k.inside(x, lo, hi) }))
}
