package vec

// RoPE rotates one head row x of even length hd by position (Su et al. 2021) in
// the half-rotation layout of Hugging Face's Llama, pairs (i, i+hd/2):
//
//	dst_i      = x_i·cos_i - x_{i+hd/2}·sin_i
//	dst_{i+hd/2} = x_{i+hd/2}·cos_i + x_i·sin_i
//
// cos and sin hold hd/2 values, those of the row's position. In place.
func (v *Impl) RoPE(dst, x, cos, sin []float32) {
	half := len(dst) / 2
	v.rope(dst[:2*half], x[:2*half], cos[:half], sin[:half], 1)
}

// RoPEInverse rotates back by the same angles: the gradient of [Impl.RoPE],
// since a rotation's transpose is its inverse. In place.
func (v *Impl) RoPEInverse(dst, x, cos, sin []float32) {
	half := len(dst) / 2
	v.rope(dst[:2*half], x[:2*half], cos[:half], sin[:half], -1)
}

func ropeGeneric(dst, x, cos, sin []float32, sign float32) {
	half := len(cos)
	for i, c := range cos {
		s := sign * sin[i]
		a, b := x[i], x[i+half]
		dst[i] = a*c - b*s
		dst[i+half] = b*c + a*s
	}
}
