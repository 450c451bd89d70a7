package vec

import "math"

// DropoutKey names one random mask: the same key gives the same mask on every
// instruction set and device, for every split of the range and in the backward
// pass.
type DropoutKey struct {
	Seed uint64 // of the run
	Site uint32 // which dropout of the model
}

// Dropout sets dst_i = x_i/(1-p) with probability 1-p and 0 otherwise (Srivastava
// et al. 2014). The slices are elements [first, first+len(dst)) of the sequence
// that the mask belongs to. Element e is kept when word e mod 4 of Philox4x32-10
// (Salmon et al. 2011) with key Seed and counter (b low, Site, b high, 0),
// b = e div 4, is at least p·2³², so that the probability is exact to 2⁻³². The
// gradient is the same function of dy. 0 ≤ p < 1. In place.
func (v *Impl) Dropout(dst, x []float32, p float32, key DropoutKey, first uint64) {
	x = x[:len(dst)]
	threshold := uint32(math.Round(float64(p) * (1 << 32)))
	scale := 1 / (1 - p)
	if head := int(-first & 3); head > 0 {
		head = min(head, len(dst))
		words := key.block(first / 4)
		for i := range head {
			dst[i] = keep(x[i], words[(first+uint64(i))&3], threshold, scale)
		}
		dst, x, first = dst[head:], x[head:], first+uint64(head)
	}
	v.dropout(dst, x, key, first/4, threshold, scale)
}

// dropoutGeneric drops out a range that begins at word 0 of a block.
func dropoutGeneric(dst, x []float32, key DropoutKey, block uint64, threshold uint32, scale float32) {
	for i := 0; i < len(dst); i += 4 {
		words := key.block(block)
		block++
		for j := range min(4, len(dst)-i) {
			dst[i+j] = keep(x[i+j], words[j], threshold, scale)
		}
	}
}

func keep(x float32, word, threshold uint32, scale float32) float32 {
	if word < threshold {
		return 0
	}
	return x * scale
}

// Normal sets dst to numbers from N(0, 1), elements [first, first+len(dst)) of a sequence
// as Dropout counts them: of a pair of elements words a and b of its block give
// √(-2·ln u)·(cos 2πv, sin 2πv), u = ((a >> 9) + ½)·2⁻²³, v = (b >> 8)·2⁻²⁴ (Box and Muller
// 1958).
func (v *Impl) Normal(dst []float32, key DropoutKey, first uint64) {
	for i := 0; i < len(dst); {
		e := first + uint64(i)
		words := key.block(e / 4)
		for j := e % 4; j < 4 && i < len(dst); j++ {
			pair := j &^ 1
			radius := math.Sqrt(-2 * math.Log((float64(words[pair]>>9)+0.5)/(1<<23)))
			sin, cos := math.Sincos(2 * math.Pi * float64(words[pair+1]>>8) / (1 << 24))
			if j == pair {
				dst[i] = float32(radius * cos)
			} else {
				dst[i] = float32(radius * sin)
			}
			i++
		}
	}
}

// Multipliers of the two lanes and increments of the key (Weyl sequence) of
// Philox4x32.
const (
	philoxM0, philoxM1 = 0xD2511F53, 0xCD9E8D57
	philoxW0, philoxW1 = 0x9E3779B9, 0xBB67AE85
	philoxRounds       = 10
)

// block returns the four words of one block.
func (key DropoutKey) block(number uint64) [4]uint32 {
	return philox(key.Seed, [4]uint32{uint32(number), key.Site, uint32(number >> 32), 0})
}

// philox returns the four words of a counter.
func philox(key uint64, counter [4]uint32) [4]uint32 {
	k0, k1 := uint32(key), uint32(key>>32)
	c0, c1, c2, c3 := counter[0], counter[1], counter[2], counter[3]
	for range philoxRounds {
		p0, p1 := uint64(c0)*philoxM0, uint64(c2)*philoxM1
		c0, c1, c2, c3 = uint32(p1>>32)^c1^k0, uint32(p1), uint32(p0>>32)^c3^k1, uint32(p0)
		k0 += philoxW0
		k1 += philoxW1
	}
	return [4]uint32{c0, c1, c2, c3}
}
