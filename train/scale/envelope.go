package scale

import (
	"cmp"
	"math"
	"slices"
)

// sameSize is how far the N of points of one size may lie apart: a fraction.
const sameSize = .01

// sizes are the indices of the points of each size, by compute; sizes rise.
func sizes(points []Point) [][]int {
	order := make([]int, len(points))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(points[a].N, points[b].N) })
	var all [][]int
	for _, i := range order {
		if last := len(all) - 1; last >= 0 && points[i].N <= (1+sameSize)*points[all[last][0]].N {
			all[last] = append(all[last], i)
		} else {
			all = append(all, []int{i})
		}
	}
	for _, size := range all {
		slices.SortStableFunc(size, func(a, b int) int { return cmp.Compare(points[a].C(), points[b].C()) })
	}
	return all
}

// envelope is approach 1 of Hoffmann et al.: at each of so many budgets the size with the
// lowest loss, where those of at least three sizes are known, each by a line between its
// points over log C. The smallest or the largest size that is known there is no minimum:
// beyond it may lie a better one.
func envelope(points []Point, weight []float64, sizes [][]int, budgets int) Frontier {
	low, high := math.Inf(1), math.Inf(-1)
	var tracks []track
	for _, size := range sizes {
		t := trackOf(points, weight, size)
		if len(t.c) == 0 {
			continue
		}
		tracks = append(tracks, t)
		low, high = min(low, t.c[0]), max(high, t.c[len(t.c)-1])
	}
	var minima []Minimum
	for k := range budgets {
		c := low + (high-low)*float64(k)/float64(budgets-1)
		best, at, known := math.Inf(1), 0, 0
		n := 0.0
		for _, t := range tracks {
			loss, ok := t.at(c)
			if !ok {
				continue
			}
			if known++; loss < best {
				best, at, n = loss, known, t.n
			}
		}
		if known < 3 || at == 1 || at == known {
			continue
		}
		m := Minimum{C: math.Exp(c), N: n, Loss: best}
		m.D = m.C / FLOPsPerParameterToken / m.N
		minima = append(minima, m)
	}
	f := through(minima, "an envelope")
	if f.Missing == "" && minima[0].N == minima[len(minima)-1].N {
		f.Missing = "one size is the best for all budgets"
	}
	return f
}

// track is the loss of a size over log C.
type track struct {
	n       float64
	c, loss []float64
}

func trackOf(points []Point, weight []float64, size []int) track {
	t := track{}
	count := 0.0
	for _, i := range size {
		if weight[i] == 0 {
			continue
		}
		p := points[i]
		t.n += math.Log(p.N)
		count++
		c := math.Log(p.C())
		if last := len(t.c) - 1; last >= 0 && t.c[last] == c {
			t.loss[last] = min(t.loss[last], p.Loss)
		} else {
			t.c, t.loss = append(t.c, c), append(t.loss, p.Loss)
		}
	}
	t.n = math.Exp(t.n / count)
	return t
}

// at is the loss at a budget between points of the track.
func (t track) at(c float64) (loss float64, ok bool) {
	i, found := slices.BinarySearch(t.c, c)
	switch {
	case found:
		return t.loss[i], true
	case i == 0 || i == len(t.c):
		return 0, false
	}
	f := (c - t.c[i-1]) / (t.c[i] - t.c[i-1])
	return t.loss[i-1] + f*(t.loss[i]-t.loss[i-1]), true
}

// lossOverC is the power law L = (Scale/C)^Exponent through minima, zero without any.
func lossOverC(minima []Minimum) Power {
	if len(minima) < 2 {
		return Power{}
	}
	x, y := make([]float64, len(minima)), make([]float64, len(minima))
	for i, m := range minima {
		x[i], y[i] = math.Log(m.C), math.Log(m.Loss)
	}
	intercept, slope := line(x, y)
	p := Power{Exponent: -slope, Scale: math.Exp(-intercept / slope)}
	if !p.usable() {
		return Power{}
	}
	return p
}

// Envelope is approach 1 of Hoffmann et al. to points, which may be those of a run on its
// way.
func Envelope(points []Point) Frontier {
	return envelope(points, ones(len(points)), sizes(points), budgets)
}
