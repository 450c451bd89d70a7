package vec

import "math"

// Softmax sets dst_i = exp(scale·x_i - m)/Σ_j exp(scale·x_j - m) with
// m = max(scale·x), so that nothing overflows. scale ≥ 0. Elements of -inf give
// 0; a row of nothing else gives NaN. In place.
func (v *Impl) Softmax(dst, x []float32, scale float32) {
	if len(dst) == 0 {
		return
	}
	x = x[:len(dst)]
	sum := v.expSum(dst, x, scale, scale*v.max(x))
	v.scale(dst, dst, float32(1/sum))
}

// LogSumExp returns ln Σ exp(x), computed without overflow; -inf for an empty
// row or one of only -inf.
func (v *Impl) LogSumExp(x []float32) float32 {
	m := v.max(x)
	if math.IsInf(float64(m), 0) {
		return m
	}
	return float32(float64(m) + math.Log(v.sumExp(x, 1, m)))
}

// SoftmaxBackward sets dx = scale·y·(dy - Σ y·dy), the gradient with respect to
// x of y = Softmax(x, scale). In place (dx is dy).
func (v *Impl) SoftmaxBackward(dx, y, dy []float32, scale float32) {
	y, dy = y[:len(dx)], dy[:len(dx)]
	v.softmaxGrad(dx, y, dy, scale, float32(v.dot(y, dy)))
}

// Loss configures the classifier: see [Impl.CrossEntropy].
type Loss struct {
	Smoothing float32 // label smoothing ε in [0, 1): PyTorch's label_smoothing
	ZLoss     float32 // coefficient of lse² (Chowdhery et al. 2022, PaLM)
}

// CrossEntropy returns, for one row of logits z, V = len(z), and its target
// class t:
//
//	lse  = ln Σ exp(z)
//	nll  = lse - z_t
//	loss = (1-ε)·nll + ε·(lse - Σz/V) + ZLoss·lse²
//
// Rows that do not count (ignore_index) are the caller's to skip. 0 ≤ t < V.
func (v *Impl) CrossEntropy(z []float32, t int, c Loss) (loss, nll, lse float32) {
	lse = v.LogSumExp(z)
	zt, mean := z[t], v.smoothingMean(z, c)
	loss, nll = c.of(zt, mean, lse)
	return loss, nll, lse
}

// CrossEntropyBackward is [Impl.CrossEntropy] fused with its gradient: it
// returns the same, up to rounding, and overwrites the logits by
// gradScale·d(loss)/dz, which is
//
//	gradScale·(p·(1 + 2·ZLoss·lse) - ε/V - (1-ε)·[i = t]),  p = exp(z - lse)
func (v *Impl) CrossEntropyBackward(z []float32, t int, c Loss, gradScale float32) (loss, nll, lse float32) {
	zt, mean, top := z[t], v.smoothingMean(z, c), v.max(z)
	sum := v.expSum(z, z, 1, top)
	lse = float32(float64(top) + math.Log(sum))
	loss, nll = c.of(zt, mean, lse)
	v.affine(z, gradScale*(1+2*c.ZLoss*lse)*float32(1/sum), -gradScale*c.Smoothing/float32(len(z)))
	z[t] -= gradScale * (1 - c.Smoothing)
	return loss, nll, lse
}

// smoothingMean is the mean logit, which only smoothing needs.
func (v *Impl) smoothingMean(z []float32, c Loss) float32 {
	if c.Smoothing == 0 {
		return 0
	}
	return float32(v.sum(z) / float64(len(z)))
}

func (c Loss) of(zt, mean, lse float32) (loss, nll float32) {
	nll = lse - zt
	return (1-c.Smoothing)*nll + c.Smoothing*(lse-mean) + c.ZLoss*lse*lse, nll
}

// expSumGeneric sets dst = exp(scale·x - max) and returns its sum.
func expSumGeneric(dst, x []float32, scale, max float32) float64 {
	var s float64
	for i := range dst {
		e := math.Exp(float64(scale)*float64(x[i]) - float64(max))
		dst[i] = float32(e)
		s += e
	}
	return s
}

// sumExpGeneric returns Σ exp(scale·x - max).
func sumExpGeneric(x []float32, scale, max float32) float64 {
	var s float64
	for _, e := range x {
		s += math.Exp(float64(scale)*float64(e) - float64(max))
	}
	return s
}

// softmaxGradGeneric sets dx = scale·y·(dy - dot).
func softmaxGradGeneric(dx, y, dy []float32, scale, dot float32) {
	for i := range dx {
		dx[i] = scale * y[i] * (dy[i] - dot)
	}
}

// affineGeneric sets x = a·x + b.
func affineGeneric(x []float32, a, b float32) {
	for i, e := range x {
		x[i] = a*e + b
	}
}
