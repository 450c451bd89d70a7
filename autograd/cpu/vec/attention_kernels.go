package vec

import "math"

// copyPadded copies rows×cols of src to rows of ldd columns of which those after
// cols are cleared.
func (v *Impl) copyPadded(dst []float32, ldd int, src []float32, lds, rows, cols int) {
	v.scaleRows(dst, ldd, src, lds, rows, cols, nil, false)
	if cols < ldd {
		for r := range rows {
			clear(dst[r*ldd+cols : (r+1)*ldd])
		}
	}
}

// transposeScaled sets dst[c, r] = scale·src[r, c] for rows×cols of src and
// clears the columns of dst from rows to ldd.
func (v *Impl) transposeScaled(dst []float32, ldd int, src []float32, lds, rows, cols int, scale float32) {
	v.transpose(dst, ldd, src, lds, rows, cols)
	if rows < ldd {
		for c := range cols {
			clear(dst[c*ldd+rows:][:ldd-rows])
		}
	}
	v.scale(dst[:cols*ldd], dst, scale)
}

// tileGeneric is the product of small matrices that attention is made of:
//
//	C[i, j] = rowScale[i]·C[i, j] + Σ_l A[i·as + l·ak]·B[l·ldb + j]
//
// for m×n of C with the leading dimension ldc, l < k. A's two strides let it be
// read transposed. rowScale nil: C is overwritten. n is a multiple of lanes.
func tileGeneric(c []float32, ldc, m, n, k int, a []float32, as, ak int, b []float32, ldb int, rowScale []float32) {
	for i := range m {
		row := c[i*ldc:][:n]
		if rowScale == nil {
			clear(row)
		} else if f := rowScale[i]; f != 1 {
			for j := range row {
				row[j] *= f
			}
		}
		for l := range k {
			f := a[i*as+l*ak]
			for j, e := range b[l*ldb:][:n] {
				row[j] += f * e
			}
		}
	}
}

// softmaxLanesGeneric is the running softmax of FlashAttention over the first
// lanes columns of s, rows rows with the leading dimension ld, columns being
// independent:
//
//	new = max(max, s),  alpha = 2^(max-new),  s = 2^(s-new),
//	sum = alpha·sum + Σ s,  max = new
func softmaxLanesGeneric(s []float32, ld, rows int, max, sum, alpha []float32) {
	for i := range lanes {
		m := max[i]
		for r := range rows {
			if e := s[r*ld+i]; e > m {
				m = e
			}
		}
		f := float32(math.Exp2(float64(max[i] - m)))
		total := f * sum[i]
		for r := range rows {
			e := float32(math.Exp2(float64(s[r*ld+i] - m)))
			s[r*ld+i] = e
			total += e
		}
		max[i], sum[i], alpha[i] = m, total, f
	}
}

// probGradGeneric sets p = 2^(p - lse) and ds = p·(ds - d) for rows×n elements
// with the leading dimension ld; lse and d hold one value a row. n is a multiple
// of lanes.
func probGradGeneric(p, ds []float32, ld, rows, n int, lse, d []float32) {
	for r := range rows {
		pRow, dsRow := p[r*ld:][:n], ds[r*ld:][:n]
		for j := range pRow {
			e := float32(math.Exp2(float64(pRow[j] - lse[r])))
			pRow[j] = e
			dsRow[j] = e * (dsRow[j] - d[r])
		}
	}
}

// maskBandGeneric sets x[r, c] = fill outside the band lo ≤ c - r < hi, for rows
// of n columns; n is a multiple of lanes.
func maskBandGeneric(x []float32, ld, rows, n int, lo, hi int, fill float32) {
	for r := range rows {
		for c := range x[r*ld:][:n] {
			if c-r < lo || c-r >= hi {
				x[r*ld+c] = fill
			}
		}
	}
}

// maskSegmentsGeneric sets x[r, c] = fill where the row's and the column's segment
// differ or are negative.
func maskSegmentsGeneric(x []float32, ld int, rowIDs, columnIDs []int32, fill float32) {
	for r, row := range rowIDs {
		for c, column := range columnIDs {
			if row != column || row < 0 {
				x[r*ld+c] = fill
			}
		}
	}
}

// rowDotsGeneric sets dst[r] = scale·Σ_j x[r, j]·y[r, j] for rows of n columns;
// ldy is 0 when y is one row.
func rowDotsGeneric(dst, x []float32, ldx int, y []float32, ldy, n int, scale float32) {
	for r := range dst {
		var s float32
		yRow := y[r*ldy:][:n]
		for j, e := range x[r*ldx:][:n] {
			s += e * yRow[j]
		}
		dst[r] = scale * s
	}
}

// scaleRowsGeneric sets dst[r, j] = f[r]·src[r, j], or adds it to dst; f nil
// stands for ones.
func scaleRowsGeneric(dst []float32, ldd int, src []float32, lds, rows, cols int, f []float32, add bool) {
	for r := range rows {
		to, c := dst[r*ldd:][:cols], float32(1)
		if f != nil {
			c = f[r]
		}
		for j, e := range src[r*lds:][:cols] {
			if add {
				to[j] += c * e
			} else {
				to[j] = c * e
			}
		}
	}
}
