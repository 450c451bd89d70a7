package vec

// AttentionDecode is the attention of one query head of a over a cache of keys and
// values: out = softmax(a.Scale·k·q + bias)ᵀ·v, of which the query is that of the last key;
// bias is the row of its head of a.Bias, or nil. k and v begin at the key/value head's
// column of the first visible key (a window starts later), len(scratch) ≥ keys
// says how many rows they have. No keys give zeros. With a.Sees the first row is key 0.
func (v *Impl) AttentionDecode(a *Attention, out, q []float32, k, values Heads, bias []float32, keys int, scratch []float32) {
	hd := a.HeadDim
	out, q = out[:hd], q[:hd]
	clear(out)
	if keys == 0 {
		return
	}
	p := scratch[:0]
	for first, end := a.nextRun(0, keys); first < end; first, end = a.nextRun(end, keys) {
		n := len(p)
		p = scratch[:n+end-first]
		v.rowDots(p[n:], k.Data[first*k.LD:], k.LD, q, 0, hd, a.Scale)
		for i := range p[n:] {
			if bias == nil {
				break
			}
			p[n+i] += bias[min(max(first+i-(keys-1)+a.Behind, 0), len(bias)-1)]
		}
	}
	inv := 1 / float32(v.expSum(p, p, 1, v.max(p)))
	full := hd / lanes * lanes
	var keep []float32 // nil for the first run, which overwrites
	for first, end := a.nextRun(0, keys); first < end; first, end = a.nextRun(end, keys) {
		rows := values.Data[first*values.LD:]
		if full > 0 {
			v.tile(out, full, 1, full, end-first, p, end-first, 1, rows, values.LD, keep)
		}
		for j := full; j < hd; j++ {
			for s, e := range p[:end-first] {
				out[j] += e * rows[s*values.LD+j]
			}
		}
		p, keep = p[end-first:], keepOutput[:]
	}
	v.scale(out, out, inv)
}

// keepOutput is the factor of an output that is added to.
var keepOutput = [1]float32{1}

// nextRun returns the first keys [first, end) in a row, from a key on at the beginning of
// a block, that the last of so many keys sees; first = end where there are none.
func (a *Attention) nextRun(from, keys int) (first, end int) {
	if a.Sees == nil {
		return from, keys
	}
	query := (keys - 1) / a.Block
	for first = from; first < keys && !a.Sees(query, first/a.Block); first += a.Block {
	}
	for end = first; end < keys && a.Sees(query, end/a.Block); end += a.Block {
	}
	return min(first, keys), min(end, keys)
}
