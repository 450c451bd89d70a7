package scale

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Point is a run: a model of N parameters, D tokens that it was trained on, and the loss
// in nats per token that it ended with.
type Point struct {
	N    float64 `json:"n"`
	D    float64 `json:"d"`
	Loss float64 `json:"loss"`
	// From is where the point comes from: a run's directory, or a file and its line.
	From string `json:"from,omitempty"`
}

// C is the number of floating-point operations of the run.
func (p Point) C() float64 { return FLOPsPerParameterToken * p.N * p.D }

// fewest is what five coefficients need: more points than coefficients.
const fewest = 6

// check says what keeps points from being fitted.
func check(points []Point) error {
	if len(points) < fewest {
		return fmt.Errorf("there are %d points; a law of five coefficients needs %d or more", len(points), fewest)
	}
	for _, p := range points {
		for name, x := range map[string]float64{"N": p.N, "D": p.D, "the loss": p.Loss} {
			if !(x > 0) || math.IsInf(x, 1) {
				return fmt.Errorf("%s: %s is %g; it has to be above 0", p.From, name, x)
			}
		}
	}
	for name, of := range map[string]func(Point) float64{"N": func(p Point) float64 { return p.N }, "D": func(p Point) float64 { return p.D }} {
		if n := distinct(points, of); n < 3 {
			return fmt.Errorf("the points have %d values of %s; a law needs 3 or more", n, name)
		}
	}
	return nil
}

// distinct counts the values that points have.
func distinct(points []Point, of func(Point) float64) int {
	values := make([]float64, len(points))
	for i, p := range points {
		values[i] = of(p)
	}
	slices.Sort(values)
	return len(slices.Compact(values))
}

// DropWorst leaves out the points whose loss is that of the k-th largest or more, such as
// runs that diverged. k = 0 keeps all.
func DropWorst(points []Point, k int) []Point {
	if k <= 0 || len(points) == 0 {
		return points
	}
	byLoss := slices.SortedFunc(slices.Values(points), func(a, b Point) int { return cmp.Compare(b.Loss, a.Loss) })
	limit := byLoss[min(k, len(byLoss))-1].Loss
	return slices.DeleteFunc(slices.Clone(points), func(p Point) bool { return p.Loss >= limit })
}
