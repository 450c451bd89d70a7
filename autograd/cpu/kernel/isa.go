package kernel

import "fmt"

// An ISA is a set of implementations of the kernels. Each computes the same sums;
// float32 results differ between them by rounding only.
type ISA int

const (
	Generic    ISA = iota // Go, on every architecture: the definition
	AVX2                  // AVX2 and FMA
	AVX512                // AVX-512 F, BW, DQ and VL
	AVX512BF16            // the same and AVX512_BF16: bfloat16 products at twice the rate
)

// String names the ISA as `gotrain doctor` prints it.
func (i ISA) String() string {
	switch i {
	case Generic:
		return "generic"
	case AVX2:
		return "avx2"
	case AVX512:
		return "avx512"
	case AVX512BF16:
		return "avx512bf16"
	}
	return fmt.Sprintf("ISA(%d)", int(i))
}

// Best is the fastest ISA that this processor and operating system run.
func Best() ISA {
	all := Supported()
	return all[len(all)-1]
}

// kernels is what one ISA offers for one type of product.
type kernels struct {
	lanes int // floats per vector: panels of B are 1 to 3 vectors wide
	width int // floats in a full panel of B

	// tile[v-1] computes tiles whose panel of B is v vectors wide.
	tile [3]func(t *tile)

	// rows[v-1] is the same of rows of A that lie apart.
	rows [3]func(t *tile)

	// packAlong lays out 8 rows of ld floats, each contiguous along K:
	// dst[k·kStride + i] = src[i·ld + k]. k is a multiple of 16.
	packAlong func(dst, src *float32, k, ld, kStride int)

	// packAcross lays out groups of 8 columns, contiguous across K:
	// dst[g·groupStride + k·kStride + i] = src[k·ld + 8·g + i]. k is even.
	packAcross func(dst, src *float32, k, ld, kStride, groups, groupStride int)

	// round rounds floats to bfloat16 in place, n being a multiple of 8; nil
	// where nothing is to be rounded or the packers do so.
	round func(p *float32, n int)

	// pairs: an element of a panel holds the bfloat16 of steps 2k (low half) and
	// 2k+1 (high half), and strides count such elements.
	pairs bool

	// dot sets sums[r] = Σₖ x[k]·w[r·ld + k] for r < 4; k is a multiple of 32.
	// axpy adds Σ x[r]·w[r·ld + j] over r < 8 to y[j], j < n, a multiple of 16.
	// With pairs, x holds pairs and w is rounded on the way. Both nil: few rows
	// get no kernels of their own.
	dot  func(x, w *float32, k, ld int, sums *float32)
	axpy func(x, w *float32, n, ld int, y *float32)

	// peak runs n rounds of multiply-adds on registers, peakOps operations each.
	peak    func(n int)
	peakOps int
}

// genericKernels are the kernels in Go.
func genericKernels(bf16 bool) kernels {
	k := kernels{
		lanes:      genericWidth,
		width:      genericWidth,
		tile:       [3]func(*tile){tileGeneric},
		rows:       [3]func(*tile){rowsGeneric},
		packAlong:  packAlongGeneric,
		packAcross: packAcrossGeneric,
		peak:       peakGeneric,
		peakOps:    2 * 12,
	}
	if bf16 {
		k.round = roundGeneric
	} else {
		k.dot, k.axpy = dotGeneric, axpyGeneric
	}
	return k
}
