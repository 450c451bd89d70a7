package gguf

import (
	"encoding/binary"
	"math"

	"example.com/gotrain/nn/hub/bits16"
)

// The blocks of 32 elements with a scale d, some with a minimum m, both binary16.
// Nibble i of the low halves is element i, of the high halves element 16+i.
// Explicit conversions to float32 keep the compiler from fusing a product and a
// sum into one rounding, which would differ from the reference.

// decodeQ4_0: d, 16 bytes; x = d·(q − 8).
func decodeQ4_0(dst []float32, src []byte) {
	for ; len(src) > 0; src, dst = src[18:], dst[32:] {
		d := half(src)
		for i, q := range src[2:18] {
			dst[i] = d * float32(int(q&15)-8)
			dst[16+i] = d * float32(int(q>>4)-8)
		}
	}
}

// decodeQ4_1: d, m, 16 bytes; x = d·q + m.
func decodeQ4_1(dst []float32, src []byte) {
	for ; len(src) > 0; src, dst = src[20:], dst[32:] {
		d, m := half(src), half(src[2:])
		for i, q := range src[4:20] {
			dst[i] = float32(d*float32(q&15)) + m
			dst[16+i] = float32(d*float32(q>>4)) + m
		}
	}
}

// decodeQ5_0: d, 32 fifth bits, 16 bytes; x = d·(q − 16).
func decodeQ5_0(dst []float32, src []byte) {
	for ; len(src) > 0; src, dst = src[22:], dst[32:] {
		d, high := half(src), binary.LittleEndian.Uint32(src[2:])
		for i, q := range src[6:22] {
			dst[i] = d * float32(int(uint32(q&15)|high>>i&1<<4)-16)
			dst[16+i] = d * float32(int(uint32(q>>4)|high>>(16+i)&1<<4)-16)
		}
	}
}

// decodeQ5_1: d, m, 32 fifth bits, 16 bytes; x = d·q + m.
func decodeQ5_1(dst []float32, src []byte) {
	for ; len(src) > 0; src, dst = src[24:], dst[32:] {
		d, m, high := half(src), half(src[2:]), binary.LittleEndian.Uint32(src[4:])
		for i, q := range src[8:24] {
			dst[i] = float32(d*float32(uint32(q&15)|high>>i&1<<4)) + m
			dst[16+i] = float32(d*float32(uint32(q>>4)|high>>(16+i)&1<<4)) + m
		}
	}
}

// decodeQ8_0: d, 32 signed bytes; x = q·d.
func decodeQ8_0(dst []float32, src []byte) {
	for ; len(src) > 0; src, dst = src[34:], dst[32:] {
		d := half(src)
		for i, q := range src[2:34] {
			dst[i] = float32(int8(q)) * d
		}
	}
}

// encodeQ8_0: d = max|x|/127, q = x/d rounded half away from zero.
func encodeQ8_0(dst []byte, src []float32) {
	for ; len(src) > 0; src, dst = src[32:], dst[34:] {
		var largest float32
		for _, x := range src[:32] {
			largest = max(largest, float32(math.Abs(float64(x))))
		}
		d := largest / 127
		var inverse float32
		if d != 0 {
			inverse = 1 / d
		}
		binary.LittleEndian.PutUint16(dst, bits16.F16(d))
		for i, x := range src[:32] {
			dst[2+i] = byte(int8(math.Round(float64(x * inverse))))
		}
	}
}
