package nn_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"example.com/gotrain/nn"
	"example.com/gotrain/nn/gpt2"
	"example.com/gotrain/nn/llama"
)

func TestValidateListsAllFaults(t *testing.T) {
	faulty := gpt2.Config{Layers: -1, Heads: 3, KVHeads: 1, Width: 128, Dropout: 1, Activation: "mish"}
	err := faulty.Validate()
	if err == nil {
		t.Fatal("no fault found")
	}
	for _, want := range []string{
		"model.layers: -1 is outside", "model.context: is missing", "model.width: 128 does not divide into 3 heads: use a multiple, such as 126",
		"model.kv_heads: family gpt2 has as many key as query heads", "model.dropout: 1 is outside [0, 1)",
		`model.activation: "mish" is unknown: use gelu, gelu_tanh, relu, relu2, silu`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("lacks %q:\n%v", want, err)
		}
	}
	if at := err.(nn.Faults).At("teacher").Error(); !strings.HasPrefix(at, "teacher.layers: -1 is outside") {
		t.Errorf("of another section: %s", at)
	}
	c := llama.Config{Layers: 1, Heads: 4, KVHeads: 3, HeadDim: 5, Width: 128, Context: 8, Positions: gpt2.Learned, RopeTheta: -1}
	err = c.Validate()
	for _, want := range []string{"model.head_dim: 5 is odd", "model.kv_heads: 3 does not divide", "model.positions: \"learned\"", "model.rope_theta: -1"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("lacks %q:\n%v", want, err)
		}
	}
	good := gpt2.Config{Layers: 4, Heads: 4, Width: 128, Context: 128}
	if err := good.Validate(); err != nil {
		t.Errorf("a good configuration: %v", err)
	}
	if _, err := gpt2.New(good, nn.Tuning{}); err == nil || !strings.Contains(err.Error(), "model.vocab: is missing") {
		t.Errorf("a model without vocabulary: %v", err)
	}
}

func TestParamsOfGPT2(t *testing.T) {
	m, err := gpt2.New(gpt2.Config{Layers: 3, Heads: 2, Width: 8, Context: 4, Vocab: 11}, nn.Tuning{})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]nn.Param{
		"transformer.wte.weight":             {Shape: []int{11, 8}, Init: nn.Init{Std: 0.02}, Decay: true},
		"transformer.wpe.weight":             {Shape: []int{4, 8}, Init: nn.Init{Std: 0.02}, Decay: true},
		"transformer.h.1.ln_1.weight":        {Shape: []int{8}, Init: nn.Init{Value: 1}},
		"transformer.h.1.attn.c_attn.weight": {Shape: []int{8, 24}, Init: nn.Init{Std: 0.02}, Decay: true, Matrix: true},
		"transformer.h.1.attn.c_attn.bias":   {Shape: []int{24}},
		"transformer.h.1.mlp.c_proj.weight":  {Shape: []int{32, 8}, Init: nn.Init{Std: 0.02 / math.Sqrt(6)}, Decay: true, Matrix: true},
		"transformer.ln_f.bias":              {Shape: []int{8}},
	}
	for _, p := range m.Params() {
		w, ok := want[p.Name]
		if !ok {
			continue
		}
		delete(want, p.Name)
		if !p.Shape.Equal(w.Shape) || p.Init != w.Init || p.Decay != w.Decay || p.Matrix != w.Matrix {
			t.Errorf("%s is %+v, want %+v", p.Name, p, w)
		}
	}
	if len(want) > 0 {
		t.Errorf("these parameters are missing: %v", want)
	}
}

// knownValues are elements 0 to 3 and 2²⁰ of a with seed 1, in TestInitialize.
var knownValues = []float64{0.033844974, 0.005984923, -0.003604061, 0.0012705784, 0.029614134}

// TestUniform draws from (-Bound, Bound): mean 0, variance Bound²/3, all of the range.
func TestUniform(t *testing.T) {
	var sum, square, low, high float64
	n := 0
	err := nn.Initialize([]nn.Param{{Name: "a", Shape: []int{300, 1000}, Init: nn.Init{Bound: 0.5}}}, 3, func(_ string, _ int, values []float32) error {
		for _, x := range values {
			z := float64(x)
			sum, square, low, high, n = sum+z, square+z*z, min(low, z), max(high, z), n+1
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if mean, v := sum/float64(n), square/float64(n); math.Abs(mean) > 0.003 || math.Abs(v-0.25/3) > 0.001 || low > -0.499 || low <= -0.5 || high < 0.499 || high >= 0.5 {
		t.Errorf("mean %g, variance %g, from %g to %g", mean, v, low, high)
	}
}

func TestInitialize(t *testing.T) {
	a := nn.Param{Name: "a", Shape: []int{1100, 1001}, Init: nn.Init{Std: 0.02}}
	b := nn.Param{Name: "b", Shape: []int{7}, Init: nn.Init{Value: 1}}
	draw := func(seed uint64, params ...nn.Param) map[string][]float32 {
		values := map[string][]float32{}
		err := nn.Initialize(params, seed, func(name string, offset int, part []float32) error {
			if offset != len(values[name]) {
				t.Fatalf("%s: a part at %d after %d elements", name, offset, len(values[name]))
			}
			values[name] = append(values[name], part...)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return values
	}
	first, second := draw(1, a, b), draw(1, b, a)
	other := draw(2, a)["a"]
	var sum, square, fourth float64
	same := 0
	for i, x := range first["a"] {
		if x != second["a"][i] {
			t.Fatalf("element %d depends on the order of the parameters", i)
		}
		if x == other[i] {
			same++
		}
		z := float64(x) / 0.02
		sum, square, fourth = sum+z, square+z*z, fourth+z*z*z*z
	}
	n := float64(len(first["a"]))
	// Standard errors at n = 1101100, more than one part: 0.001, 0.0014, 0.009.
	if mean := sum / n; math.Abs(mean) > 0.015 {
		t.Errorf("mean %g, want 0", mean)
	}
	if v := square / n; math.Abs(v-1) > 0.02 {
		t.Errorf("variance %g, want 1", v)
	}
	if k := fourth / n; math.Abs(k-3) > 0.15 {
		t.Errorf("fourth moment %g, want 3", k)
	}
	if same > 40 {
		t.Errorf("%d elements do not depend on the seed", same)
	}
	// A run of elements does not come again, neither in the next part of the state nor
	// beside itself.
	for _, distance := range []int{1, 2, 4, 1 << 16, 1 << 20} {
		equal := 0
		for i := range first["a"][distance:] {
			if first["a"][i] == first["a"][i+distance] {
				equal++
			}
		}
		if equal > 40 {
			t.Errorf("%d elements are those %d further on", equal, distance)
		}
	}
	// Known values: a seed and a name mean the same numbers for good.
	for i, want := range knownValues {
		if got := float64(first["a"][[]int{0, 1, 2, 3, 1 << 20}[i]]); math.Abs(got-want) > 1e-8 {
			t.Errorf("known value %d is %g, want %g", i, got, want)
		}
	}
	for _, x := range first["b"] {
		if x != 1 {
			t.Errorf("norm weight %g, want 1", x)
		}
	}
	full := errors.New("full")
	if err := nn.Initialize([]nn.Param{b}, 1, func(string, int, []float32) error { return full }); !errors.Is(err, full) {
		t.Errorf("got %v, want the error of set", err)
	}
}

func TestFLOPsPerToken(t *testing.T) {
	c := llama.Config{Layers: 2, Heads: 4, KVHeads: 2, Width: 8, FFN: 16, Context: 6, Vocab: 10}
	m, err := llama.New(c, nn.Tuning{})
	if err != nil {
		t.Fatal(err)
	}
	// q, o: 8·8 each; k, v: 8·4 each; gate, up, down: 8·16 each.
	matrices := 2.0 * (2*64 + 2*32 + 3*128)
	head, norms := 80.0, 5*8.0
	// Keys seen by 6 tokens: 1+2+3+4+5+6 = 21, with a window of 2: 1+2+2+2+2+2 = 11.
	got, want := nn.FLOPsPerToken(m, 6), nn.FLOPs{SixN: 6 * (matrices + head + norms), Exact: 6*(matrices+head) + 12*2*8*21.0/6, Products: int64(matrices + head)}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	c.SlidingWindow = 2
	if m, err = llama.New(c, nn.Tuning{}); err != nil {
		t.Fatal(err)
	}
	got, want = nn.FLOPsPerToken(m, 6), nn.FLOPs{SixN: want.SixN, Exact: 6*(matrices+head) + 12*2*8*11.0/6}
	if math.Abs(got.Exact-want.Exact) > 1e-9 || got.SixN != want.SixN {
		t.Errorf("with a window: got %+v, want %+v", got, want)
	}
}
