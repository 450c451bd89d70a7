package vec

import (
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"
)

// golden reads what testdata/golden.py wrote: case → name → numbers.
func golden(t *testing.T) map[string]map[string][]float64 {
	t.Helper()
	data, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]map[string][]float64{}
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	return cases
}

func narrow(x []float64) []float32 {
	n := make([]float32, len(x))
	for i, e := range x {
		n[i] = float32(e)
	}
	return n
}

// onAll runs the test for every implementation on fresh copies of a case.
func onAll(t *testing.T, name string, f func(t *testing.T, v *Impl, c func(string) []float32, want map[string][]float64)) {
	values := golden(t)[name]
	if values == nil {
		t.Fatalf("no golden case %s", name)
	}
	for _, v := range Available() {
		t.Run(name+"/"+v.Name(), func(t *testing.T) {
			f(t, v, func(key string) []float32 { return narrow(values[key]) }, values)
		})
	}
}

func TestGoldenAttention(t *testing.T) {
	for name := range golden(t) {
		if !strings.HasPrefix(name, "attention/") {
			continue
		}
		onAll(t, name, func(t *testing.T, v *Impl, c func(string) []float32, want map[string][]float64) {
			s := want["shape"]
			a := Attention{B: int(s[0]), T: int(s[1]), S: int(s[1]), Heads: int(s[2]), KVHeads: int(s[3]),
				HeadDim: int(s[4]), Causal: s[5] != 0, Window: int(s[6]), Scale: float32(1 / math.Sqrt(s[4]))}
			for _, id := range want["segments"] {
				a.QuerySegments = append(a.QuerySegments, int32(id))
			}
			a.KeySegments = a.QuerySegments
			heads := func(x []float32, n int) Heads { return Heads{x, n * a.HeadDim} }
			x := &AttentionTensors{
				Q: heads(c("q"), a.Heads), K: heads(c("k"), a.KVHeads), V: heads(c("v"), a.KVHeads),
				Out: heads(c("out"), a.Heads), LSE: make([]float32, a.B*a.Heads*a.T),
				DQ: heads(c("dq"), a.Heads), DK: heads(c("dk"), a.KVHeads), DV: heads(c("dv"), a.KVHeads),
				DOut: heads(c("dout"), a.Heads),
			}
			for _, h := range []Heads{x.Out, x.DQ, x.DK, x.DV} {
				v.Fill(h.Data, float32(math.NaN()))
			}
			runAttention(v, &a, x)
			near(t, "out", x.Out.Data, want["out"], 2e-6)
			near(t, "dq", x.DQ.Data, want["dq"], 5e-6)
			near(t, "dk", x.DK.Data, want["dk"], 5e-6)
			near(t, "dv", x.DV.Data, want["dv"], 5e-6)
		})
	}
}

func TestGoldenActivations(t *testing.T) {
	for _, a := range []struct {
		name     string
		forward  func(v *Impl, dst, x []float32)
		backward func(v *Impl, dx, x, dy []float32)
	}{
		{"gelu", (*Impl).GELU, (*Impl).GELUBackward},
		{"geluTanh", (*Impl).GELUTanh, (*Impl).GELUTanhBackward},
		{"silu", (*Impl).SiLU, (*Impl).SiLUBackward},
		{"relu2", (*Impl).ReLU2, (*Impl).ReLU2Backward},
	} {
		onAll(t, a.name, func(t *testing.T, v *Impl, c func(string) []float32, want map[string][]float64) {
			x, dy := c("x"), c("dy")
			y := make([]float32, len(x))
			a.forward(v, y, x)
			a.backward(v, dy, x, dy)
			near(t, "y", y, want["y"], 1e-6)
			near(t, "dx", dy, want["dx"], 1e-6)
		})
	}
}

func TestGoldenNorms(t *testing.T) {
	onAll(t, "layerNorm", func(t *testing.T, v *Impl, c func(string) []float32, want map[string][]float64) {
		x, w, dy := c("x"), c("w"), c("dy")
		d, rows := len(w), len(x)/len(w)
		y, mean, rstd := make([]float32, len(x)), make([]float32, rows), make([]float32, rows)
		dw, db := make([]float32, d), make([]float32, d)
		v.LayerNorm(y, mean, rstd, x, w, c("b"), 1e-5)
		v.LayerNormBackward(dy, dw, db, x, w, mean, rstd, dy, nil)
		near(t, "y", y, want["y"], 1e-6)
		near(t, "dx", dy, want["dx"], 2e-6)
		near(t, "dw", dw, want["dw"], 2e-6)
		near(t, "db", db, want["db"], 2e-6)
	})
	onAll(t, "rmsNorm", func(t *testing.T, v *Impl, c func(string) []float32, want map[string][]float64) {
		x, w, dy := c("x"), c("w"), c("dy")
		y, rstd, dw := make([]float32, len(x)), make([]float32, len(x)/len(w)), make([]float32, len(w))
		v.RMSNorm(y, rstd, x, w, 1e-6)
		v.RMSNormBackward(dy, dw, x, w, rstd, dy, nil)
		near(t, "y", y, want["y"], 1e-6)
		near(t, "dx", dy, want["dx"], 2e-6)
		near(t, "dw", dw, want["dw"], 2e-6)
	})
}

func TestGoldenCrossEntropy(t *testing.T) {
	onAll(t, "crossEntropy", func(t *testing.T, v *Impl, c func(string) []float32, want map[string][]float64) {
		z, options := c("z"), Loss{Smoothing: 0.1, ZLoss: 1e-3}
		loss, nll, lse := v.CrossEntropy(z, 17, options)
		near(t, "loss", []float32{loss, lse, nll}, []float64{want["loss"][0], want["lse"][0], want["lse"][0] - want["z"][17]}, 1e-6)
		loss2, nll2, lse2 := v.CrossEntropyBackward(z, 17, options, 0.25)
		near(t, "fused", []float32{loss2, nll2, lse2}, widen([]float32{loss, nll, lse}), 3e-7)
		near(t, "dz", z, want["dz"], 1e-7)
	})
}

func TestGoldenOptimizers(t *testing.T) {
	type step func(v *Impl, p, g, s1, s2 []float32, t int)
	for name, f := range map[string]step{
		"adamW": func(v *Impl, p, g, m, s []float32, t int) {
			v.AdamWStep(p, g, m, s, AdamW{LR: 0.02, Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, WeightDecay: 0.1, GradScale: 0.5,
				BC1: float32(1 - math.Pow(0.9, float64(t))), BC2: float32(1 - math.Pow(0.95, float64(t)))})
		},
		"sgd": func(v *Impl, p, g, buf, _ []float32, _ int) {
			v.SGDStep(p, g, buf, SGD{LR: 0.1, Momentum: 0.9, WeightDecay: 0.05, GradScale: 0.5})
		},
		"nesterov": func(v *Impl, p, g, buf, _ []float32, _ int) {
			v.SGDStep(p, g, buf, SGD{LR: 0.1, Momentum: 0.9, WeightDecay: 0.05, GradScale: 0.5, Nesterov: true})
		},
		"plainSGD": func(v *Impl, p, g, _, _ []float32, _ int) {
			v.SGDStep(p, g, nil, SGD{LR: 0.1, GradScale: 0.5})
		},
		"lion": func(v *Impl, p, g, m, _ []float32, _ int) {
			v.LionStep(p, g, m, Lion{LR: 0.02, Beta1: 0.9, Beta2: 0.99, WeightDecay: 0.1, GradScale: 0.5})
		},
	} {
		onAll(t, name, func(t *testing.T, v *Impl, c func(string) []float32, want map[string][]float64) {
			p, grads := c("start"), c("grads")
			s1, s2 := make([]float32, len(p)), make([]float32, len(p))
			for i := range 10 {
				f(v, p, grads[i*len(p):][:len(p)], s1, s2, i+1)
			}
			near(t, "p", p, want["end"], 3e-6)
		})
	}
}

func TestGoldenHalf(t *testing.T) {
	onAll(t, "half", func(t *testing.T, v *Impl, c func(string) []float32, want map[string][]float64) {
		x := c("x")
		b, h, y := make([]BF16, len(x)), make([]F16, len(x)), make([]float32, len(x))
		v.ToBF16(b, x)
		v.FromBF16(y, b)
		equal(t, "bf16", y, narrow(want["bf16"]))
		v.ToF16(h, x)
		v.FromF16(y, h)
		equal(t, "f16", y, narrow(want["f16"])) // float32 turns ±1e300 into ±inf
	})
}
