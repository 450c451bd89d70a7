package peft

import (
	"encoding/json"
	"reflect"
	"testing"

	"example.com/gotrain/nn"
	"example.com/gotrain/nn/hub/safetensors"
)

// TestTargets: into which layers peft 0.19 puts an adapter (check_target_module_exists).
func TestTargets(t *testing.T) {
	layers := []string{"model.layers.0.self_attn.q_proj", "model.layers.1.self_attn.q_proj", "model.layers.11.mlp.up_proj", "h.1.q_proj", "encoder.h.1.layers.0.q_proj", "q_proj", "lm_head", "xq_proj"}
	for _, tc := range []struct{ keys, want string }{
		{`"target_modules":["q_proj"]`, "++-+++--"},
		{`"target_modules":["self_attn.q_proj","lm_head"]`, "++----+-"},
		{`"target_modules":".*(q|up)_proj"`, "++++++-+"},
		{`"target_modules":"h\\..*"`, "---+----"},
		{`"target_modules":"(?P<a>q)_proj"`, "-----+--"},
		{`"target_modules":["q_proj","up_proj"],"exclude_modules":["mlp.up_proj"]`, "++-+++--"},
		{`"target_modules":["q_proj"],"exclude_modules":"model\\.layers\\.1.*"`, "+--+++--"},
		{`"target_modules":["q_proj"],"exclude_modules":".*layers"`, "++-+++--"},
		{`"target_modules":["q_proj","up_proj"],"layers_to_transform":1`, "-+--++--"},
		{`"target_modules":["q_proj","up_proj"],"layers_to_transform":[0,11]`, "+-+--+--"},
		{`"target_modules":["q_proj"],"layers_to_transform":[1],"layers_pattern":"h"`, "---+++--"},
		{`"target_modules":["q_proj","up_proj"],"layers_to_transform":[0,11],"layers_pattern":["h","layers"]`, "+-+--+--"},
		{`"target_modules":["q_proj"],"layers_to_transform":[0],"layers_pattern":["layers"]`, "+---++--"},
		{`"target_modules":["q_proj"],"layers_to_transform":[0],"layers_pattern":["lay.*"]`, "+---++--"},
	} {
		c, _, err := ParseConfig(ConfigFile, []byte(`{"peft_type":"LORA",`+tc.keys+`}`))
		if err != nil {
			t.Fatal(tc.keys, err)
		}
		var got string
		for _, layer := range layers {
			if c.targets(layer) {
				got += "+"
			} else {
				got += "-"
			}
		}
		if got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.keys, got, tc.want)
		}
	}
}

// TestWholeConfig is the whole text of what is written.
func TestWholeConfig(t *testing.T) {
	for _, tc := range []struct {
		config Config
		want   string
	}{
		{Config{Rank: 1, Alpha: 1, Random: true}, "{\n  \"alpha_pattern\": {},\n  \"base_model_name_or_path\": \"\",\n  \"bias\": \"none\",\n  \"fan_in_fan_out\": false,\n  \"inference_mode\": true,\n  \"init_lora_weights\": false,\n  \"lora_alpha\": 1,\n  \"lora_dropout\": 0,\n  \"modules_to_save\": null,\n  \"peft_type\": \"LORA\",\n  \"r\": 1,\n  \"rank_pattern\": {},\n  \"target_modules\": null,\n  \"task_type\": \"CAUSAL_LM\",\n  \"use_dora\": false,\n  \"use_rslora\": false\n}\n"},
		{Config{Rank: 2, Alpha: 3}, "{\n  \"alpha_pattern\": {},\n  \"base_model_name_or_path\": \"\",\n  \"bias\": \"none\",\n  \"fan_in_fan_out\": false,\n  \"inference_mode\": true,\n  \"init_lora_weights\": true,\n  \"lora_alpha\": 3,\n  \"lora_dropout\": 0,\n  \"modules_to_save\": null,\n  \"peft_type\": \"LORA\",\n  \"r\": 2,\n  \"rank_pattern\": {},\n  \"target_modules\": null,\n  \"task_type\": \"CAUSAL_LM\",\n  \"use_dora\": false,\n  \"use_rslora\": false\n}\n"},
		{Config{Base: "b", Rank: 4, Alpha: 1.5, Dropout: 0.25, Targets: Modules{Expression: ".*q"}, Exclude: Modules{Names: []string{"k", "v"}}, Indices: []int{0, 3}, IndexNames: []string{"h"},
			RSLoRA: true, FanInFanOut: true, Pairs: true, Random: true}, "{\n  \"alpha_pattern\": {},\n  \"base_model_name_or_path\": \"b\",\n  \"bias\": \"none\",\n  \"exclude_modules\": [\n    \"k\",\n    \"v\"\n  ],\n  \"fan_in_fan_out\": true,\n  \"inference_mode\": true,\n  \"init_lora_weights\": false,\n  \"layers_pattern\": [\n    \"h\"\n  ],\n  \"layers_to_transform\": [\n    0,\n    3\n  ],\n  \"lora_alpha\": 1.5,\n  \"lora_dropout\": 0.25,\n  \"modules_to_save\": null,\n  \"peft_type\": \"LORA\",\n  \"r\": 4,\n  \"rank_pattern\": {},\n  \"target_modules\": \".*q\",\n  \"task_type\": \"SEQ_2_SEQ_LM\",\n  \"use_dora\": false,\n  \"use_rslora\": true\n}\n"},
	} {
		if got, err := tc.config.JSON(); err != nil || string(got) != tc.want {
			t.Errorf("%v: got %q, want %q", err, got, tc.want)
		}
	}
}

// TestOneOrMore: lists that are spelled as one value, and what was there before is gone.
func TestOneOrMore(t *testing.T) {
	m := Modules{Names: []string{"old"}, Expression: "old"}
	for _, tc := range []struct {
		text string
		want Modules
	}{
		{`["q","v"]`, Modules{Names: []string{"q", "v"}}}, {`".*q"`, Modules{Expression: ".*q"}}, {`[]`, Modules{}}, {`["k"]`, Modules{Names: []string{"k"}}}, {`""`, Modules{}}, {`"x"`, Modules{Expression: "x"}}, {`null`, Modules{}},
	} {
		if err := json.Unmarshal([]byte(tc.text), &m); err != nil || !reflect.DeepEqual(m, tc.want) {
			t.Errorf("%s: %+v, %v", tc.text, m, err)
		}
	}
	for _, tc := range []struct {
		text  string
		ints  []int
		texts []string
	}{{`3`, []int{3}, nil}, {`[3,1]`, []int{3, 1}, nil}, {`[]`, nil, nil}, {`"h"`, nil, []string{"h"}}, {`["h","","l"]`, nil, []string{"h", "l"}}, {`""`, nil, nil}, {`[""]`, nil, nil}} {
		var n ints
		var s texts
		_, _ = json.Unmarshal([]byte(tc.text), &n), json.Unmarshal([]byte(tc.text), &s)
		if !reflect.DeepEqual([]int(n), tc.ints) && tc.ints != nil || !reflect.DeepEqual([]string(s), tc.texts) {
			t.Errorf("%s: %#v, %#v", tc.text, n, s)
		}
	}
	var n ints
	if err := json.Unmarshal([]byte(`[]`), &n); err != nil || n != nil {
		t.Error(n, err)
	}
}

// TestNamesOfTensors: wrappers' parts go, what is written has peft's prefix, and the
// parameters keep their names.
func TestNamesOfTensors(t *testing.T) {
	for _, tc := range []struct{ tensor, want string }{
		{"module.base_model.model.h.q.lora_A.weight", "h.q.lora_A.weight"},
		{"_orig_mod.base_model.model._orig_mod.h.q.lora_B.default.weight", "h.q.lora_B.weight"},
		{"base_model.model.module.q.lora_A.weight", "module.q.lora_A.weight"},
	} {
		if got, ok := ParamName(tc.tensor); !ok || got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.tensor, got, tc.want)
		}
	}
	params := []safetensors.Tensor{{Name: "q"}, {Name: "v"}}
	if got := Tensors(params); got[0].Name != "base_model.model.q" || got[1].Name != "base_model.model.v" || len(got) != 2 || params[0].Name != "q" || params[1].Name != "v" {
		t.Error(got, params)
	}
	for _, tc := range []struct {
		trained string
		stored  nn.Storage
		want    map[string]string
	}{
		{"", "", map[string]string{"format": "pt"}},
		{"f", nn.Float32, map[string]string{"format": "pt", "base_fingerprint": "f"}},
		{"", nn.Int8, map[string]string{"format": "pt", "base_storage": "int8"}},
	} {
		if got := Metadata(tc.trained, tc.stored); !reflect.DeepEqual(got, tc.want) {
			t.Error(got)
		}
	}
}

// TestSame: each part in which two adapters can differ.
func TestSame(t *testing.T) {
	tensor := func(name string, dtype safetensors.DType, shape []int, data string) map[string]safetensors.Tensor {
		return map[string]safetensors.Tensor{name: {Name: name, DType: dtype, Shape: shape, Data: []byte(data)}}
	}
	a := &Adapter{Config: Config{Rank: 2, Alpha: 4}, Tensors: tensor("q", safetensors.F16, []int{1, 2}, "abcd")}
	for name, b := range map[string]*Adapter{
		"name":  {Config: a.Config, Tensors: tensor("v", safetensors.F16, []int{1, 2}, "abcd")},
		"dtype": {Config: a.Config, Tensors: tensor("q", safetensors.BF16, []int{1, 2}, "abcd")},
		"shape": {Config: a.Config, Tensors: tensor("q", safetensors.F16, []int{2, 1}, "abcd")},
		"data":  {Config: a.Config, Tensors: tensor("q", safetensors.F16, []int{1, 2}, "abce")},
		"scale": {Config: Config{Rank: 2, Alpha: 5}, Tensors: a.Tensors},
		"fewer": {Config: a.Config},
	} {
		if a.same(b) || b.same(a) {
			t.Error(name)
		}
	}
	if !a.same(&Adapter{Config: Config{Rank: 4, Alpha: 8}, Tensors: tensor("q", safetensors.F16, []int{1, 2}, "abcd")}) {
		t.Error("the same scale and matrices")
	}
}

// TestDeltaOfUnreadable: numbers of a type that is no float's are named with the folder.
func TestDeltaOfUnreadable(t *testing.T) {
	a := openGolden(t, "llama")
	g := readGolden(t, "llama")
	params := model(t, g, nn.Adapter{}).Params()
	if _, err := a.Fit(params); err != nil {
		t.Fatal(err)
	}
	for name, tensor := range a.Tensors {
		tensor.DType = safetensors.I32
		a.Tensors[name] = tensor
	}
	want := `testdata/llama: tensor "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight": elements are I32, want F32, BF16, F16 or F64`
	for _, p := range params {
		if _, err := a.Delta(p, nil); err != nil {
			if err.Error() != want {
				t.Errorf("got %q, want %q", err, want)
			}
			return
		}
	}
	t.Error("no error")
}

// TestAllLinear: it means every layer, in any case of letters, but those that are taken out.
func TestAllLinear(t *testing.T) {
	for _, name := range []string{"all-linear", "ALL-Linear"} {
		c := Config{Targets: Modules{Expression: name}, Exclude: Modules{Names: []string{"k"}}}
		if !c.targets("h.0.q") || !c.targets("q") || c.targets("h.0.k") {
			t.Error(name)
		}
	}
}

// TestRandomAsWritten: which spellings of init_lora_weights peft takes for random numbers.
func TestRandomAsWritten(t *testing.T) {
	for text, want := range map[string]bool{"false": true, "true": false, "null": false, `"gaussian"`: false} {
		c, _, err := ParseConfig(ConfigFile, []byte(`{"peft_type":"LORA","init_lora_weights":`+text+`}`))
		if err != nil || c.Random != want {
			t.Error(text, c.Random, err)
		}
	}
}
