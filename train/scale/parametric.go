package scale

import (
	"cmp"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// logs are the logarithms of points; those of N and D have the mean 0, so that the
// coefficients of a fit depend on each other little.
type logs struct {
	n, d, loss             []float64
	weight                 []float64
	meanN, meanD, meanLoss float64
	delta                  float64
}

func logsOf(points []Point, delta float64) *logs {
	size := len(points)
	l := &logs{n: make([]float64, size), d: make([]float64, size), loss: make([]float64, size), weight: make([]float64, size), delta: delta}
	for i, p := range points {
		l.n[i], l.d[i], l.loss[i], l.weight[i] = math.Log(p.N), math.Log(p.D), math.Log(p.Loss), 1
		l.meanN += l.n[i] / float64(size)
		l.meanD += l.d[i] / float64(size)
		l.meanLoss += l.loss[i] / float64(size)
	}
	for i := range size {
		l.n[i] -= l.meanN
		l.d[i] -= l.meanD
	}
	return l
}

// weighted are the same points with other weights.
func (l *logs) weighted(weight []float64) *logs {
	other := *l
	other.weight = weight
	return &other
}

// huber is Huber's loss of r, which is r²/2 up to delta and grows like |r| from there on,
// and its derivative.
func huber(r, delta float64) (value, slope float64) {
	switch {
	case r > delta:
		return delta * (r - delta/2), delta
	case r < -delta:
		return -delta * (r + delta/2), -delta
	}
	return r * r / 2, r
}

// chinchillaModel is log L = log(exp(a − α·log N) + exp(b − β·log D) + exp(e)) with
// coefficients a, b, e, α, β.
type chinchillaModel struct{ *logs }

// value is the sum over the points of Huber's loss of predicted minus measured log L.
func (m chinchillaModel) value(theta, gradient []float64) float64 {
	a, b, alpha, beta := theta[0], theta[1], theta[3], theta[4]
	e := math.Exp(theta[2])
	var sum, ga, gb, ge, gAlpha, gBeta float64
	for i, n := range m.n {
		w := m.weight[i]
		if w == 0 {
			continue
		}
		d := m.d[i]
		p, q := math.Exp(a-alpha*n), math.Exp(b-beta*d)
		all := p + q + e
		h, slope := huber(math.Log(all)-m.loss[i], m.delta)
		sum += w * h
		slope *= w / all
		p, q = p*slope, q*slope
		ga += p
		gb += q
		ge += slope
		gAlpha -= p * n
		gBeta -= q * d
	}
	gradient[0], gradient[1], gradient[2], gradient[3], gradient[4] = ga, gb, ge*e, gAlpha, gBeta
	return sum
}

// law is the law of coefficients.
func (m chinchillaModel) law(theta []float64) Law {
	return Law{
		A: math.Exp(theta[0] + theta[3]*m.meanN), B: math.Exp(theta[1] + theta[4]*m.meanD), E: math.Exp(theta[2]),
		Alpha: theta[3], Beta: theta[4],
	}
}

// theta are the coefficients of a law; an E of 0 has no logarithm.
func (m chinchillaModel) theta(l Law) []float64 {
	return []float64{math.Log(l.A) - l.Alpha*m.meanN, math.Log(l.B) - l.Beta*m.meanD, math.Log(max(l.E, 1e-12)), l.Alpha, l.Beta}
}

// Objective is Σ Huber(log L(N, D) − log loss) of a law over points.
func (l Law) Objective(points []Point, delta float64) float64 {
	sum := 0.0
	for _, p := range points {
		h, _ := huber(math.Log(l.Loss(p.N, p.D))-math.Log(p.Loss), delta)
		sum += h
	}
	return sum
}

// starts is the grid of Hoffmann et al.: α and β 0 to 2, e −1 to 1, a and b 0 to 25;
// 4500 places.
func (m chinchillaModel) starts() [][]float64 {
	var all [][]float64
	for alpha := 0.0; alpha <= 2; alpha += .5 {
		for beta := 0.0; beta <= 2; beta += .5 {
			for e := -1.0; e <= 1; e += .5 {
				for a := 0.0; a <= 25; a += 5 {
					for b := 0.0; b <= 25; b += 5 {
						all = append(all, []float64{a - alpha*m.meanN, b - beta*m.meanD, e, alpha, beta})
					}
				}
			}
		}
	}
	return all
}

// polished is the number of rough minima that are followed to the end.
const polished = 32

// fitLaw goes roughly down from every start and all the way from the lowest places; it
// returns the lowest minimum with a usable law, and the number of starts.
func fitLaw(data *logs) (law Law, objective float64, starts int) {
	m := chinchillaModel{data}
	grid := m.starts()
	starts = len(grid)
	lowest := func(tolerance float64) (order []int, values []float64) {
		order, values = make([]int, len(grid)), make([]float64, len(grid))
		each(len(grid), func(i int) {
			order[i] = i
			if values[i] = minimize(m.value, grid[i], tolerance); !m.law(grid[i]).usable() {
				values[i] = math.Inf(1)
			}
		})
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(values[a], values[b]) })
		return order, values
	}
	order, _ := lowest(rough)
	best := make([][]float64, polished)
	for i := range best {
		best[i] = grid[order[i]]
	}
	grid = best
	order, values := lowest(exact)
	return m.law(grid[order[0]]), values[order[0]], starts
}

// each calls f with 0 to n−1 on all processors.
func each(n int, f func(i int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				f(int(i))
			}
		})
	}
	wg.Wait()
}
