package unet

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/autograd"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/nntest"
)

// goldenControl is a file of scripts/golden/control.py.
type goldenControl struct {
	golden
	Control   ControlConfig
	JSON      json.RawMessage
	Scale     float64
	Condition nntest.Tensor
	Base      map[string]nntest.Tensor
}

// models are a U-Net and its Control, with roles of their own.
func models(t *testing.T, c ControlConfig) (*Model, *Control) {
	t.Helper()
	base, err := New(c.Config, nn.Tuning{Role: "unet"})
	if err != nil {
		t.Fatal(err)
	}
	control, err := NewControl(c, nn.Tuning{Role: "controlnet"})
	if err != nil {
		t.Fatal(err)
	}
	return base, control
}

// TestGoldenControl compares what a U-Net tells under a condition, and the gradients of the
// Control, with diffusers' ControlNetModel, whose config.json is read and written.
func TestGoldenControl(t *testing.T) {
	for _, name := range []string{"v1", "v2"} {
		t.Run(name, func(t *testing.T) {
			var want goldenControl
			nntest.Read(t, "testdata/control/"+name+".json.gz", &want)
			var class map[string]any
			if err := json.Unmarshal(want.JSON, &class); err != nil {
				t.Fatal(err)
			}
			class["_class_name"] = controlClass
			text, err := json.Marshal(class)
			if err != nil {
				t.Fatal(err)
			}
			c, err := ParseControl(text)
			if err != nil {
				t.Fatal(err)
			}
			base, control := models(t, c)
			again, err := json.Marshal(control.Diffusers())
			if err != nil {
				t.Fatal(err)
			}
			if back, err := ParseControl(again); err != nil || !reflect.DeepEqual(&back, control.Config()) {
				t.Errorf("written is %+v, read %+v, %v", control.Config(), back, err)
			}
			testGoldenControl(t, base, control, want)
		})
	}
}

func testGoldenControl(t *testing.T, base *Model, control *Control, want goldenControl) {
	store := nntest.Open(t)
	g := autograd.NewGraph()
	pictures := func(name string, shape []int) nn.Pictures {
		return nn.Pictures{X: g.Floats(name, shape[0]*shape[2]*shape[3], shape[1]), Batch: shape[0], Height: shape[2], Width: shape[3]}
	}
	x, times, context := pictures("x", want.X.Shape), g.Floats("times", want.X.Shape[0], base.TimeWidth()), g.Floats("context", want.Context.Shape...)
	added := control.Tell(g, x, times, context, pictures("condition", want.Condition.Shape)).Scale(want.Scale)
	y := base.DenoiseUnder(g, x, times, context, added)
	loss := autograd.Reshape(autograd.Sum(autograd.Mul(y.X, g.Floats("dy", y.X.Shape()...))))
	var learn []*autograd.Node
	for _, n := range g.Params() {
		if strings.HasPrefix(n.Name(), "controlnet.") {
			learn = append(learn, n)
		}
	}
	s := nntest.Bind(t, store, g, g.Grad(loss, learn...), loss.Named("loss"), y.X.Named("y"))
	nntest.Write(t, store, control.Params(), want.Weights)
	nntest.Write(t, store, base.Params(), want.Base)
	var features []float32
	for _, time := range want.Times.Floats() {
		row := make([]float32, base.TimeWidth())
		nn.TimeFeatures(float64(time), row)
		features = append(features, row...)
	}
	got := nntest.Run(t, s, map[string][]float32{"x": want.X.Pixels(), "times": features, "context": want.Context.Floats(), "condition": want.Condition.Pixels(), "dy": want.DY.Pixels()})
	nntest.Near(t, "loss", got[0], []float32{float32(want.Loss)}, 1e-4, 0.5)
	nntest.Near(t, "pictures", got[1], want.Y.Pixels(), 1e-5, 0.5)
	nntest.NearGrads(t, store, control.Params(), want.Grads, 5e-5, 1)
}

// TestNewControl: a Control that has learnt nothing changes no bit of what the U-Net tells, and
// what it adds counts as soon as a convolution is not zero.
func TestNewControl(t *testing.T) {
	c := ControlConfig{Config: Config{Channels: 3, Context: 4, Widths: []int{8, 8}, Layers: 1, Heads: []int{2}}}
	if c.SetCondition(2); !slices.Equal(c.Condition, []int{16, 32}) || c.Factor() != 2 {
		t.Fatalf("conditions are read by %v", c.Condition)
	}
	base, control := models(t, c)
	store := nntest.Open(t)
	g := autograd.NewGraph()
	pictures := func(name string, side int) nn.Pictures {
		return nn.Pictures{X: g.Floats(name, side*side, 3), Batch: 1, Height: side, Width: side}
	}
	x, times, context := pictures("x", 4), g.Floats("times", 1, base.TimeWidth()), g.Floats("context", 2, 4)
	alone := base.Denoise(g, x, times, context)
	under := base.DenoiseUnder(g, x, times, context, control.Tell(g, x, times, context, pictures("condition", 8)))
	s := nntest.Bind(t, store, g, nil, alone.X.Named("alone"), under.X.Named("under"))
	for _, m := range []nn.Model{base, control} {
		if err := nn.Initialize(m.Params(), 3, store.WriteAt); err != nil {
			t.Fatal(err)
		}
	}
	in := map[string][]float32{"times": make([]float32, base.TimeWidth())}
	for name, n := range map[string]int{"x": 48, "context": 8, "condition": 192} {
		for i := range n {
			in[name] = append(in[name], float32(i%7)/7)
		}
	}
	if got := nntest.Run(t, s, in); !slices.Equal(got[0], got[1]) {
		t.Error("a Control that is new changes what the U-Net tells")
	}
	if err := store.WriteAt("controlnet.controlnet_mid_block.bias", 0, []float32{0.5}); err != nil {
		t.Fatal(err)
	}
	if got := nntest.Run(t, s, in); slices.Equal(got[0], got[1]) {
		t.Error("what a Control adds changes nothing")
	}
}

// TestControlConfig: one clear error for each fault.
func TestControlConfig(t *testing.T) {
	unet := Config{Channels: 3, Context: 4, Widths: []int{8, 8}}
	for want, c := range map[string]ControlConfig{
		"names 0 layers": {Config: unet},
		"condition: -1":  {Config: unet, Condition: []int{-1}},
		"widths":         {Config: Config{Channels: 3, Context: 4}, Condition: []int{16}},
	} {
		if _, err := NewControl(c, nn.Tuning{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	for _, text := range []string{`{`, `{"_class_name": "UNet2DConditionModel"}`, `{"_class_name": "ControlNetModel", "conditioning_channels": 1}`, `{"_class_name": "ControlNetModel", "global_pool_conditions": true}`} {
		if _, err := ParseControl([]byte(text)); err == nil {
			t.Errorf("%s is taken", text)
		}
	}
}
