package peft

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/nn"
)

// parse reads an adapter_config.json with some keys changed.
func parse(t *testing.T, change map[string]string) (Config, []string, error) {
	t.Helper()
	object := map[string]json.RawMessage{
		"peft_type": json.RawMessage(`"LORA"`), "r": json.RawMessage("4"), "target_modules": json.RawMessage(`["q_proj"]`),
	}
	for key, value := range change {
		object[key] = json.RawMessage(value)
	}
	text, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return ParseConfig(ConfigFile, text)
}

// other are values of the keys that are used.
var other = map[string]string{
	"peft_type": `"IA3"`, "base_model_name_or_path": `"a/b"`, "r": "5", "lora_alpha": "3.5", "lora_dropout": "0.5", "use_rslora": "true", "fan_in_fan_out": "true",
	"target_modules": `".*v_proj"`, "exclude_modules": `["up_proj"]`, "layers_to_transform": "1", "layers_pattern": `"layers"`,
}

// TestKeys walks the table: each used key changes what is read or is an error, no harmless
// one does, each refused one is an error that names it, unless it asks for nothing.
func TestKeys(t *testing.T) {
	want, notes, err := parse(t, nil)
	if err != nil || len(notes) > 0 {
		t.Fatal(err, notes)
	}
	for _, key := range keys {
		switch key.Use {
		case nn.Used:
			if got, _, err := parse(t, map[string]string{key.Name: other[key.Name]}); err == nil && reflect.DeepEqual(got, want) {
				t.Errorf("key %s is used and changes nothing: %v", key.Name, err)
			}
		case nn.Harmless:
			for _, value := range []string{"7", "true", `"x"`, `{"a": 1}`, "null"} {
				if got, notes, err := parse(t, map[string]string{key.Name: value}); err != nil || !reflect.DeepEqual(got, want) || len(notes) > 0 || key.Why == "" {
					t.Errorf("harmless %s = %s gives %+v, %q, %v", key.Name, value, got, notes, err)
				}
			}
		case nn.Refused:
			for _, value := range []string{"7", `{"a":1}`, `["x"]`} {
				text := fmt.Sprintf("%s: %s: %s is not supported: %s", ConfigFile, key.Name, value, key.Why)
				if _, _, err := parse(t, map[string]string{key.Name: value}); err == nil || err.Error() != text || key.Why == "" {
					t.Errorf("refused %s = %s gives %v, want %s", key.Name, value, err, text)
				}
			}
			for _, value := range append([]string{"null", "false", "[]", "{}", `""`}, key.Off...) {
				got, notes, err := parse(t, map[string]string{key.Name: value})
				got.Random = false
				if err != nil || !reflect.DeepEqual(got, want) || len(notes) > 0 {
					t.Errorf("refused %s = %s, which asks for nothing, gives %+v, %q, %v", key.Name, value, got, notes, err)
				}
			}
		}
	}
	got, notes, err := parse(t, map[string]string{"surprise": "null", "another": "{}"})
	if want := []string{"adapter_config.json: the keys another, surprise are not known here and change nothing"}; err != nil || !reflect.DeepEqual(notes, want) || got.Rank != 4 {
		t.Errorf("unknown keys give %q, %v", notes, err)
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct{ key, value, want string }{
		{"surprise", "1", "surprise: 1 is not known here: only plain LoRA is supported: merge it with peft's merge_and_unload"},
		{"init_lora_weights", `"pissa"`, `init_lora_weights: "pissa" is not supported: peft takes the first values`},
		{"init_lora_weights", `"pissa_niter_16"`, "init_lora_weights: "},
		{"init_lora_weights", `"olora"`, "init_lora_weights: "},
		{"init_lora_weights", `"loftq"`, "init_lora_weights: "},
		{"init_lora_weights", `"corda"`, "init_lora_weights: "},
		{"bias", `"all"`, `bias: "all" is not supported`},
		{"peft_type", `"IA3"`, `peft_type: "IA3" is not supported, only LORA`},
		{"lora_alpha", "0", "lora_alpha: 0 is not above 0"},
		{"lora_dropout", "1", "lora_dropout: 1 is not in [0, 1)"},
		{"r", "99999", "r: 99999 is not 1 to 16384"},
		{"r", "0", "r: 0 is not 1 to 16384"},
		{"r", `"four"`, `r: "four" does not fit`},
		{"target_modules", `"("`, `target_modules: the expression "(" is not understood`},
		{"layers_to_transform", `"one"`, "layers_to_transform: "},
	} {
		_, _, err := parse(t, map[string]string{c.key: c.value})
		if err == nil || !strings.HasPrefix(err.Error(), ConfigFile+": "+c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s = %s: %v, want %q", c.key, c.value, err, c.want)
		}
	}
	if _, _, err := ParseConfig("some/adapter_config.json", []byte("[]")); err == nil || !strings.Contains(err.Error(), "some/adapter_config.json: ") {
		t.Errorf("a list: %v", err)
	}
	if c, _, err := ParseConfig("x", []byte(`{"peft_type": "LORA"}`)); err != nil || c.Rank != 8 || c.Alpha != 8 {
		t.Errorf("peft's defaults: %+v, %v", c, err)
	}
}

// TestTargets holds which layers a configuration means, as peft's
// check_target_module_exists says (scripts/parity/adapters.py compares).
func TestTargets(t *testing.T) {
	layers := []string{"model.layers.0.self_attn.q_proj", "model.layers.0.mlp.up_proj", "model.layers.1.self_attn.q_proj", "model.layers.10.self_attn.v_proj"}
	for _, c := range []struct {
		change map[string]string
		want   []int // of layers
	}{
		{map[string]string{"target_modules": `["q_proj", "v_proj"]`}, []int{0, 2, 3}},
		{map[string]string{"target_modules": `["self_attn.q_proj", "model.layers.10.self_attn.v_proj"]`}, []int{0, 2, 3}},
		{map[string]string{"target_modules": `["_proj"]`}, nil},
		{map[string]string{"target_modules": `"all-linear"`}, []int{0, 1, 2, 3}},
		{map[string]string{"target_modules": `"All-Linear"`, "exclude_modules": `["q_proj"]`}, []int{1, 3}},
		{map[string]string{"target_modules": `".*\\.0\\.(self_attn\\.q|mlp\\.up)_proj"`}, []int{0, 1}},
		{map[string]string{"target_modules": `"(?P<x>.*)(?<!up)_proj"`}, []int{0, 2, 3}},
		{map[string]string{"target_modules": `"q_proj"`}, nil}, // the whole name
		{map[string]string{"target_modules": `["q_proj", "v_proj"]`, "exclude_modules": `".*\\.1\\..*"`}, []int{0, 3}},
		{map[string]string{"target_modules": `["q_proj", "v_proj"]`, "layers_to_transform": "[1, 10]"}, []int{2, 3}},
		{map[string]string{"target_modules": `["q_proj", "v_proj"]`, "layers_to_transform": "0"}, []int{0}},
		{map[string]string{"target_modules": `["q_proj"]`, "layers_to_transform": "[]"}, []int{0, 2}},
		{map[string]string{"target_modules": `["q_proj"]`, "layers_to_transform": "1", "layers_pattern": `"layers"`}, []int{2}},
		{map[string]string{"target_modules": `["q_proj"]`, "layers_to_transform": "1", "layers_pattern": `["h", "lay.rs"]`}, []int{2}},
		{map[string]string{"target_modules": `["q_proj"]`, "layers_to_transform": "1", "layers_pattern": `["h"]`}, nil},
		{map[string]string{"target_modules": `["model.layers.0.mlp.up_proj"]`, "layers_to_transform": "1"}, []int{1}}, // named whole
		{map[string]string{"target_modules": "null"}, []int{0, 1, 2, 3}},
	} {
		config, _, err := parse(t, c.change)
		if err != nil {
			t.Errorf("%v: %v", c.change, err)
			continue
		}
		var got []int
		for i, layer := range layers {
			if config.targets(layer) {
				got = append(got, i)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%v: layers %v, want %v", c.change, got, c.want)
		}
		text, err := config.JSON()
		if err != nil {
			t.Fatal(err)
		}
		if again, _, err := ParseConfig(ConfigFile, text); err != nil || !reflect.DeepEqual(again, config) {
			t.Errorf("%v: written and read again %+v, %v, want %+v", c.change, again, err, config)
		}
	}
}

// TestTargetsAndWeights refuses weights that the configuration means no layer for, and
// layers that would be random.
func TestTargetsAndWeights(t *testing.T) {
	g := readGolden(t, "llama")
	m := model(t, g, nn.Adapter{})
	for _, c := range []struct {
		change func(*Config)
		want   string
	}{
		{func(*Config) {}, ""},
		{func(c *Config) { c.Targets = Modules{} }, ""},
		{func(c *Config) { c.Targets = Modules{Expression: allLinear} }, ""},
		{func(c *Config) { c.Targets = Modules{Names: []string{"q_proj"}} }, "there are weights for the layer model.layers.0.self_attn.v_proj, into which adapter_config.json puts no adapter"},
		{func(c *Config) { c.Indices = []int{1} }, "there are weights for the layer model.layers.0.self_attn.q_proj, into which"},
		{func(c *Config) { c.Exclude = Modules{Names: []string{"v_proj"}} }, "layer model.layers.0.self_attn.v_proj, into which"},
		{func(c *Config) { c.Random = true }, ""},
		{func(c *Config) { c.Targets.Names, c.Random = append(c.Targets.Names, "k_proj"), true }, "the layer model.layers.0.self_attn.k_proj with init_lora_weights false, and there are no weights for it"},
		{func(c *Config) { c.Targets.Names = append(c.Targets.Names, "k_proj") }, ""},
	} {
		a := openGolden(t, "llama")
		a.Targets.Names = slices.Clone(a.Targets.Names)
		c.change(&a.Config)
		_, err := a.Fit(m.Params())
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%+v: %v, want %q", a.Config, err, c.want)
		}
	}
}
