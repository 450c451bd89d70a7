package clip

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"example.com/gotrain/autograd"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/nntest"
)

// golden is a file of scripts/golden/clip.py.
type golden struct {
	Config         json.RawMessage // transformers'
	IDs            []int32
	Batch          int
	Y, DY          nntest.Tensor
	Loss           float64
	Weights, Grads map[string]nntest.Tensor
}

// TestGolden compares states of captions and gradients with transformers' CLIPTextModel: the
// last layer's (v1), and the penultimate's of a model that is saved without its last (v2).
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/v*.json.gz")
	if err != nil || len(files) != 2 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json.gz"), func(t *testing.T) {
			var want golden
			nntest.Read(t, file, &want)
			c, err := Parse(want.Config)
			if err != nil {
				t.Fatal(err)
			}
			m, err := New(c, nn.Tuning{})
			if err != nil {
				t.Fatal(err)
			}
			store := nntest.Open(t)
			g := autograd.NewGraph()
			y := m.Encode(g, g.Ints("ids", len(want.IDs)))
			loss := autograd.Reshape(autograd.Sum(autograd.Mul(y, g.Floats("dy", y.Shape()...))))
			s := nntest.Bind(t, store, g, g.Grad(loss), loss.Named("loss"), y.Named("y"))
			nntest.Write(t, store, m.Params(), want.Weights)
			if err := s.SetInts("ids", want.IDs); err != nil {
				t.Fatal(err)
			}
			got := nntest.Run(t, s, map[string][]float32{"dy": want.DY.Floats()})
			nntest.Near(t, "loss", got[0], []float32{float32(want.Loss)}, 1e-4, 0.5)
			nntest.Near(t, "states", got[1], want.Y.Floats(), 1e-5, 0.5)
			nntest.NearGrads(t, store, m.Params(), want.Grads, 1e-5, 0.5)
			testBack(t, m)
		})
	}
}

// testBack writes a config.json and reads it again.
func testBack(t *testing.T, m *Model) {
	keys, err := m.HuggingFace()
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(keys)
	if err != nil {
		t.Fatal(err)
	}
	c, err := Parse(text)
	if c.SetDefaults(); err != nil || c != *m.Config().(*Config) {
		t.Errorf("%+v of %+v, %v", c, m.Config(), err)
	}
}

// TestRefusals: what is missing or does not fit has an error.
func TestRefusals(t *testing.T) {
	for want, c := range map[string]Config{
		"vocab":      {Layers: 1, Heads: 1, Width: 4},
		"layers":     {Heads: 1, Width: 4, Vocab: 3},
		"activation": {Layers: 1, Heads: 1, Width: 4, Vocab: 3, Activation: "swoosh"},
		"width":      {Layers: 1, Heads: 3, Width: 4, Vocab: 3},
	} {
		if _, err := New(c, nn.Tuning{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	for _, text := range []string{`{`, `{"model_type": "t5"}`, `{"model_type": "clip_text_model", "hidden_act": "swoosh"}`, `{"model_type": "clip_text_model", "num_attention_heads": 7}`} {
		if _, err := Parse([]byte(text)); err == nil {
			t.Errorf("%s is taken", text)
		}
	}
	m, err := New(Config{Layers: 1, Heads: 1, Width: 4, Vocab: 3, Context: 5}, nn.Tuning{})
	if err != nil {
		t.Fatal(err)
	}
	g := autograd.NewGraph()
	if m.Encode(g, g.Ints("ids", 7)); g.Err() == nil {
		t.Error("7 tokens are taken for captions of 5")
	}
}
