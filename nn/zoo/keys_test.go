package zoo

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/nn"
	"example.com/gotrain/nn/llama"
)

// small is a configuration of each model_type in which every key that is used means
// something.
var small = map[string]string{
	"gpt2":        `{"n_positions": 32, "n_embd": 32, "n_layer": 2, "n_head": 4, "vocab_size": 50}`,
	"llama":       `{"max_position_embeddings": 32, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 50, "rope_scaling": {"type": "yarn", "factor": 4}}`,
	"mistral":     `{"max_position_embeddings": 32, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 4, "vocab_size": 50, "rope_scaling": {"type": "yarn", "factor": 4}}`,
	"qwen2":       `{"max_position_embeddings": 32, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 4, "vocab_size": 50, "use_sliding_window": true, "sliding_window": 8, "max_window_layers": 0, "rope_scaling": {"type": "yarn", "factor": 4}}`,
	"gemma3_text": `{"max_position_embeddings": 32, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 4, "head_dim": 8, "vocab_size": 50}`,
	"marian":      `{"max_position_embeddings": 32, "d_model": 32, "encoder_ffn_dim": 48, "decoder_ffn_dim": 48, "encoder_layers": 2, "encoder_attention_heads": 4, "decoder_attention_heads": 4, "vocab_size": 50}`,
	"bart":        `{"max_position_embeddings": 32, "d_model": 32, "encoder_ffn_dim": 48, "decoder_ffn_dim": 48, "encoder_layers": 2, "encoder_attention_heads": 4, "decoder_attention_heads": 4, "vocab_size": 50}`,
	"t5":          `{"d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4, "vocab_size": 50}`,
	"mpt":         `{"max_seq_len": 32, "d_model": 32, "n_layers": 2, "n_heads": 4, "vocab_size": 50}`,
	"clip":        `{"projection_dim": 8, "text_config": {"hidden_size": 8, "num_attention_heads": 2, "vocab_size": 50}, "vision_config": {"hidden_size": 8, "num_attention_heads": 2, "image_size": 8, "patch_size": 4}}`,
	"bert": `{"architectures": ["BertForSequenceClassification"], "max_position_embeddings": 32, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
		"vocab_size": 50, "hidden_act": "relu"}`,
	"qwen3": `{"max_position_embeddings": 32, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 4, "head_dim": 8, "vocab_size": 50, "use_sliding_window": true, "sliding_window": 8, "max_window_layers": 0, "rope_scaling": {"type": "yarn", "factor": 4}}`,
}

// other are values of keys that are used, other ones than in small; of several the first
// that is accepted must change what is read.
var other = map[string]string{
	"vocab_size": "60", "n_positions": "64", "n_embd": "64", "n_layer": "3", "n_head": "2", "n_inner": "40", "activation_function": `"relu"`, "resid_pdrop": "0.5", "attn_pdrop": "0.3", "attention_dropout": "0.3",
	"layer_norm_epsilon": "1e-3", "initializer_range": "0.5", "tie_word_embeddings": "",
	"hidden_size": "64", "intermediate_size": "96", "num_hidden_layers": "3", "num_attention_heads": "8", "num_key_value_heads": "2", "head_dim": "16", "hidden_act": `"gelu"`,
	"max_position_embeddings": "64", "original_max_position_embeddings": "16", "rms_norm_eps": "1e-3", "rope_theta": "77", "attention_bias": "true", "mlp_bias": "true",
	"rope_parameters": `{"rope_type": "linear", "factor": 2}`, "rope_scaling": `{"rope_type": "linear", "factor": 2}`, "sliding_window": "16", "use_sliding_window": "false",
	"max_window_layers": "9", "layer_types": `["full_attention", "full_attention"]`,
	"hidden_activation": `"relu"`, "query_pre_attn_scalar": "7", "rope_local_base_freq": "77", "sliding_window_pattern": "1", "_sliding_window_pattern": "1",
	"architectures": `["BertForMaskedLM"]`, "type_vocab_size": "3", "hidden_dropout_prob": "0.5", "layer_norm_eps": "1e-3", "id2label": `{"0": "no", "1": "yes"}`, "num_labels": "3",
	"d_model": "64", "encoder_layers": "3", "decoder_layers": "3", "scale_embedding": "true", "dropout": "0.5", "init_std": "0.5",
	"decoder_attention_heads": "8", "decoder_ffn_dim": "8", "encoder_attention_heads": "8", "encoder_ffn_dim": "8", "decoder_vocab_size": "8",
	"d_kv": "16", "d_ff": "64", "num_layers": "3", "num_decoder_layers": "3", "num_heads": "8", "relative_attention_num_buckets": "16", "relative_attention_max_distance": "64",
	"dropout_rate": "0.5", "initializer_factor": "2", "feed_forward_proj": `"gated-gelu"`, "scale_decoder_outputs": "false",
	"max_seq_len": "64", "n_layers": "3", "n_heads": "2", "expansion_ratio": "2", "attn_config": `{"alibi": false}`,
	"projection_dim": "16", "logit_scale_init_value": "1", "text_config": `{"hidden_size": 16}`, "vision_config": `{"hidden_size": 24}`,
	"decoder_start_token_id": "7", "bos_token_id": "3", "eos_token_id": "[4, 5]", "pad_token_id": "6",
}

// read is what a config.json says, in text.
func readConfig(t *testing.T, modelType string, change map[string]string) (spec string, notes []string, err error) {
	t.Helper()
	keys := map[string]json.RawMessage{}
	if err := json.Unmarshal([]byte(small[modelType]), &keys); err != nil {
		t.Fatal(err)
	}
	keys["model_type"] = json.RawMessage(fmt.Sprintf("%q", modelType))
	for key, value := range change {
		if keys[key] = json.RawMessage(value); value == "" {
			delete(keys, key)
		}
	}
	text, err := json.Marshal(keys)
	if err != nil {
		t.Fatal(err)
	}
	s, notes, err := Families().Read(text)
	if err != nil {
		return "", notes, err
	}
	special, err := nn.ParseSpecialTokens("config.json", text)
	if err != nil {
		return "", notes, err
	}
	config, err := json.Marshal(s.Config)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(string(config), special), notes, nil
}

// TestKeys walks the tables of the keys of config.json, for each model_type: each used
// key changes what is read, no harmless one does, and each refused one is an error that
// names it, unless its value asks for nothing. A key that no table has is a note.
func TestKeys(t *testing.T) {
	for _, f := range Families() {
		if f.Hub == nil {
			continue // transformers has none of the family
		}
		for _, modelType := range f.Hub.ModelTypes {
			want, notes, err := readConfig(t, modelType, nil)
			if err != nil || len(notes) > 0 {
				t.Fatalf("%s: %v, %q", modelType, err, notes)
			}
			table := slices.Concat(f.Hub.Keys, nn.CommonKeys)
			names := map[string]bool{}
			for _, key := range table {
				names[key.Name] = true
			}
			for _, name := range slices.Sorted(maps.Keys(names)) {
				key, known := table.Find(name, modelType)
				if !known || name == "model_type" || name == "gotrain" {
					continue
				}
				switch key.Use {
				case nn.Used:
					checkUsed(t, modelType, name, want)
				case nn.Harmless:
					for _, value := range []string{"7", "true", `"x"`, "[1, 2]", "null"} {
						if got, notes, err := readConfig(t, modelType, map[string]string{name: value}); err != nil || got != want || len(notes) > 0 || key.Why == "" {
							t.Errorf("%s: harmless %s = %s gives %v, %q\n%s, want\n%s", modelType, name, value, err, notes, got, want)
						}
					}
				case nn.Refused:
					checkRefused(t, modelType, key, want)
				}
			}
			got, notes, err := readConfig(t, modelType, map[string]string{"surprise": "1", "another": "null"})
			if want := []string{"config.json: the keys another, surprise are not known here and change nothing"}; err != nil || !reflect.DeepEqual(notes, want) || got == "" {
				t.Errorf("%s: unknown keys give %q, %v", modelType, notes, err)
			}
		}
	}
}

func checkUsed(t *testing.T, modelType, name, want string) {
	t.Helper()
	value, ok := other[name]
	if !ok {
		t.Errorf("%s: key %s is used, and the test has no value of it", modelType, name)
		return
	}
	change := map[string]string{name: value}
	switch {
	case name == "tie_word_embeddings":
		change[name] = map[bool]string{true: "false", false: "true"}[slices.Contains([]string{"gpt2", "gemma3_text", "marian", "bart", "t5", "mpt", "bert"}, modelType)]
	case name == "rope_parameters" && modelType == "gemma3_text":
		change[name] = `{"full_attention": {"rope_type": "linear", "factor": 2}}`
	case name == "rope_parameters":
		change["rope_scaling"] = ""
	case name == "decoder_vocab_size" || name == "decoder_attention_heads" || name == "decoder_ffn_dim" || name == "encoder_attention_heads" || name == "encoder_ffn_dim":
		change[name] = "8" // sizes of both sides have to be the same
		if _, _, err := readConfig(t, modelType, change); err == nil || !strings.Contains(err.Error(), "decoder_") {
			t.Errorf("%s: %s of one side gives %v", modelType, name, err)
		}
		if modelType == "marian" && name == "decoder_vocab_size" {
			if _, _, err := readConfig(t, modelType, change); err == nil || !strings.Contains(err.Error(), "decoder_vocab_size: 8 differs from vocab_size, which is ") {
				t.Errorf("another vocabulary gives %v", err)
			}
		}
		return
	case name == "expansion_ratio" || name == "attn_config": // nothing else than the default is computed
		if _, _, err := readConfig(t, modelType, change); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %s = %s gives %v", modelType, name, value, err)
		}
		return
	case name == "layer_types" && (strings.HasPrefix(modelType, "qwen") || modelType == "gemma3_text"): // they win over max_window_layers and sliding_window_pattern
	case name == "layer_types":
		if _, _, err := readConfig(t, modelType, map[string]string{name: `["full_attention", "sliding_attention"]`}); err == nil || !strings.Contains(err.Error(), "layer_types") {
			t.Errorf("%s: mixed layer_types give %v", modelType, err)
		}
		return
	}
	aliases := map[string]map[string]string{
		"gpt2": {"n_positions": "max_position_embeddings", "n_embd": "hidden_size", "n_layer": "num_hidden_layers", "n_head": "num_attention_heads"},
		"mpt":  {"d_model": "hidden_size", "n_layers": "num_hidden_layers", "n_heads": "num_attention_heads"},
	}
	for own, alias := range aliases[modelType] {
		if alias == name {
			if _, _, err := readConfig(t, modelType, change); err == nil || !strings.Contains(err.Error(), name+": "+value+" contradicts "+own) {
				t.Errorf("%s: %s beside %s gives %v", modelType, name, own, err)
			}
			change[own] = ""
		}
	}
	if got, _, err := readConfig(t, modelType, change); err != nil || got == want {
		t.Errorf("%s: key %s = %s is used and changes nothing: %v", modelType, name, change[name], err)
	}
}

func checkRefused(t *testing.T, modelType string, key nn.Key, want string) {
	t.Helper()
	for _, value := range append([]string{"7", `{"x":1}`}, key.On...) {
		_, _, err := readConfig(t, modelType, map[string]string{key.Name: value})
		if text := fmt.Sprintf("config.json: %s: %s is not supported: %s", key.Name, value, key.Why); err == nil || !strings.Contains(err.Error(), text) || key.Why == "" {
			t.Errorf("%s: refused %s = %s gives %v, want %q", modelType, key.Name, value, err, text)
		}
	}
	off := []string{"null", "[]", "{}", `""`}
	if !slices.Contains(key.On, "false") {
		off = append(off, "false")
	}
	for _, value := range append(off, key.Off...) {
		if got, notes, err := readConfig(t, modelType, map[string]string{key.Name: value}); err != nil || got != want || len(notes) > 0 {
			t.Errorf("%s: refused %s = %s, which asks for nothing, gives %v, %q", modelType, key.Name, value, err, notes)
		}
	}
}

// TestGenerationKeys walks the table of generation_config.json.
func TestGenerationKeys(t *testing.T) {
	for _, key := range nn.GenerationKeys {
		want := nn.SpecialTokens{BOS: -1, PAD: -1}
		text := fmt.Sprintf(`{%q: 7}`, key.Name)
		got, err := nn.ParseSpecialTokens("generation_config.json", []byte(text))
		if same := reflect.DeepEqual(got, want); err != nil || same == (key.Use == nn.Used) || key.Use == nn.Harmless && key.Why == "" || key.Use == nn.Refused {
			t.Errorf("%s, use %d: %+v, %v", text, key.Use, got, err)
		}
		raw, err := nn.ParseHF("generation_config.json", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if raw.Check(nn.GenerationKeys, ""); len(raw.Notes()) > 0 || raw.Err() != nil {
			t.Errorf("%s: %q, %v", text, raw.Notes(), raw.Err())
		}
		_, sampling := nn.SamplingKeys.Find(key.Name, "")
		if raw.NoteSampling(); len(raw.Notes()) > 0 != sampling {
			t.Errorf("%s: notes %q", text, raw.Notes())
		}
	}
	for _, key := range nn.SamplingKeys {
		if _, known := nn.GenerationKeys.Find(key.Name, ""); !known {
			t.Errorf("%s is no key of generation_config.json", key.Name)
		}
	}
}

// TestRopeKeys reads sections of rotary positions as transformers 5 does, which was
// compared with it in scripts/golden/configs.py.
func TestRopeKeys(t *testing.T) {
	yarn := func(change func(*llama.RopeScaling)) *llama.RopeScaling {
		s := &llama.RopeScaling{Type: "yarn", Factor: 4, Original: 64, BetaFast: 32, BetaSlow: 1, AttentionFactor: 1.138629436111989}
		change(s)
		return s
	}
	for _, c := range []struct {
		keys  string
		theta float64
		want  *llama.RopeScaling
		fault string
		note  string
	}{
		{keys: `"rope_theta": 5`, theta: 5},
		{keys: `"rope_scaling": null, "rope_parameters": {"rope_theta": 7, "rope_type": "default"}, "rope_theta": 7`, theta: 7},
		{keys: `"rope_theta": 5, "rope_parameters": {"rope_theta": 7, "rope_type": "default"}`, theta: 7, note: "rope_theta 5 changes nothing: rope_parameters has 7"},
		{keys: `"rope_scaling": {"factor": 4}`, fault: "rope_scaling.factor: there is no rope_type beside it"},
		{keys: `"rope_parameters": {"low_freq_factor": 1}`, fault: "rope_parameters.low_freq_factor: there is no rope_type beside it"},
		{keys: `"rope_scaling": {"rope_type": "default", "factor": 4}`, theta: 10000, note: "the factor beside rope_type default"},
		{keys: `"rope_scaling": {"type": "linear", "factor": 4}`, theta: 10000, want: &llama.RopeScaling{Type: "linear", Factor: 4}},
		{keys: `"rope_scaling": {"type": "linear", "rope_type": "yarn", "factor": 4}`, theta: 10000, want: yarn(func(*llama.RopeScaling) {})},
		{keys: `"rope_scaling": {"type": "linear"}`, fault: "rope_scaling.factor: is missing"},
		{keys: `"rope_scaling": {"type": "linear", "factor": 4}, "rope_parameters": {"rope_type": "linear", "factor": 4, "rope_theta": 10000}`, theta: 10000, want: &llama.RopeScaling{Type: "linear", Factor: 4}},
		{keys: `"rope_scaling": {"type": "linear", "factor": 4}, "rope_parameters": {"rope_type": "linear", "factor": 8}`, fault: "rope_parameters: it says something else than rope_scaling"},
		{keys: `"rope_scaling": {"type": "linear", "factor": 4}, "rope_parameters": {"rope_type": "default"}`, fault: "rope_parameters: it says something else than rope_scaling"},
		// Without it the context is the original one.
		{keys: `"rope_scaling": {"type": "yarn", "factor": 4}`, theta: 10000, want: yarn(func(*llama.RopeScaling) {})},
		{keys: `"original_max_position_embeddings": 8, "rope_scaling": {"type": "yarn", "factor": 4, "original_max_position_embeddings": 16}`, theta: 10000, want: yarn(func(s *llama.RopeScaling) { s.Original = 8 })},
		{keys: `"rope_scaling": {"type": "yarn", "factor": null, "original_max_position_embeddings": 16}`, theta: 10000, want: yarn(func(s *llama.RopeScaling) { s.Original = 16 })},
		{keys: `"rope_scaling": {"type": "yarn", "factor": 4, "attention_factor": 1.5, "mscale": 2, "mscale_all_dim": 3}`, theta: 10000, want: yarn(func(s *llama.RopeScaling) { s.AttentionFactor = 1.5 })},
		{keys: `"rope_scaling": {"type": "yarn", "factor": 4, "mscale": 2}`, theta: 10000, want: yarn(func(*llama.RopeScaling) {})},
		{keys: `"rope_scaling": {"type": "yarn", "factor": 4, "mscale": 1, "mscale_all_dim": 1}`, theta: 10000, want: yarn(func(s *llama.RopeScaling) { s.AttentionFactor = 1 })},
		{keys: `"rope_scaling": {"type": "yarn", "factor": 4, "attention_factor": 0}`, fault: "attention_factor: 0 is not above 0"},
		{keys: `"rope_scaling": {"type": "yarn", "factor": 4, "truncate": false}`, theta: 10000, want: yarn(func(s *llama.RopeScaling) { s.Truncate = nn.Bool(false) })},
		{keys: `"rope_scaling": {"type": "linear", "factor": 4, "truncate": false}`, theta: 10000, want: &llama.RopeScaling{Type: "linear", Factor: 4}},
		{keys: `"rope_scaling": {"type": "yarn", "factor": 4, "truncate": true}`, theta: 10000, want: yarn(func(*llama.RopeScaling) {})},
		{keys: `"rope_scaling": {"type": "llama3", "factor": 8, "high_freq_factor": 4}`, fault: "rope_scaling.low_freq_factor: is missing"},
		{keys: `"rope_scaling": {"type": "llama3", "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4, "original_max_position_embeddings": 16}`, theta: 10000,
			want: &llama.RopeScaling{Type: "llama3", Factor: 8, Original: 16, LowFreqFactor: 1, HighFreqFactor: 4}},
		{keys: `"rope_scaling": {"type": "dynamic", "factor": 4}`, theta: 10000, want: &llama.RopeScaling{Type: "dynamic", Factor: 4}, note: "begins beyond max_position_embeddings, 64 tokens"},
		{keys: `"rope_scaling": {"type": "dynamic"}`, fault: "rope_scaling.factor: is missing"},
		{keys: `"original_max_position_embeddings": 16, "rope_scaling": {"type": "longrope", "short_factor": [1, 1, 1, 1], "long_factor": [1, 2, 3, 4.5]}`, theta: 10000, note: "longrope takes short_factor where",
			want: &llama.RopeScaling{Type: "longrope", Factor: 4, Original: 16, ShortFactor: []float64{1, 1, 1, 1}, LongFactor: []float64{1, 2, 3, 4.5}, AttentionFactor: math.Sqrt(1.5)}},
		{keys: `"rope_scaling": {"type": "longrope", "short_factor": [1, 1, 1, 1], "long_factor": [1, 2, 3, 4], "original_max_position_embeddings": 16, "factor": 16, "attention_factor": 1.25}`, theta: 10000, note: "longrope takes",
			want: &llama.RopeScaling{Type: "longrope", Factor: 16, Original: 16, ShortFactor: []float64{1, 1, 1, 1}, LongFactor: []float64{1, 2, 3, 4}, AttentionFactor: 1.25}},
		{keys: `"rope_scaling": {"type": "longrope", "short_factor": [1, 1, 1], "long_factor": [1, 2, 3, 4]}`, fault: "rope_scaling.short_factor: has 3 numbers: longrope needs 4"},
		{keys: `"rope_scaling": {"type": "longrope", "short_factor": [1, 1, 1, 1], "long_factor": [1, 2, 3, 0]}`, fault: "rope_scaling.long_factor: 0 is outside (0, 1e6)"},
		{keys: `"rope_scaling": {"type": "ntk", "factor": 4}`, fault: `rope_scaling.type: "ntk" is unknown: use one of linear, llama3, yarn, longrope, dynamic`},
		{keys: `"rope_scaling": {"rope_type": "default", "partial_rotary_factor": 0.5}`, fault: "rope_scaling.partial_rotary_factor: 0.5 is not supported"},
		{keys: `"rope_scaling": {"rope_type": "default", "mrope_section": [1, 1, 2]}`, fault: "rope_scaling.mrope_section: [1,1,2] is not supported"},
		{keys: `"rope_parameters": {"full_attention": {"rope_type": "default"}}`, fault: "rope_parameters.full_attention: "},
		{keys: `"rope_scaling": {"rope_type": "default", "surprise": 1}`, theta: 10000, note: "config.json: the key rope_scaling.surprise is not known here"},
	} {
		text := `{"model_type": "llama", "max_position_embeddings": 64, "hidden_size": 32, "num_attention_heads": 4, ` + c.keys + `}`
		s, notes, err := Families().Read([]byte(text))
		if c.fault != "" {
			if err == nil || !strings.Contains(err.Error(), c.fault) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: %v, want %q", c.keys, err, c.fault)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.keys, err)
			continue
		}
		got := s.Config.(*llama.Config)
		if got.RopeTheta != c.theta || !reflect.DeepEqual(got.RopeScaling, c.want) {
			t.Errorf("%s: theta %g, %+v, want %g, %+v", c.keys, got.RopeTheta, got.RopeScaling, c.theta, c.want)
		}
		if text := strings.Join(notes, "\n"); (text == "") != (c.note == "") || !strings.Contains(text, c.note) {
			t.Errorf("%s: notes %q, want %q", c.keys, notes, c.note)
		}
	}
}

// TestWindows reads which layers have a sliding window: all or none.
func TestWindows(t *testing.T) {
	for _, c := range []struct {
		modelType, keys string
		want            int
		fault           string
	}{
		{"mistral", ``, 4096, ""},
		{"mistral", `"sliding_window": null,`, 0, ""},
		{"mistral", `"sliding_window": 8, "layer_types": ["sliding_attention", "full_attention"],`, 0, `layer_types: "full_attention" is not supported`},
		{"llama", `"sliding_window": 8,`, 0, "sliding_window: 8 is not supported"},
		{"qwen2", `"sliding_window": 8,`, 0, ""},
		{"qwen2", `"use_sliding_window": true, "sliding_window": 8,`, 0, ""}, // from layer 28 on
		{"qwen2", `"use_sliding_window": true, "sliding_window": 8, "max_window_layers": 1,`, 0, "max_window_layers: 1 is not supported"},
		{"qwen2", `"use_sliding_window": true, "sliding_window": 8, "max_window_layers": 0,`, 8, ""},
		{"qwen3", `"use_sliding_window": true, "sliding_window": 8, "layer_types": ["sliding_attention", "sliding_attention"],`, 8, ""},
		{"qwen3", `"use_sliding_window": true, "sliding_window": 8, "max_window_layers": 0, "layer_types": ["full_attention", "full_attention"],`, 0, ""},
		{"qwen3", `"layer_types": ["sliding_attention", "sliding_attention"],`, 0, `layer_types: "sliding_attention" is not supported`},
		{"qwen3", `"layer_types": ["full_attention"],`, 0, "layer_types: there are 1 for 2 layers"},
	} {
		text := fmt.Sprintf(`{"model_type": %q, %s "num_hidden_layers": 2}`, c.modelType, c.keys)
		s, err := Families().Parse([]byte(text))
		if c.fault != "" {
			if err == nil || !strings.Contains(err.Error(), c.fault) {
				t.Errorf("%s: %v, want %q", text, err, c.fault)
			}
			continue
		}
		if err != nil || s.Config.(*llama.Config).SlidingWindow != c.want {
			t.Errorf("%s: %+v, %v, want a window of %d", text, s.Config, err, c.want)
		}
	}
}

// TestSpecialTokensInVocabulary refuses ids that are no tokens.
func TestSpecialTokensInVocabulary(t *testing.T) {
	for text, want := range map[string]string{
		`{"eos_token_id": 50, "bos_token_id": 49}`: "config.json: eos_token_id 50: outside the vocabulary of 50 tokens",
		`{"eos_token_id": [1, 99]}`:                "config.json: eos_token_id 99: outside",
		`{"eos_token_id": [1, -1]}`:                "config.json: eos_token_id: -1 in a list is no token",
		`{"bos_token_id": 1000}`:                   "config.json: bos_token_id 1000: outside",
		`{"pad_token_id": 50, "bos_token_id": 51}`: "config.json: bos_token_id 51, pad_token_id 50: outside",
		`{"pad_token_id": -1, "eos_token_id": 49}`: "",
		`{"bos_token_id": null}`:                   "",
	} {
		s, err := nn.ParseSpecialTokens("config.json", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Check("config.json", 50); want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
