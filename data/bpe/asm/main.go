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
	classify()
	walk()
	Generate()
}

func classify() {
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

// The sizes of what walk goes through, as the package has them.
const (
	maxCached  = 15
	idsCached  = 3
	saltLo     = 0x9E3779B97F4A7C15
	saltHi     = 0xD6E8FEB86659FD93
	entryIDs   = 16
	entryBytes = 32
)

// walk is the loop over pre-tokens: some thirty instructions each, without stores but those of ids, so that the lines of the
// cache that several need are under way at once. Compiled Go takes four times as many.
func walk() {
	salts := GLOBL("salts", RODATA|NOPTR)
	DATA(0, U64(saltLo))
	DATA(8, U64(saltHi))
	TEXT("walkAVX2", NOSPLIT, "func(w *uint64, text *byte, starts *uint64, blocks uint64, buckets *uint64, shift uint64, masks *uint64, ids, dst *int32) (num int)")
	Doc("walkAVX2 is walkWindow.")
	Pragma("noescape")
	text, buckets, masks := Load(Param("text"), GP64()), Load(Param("buckets"), GP64()), Load(Param("masks"), GP64())
	dst := Load(Param("dst"), GP64())
	Load(Param("shift"), reg.RCX)
	set, block, begin, at, base := GP64(), GP64(), GP64(), GP64(), GP64()
	w := Load(Param("w"), GP64())
	MOVQ(Mem{Base: w}, set)
	MOVQ(Mem{Base: w, Disp: 8}, block)
	MOVQ(Mem{Base: w, Disp: 16}, begin)
	MOVQ(begin, at)
	MOVQ(block, base)
	SHLQ(U8(6), base)

	Label("next")
	TESTQ(set, set)
	JZ(LabelRef("empty"))
	TZCNTQ(set, at)
	BLSRQ(set, set)
	ADDQ(base, at)
	n := GP64()
	MOVQ(at, n)
	SUBQ(begin, n)
	CMPQ(n, U8(maxCached))
	JA(LabelRef("stop"))

	// The key, once in numbers for its hash and once in a vector to compare.
	lo, hi, mask := GP64(), GP64(), GP64()
	MOVQ(n, mask)
	SHLQ(U8(4), mask)
	ADDQ(masks, mask)
	MOVQ(Mem{Base: text, Index: begin, Scale: 1}, lo)
	MOVQ(Mem{Base: text, Index: begin, Scale: 1, Disp: 8}, hi)
	ANDQ(Mem{Base: mask}, lo)
	ANDQ(Mem{Base: mask, Disp: 8}, hi)
	SHLQ(U8(56), n)
	ORQ(n, hi)
	key := XMM()
	VMOVQ(lo, key)
	VPINSRQ(U8(1), hi, key, key)
	XORQ(salts, lo)
	XORQ(salts.Offset(8), hi)
	MOVQ(lo, reg.RAX)
	MULQ(hi)
	XORQ(reg.RDX, reg.RAX)
	SHRQ(reg.CL, reg.RAX)
	SHLQ(U8(6), reg.RAX)
	ADDQ(buckets, reg.RAX)

	// The second entry if it is that of the key, else the first.
	differs, second := XMM(), GP64()
	XORQ(second, second)
	VPXOR(Mem{Base: reg.RAX, Disp: entryBytes}, key, differs)
	VPTEST(differs, differs)
	SETEQ(second.As8())
	SHLQ(U8(5), second)
	ADDQ(second, reg.RAX)
	VPXOR(Mem{Base: reg.RAX}, key, differs)
	VPTEST(differs, differs)
	JNZ(LabelRef("stop"))
	num, ids := GP64(), XMM()
	MOVL(Mem{Base: reg.RAX, Disp: entryIDs + 4*idsCached}, num.As32())
	VMOVDQU(Mem{Base: reg.RAX, Disp: entryIDs}, ids)
	CMPL(num.As32(), U8(idsCached))
	JA(LabelRef("many"))
	VMOVDQU(ids, Mem{Base: dst})
	LEAQ(Mem{Base: dst, Index: num, Scale: 4}, dst)
	MOVQ(at, begin)
	JMP(LabelRef("next"))

	// Many ids are copied from where the first says, four at a time.
	Label("many")
	from, to := GP64(), GP64()
	MOVL(Mem{Base: reg.RAX, Disp: entryIDs}, from.As32())
	SHLQ(U8(2), from)
	ADDQ(Load(Param("ids"), GP64()), from)
	MOVQ(dst, to)
	LEAQ(Mem{Base: dst, Index: num, Scale: 4}, dst)
	Label("copy")
	VMOVDQU(Mem{Base: from}, ids)
	VMOVDQU(ids, Mem{Base: to})
	ADDQ(U8(16), from)
	ADDQ(U8(16), to)
	CMPQ(to, dst)
	JB(LabelRef("copy"))
	MOVQ(at, begin)
	JMP(LabelRef("next"))

	Label("empty")
	INCQ(block)
	CMPQ(block, Load(Param("blocks"), GP64()))
	JE(LabelRef("end"))
	MOVQ(Mem{Base: Load(Param("starts"), GP64()), Index: block, Scale: 8}, set)
	MOVQ(block, base)
	SHLQ(U8(6), base)
	JMP(LabelRef("next"))

	Label("end")
	DECQ(block)
	MOVQ(begin, at)

	Label("stop")
	w = Load(Param("w"), GP64())
	MOVQ(set, Mem{Base: w})
	MOVQ(block, Mem{Base: w, Disp: 8})
	MOVQ(begin, Mem{Base: w, Disp: 16})
	MOVQ(at, Mem{Base: w, Disp: 24})
	SUBQ(Load(Param("dst"), GP64()), dst)
	SHRQ(U8(2), dst)
	Store(dst, ReturnIndex(0))
	RET()
}
