package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// A product is a random test case with the operands that Args refer to.
type product struct {
	Args
	bound []float64 // Σ|a·b| + |added|: the scale of the rounding error of each element
	want  []float64
}

// newProduct fills the operands of a with random values, with leading dimensions
// extra larger than needed, and computes the result in float64.
func newProduct(rng *rand.Rand, a Args, extra int, residual, bias bool) *product {
	p := &product{Args: a}
	p.A, p.LDA = randomMatrix(rng, a.M, a.K, a.TransA, extra)
	p.B, p.LDB = randomMatrix(rng, a.K, a.N, a.TransB, extra)
	p.C, p.LDC = randomMatrix(rng, a.M, a.N, false, extra)
	if residual {
		p.Residual, p.LDR = randomMatrix(rng, a.M, a.N, false, 2*extra)
	}
	if bias {
		p.Bias, _ = randomMatrix(rng, 1, a.N, false, 0)
	}
	p.reference()
	return p
}

func randomMatrix(rng *rand.Rand, rows, cols int, transposed bool, extra int) ([]float32, int) {
	if transposed {
		rows, cols = cols, rows
	}
	p := make([]float32, (rows-1)*(cols+extra)+cols)
	for i := range p {
		p[i] = float32(rng.NormFloat64())
	}
	return p, cols + extra
}

// reference computes want and bound from the definition.
func (p *product) reference() {
	a := p.widen(operand{p.A, p.LDA, !p.TransA, nil}, p.M)
	b := p.widen(operand{p.B, p.LDB, p.TransB, nil}, p.N)
	for i := range p.M {
		for j := range p.N {
			sum, bound := 0.0, 0.0
			y := b[j*p.K:][:p.K]
			for k, x := range a[i*p.K:][:p.K] {
				sum, bound = sum+x*y[k], bound+math.Abs(x*y[k])
			}
			add := func(v float32) {
				sum, bound = sum+float64(v), bound+math.Abs(float64(v))
			}
			if p.Accumulate {
				add(p.C[i*p.LDC+j])
			}
			if p.Residual != nil {
				add(p.Residual[i*p.LDR+j])
			}
			if p.Bias != nil {
				add(p.Bias[j])
			}
			p.want, p.bound = append(p.want, sum), append(p.bound, bound)
		}
	}
}

// widen copies n rows (of A) or columns (of B), each contiguous, as the product
// sees them.
func (p *product) widen(o operand, n int) []float64 {
	wide := make([]float64, 0, n*p.K)
	for i := range n {
		for k := range p.K {
			v := o.element(i, k)
			if p.BF16 {
				v = RoundBF16(v)
			}
			wide = append(wide, float64(v))
		}
	}
	return wide
}

// check compares C with the definition, and what lies between its rows with before.
func (p *product) check(before []float32) error {
	for i := range p.M {
		for j := range p.N {
			got, want := float64(p.C[i*p.LDC+j]), p.want[i*p.N+j]
			// A random walk of roundings of the sum: far below the bound of K·2⁻²⁴.
			if tol := p.bound[i*p.N+j] * 4e-7 * math.Sqrt(float64(p.K)+16) / 4; !(math.Abs(got-want) <= tol) {
				return fmt.Errorf("C[%d,%d] = %v, want %v ± %.2g", i, j, got, want, tol)
			}
		}
	}
	for i, v := range before {
		if i%p.LDC >= p.N && p.C[i] != v {
			return fmt.Errorf("wrote outside of C, at element %d", i)
		}
	}
	return nil
}

func (p *product) String() string {
	return fmt.Sprintf("(%d, %d) × (%d, %d) transposed %v, %v accumulate %v residual %v bias %v bf16 %v",
		p.M, p.K, p.K, p.N, p.TransA, p.TransB, p.Accumulate, p.Residual != nil, p.Bias != nil, p.BF16)
}

// newGEMMs makes one GEMM for each ISA of this machine.
func newGEMMs(t *testing.T, threads int) map[ISA]*GEMM {
	pool := NewPool(threads)
	t.Cleanup(pool.Close)
	gemms := map[ISA]*GEMM{}
	for _, isa := range Supported() {
		gemms[isa] = NewGEMM(pool, isa)
	}
	return gemms
}

// shapes are (M, N, K): both kinds of tasks, borders on every side, several
// blocks and chunks of K, few rows.
var shapes = [][3]int{
	{1, 1, 1}, {1, 50, 33}, {1, 7, 1000}, {1, 1300, 70}, {4, 300, 331}, {2, 3, 1}, {3, 1, 70}, {7, 49, 5},
	{8, 48, 16}, {9, 65, 129}, {64, 64, 64}, {64, 128, 64}, {65, 47, 31}, {100, 33, 257}, {37, 211, 530},
	{17, 97, 1100}, {130, 20, 1031}, {291, 100, 40}, {8, 16, 8300}, {6, 30, 4200}, {40, 20, 4200},
}

func TestMul(t *testing.T) {
	gemms := newGEMMs(t, 2)
	rng := rand.New(rand.NewPCG(1, 2))
	for i, s := range shapes {
		for variant := range 8 {
			a := Args{
				M: s[0], N: s[1], K: s[2],
				TransA: variant&1 != 0, TransB: variant&2 != 0, BF16: variant&4 != 0,
				Accumulate: (i+variant)%3 == 1,
			}
			p := newProduct(rng, a, (i+variant)%2*5, (i+variant)%3 == 2, rng.IntN(2) == 0)
			before := slices.Clone(p.C)
			for isa, g := range gemms {
				copy(p.C, before)
				g.Mul(&p.Args)
				if err := p.check(before); err != nil {
					t.Errorf("%v: Mul %v: %v", isa, p, err)
				}
				copy(p.C, before)
				g.MulSerial(1, &p.Args)
				if err := p.check(before); err != nil {
					t.Errorf("%v: MulSerial %v: %v", isa, p, err)
				}
			}
		}
	}
}

// TestMulReads compares, to the bit, products of matrices that are read in parts with
// those of the same matrices in memory, neither of few rows.
func TestMulReads(t *testing.T) {
	gemms := newGEMMs(t, 2)
	rng := rand.New(rand.NewPCG(21, 22))
	reader := func(p []float32, ld int) Reader {
		return func(dst []float32, row, rows, col, cols int) {
			for i := range rows {
				copy(dst[i*cols:][:cols], p[(row+i)*ld+col:][:cols])
			}
		}
	}
	for _, s := range shapes {
		if s[0] <= fewRows {
			continue
		}
		for variant := range 8 {
			p := newProduct(rng, Args{M: s[0], N: s[1], K: s[2], TransA: variant&1 != 0, TransB: variant&2 != 0, BF16: variant&4 != 0}, 3, false, true)
			for isa, g := range gemms {
				g.Mul(&p.Args)
				want := slices.Clone(p.C)
				for which := 1; which < 4; which++ {
					read := p.Args
					if which&1 != 0 {
						read.A, read.ReadA = nil, reader(p.A, p.LDA)
					}
					if which&2 != 0 {
						read.B, read.ReadB = nil, reader(p.B, p.LDB)
					}
					for name, mul := range map[string]func(*Args){"Mul": g.Mul, "MulSerial": func(a *Args) { g.MulSerial(1, a) }} {
						clear(p.C)
						if mul(&read); p.check(nil) != nil || name == "Mul" && !equalRows(p, want) {
							t.Errorf("%v: %s %v, reading %b: other bits, %v", isa, name, p, which, p.check(nil))
						}
						if n := testing.AllocsPerRun(3, func() { mul(&read) }); n != 0 {
							t.Errorf("%v: %s %v, reading %b: %g allocations", isa, name, p, which, n)
						}
					}
				}
			}
		}
	}
}

// equalRows tells whether C has the elements of want, whatever lies between its rows.
func equalRows(p *product, want []float32) bool {
	for i := range p.M {
		if !slices.Equal(p.C[i*p.LDC:][:p.N], want[i*p.LDC:][:p.N]) {
			return false
		}
	}
	return true
}

func TestMulResidualMayBeC(t *testing.T) {
	for isa, g := range newGEMMs(t, 2) {
		rng := rand.New(rand.NewPCG(3, 4))
		for _, s := range [][3]int{{70, 60, 1100}, {20, 100, 1100}} {
			p := newProduct(rng, Args{M: s[0], N: s[1], K: s[2]}, 0, true, true)
			copy(p.C, p.Residual)
			p.Residual, p.LDR = p.C, p.LDC
			g.Mul(&p.Args)
			if err := p.check(nil); err != nil {
				t.Errorf("%v: %v: %v", isa, p, err)
			}
		}
	}
}

func TestMulDoesNotDependOnThreads(t *testing.T) {
	for _, isa := range Supported() {
		t.Run(isa.String(), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(5, 6))
			for i, s := range [][3]int{{1, 1000, 600}, {3, 999, 600}, {100, 30, 1300}, {300, 200, 300}, {30, 300, 1300}, {128, 128, 128}} {
				p := newProduct(rng, Args{M: s[0], N: s[1], K: s[2], TransB: i%2 == 0, BF16: i%3 == 0}, 0, false, true)
				var first []float32
				for _, threads := range []int{1, 2, 3, 7} {
					pool := NewPool(threads)
					clear(p.C)
					NewGEMM(pool, isa).Mul(&p.Args)
					pool.Close()
					if first == nil {
						first = slices.Clone(p.C)
					} else if !slices.Equal(first, p.C) {
						t.Errorf("%v: %d threads give another result than 1", p, threads)
					}
				}
			}
		})
	}
}

// TestMulInChunks makes the buffer so small that N is cut as for huge matrices.
func TestMulInChunks(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 14))
	p := newProduct(rng, Args{M: 170, N: 160, K: 90, TransB: true}, 0, true, true)
	for isa, g := range newGEMMs(t, 2) {
		g.shared = g.shared[:96*60]
		g.Mul(&p.Args)
		if err := p.check(nil); err != nil {
			t.Errorf("%v: %v: %v", isa, p, err)
		}
	}
}

// TestMulTile checks that the hook sees each element of C once, finished.
func TestMulTile(t *testing.T) {
	for isa, g := range newGEMMs(t, 2) {
		rng := rand.New(rand.NewPCG(7, 8))
		for _, s := range [][3]int{{1, 700, 300}, {5, 6, 7}, {40, 700, 1100}, {300, 250, 600}, {16, 40, 8300}} {
			p := newProduct(rng, Args{M: s[0], N: s[1], K: s[2]}, 3, false, true)
			p.Tile = func(row0, row1, col0, col1, worker int) {
				if worker < 0 || worker > 1 {
					t.Errorf("worker %d", worker)
				}
				for i := row0; i < row1; i++ {
					for j := col0; j < col1; j++ {
						p.C[i*p.LDC+j] = 2*p.C[i*p.LDC+j] + 1
					}
				}
			}
			for i := range p.want {
				p.want[i] = 2*p.want[i] + 1
				p.bound[i] = 2*p.bound[i] + 1
			}
			g.Mul(&p.Args)
			if err := p.check(nil); err != nil {
				t.Errorf("%v: Mul %v: %v", isa, p, err)
			}
			g.MulSerial(0, &p.Args)
			if err := p.check(nil); err != nil {
				t.Errorf("%v: MulSerial %v: %v", isa, p, err)
			}
		}
	}
}

func TestMulDoesNotAllocate(t *testing.T) {
	for isa, g := range newGEMMs(t, 2) {
		rng := rand.New(rand.NewPCG(9, 10))
		for _, s := range [][3]int{{1, 300, 100}, {20, 90, 200}, {90, 20, 200}, {8, 8, 8}} {
			p := newProduct(rng, Args{M: s[0], N: s[1], K: s[2], TransB: true}, 0, false, true)
			for _, p.BF16 = range []bool{false, true} {
				if n := testing.AllocsPerRun(10, func() { g.Mul(&p.Args); g.MulSerial(0, &p.Args) }); n != 0 {
					t.Errorf("%v: %v: %v allocations", isa, p, n)
				}
			}
		}
	}
}

func TestGEMMBytesDependOnThreadsOnly(t *testing.T) {
	for isa, g := range newGEMMs(t, 3) {
		rng := rand.New(rand.NewPCG(11, 12))
		before := g.Bytes()
		p := newProduct(rng, Args{M: 300, N: 100, K: 500}, 0, false, false)
		g.Mul(&p.Args)
		if after := g.Bytes(); after != before || before < 4*sharedFloats {
			t.Errorf("%v: %d bytes before the first product, %d after", isa, before, after)
		}
	}
}

func TestMulRejectsContradictions(t *testing.T) {
	pool := NewPool(1)
	defer pool.Close()
	g := NewGEMM(pool, Generic)
	good := func() *Args {
		p := newProduct(rand.New(rand.NewPCG(1, 1)), Args{M: 3, N: 4, K: 5}, 0, false, false)
		return &p.Args
	}
	for name, spoil := range map[string]func(a *Args){
		"no rows":                 func(a *Args) { a.M = 0 },
		"short A":                 func(a *Args) { a.A = a.A[1:] },
		"short B":                 func(a *Args) { a.B = a.B[1:] },
		"short C":                 func(a *Args) { a.C = a.C[1:] },
		"leading dimension":       func(a *Args) { a.LDC = 3 },
		"short bias":              func(a *Args) { a.Bias = make([]float32, 3) },
		"short residual":          func(a *Args) { a.Residual, a.LDR = make([]float32, 3), 4 },
		"accumulate and residual": func(a *Args) { a.Residual, a.LDR, a.Accumulate = make([]float32, 12), 4, true },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: accepted", name)
				}
			}()
			a := good()
			spoil(a)
			g.Mul(a)
		}()
	}
}

// TestBFloat16Packing compares the rounding of every ISA with RoundBF16 by
// multiplying with the identity.
func TestBFloat16Packing(t *testing.T) {
	values := []float32{
		0, 1, -1, 1.00390625, 1.01171875, 1.0039063, 3.3895314e38, -3.3895314e38,
		1e-39, -1e-39, 1.1754944e-38, 65535, 0.1, -0.3333333, float32(math.Inf(1)), float32(math.NaN()),
	}
	for isa, g := range newGEMMs(t, 1) {
		for i, v := range values {
			a := []float32{v}
			c := make([]float32, 1)
			for _, n := range []int{1, 16} { // beside, and inside, a whole vector
				b := slices.Repeat([]float32{1}, n*16)
				a = slices.Repeat(a, 16)
				clear(a[1:])
				c = slices.Repeat(c, n)
				g.Mul(&Args{M: 1, N: n, K: 16, A: a, LDA: 16, B: b, LDB: n, C: c, LDC: n, BF16: true})
				a = a[:1]
				want := RoundBF16(v)
				if got := c[n-1]; got != want && (got == got || want == want) {
					t.Errorf("%v: value %d: %g became %g, want %g", isa, i, v, got, want)
				}
			}
		}
	}
}

func TestPeakIsPositive(t *testing.T) {
	pool := NewPool(1)
	defer pool.Close()
	for _, isa := range Supported() {
		if f, b := MeasurePeakF32(pool, isa), MeasurePeakBF16(pool, isa); f <= 0 || b <= 0 {
			t.Errorf("%v: peaks of %v and %v GFLOP/s", isa, f, b)
		}
	}
}
