package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// attention emits the kernels under the tiles of attention.
func (g *gen) attention() {
	vectors := 32 / g.lanes // columns of a wide tile: 32 with AVX-512, 16 with AVX2
	if g.lanes == 8 {
		vectors = 2
	}
	heights := []int{8, 4, 1}
	if g.lanes == 8 {
		heights = []int{4, 1}
	}
	g.tile("tileWide", vectors, heights)
	if g.lanes == 16 {
		g.tile("tileNarrow", 1, heights)
	}
	g.softmaxLanes()
	g.probGrad()
	g.maskBand()
	g.maskSegments()
	g.rowDots()
	g.scaleRows()
}

// tile emits C[m×n] = rowScale·C + A·B for n = vectors·lanes, with a loop of
// register blocks for each of heights rows in turn. Accumulators: heights·vectors
// registers; each step of k loads vectors of B and broadcasts one float of A a
// row, far fewer loads than the multiply-adds need.
func (g *gen) tile(name string, vectors int, heights []int) {
	signature := "func(c *float32, ldc, m, k int, a *float32, as, ak int, b *float32, ldb int, rowScale *float32)"
	doc := fmt.Sprintf("sets C = rowScale·C + A·B for m×%d of C (tileGeneric).", vectors*g.lanes)
	g.kernel(name, signature, doc, func() {
		c, ldc, m := g.pointer("*c"), g.integer("ldc"), g.integer("m")
		a, as, ak := g.pointer("*a"), g.integer("as"), g.integer("ak")
		b, ldb, rowScale := g.pointer("*b"), g.integer("ldb"), g.pointer("*rowScale")
		for _, stride := range []reg.GPVirtual{ldc, as, ak, ldb} {
			g.SHLQ(operand.U8(2), stride)
		}
		as3 := g.GP64()
		g.LEAQ(operand.Mem{Base: as, Index: as, Scale: 2}, as3)
		for _, rows := range heights {
			top, end := g.label("rows"), g.label("fewer")
			g.Label(top)
			g.CMPQ(m, operand.I8(rows))
			g.JL(operand.LabelRef(end))
			acc := g.product(rows, vectors, a, as, as3, ak, b, ldb)
			g.finish(acc, c, ldc, rowScale)
			for left := rows; left > 0; left -= 4 {
				if left >= 4 {
					g.LEAQ(operand.Mem{Base: a, Index: as, Scale: 4}, a)
				} else {
					g.ADDQ(as, a)
				}
			}
			g.SUBQ(operand.I8(rows), m)
			g.JMP(operand.LabelRef(top))
			g.Label(end)
		}
	})
}

// product returns the accumulators of rows×vectors of A·B. rows is 1, 4 or 8.
func (g *gen) product(rows, vectors int, a, as, as3, ak, b, ldb reg.GPVirtual) [][]vec {
	acc := make([][]vec, rows)
	for i := range acc {
		for range vectors {
			acc[i] = append(acc[i], g.zero())
		}
	}
	base := []reg.GPVirtual{g.GP64()}
	g.MOVQ(a, base[0])
	if rows > 4 {
		base = append(base, g.GP64())
		g.LEAQ(operand.Mem{Base: a, Index: as, Scale: 4}, base[1])
	}
	pb, left := g.GP64(), g.GP64()
	g.MOVQ(b, pb)
	g.Load(g.Param("k"), left)
	top := g.label("k")
	g.Label(top)
	var bv []vec
	for j := range vectors {
		bv = append(bv, g.in(operand.Mem{Base: pb, Disp: 4 * g.lanes * j}))
	}
	for i := range rows {
		address := operand.Mem{Base: base[i/4]}
		switch i % 4 {
		case 1:
			address.Index, address.Scale = as, 1
		case 2:
			address.Index, address.Scale = as, 2
		case 3:
			address.Index, address.Scale = as3, 1
		}
		av := g.broadcast(address)
		for j := range vectors {
			g.VFMADD231PS(bv[j], av, acc[i][j])
		}
	}
	for _, p := range base {
		g.ADDQ(ak, p)
	}
	g.ADDQ(ldb, pb)
	g.DECQ(left)
	g.JNZ(operand.LabelRef(top))
	return acc
}

// finish adds rowScale·C, unless rowScale is nil, stores the accumulators and
// moves c and rowScale on.
func (g *gen) finish(acc [][]vec, c, ldc, rowScale reg.GPVirtual) {
	store, done := g.label("store"), g.label("stored")
	rows := func(scaled bool) {
		for i, row := range acc {
			var f vec
			if scaled {
				f = g.broadcast(operand.Mem{Base: rowScale, Disp: 4 * i})
			}
			for j, r := range row {
				m := operand.Mem{Base: c, Disp: 4 * g.lanes * j}
				if scaled {
					g.VFMADD231PS(m, f, r)
				}
				g.VMOVUPS(r, m)
			}
			g.ADDQ(ldc, c)
		}
	}
	g.TESTQ(rowScale, rowScale)
	g.JZ(operand.LabelRef(store))
	rows(true)
	g.ADDQ(operand.I8(4*len(acc)), rowScale)
	g.JMP(operand.LabelRef(done))
	g.Label(store)
	rows(false)
	g.Label(done)
}

// softmaxLanes emits the running softmax of one vector of columns.
func (g *gen) softmaxLanes() {
	g.kernel("softmaxLanes", "func(s *float32, ld, rows int, max, sum, alpha *float32)",
		fmt.Sprintf("is softmaxLanesGeneric for %d columns.", g.lanes), func() {
			s, ld, rows := g.pointer("*s"), g.integer("ld"), g.integer("rows")
			maxAt, sumAt, alphaAt := g.pointer("*max"), g.pointer("*sum"), g.pointer("*alpha")
			g.SHLQ(operand.U8(2), ld)
			old := g.in(operand.Mem{Base: maxAt})
			top := []vec{g.copyOf(old), g.copyOf(old)}
			g.eachRow(s, ld, rows, 2, func(u int, m operand.Mem) { g.VMAXPS(m, top[u], top[u]) })
			max := g.max(top[0], top[1])
			alpha := g.exp2(g.sub(old, max))
			g.VMOVUPS(max, operand.Mem{Base: maxAt})
			g.VMOVUPS(alpha, operand.Mem{Base: alphaAt})
			sum := []vec{g.mul(alpha, operand.Mem{Base: sumAt}), g.zero()}
			g.eachRow(s, ld, rows, 2, func(u int, m operand.Mem) {
				e := g.exp2(g.sub(g.in(m), max))
				g.VADDPS(e, sum[u], sum[u])
				g.VMOVUPS(e, m)
			})
			g.VMOVUPS(g.add(sum[0], sum[1]), operand.Mem{Base: sumAt})
		})
}

// eachRow walks down a column of vectors, unroll rows at a time and then one.
func (g *gen) eachRow(s, ld, rows reg.GPVirtual, unroll int, body func(u int, m operand.Mem)) {
	p, left := g.GP64(), g.GP64()
	g.MOVQ(s, p)
	g.MOVQ(rows, left)
	for _, n := range []int{unroll, 1} {
		top, end := g.label("row"), g.label("rowEnd")
		g.CMPQ(left, operand.I8(n))
		g.JL(operand.LabelRef(end))
		g.Label(top)
		for u := range n {
			body(u, operand.Mem{Base: p})
			g.ADDQ(ld, p)
		}
		g.SUBQ(operand.I8(n), left)
		g.CMPQ(left, operand.I8(n))
		g.JGE(operand.LabelRef(top))
		g.Label(end)
	}
}

func (g *gen) probGrad() {
	g.kernel("probGrad", "func(p, ds *float32, ld, rows, n int, lse, d *float32)",
		"is probGradGeneric: p = 2^(p-lse), ds = p·(ds-d).", func() {
			p, ds, ld, n := g.pointer("*p"), g.pointer("*ds"), g.integer("ld"), g.integer("n")
			lseAt, dAt := g.pointer("*lse"), g.pointer("*d")
			g.SHLQ(operand.U8(2), ld)
			g.counted(g.integer("rows"), func() {
				lse, d := g.broadcast(operand.Mem{Base: lseAt}), g.broadcast(operand.Mem{Base: dAt})
				index := g.GP64()
				g.XORQ(index, index)
				top := g.label("columns")
				g.Label(top)
				for u := range 16 / g.lanes {
					m := access{g: g, index: index, disp: 4 * g.lanes * u}
					e := g.exp2(g.sub(m.load(p), lse))
					m.store(e, p)
					m.store(g.mul(e, g.sub(m.load(ds), d)), ds)
				}
				g.ADDQ(operand.I8(16), index)
				g.CMPQ(index, n)
				g.JL(operand.LabelRef(top))
				g.ADDQ(ld, p)
				g.ADDQ(ld, ds)
				g.ADDQ(operand.I8(4), lseAt)
				g.ADDQ(operand.I8(4), dAt)
			})
		})
}

func (g *gen) maskBand() {
	g.kernel("maskBand", "func(x *float32, ld, rows, n, lo, hi int, fill float32)",
		"is maskBandGeneric; n is a multiple of 16.", func() {
			x, ld, n, fill := g.pointer("*x"), g.integer("ld"), g.integer("n"), g.scalar("fill")
			lo, hi := g.everyLane(g.integer("lo")), g.everyLane(g.integer("hi"))
			one, step := g.in(g.word(1)), g.in(g.word(uint32(g.lanes)))
			g.SHLQ(operand.U8(2), ld)
			g.counted(g.integer("rows"), func() {
				column, index := g.in(g.laneNumbers()), g.GP64()
				g.XORQ(index, index)
				top := g.label("columns")
				g.Label(top)
				m := access{g: g, index: index}
				g.fillOutside(m.at(x), column, lo, hi, fill)
				g.VPADDD(step, column, column)
				g.ADDQ(operand.I8(g.lanes), index)
				g.CMPQ(index, n)
				g.JL(operand.LabelRef(top))
				g.VPADDD(one, lo, lo)
				g.VPADDD(one, hi, hi)
				g.ADDQ(ld, x)
			})
		})
}

// fillOutside stores fill where not lo ≤ column < hi.
func (g *gen) fillOutside(m operand.Mem, column, lo, hi, fill vec) {
	if g.lanes == 16 {
		below, above := g.K(), g.K()
		g.VPCMPGTD(column, lo, below)              // lo > column
		g.VPCMPD(operand.U8(2), column, hi, above) // hi ≤ column
		g.KORW(below, above, above)
		g.VMOVUPS(fill, above, m)
		return
	}
	below, inside := g.vec(), g.vec()
	g.VPCMPGTD(column, lo, below)
	g.VPCMPGTD(column, hi, inside)
	g.VPANDN(inside, below, inside)
	g.VMOVUPS(g.choose(inside, m, fill), m)
}

func (g *gen) maskSegments() {
	g.kernel("maskSegments", "func(x *float32, ld int, rowIDs, columnIDs []int32, fill float32)",
		"is maskSegmentsGeneric. A negative row is replaced by an id that no column has.", func() {
			x, ld, fill := g.pointer("*x"), g.integer("ld"), g.scalar("fill")
			rows, columns, n := g.pointer("rowIDs"), g.pointer("columnIDs"), g.length("columnIDs")
			id, none := g.GP32(), g.GP32()
			g.MOVL(operand.U32(1<<31), none)
			g.SHLQ(operand.U8(2), ld)
			g.counted(g.length("rowIDs"), func() {
				g.MOVL(operand.Mem{Base: rows}, id)
				g.TESTL(id, id)
				g.CMOVLLT(none, id)
				row := g.everyLane(id.As64().(reg.GPVirtual))
				g.loop(n, 1, func(_ int, m access) {
					m.store(g.choose(g.sameWord(row, m.load(columns)), m.load(x), fill), x)
				}, nil)
				g.ADDQ(operand.I8(4), rows)
				g.ADDQ(ld, x)
			})
		})
}

// sameWord is the mask of equal 32-bit lanes.
func (g *gen) sameWord(a, b vec) reg.Register {
	if g.lanes == 16 {
		k := g.K()
		g.VPCMPEQD(a, b, k)
		return k
	}
	r := g.vec()
	g.VPCMPEQD(a, b, r)
	return r
}

// everyLane broadcasts the low 32 bits of an integer.
func (g *gen) everyLane(n reg.GPVirtual) vec {
	low, r := g.XMM(), g.vec()
	g.VMOVD(n.As32(), low)
	g.VPBROADCASTD(low, r)
	return r
}

// laneNumbers is the table 0, 1, 2, …
func (g *gen) laneNumbers() operand.Mem {
	words := make([]uint32, g.lanes)
	for i := range words {
		words[i] = uint32(i)
	}
	return g.table("laneNumbers", words)
}

func (g *gen) rowDots() {
	g.kernel("rowDots", "func(dst []float32, x *float32, ldx int, y *float32, ldy, n int, scale float32)",
		"is rowDotsGeneric.", func() {
			dst, x, ldx := g.pointer("dst"), g.pointer("*x"), g.integer("ldx")
			y, ldy := g.pointer("*y"), g.integer("ldy")
			n, scale := g.integer("n"), g.scalar("scale")
			g.SHLQ(operand.U8(2), ldx)
			g.SHLQ(operand.U8(2), ldy)
			g.counted(g.length("dst"), func() {
				acc := []vec{g.zero(), g.zero()}
				g.loop(n, 2, func(u int, m access) { g.VFMADD231PS(m.load(x), m.load(y), acc[u]) }, nil)
				total := g.fold(g.add(acc[0], acc[1]), g.VADDPS)
				g.VMULSS(scale.AsX(), total.AsX(), total.AsX())
				g.VMOVSS(total.AsX(), operand.Mem{Base: dst})
				g.ADDQ(operand.I8(4), dst)
				g.ADDQ(ldx, x)
				g.ADDQ(ldy, y)
			})
		})
}

func (g *gen) scaleRows() {
	g.kernel("scaleRows", "func(dst *float32, ldd int, src *float32, lds, rows, cols int, f *float32, add bool)",
		"is scaleRowsGeneric.", func() {
			dst, ldd := g.pointer("*dst"), g.integer("ldd")
			src, lds := g.pointer("*src"), g.integer("lds")
			cols, f, add := g.integer("cols"), g.pointer("*f"), g.GP64()
			g.Load(g.Param("add"), add.As8())
			g.MOVBLZX(add.As8(), add.As32())
			g.SHLQ(operand.U8(2), ldd)
			g.SHLQ(operand.U8(2), lds)
			scale := g.copyOf(g.c(1))
			g.counted(g.integer("rows"), func() {
				g.unlessNil(f, func() {
					g.VBROADCASTSS(operand.Mem{Base: f}, scale)
					g.ADDQ(operand.I8(4), f)
				})
				g.loop(cols, 2, func(_ int, m access) {
					r := g.mul(scale, m.load(src))
					g.unlessNil(add, func() { g.VADDPS(m.load(dst), r, r) })
					m.store(r, dst)
				}, nil)
				g.ADDQ(ldd, dst)
				g.ADDQ(lds, src)
			})
		})
}
