package kernel

import (
	"math"
	"unsafe"
)

const (
	fewRows     = 4       // rows of A up to which B is read in place
	fewSerial   = 1 << 16 // elements of B that one worker reads fastest
	dotColumns  = 1024    // columns of C per task, rows of B being contiguous along K
	axpyColumns = 3072    // the same, contiguous across K: the sums stay in the L1 cache
	axpyRows    = 8       // rows of B that kernels.axpy adds up
)

// few says whether the product has so few rows that packing B would cost more
// than it gains, as in decoding; capacity is the room for A, in floats.
func (c *call) few(capacity int) bool {
	reads := c.a.read != nil || c.b.read != nil && c.args.TransB && c.args.K > readFloats/4
	return c.kn.dot != nil && !reads && c.args.M <= fewRows && c.args.M*c.args.K <= capacity
}

// mulFew computes a product of few rows on the Pool.
func (g *GEMM) mulFew() {
	c := &g.call
	args := c.args
	c.packFew(g.shared)
	c.fewColumns = c.maxFewColumns()
	if args.N*args.K > fewSerial {
		c.fewColumns = min(roundUp(ceilDiv(args.N, 4*g.pool.Threads()), 64), c.fewColumns)
	}
	tasks := ceilDiv(args.N, c.fewColumns)
	g.pool.For(tasks, g.multiplyFew)
}

// maxFewColumns is the number of columns that multiplyFew takes at once.
func (c *call) maxFewColumns() int {
	if c.args.TransB {
		return dotColumns
	}
	return axpyColumns
}

// fewTask computes one range of columns of C.
func (g *GEMM) fewTask(task, worker int) {
	c := &g.call
	from := task * c.fewColumns
	to := min(from+c.fewColumns, c.args.N)
	g.workers[worker].multiplyFew(c, g.shared, from, to)
	if c.args.Tile != nil {
		c.args.Tile(0, c.args.M, from, to, worker)
	}
}

// packFew copies A to dst, row by row, as the dot and axpy kernels read it.
func (c *call) packFew(dst []float32) {
	for m := range c.args.M {
		row := dst[m*c.kn.steps(c.args.K):]
		for k := 0; k < c.args.K; k++ {
			v := c.a.element(m, k)
			if c.kn.pairs {
				pair := uint32(bfloat16(v))
				if k+1 < c.args.K {
					pair |= uint32(bfloat16(c.a.element(m, k+1))) << 16
				}
				row[k/2] = math.Float32frombits(pair)
				k++
				continue
			}
			row[k] = v
		}
	}
}

// multiplyFew computes columns [from, to), at most maxFewColumns(), of all rows of C. x is A as
// packFew leaves it.
func (w *worker) multiplyFew(c *call, x []float32, from, to int) {
	args := c.args
	n := to - from
	sums := w.a[:args.M*n]
	if args.TransB {
		w.dots(c, sums, x, from, to)
	} else {
		w.axpys(c, sums, x, from, to)
	}
	for m := range args.M {
		var src, bias *float32
		if args.Accumulate {
			src = &args.C[m*args.LDC+from]
		} else if args.Residual != nil {
			src = &args.Residual[m*args.LDR+from]
		}
		if args.Bias != nil {
			bias = &args.Bias[from]
		}
		finishRow(args.C[m*args.LDC+from:][:n], sums[m*n:][:n], src, bias)
	}
}

// dots sets sums, of shape (M, to-from), to A·Bᵀ by scalar products. The four rows
// of B that a kernel reads are a quarter of the range apart: four long streams,
// which the prefetchers follow across pages.
func (w *worker) dots(c *call, sums, x []float32, from, to int) {
	quarter := (to - from) / 4
	for j := range quarter {
		w.dotRows(c, sums, x, from, to, j, quarter, 4)
	}
	for j := 4 * quarter; j < to-from; j++ {
		w.dotRows(c, sums, x, from, to, j, 0, 1)
	}
}

// dotRows computes columns j, j+apart, … of the range, so many as rows says.
func (w *worker) dotRows(c *call, sums, x []float32, from, to, j, apart, rows int) {
	args, sum := c.args, w.edge[:4]
	ld, b := apart*args.LDB, args.B
	if args.ReadB != nil {
		ld, b = args.K, w.read
		for i := range rows {
			args.ReadB(b[i*ld:], from+j+i*apart, 1, 0, args.K)
		}
	} else {
		b = b[(from+j)*args.LDB:]
	}
	fast := args.K &^ 31
	for m := range args.M {
		clear(sum)
		if fast > 0 {
			c.kn.dot(&x[m*c.kn.steps(args.K)], &b[0], fast, ld, &sum[0])
		}
		for i := range rows {
			for k := fast; k < args.K; k++ {
				sum[i] += c.round(c.a.element(m, k)) * c.round(b[i*ld+k])
			}
			sums[m*(to-from)+j+i*apart] = sum[i]
		}
	}
}

// axpys sets sums, of shape (M, to-from), to A·B by adding multiples of rows of B.
func (w *worker) axpys(c *call, sums, x []float32, from, to int) {
	args, n := c.args, to-from
	clear(sums)
	fast := n &^ 15
	for k := 0; k < args.K; k += axpyRows {
		ld, b := args.LDB, args.B
		if args.ReadB != nil {
			ld, b = n, w.read
			args.ReadB(b, k, min(axpyRows, args.K-k), from, n)
		} else {
			b = b[k*ld+from:]
		}
		done := 0 // columns that the fast loop covers
		if k+axpyRows <= args.K {
			done = fast
		}
		for m := range args.M {
			y := sums[m*n:][:n]
			if done > 0 {
				at := m*c.kn.steps(args.K) + c.kn.steps(k)
				c.kn.axpy(&x[at], &b[0], done, ld, &y[0])
			}
			if done == n {
				continue
			}
			for kk := k; kk < min(k+axpyRows, args.K); kk++ {
				v := c.round(c.a.element(m, kk))
				for j := done; j < n; j++ {
					y[j] += v * c.round(b[(kk-k)*ld+j])
				}
			}
		}
	}
}

// round rounds to bfloat16 where the product does.
func (c *call) round(x float32) float32 {
	if c.args.BF16 {
		return RoundBF16(x)
	}
	return x
}

// dotGeneric is the definition of kernels.dot.
func dotGeneric(x, w *float32, k, ld int, sums *float32) {
	xs, out := unsafe.Slice(x, k), (*[4]float32)(unsafe.Pointer(sums))
	for r := range out {
		s0, s1 := float32(0), float32(0)
		row := unsafe.Slice(at(w, 4*r*ld), k)
		for i := 0; i+1 < len(row) && i+1 < len(xs); i += 2 {
			s0 += xs[i] * row[i]
			s1 += xs[i+1] * row[i+1]
		}
		out[r] = s0 + s1
	}
}

// axpyGeneric is the definition of kernels.axpy.
func axpyGeneric(x, w *float32, n, ld int, y *float32) {
	xs, out := (*[axpyRows]float32)(unsafe.Pointer(x)), unsafe.Slice(y, n)
	for r, v := range xs {
		row := unsafe.Slice(at(w, 4*r*ld), n)
		for j := range out {
			out[j] += v * row[j]
		}
	}
}
