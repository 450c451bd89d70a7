package vec

// AttentionDecode is the attention of one query head over a cache of keys and
// values: out = softmax(scale·k·q)ᵀ·v. k and v begin at the key/value head's
// column of the first visible key (a window starts later), len(scratch) ≥ keys
// says how many rows they have; HeadDim is len(q). No keys give zeros.
func (v *Impl) AttentionDecode(out, q []float32, k, values Heads, keys int, scale float32, scratch []float32) {
	hd := len(q)
	out = out[:hd]
	clear(out)
	if keys == 0 {
		return
	}
	p := scratch[:keys]
	v.rowDots(p, k.Data, k.LD, q, 0, hd, scale)
	inv := 1 / float32(v.expSum(p, p, 1, v.max(p)))
	full := hd / lanes * lanes
	if full > 0 {
		v.tile(out, full, 1, full, keys, p, keys, 1, values.Data, values.LD, nil)
	}
	for j := full; j < hd; j++ {
		for s, e := range p {
			out[j] += e * values.Data[s*values.LD+j]
		}
	}
	v.scale(out, out, inv)
}
