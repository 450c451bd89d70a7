//go:build amd64 && !noasm

package vec

import "unsafe"

// The functions of this file make a kernel of package vec out of the assembly
// that does its whole vectors, blocks or panels.

func columnSumBy(addRows8 func(dst []float32, x *float32), add func(dst, a, b []float32)) func(dst, x []float32, rows int) {
	return func(dst, x []float32, rows int) {
		n := len(dst)
		r := 0
		for ; r+8 <= rows; r += 8 {
			addRows8(dst, &x[r*n:][:8*n][0])
		}
		for ; r < rows; r++ {
			add(dst, dst, x[r*n:][:n])
		}
	}
}

// dropoutBy leaves the range in which the low word of the block's number
// overflows, one in 2³⁴ elements, to the generic version: the lanes do not carry.
func dropoutBy(blocks func(dst, x []float32, seedLow, seedHigh, site, blockLow, blockHigh, threshold uint32, scale float32), multiple int,
) func(dst, x []float32, key DropoutKey, block uint64, threshold uint32, scale float32) {
	return func(dst, x []float32, key DropoutKey, block uint64, threshold uint32, scale float32) {
		n := len(dst) / multiple * multiple
		if block>>32 != (block+uint64(n/4))>>32 {
			n = 0
		}
		blocks(dst[:n], x, uint32(key.Seed), uint32(key.Seed>>32), key.Site, uint32(block), uint32(block>>32), threshold, scale)
		dropoutGeneric(dst[n:], x[n:], key, block+uint64(n/4), threshold, scale)
	}
}

func adamWBy(update func(p, g, m, v []float32, gradScale, decay, oneMinus1, beta2, oneMinus2, rootBC2, eps, step float32)) func(p, g, m, v []float32, c adamWConst) {
	return func(p, g, m, v []float32, c adamWConst) {
		update(p, g, m, v, c.gradScale, c.decay, c.oneMinus1, c.beta2, c.oneMinus2, c.rootBC2, c.eps, c.step)
	}
}

func sgdBy(step func(p, g, buf []float32, lr, momentum, decay, gradScale, fromGrad, fromBuf float32)) func(p, g, buf []float32, h SGD) {
	return func(p, g, buf []float32, h SGD) {
		fromGrad, fromBuf := float32(0), float32(1)
		if h.Nesterov {
			fromGrad, fromBuf = 1, h.Momentum
		}
		step(p, g, buf, h.LR, h.Momentum, h.WeightDecay, h.GradScale, fromGrad, fromBuf)
	}
}

func lionBy(step func(p, g, m []float32, lr, beta1, oneMinus1, beta2, oneMinus2, decay, gradScale float32)) func(p, g, m []float32, h Lion) {
	return func(p, g, m []float32, h Lion) {
		decay := float32(1 - float64(h.LR)*float64(h.WeightDecay))
		step(p, g, m, h.LR, h.Beta1, 1-h.Beta1, h.Beta2, 1-h.Beta2, decay, h.GradScale)
	}
}

func emaBy(step func(avg, p []float32, decay, oneMinus float32)) func(avg, p []float32, decay float32) {
	return func(avg, p []float32, decay float32) { step(avg, p, decay, 1-decay) }
}

// halves views half-precision numbers as the words that the assembly's
// declarations use.
func halves[T ~uint16](x []T) []uint16 {
	return unsafe.Slice((*uint16)(unsafe.Pointer(unsafe.SliceData(x))), len(x))
}

func narrowBy[T ~uint16](vectors func(dst []uint16, src []float32), rest func(dst []T, src []float32), lanes int) func(dst []T, src []float32) {
	return func(dst []T, src []float32) {
		n := len(dst) / lanes * lanes
		vectors(halves(dst[:n]), src)
		rest(dst[n:], src[n:])
	}
}

func widenBy[T ~uint16](vectors func(dst []float32, src []uint16), rest func(dst []float32, src []T), lanes int) func(dst []float32, src []T) {
	return func(dst []float32, src []T) {
		n := len(dst) / lanes * lanes
		vectors(dst[:n], halves(src))
		rest(dst[n:], src[n:])
	}
}

func transposeBy(columns8 func(dst *float32, ldd int, src *float32, lds, blocks int),
) func(dst []float32, ldd int, src []float32, lds, rows, cols int) {
	return func(dst []float32, ldd int, src []float32, lds, rows, cols int) {
		r, c := rows&^7, cols&^7
		if r > 0 {
			for j := 0; j < c; j += 8 {
				columns8(&dst[j*ldd], ldd, &src[j], lds, r/8)
			}
		}
		if c < cols {
			transposeGeneric(dst[c*ldd:], ldd, src[c:], lds, r, cols-c)
		}
		if r < rows {
			transposeGeneric(dst[r:], ldd, src[r*lds:], lds, rows-r, cols)
		}
	}
}

// tileFunc is the assembly's product of one panel of columns.
type tileFunc func(c *float32, ldc, m, k int, a *float32, as, ak int, b *float32, ldb int, rowScale *float32)

// tileBy splits n into panels of width columns and, for AVX-512, a last one of
// lanes.
func tileBy(wide tileFunc, width int, narrow tileFunc,
) func(c []float32, ldc, m, n, k int, a []float32, as, ak int, b []float32, ldb int, rowScale []float32) {
	return func(c []float32, ldc, m, n, k int, a []float32, as, ak int, b []float32, ldb int, rowScale []float32) {
		_, _, _ = c[(m-1)*ldc+n-1], a[(m-1)*as+(k-1)*ak], b[(k-1)*ldb+n-1]
		var scale *float32
		if rowScale != nil {
			scale = &rowScale[:m][0]
		}
		j := 0
		for ; j+width <= n; j += width {
			wide(&c[j], ldc, m, k, &a[0], as, ak, &b[j], ldb, scale)
		}
		if j < n {
			narrow(&c[j], ldc, m, k, &a[0], as, ak, &b[j], ldb, scale)
		}
	}
}

func softmaxLanesBy(vector func(s *float32, ld, rows int, max, sum, alpha *float32), width int,
) func(s []float32, ld, rows int, max, sum, alpha []float32) {
	return func(s []float32, ld, rows int, max, sum, alpha []float32) {
		_ = s[(rows-1)*ld+lanes-1]
		max, sum, alpha = max[:lanes], sum[:lanes], alpha[:lanes]
		for i := 0; i < lanes; i += width {
			vector(&s[i], ld, rows, &max[i], &sum[i], &alpha[i])
		}
	}
}

func probGradBy(f func(p, ds *float32, ld, rows, n int, lse, d *float32)) func(p, ds []float32, ld, rows, n int, lse, d []float32) {
	return func(p, ds []float32, ld, rows, n int, lse, d []float32) {
		_, _ = p[(rows-1)*ld+n-1], ds[(rows-1)*ld+n-1]
		f(&p[0], &ds[0], ld, rows, n, &lse[:rows][0], &d[:rows][0])
	}
}

func maskBandBy(f func(x *float32, ld, rows, n, lo, hi int, fill float32)) func(x []float32, ld, rows, n int, lo, hi int, fill float32) {
	return func(x []float32, ld, rows, n int, lo, hi int, fill float32) {
		_ = x[(rows-1)*ld+n-1]
		f(&x[0], ld, rows, n, lo, hi, fill)
	}
}

func maskSegmentsBy(f func(x *float32, ld int, rowIDs, columnIDs []int32, fill float32)) func(x []float32, ld int, rowIDs, columnIDs []int32, fill float32) {
	return func(x []float32, ld int, rowIDs, columnIDs []int32, fill float32) {
		_ = x[(len(rowIDs)-1)*ld+len(columnIDs)-1]
		f(&x[0], ld, rowIDs, columnIDs, fill)
	}
}

func rowDotsBy(f func(dst []float32, x *float32, ldx int, y *float32, ldy, n int, scale float32)) func(dst, x []float32, ldx int, y []float32, ldy, n int, scale float32) {
	return func(dst, x []float32, ldx int, y []float32, ldy, n int, scale float32) {
		if rows := len(dst); rows > 0 {
			_, _ = x[(rows-1)*ldx+n-1], y[(rows-1)*ldy+n-1]
			f(dst, &x[0], ldx, &y[0], ldy, n, scale)
		}
	}
}

func scaleRowsBy(vectors func(dst *float32, ldd int, src *float32, lds, rows, cols int, f *float32, add bool),
) func(dst []float32, ldd int, src []float32, lds, rows, cols int, f []float32, add bool) {
	return func(dst []float32, ldd int, src []float32, lds, rows, cols int, f []float32, add bool) {
		if rows <= 0 || cols <= 0 {
			return
		}
		_, _ = dst[(rows-1)*ldd+cols-1], src[(rows-1)*lds+cols-1]
		var scale *float32
		if f != nil {
			scale = &f[:rows][0]
		}
		vectors(&dst[0], ldd, &src[0], lds, rows, cols, scale, add)
	}
}
