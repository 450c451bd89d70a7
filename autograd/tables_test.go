package autograd

import (
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"

	"example.com/gotrain/autograd/ir"
)

// TestFrequenciesOfTransformers compares stretched rotary positions with those of
// transformers (scripts/golden/rope.py), and the table with cos and sin of the angles.
func TestFrequenciesOfTransformers(t *testing.T) {
	var cases []struct {
		HeadDim int `json:"head_dim"`
		Theta   float64
		Rope    struct {
			Kind     string  `json:"rope_type"`
			Factor   float64 `json:"factor"`
			Low      float64 `json:"low_freq_factor"`
			High     float64 `json:"high_freq_factor"`
			Fast     float64 `json:"beta_fast"`
			Slow     float64 `json:"beta_slow"`
			Original int     `json:"original_max_position_embeddings"`
			Truncate *bool
			Short    []float64 `json:"short_factor"`
			Long     []float64 `json:"long_factor"`
		}
		Frequencies []float64
		Attention   float64
	}
	text, err := os.ReadFile("testdata/rope.json")
	if err == nil {
		err = json.Unmarshal(text, &cases)
	}
	if err != nil || len(cases) < 20 {
		t.Fatal(len(cases), err)
	}
	for _, c := range cases {
		r := c.Rope
		cfg := RoPEConfig{Heads: 1, Length: 3, Theta: c.Theta, Scaling: RoPEScaling{Kind: r.Kind, Factor: r.Factor, Original: r.Original,
			LowFrequency: r.Low, HighFrequency: r.High, BetaFast: r.Fast, BetaSlow: r.Slow, Fractional: r.Truncate != nil, ShortFactor: r.Short, LongFactor: r.Long, Attention: c.Attention}}
		got, table := cfg.frequencies(c.HeadDim), ropeTable(cfg, c.HeadDim)
		for i, want := range c.Frequencies {
			if math.Abs(got[i]-want) > 2e-6*want {
				t.Errorf("%d, %g, %+v: pair %d turns by %g, in transformers by %g", c.HeadDim, c.Theta, r, i, got[i], want)
			}
			for pos := range 3 {
				cos, sin := float64(table[pos*c.HeadDim+i]), float64(table[pos*c.HeadDim+c.HeadDim/2+i])
				if angle := float64(pos) * want; math.Abs(cos-c.Attention*math.Cos(angle)) > 1e-5 || math.Abs(sin-c.Attention*math.Sin(angle)) > 1e-5 {
					t.Errorf("%d, %g, %+v: pair %d at %d has cos %g and sin %g, want %g times those of %g", c.HeadDim, c.Theta, r, i, pos, cos, sin, c.Attention, angle)
				}
			}
		}
	}
}

// TestTablesOfRotations: rotations share a table where all that makes it is the same,
// and only there.
func TestTablesOfRotations(t *testing.T) {
	base := RoPEConfig{Heads: 2, Length: 8, Theta: 10000, Scaling: RoPEScaling{Kind: YaRNScaling, Factor: 2, Original: 4, BetaFast: 4, BetaSlow: 1, Attention: 1.1}}
	g := NewGraph()
	positions := g.Ints("positions", 8)
	tables := map[string]string{}
	rotate := func(name string, cfg RoPEConfig, width int) {
		RoPE(g.Floats("x of "+name, 8, width), positions, cfg)
		for table := range g.tables {
			if tables[table] == "" {
				tables[table] = name
			}
		}
	}
	rotate("base", base, 8)
	rotate("more heads", RoPEConfig{Heads: 4, Length: 8, Theta: 10000, Scaling: base.Scaling}, 16)
	if g.Err() != nil || len(g.tables) != 1 {
		t.Fatalf("%d tables of one rotation, %v", len(g.tables), g.Err())
	}
	n := 1
	for name, change := range map[string]func(c *RoPEConfig){
		"length": func(c *RoPEConfig) { c.Length = 9 }, "theta": func(c *RoPEConfig) { c.Theta = 10001 },
		"kind": func(c *RoPEConfig) { c.Scaling.Kind = LinearScaling }, "factor": func(c *RoPEConfig) { c.Scaling.Factor = 3 },
		"original": func(c *RoPEConfig) { c.Scaling.Original = 5 }, "fast": func(c *RoPEConfig) { c.Scaling.BetaFast = 5 },
		"slow": func(c *RoPEConfig) { c.Scaling.BetaSlow = 2 }, "attention": func(c *RoPEConfig) { c.Scaling.Attention = 1.2 },
		"low": func(c *RoPEConfig) { c.Scaling.LowFrequency = 1 }, "high": func(c *RoPEConfig) { c.Scaling.HighFrequency = 2 },
		"bounds": func(c *RoPEConfig) { c.Scaling.Fractional = true },
		"short":  func(c *RoPEConfig) { c.Scaling.ShortFactor = []float64{1, 2} }, "long": func(c *RoPEConfig) { c.Scaling.LongFactor = []float64{1, 2} },
	} {
		cfg := base
		change(&cfg)
		rotate(name, cfg, 8)
		if n++; len(g.tables) != n {
			t.Errorf("another %s reads the table of another rotation", name)
			n = len(g.tables)
		}
	}
	rotate("width", RoPEConfig{Heads: 1, Length: 8, Theta: 10000, Scaling: base.Scaling}, 8)
	if len(g.tables) != n+1 || g.Err() != nil {
		t.Errorf("heads of another width read the table of another rotation; %v", g.Err())
	}
}

// TestTableOfTwoShapes: a table has one shape.
func TestTableOfTwoShapes(t *testing.T) {
	g := NewGraph()
	data := func() []float32 { return make([]float32, 6) }
	a, b := g.Table("t", data, 2, 3), g.Table("t", func() []float32 { t.Error("computed again"); return nil }, 2, 3)
	if a != b || g.Err() != nil {
		t.Errorf("the same table twice: %v", g.Err())
	}
	if g.Table("t", data, 3, 2); g.Err() == nil || !strings.Contains(g.Err().Error(), `"t" has shape (2, 3), not (3, 2)`) {
		t.Errorf("of another shape: %v", g.Err())
	}
}

// TestSinusoids compares the table with the formula of Vaswani et al. 2017, section 3.5:
// PE(pos, 2i) = sin(pos / 10000^(2i/d)), PE(pos, 2i+1) = cos of the same.
func TestSinusoids(t *testing.T) {
	const length, width = 50, 7
	table := NewGraph().SinusoidalTable("pe", length, width).table
	for pos := range length {
		for i := range (width + 1) / 2 {
			angle := float64(pos) / math.Pow(10000, 2*float64(i)/width)
			if got := float64(table[pos*width+2*i]); math.Abs(got-math.Sin(angle)) > 1e-6 {
				t.Errorf("(%d, %d) is %g, want sin %g", pos, 2*i, got, angle)
			}
			if 2*i+1 < width {
				if got := float64(table[pos*width+2*i+1]); math.Abs(got-math.Cos(angle)) > 1e-6 {
					t.Errorf("(%d, %d) is %g, want cos %g", pos, 2*i+1, got, angle)
				}
			}
		}
	}
}

// TestAttributesOfConstructors builds each op whose arguments become attributes and
// looks at the instruction.
func TestAttributesOfConstructors(t *testing.T) {
	g := NewGraph()
	x, flat, ids := g.Floats("x", 6, 8), g.Floats("flat", 6, 4), g.Ints("ids", 6)
	cache, position := g.State("cache", 10, 4), g.Ints("position", 2)
	second := g.State("second", 10, 4)
	bytes := g.Input("bytes", ir.U8, 6, 4)
	targets, weight, rng := g.Ints("targets", 6), g.Floats("weight", 1), g.Ints("rng", 4)
	keys := g.Ints("keys", 6)
	loss, _ := CrossEntropy(flat, targets, weight, LossConfig{Smoothing: 0.25, ZLoss: 0.5})
	linear, _ := LinearCrossEntropy(flat, g.Param("w", 5, 4), targets, weight, LossConfig{Smoothing: 0.125, ZLoss: 0.75})
	logp, _, _ := LinearLogProb(flat, g.Param("v", 5, 4), targets, LogProbConfig{Temperature: 4})
	outputs := []*Node{
		loss, linear, Clip(logp, -2, 3), LinearTopLogProb(flat, g.Param("u", 5, 4), g.Ints("classes", 6, 2), 2),
		AttentionCached(x, flat, flat, cache, second, position, AttentionConfig{Batch: 2, Heads: 4, KVHeads: 2, Window: 3, Scale: 0.3}),
		AttentionCached(x, flat, flat, cache, second, position, AttentionConfig{Batch: 2, Heads: 4, KVHeads: 2}),
		Attention(x, flat, flat, AttentionMask{Query: ids, Key: keys}, AttentionConfig{Batch: 2, Heads: 4, KVHeads: 2, Causal: true, Window: 2, Scale: 0.7}),
		ToFloat(bytes, 2, -1), Scale(flat, 1.5), Dropout(flat, rng, 0.375),
		Mean(x, 1), Mean(x), Mean(x, 0, 1), Sum(x, 0), Broadcast(Sum(flat, 0), 6, 4),
		LayerNorm(flat, g.Param("ln", 4), nil, 1e-3), RMSNorm(flat, g.Param("rms", 4), 1e-4), Activation(flat, ir.ReLU2),
		Slice(x, 1, 2, 5), Concat(1, x, flat), Transpose(x, 1, 0), MatMul(x, flat, true, false),
	}
	p, err := g.Lower("constructors", outputs...)
	if err != nil {
		t.Fatal(err)
	}
	axes := func(list ...int) (a [ir.MaxAxes]bool) {
		for _, i := range list {
			a[i] = true
		}
		return a
	}
	cached := ir.AttentionAttrs{Batch: 2, Heads: 4, KVHeads: 2, HeadDim: 2, Causal: true, Scale: float32(1 / math.Sqrt2)}
	windowed := cached
	windowed.Window, windowed.Scale = 3, 0.3
	whole := cached
	whole.Window, whole.Scale = 2, 0.7
	want := []ir.Attrs{
		ir.LossAttrs{Smoothing: 0.25, ZLoss: 0.5}, ir.LinearCrossEntropyAttrs{LossAttrs: ir.LossAttrs{Smoothing: 0.125, ZLoss: 0.75}, Rows: 6},
		ir.LinearLogProbAttrs{Scale: 0.25, Rows: 6}, nil, ir.MapAttrs{Fn: ir.Clip, A: -2, B: 3}, ir.LinearTopLogProbAttrs{Scale: 0.5, Rest: true, Rows: 6},
		windowed, cached, whole, ir.ToFloatAttrs{Scale: 2, Shift: -1}, ir.ScaleAttrs{Alpha: 1.5}, ir.DropoutAttrs{P: 0.375},
		ir.ReduceAttrs{Alpha: 1. / 8, Axes: axes(1)}, ir.ReduceAttrs{Alpha: 1. / 48, Axes: axes(0, 1)}, ir.ReduceAttrs{Alpha: 1. / 48, Axes: axes(0, 1)},
		ir.ReduceAttrs{Alpha: 1, Axes: axes(0)}, ir.ReduceAttrs{Alpha: 1, Axes: axes(0)}, ir.ScaleAttrs{Alpha: 1},
		ir.NormAttrs{Eps: 1e-3}, ir.NormAttrs{Eps: 1e-4}, ir.ActivationAttrs{Act: ir.ReLU2},
		ir.SliceAttrs{Axis: 1, Start: 2, End: 5}, ir.ConcatAttrs{Axis: 1}, ir.TransposeAttrs{Perm: [ir.MaxAxes]int8{1, 0}}, ir.MatMulAttrs{TransA: true},
	}
	if len(p.Instrs) != len(want) {
		t.Fatalf("%d instructions, want %d", len(p.Instrs), len(want))
	}
	for i, in := range p.Instrs {
		got := in.Attrs
		if d, ok := got.(ir.DropoutAttrs); ok {
			d.Site = 0 // of which package zoo has its tests
			got = d
		}
		if r, ok := got.(ir.ReduceAttrs); ok { // 1/6 of 1/8 rounds twice
			if w := want[i].(ir.ReduceAttrs); r.Axes == w.Axes && math.Abs(float64(r.Alpha-w.Alpha)) < 1e-8 {
				got = w
			}
		}
		if got != want[i] {
			t.Errorf("instruction %d, %s, has %+v, want %+v", i, in.Kind, got, want[i])
		}
		if in.Kind == ir.Attention && (in.In[3].Name != "ids" || in.In[4].Name != "keys") {
			t.Errorf("attention has the segments %v and %v", in.In[3], in.In[4])
		}
	}
}
