package vae

import (
	"encoding/json"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"example.com/gotrain/autograd"
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

// TestGolden compares moments, pictures of means and gradients with diffusers' AutoencoderKL.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json.gz")
	if err != nil || len(files) != 2 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json.gz"), func(t *testing.T) {
			var want golden
			nntest.Read(t, file, &want)
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
	nntest.Write(t, store, m.Params(), want.Weights)
	got := nntest.Run(t, s, map[string][]float32{"x": want.X.Pixels(), "dm": want.DM.Pixels(), "dy": want.DY.Pixels()})
	nntest.Near(t, "loss", got[0], []float32{float32(want.Loss)}, 1e-5, 0.5)
	nntest.Near(t, "moments", got[1], want.Moments.Pixels(), 1e-5, 0.5)
	nntest.Near(t, "pictures", got[2], want.Y.Pixels(), 1e-5, 0.5)
	// A bias of keys has no gradient but rounding.
	nntest.NearGrads(t, store, m.Params(), want.Grads, 2e-5, 0.5)
}

// TestDiffusers writes diffusers' keys and reads them again; another autoencoder is refused.
func TestDiffusers(t *testing.T) {
	m, err := New(Config{Channels: 3, Latent: 4, Widths: []int{8, 16}, Attention: nn.Bool(false), Output: Logits}, nn.Tuning{})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(m.Diffusers(32, 0.5))
	if err != nil {
		t.Fatal(err)
	}
	c, scale, err := Parse(text)
	if c.SetDefaults(); err != nil || scale != 0.5 || !reflect.DeepEqual(&c, m.Config()) {
		t.Errorf("%+v, %g of %+v: %v", c, scale, m.Config(), err)
	}
	if _, err := (&Config{}).Logits(); err == nil {
		t.Error("what a decoder gives is known without a word")
	}
	for _, text := range []string{`{"_class_name": "AutoencoderKL", "gotrain_output": "bits"}`, `{"_class_name": "VQModel"}`, `{"_class_name": "AutoencoderKL", "shift_factor": 0.1}`, `{`} {
		if _, _, err := Parse([]byte(text)); err == nil {
			t.Errorf("%s is taken", text)
		}
	}
}
