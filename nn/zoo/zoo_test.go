package zoo

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"example.com/gotrain/autograd"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/gemma3"
	"example.com/gotrain/nn/gpt2"
	"example.com/gotrain/nn/llama"
	"example.com/gotrain/nn/lstm"
)

// specs are the variants that every test of a model goes through.
func specs() map[string]nn.Spec {
	ofGPT2 := func(change func(*gpt2.Config)) nn.Spec {
		c := gpt2.Config{Layers: 2, Heads: 2, Width: 16, Context: 12, Vocab: 31, Dropout: 0.1}
		change(&c)
		return nn.Spec{Family: gpt2.Name, Config: &c}
	}
	ofLlama := func(change func(*llama.Config)) nn.Spec {
		c := llama.Config{Layers: 2, Heads: 4, KVHeads: 2, Width: 32, FFN: 40, Context: 12, Vocab: 31}
		change(&c)
		return nn.Spec{Family: llama.Name, Config: &c}
	}
	ofGemma3 := func(change func(*gemma3.Config)) nn.Spec {
		c := gemma3.Config{Layers: 3, Heads: 4, KVHeads: 2, HeadDim: 6, Width: 32, FFN: 40, Context: 12, Vocab: 31, SlidingWindow: 5, GlobalEvery: 2}
		change(&c)
		return nn.Spec{Family: gemma3.Name, Config: &c}
	}
	ofLSTM := func(change func(*lstm.Config)) nn.Spec {
		c := lstm.Config{Layers: 2, Width: 16, Context: 12, Vocab: 31, Dropout: 0.1}
		change(&c)
		return nn.Spec{Family: lstm.Name, Config: &c}
	}
	return map[string]nn.Spec{
		"lstm":              ofLSTM(func(*lstm.Config) {}),
		"lstm projection":   ofLSTM(func(c *lstm.Config) { c.Projection, c.Embedding, c.Width = 10, 14, 24 }),
		"lstm no bias":      ofLSTM(func(c *lstm.Config) { c.Bias, c.Layers, c.Dropout = nn.Bool(false), 1, 0 }),
		"gru":               ofLSTM(func(c *lstm.Config) { c.Kind = lstm.GRU }),
		"gru untied":        ofLSTM(func(c *lstm.Config) { c.Kind, c.Tied, c.Dropout = lstm.GRU, nn.Bool(false), 0 }),
		"gemma3":            ofGemma3(func(*gemma3.Config) {}),
		"gemma3 untied":     ofGemma3(func(c *gemma3.Config) { c.Tied, c.AttentionBias, c.Dropout = nn.Bool(false), true, 0.1 }),
		"gemma3 scaled":     ofGemma3(func(c *gemma3.Config) { c.RopeFactor, c.QueryScale = 4, 9 }),
		"gpt2":              ofGPT2(func(*gpt2.Config) {}),
		"gpt2 untied":       ofGPT2(func(c *gpt2.Config) { c.Tied = nn.Bool(false) }),
		"gpt2 without bias": ofGPT2(func(c *gpt2.Config) { c.Bias = nn.Bool(false) }),
		"gpt2 sinusoidal":   ofGPT2(func(c *gpt2.Config) { c.Positions = gpt2.Sinusoidal }),
		"gpt2 no positions": ofGPT2(func(c *gpt2.Config) { c.Positions = gpt2.NoPosition }),
		"llama":             ofLlama(func(*llama.Config) {}),
		"llama tied":        ofLlama(func(c *llama.Config) { c.Tied = nn.Bool(true) }),
		"llama bias":        ofLlama(func(c *llama.Config) { c.Bias = nn.Bool(true) }),
		"llama GELU":        ofLlama(func(c *llama.Config) { c.Activation = "gelu_tanh" }),
		"llama dropout":     ofLlama(func(c *llama.Config) { c.Dropout = 0.2 }),
		"qwen3":             ofLlama(func(c *llama.Config) { c.QKNorm, c.HeadDim = true, 6 }),
		"mistral":           ofLlama(func(c *llama.Config) { c.SlidingWindow = 5 }),
		"qwen3 window":      ofLlama(func(c *llama.Config) { c.QKNorm, c.SlidingWindow = true, 5 }),
		"qwen2":             ofLlama(func(c *llama.Config) { c.QKVBias = true }),
		"llama3": ofLlama(func(c *llama.Config) {
			c.RopeScaling = &llama.RopeScaling{Type: autograd.Llama3Scaling, Factor: 4, Original: 6}
		}),
		"llama yarn": ofLlama(func(c *llama.Config) { c.RopeScaling = &llama.RopeScaling{Type: autograd.YaRNScaling, Factor: 2} }),
		"qwen3 bias": ofLlama(func(c *llama.Config) { c.QKNorm, c.Bias = true, nn.Bool(true) }),
	}
}

// newModel makes a model of a family of the table.
func newModel(t testing.TB, s nn.Spec, tuning nn.Tuning) nn.LanguageModel {
	t.Helper()
	m, err := Families().New(s, tuning)
	if err != nil {
		t.Fatal(err)
	}
	l, err := nn.AsLanguageModel(m)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func parse(t testing.TB, text []byte) nn.Spec {
	t.Helper()
	s, err := Families().Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestGraphsLower builds every graph of every variant; Lower verifies it. Every
// parameter must get a gradient of its shape.
func TestGraphsLower(t *testing.T) {
	for name, c := range specs() {
		t.Run(name, func(t *testing.T) {
			m := newModel(t, c, nn.Tuning{})
			shape := nn.Rows{Batch: 2, Length: 8, Segments: true}
			g := autograd.NewGraph()
			loss, nll := nn.Training(g, m, shape, autograd.LossConfig{Smoothing: 0.1})
			_, grads, err := g.LowerTrain("train", g.Grad(loss), autograd.GradTemp, loss, nll)
			if err != nil {
				t.Fatal(err)
			}
			if len(grads) != len(m.Params()) {
				t.Fatalf("%d gradients of %d parameters", len(grads), len(m.Params()))
			}
			for i, p := range m.Params() {
				if grads[i].Param.Name != p.Name || !grads[i].Grad.Shape.Equal(p.Shape) {
					t.Errorf("gradient %d is of %s %s, want %s %s", i, grads[i].Param.Name, grads[i].Grad.Shape, p.Name, p.Shape)
				}
			}
			g = autograd.NewGraph()
			loss, nll = nn.Evaluation(g, m, shape)
			if _, err := g.Lower("eval", loss, nll); err != nil {
				t.Error(err)
			}
			g, logits := nn.Logits(m, shape)
			if _, err := g.Lower("logits", logits); err != nil {
				t.Error(err)
			}
			if want := []int{16, 31}; !logits.Shape().Equal(want) {
				t.Errorf("logits are %s, want %v", logits.Shape(), want)
			}
			g, logits = nn.Decode(m, 2, 4, 12)
			if _, err := g.Lower("decode", logits); err != nil {
				t.Error(err)
			}
			if want := []int{2, 31}; !logits.Shape().Equal(want) {
				t.Errorf("decoded logits are %s, want %v", logits.Shape(), want)
			}
		})
	}
}

// TestConfigRoundTrip reads back the config.json of every variant. Dropout of
// Llama and Gemma is a matter of training that transformers' file has no key for.
func TestConfigRoundTrip(t *testing.T) {
	for name, c := range specs() {
		m := newModel(t, c, nn.Tuning{})
		text, err := nn.ConfigJSON(m, nn.SpecialTokens{BOS: 1, PAD: -1, EOS: []int{2, 3}})
		if err != nil {
			t.Fatal(err)
		}
		got, err := Families().Parse(text)
		if err != nil {
			t.Errorf("%s: %v\n%s", name, err, text)
			continue
		}
		want := nn.SpecOf(m)
		switch c := want.Config.(type) {
		case *llama.Config:
			c.Dropout = 0
		case *gemma3.Config:
			c.Dropout = 0
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: read back %+v, want %+v", name, got.Config, want.Config)
		}
		special, err := nn.ParseSpecialTokens("config.json", text)
		if want := (nn.SpecialTokens{BOS: 1, PAD: -1, EOS: []int{2, 3}}); err != nil || !reflect.DeepEqual(special, want) {
			t.Errorf("%s: special tokens %+v, %v, want %+v", name, special, err, want)
		}
	}
}

func TestGenerationJSON(t *testing.T) {
	for _, want := range []nn.SpecialTokens{{BOS: 0, PAD: 5, EOS: []int{7}}, {BOS: -1, PAD: -1}} {
		text, err := nn.GenerationJSON(want)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := nn.ParseSpecialTokens("config.json", text); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("read back %+v, %v, want %+v", got, err, want)
		}
	}
	if _, err := nn.ParseSpecialTokens("config.json", []byte(`{"eos_token_id":"</s>"}`)); err == nil || !strings.Contains(err.Error(), "eos_token_id") {
		t.Errorf("a token instead of its id: %v", err)
	}
}

func TestCounterparts(t *testing.T) {
	for name, want := range map[string]string{
		"gpt2": "GPT2LMHeadModel", "gpt2 untied": "GPT2LMHeadModel", "llama bias": "LlamaForCausalLM", "llama": "LlamaForCausalLM",
		"qwen3": "Qwen3ForCausalLM", "qwen3 window": "Qwen3ForCausalLM", "mistral": "MistralForCausalLM",
		"gpt2 without bias": "", "gpt2 sinusoidal": "", "qwen3 bias": "",
	} {
		m := newModel(t, specs()[name], nn.Tuning{})
		keys, err := m.HuggingFace()
		if want == "" {
			if err == nil {
				t.Errorf("%s: claims to be %v", name, keys["architectures"])
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(keys["architectures"], []string{want}) {
			t.Errorf("%s: %v, %v, want %s", name, keys["architectures"], err, want)
		}
	}
}

// TestParseOldOwnConfig reads what was written when one struct had the keys of all
// families.
func TestParseOldOwnConfig(t *testing.T) {
	got, err := Families().Parse([]byte(`{"model_type": "gotrain", "gotrain": {"family": "gpt2", "layers": 2, "heads": 2, "kv_heads": 2, "head_dim": 8,
		"width": 16, "ffn": 64, "context": 12, "vocab": 31, "dropout": 0, "activation": "gelu_tanh", "norm_eps": 1e-05, "tied": true, "bias": true,
		"positions": "sinusoidal", "init_std": 0.02, "scale_residual": true}}`))
	if err != nil {
		t.Fatal(err)
	}
	want := &gpt2.Config{Layers: 2, Heads: 2, Width: 16, Context: 12, Vocab: 31, Positions: gpt2.Sinusoidal}
	want.SetDefaults()
	if got.Family != gpt2.Name || !reflect.DeepEqual(got.Config, want) {
		t.Errorf("read %s %+v, want %+v", got.Family, got.Config, want)
	}
}

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		`{"model_type":"roberta"}`:   `"roberta" is not supported: of the models that read a text from both sides bert is there`,
		`{"model_type":"qwen3_moe"}`: `"qwen3_moe" is not supported: experts and the router that chooses among them are missing`,
		`{"model_type":"gemma3", "text_config": {"model_type": "gemma3_text"}}`: `"gemma3" is not supported: the tower that reads pictures is missing: save its text model`,
		`{"model_type":"surprise"}`:                                 `"surprise" is not one of`,
		`{"model_type":"gemma3_text","final_logit_softcapping":30}`: "final_logit_softcapping: 30 is not supported",
		`{"model_type":"gemma3_text","sliding_window":null}`:        "sliding_window: null is not supported",
		`{"model_type":"gemma3_text","num_hidden_layers":3,"layer_types":["full_attention","full_attention","sliding_attention"]}`: "layer_types: layer 2 is sliding_attention, but here each 1. layer is full_attention",
		`{"model_type":"gemma3_text","rope_parameters":{"rope_type":"linear","factor":2}}`:                                         "rope_parameters.factor: 2 is not known here: local and global layers have their own",
		`{"model_type":"gemma3_text","rope_scaling":{"rope_type":"yarn","factor":2}}`:                                              `rope_scaling.rope_type: "yarn" is not supported: Gemma 3 has default or linear`,
		`{"model_type":"gemma3_text","rope_parameters":{"sliding_attention":{"rope_type":"linear","factor":2}}}`:                   "positions of local layers are not scaled",
		`{"model_type":"gpt2","n_embd":"x"}`:                                          `n_embd: "x" does not fit`,
		`{"model_type":"gpt2","scale_attn_by_inverse_layer_idx":true}`:                `scale_attn_by_inverse_layer_idx: true is not supported`,
		`{"model_type":"llama","rope_scaling":{"rope_type":"ntk","factor":8}}`:        `model.rope_scaling.type: "ntk" is unknown`,
		`{"model_type":"llama","rope_parameters":{"rope_type":"yarn","factor":-1}}`:   `model.rope_scaling.factor: -1 is outside`,
		`{"model_type":"llama","rope_scaling":{"type":"yarn","mscale":0.7}}`:          `rope_scaling.factor: is missing`,
		`{"model_type":"llama","hidden_act":"mish"}`:                                  `activation "mish"`,
		`{"model_type":"mistral","attention_bias":true}`:                              `attention_bias: true is not supported`,
		`{"model_type":"llama","num_hidden_layers":1000000000}`:                       `model.layers: 1000000000 is outside`,
		`{"model_type":"qwen3","layer_types":["full_attention","sliding_attention"]}`: `layer_types: "sliding_attention"`,
		`{"model_type":"gotrain","gotrain":{"family":"gpt2"}}`:                        `model.layers: is missing`,
		`[]`: `cannot unmarshal`,
	} {
		if _, err := Families().Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
}

// TestPublishedSizes holds parameter counts against the papers' models.
func TestPublishedSizes(t *testing.T) {
	for _, c := range []struct {
		text   string
		params int64
	}{
		{`{"model_type":"gpt2"}`, 124439808},
		{`{"model_type":"gpt2","n_embd":1024,"n_layer":24,"n_head":16}`, 354823168},
		{`{"model_type":"llama"}`, 6738415616},
		{`{"model_type":"mistral","num_key_value_heads":8,"intermediate_size":14336,"sliding_window":4096}`, 7241732096},
		// Qwen3-0.6B
		{`{"model_type":"qwen3","hidden_size":1024,"intermediate_size":3072,"num_hidden_layers":28,"num_attention_heads":16,
		  "num_key_value_heads":8,"head_dim":128,"vocab_size":151936,"tie_word_embeddings":true}`, 596049920},
	} {
		m := newModel(t, parse(t, []byte(c.text)), nn.Tuning{})
		if got := nn.SizeOf(m).Params; got != c.params {
			t.Errorf("%s: %d parameters, want %d", c.text, got, c.params)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, c := range specs() {
		m := newModel(f, c, nn.Tuning{})
		text, err := nn.ConfigJSON(m, nn.SpecialTokens{BOS: 0, PAD: -1})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	for _, text := range []string{
		`{"model_type": "llama", "rope_scaling": {"factor": 4}}`, `{"model_type": "qwen2", "rope_parameters": {"rope_type": "yarn", "factor": null, "original_max_position_embeddings": 0}}`,
		`{"model_type": "llama", "rope_scaling": {"type": "yarn", "factor": -1, "mscale": 1e308, "mscale_all_dim": 1e-308}, "rope_parameters": {"rope_type": 3}}`,
		`{"model_type": "gpt2", "n_embd": 7, "hidden_size": "x", "pruned_heads": {"0": [1]}}`, `{"model_type": "mistral", "layer_types": ["sliding_attention"], "sliding_window": -3}`,
		`{"model_type": "qwen3", "use_sliding_window": true, "max_window_layers": -1, "eos_token_id": [[]]}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if _, err := nn.ParseSpecialTokens("config.json", text); err == nil && !json.Valid(text) {
			t.Error("invalid JSON was accepted")
		}
		c, err := Families().Parse(text)
		if err != nil {
			return
		}
		if err := c.Config.(nn.Configuration).Validate(); err != nil {
			t.Errorf("a faulty configuration was accepted: %v", err)
		}
	})
}
