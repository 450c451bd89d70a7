package scale

import "math"

// largest is the most coefficients that minimize takes.
const largest = 5

// Bounds of a minimisation.
const (
	maxIterations = 1000
	maxSteps      = 60    // of a line search
	flat          = 1e-13 // length of a gradient that is none
	exact         = 1e-14 // tolerance of a minimum
	rough         = 1e-4  // of one that is compared with others
)

// minimize finds a local minimum of f from x on, which it moves there, and returns the
// value. f writes its gradient. The method is BFGS with the whole inverse Hessian, which
// for so few coefficients needs no limit of its memory, and a bisection for the weak
// conditions of Wolfe (Lewis and Overton 2013), which also ends where the gradient jumps,
// as that of Huber's loss nearly does. It ends after three steps in a row that lower f by
// less than the fraction tolerance, and allocates nothing.
func minimize(f func(x, gradient []float64) float64, x []float64, tolerance float64) float64 {
	var buffers [4][largest]float64
	var h [largest][largest]float64 // inverse Hessian
	n := len(x)
	g, next, gNext, dir := buffers[0][:n], buffers[1][:n], buffers[2][:n], buffers[3][:n]
	value := f(x, g)
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return math.Inf(1)
	}
	fresh, stalls := true, 0
	for range maxIterations {
		norm := math.Sqrt(dot(g, g))
		if norm < flat {
			break
		}
		if fresh {
			for i := range n {
				h[i] = [largest]float64{}
				h[i][i] = 1 / norm
			}
		}
		for i := range n {
			dir[i] = -dot(h[i][:n], g)
		}
		slope := dot(dir, g)
		if !(slope < 0) {
			if fresh {
				break
			}
			fresh = true
			continue
		}
		got, ok := search(f, x, dir, value, slope, next, gNext)
		if !ok {
			if fresh {
				break
			}
			fresh = true // along the gradient once more
			continue
		}
		updateInverse(&h, n, x, next, g, gNext, fresh)
		fresh = false
		if value-got <= tolerance*value {
			stalls++
		} else {
			stalls = 0
		}
		copy(x, next)
		copy(g, gNext)
		value = got
		if stalls == 3 {
			break
		}
	}
	return value
}

// search moves from x along dir until f has fallen enough and its slope has risen enough,
// and leaves point and gradient in next and gNext. It is not ok where nothing falls.
func search(f func(x, gradient []float64) float64, x, dir []float64, value, slope float64, next, gNext []float64) (got float64, ok bool) {
	const armijo, wolfe = 1e-4, .5
	low, high, t := 0.0, math.Inf(1), 1.0
	for range maxSteps {
		for i := range x {
			next[i] = x[i] + t*dir[i]
		}
		got = f(next, gNext)
		switch {
		case !(got <= value+armijo*t*slope): // a number that is none too
			high = t
		case dot(gNext, dir) < wolfe*slope:
			low = t
		default:
			return got, true
		}
		if math.IsInf(high, 1) {
			t *= 2
		} else {
			t = (low + high) / 2
		}
	}
	if low == 0 {
		return value, false
	}
	for i := range x {
		next[i] = x[i] + low*dir[i]
	}
	got = f(next, gNext)
	return got, got < value
}

// updateInverse is the update of Broyden, Fletcher, Goldfarb and Shanno. The first one
// scales the identity that it begins from.
func updateInverse(h *[largest][largest]float64, n int, x, next, g, gNext []float64, first bool) {
	var s, y, hy [largest]float64
	for i := range n {
		s[i], y[i] = next[i]-x[i], gNext[i]-g[i]
	}
	sy, yy := dot(s[:n], y[:n]), dot(y[:n], y[:n])
	if !(sy > 1e-300) || !(yy > 0) {
		return
	}
	if first {
		for i := range n {
			h[i] = [largest]float64{}
			h[i][i] = sy / yy
		}
	}
	for i := range n {
		hy[i] = dot(h[i][:n], y[:n])
	}
	scale := (1 + dot(y[:n], hy[:n])/sy) / sy
	for i := range n {
		for j := range n {
			h[i][j] += scale*s[i]*s[j] - (hy[i]*s[j]+s[i]*hy[j])/sy
		}
	}
}

func dot(a, b []float64) float64 {
	sum := 0.0
	for i, x := range a {
		sum += x * b[i]
	}
	return sum
}
