package data

import "math/bits"

// Permutation is a keyed bijection of [0, n) without memory: an unbalanced Feistel network over the smallest power of
// two that is at least n, walked until the value falls below n (Black and Rogaway, "Ciphers with arbitrary finite
// domains", 2002). The walk takes less than two steps on average for n > 128. Below, the domain stays at 256, for halves of
// one or two bits reach too few of the permutations to be even.
type Permutation struct {
	n           uint64
	left, right int // bits of the halves
	keys        [feistelRounds]uint64
}

const feistelRounds = 8

// NewPermutation keys the bijection of [0, n), n ≥ 1, with seed and stream.
func NewPermutation(n, seed, stream uint64) Permutation {
	width := max(bits.Len64(n-1), 8)
	p := Permutation{n: n, left: width / 2, right: width - width/2}
	for i := range p.keys {
		p.keys[i] = mix(mix(mix(seed)+stream) + uint64(i))
	}
	return p
}

// At returns the image of i < n.
func (p *Permutation) At(i uint64) uint64 {
	for {
		if i = p.cipher(i); i < p.n {
			return i
		}
	}
}

// cipher permutes [0, 2^(left+right)); the halves swap widths at each round, so the even number of rounds restores them.
func (p *Permutation) cipher(x uint64) uint64 {
	left, right := p.left, p.right
	a, b := x>>right, x&(1<<right-1)
	for _, key := range p.keys {
		a, b = b, (a^mix(b^key))&(1<<left-1)
		left, right = right, left
	}
	return a<<right | b
}

// mix is the finalizer of SplitMix64 (Steele, Lea and Flood, 2014), a bijection of 64-bit words.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
