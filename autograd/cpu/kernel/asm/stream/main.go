// Command stream generates the inner loops of products of few rows with a matrix that
// is read where it stands.
package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"example.com/gotrain/autograd/cpu/kernel/asm/x86"
)

const (
	panelRows = 8 // rows of the matrix per round
	unroll    = 4 // steps along K per iteration
)

// A target is an instruction set as the kernel sees it.
type target struct {
	name  string
	regs  []reg.VecPhysical
	bytes int // per vector register
	rows  int // rows of sums held in registers at once; divides panelRows
}

const head = `
The inner loop of (A·Bᵀ)ᵀ for a packed A of one to three vectors of rows and eight rows of
B at a time, which are read in place: every element of B is broadcast from memory and used
once, so that packing B would cost more than the multiplication.

AVX512: 8×16 to 8×48 sums. With one vector the eight sums hide the latency of a multiply-add
just so (4 cycles, 2 a cycle); the broadcasts, two a cycle, bind as the multiply-adds do.
AVX2: 4×8 to 4×24 sums, two passes over the rows.
`

func main() {
	ConstraintExpr(x86.Constraint)
	for _, t := range []target{
		{"AVX2", x86.Y, 32, 4},
		{"AVX512", x86.Z, 64, 8},
	} {
		for vectors := 1; vectors <= 3; vectors++ {
			t.stream(vectors)
		}
	}
	x86.Generate(head)
}

// stream emits the kernel for panels of A that are so many vectors wide.
func (t target) stream(vectors int) {
	TEXT(fmt.Sprintf("stream%s_%d", t.name, vectors), NOSPLIT, "func(t *"+x86.StructOf("../tile.go", "tile")+")")
	p := GP64()
	Load(Param("t"), p)
	field := func(name string) reg.GPVirtual {
		return Load(Param("t").Dereference(p).Field(name), GP64()).(reg.GPVirtual)
	}
	l := loop{
		target: t, vectors: vectors,
		k: GP64(), a: GP64(), b: GP64(), step3: GP64(),
		rowA: field("a"), step: field("aStep"), c: field("c"), src: field("src"), bias: field("bias"),
		field: func(name string, r reg.Register) { Load(Param("t").Dereference(p).Field(name), r) },
	}
	panels := field("panels")
	LEAQ(Mem{Base: l.step, Index: l.step, Scale: 2}, l.step3)
	Label("panel")
	for row := 0; row < panelRows; row += t.rows {
		l.pass(row)
	}
	DECQ(panels)
	JNZ(LabelRef("panel"))
	VZEROUPPER()
	RET()
}

// A loop is the state of one kernel: the registers of its pointers and strides.
type loop struct {
	target
	vectors      int
	k, a, b      reg.GPVirtual // scratch of one pass; a is that of row 4
	step, step3  reg.GPVirtual // bytes from a row of B's to the next, and to the third
	rowA         reg.GPVirtual // the first row of the pass
	c, src, bias reg.GPVirtual // of the pass
	field        func(name string, r reg.Register)
}

func (l loop) sum(i, j int) reg.VecPhysical { return l.regs[i*l.vectors+j] }

// pass computes t.rows rows.
func (l loop) pass(row int) {
	label := func(s string) string { return fmt.Sprintf("%s%d", s, row) }
	for i := range l.rows * l.vectors {
		if l.bytes == 64 {
			VPXORD(l.regs[i], l.regs[i], l.regs[i])
		} else {
			VXORPS(l.regs[i], l.regs[i], l.regs[i])
		}
	}
	l.field("k", l.k)
	l.field("b", l.b)
	LEAQ(Mem{Base: l.rowA, Index: l.step, Scale: 4}, l.a)
	SUBQ(U8(unroll), l.k)
	JLT(LabelRef(label("rest")))
	Label(label("steps"))
	l.steps(unroll)
	SUBQ(U8(unroll), l.k)
	JGE(LabelRef(label("steps")))
	Label(label("rest"))
	ADDQ(U8(unroll), l.k)
	JZ(LabelRef(label("store")))
	Label(label("step"))
	l.steps(1)
	DECQ(l.k)
	JNZ(LabelRef(label("step")))
	Label(label("store"))
	l.store(label)
	// Both row pointers stand behind the steps that were made.
	l.field("k", l.k)
	SHLQ(U8(2), l.k)
	SUBQ(l.k, l.rowA)
	LEAQ(Mem{Base: l.rowA, Index: l.step, Scale: uint8(l.rows)}, l.rowA)
}

// element is that of row i of the pass, at a step ahead.
func (l loop) element(i, step int) Mem {
	base := []reg.GPVirtual{l.rowA, l.a}[i/4]
	m := Mem{Base: base, Disp: 4 * step}
	switch i % 4 {
	case 1:
		m.Index, m.Scale = l.step, 1
	case 2:
		m.Index, m.Scale = l.step, 2
	case 3:
		m.Index, m.Scale = l.step3, 1
	}
	return m
}

// steps adds n outer products.
func (l loop) steps(n int) {
	x := l.regs[l.rows*l.vectors:]
	spare := x[l.vectors:]
	spare = spare[:min(len(spare), 4)]
	for step := range n {
		for j := range l.vectors {
			VMOVUPS(Mem{Base: l.b, Disp: (step*l.vectors + j) * l.bytes}, x[j])
		}
		for i := range l.rows {
			if l.vectors == 1 && l.bytes == 64 {
				VFMADD231PS_BCST(l.element(i, step), x[0], l.sum(i, 0))
				continue
			}
			y := spare[i%len(spare)]
			VBROADCASTSS(l.element(i, step), y)
			for j := range l.vectors {
				VFMADD231PS(x[j], y, l.sum(i, j))
			}
		}
	}
	ADDQ(I32(n*l.vectors*l.bytes), l.b)
	ADDQ(U8(4*n), l.rowA)
	if l.rows > 4 {
		ADDQ(U8(4*n), l.a)
	}
}

// store adds src and bias, where given, and writes the rows to C.
func (l loop) store(label func(string) string) {
	each := func(f func(i, j int)) {
		for i := range l.rows {
			for j := range l.vectors {
				f(i, j)
			}
		}
	}
	ld := l.b
	l.field("ldsrc", ld)
	TESTQ(l.src, l.src)
	JZ(LabelRef(label("bias")))
	each(func(i, j int) {
		VADDPS(Mem{Base: l.src, Disp: j * l.bytes}, l.sum(i, j), l.sum(i, j))
		if j == l.vectors-1 {
			ADDQ(ld, l.src)
		}
	})
	Label(label("bias"))
	TESTQ(l.bias, l.bias)
	JZ(LabelRef(label("write")))
	y := l.regs[l.rows*l.vectors]
	each(func(i, j int) {
		if j == 0 {
			VBROADCASTSS(Mem{Base: l.bias, Disp: 4 * i}, y)
		}
		VADDPS(y, l.sum(i, j), l.sum(i, j))
	})
	ADDQ(U8(4*l.rows), l.bias)
	Label(label("write"))
	l.field("ldc", ld)
	each(func(i, j int) {
		VMOVUPS(l.sum(i, j), Mem{Base: l.c, Disp: j * l.bytes})
		if j == l.vectors-1 {
			ADDQ(ld, l.c)
		}
	})
}
