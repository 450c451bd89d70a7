package vec

import "math"

// LayerNorm normalises each of the len(mean) rows of x, D = len(w) columns (Ba
// et al. 2016):
//
//	mean = Σ x / D,  rstd = 1/√(Σ (x-mean)²/D + eps),  y = (x-mean)·rstd·w + b
//
// Statistics are accumulated in float64 (the assembly adds four vectors in float32
// first). b may be nil. mean and rstd keep what
// the backward pass needs, one value a row. In place (y is x), but then the
// backward pass has lost its x.
func (v *Impl) LayerNorm(y, mean, rstd, x, w, b []float32, eps float32) {
	d := len(w)
	for r := range mean {
		row := x[r*d:][:d]
		mu, rs := v.layerStats(row, eps)
		mean[r], rstd[r] = mu, rs
		v.normalize(y[r*d:][:d], row, w, b, mu, rs)
	}
}

// LayerNormBackward is the gradient of [Impl.LayerNorm]. With n = (x-mean)·rstd
// and g = dy·w, row by row:
//
//	dx  = rstd·(g - Σg/D - n·Σ(g·n)/D) + addend
//	dw += dy·n
//	db += dy
//
// addend (the gradient that flows past the norm in a residual network) may be
// nil or dx itself; dw and db may be nil. dx may be dy. dw and db are float32
// sums in row order: add up blocks of rows to keep their error small.
func (v *Impl) LayerNormBackward(dx, dw, db, x, w, mean, rstd, dy, addend []float32) {
	d := len(w)
	for r := range rstd {
		row, g := x[r*d:][:d], dy[r*d:][:d]
		sumG, sumGX := v.normGrad(dw, db, row, w, g, mean[r], rstd[r])
		v.normInput(dx[r*d:][:d], row, w, g, rowOrNil(addend, r, d),
			mean[r], rstd[r], sumG/float32(d), sumGX/float32(d))
	}
}

// RMSNorm scales each of the len(rstd) rows of x, D = len(w) columns, by the
// root of its mean square (Zhang and Sennrich 2019):
//
//	rstd = 1/√(Σ x²/D + eps),  y = x·rstd·w
//
// The statistic is accumulated as in [Impl.LayerNorm]. In place (y is x), but then the
// backward pass has lost its x.
func (v *Impl) RMSNorm(y, rstd, x, w []float32, eps float32) {
	d := len(w)
	for r := range rstd {
		row := x[r*d:][:d]
		rs := v.rmsStats(row, eps)
		rstd[r] = rs
		v.rmsNormalize(y[r*d:][:d], row, w, rs)
	}
}

// RMSNormBackward is the gradient of [Impl.RMSNorm]. With n = x·rstd and
// g = dy·w, row by row:
//
//	dx  = rstd·(g - n·Σ(g·n)/D) + addend
//	dw += dy·n
//
// addend and aliasing as in [Impl.LayerNormBackward].
func (v *Impl) RMSNormBackward(dx, dw, x, w, rstd, dy, addend []float32) {
	d := len(w)
	for r := range rstd {
		row, g := x[r*d:][:d], dy[r*d:][:d]
		_, sumGX := v.normGrad(dw, nil, row, w, g, 0, rstd[r])
		v.normInput(dx[r*d:][:d], row, w, g, rowOrNil(addend, r, d),
			0, rstd[r], 0, sumGX/float32(d))
	}
}

// Affine sets y = x·w + b for each row of len(w) columns; b may be nil. In place.
func (v *Impl) Affine(y, x, w, b []float32) {
	d := len(w)
	for at := 0; at < len(y); at += d {
		v.normalize(y[at:][:d], x[at:][:d], w, b, 0, 1)
	}
}

// AffineBackward adds the gradients of [Impl.Affine]'s parameters: dw += Σ dy·x and
// db += Σ dy over the rows, in their order.
func (v *Impl) AffineBackward(dw, db, x, dy []float32) {
	d := len(dw)
	for at := 0; at < len(x); at += d {
		v.normGrad(dw, db, x[at:][:d], dw, dy[at:][:d], 0, 1)
	}
}

func rowOrNil(x []float32, r, d int) []float32 {
	if x == nil {
		return nil
	}
	return x[r*d:][:d]
}

// layerStatsGeneric returns the mean of x and 1/√(Σ (x-mean)²/D + eps).
func layerStatsGeneric(x []float32, eps float32) (mean, rstd float32) {
	n := float64(len(x))
	mean = float32(sumGeneric(x) / n)
	var s float64
	for _, e := range x {
		d := float64(e - mean)
		s += d * d
	}
	return mean, float32(1 / math.Sqrt(s/n+float64(eps)))
}

// rmsStatsGeneric returns 1/√(Σ x²/D + eps).
func rmsStatsGeneric(x []float32, eps float32) float32 {
	return float32(1 / math.Sqrt(sumSquaresGeneric(x)/float64(len(x))+float64(eps)))
}

// normalizeGeneric sets y = (x-mean)·rstd·w + b; b may be nil.
func normalizeGeneric(y, x, w, b []float32, mean, rstd float32) {
	if b == nil {
		for i := range y {
			y[i] = (x[i] - mean) * rstd * w[i]
		}
		return
	}
	for i := range y {
		y[i] = (x[i]-mean)*rstd*w[i] + b[i]
	}
}

// rmsNormalizeGeneric sets y = x·rstd·w.
func rmsNormalizeGeneric(y, x, w []float32, rstd float32) {
	for i := range y {
		y[i] = x[i] * rstd * w[i]
	}
}

// normGradGeneric adds one row's share to dw and db (nil: not wanted) and
// returns Σ g and Σ g·n, with n = (x-mean)·rstd and g = dy·w.
func normGradGeneric(dw, db, x, w, dy []float32, mean, rstd float32) (sumG, sumGX float32) {
	var s0, s1 float64
	for i := range x {
		n := (x[i] - mean) * rstd
		g := dy[i] * w[i]
		s0 += float64(g)
		s1 += float64(g) * float64(n)
		if dw != nil {
			dw[i] += dy[i] * n
		}
		if db != nil {
			db[i] += dy[i]
		}
	}
	return float32(s0), float32(s1)
}

// normInputGeneric sets dx = rstd·(g - meanG - n·meanGX) + addend; addend may be
// nil.
func normInputGeneric(dx, x, w, dy, addend []float32, mean, rstd, meanG, meanGX float32) {
	for i := range dx {
		n := (x[i] - mean) * rstd
		d := rstd * (dy[i]*w[i] - meanG - n*meanGX)
		if addend != nil {
			d += addend[i]
		}
		dx[i] = d
	}
}
