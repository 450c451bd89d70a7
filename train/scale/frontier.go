package scale

import (
	"cmp"
	"math"
	"slices"
)

// Minimum is the best size for a budget, as runs show it.
type Minimum struct {
	C      float64 `json:"c"`
	N      float64 `json:"n"`
	D      float64 `json:"d"`
	Loss   float64 `json:"loss"`
	Points int     `json:"points,omitempty"` // of the curve
	// Parabola has the coefficients of 1, x and x² of a curve's loss with
	// x = log(N/Middle), Middle that of the curve's sizes; nil for an envelope.
	Parabola []float64 `json:"parabola,omitempty"`
	Middle   float64   `json:"middle,omitempty"`
}

// Frontier is how the best size grows with the budget: N = K·C^Exponent.
type Frontier struct {
	Exponent Estimate  `json:"exponent"`
	K        float64   `json:"k"`
	Minima   []Minimum `json:"minima"`
	// Missing says why the points show no frontier; empty where they do.
	Missing string `json:"missing,omitempty"`
}

// Best returns N and D for C floating-point operations.
func (f Frontier) Best(c float64) (n, d float64) {
	n = f.K * math.Pow(c, f.Exponent.Value)
	return n, c / FLOPsPerParameterToken / n
}

// through is the frontier through minima, by least squares of the logarithms.
func through(minima []Minimum, kind string) Frontier {
	f := Frontier{Minima: minima}
	if len(minima) < 2 || minima[0].C == minima[len(minima)-1].C {
		f.Missing = "there are fewer than two budgets with a minimum of " + kind
		return f
	}
	x, y := make([]float64, len(minima)), make([]float64, len(minima))
	for i, m := range minima {
		x[i], y[i] = math.Log(m.C), math.Log(m.N)
	}
	intercept, slope := line(x, y)
	if k := math.Exp(intercept); !(k > 0) || math.IsInf(k, 1) {
		f.Missing = "the minima of " + kind + " show no power law"
		return f
	}
	f.Exponent.Value, f.K = slope, math.Exp(intercept)
	return f
}

// line is the least-squares line y = intercept + slope·x.
func line(x, y []float64) (intercept, slope float64) {
	var mx, my, sxx, sxy float64
	for i := range x {
		mx += x[i] / float64(len(x))
		my += y[i] / float64(len(x))
	}
	for i := range x {
		sxx += (x[i] - mx) * (x[i] - mx)
		sxy += (x[i] - mx) * (y[i] - my)
	}
	slope = sxy / sxx
	return my - slope*mx, slope
}

// curves are the indices of points of about equal compute: from the most crowded budget
// on, those within a factor of 1 + tolerance of each other, while there are three or more
// sizes.
func curves(points []Point, tolerance float64) [][]int {
	left := make([]int, len(points))
	for i := range left {
		left[i] = i
	}
	slices.SortStableFunc(left, func(a, b int) int { return cmp.Compare(points[a].C(), points[b].C()) })
	var all [][]int
	for {
		from, size := 0, 0
		end := 0
		for i := range left {
			for end < len(left) && points[left[end]].C() <= (1+tolerance)*points[left[i]].C() {
				end++
			}
			if end-i > size {
				from, size = i, end-i
			}
		}
		if size < 3 {
			break
		}
		curve := slices.Clone(left[from : from+size])
		left = slices.Delete(left, from, from+size)
		of := make([]Point, size)
		for i, at := range curve {
			of[i] = points[at]
		}
		if distinct(of, func(p Point) float64 { return p.N }) >= 3 {
			all = append(all, curve)
		}
	}
	return all
}

// isoFLOP is approach 2 of Hoffmann et al.: the minimum of a parabola through the losses
// of each curve over log N. A parabola that opens downwards, or whose minimum lies beyond
// the sizes of its curve, has none.
func isoFLOP(points []Point, weight []float64, curves [][]int) Frontier {
	var minima []Minimum
	for _, curve := range curves {
		if m, ok := bottom(points, weight, curve); ok {
			minima = append(minima, m)
		}
	}
	slices.SortFunc(minima, func(a, b Minimum) int { return cmp.Compare(a.C, b.C) })
	return through(minima, "a curve of equal compute")
}

func bottom(points []Point, weight []float64, curve []int) (Minimum, bool) {
	var sum, logC, middle float64
	low, high := math.Inf(1), math.Inf(-1)
	for _, i := range curve {
		w, p := weight[i], points[i]
		if w == 0 {
			continue
		}
		sum += w
		logC += w * math.Log(p.C())
		middle += w * math.Log(p.N)
		low, high = min(low, math.Log(p.N)), max(high, math.Log(p.N))
	}
	if sum == 0 {
		return Minimum{}, false
	}
	middle /= sum
	var moments [5]float64 // of x
	var right [3]float64
	for _, i := range curve {
		x, power := math.Log(points[i].N)-middle, weight[i]
		for k := range moments {
			moments[k] += power
			if k < len(right) {
				right[k] += power * points[i].Loss
			}
			power *= x
		}
	}
	c, ok := solve3([3][3]float64{
		{moments[0], moments[1], moments[2]}, {moments[1], moments[2], moments[3]}, {moments[2], moments[3], moments[4]},
	}, right)
	if !ok || c[2] <= 0 {
		return Minimum{}, false
	}
	x := -c[1] / (2 * c[2])
	if x+middle < low || x+middle > high {
		return Minimum{}, false
	}
	m := Minimum{C: math.Exp(logC / sum), N: math.Exp(x + middle), Loss: c[0] - c[1]*c[1]/(4*c[2]), Points: len(curve), Parabola: c[:], Middle: math.Exp(middle)}
	m.D = m.C / FLOPsPerParameterToken / m.N
	return m, true
}

// solve3 solves three linear equations by elimination with pivots.
func solve3(a [3][3]float64, b [3]float64) (x [3]float64, ok bool) {
	scale := math.Abs(a[0][0]) + math.Abs(a[2][2])
	for k := range 3 {
		pivot := k
		for i := k + 1; i < 3; i++ {
			if math.Abs(a[i][k]) > math.Abs(a[pivot][k]) {
				pivot = i
			}
		}
		a[k], a[pivot], b[k], b[pivot] = a[pivot], a[k], b[pivot], b[k]
		if !(math.Abs(a[k][k]) > 1e-12*scale) {
			return x, false
		}
		for i := k + 1; i < 3; i++ {
			f := a[i][k] / a[k][k]
			for j := k; j < 3; j++ {
				a[i][j] -= f * a[k][j]
			}
			b[i] -= f * b[k]
		}
	}
	for k := 2; k >= 0; k-- {
		x[k] = b[k]
		for j := k + 1; j < 3; j++ {
			x[k] -= a[k][j] * x[j]
		}
		x[k] /= a[k][k]
	}
	return x, true
}

// IsoFLOP is approach 2 of Hoffmann et al. to points, of which those whose compute lies
// within a factor of 1 + tolerance are a curve.
func IsoFLOP(points []Point, tolerance float64) Frontier {
	return isoFLOP(points, ones(len(points)), curves(points, tolerance))
}

func ones(n int) []float64 {
	all := make([]float64, n)
	for i := range all {
		all[i] = 1
	}
	return all
}
