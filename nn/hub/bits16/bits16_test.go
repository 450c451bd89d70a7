package bits16

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// number is what 16 bits stand for: exponent bits, then mantissa bits, by the definition of IEEE 754.
func number(bits uint16, mantissa int) float64 {
	exponents := 15 - mantissa
	bias := 1<<(exponents-1) - 1
	exp, frac := int(bits>>mantissa)&(1<<exponents-1), float64(bits&(1<<mantissa-1))/float64(int(1)<<mantissa)
	sign := 1.0
	if bits>>15 == 1 {
		sign = -1
	}
	switch {
	case exp == 1<<exponents-1 && frac > 0:
		return math.NaN()
	case exp == 1<<exponents-1:
		return math.Inf(int(sign))
	case exp == 0:
		return sign * math.Ldexp(frac, 1-bias)
	}
	return sign * math.Ldexp(1+frac, exp-bias)
}

// TestByDefinition converts all numbers of 16 bits to float32, and float32 at, beside and between all of them back: to the
// nearest, of two as near to the even one.
func TestByDefinition(t *testing.T) {
	for _, format := range []struct {
		name     string
		mantissa int
		to       func(float32) uint16
		from     func(uint16) float32
		nan      func(bits uint32) uint16
	}{
		{"BF16", 7, BF16, FromBF16, func(b uint32) uint16 { return uint16(b>>16) | 0x40 }},
		{"F16", 10, F16, FromF16, func(b uint32) uint16 { return uint16(b>>16)&0x8000 | 0x7e00 }},
	} {
		var finite []uint16 // from zero on
		for bits := range uint16(1<<15 - 1) {
			want := number(bits, format.mantissa)
			got := format.from(bits)
			negative := format.from(bits | 1<<15)
			if math.IsNaN(want) {
				if got == got || negative == negative {
					t.Errorf("%s: %04x is %g and %g", format.name, bits, got, negative)
				}
				continue
			}
			if float64(got) != want || float64(negative) != -want || math.Signbit(float64(got)) || !math.Signbit(float64(negative)) {
				t.Fatalf("%s: %04x is %g and %g, want ±%g", format.name, bits, got, negative, want)
			}
			if !math.IsInf(want, 0) {
				finite = append(finite, bits)
			}
		}
		last := finite[len(finite)-1]
		// What lies half a step beyond the largest number rounds to infinity, as if one more followed.
		beyond := 2*number(last, format.mantissa) - number(last-1, format.mantissa)
		value := func(i int) float64 {
			if i == len(finite) {
				return beyond
			}
			return number(finite[i], format.mantissa)
		}
		nearest := func(x float64) uint16 {
			i, exact := slices.BinarySearchFunc(finite, x, func(b uint16, x float64) int { return cmp.Compare(number(b, format.mantissa), x) })
			if exact {
				return finite[i]
			}
			if i > len(finite) || x >= beyond {
				return last + 1
			}
			below, above := x-value(i-1), value(i)-x
			if below < above || below == above && (i-1)%2 == 0 {
				return finite[i-1]
			}
			return uint16(i)
		}
		r := rand.New(rand.NewPCG(1, 7))
		try := func(x float32) {
			want := nearest(math.Abs(float64(x)))
			if got := format.to(x); got != want|uint16(math.Float32bits(x)>>16)&0x8000 {
				t.Fatalf("%s: %g (%08x) becomes %04x, want %04x", format.name, x, math.Float32bits(x), got, want)
			}
		}
		for i := range finite {
			for _, x := range []float64{value(i), (value(i) + value(i+1)) / 2, value(i) + (value(i+1)-value(i))*r.Float64()} {
				for _, y := range []float32{float32(x), math.Nextafter32(float32(x), 2*float32(x)), math.Nextafter32(float32(x), 0)} {
					if math.IsInf(float64(y), 0) {
						continue
					}
					try(y)
					try(-y)
				}
			}
		}
		for range 200_000 {
			bits := r.Uint32()
			switch x := math.Float32frombits(bits); {
			case x != x:
				if got := format.to(x); got != format.nan(bits) {
					t.Fatalf("%s: NaN %08x becomes %04x, want %04x", format.name, bits, got, format.nan(bits))
				}
			case !math.IsInf(float64(x), 0):
				try(x)
			}
		}
		for _, bits := range []uint32{0x7f800001, 0xff800001, 0x7fc00000, 0x7fffffff, 0xffffffff} {
			if got := format.to(math.Float32frombits(bits)); got != format.nan(bits) || format.from(got) == format.from(got) {
				t.Errorf("%s: NaN %08x becomes %04x, want %04x", format.name, bits, got, format.nan(bits))
			}
		}
		for _, sign := range []int{1, -1} {
			x := float32(math.Inf(sign))
			if got := format.to(x); format.from(got) != x {
				t.Errorf("%s: %g becomes %04x", format.name, x, got)
			}
		}
	}
}
