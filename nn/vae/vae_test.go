package vae

import (
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/cpu"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/plan"
	"example.com/gotrain/nn"
)

// golden is a file of scripts/golden/vae.py, whose pictures are (B, C, H, W).
type golden struct {
	Config struct {
		Channels, Latent, Layers, Groups int
		Widths                           []int
		Attention                        *bool
		QuantConv                        *bool `json:"quant_conv"`
	}
	X, Moments, Y, DM, DY goldenTensor
	Loss                  float64
	Weights, Grads        map[string]goldenTensor
}

type goldenTensor struct {
	Shape []int
	Data  []byte
}

func (g goldenTensor) floats() []float32 {
	out := make([]float32, len(g.Data)/4)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(g.Data[4*i:]))
	}
	return out
}

func open(t *testing.T) *exec.Store {
	t.Helper()
	b, err := cpu.New(cpu.Config{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return exec.NewStore(b)
}

// bound is a program that is ready to run.
type bound struct {
	t *testing.T
	*exec.Session
}

// bind plans what g computes of outputs, with the gradients in the store if there are any.
func bind(t *testing.T, store *exec.Store, g *autograd.Graph, grads []*autograd.Node, outputs ...*autograd.Node) bound {
	t.Helper()
	p, err := g.Lower("test", outputs...)
	if grads != nil {
		p, _, err = g.LowerTrain("test", grads, autograd.GradStore, outputs...)
	}
	if err != nil {
		t.Fatal(err)
	}
	built, err := plan.Build(p, plan.Options{Target: store.Backend().Target()})
	if err != nil {
		t.Fatal(err)
	}
	arena, err := exec.NewArena(store.Backend(), built.Arena)
	if err != nil {
		t.Fatal(err)
	}
	s, err := exec.NewSession(built, store, arena)
	if err != nil {
		t.Fatal(err)
	}
	return bound{t, s}
}

// rows are pictures as a matrix, a row a pixel.
func (g goldenTensor) rows() []float32 {
	b, c, pixels := g.Shape[0], g.Shape[1], g.Shape[2]*g.Shape[3]
	x, y := g.floats(), make([]float32, b*c*pixels)
	for i := range x {
		picture, channel, pixel := i/(c*pixels), i/pixels%c, i%pixels
		y[(picture*pixels+pixel)*c+channel] = x[i]
	}
	return y
}

func (b bound) run(floats map[string][]float32) (outputs [][]float32) {
	b.t.Helper()
	for name, x := range floats {
		if err := b.SetFloats(name, x); err != nil {
			b.t.Fatal(err)
		}
	}
	if err := b.Run(); err != nil {
		b.t.Fatal(err)
	}
	for i, v := range b.Plan.Program.Outputs {
		out := make([]float32, v.Shape.Size())
		if err := b.Output(i, out); err != nil {
			b.t.Fatal(err)
		}
		outputs = append(outputs, out)
	}
	return outputs
}

// near fails where two tensors differ by more than tolerance of the largest element, or of ½:
// a bias of keys has no gradient but rounding.
func near(t *testing.T, what string, got, want []float32, tolerance float64) {
	t.Helper()
	largest, worst := 0.0, 0.0
	for i, w := range want {
		largest = max(largest, math.Abs(float64(w)))
		worst = max(worst, math.Abs(float64(got[i]-w)))
		if got[i] != got[i] {
			worst = math.Inf(1)
		}
	}
	if len(got) != len(want) || worst > tolerance*max(largest, 0.5) {
		t.Errorf("%s: off by %g of %g", what, worst, largest)
	}
}

// TestGolden compares moments, pictures of means and gradients with diffusers' AutoencoderKL.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json.gz")
	if err != nil || len(files) != 2 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json.gz"), func(t *testing.T) {
			f, err := os.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			z, err := gzip.NewReader(f)
			if err != nil {
				t.Fatal(err)
			}
			var want golden
			if err := json.NewDecoder(z).Decode(&want); err != nil {
				t.Fatal(err)
			}
			c := want.Config
			m, err := New(Config{Channels: c.Channels, Latent: c.Latent, Widths: c.Widths, Layers: c.Layers, Groups: c.Groups, Attention: c.Attention, Quantized: c.QuantConv}, nn.Tuning{})
			if err != nil {
				t.Fatal(err)
			}
			testGolden(t, m, want)
		})
	}
}

func testGolden(t *testing.T, m *Model, want golden) {
	store := open(t)
	g := autograd.NewGraph()
	shape := want.X.Shape
	x := nn.Pictures{X: g.Floats("x", shape[0]*shape[2]*shape[3], shape[1]), Batch: shape[0], Height: shape[2], Width: shape[3]}
	mean, logVariance := m.Encode(g, x)
	y := m.Decode(g, mean)
	moments := autograd.Concat(1, mean.X, logVariance.X)
	pulled := func(name string, x *autograd.Node) *autograd.Node {
		return autograd.Sum(autograd.Mul(x, g.Floats(name, x.Shape()...)))
	}
	loss := autograd.Reshape(autograd.Add(pulled("dm", moments), pulled("dy", y.X)))
	b := bind(t, store, g, g.Grad(loss), loss.Named("loss"), moments.Named("moments"), y.X.Named("y"))
	for _, p := range m.Params() {
		w, ok := want.Weights[p.Name]
		if !ok {
			t.Fatalf("diffusers has no %q", p.Name)
		}
		if err := store.Write(p.State(), w.floats()); err != nil {
			t.Fatal(err)
		}
		delete(want.Weights, p.Name)
	}
	for name := range want.Weights {
		t.Errorf("%q of diffusers has no parameter", name)
	}
	got := b.run(map[string][]float32{"x": want.X.rows(), "dm": want.DM.rows(), "dy": want.DY.rows()})
	near(t, "loss", got[0], []float32{float32(want.Loss)}, 1e-5)
	near(t, "moments", got[1], want.Moments.rows(), 1e-5)
	near(t, "pictures", got[2], want.Y.rows(), 1e-5)
	for _, p := range m.Params() {
		got := make([]float32, p.Shape.Size())
		if err := store.Read(autograd.GradState(p.State()), got); err != nil {
			t.Fatal(err)
		}
		near(t, "gradient of "+p.Name, got, want.Grads[p.Name].floats(), 2e-5)
	}
}
