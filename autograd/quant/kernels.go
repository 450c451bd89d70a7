package quant

import (
	"encoding/binary"
	"math"
)

// Kernels are the inner loops of decoding. Every product is rounded, so that all
// implementations give the same bits.
type Kernels struct {
	// Nibbles sets dst[2i] = table[high half of codes[i]]·scale and dst[2i+1] =
	// table[low half]·scale; the length of dst is even.
	Nibbles func(dst []float32, codes []byte, table *[16]float32, scale float32)
	// Int8 sets dst[i] = (codes[i]·scale)·factor, the codes being signed.
	Int8 func(dst []float32, codes []byte, scale, factor float32)
	// BF16 widens len(dst) numbers.
	BF16 func(dst []float32, src []byte)
}

// Generic returns the kernels in Go.
func Generic() Kernels { return Kernels{nibblesGeneric, int8Generic, bf16Generic} }

func nibblesGeneric(dst []float32, codes []byte, table *[16]float32, scale float32) {
	codes = codes[:len(dst)/2]
	for i, c := range codes {
		dst[2*i], dst[2*i+1] = table[c>>4]*scale, table[c&15]*scale
	}
}

func int8Generic(dst []float32, codes []byte, scale, factor float32) {
	for i, c := range codes[:len(dst)] {
		dst[i] = float32(float32(int8(c))*scale) * factor
	}
}

func bf16Generic(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(src[2*i:])) << 16)
	}
}
