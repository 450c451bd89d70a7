package clip

import "math"

// MaxScale bounds what cosines are multiplied by, OpenAI's.
const MaxScale = 100

// Contrast is the loss of N pictures and their captions, with its gradients.
type Contrast struct {
	Loss               []float64 // (N): of a picture, of its caption, half each; their mean is the loss
	Right              []bool    // (N): of all captions, that of the picture is the nearest
	Pictures, Captions []float32 // (N, E): N times the gradient by their places
	Scale              []float32 // (N): terms of N times the gradient by the logarithm of the scale
}

// NewContrast computes the symmetric loss of Radford et al. 2021: each picture is to be told from N
// captions, each caption from N pictures, by softmaxes of cosines times e^scale, which 100 bounds.
// pictures and captions (N, E) have length 1, pair by pair.
func NewContrast(pictures, captions []float32, n int, scale float64) Contrast {
	e := len(pictures) / max(n, 1)
	s := math.Min(math.Exp(scale), MaxScale)
	z := make([]float64, n*n) // picture by picture
	for i := range n {
		for j := range n {
			z[i*n+j] = s * dot(pictures[i*e:][:e], captions[j*e:][:e])
		}
	}
	c := Contrast{make([]float64, n), make([]bool, n), make([]float32, n*e), make([]float32, n*e), make([]float32, n)}
	rows, columns := make([]float64, n), make([]float64, n) // ln Σ exp
	for i := range n {
		rows[i] = logSumExp(n, func(j int) float64 { return z[i*n+j] })
		columns[i] = logSumExp(n, func(j int) float64 { return z[j*n+i] })
	}
	du, dv := make([]float64, n*e), make([]float64, n*e)
	for i := range n {
		c.Loss[i] = (rows[i]+columns[i])/2 - z[i*n+i]
		c.Right[i] = true
		var dscale float64
		for j := range n {
			at := z[i*n+j]
			c.Right[i] = c.Right[i] && (j == i || at < z[i*n+i])
			dz := (math.Exp(at-rows[i]) + math.Exp(at-columns[j])) / 2
			if i == j {
				dz--
			}
			dscale += dz * at
			for k := range e {
				du[i*e+k] += s * dz * float64(captions[j*e+k])
				dv[j*e+k] += s * dz * float64(pictures[i*e+k])
			}
		}
		if s < MaxScale || dscale > 0 { // at the bound it may become smaller alone
			c.Scale[i] = float32(dscale)
		}
	}
	for i := range du {
		c.Pictures[i], c.Captions[i] = float32(du[i]), float32(dv[i])
	}
	return c
}

func dot(a, b []float32) (sum float64) {
	for i, v := range a {
		sum += float64(v) * float64(b[i])
	}
	return sum
}

// logSumExp is ln Σ exp of n numbers.
func logSumExp(n int, at func(int) float64) float64 {
	most := math.Inf(-1)
	for i := range n {
		most = max(most, at(i))
	}
	sum := 0.0
	for i := range n {
		sum += math.Exp(at(i) - most)
	}
	return most + math.Log(sum)
}

// Nearest is, of each row of from (N, E), the number of the row of to (M, E) with the greatest
// product, the first of several.
func Nearest(from, to []float32, e int) []int {
	nearest := make([]int, len(from)/e)
	for i := range nearest {
		most := math.Inf(-1)
		for j := range len(to) / e {
			if near := dot(from[i*e:][:e], to[j*e:][:e]); near > most {
				most, nearest[i] = near, j
			}
		}
	}
	return nearest
}
