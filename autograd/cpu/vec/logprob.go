package vec

// LogProbScratch is the length of the scratch of Entropy and LogProbBackward.
const LogProbScratch = 1024

// LogProb returns the log-probability z_t - lse of class t under softmax(z), and
// lse = ln Σ exp(z).
func (v *Impl) LogProb(z []float32, t int) (logp, lse float32) {
	lse = v.LogSumExp(z)
	return z[t] - lse, lse
}

// Entropy returns -Σ p·ln p = lse - Σ p·z of p = softmax(z) in nats, given the lse of
// LogProb.
func (v *Impl) Entropy(z []float32, lse float32, scratch []float32) float32 {
	var mean float64
	for len(z) > 0 {
		n := min(len(z), len(scratch))
		v.expSum(scratch[:n], z[:n], 1, lse)
		mean += v.dot(scratch[:n], z[:n])
		z = z[n:]
	}
	return float32(float64(lse) - mean)
}

// LogProbBackward overwrites logits by the gradient of dlogp·LogProb + dentropy·Entropy:
//
//	dlogp·([i = t] - p) - dentropy·p·(z - lse + entropy)
func (v *Impl) LogProbBackward(z []float32, t int, dlogp, dentropy float32, scratch []float32) {
	if dentropy == 0 {
		v.CrossEntropyBackward(z, t, Loss{}, -dlogp)
		return
	}
	_, lse := v.LogProb(z, t)
	shift := dentropy*(lse-v.Entropy(z, lse, scratch)) - dlogp
	for rest := z; len(rest) > 0; {
		n := min(len(rest), len(scratch))
		v.expSum(scratch[:n], rest[:n], 1, lse)
		v.affine(rest[:n], -dentropy, shift)
		v.mul(rest[:n], rest[:n], scratch[:n])
		rest = rest[n:]
	}
	z[t] += dlogp
}
