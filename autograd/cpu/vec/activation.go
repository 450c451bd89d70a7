package vec

import "math"

// ReLU sets dst = max(x, 0); NaN stays NaN. In place.
func (v *Impl) ReLU(dst, x []float32) { v.relu(dst, x[:len(dst)]) }

// ReLUBackward sets dx = dy where x > 0, else 0. In place (dx is dy).
func (v *Impl) ReLUBackward(dx, x, dy []float32) {
	v.reluBackward(dx, x[:len(dx)], dy[:len(dx)])
}

// ReLU2 sets dst = max(x, 0)² (So et al. 2021, Primer). In place.
func (v *Impl) ReLU2(dst, x []float32) { v.relu2(dst, x[:len(dst)]) }

// ReLU2Backward sets dx = 2·max(x, 0)·dy. In place (dx is dy).
func (v *Impl) ReLU2Backward(dx, x, dy []float32) {
	v.relu2Backward(dx, x[:len(dx)], dy[:len(dx)])
}

// GELU sets dst = x·Φ(x) = x/2·(1 + erf(x/√2)) (Hendrycks and Gimpel 2016). In
// place.
func (v *Impl) GELU(dst, x []float32) { v.gelu(dst, x[:len(dst)]) }

// GELUBackward sets dx = dy·(Φ(x) + x·φ(x)). In place (dx is dy).
func (v *Impl) GELUBackward(dx, x, dy []float32) {
	v.geluBackward(dx, x[:len(dx)], dy[:len(dx)])
}

// GELUTanh sets dst = x/2·(1 + tanh(√(2/π)·(x + 0.044715 x³))), the
// approximation of GPT-2 ("gelu_new"). In place.
func (v *Impl) GELUTanh(dst, x []float32) { v.geluTanh(dst, x[:len(dst)]) }

// GELUTanhBackward sets dx = dy·GELUTanh'(x). In place (dx is dy).
func (v *Impl) GELUTanhBackward(dx, x, dy []float32) {
	v.geluTanhBackward(dx, x[:len(dx)], dy[:len(dx)])
}

// SiLU sets dst = x·σ(x), σ(x) = 1/(1+e⁻ˣ). In place.
func (v *Impl) SiLU(dst, x []float32) { v.silu(dst, x[:len(dst)]) }

// SiLUBackward sets dx = dy·σ(x)·(1 + x·(1-σ(x))). In place (dx is dy).
func (v *Impl) SiLUBackward(dx, x, dy []float32) {
	v.siluBackward(dx, x[:len(dx)], dy[:len(dx)])
}

// leakySlope is the slope of LeakyReLU below 0.
const leakySlope = 0.2

// LeakyReLU sets dst = x where x > 0, else x/5 (Radford et al. 2015). In place.
func (v *Impl) LeakyReLU(dst, x []float32) {
	for i, e := range x[:len(dst)] {
		dst[i] = max(e, leakySlope*e)
	}
}

// LeakyReLUBackward sets dx = dy where x > 0, else dy/5. In place (dx is dy).
func (v *Impl) LeakyReLUBackward(dx, x, dy []float32) {
	dy = dy[:len(dx)]
	for i, e := range x[:len(dx)] {
		if e > 0 {
			dx[i] = dy[i]
		} else {
			dx[i] = leakySlope * dy[i]
		}
	}
}

// TanhBackward sets dx = dy·(1 - tanh²(x)). In place (dx is dy).
func (v *Impl) TanhBackward(dx, x, dy []float32) {
	dy = dy[:len(dx)]
	for i, e := range x[:len(dx)] {
		t := math.Tanh(float64(e))
		dx[i] = dy[i] * float32(1-t*t)
	}
}

// SwiGLU sets dst = SiLU(gate)·up (Shazeer 2020). In place on either source.
func (v *Impl) SwiGLU(dst, gate, up []float32) {
	v.swiGLU(dst, gate[:len(dst)], up[:len(dst)])
}

// SwiGLUBackward sets dgate = dy·up·SiLU'(gate) and dup = dy·SiLU(gate). Either
// destination may be any of the sources.
func (v *Impl) SwiGLUBackward(dgate, dup, gate, up, dy []float32) {
	n := len(dgate)
	v.swiGLUBackward(dgate, dup[:n], gate[:n], up[:n], dy[:n])
}

func reluGeneric(dst, x []float32) {
	for i := range dst {
		e := x[i]
		if e <= 0 {
			e = 0
		}
		dst[i] = e
	}
}

func reluBackwardGeneric(dx, x, dy []float32) {
	for i := range dx {
		g := dy[i]
		if !(x[i] > 0) {
			g = 0
		}
		dx[i] = g
	}
}

func relu2Generic(dst, x []float32) {
	for i := range dst {
		e := x[i]
		if e <= 0 {
			e = 0
		}
		dst[i] = e * e
	}
}

func relu2BackwardGeneric(dx, x, dy []float32) {
	for i := range dx {
		e := x[i]
		if e <= 0 {
			e = 0
		}
		dx[i] = 2 * e * dy[i]
	}
}

func geluGeneric(dst, x []float32) {
	for i := range dst {
		e := float64(x[i])
		dst[i] = float32(e * normalCDF(e))
	}
}

func geluBackwardGeneric(dx, x, dy []float32) {
	for i := range dx {
		e := float64(x[i])
		pdf := math.Exp(-e*e/2) / math.Sqrt(2*math.Pi)
		dx[i] = float32(float64(dy[i]) * (normalCDF(e) + e*pdf))
	}
}

// normalCDF is Φ(x), the standard normal distribution function.
func normalCDF(x float64) float64 { return 0.5 * math.Erfc(-x/math.Sqrt2) }

// geluTanh(x) = x·σ(2u(x)), since (1 + tanh u)/2 = σ(2u).
// geluInner is 2u(x) = 2√(2/π)·(x + geluCubic·x³).
const geluCubic = 0.044715

var geluTwiceRoot = 2 * math.Sqrt(2/math.Pi)

func geluTanhGeneric(dst, x []float32) {
	for i := range dst {
		e := float64(x[i])
		dst[i] = float32(e * sigmoid(geluTwiceRoot*(e+geluCubic*e*e*e)))
	}
}

func geluTanhBackwardGeneric(dx, x, dy []float32) {
	for i := range dx {
		e := float64(x[i])
		s := sigmoid(geluTwiceRoot * (e + geluCubic*e*e*e))
		du := geluTwiceRoot * (1 + 3*geluCubic*e*e)
		dx[i] = float32(float64(dy[i]) * (s + e*s*(1-s)*du))
	}
}

func siluGeneric(dst, x []float32) {
	for i := range dst {
		e := float64(x[i])
		dst[i] = float32(e * sigmoid(e))
	}
}

func siluBackwardGeneric(dx, x, dy []float32) {
	for i := range dx {
		e := float64(x[i])
		s := sigmoid(e)
		dx[i] = float32(float64(dy[i]) * s * (1 + e*(1-s)))
	}
}

func swiGLUGeneric(dst, gate, up []float32) {
	for i := range dst {
		g := float64(gate[i])
		dst[i] = float32(g * sigmoid(g) * float64(up[i]))
	}
}

func swiGLUBackwardGeneric(dgate, dup, gate, up, dy []float32) {
	for i := range dgate {
		g, u, d := float64(gate[i]), float64(up[i]), float64(dy[i])
		s := sigmoid(g)
		dgate[i] = float32(d * u * s * (1 + g*(1-s)))
		dup[i] = float32(d * g * s)
	}
}
