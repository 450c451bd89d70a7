package gguf

import (
	"encoding/binary"
	"math"
	"slices"

	"example.com/gotrain/nn/hub/bits16"
)

// What ggml's reference computes (quantize_row_…_ref of ggml-quants.c), in float32 and in
// its order, without the products that compilers of C may fuse into sums.

// largestOf returns the element of the largest magnitude, the first of several.
func largestOf(x []float32) (largest float32) {
	var magnitude float32
	for _, v := range x {
		if m := abs(v); m > magnitude {
			magnitude, largest = m, v
		}
	}
	return largest
}

func abs(x float32) float32 { return math.Float32frombits(math.Float32bits(x) &^ (1 << 31)) }

// inverse is 1/d, 0 for 0.
func inverse(d float32) float32 {
	if d == 0 {
		return 0
	}
	return 1 / d
}

// nearest rounds to the nearest whole number, ties to even, inside [low, high]; NaN gives
// low.
func nearest(x float32, low, high int) int {
	r := math.RoundToEven(float64(x))
	switch {
	case r >= float64(high):
		return high
	case r > float64(low):
		return int(r)
	}
	return low
}

// encodeQ4_0: d = the largest by −8, q = x/d + 8.5 cut off.
func encodeQ4_0(dst []byte, src []float32) {
	for ; len(src) > 0; src, dst = src[32:], dst[18:] {
		d := largestOf(src[:32]) / -8
		binary.LittleEndian.PutUint16(dst, bits16.F16(d))
		q := func(x float32) byte { return byte(cut(float32(x*inverse(d))+8.5, 15)) }
		for i := range 16 {
			dst[2+i] = q(src[i]) | q(src[16+i])<<4
		}
	}
}

// encodeQ5_0: d = the largest by −16, q = x/d + 16.5 cut off.
func encodeQ5_0(dst []byte, src []float32) {
	for ; len(src) > 0; src, dst = src[32:], dst[22:] {
		d := largestOf(src[:32]) / -16
		binary.LittleEndian.PutUint16(dst, bits16.F16(d))
		q := func(x float32) uint32 { return uint32(cut(float32(x*inverse(d))+16.5, 31)) }
		var high uint32
		for i := range 16 {
			a, b := q(src[i]), q(src[16+i])
			dst[6+i] = byte(a&15 | b&15<<4)
			high |= a>>4<<i | b>>4<<(16+i)
		}
		binary.LittleEndian.PutUint32(dst[2:], high)
	}
}

// cut is x without its fraction, at most high.
func cut(x float32, high int) int {
	if !(x >= 0) {
		return 0
	}
	return int(min(x, float32(high)))
}

// tiny is the largest magnitude of a group that is taken for zeros.
const tiny = 1e-15

// encodeQ6K: scales of 16 elements each that fit best, weighted by the squares of the
// elements; d = the largest of them by −128.
func encodeQ6K(dst []byte, src []float32) {
	var levels [256]int
	var scales [16]float32
	for ; len(src) > 0; src, dst = src[256:], dst[210:] {
		clear(dst[:210])
		for i := range scales {
			scales[i] = fitSymmetric(src[16*i:16*i+16], 32)
		}
		most := largestOf(scales[:])
		if abs(most) < tiny {
			continue
		}
		inv := -128 / most
		binary.LittleEndian.PutUint16(dst[208:], bits16.F16(1/inv))
		d := half(dst[208:])
		for i := range scales {
			scale := nearest(inv*scales[i], -128, 127)
			dst[192+i] = byte(int8(scale))
			step := d * float32(scale)
			for j := 16 * i; j < 16*i+16; j++ {
				levels[j] = 0
				if step != 0 {
					levels[j] = nearest(src[j]/step, -32, 31) + 32
				}
			}
		}
		for i := range 256 {
			dst[i/128*64+i%64] |= byte(levels[i]&15) << (i % 128 / 64 * 4)
			dst[128+i/128*32+i%32] |= byte(levels[i]>>4) << (i % 128 / 32 * 2)
		}
	}
}

// fitSymmetric returns the scale s for which s·l, with whole l in [−n, n), is nearest to x,
// among 19 ways to round (make_qx_quants).
func fitSymmetric(x []float32, n int) float32 {
	most := largestOf(x)
	if abs(most) < tiny {
		return 0
	}
	var scale, best float32
	try := func(inv float32) (sumLX, sumL2 float32) {
		for _, v := range x {
			l, w := float32(nearest(float32(inv*v), -n, n-1)), float32(v*v)
			sumLX += float32(float32(w*v) * l)
			sumL2 += float32(float32(w*l) * l)
		}
		return sumLX, sumL2
	}
	if sumLX, sumL2 := try(float32(-n) / most); sumL2 != 0 {
		scale = sumLX / sumL2
		best = scale * sumLX
	}
	for i := -9; i <= 9; i++ {
		if i == 0 {
			continue
		}
		sumLX, sumL2 := try(-(float32(n) + float32(0.1*float32(i))) / most)
		if sumL2 > 0 && float32(sumLX*sumLX) > float32(best*sumL2) {
			scale = sumLX / sumL2
			best = scale * sumLX
		}
	}
	return scale
}

// encodeQ4K: scales and minima of 32 elements each that fit best, weighted by the elements'
// magnitude beside that of all 32; d and dmin are the largest of them by 63.
func encodeQ4K(dst []byte, src []float32) {
	var scales, minima [8]float32
	var levels [256]byte
	for ; len(src) > 0; src, dst = src[256:], dst[144:] {
		clear(dst[:144])
		for i := range scales {
			scales[i], minima[i] = fitAffine(src[32*i:32*i+32], levels[32*i:32*i+32])
		}
		most, mostMin := max(slices.Max(scales[:]), 0), max(slices.Max(minima[:]), 0)
		var inv, invMin float32
		if most > 0 {
			inv = 63 / most
		}
		if mostMin > 0 {
			invMin = 63 / mostMin
		}
		binary.LittleEndian.PutUint16(dst, bits16.F16(most/63))
		binary.LittleEndian.PutUint16(dst[2:], bits16.F16(mostMin/63))
		packed := dst[4:16]
		for i := range scales {
			packScaleMin(packed, i, byte(nearest(inv*scales[i], 0, 63)), byte(nearest(invMin*minima[i], 0, 63)))
		}
		d, dmin, qs := half(dst), half(dst[2:]), dst[16:144]
		for i := range scales {
			scale, minimum := scaleMin(packed, i)
			step, offset := d*float32(scale), dmin*float32(minimum)
			for j, x := range src[32*i : 32*i+32] {
				if step != 0 { // else those of the fit stay, as in ggml
					levels[32*i+j] = byte(nearest((x+offset)/step, 0, 15))
				}
				qs[i/2*32+j] |= levels[32*i+j] << (i % 2 * 4)
			}
		}
	}
}

// packScaleMin is the inverse of scaleMin; those of smaller i are there already.
func packScaleMin(packed []byte, i int, scale, minimum byte) {
	if i < 4 {
		packed[i], packed[i+4] = scale, minimum
		return
	}
	packed[i+4] = scale&15 | minimum&15<<4
	packed[i-4] |= scale >> 4 << 6
	packed[i] |= minimum >> 4 << 6
}

// fitAffine returns scale s and minimum m ≥ 0 for which s·l − m, with whole l in [0, 15], is
// nearest to x, among 22 ways to round, and these l (make_qkx2_quants).
func fitAffine(x []float32, fitted []byte) (scale, minimum float32) {
	const n = 15
	var weights, levels [32]float32
	var squares float32
	for _, v := range x {
		squares += float32(v * v)
	}
	mean := float32(math.Sqrt(float64(squares / float32(len(x)))))
	low, high := x[0], x[0]
	var sumW, sumX float32
	for i, v := range x {
		low, high = min(low, v), max(high, v)
		weights[i] = mean + abs(v)
		sumW += weights[i]
		sumX += float32(weights[i] * v)
	}
	if low = min(low, 0); high == low {
		clear(fitted)
		return 0, -low
	}
	keep := func() {
		for i := range fitted {
			fitted[i] = byte(levels[i])
		}
	}
	off := func(s, m float32) (sum float32) {
		for i, v := range x {
			diff := float32(s*levels[i]) + m - v
			sum += float32(weights[i] * float32(diff*diff))
		}
		return sum
	}
	least := low // the minimum of the best fit so far, from which the next way begins
	round := func(inv float32) {
		for i, v := range x {
			levels[i] = float32(nearest(inv*(v-least), 0, n))
		}
	}
	inv := n / (high - least)
	scale = 1 / inv
	round(inv)
	keep()
	best := off(scale, least)
	for step := range 21 {
		round((-1 + float32(0.1*float32(step)) + n) / (high - least))
		var sumL, sumL2, sumXL float32
		for i, v := range x {
			wl := float32(weights[i] * levels[i])
			sumL += wl
			sumL2 += float32(wl * levels[i])
			sumXL += float32(wl * v)
		}
		det := float32(sumW*sumL2) - float32(sumL*sumL)
		if det <= 0 {
			continue
		}
		s, m := (float32(sumW*sumXL)-float32(sumX*sumL))/det, (float32(sumL2*sumX)-float32(sumL*sumXL))/det
		if m > 0 {
			s, m = sumXL/sumL2, 0
		}
		if e := off(s, m); e < best {
			best, scale, least = e, s, m
			keep()
		}
	}
	return scale, -least
}
