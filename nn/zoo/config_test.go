package zoo

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/gemma3"
	"example.com/gotrain/nn/gpt2"
	"example.com/gotrain/nn/llama"
	"example.com/gotrain/nn/lstm"
)

// transformersDefaults is what scripts/golden/configs.py wrote: the keys of a
// config.json by model_type, with transformers' defaults.
func transformersDefaults(t *testing.T) map[string]map[string]any {
	t.Helper()
	text, err := os.ReadFile("testdata/defaults.json")
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]map[string]any
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	if len(all) != 9 {
		t.Fatalf("defaults of %v", slices.Collect(maps.Keys(all)))
	}
	return all
}

func marshal(t *testing.T, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestAbsentKeys: a config.json that says nothing but its type is one that spells out
// transformers' defaults.
func TestAbsentKeys(t *testing.T) {
	null := parse(t, []byte(`{"model_type": "mistral", "num_attention_heads": 4, "hidden_size": 64, "num_key_value_heads": null}`))
	if heads := null.Config.(*llama.Config).KVHeads; heads != 4 {
		t.Errorf("no number of key heads is read as %d, not that of query heads", heads)
	}
	for kind, keys := range transformersDefaults(t) {
		want := parse(t, marshal(t, keys))
		if got := parse(t, marshal(t, map[string]string{"model_type": kind})); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: absent keys are read as\n%+v, transformers takes\n%+v", kind, got.Config, want.Config)
		}
	}
}

// changed are other values than transformers' defaults for keys that a model keeps.
var changed = map[string]any{
	"vocab_size": 11.0, "initializer_range": 0.03, "tie_word_embeddings": nil,
	"n_positions": 20.0, "n_ctx": 20.0, "n_embd": 24.0, "n_layer": 3.0, "n_head": 4.0, "n_inner": 40.0, "activation_function": "relu",
	"layer_norm_epsilon": 2e-6, "embd_pdrop": 0.2, "resid_pdrop": 0.2, "attn_pdrop": 0.3,
	"max_position_embeddings": 20.0, "hidden_size": 24.0, "intermediate_size": 40.0, "num_hidden_layers": 3.0, "num_attention_heads": 4.0,
	"num_key_value_heads": 2.0, "head_dim": 10.0, "hidden_act": "gelu", "rms_norm_eps": 3e-7,
	"rope_parameters":   map[string]any{"rope_type": "linear", "rope_theta": 321.0, "factor": 2.5},
	"hidden_activation": "gelu", "query_pre_attn_scalar": 9.0,
	"type_vocab_size": 3.0, "hidden_dropout_prob": 0.2, "layer_norm_eps": 3e-7, "attention_probs_dropout_prob": 0.0,
	"d_model": 24.0, "encoder_layers": 3.0, "decoder_layers": 5.0, "encoder_attention_heads": 4.0, "decoder_attention_heads": 4.0, "encoder_ffn_dim": 40.0, "decoder_ffn_dim": 40.0,
	"scale_embedding": true, "dropout": 0.2, "init_std": 0.03, "decoder_vocab_size": 11.0,
}

// TestKeysSurvive changes each key of each type, reads the file and writes it: what is
// written is what was read, under transformers' names.
func TestKeysSurvive(t *testing.T) {
	for kind, keys := range transformersDefaults(t) {
		original := maps.Clone(keys)
		for key, value := range changed {
			if _, there := original[key]; there {
				original[key] = value
			}
		}
		if original["tie_word_embeddings"] = !keys["tie_word_embeddings"].(bool); keys["d_model"] != nil {
			original["tie_word_embeddings"], original["decoder_start_token_id"] = true, 7.0
		}
		if kind == "llama" {
			original["attention_bias"], original["mlp_bias"] = true, true
		}
		if kind == "mistral" {
			original["sliding_window"] = 7.0
		}
		if strings.HasPrefix(kind, "qwen") {
			original["use_sliding_window"], original["sliding_window"], original["max_window_layers"] = true, 7.0, 0.0
			original["layer_types"] = []string{"sliding_attention", "sliding_attention", "sliding_attention"}
		}
		if kind == "gemma3_text" {
			original["sliding_window"], original["attention_bias"], original["layer_types"] = 7.0, true, []any{"sliding_attention", "full_attention", "sliding_attention"}
			original["rope_parameters"] = map[string]any{"full_attention": changed["rope_parameters"], "sliding_attention": map[string]any{"rope_type": "default", "rope_theta": 99.0}}
		}
		m, err := Families().New(parse(t, marshal(t, original)), nn.Tuning{})
		if err != nil {
			t.Errorf("%s: %v", kind, err)
			continue
		}
		written, err := m.HuggingFace()
		if err != nil {
			t.Errorf("%s: %v", kind, err)
			continue
		}
		var got map[string]any
		if err := json.Unmarshal(marshal(t, written), &got); err != nil {
			t.Fatal(err)
		}
		delete(got, "architectures")
		delete(got, "forced_eos_token_id") // a matter of a checkpoint
		delete(got, "dtype")
		for key, value := range got {
			want, there := original[key]
			if key == "rope_theta" { // for transformers before 5
				want, there = 321.0, true
			}
			if key == "rope_scaling" {
				want, there = original["rope_parameters"], true
				if kind == "gemma3_text" {
					want = map[string]any{"rope_type": "linear", "factor": 2.5}
				}
			}
			if there && !reflect.DeepEqual(value, want) {
				t.Errorf("%s: %s is written as %v, was %v", kind, key, value, want)
			}
		}
		for key := range changed {
			if _, there := original[key]; there && got[key] == nil {
				t.Errorf("%s: %s is not written", kind, key)
			}
		}
		if _, scaled := got["rope_scaling"]; keys["rope_parameters"] != nil && !scaled {
			t.Errorf("%s: the scaling is not written for transformers before 5", kind)
		}
	}
}

// TestConfigOfGoldenModels writes the configurations of the models in testdata, which
// transformers wrote: each key that it knows has its value.
func TestConfigOfGoldenModels(t *testing.T) {
	for _, name := range []string{"gemma3", "gemma3_untied", "gpt2", "gpt2_untied", "llama", "llama3", "llama_linear", "llama_tied_bias", "llama_yarn", "llama_yarn_fractional", "llama_longrope", "mistral", "qwen2", "qwen3", "qwen3_window"} {
		g := readGolden(t, "testdata/"+name+".json.gz")
		var original map[string]any
		if err := json.Unmarshal(g.Config, &original); err != nil {
			t.Fatal(err)
		}
		written, err := newModel(t, parse(t, g.Config), nn.Tuning{}).HuggingFace()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var got map[string]any
		if err := json.Unmarshal(marshal(t, written), &got); err != nil {
			t.Fatal(err)
		}
		if rope, ok := got["rope_parameters"].(map[string]any); ok {
			theirs := original["rope_parameters"].(map[string]any)
			for key, want := range theirs {
				if !reflect.DeepEqual(rope[key], want) {
					t.Errorf("%s: rope_parameters.%s is %v, was %v", name, key, rope[key], want)
				}
			}
		}
		if got["use_sliding_window"] == false { // of layers that are none
			delete(got, "max_window_layers")
		}
		for key, value := range got {
			if want, there := original[key]; there && want != nil && key != "dtype" && key != "rope_parameters" && !reflect.DeepEqual(value, want) {
				t.Errorf("%s: %s is %v, was %v", name, key, value, want)
			}
		}
	}
}

// TestDefaultsOfFamilies holds what a configuration that leaves things open means.
func TestDefaultsOfFamilies(t *testing.T) {
	g := gpt2.Config{Layers: 3, Heads: 2, Width: 10, Context: 8, Vocab: 7}
	g.SetDefaults()
	wantG := gpt2.Config{Layers: 3, Heads: 2, KVHeads: 2, HeadDim: 5, Width: 10, FFN: 40, Context: 8, Vocab: 7, Activation: "gelu_tanh", NormEps: 1e-5,
		Tied: nn.Bool(true), Bias: nn.Bool(true), Positions: "learned", InitStd: 0.02, ScaleResidual: nn.Bool(true)}
	if !reflect.DeepEqual(g, wantG) {
		t.Errorf("gpt2: %+v, want %+v", g, wantG)
	}
	for _, c := range []struct {
		width, ffn int
		scaling    *llama.RopeScaling
		want       *llama.RopeScaling
	}{
		{60, 192, nil, nil}, // 8/3·60 = 160, up to a multiple of 64
		{72, 192, nil, nil}, // 192 is one
		{76, 256, &llama.RopeScaling{Type: "linear", Factor: 2}, &llama.RopeScaling{Type: "linear", Factor: 2}},
		{60, 192, &llama.RopeScaling{Type: "llama3", Factor: 4}, &llama.RopeScaling{Type: "llama3", Factor: 4, Original: 16, LowFreqFactor: 1, HighFreqFactor: 4}},
		{60, 192, &llama.RopeScaling{Type: "yarn", Factor: 4}, &llama.RopeScaling{Type: "yarn", Factor: 4, Original: 16, BetaFast: 32, BetaSlow: 1, AttentionFactor: 1.1386294361119891}},
	} {
		l := llama.Config{Layers: 3, Heads: 2, Width: c.width, Context: 64, Vocab: 7, RopeScaling: c.scaling}
		l.SetDefaults()
		want := llama.Config{Layers: 3, Heads: 2, KVHeads: 2, HeadDim: c.width / 2, Width: c.width, FFN: c.ffn, Context: 64, Vocab: 7, Activation: "silu",
			NormEps: 1e-5, Tied: nn.Bool(false), Bias: nn.Bool(false), Positions: "rope", RopeTheta: 10000, RopeScaling: c.want, InitStd: 0.02, ScaleResidual: nn.Bool(false)}
		if !reflect.DeepEqual(l, want) {
			t.Errorf("llama: %+v, want %+v", l, want)
			if c.want != nil {
				t.Errorf("scaling %+v, want %+v", *l.RopeScaling, *c.want)
			}
		}
	}
}

// TestLayersOfVariants counts what each variant has in a block: norms, rotations,
// biases, places that drop.
func TestLayersOfVariants(t *testing.T) {
	for name, s := range specs() {
		m := newModel(t, s, nn.Tuning{})
		g := autograd.NewGraph()
		_, nll := nn.Training(g, m, nn.Rows{Batch: 1, Length: 8}, autograd.LossConfig{})
		p, err := g.Lower("forward", nll)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]int{}
		for _, in := range p.Instrs {
			got[in.Kind.String()]++
			if in.Kind == ir.MatMul && in.In[2] != nil {
				got["bias"]++
			}
		}
		for _, v := range p.Values {
			if v.Class == ir.Table || v.Class == ir.Input {
				got[v.Class.String()+" "+strings.SplitN(v.Name, ".", 2)[0]]++
			}
		}
		const layers = 2
		want := map[string]int{"Attention": layers, "LinearCrossEntropy": 1, "Embedding": 1, "input ids": 1, "input targets": 1, "input loss_weight": 1}
		switch c := s.Config.(type) {
		case *gpt2.Config:
			want["LayerNorm"], want["MatMul"], want["Activation"], want["Add"] = 2*layers+1, 4*layers, layers, 2*layers
			want["Dropout"], want["input rng"] = 1+2*layers, 1
			if c.Bias == nil || *c.Bias {
				want["bias"] = 4 * layers
			}
			if c.Positions != gpt2.NoPosition {
				want["Embedding"], want["Add"], want["input positions"] = 2, 2*layers+1, 1
			}
			if c.Positions == gpt2.Sinusoidal {
				want["table transformer"] = 1
			}
		case *lstm.Config:
			n := c.Layers
			delete(want, "Attention")
			want["Recurrent"], want["MatMul"] = n, n
			if c.Bias == nil {
				want["bias"] = n
			}
			if c.Dropout > 0 {
				want["Dropout"], want["input rng"] = n-1, 1
			}
		case *gemma3.Config: // three layers, of which one is global
			want["Attention"], want["RMSNorm"], want["MatMul"], want["RoPE"], want["Reshape"], want["Activation"], want["Mul"], want["Scale"] = 3, 6*3+1, 7*3, 2*3, 4*3, 3, 3, 1
			want["Add"], want["table ones"], want["table rope"], want["input positions"] = 6*3+1+2*3, 2, 2, 1
			if c.AttentionBias {
				want["bias"] = 4 * 3
			}
			if c.Dropout > 0 {
				want["Dropout"], want["input rng"] = 1+2*3, 1
			}
		case *llama.Config:
			want["RMSNorm"], want["MatMul"], want["RoPE"], want["Add"] = 2*layers+1, 7*layers, 2*layers, 2*layers
			want["SwiGLU"], want["table rope"], want["input positions"] = layers, 1, 1
			if c.QKNorm {
				want["RMSNorm"], want["Reshape"] = 4*layers+1, 4*layers
			}
			if c.QKVBias {
				want["bias"] = 3 * layers
			}
			if c.Bias != nil {
				want["bias"] = 7 * layers
			}
			if c.Activation != "" {
				delete(want, "SwiGLU")
				want["Activation"], want["Mul"] = layers, layers
			}
			if c.Dropout > 0 {
				want["Dropout"], want["input rng"] = 1+2*layers, 1
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

// TestRandom: a model draws random numbers where it or its adapter drops.
func TestRandom(t *testing.T) {
	for _, c := range []struct {
		dropout, adapter float64
		want             int
	}{{0, 0, 0}, {0.5, 0, 5}, {0, 0.25, 4}, {0.5, 0.25, 9}} {
		m := newModel(t, nn.Spec{Family: llama.Name, Config: &llama.Config{Layers: 2, Heads: 2, Width: 8, FFN: 8, Context: 8, Vocab: 7, Dropout: c.dropout}},
			nn.Tuning{Adapter: nn.Adapter{Rank: 1, Dropout: c.adapter, Targets: []string{"q_proj", "v_proj"}}})
		g := autograd.NewGraph()
		_, nll := nn.Training(g, m, nn.Rows{Batch: 1, Length: 8}, autograd.LossConfig{})
		p, err := g.Lower("forward", nll)
		if err != nil {
			t.Fatal(err)
		}
		places := 0
		for _, in := range p.Instrs {
			if in.Kind == ir.Dropout {
				places++
			}
		}
		if m.Random() != (c.want > 0) || places != c.want {
			t.Errorf("%+v: random %t, %d places drop", c, m.Random(), places)
		}
	}
}

// TestWindowsOfQwen: max_window_layers is the first layer with a window; as many as the
// model has layers, as published configurations say, means none.
func TestWindowsOfQwen(t *testing.T) {
	const config = `{"model_type": "qwen2", "max_position_embeddings": 32, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4,
		"num_key_value_heads": 4, "vocab_size": 50, "use_sliding_window": %t, "sliding_window": %s, "max_window_layers": %d}`
	for _, tt := range []struct {
		use    bool
		size   string
		from   int
		window int // -1 refused
	}{
		{true, "8", 3, 0}, {true, "8", 4, 0}, {true, "8", 0, 8}, {true, "8", -1, 8}, {true, "8", 1, -1}, {true, "8", 2, -1}, {false, "8", 0, 0}, {false, "8", 1, 0}, {true, "null", 1, 0},
	} {
		got, err := Families().Parse(fmt.Appendf(nil, config, tt.use, tt.size, tt.from))
		c, ok := got.Config.(*llama.Config)
		switch {
		case tt.window < 0 && (err == nil || !strings.Contains(err.Error(), "max_window_layers")):
			t.Errorf("%+v: %v", tt, err)
		case tt.window >= 0 && (err != nil || !ok || c.SlidingWindow != tt.window):
			t.Errorf("%+v: %+v, %v", tt, got, err)
		}
	}
}
