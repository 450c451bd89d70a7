package vec

// Add sets dst = a + b. In place.
func (v *Impl) Add(dst, a, b []float32) { v.add(dst, a[:len(dst)], b[:len(dst)]) }

// Sub sets dst = a - b. In place.
func (v *Impl) Sub(dst, a, b []float32) { v.sub(dst, a[:len(dst)], b[:len(dst)]) }

// Mul sets dst = a·b, element by element. In place.
func (v *Impl) Mul(dst, a, b []float32) { v.mul(dst, a[:len(dst)], b[:len(dst)]) }

// Scale sets dst = c·x. In place.
func (v *Impl) Scale(dst, x []float32, c float32) { v.scale(dst, x[:len(dst)], c) }

// AXPY sets y += a·x (BLAS saxpy).
func (v *Impl) AXPY(y []float32, a float32, x []float32) { v.axpy(y, a, x[:len(y)]) }

// AddBias sets dst[r, j] = x[r, j] + bias[j] for the len(dst)/len(bias) rows of
// dst. In place.
func (v *Impl) AddBias(dst, x, bias []float32) {
	n := len(bias)
	for lo := 0; lo+n <= len(dst) && n > 0; lo += n {
		v.add(dst[lo:lo+n], x[lo:lo+n], bias)
	}
}

// Fill sets every element of dst to c.
func (v *Impl) Fill(dst []float32, c float32) {
	for i := range dst {
		dst[i] = c
	}
}

func addGeneric(dst, a, b []float32) {
	for i := range dst {
		dst[i] = a[i] + b[i]
	}
}

func subGeneric(dst, a, b []float32) {
	for i := range dst {
		dst[i] = a[i] - b[i]
	}
}

func mulGeneric(dst, a, b []float32) {
	for i := range dst {
		dst[i] = a[i] * b[i]
	}
}

func scaleGeneric(dst, x []float32, c float32) {
	for i := range dst {
		dst[i] = c * x[i]
	}
}

func axpyGeneric(y []float32, a float32, x []float32) {
	for i := range y {
		y[i] += a * x[i]
	}
}
