package unet

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

// golden is a file of scripts/golden/unet.py, whose pictures are (B, C, H, W).
type golden struct {
	Config                             Config
	X, Times, Context, Y, DY, DContext nntest.Tensor
	Loss                               float64
	Weights, Grads                     map[string]nntest.Tensor
}

// TestGolden compares what the model tells of pictures and its gradients with diffusers'
// UNet2DConditionModel.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json.gz")
	if err != nil || len(files) != 2 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json.gz"), func(t *testing.T) {
			var want golden
			nntest.Read(t, file, &want)
			m, err := New(want.Config, nn.Tuning{})
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
	context := g.Param("context", want.Context.Shape...)
	y := m.Denoise(g, x, g.Floats("times", shape[0], m.TimeWidth()), context)
	loss := autograd.Reshape(autograd.Sum(autograd.Mul(y.X, g.Floats("dy", y.X.Shape()...))))
	s := nntest.Bind(t, store, g, g.Grad(loss), loss.Named("loss"), y.X.Named("y"))
	nntest.Write(t, store, m.Params(), want.Weights)
	if err := store.Write("context", want.Context.Floats()); err != nil {
		t.Fatal(err)
	}
	var times []float32
	for _, time := range want.Times.Floats() {
		features := make([]float32, m.TimeWidth())
		nn.TimeFeatures(float64(time), features)
		times = append(times, features...)
	}
	got := nntest.Run(t, s, map[string][]float32{"x": want.X.Pixels(), "times": times, "dy": want.DY.Pixels()})
	nntest.Near(t, "loss", got[0], []float32{float32(want.Loss)}, 1e-4, 0.5)
	nntest.Near(t, "pictures", got[1], want.Y.Pixels(), 1e-5, 0.5)
	// Biases before norms have gradients that cancel but for rounding.
	nntest.NearGrads(t, store, m.Params(), want.Grads, 2e-5, 1)
	gradient := make([]float32, want.Context.Shape[0]*want.Context.Shape[1])
	if err := store.Read(autograd.GradState("context"), gradient); err != nil {
		t.Fatal(err)
	}
	nntest.Near(t, "gradient of the captions", gradient, want.DContext.Floats(), 2e-5, 0.5)
}

// TestConfig: defaults, and one clear error for each fault.
func TestConfig(t *testing.T) {
	m, err := New(Config{Channels: 4, Context: 8, Widths: []int{16, 24, 32}}, nn.Tuning{})
	if err != nil {
		t.Fatal(err)
	}
	c := m.Config().(*Config)
	if c.Layers != 2 || c.Groups != 8 || len(c.Heads) != 3 || c.Heads[2] != 8 || !c.Attention[1] || c.Attention[2] {
		t.Errorf("defaults are %+v", c)
	}
	if _, err := m.HuggingFace(); err == nil || !strings.Contains(err.Error(), "UNet2DConditionModel") {
		t.Error(err)
	}
	for want, c := range map[string]Config{
		"names 0 levels":      {Channels: 4, Context: 8},
		"channels":            {Context: 8, Widths: []int{8}},
		"context":             {Channels: 4, Widths: []int{8}},
		"groups":              {Channels: 4, Context: 8, Widths: []int{8}, Groups: 3},
		"does not divide":     {Channels: 4, Context: 8, Widths: []int{8}, Heads: []int{3}},
		"heads: are of 2":     {Channels: 4, Context: 8, Widths: []int{8, 8, 8}, Heads: []int{1, 2}},
		"attention: is of 1":  {Channels: 4, Context: 8, Widths: []int{8, 8}, Attention: []bool{true}},
		"as many sines":       {Channels: 4, Context: 8, Widths: []int{9}, Heads: []int{1}},
		"transforms: -1 is o": {Channels: 4, Context: 8, Widths: []int{8}, Transforms: -1},
	} {
		if _, err := New(c, nn.Tuning{}); err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), "model.", ""), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// TestDiffusers writes diffusers' keys and reads them again; what is not computed is refused.
func TestDiffusers(t *testing.T) {
	m, err := New(Config{Channels: 4, Context: 8, Widths: []int{16, 24, 32}, Heads: []int{2, 4, 8}, Linear: true, Attention: []bool{false, true, true}}, nn.Tuning{})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(m.Diffusers(64))
	if err != nil {
		t.Fatal(err)
	}
	c, size, err := Parse(text)
	if c.SetDefaults(); err != nil || size != 64 || !reflect.DeepEqual(&c, m.Config()) {
		t.Errorf("%+v, %d of %+v: %v", c, size, m.Config(), err)
	}
	// Stable Diffusion 1.5, whose heads are one number, and what other versions have.
	sd := `{"_class_name": "UNet2DConditionModel", "attention_head_dim": 8, "num_attention_heads": null, "cross_attention_dim": 768, "sample_size": 64`
	if c, _, err = Parse([]byte(sd + "}")); err != nil || c.Context != 768 || c.Widths[3] != 1280 || c.Attention[3] {
		t.Errorf("%+v, %v", c, err)
	}
	for _, more := range []string{`"addition_embed_type": "text_time"`, `"in_channels": 9`, `"mid_block_type": "UNetMidBlock2D"`, `"resnet_time_scale_shift": "scale_shift"`, `"down_block_types": ["AttnDownBlock2D", "DownBlock2D", "DownBlock2D", "DownBlock2D"]`, `"block_out_channels": [320]`} {
		if _, _, err := Parse([]byte(sd + ", " + more + "}")); err == nil {
			t.Errorf("%s is taken", more)
		}
	}
}
