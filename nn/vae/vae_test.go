package vae

import (
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/nntest"
)

// golden is a file of scripts/golden/vae.py, whose pictures are (B, C, H, W).
type golden struct {
	Config struct {
		Channels, Latent, Layers, Groups int
		Widths                           []int
		Attention                        *bool
		QuantConv                        *bool `json:"quant_conv"`
	}
	X, Moments, Y, DM, DY nntest.Tensor
	Loss                  float64
	Weights, Grads        map[string]nntest.Tensor
}

// rows are pictures as a matrix, a row a pixel.
func rows(g nntest.Tensor) []float32 {
	b, c, pixels := g.Shape[0], g.Shape[1], g.Shape[2]*g.Shape[3]
	x, y := g.Floats(), make([]float32, b*c*pixels)
	for i := range x {
		picture, channel, pixel := i/(c*pixels), i/pixels%c, i%pixels
		y[(picture*pixels+pixel)*c+channel] = x[i]
	}
	return y
}

func run(t *testing.T, s *exec.Session, floats map[string][]float32) (outputs [][]float32) {
	t.Helper()
	for name, x := range floats {
		if err := s.SetFloats(name, x); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Run(); err != nil {
		t.Fatal(err)
	}
	for i, v := range s.Plan.Program.Outputs {
		out := make([]float32, v.Shape.Size())
		if err := s.Output(i, out); err != nil {
			t.Fatal(err)
		}
		outputs = append(outputs, out)
	}
	return outputs
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
	store := nntest.Open(t)
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
	s := nntest.Bind(t, store, g, g.Grad(loss), loss.Named("loss"), moments.Named("moments"), y.X.Named("y"))
	for _, p := range m.Params() {
		w, ok := want.Weights[p.Name]
		if !ok {
			t.Fatalf("diffusers has no %q", p.Name)
		}
		if err := store.Write(p.State(), w.Floats()); err != nil {
			t.Fatal(err)
		}
		delete(want.Weights, p.Name)
	}
	for name := range want.Weights {
		t.Errorf("%q of diffusers has no parameter", name)
	}
	got := run(t, s, map[string][]float32{"x": rows(want.X), "dm": rows(want.DM), "dy": rows(want.DY)})
	nntest.Near(t, "loss", got[0], []float32{float32(want.Loss)}, 1e-5, 0.5)
	nntest.Near(t, "moments", got[1], rows(want.Moments), 1e-5, 0.5)
	nntest.Near(t, "pictures", got[2], rows(want.Y), 1e-5, 0.5)
	for _, p := range m.Params() {
		got := make([]float32, p.Shape.Size())
		if err := store.Read(autograd.GradState(p.State()), got); err != nil {
			t.Fatal(err)
		}
		// A bias of keys has no gradient but rounding.
		nntest.Near(t, "gradient of "+p.Name, got, want.Grads[p.Name].Floats(), 2e-5, 0.5)
	}
}
