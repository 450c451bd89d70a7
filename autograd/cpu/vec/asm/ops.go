package main

import (
	"fmt"
	"math"
	"strings"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// isa is an instruction set.
type isa struct {
	name      string
	lanes     int // float32s in a vector
	constants int // how many of a kernel's constants may stay in registers
}

func (i isa) file() string { return strings.ToLower(i.name) }

// vec is a vector register.
type vec = reg.VecVirtual

// gen emits kernels of one instruction set. Each kernel is emitted twice: first
// into a context that is thrown away, to learn which constants it uses, then
// into the real one with the first of them preloaded into registers.
type gen struct {
	isa
	*build.Context
	real   *build.Context
	wanted []uint32              // constants in the order of their first use
	values map[uint32]operand.Op // where they are, in a register or in memory
	tables map[string]operand.Mem
	labels int
}

func newGen(i isa) *gen {
	g := &gen{isa: i, real: build.NewContext(), tables: map[string]operand.Mem{}}
	g.real.ConstraintExpr("amd64")
	return g
}

// kernel emits one function.
func (g *gen) kernel(name, signature, doc string, body func()) {
	start := g.labels
	g.wanted, g.values = nil, nil
	for _, ctx := range []*build.Context{build.NewContext(), g.real} {
		g.labels = start
		g.Context = ctx
		ctx.Function(name + g.name)
		ctx.Attributes(attr.NOSPLIT)
		ctx.SignatureExpr(signature)
		ctx.Doc(name + g.name + " " + doc)
		ctx.Pragma("noescape")
		if ctx == g.real {
			g.preload()
		}
		body()
		g.VZEROUPPER()
		g.RET()
	}
}

// preload puts the constants of the kernel where the body will find them.
func (g *gen) preload() {
	g.values = map[uint32]operand.Op{}
	for i, bits := range g.wanted {
		m := g.define(bits)
		g.values[bits] = m
		if i < g.isa.constants {
			r := g.vec()
			g.VMOVUPS(m, r)
			g.values[bits] = r
		}
	}
}

// define makes a vector of equal words in read-only memory.
func (g *gen) define(bits uint32) operand.Mem {
	words := make([]uint32, g.lanes)
	for i := range words {
		words[i] = bits
	}
	return g.table(fmt.Sprintf("word%08x", bits), words)
}

// table makes read-only memory of the words, once for each name.
func (g *gen) table(name string, words []uint32) operand.Mem {
	if m, ok := g.tables[name]; ok && g.Context == g.real {
		return m
	}
	m := g.StaticGlobal(name + g.name)
	g.DataAttributes(attr.RODATA | attr.NOPTR)
	for i, w := range words {
		g.AddDatum(4*i, operand.U32(w))
	}
	if g.Context == g.real {
		g.tables[name] = m
	}
	return m
}

// word returns a vector of equal 32-bit words, in a register or in memory.
func (g *gen) word(bits uint32) operand.Op {
	if op, ok := g.values[bits]; ok {
		return op
	}
	for _, w := range g.wanted {
		if w == bits {
			return g.vec()
		}
	}
	g.wanted = append(g.wanted, bits)
	return g.vec()
}

// c returns a vector of equal floats, in a register or in memory.
func (g *gen) c(f float64) operand.Op { return g.word(math.Float32bits(float32(f))) }

// in brings an operand into a register.
func (g *gen) in(op operand.Op) vec {
	if r, ok := op.(vec); ok {
		return r
	}
	r := g.vec()
	g.VMOVUPS(op, r)
	return r
}

// copyOf returns a register that may be overwritten.
func (g *gen) copyOf(op operand.Op) vec {
	r := g.vec()
	g.VMOVUPS(op, r)
	return r
}

func (g *gen) vec() vec {
	if g.lanes == 16 {
		return g.ZMM()
	}
	return g.YMM()
}

func (g *gen) zero() vec {
	r := g.vec()
	g.clear(r)
	return r
}

func (g *gen) clear(r vec) {
	if g.lanes == 16 {
		g.VPXORD(r, r, r)
	} else {
		g.VXORPS(r, r, r)
	}
}

func (g *gen) broadcast(op operand.Op) vec {
	r := g.vec()
	g.VBROADCASTSS(op, r)
	return r
}

// scalar loads a 32-bit parameter into every lane.
func (g *gen) scalar(param string) vec {
	p, err := g.Param(param).Resolve()
	if err != nil {
		panic(err)
	}
	return g.broadcast(p.Addr)
}

// The arithmetic operations return a new register. Their last argument may be
// in memory.

func (g *gen) add(a vec, b operand.Op) vec { r := g.vec(); g.VADDPS(b, a, r); return r }
func (g *gen) sub(a vec, b operand.Op) vec { r := g.vec(); g.VSUBPS(b, a, r); return r }
func (g *gen) mul(a vec, b operand.Op) vec { r := g.vec(); g.VMULPS(b, a, r); return r }
func (g *gen) div(a vec, b operand.Op) vec { r := g.vec(); g.VDIVPS(b, a, r); return r }
func (g *gen) and(a vec, b operand.Op) vec { r := g.vec(); g.VANDPS(b, a, r); return r }
func (g *gen) or(a vec, b operand.Op) vec  { r := g.vec(); g.VORPS(b, a, r); return r }
func (g *gen) xor(a vec, b operand.Op) vec { r := g.vec(); g.VXORPS(b, a, r); return r }

// max and min return b when either is NaN.
func (g *gen) max(a vec, b operand.Op) vec { r := g.vec(); g.VMAXPS(b, a, r); return r }
func (g *gen) min(a vec, b operand.Op) vec { r := g.vec(); g.VMINPS(b, a, r); return r }

func (g *gen) abs(a vec) vec { return g.and(a, g.word(1<<31-1)) }

// fma returns a·b + c.
func (g *gen) fma(a vec, b operand.Op, c operand.Op) vec {
	r := g.copyOf(c)
	g.VFMADD231PS(b, a, r)
	return r
}

// fnma returns c - a·b.
func (g *gen) fnma(a vec, b operand.Op, c operand.Op) vec {
	r := g.copyOf(c)
	g.VFNMADD231PS(b, a, r)
	return r
}

// polynomial returns c[0] + c[1]·x + c[2]·x² + … by Horner's rule.
func (g *gen) polynomial(x vec, c ...float64) vec {
	n := len(c) - 1
	r := g.copyOf(g.c(c[n]))
	for i := n - 1; i >= 0; i-- {
		g.VFMADD213PS(g.c(c[i]), x, r)
	}
	return r
}

// round rounds to the nearest integer, ties to even.
func (g *gen) round(a operand.Op) vec {
	r := g.vec()
	if g.lanes == 16 {
		g.VRNDSCALEPS(operand.U8(8), a, r)
	} else {
		g.VROUNDPS(operand.U8(8), a, r)
	}
	return r
}

// Comparison predicates of VCMPPS.
const (
	equal           = 0x00
	less            = 0x01
	unordered       = 0x03
	notGreaterEqual = 0x09
	greater         = 0x1e
)

// cmp compares a with b; the mask is a k register or a vector.
func (g *gen) cmp(predicate int, a vec, b operand.Op) reg.Register {
	if g.lanes == 16 {
		k := g.K()
		g.VCMPPS(operand.U8(predicate), b, a, k)
		return k
	}
	r := g.vec()
	g.VCMPPS(operand.U8(predicate), b, a, r)
	return r
}

// choose returns yes where the mask is set and no elsewhere.
func (g *gen) choose(mask reg.Register, yes operand.Op, no vec) vec {
	r := g.vec()
	if g.lanes == 16 {
		g.VBLENDMPS(yes, no, mask, r)
	} else {
		g.VBLENDVPS(mask, yes, no, r)
	}
	return r
}

// zeroUnless returns a where the mask is set and 0 elsewhere.
func (g *gen) zeroUnless(mask reg.Register, a vec) vec {
	r := g.vec()
	if g.lanes == 16 {
		g.VMOVUPS_Z(a, mask, r)
	} else {
		g.VANDPS(mask, a, r)
	}
	return r
}

// label returns a fresh label.
func (g *gen) label(name string) string {
	g.labels++
	return fmt.Sprintf("%s%d", name, g.labels)
}

// pointer loads the base of a slice or a pointer parameter.
func (g *gen) pointer(param string) reg.GPVirtual {
	p := g.Param(param)
	r := g.GP64()
	if strings.HasPrefix(param, "*") {
		p = g.Param(param[1:])
		g.Load(p, r)
		return r
	}
	g.Load(p.Base(), r)
	return r
}

func (g *gen) length(param string) reg.GPVirtual {
	r := g.GP64()
	g.Load(g.Param(param).Len(), r)
	return r
}

func (g *gen) integer(param string) reg.GPVirtual {
	r := g.GP64()
	g.Load(g.Param(param), r)
	return r
}

// unlessNil emits the code only reached when p is not nil.
func (g *gen) unlessNil(p reg.Register, code func()) {
	skip := g.label("skip")
	g.TESTQ(p, p)
	g.JZ(operand.LabelRef(skip))
	code()
	g.Label(skip)
}
