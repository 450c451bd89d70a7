package kernel

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
)

// reading is a with B read from a copy, and counts what is read.
func reading(a Args, count *atomic.Int64) Args {
	b := slices.Clone(a.B)
	a.B = nil
	a.ReadB = func(dst []float32, row, rows, col, cols int) {
		for r := range rows {
			copy(dst[r*cols:][:cols], b[(row+r)*a.LDB+col:])
		}
		count.Add(int64(rows * cols))
	}
	return a
}

// A product with a B that is read, such as weights of few bits, has the bits of that with a
// B in memory, and reads it once: as text is generated too, where there are few rows.
func TestReadOnce(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, isa := range Supported() {
		pool := NewPool(3)
		g := NewGEMM(pool, isa)
		for _, d := range [][3]int{{1, 70, 100}, {2, 300, 33}, {4, 1030, 96}, {5, 200, 200}, {16, 500, 800}, {33, 1, 5}, {64, 97, 1100}, {500, 130, 130}} {
			for variant := range 8 {
				a := Args{M: d[0], N: d[1], K: d[2], TransA: variant&1 != 0, TransB: variant&2 != 0, BF16: variant&4 != 0}
				p := newProduct(rng, a, 0, variant == 3, variant == 2)
				q := p.Args
				q.C = slices.Clone(p.C)
				var count atomic.Int64
				q = reading(q, &count)
				g.Mul(&p.Args)
				g.Mul(&q)
				name := fmt.Sprintf("%v %v transA=%t transB=%t bf16=%t", isa, d, a.TransA, a.TransB, a.BF16)
				if !slices.Equal(p.C, q.C) {
					t.Fatalf("%s: other results than with B in memory", name)
				}
				if n := int(count.Load()); n != a.N*a.K {
					t.Errorf("%s: %d elements of B were read, it has %d", name, n, a.N*a.K)
				}
				clear(q.C)
				g.MulSerial(0, &q)
				g.MulSerial(0, &p.Args)
				if !slices.Equal(p.C, q.C) {
					t.Fatalf("%s: other results of one worker than with B in memory", name)
				}
			}
		}
		pool.Close()
	}
}
