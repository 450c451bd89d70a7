package clip

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"example.com/gotrain/autograd"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/nntest"
)

// TestPairGolden compares with transformers' CLIPModel: logits and the loss of three pictures and
// captions, and the gradients of all parameters, which come from those by the places.
func TestPairGolden(t *testing.T) {
	var want struct {
		Config         json.RawMessage
		IDs            []int32
		X, Logits      nntest.Tensor
		Loss           float64
		Weights, Grads map[string]nntest.Tensor
	}
	nntest.Read(t, "testdata/pair.json.gz", &want)
	spec, notes, err := nn.Families{PairFamily()}.Read(want.Config)
	if err != nil || len(notes) > 0 {
		t.Fatal(notes, err)
	}
	m, err := NewPair(*spec.Config.(*PairConfig), nn.Tuning{})
	if err != nil {
		t.Fatal(err)
	}
	const n = 3
	store, g := nntest.Open(t), autograd.NewGraph()
	pictures, captions, scale := pairGraph(g, m, n)
	dp, dc := g.Floats("dp", pictures.Shape()...), g.Floats("dc", captions.Shape()...)
	loss := autograd.Reshape(autograd.Add(autograd.Sum(autograd.Mul(pictures, dp)), autograd.Sum(autograd.Mul(captions, dc))))
	loss = autograd.Reshape(autograd.Add(loss, autograd.Reshape(autograd.Mul(autograd.Reshape(scale, 1), g.Floats("ds", 1)))))
	s := nntest.Bind(t, store, g, g.Grad(loss), pictures.Named("pictures"), captions.Named("captions"), loss.Named("loss"))
	nntest.Write(t, store, m.Params(), want.Weights)
	if err := s.SetInts("ids", want.IDs); err != nil {
		t.Fatal(err)
	}
	in := map[string][]float32{"x": want.X.Pixels(), "ends": ends(want.IDs, 22, m.Context()), "dp": make([]float32, n*5), "dc": make([]float32, n*5), "ds": {0}}
	got := nntest.Run(t, s, in)
	c := NewContrast(got[0], got[1], n, 2)
	mean, dscale := 0.0, float32(0)
	for i := range n {
		mean += c.Loss[i] / n
		dscale += c.Scale[i] / n
		for k := range 5 {
			in["dp"][i*5+k], in["dc"][i*5+k] = c.Pictures[i*5+k]/n, c.Captions[i*5+k]/n
		}
	}
	in["ds"][0] = dscale
	nntest.Near(t, "loss", []float32{float32(mean)}, []float32{float32(want.Loss)}, 1e-5, 0.5)
	logits := make([]float32, n*n)
	for i := range n {
		for j := range n {
			logits[i*n+j] = float32(math.Exp(2) * dot(got[1][i*5:][:5], got[0][j*5:][:5]))
		}
	}
	nntest.Near(t, "logits", logits, want.Logits.Floats(), 1e-5, 0.5)
	nntest.Run(t, s, in)
	nntest.NearGrads(t, store, m.Params(), want.Grads, 1e-5, 0.5)

	keys, err := m.HuggingFace()
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(keys)
	if err != nil {
		t.Fatal(err)
	}
	again, err := nn.Families{PairFamily()}.Parse(text)
	if c, ok := again.Config.(*PairConfig); err != nil || !ok || *c != *m.Config().(*PairConfig) {
		t.Errorf("%+v of %+v, %v", again.Config, m.Config(), err)
	}
}

// pairGraph embeds n pictures and captions.
func pairGraph(g *autograd.Graph, m *Pair, n int) (pictures, captions, scale *autograd.Node) {
	p := m.config.Picture
	x := nn.Pictures{X: g.Floats("x", n*p.Size*p.Size, p.Channels), Batch: n, Height: p.Size, Width: p.Size}
	pictures, _ = m.EmbedPictures(g, x)
	captions = m.EmbedCaptions(g, g.Ints("ids", n*m.Context()), g.Floats("ends", n, m.Context()))
	return pictures, captions, m.Scale(g)
}

// ends marks the first end of each caption.
func ends(ids []int32, end int32, length int) []float32 {
	to := make([]float32, len(ids))
	for row := range len(ids) / length {
		Ends(ids[row*length:][:length], end, to[row*length:])
	}
	return to
}

// TestContrast compares gradients with differences of the loss, and the bound of the scale.
func TestContrast(t *testing.T) {
	const n, e, h = 3, 2, 1e-3
	u, v := []float32{0.6, 0.8, 1, 0, 0, -1}, []float32{0, 1, 0.8, 0.6, -1, 0}
	loss := func(scale float64) float64 {
		sum := 0.0
		for _, l := range NewContrast(u, v, n, scale).Loss {
			sum += l
		}
		return sum
	}
	c := NewContrast(u, v, n, 1)
	for _, part := range []struct{ x, grad []float32 }{{u, c.Pictures}, {v, c.Captions}} {
		for i, was := range part.x {
			part.x[i] = was + h
			up := loss(1)
			part.x[i] = was - h
			down := loss(1)
			if part.x[i] = was; math.Abs((up-down)/(2*h)-float64(part.grad[i])) > 1e-3 {
				t.Errorf("gradient %d is %g, the difference %g", i, part.grad[i], (up-down)/(2*h))
			}
		}
	}
	if slope := float64(c.Scale[0] + c.Scale[1] + c.Scale[2]); math.Abs((loss(1+h)-loss(1-h))/(2*h)-slope) > 1e-5 {
		t.Errorf("the slope by the scale is %g", slope)
	}
	if loss(10) != loss(math.Log(100)) {
		t.Error("the scale has no bound")
	}
	if got := NewContrast([]float32{1, 0, 0, 1}, []float32{1, 0, 1, 0}, 2, 0).Right; got[0] || got[1] {
		t.Errorf("pictures whose caption is no nearer than another are right: %v", got)
	}
}

// TestPairRefusals: what is missing or does not fit has an error.
func TestPairRefusals(t *testing.T) {
	good := PairConfig{Text: Config{Layers: 1, Heads: 1, Width: 4, Vocab: 3}, Picture: PictureConfig{Layers: 1, Heads: 1, Width: 4, Patch: 2, Size: 4, Channels: 1}, Projection: 2}
	for want, change := range map[string]func(*PairConfig){
		"text.vocab":         func(c *PairConfig) { c.Text.Vocab = 0 },
		"picture.size":       func(c *PairConfig) { c.Picture.Size = 0 },
		"picture.patch":      func(c *PairConfig) { c.Picture.Patch = 3 },
		"picture.width":      func(c *PairConfig) { c.Picture.Heads = 3 },
		"picture.activation": func(c *PairConfig) { c.Picture.Activation = "swoosh" },
		"projection":         func(c *PairConfig) { c.Projection = 0 },
		"temperature":        func(c *PairConfig) { c.Temperature = -1 },
		"layers":             func(c *PairConfig) { c.Text.Layers = 0 },
	} {
		c := good
		change(&c)
		if _, err := NewPair(c, nn.Tuning{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	if _, err := NewPair(good, nn.Tuning{}); err != nil {
		t.Error(err)
	}
}
