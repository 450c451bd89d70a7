package nn_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/plan"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/llama"
)

func tinyLlama(t nn.Tuning) (*llama.Model, error) {
	return llama.New(llama.Config{Layers: 2, Heads: 4, KVHeads: 2, Width: 8, FFN: 16, Context: 64, Vocab: 10, Tied: nn.Bool(true)}, t)
}

func TestFaultsOfAdapterAndFreeze(t *testing.T) {
	for _, tc := range []struct {
		name   string
		tuning nn.Tuning
		want   []string
	}{
		{"a pattern without parameter", nn.Tuning{Freeze: []string{"model.layer.0.mlp.*"}},
			[]string{`train.freeze: no parameter matches "model.layer.0.mlp.*"`, "the nearest are model.layers.0.mlp."}},
		{"the end of a name", nn.Tuning{Freeze: []string{"layers.0.mlp.*"}}, []string{`no parameter matches "layers.0.mlp.*"`}},
		{"a bad pattern", nn.Tuning{Freeze: []string{"model.[*"}}, []string{`"model.[*" is no pattern`}},
		{"everything", nn.Tuning{Freeze: []string{"*"}}, []string{"every parameter is frozen"}},
		{"the adapter", nn.Tuning{Adapter: nn.Adapter{Rank: 2}, Freeze: []string{"*.lora_?.weight"}}, []string{"every parameter is frozen"}},
		{"targets", nn.Tuning{Adapter: nn.Adapter{Rank: 2, Targets: []string{"q_proj", "qproj", "attn.v_proj"}}},
			[]string{`no linear layer is called "qproj"`, "model.layers.0.self_attn.q_proj", `no linear layer is called "attn.v_proj"`, "use all-linear"}},
		{"numbers of layers", nn.Tuning{Adapter: nn.Adapter{Rank: 2, Ranks: []string{"q_proj", "v_proj=1.5"}, Alphas: []string{"=2"}}},
			[]string{`lora.ranks: "q_proj" is no LAYER=NUMBER`, `lora.ranks: "v_proj=1.5" is no`, `lora.alphas: "=2" is no`}},
		{"layers of numbers", nn.Tuning{Adapter: nn.Adapter{Rank: 2, Targets: []string{"q_proj"}, Ranks: []string{"v_proj=1"}}},
			[]string{`lora.ranks: no layer that is adapted is called "v_proj"`}},
		{"numbers", nn.Tuning{Adapter: nn.Adapter{Rank: -1, Alpha: -1, Dropout: 1, Targets: []string{""}}},
			[]string{"lora.rank is -1", "lora.alpha is -1", "lora.dropout is 1", "lora.targets: one is empty"}},
	} {
		_, err := tinyLlama(tc.tuning)
		if err == nil {
			t.Errorf("%s: accepted", tc.name)
			continue
		}
		for _, want := range tc.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: lacks %q: %v", tc.name, want, err)
			}
		}
	}
}

func TestFrozenParametersCostNothing(t *testing.T) {
	arena := func(freeze ...string) (int64, *ir.Program) {
		m, err := tinyLlama(nn.Tuning{Freeze: freeze})
		if err != nil {
			t.Fatal(err)
		}
		g := autograd.NewGraph()
		loss, nll := nn.Training(g, m, nn.Rows{Batch: 4, Length: 64}, autograd.LossConfig{})
		p, grads, err := g.LowerTrain("step", g.Grad(loss), autograd.GradStore, nll)
		if err != nil {
			t.Fatal(err)
		}
		if want := len(nn.Trainable(m.Params())); len(grads) != want {
			t.Errorf("freeze %v: %d gradients, want %d", freeze, len(grads), want)
		}
		built, err := plan.Build(p, plan.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return built.Arena, built.Program
	}
	all, _ := arena()
	half, p := arena("model.embed_tokens.*", "model.layers.0.*")
	if half >= all*3/4 {
		t.Errorf("half of the layers frozen: an arena of %d bytes, %d without", half, all)
	}
	for _, in := range p.Instrs {
		if in.Backward && in.Block == 0 {
			t.Errorf("%s at %s is in the backward pass of a block before the first trained parameter", in.Kind, in.Path)
		}
	}
}

func TestFLOPsOfFrozenParameters(t *testing.T) {
	embedding, block := 80.0, 2*64+2*32+3*128.0 // the embedding is the head too
	attention := 4 * 8 * 21.0 / 6               // forward, a block
	flops := func(tuning nn.Tuning) float64 {
		m, err := tinyLlama(tuning)
		if err != nil {
			t.Fatal(err)
		}
		return nn.FLOPsPerToken(m, 6).Exact
	}
	for _, tc := range []struct {
		name   string
		tuning nn.Tuning
		want   float64
	}{
		{"all", nn.Tuning{}, 6*(2*block+embedding) + 2*3*attention},
		{"block 0 and table frozen", nn.Tuning{Freeze: []string{"model.embed_tokens.*", "model.layers.0.*"}},
			2*block + 6*block + 4*embedding + attention + 3*attention},
		// A and B of k_proj are 1·8 and 4·1; nothing before them has a gradient, so
		// neither q, k and v of block 0 nor A's input.
		{"adapters of k", nn.Tuning{Adapter: nn.Adapter{Rank: 1, Targets: []string{"k_proj"}}},
			2*(64+32+32) + 4*(block-64-32-32) + 4*block + 4*8 + 6*4 + 6*12 + 4*embedding + 2*3*attention},
	} {
		if got := flops(tc.tuning); math.Abs(got-tc.want) > 1e-9 {
			t.Errorf("%s: %g FLOPs a token, want %g", tc.name, got, tc.want)
		}
	}
}

func TestFirstAdapter(t *testing.T) {
	m, err := tinyLlama(nn.Tuning{Adapter: nn.Adapter{Rank: 4, Targets: []string{"down_proj"}}})
	if err != nil {
		t.Fatal(err)
	}
	bound := 1 / math.Sqrt(16)
	var square float64
	n := 0
	err = nn.Initialize(nn.Adapters(m.Params()), 7, func(name string, _ int, values []float32) error {
		for _, x := range values {
			if strings.HasSuffix(name, nn.LoRAB) && x != 0 {
				t.Errorf("%s begins with %g", name, x)
			}
			if strings.HasSuffix(name, nn.LoRAA) {
				if math.Abs(float64(x)) >= bound {
					t.Errorf("%s begins with %g, bound %g", name, x, bound)
				}
				square += float64(x) * float64(x)
				n++
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	// The variance of a uniform distribution is bound²/3, here within 4 standard errors.
	if v := square / float64(n) / (bound * bound / 3); n != 2*4*16 || math.Abs(v-1) > 0.32 {
		t.Errorf("%d elements with %g of the variance", n, v)
	}
}

// TestMergeInParts merges into a weight that several goroutines share, at once and in
// parts, and compares with the definition.
func TestMergeInParts(t *testing.T) {
	const out, in, rank, scale = 230, 310, 3, 0.75
	rng := rand.New(rand.NewPCG(1, 2))
	draw := func(n int) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(rng.NormFloat64())
		}
		return x
	}
	a, b, base := draw(rank*in), draw(out*rank), draw(out*in)
	for _, layout := range []autograd.WeightLayout{autograd.OutIn, autograd.InOut} {
		d := nn.NewDelta(layout, a, b, rank, scale)
		whole, parts := slices.Clone(base), slices.Clone(base)
		d.Merge(whole, 0)
		for at, n := 0, 1; at < len(parts); at, n = at+n, 3*n+1 {
			d.Merge(parts[at:min(at+n, len(parts))], at)
		}
		for i := range whole {
			o, col := i/in, i%in
			if layout == autograd.InOut {
				o, col = i%out, i/out
			}
			want := float64(base[i])
			for k := range rank {
				want += scale * float64(b[o*rank+k]) * float64(a[k*in+col])
			}
			if math.Abs(float64(whole[i])-want) > 1e-5 || whole[i] != parts[i] {
				t.Fatalf("layout %t: element %d merges to %g, in parts to %g, want %g", layout, i, whole[i], parts[i], want)
			}
		}
		d.Unmerge(whole, 0)
		for i := range whole {
			if math.Abs(float64(whole[i]-base[i])) > 2e-6 {
				t.Fatalf("layout %t: element %d comes back as %g, was %g", layout, i, whole[i], base[i])
			}
		}
	}
}

func TestScale(t *testing.T) {
	for _, tc := range []struct {
		a    nn.Adapter
		want float64
	}{{nn.Adapter{}, 0}, {nn.Adapter{Rank: 4}, 1}, {nn.Adapter{Rank: 4, Alpha: 6}, 1.5}, {nn.Adapter{Rank: 4, Alpha: 6, RSLoRA: true}, 3}} {
		if got := tc.a.Scale(); got != tc.want {
			t.Errorf("%+v: scale %g, want %g", tc.a, got, tc.want)
		}
	}
}
