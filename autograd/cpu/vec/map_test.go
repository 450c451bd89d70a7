package vec

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// maps are the element-wise functions of one variable: kernel, definition in
// float64, and the tolerance of near.
var maps = []struct {
	name string
	f    func(v *Impl, dst, x []float32)
	want func(x float64) float64
	tol  float64
}{
	{"Exp", (*Impl).Exp, math.Exp, 1.3e-7},
	{"Log", (*Impl).Log, math.Log, 2e-7},
	{"Tanh", (*Impl).Tanh, math.Tanh, 1e-7},
	{"Sigmoid", (*Impl).Sigmoid, sigmoid, 1e-7},
	{"Erf", (*Impl).Erf, math.Erf, 1e-7},
	{"ReLU", (*Impl).ReLU, func(x float64) float64 { return math.Max(x, 0) }, 0},
	{"ReLU2", (*Impl).ReLU2, func(x float64) float64 { return math.Max(x, 0) * math.Max(x, 0) }, 1e-7},
	{"GELU", (*Impl).GELU, func(x float64) float64 { return x / 2 * math.Erfc(-x/math.Sqrt2) }, 1e-7},
	{"GELUTanh", (*Impl).GELUTanh, func(x float64) float64 {
		return x / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
	}, 1.5e-7},
	{"SiLU", (*Impl).SiLU, func(x float64) float64 { return x / (1 + math.Exp(-x)) }, 1.5e-7},
}

// sweep covers the range in which the functions vary, both tails and the
// extremes.
func sweep() []float32 {
	var x []float32
	for e := -12.0; e <= 12; e += 1.0 / 512 {
		x = append(x, float32(e))
	}
	for e := -110.0; e <= 100; e += 0.37 {
		x = append(x, float32(e))
	}
	for _, e := range []float64{0, 1e-45, 1e-38, 1e-30, 1e-10, 1e-5, 0.9277, 0.6249, 0.6251, 87.33, 88.72, 88.73, 1e3, 1e20, 3e38} {
		x = append(x, float32(e), float32(-e))
	}
	return x
}

func TestMaps(t *testing.T) {
	x := sweep()
	for _, m := range maps {
		for _, v := range Available() {
			t.Run(m.name+"/"+v.Name(), func(t *testing.T) {
				got := make([]float32, len(x))
				m.f(v, got, x)
				for i, e := range x {
					want := m.want(float64(e))
					if math.Abs(want) > math.MaxFloat32 {
						want = math.Inf(int(want))
					}
					near(t, fmt.Sprintf("%s(%g)", m.name, e), got[i:i+1], []float64{want}, m.tol)
				}
			})
		}
	}
}

// TestMapsTails checks every length: the values, that nothing is written behind
// the end, and that the result in place is the same.
func TestMapsTails(t *testing.T) {
	for _, m := range maps {
		each(t, func(t *testing.T, v *Impl, n int, rng *rand.Rand) {
			x, want := random(rng, n), make([]float64, n)
			for i := range x {
				x[i] = float32(math.Abs(float64(x[i]))) + 0.1 // Log's domain
				want[i] = m.want(float64(x[i]))
			}
			got := make([]float32, n+20)
			v.Fill(got, 77)
			m.f(v, got[:n], x)
			near(t, m.name, got[:n], want, m.tol)
			for i, e := range got[n:] {
				if e != 77 {
					t.Fatalf("%s of %d elements writes element %d", m.name, n, n+i)
				}
			}
			m.f(v, x, x)
			equal(t, m.name+" in place", x, got[:n])
		})
	}
}

// equal fails unless the slices hold the same numbers.
func equal(t *testing.T, name string, got, want []float32) {
	t.Helper()
	for i := range want {
		if got[i] != want[i] && (got[i] == got[i] || want[i] == want[i]) {
			t.Fatalf("%s[%d] = %g, want %g", name, i, got[i], want[i])
		}
	}
}

func TestMapsNaNAndInf(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, m := range maps {
		for _, v := range Available() {
			x := make([]float32, 37)
			for i := range x {
				x[i] = nan
			}
			m.f(v, x, x)
			for i, e := range x {
				if e == e {
					t.Fatalf("%s/%s: element %d of NaNs is %g", m.name, v.Name(), i, e)
				}
			}
			x[0] = inf
			m.f(v, x[:1], x[:1])
			if want := m.want(math.Inf(1)); float64(x[0]) != want {
				t.Errorf("%s/%s(+inf) = %g, want %g", m.name, v.Name(), x[0], want)
			}
		}
	}
	for _, v := range Available() {
		x := []float32{-inf}
		v.Exp(x, x)
		if x[0] != 0 {
			t.Errorf("%s: exp(-inf) = %g", v.Name(), x[0])
		}
		x = []float32{0, float32(math.Copysign(0, -1)), -1, -inf, 1e-44}
		v.Log(x, x)
		if x[0] != -inf || x[1] != -inf || x[2] == x[2] || x[3] == x[3] {
			t.Errorf("%s: logarithms of 0, -0, -1 and -inf are %g", v.Name(), x[:4])
		}
		near(t, "log of a subnormal", x[4:], []float64{math.Log(float64(float32(1e-44)))}, 1e-6)
	}
}

// TestExpULP holds Exp to two units in the last place.
func TestExpULP(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	x := make([]float32, 50000)
	for i := range x {
		x[i] = float32(rng.Float64()*176 - 87.3)
	}
	for _, v := range Available() {
		got := make([]float32, len(x))
		v.Exp(got, x)
		worst := 0.0
		for i, e := range x {
			want := math.Exp(float64(e))
			ulp := float64(math.Nextafter32(float32(want), float32(math.Inf(1))) - float32(want))
			worst = math.Max(worst, math.Abs(float64(got[i])-want)/ulp)
		}
		t.Logf("%s: %.2f ulp", v.Name(), worst)
		if worst > 2 {
			t.Errorf("%s: exp is off by %.2f ulp", v.Name(), worst)
		}
	}
}

// gradients pairs each activation with its backward kernel.
var gradients = []struct {
	name    string
	f       func(v *Impl, dx, x, dy []float32)
	forward func(x float64) float64
	tol     float64
}{
	{"ReLU", (*Impl).ReLUBackward, maps[5].want, 1e-6},
	{"ReLU2", (*Impl).ReLU2Backward, maps[6].want, 1e-6},
	{"GELU", (*Impl).GELUBackward, maps[7].want, 1e-6},
	{"GELUTanh", (*Impl).GELUTanhBackward, maps[8].want, 1e-6},
	{"SiLU", (*Impl).SiLUBackward, maps[9].want, 1e-6},
}

func TestActivationGradients(t *testing.T) {
	for _, g := range gradients {
		each(t, func(t *testing.T, v *Impl, n int, rng *rand.Rand) {
			x, dy := random(rng, n), random(rng, n)
			want := make([]float64, n)
			for i, e := range x {
				const h = 1e-4
				if math.Abs(float64(e)) < h { // ReLU's corner
					x[i], e = 1, 1
				}
				slope := (g.forward(float64(e)+h) - g.forward(float64(e)-h)) / (2 * h)
				want[i] = slope * float64(dy[i])
			}
			dx := make([]float32, n)
			g.f(v, dx, x, dy)
			near(t, g.name, dx, want, g.tol)
			g.f(v, dy, x, dy)
			equal(t, g.name+" in place", dy, dx)
		})
	}
}

func TestActivationGradientTails(t *testing.T) {
	x := []float32{-1e30, -200, -100, -50, 50, 100, 200, 1e30}
	for _, g := range gradients {
		for _, v := range Available() {
			dx, dy := make([]float32, len(x)), make([]float32, len(x))
			v.Fill(dy, 1)
			want := make([]float64, len(x))
			for i, e := range x {
				if e > 0 {
					want[i] = 1
					if g.name == "ReLU2" {
						want[i] = 2 * float64(e)
					}
				}
			}
			g.f(v, dx, x, dy)
			near(t, v.Name()+"/"+g.name, dx, want, 1e-6)
		}
	}
}

func TestSwiGLU(t *testing.T) {
	each(t, func(t *testing.T, v *Impl, n int, rng *rand.Rand) {
		gate, up, dy := random(rng, n), random(rng, n), random(rng, n)
		want, wantGate, wantUp := make([]float64, n), make([]float64, n), make([]float64, n)
		for i := range gate {
			g, u, d := float64(gate[i]), float64(up[i]), float64(dy[i])
			s := sigmoid(g)
			want[i], wantUp[i] = g*s*u, d*g*s
			wantGate[i] = d * u * (s + g*s*(1-s))
		}
		y := make([]float32, n)
		v.SwiGLU(y, gate, up)
		near(t, "y", y, want, 5e-7)
		dgate, dup := make([]float32, n), make([]float32, n)
		v.SwiGLUBackward(dgate, dup, gate, up, dy)
		near(t, "dgate", dgate, wantGate, 1e-6)
		near(t, "dup", dup, wantUp, 5e-7)
		v.SwiGLUBackward(gate, up, gate, up, dy)
		equal(t, "dgate in place", gate, dgate)
		equal(t, "dup in place", up, dup)
	})
}

func TestArithmetic(t *testing.T) {
	each(t, func(t *testing.T, v *Impl, n int, rng *rand.Rand) {
		a, b := random(rng, n), random(rng, n)
		add, sub, mul, scaled, axpy := make([]float32, n), make([]float32, n), make([]float32, n), make([]float32, n), make([]float32, n)
		wAdd, wSub, wMul, wScale, wAXPY := make([]float32, n), make([]float32, n), make([]float32, n), make([]float32, n), make([]float64, n)
		for i := range a {
			wAdd[i], wSub[i], wMul[i], wScale[i] = a[i]+b[i], a[i]-b[i], a[i]*b[i], 3*a[i]
			wAXPY[i] = float64(b[i]) - 0.3*float64(a[i])
		}
		v.Add(add, a, b)
		v.Sub(sub, a, b)
		v.Mul(mul, a, b)
		v.Scale(scaled, a, 3)
		copy(axpy, b)
		v.AXPY(axpy, -0.3, a)
		equal(t, "Add", add, wAdd)
		equal(t, "Sub", sub, wSub)
		equal(t, "Mul", mul, wMul)
		equal(t, "Scale", scaled, wScale)
		near(t, "AXPY", axpy, wAXPY, 1e-6)
		v.Add(a, a, b)
		equal(t, "Add in place", a, wAdd)
	})
}

func TestAddBias(t *testing.T) {
	each(t, func(t *testing.T, v *Impl, n int, rng *rand.Rand) {
		x, bias := random(rng, 3*n), random(rng, n)
		want := make([]float32, 3*n)
		for i := range want {
			want[i] = x[i] + bias[i%n]
		}
		v.AddBias(x, x, bias)
		equal(t, "AddBias", x, want)
	})
}
