package vec

import "math"

// Exp sets dst = eˣ with an error of at most 2 ulp where the result is normal.
// Overflow gives +inf, -inf gives 0, NaN stays NaN. In place.
func (v *Impl) Exp(dst, x []float32) { v.exp(dst, x[:len(dst)]) }

// Log sets dst = ln x with an error of at most 2 ulp. Zero gives -inf, negative
// numbers NaN. In place.
func (v *Impl) Log(dst, x []float32) { v.log(dst, x[:len(dst)]) }

// Tanh sets dst = tanh x with an error of at most 4 ulp or 1e-7. In place.
func (v *Impl) Tanh(dst, x []float32) { v.tanh(dst, x[:len(dst)]) }

// Sigmoid sets dst = 1/(1+e⁻ˣ) with an error of at most 4 ulp or 1e-7. In place.
func (v *Impl) Sigmoid(dst, x []float32) { v.sigmoid(dst, x[:len(dst)]) }

// Erf sets dst = 2/√π ∫₀ˣ e^(-t²) dt with an error of at most 4 ulp or 1e-7.
// In place.
func (v *Impl) Erf(dst, x []float32) { v.erf(dst, x[:len(dst)]) }

func expGeneric(dst, x []float32) {
	for i := range dst {
		dst[i] = float32(math.Exp(float64(x[i])))
	}
}

func logGeneric(dst, x []float32) {
	for i := range dst {
		dst[i] = float32(math.Log(float64(x[i])))
	}
}

func tanhGeneric(dst, x []float32) {
	for i := range dst {
		dst[i] = float32(math.Tanh(float64(x[i])))
	}
}

func sigmoidGeneric(dst, x []float32) {
	for i := range dst {
		dst[i] = float32(sigmoid(float64(x[i])))
	}
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

func erfGeneric(dst, x []float32) {
	for i := range dst {
		dst[i] = float32(math.Erf(float64(x[i])))
	}
}
