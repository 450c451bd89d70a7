// Command tile generates the inner loops of the matrix product.
package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"example.com/gotrain/autograd/cpu/kernel/asm/x86"
)

const (
	panelRows = 8 // rows of a packed panel of A
	unroll    = 4 // steps along K per iteration
)

// A target is an instruction set as the kernel sees it.
type target struct {
	name  string
	regs  []reg.VecPhysical
	bytes int  // per vector register
	rows  int  // rows of C held in registers at once; divides panelRows
	pairs bool // the 32-bit elements are pairs of bfloat16
	apart bool // rows of A lie aRow apart, and steps along K are contiguous
}

const head = `
The inner loop of the matrix product: C (+)= A·B for panels of 8 rows of A and one
panel of B of one to three vectors, K steps at a time, all sums in registers.

AVX512: 8×48 floats are 24 accumulators. A step is 3 loads of B, 8 broadcasts of A
and 24 multiply-adds, which bind: one 512-bit multiply-add a cycle on Zen 4, two on
servers of Intel. B streams from the L2 cache at 192 bytes per 24 cycles, A from L1.
AVX2: 4×24 floats are 12 accumulators, two passes per panel of A.
BF16: as AVX512 with VDPBF16PS on pairs of bfloat16, twice the arithmetic per step.

8×48 because 8 rows transpose well and divide the usual sizes evenly. 6×64 needs as
many accumulators and 10 loads a step; the two were not compared in this code.
Prefetching the next block of a strided operand from here gained nothing.

The kernels called rows are the same for 8 rows of A that lie apart, each contiguous
along K, such as the pixels of a picture: nothing is packed, and rows may overlap.
`

func main() {
	ConstraintExpr(x86.Constraint)
	for _, t := range []target{
		{"AVX2", x86.Y, 32, 4, false, false},
		{"AVX512", x86.Z, 64, 8, false, false},
		{"BF16", x86.Z, 64, 8, true, false},
	} {
		for _, t.apart = range []bool{false, true} {
			for vectors := 1; vectors <= 3; vectors++ {
				t.tile(vectors)
			}
		}
	}
	x86.Generate(head)
}

// tile emits the kernel for panels of B that are so many vectors wide.
func (t target) tile(vectors int) {
	name := fmt.Sprintf("tile%s_%d", t.name, vectors)
	if t.apart {
		name = fmt.Sprintf("rows%s_%d", t.name, vectors)
	}
	TEXT(name, NOSPLIT, "func(t *"+x86.StructOf("../tile.go", "tile")+")")
	p := GP64()
	Load(Param("t"), p)
	field := func(name string) reg.GPVirtual {
		return Load(Param("t").Dereference(p).Field(name), GP64()).(reg.GPVirtual)
	}
	l := loop{
		target: t, vectors: vectors,
		k: GP64(), a: GP64(), b: GP64(),
		rowA: field("a"), c: field("c"), src: field("src"),
		bStep: field("bStep"), ldc: field("ldc"), ldsrc: field("ldsrc"),
		field:  func(name string, r reg.Register) { Load(Param("t").Dereference(p).Field(name), r) },
		panels: field("panels"),
	}
	if t.apart {
		l.aRow, l.aRow3 = field("aRow"), GP64()
		LEAQ(Mem{Base: l.aRow, Index: l.aRow, Scale: 2}, l.aRow3)
		if t.rows > 4 {
			l.a4 = GP64()
		}
	} else {
		l.aStep = field("aStep")
	}
	Label("panel")
	for row := 0; row < panelRows; row += t.rows {
		l.pass(row)
	}
	l.field("aPanel", l.k)
	ADDQ(l.k, l.rowA)
	DECQ(l.panels)
	JNZ(LabelRef("panel"))
	VZEROUPPER()
	RET()
}

// A loop is the state of one kernel: the registers of its pointers and strides.
type loop struct {
	target
	vectors                  int
	k, a, b                  reg.GPVirtual // scratch of one pass
	rowA, c, src             reg.GPVirtual // of the current panel
	aStep, bStep, ldc, ldsrc reg.GPVirtual // bytes
	panels                   reg.GPVirtual // left to do
	aRow, aRow3, a4          reg.GPVirtual // of rows apart: the distance, three times it, row 4
	field                    func(name string, r reg.Register)
}

func (l loop) acc(i, j int) int { return i*l.vectors + j }

// pass computes t.rows rows of the current panel, from row on.
func (l loop) pass(row int) {
	label := func(s string) string { return fmt.Sprintf("%s%d", s, row) }
	l.prefetchC()
	for i := range l.rows * l.vectors {
		if l.bytes == 64 {
			VPXORD(l.regs[i], l.regs[i], l.regs[i])
		} else {
			VXORPS(l.regs[i], l.regs[i], l.regs[i])
		}
	}
	l.field("k", l.k)
	l.field("b", l.b)
	switch {
	case !l.apart:
		LEAQ(Mem{Base: l.rowA, Disp: 4 * row}, l.a)
	case row == 0:
		MOVQ(l.rowA, l.a)
	default:
		LEAQ(Mem{Base: l.rowA, Index: l.aRow, Scale: 4}, l.a)
	}
	if l.a4 != nil {
		LEAQ(Mem{Base: l.a, Index: l.aRow, Scale: 4}, l.a4)
	}
	SUBQ(U8(unroll), l.k)
	JLT(LabelRef(label("rest")))
	Label(label("steps"))
	for range unroll {
		l.step()
	}
	SUBQ(U8(unroll), l.k)
	JGE(LabelRef(label("steps")))
	Label(label("rest"))
	ADDQ(U8(unroll), l.k)
	JZ(LabelRef(label("store")))
	Label(label("step"))
	l.step()
	DECQ(l.k)
	JNZ(LabelRef(label("step")))
	Label(label("store"))
	l.store(label)
}

// prefetchC brings the rows of C that the pass will write into the cache.
func (l loop) prefetchC() {
	MOVQ(l.c, l.b)
	for i := range l.rows {
		for off := 0; off < l.vectors*l.bytes; off += 64 {
			PREFETCHT0(Mem{Base: l.b, Disp: off})
		}
		if i < l.rows-1 {
			ADDQ(l.ldc, l.b)
		}
	}
}

// step adds one outer product: a column of A times a row of B.
func (l loop) step() {
	b := l.rows * l.vectors
	a := b + l.vectors
	spare := min(len(l.regs)-a, 4)
	for j := range l.vectors {
		VMOVUPS(Mem{Base: l.b, Disp: j * l.bytes}, l.regs[b+j])
	}
	for i := range l.rows {
		r := a + i%spare
		VBROADCASTSS(l.element(i), l.regs[r])
		for j := range l.vectors {
			if l.pairs {
				x86.VDPBF16PS(l.acc(i, j), b+j, r)
			} else {
				VFMADD231PS(l.regs[b+j], l.regs[r], l.regs[l.acc(i, j)])
			}
		}
	}
	if l.apart {
		ADDQ(U8(4), l.a)
		if l.a4 != nil {
			ADDQ(U8(4), l.a4)
		}
	} else {
		ADDQ(l.aStep, l.a)
	}
	ADDQ(l.bStep, l.b)
}

// element is row i of the step of A.
func (l loop) element(i int) Mem {
	if !l.apart {
		return Mem{Base: l.a, Disp: 4 * i}
	}
	at := Mem{Base: l.a}
	if i >= 4 {
		at.Base = l.a4
	}
	switch i % 4 {
	case 1:
		at.Index, at.Scale = l.aRow, 1
	case 2:
		at.Index, at.Scale = l.aRow, 2
	case 3:
		at.Index, at.Scale = l.aRow3, 1
	}
	return at
}

// store adds src and bias, where given, and writes the rows to C.
func (l loop) store(label func(string) string) {
	TESTQ(l.src, l.src)
	JZ(LabelRef(label("bias")))
	for i := range l.rows {
		for j := range l.vectors {
			r := l.regs[l.acc(i, j)]
			VADDPS(Mem{Base: l.src, Disp: j * l.bytes}, r, r)
		}
		ADDQ(l.ldsrc, l.src)
	}
	Label(label("bias"))
	l.field("bias", l.b)
	TESTQ(l.b, l.b)
	JZ(LabelRef(label("write")))
	for j := range l.vectors {
		bias := l.regs[l.rows*l.vectors+j]
		VMOVUPS(Mem{Base: l.b, Disp: j * l.bytes}, bias)
		for i := range l.rows {
			r := l.regs[l.acc(i, j)]
			VADDPS(bias, r, r)
		}
	}
	Label(label("write"))
	for i := range l.rows {
		for j := range l.vectors {
			VMOVUPS(l.regs[l.acc(i, j)], Mem{Base: l.c, Disp: j * l.bytes})
		}
		ADDQ(l.ldc, l.c)
	}
}
