package gguf

// The K-quants: superblocks of 256 elements, whose sub-blocks of 16 or 32 have
// scales of their own, quantised in turn by the superblock's binary16 scale d
// (and dmin for their minima). Rounding is as in quant.go.

// decodeQ2K: 16 bytes of scale (low nibble) and minimum (high) for 16 elements
// each, 64 bytes of 2-bit elements, d, dmin; x = (d·scale)·q − dmin·minimum.
func decodeQ2K(dst []float32, src []byte) {
	for ; len(src) > 0; src, dst = src[84:], dst[256:] {
		scales, qs, d, dmin := src[:16], src[16:80], half(src[80:]), half(src[82:])
		for i := range 256 {
			scale := scales[i/16]
			q := qs[i/128*32+i%32] >> (i % 128 / 32 * 2) & 3
			dst[i] = float32(d*float32(scale&15)*float32(q)) - float32(dmin*float32(scale>>4))
		}
	}
}

// decodeQ3K: 32 bytes of third bits, 64 bytes of 2-bit elements, 12 bytes of
// 6-bit scales for 16 elements each, d; x = (d·(scale − 32))·(q − 4 unless the
// third bit is set).
func decodeQ3K(dst []float32, src []byte) {
	for ; len(src) > 0; src, dst = src[110:], dst[256:] {
		high, qs, packed, d := src[:32], src[32:96], src[96:108], half(src[108:])
		var scales [16]float32
		for i := range scales {
			low := packed[i%8] >> (i / 8 * 4) & 15
			scales[i] = d * float32(int(low|packed[8+i%4]>>(i/4*2)&3<<4)-32)
		}
		for i := range 256 {
			q := int(qs[i/128*32+i%32] >> (i % 128 / 32 * 2) & 3)
			if high[i%32]>>(i/32)&1 == 0 {
				q -= 4
			}
			dst[i] = scales[i/16] * float32(q)
		}
	}
}

// scaleMin unpacks the 6-bit scale and minimum of sub-block i of 8 from the 12
// bytes that Q4_K and Q5_K have.
func scaleMin(packed []byte, i int) (scale, minimum byte) {
	if i < 4 {
		return packed[i] & 63, packed[i+4] & 63
	}
	return packed[i+4]&15 | packed[i-4]>>6<<4, packed[i+4]>>4 | packed[i]>>6<<4
}

// decodeQ4K: d, dmin, 12 bytes of scales and minima for 32 elements each, 128
// bytes of nibbles; x = (d·scale)·q − dmin·minimum.
func decodeQ4K(dst []float32, src []byte) {
	for ; len(src) > 0; src, dst = src[144:], dst[256:] {
		d, dmin, packed, qs := half(src), half(src[2:]), src[4:16], src[16:144]
		for sub := range 8 {
			scale, minimum := scaleMin(packed, sub)
			s, m := d*float32(scale), dmin*float32(minimum)
			for i, q := range qs[sub/2*32 : sub/2*32+32] {
				dst[sub*32+i] = float32(s*float32(q>>(sub%2*4)&15)) - m
			}
		}
	}
}

// decodeQ5K: as Q4_K, with 32 bytes of fifth bits before the nibbles.
func decodeQ5K(dst []float32, src []byte) {
	for ; len(src) > 0; src, dst = src[176:], dst[256:] {
		d, dmin, packed, high, qs := half(src), half(src[2:]), src[4:16], src[16:48], src[48:176]
		for sub := range 8 {
			scale, minimum := scaleMin(packed, sub)
			s, m := d*float32(scale), dmin*float32(minimum)
			for i, q := range qs[sub/2*32 : sub/2*32+32] {
				dst[sub*32+i] = float32(s*float32(q>>(sub%2*4)&15|high[i]>>sub&1<<4)) - m
			}
		}
	}
}

// decodeQ6K: 128 bytes of low nibbles, 64 bytes of high bit pairs, 16 signed
// scales for 16 elements each, d; x = (d·scale)·(q − 32).
func decodeQ6K(dst []float32, src []byte) {
	for ; len(src) > 0; src, dst = src[210:], dst[256:] {
		low, high, scales, d := src[:128], src[128:192], src[192:208], half(src[208:])
		for i := range 256 {
			l := low[i/128*64+i%64] >> (i % 128 / 64 * 4) & 15
			h := high[i/128*32+i%32] >> (i % 128 / 32 * 2) & 3
			scale := d * float32(int8(scales[i/16]))
			dst[i] = scale * float32(int(l|h<<4)-32)
		}
	}
}
