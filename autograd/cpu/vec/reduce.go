package vec

import "math"

// Sum returns Σ x, accumulated in float64.
func (v *Impl) Sum(x []float32) float64 { return v.sum(x) }

// Dot returns Σ x·y, accumulated in float64. The lengths are equal.
func (v *Impl) Dot(x, y []float32) float64 { return v.dot(x, y[:len(x)]) }

// SumSquares returns Σ x², accumulated in float64 (the square of the norm, for
// gradient clipping).
func (v *Impl) SumSquares(x []float32) float64 { return v.sumSquares(x) }

// Max returns the largest element, -inf for none. With a NaN among them the
// result is unspecified.
func (v *Impl) Max(x []float32) float32 { return v.max(x) }

// MaxAbs returns the largest |x|, 0 for none. With a NaN among them the result
// is unspecified.
func (v *Impl) MaxAbs(x []float32) float32 { return v.maxAbs(x) }

// AllFinite reports whether no element is infinite or NaN.
func (v *Impl) AllFinite(x []float32) bool { return v.allFinite(x) }

// ColumnSum sets dst[j] = Σ_r x[r, j] over the rows of x, len(dst) columns, or
// adds to dst when accumulate is set (the gradient of a bias). It reads x once,
// in order. Accumulates in float32, eight rows at a time.
func (v *Impl) ColumnSum(dst, x []float32, accumulate bool) {
	if !accumulate {
		clear(dst)
	}
	if len(dst) > 0 {
		v.columnSum(dst, x, len(x)/len(dst))
	}
}

func sumGeneric(x []float32) float64 {
	var s float64
	for _, e := range x {
		s += float64(e)
	}
	return s
}

func dotGeneric(x, y []float32) float64 {
	var s float64
	for i, e := range x {
		s += float64(e) * float64(y[i])
	}
	return s
}

func sumSquaresGeneric(x []float32) float64 {
	var s float64
	for _, e := range x {
		s += float64(e) * float64(e)
	}
	return s
}

func maxGeneric(x []float32) float32 {
	m := float32(math.Inf(-1))
	for _, e := range x {
		if e > m {
			m = e
		}
	}
	return m
}

func maxAbsGeneric(x []float32) float32 {
	var m float32
	for _, e := range x {
		if a := math.Float32frombits(math.Float32bits(e) &^ (1 << 31)); a > m {
			m = a
		}
	}
	return m
}

func allFiniteGeneric(x []float32) bool {
	const exponent = 0xff << 23
	for _, e := range x {
		if math.Float32bits(e)&exponent == exponent {
			return false
		}
	}
	return true
}

// columnSumGeneric adds the rows of x to dst.
func columnSumGeneric(dst, x []float32, rows int) {
	n := len(dst)
	r := 0
	for ; r+8 <= rows; r += 8 {
		x0, x1 := x[r*n:][:n], x[(r+1)*n:][:n]
		x2, x3 := x[(r+2)*n:][:n], x[(r+3)*n:][:n]
		x4, x5 := x[(r+4)*n:][:n], x[(r+5)*n:][:n]
		x6, x7 := x[(r+6)*n:][:n], x[(r+7)*n:][:n]
		for j := range dst {
			dst[j] += ((x0[j] + x1[j]) + (x2[j] + x3[j])) + ((x4[j] + x5[j]) + (x6[j] + x7[j]))
		}
	}
	for ; r < rows; r++ {
		addGeneric(dst, dst, x[r*n:][:n])
	}
}
