package quant

import "sort"

// nf4 are the 16 values of NormalFloat4, of rising size: quantiles of the normal
// distribution, 0 and ±1 among them (Dettmers et al. 2023, appendix E).
var nf4 = [16]float32{
	-1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453,
	-0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0,
	0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
	0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1,
}

// NF4 returns the values of the 16 codes.
func NF4() [16]float32 { return nf4 }

// dynamic is bitsandbytes' signed dynamic map of 8 bits: 0, 1 and both signs of the
// middles of 2^i parts of [0.1, 1], times 10^(i-6), for i from 0 to 6 (Dettmers 2015).
var dynamic = dynamicMap()

// Dynamic returns the values of the 256 codes of an absmax of NF4Double.
func Dynamic() [256]float32 { return dynamic }

func dynamicMap() (table [256]float32) {
	values := []float32{0, 1}
	power := [...]float32{1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1}
	for i, scale := range power {
		bounds := linspace(0.1, 1, 1<<i+1)
		for j := range 1 << i {
			mean := (bounds[j] + bounds[j+1]) / 2
			values = append(values, scale*mean, -scale*mean)
		}
	}
	sort.Slice(values, func(i, j int) bool { return values[i] < values[j] })
	copy(table[:], values)
	return table
}

// linspace is torch.linspace in float32: the upper half counts from the end, and product
// and sum are rounded once.
func linspace(start, end float32, n int) []float32 {
	step := (end - start) / float32(n-1)
	x := make([]float32, n)
	for i := range x {
		if i < n/2 {
			x[i] = float32(float64(start) + float64(step)*float64(i))
		} else {
			x[i] = float32(float64(end) - float64(step)*float64(n-1-i))
		}
	}
	return x
}

// middles returns the bounds between codes: a value is of the code whose upper bound is
// the first that is not below it, so that a tie goes to the lower code.
func middles(values []float32) []float32 {
	bounds := make([]float32, len(values)-1)
	for i := range bounds {
		bounds[i] = (values[i] + values[i+1]) / 2
	}
	return bounds
}

var (
	nf4Bounds     = middles(nf4[:])
	dynamicBounds = middles(dynamic[:])
)

// nearest is the code of x, whose bounds are a power of two minus one.
func nearest(bounds []float32, x float32) byte {
	at := 0
	for half := (len(bounds) + 1) / 2; half > 0; half /= 2 {
		if x > bounds[at+half-1] {
			at += half
		}
	}
	return byte(at)
}
