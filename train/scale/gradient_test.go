package scale

import (
	"math"
	"testing"
)

// TestGradients compares the gradients of both models with differences.
func TestGradients(t *testing.T) {
	var points []Point
	for i := range 12 {
		n, d := 1e6*math.Pow(3, float64(i%4)), 1e8*math.Pow(4, float64(i/4))
		points = append(points, Point{N: n, D: d, Loss: Chinchilla.Loss(n, d) * (1 + .01*float64(i%3-1))})
	}
	data := logsOf(points, 1e-3)
	data.weight[2], data.weight[5] = 0, 3
	model := chinchillaModel{data}
	for name, c := range map[string]struct {
		f func(x, g []float64) float64
		x []float64
	}{
		"Chinchilla": {model.value, model.theta(Law{A: 300, B: 900, E: 1.5, Alpha: .31, Beta: .33})},
		"Kaplan":     {kaplanModel{data}.value, []float64{math.Log(.1), math.Log(.8), 10, 11}},
	} {
		n := len(c.x)
		g, unused := make([]float64, n), make([]float64, n)
		c.f(c.x, g)
		for i := range c.x {
			const h = 1e-6
			up, down := append([]float64{}, c.x...), append([]float64{}, c.x...)
			up[i] += h
			down[i] -= h
			want := (c.f(up, unused) - c.f(down, unused)) / (2 * h)
			if math.Abs(g[i]-want) > 1e-5*(math.Abs(want)+1e-3) {
				t.Errorf("%s: derivative %d is %g, by differences %g", name, i, g[i], want)
			}
		}
	}
}

// TestWeights: a point of weight 2 counts as if it were there twice.
func TestWeights(t *testing.T) {
	points := []Point{{N: 1e6, D: 1e8, Loss: 5}, {N: 2e6, D: 3e8, Loss: 4}, {N: 3e6, D: 2e8, Loss: 4.2}}
	once := logsOf(points, 1e-3)
	weighted := once.weighted([]float64{2, 0, 1})
	for name, value := range map[string]func(*logs) func(x, g []float64) float64{
		"Chinchilla": func(l *logs) func(x, g []float64) float64 { return chinchillaModel{l}.value },
		"Kaplan":     func(l *logs) func(x, g []float64) float64 { return kaplanModel{l}.value },
	} {
		x := []float64{-1, -.5, .3, .2, .4}
		var sum [largest]float64
		total, g := 0.0, make([]float64, largest)
		for i, times := range []float64{2, 0, 1} {
			alone := make([]float64, 3)
			alone[i] = 1
			total += times * value(once.weighted(alone))(x, g)
			for j := range g {
				sum[j] += times * g[j]
			}
		}
		if got := value(weighted)(x, g); math.Abs(got-total) > 1e-12 || math.Abs(g[0]-sum[0]) > 1e-12 || math.Abs(g[3]-sum[3]) > 1e-12 {
			t.Errorf("%s: %g with the gradient %v, want %g with %v", name, got, g, total, sum)
		}
	}
}

// TestMinimize finds the minimum of a curved valley, and allocates nothing.
func TestMinimize(t *testing.T) {
	valley := func(x, g []float64) float64 {
		a, b := 1-x[0], x[1]-x[0]*x[0]
		g[0], g[1] = -2*a-400*x[0]*b, 200*b
		return a*a + 100*b*b
	}
	x := []float64{-1.2, 1}
	if f := minimize(valley, x, exact); f > 1e-20 || math.Abs(x[0]-1) > 1e-9 || math.Abs(x[1]-1) > 1e-9 {
		t.Errorf("%g at %v", f, x)
	}
	if f := minimize(func(x, g []float64) float64 { g[0] = 1; return math.NaN() }, []float64{1}, exact); !math.IsInf(f, 1) {
		t.Errorf("no number is the minimum %g", f)
	}
}
