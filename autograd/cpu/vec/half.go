package vec

import "math"

// BF16 is a bfloat16: the upper 16 bits of a float32 (8 exponent, 7 fraction
// bits).
type BF16 uint16

// F16 is an IEEE 754 binary16 (5 exponent, 10 fraction bits).
type F16 uint16

// ToBF16 rounds src to bfloat16, to nearest even. NaN stays NaN (quiet).
func (v *Impl) ToBF16(dst []BF16, src []float32) { v.toBF16(dst, src[:len(dst)]) }

// FromBF16 widens src, exactly.
func (v *Impl) FromBF16(dst []float32, src []BF16) { v.fromBF16(dst, src[:len(dst)]) }

// ToF16 rounds src to binary16, to nearest even, with subnormals; values of
// 65520 and more become infinite. NaN stays NaN (quiet).
func (v *Impl) ToF16(dst []F16, src []float32) { v.toF16(dst, src[:len(dst)]) }

// FromF16 widens src, exactly.
func (v *Impl) FromF16(dst []float32, src []F16) { v.fromF16(dst, src[:len(dst)]) }

func toBF16Generic(dst []BF16, src []float32) {
	for i := range dst {
		dst[i] = bf16FromFloat32(src[i])
	}
}

func bf16FromFloat32(f float32) BF16 {
	b := math.Float32bits(f)
	if f != f {
		return BF16(b>>16 | 0x40)
	}
	return BF16((b + 0x7fff + b>>16&1) >> 16)
}

func fromBF16Generic(dst []float32, src []BF16) {
	for i := range dst {
		dst[i] = math.Float32frombits(uint32(src[i]) << 16)
	}
}

func toF16Generic(dst []F16, src []float32) {
	for i := range dst {
		dst[i] = f16FromFloat32(src[i])
	}
}

func f16FromFloat32(f float32) F16 {
	b := math.Float32bits(f)
	sign := F16(b >> 16 & 0x8000)
	b &= 1<<31 - 1
	switch {
	case b > 0x7f800000: // NaN
		return sign | 0x7e00 | F16(b>>13&0x3ff)
	case b >= 0x477ff000: // rounds to 65536 or more
		return sign | 0x7c00
	case b < 0x38800000: // below 2^-14: round to multiples of 2^-24 by adding 1/2
		magic := math.Float32frombits(b) + 0.5
		return sign | F16(math.Float32bits(magic)-0x3f000000)
	}
	b += 0xfff + b>>13&1
	return sign | F16((b-(127-15)<<23)>>13)
}

func fromF16Generic(dst []float32, src []F16) {
	for i := range dst {
		dst[i] = float32FromF16(src[i])
	}
}

func float32FromF16(h F16) float32 {
	sign := uint32(h&0x8000) << 16
	exponent, fraction := uint32(h>>10&0x1f), uint32(h&0x3ff)
	switch exponent {
	case 0:
		f := float32(fraction) * (1.0 / (1 << 24))
		return math.Float32frombits(sign | math.Float32bits(f))
	case 0x1f:
		if fraction != 0 {
			fraction |= 0x200
		}
		return math.Float32frombits(sign | 0x7f800000 | fraction<<13)
	}
	return math.Float32frombits(sign | (exponent+127-15)<<23 | fraction<<13)
}
