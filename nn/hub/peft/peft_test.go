package peft

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/hub/safetensors"
)

// TestReadsAdaptersOfPeft reads what scripts/golden/lora.py saved.
func TestReadsAdaptersOfPeft(t *testing.T) {
	for _, tc := range []struct {
		name   string
		want   Config
		layers int
		first  string
	}{
		{"gpt2", Config{Rank: 3, Alpha: 6, Targets: Modules{Names: []string{"c_attn", "mlp.c_proj"}}, FanInFanOut: true}, 4, "transformer.h.0.attn.c_attn"},
		{"gpt2_rslora", Config{Rank: 4, Alpha: 4, FanInFanOut: true, RSLoRA: true}, 8, "transformer.h.0.attn.c_attn"},
		{"llama", Config{Rank: 2, Alpha: 8, Targets: Modules{Names: []string{"q_proj", "v_proj"}}}, 4, "model.layers.0.self_attn.q_proj"},
		{"llama_all", Config{Rank: 4, Alpha: 2}, 14, "model.layers.0.mlp.down_proj"},
		{"llama_regex", Config{Rank: 3, Alpha: 5, RSLoRA: true, Targets: Modules{Expression: `.*\.0\.(self_attn\.[qv]_proj|mlp\.down_proj)`}}, 3, "model.layers.0.mlp.down_proj"},
	} {
		a, err := Open(vfs.OS{}, filepath.Join("testdata", tc.name))
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		slices.Sort(a.Targets.Names)
		if tc.want.Targets.empty() { // all-linear, which peft spells out
			tc.want.Targets.Names = a.Layers()
		}
		if !reflect.DeepEqual(a.Config, tc.want) {
			t.Errorf("%s: %+v, want %+v", tc.name, a.Config, tc.want)
		}
		if layers := a.Layers(); len(layers) != tc.layers || layers[0] != tc.first || len(a.Tensors) != 2*tc.layers {
			t.Errorf("%s: layers %v, %d tensors", tc.name, layers, len(a.Tensors))
		}
		checkWritten(t, a)
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}
}

// checkWritten requires that what is written reads back, under the same names.
func checkWritten(t *testing.T, a *Adapter) {
	t.Helper()
	text, err := a.JSON()
	if err != nil {
		t.Fatal(err)
	}
	if again, _, err := ParseConfig(ConfigFile, text); err != nil || !reflect.DeepEqual(again, a.Config) {
		t.Errorf("written and read again: %+v, %v", again, err)
	}
	var params []safetensors.Tensor
	for name, tensor := range a.Tensors {
		tensor.Name = name
		params = append(params, tensor)
	}
	var file bytes.Buffer
	if err := safetensors.Write(&file, Tensors(params), nil); err != nil {
		t.Fatal(err)
	}
	again, err := safetensors.Parse("again", file.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	for _, tensor := range a.file.Tensors() {
		if got, ok := again.Tensor(tensor.Name); !ok || !bytes.Equal(got.Data, tensor.Data) {
			t.Errorf("%s is not written as it was read", tensor.Name)
		}
	}
}

func TestParamName(t *testing.T) {
	for _, tc := range []struct {
		tensor, param string
		ok            bool
	}{
		{"base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight", "model.layers.0.self_attn.q_proj.lora_A.weight", true},
		{"base_model.model.h.lora_B.default.weight", "h.lora_B.weight", true},
		{"base_model.model.embed_tokens.lora_embedding_A", "embed_tokens.lora_embedding_A", false},
		{"model.q_proj.lora_A.weight", "model.q_proj.lora_A.weight", false},
		{"base_model.model.q_proj.lora_magnitude_vector", "q_proj.lora_magnitude_vector", true},
	} {
		if param, ok := ParamName(tc.tensor); ok != tc.ok || param != tc.param {
			t.Errorf("%s: %s, %t", tc.tensor, param, ok)
		}
	}
}

// TestAbsentKeysOfConfig: what an adapter_config.json leaves out is as peft has it.
func TestAbsentKeysOfConfig(t *testing.T) {
	for text, want := range map[string]nn.Adapter{
		`{"peft_type":"LORA","r":4}`:                                                                      {Rank: 4, Alpha: 8},
		`{"peft_type":"LORA","r":16,"lora_alpha":null}`:                                                   {Rank: 16, Alpha: 8},
		`{"peft_type":"LORA","r":2,"lora_alpha":2,"lora_dropout":0.25,"use_rslora":true}`:                 {Rank: 2, Alpha: 2, Dropout: 0.25, RSLoRA: true},
		`{"peft_type":"LORA","r":2,"use_dora":true}`:                                                      {Rank: 2, Alpha: 8, DoRA: true},
		`{"peft_type":"LORA","r":3,"lora_alpha":1.5,"lora_dropout":0,"target_modules":["q"],"bias":null}`: {Rank: 3, Alpha: 1.5},
	} {
		c, _, err := ParseConfig(ConfigFile, []byte(text))
		a := Adapter{Config: c}
		if err != nil || !reflect.DeepEqual(a.LoRA(), want) {
			t.Errorf("%s: %+v, %v, want %+v", text, a.LoRA(), err, want)
		}
	}
}

// TestKeysOfConfig holds the names under which peft finds what is written.
func TestKeysOfConfig(t *testing.T) {
	text, err := Config{Base: "b", Rank: 2, Alpha: 3, Dropout: 0.5, Targets: Modules{Names: []string{"q"}}, RSLoRA: true, FanInFanOut: true}.JSON()
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]any{
		"peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": "b", "r": 2., "lora_alpha": 3., "lora_dropout": 0.5,
		"target_modules": []any{"q"}, "use_rslora": true, "fan_in_fan_out": true, "bias": "none", "modules_to_save": nil,
	} {
		if !reflect.DeepEqual(got[key], want) {
			t.Errorf("%s is %v, want %v", key, got[key], want)
		}
	}
}

func TestRefusesIncompleteAdapters(t *testing.T) {
	zero := make([]byte, 4*6)
	for _, tc := range []struct {
		tensors []safetensors.Tensor
		want    string
	}{
		{nil, "no tensor"},
		{[]safetensors.Tensor{{Name: "base_model.model.q.lora_A.weight", DType: safetensors.F32, Shape: []int{2, 3}, Data: zero}}, "layer q lacks lora_B.weight"},
		{[]safetensors.Tensor{{Name: "base_model.model.q.lora_A.weight", DType: safetensors.F32, Shape: []int{3, 2}, Data: zero},
			{Name: "base_model.model.q.lora_B.weight", DType: safetensors.F32, Shape: []int{3, 2}, Data: zero}}, "its axis 0 is the rank, 2"},
		{[]safetensors.Tensor{{Name: "base_model.model.lm_head.weight", DType: safetensors.F32, Shape: []int{3, 2}, Data: zero}}, "not part of a LoRA"},
	} {
		dir := t.TempDir()
		var file bytes.Buffer
		if err := safetensors.Write(&file, tc.tensors, nil); err != nil {
			t.Fatal(err)
		}
		for name, content := range map[string][]byte{ConfigFile: []byte(`{"peft_type":"LORA","r":2}`), WeightsFile: file.Bytes()} {
			if err := os.WriteFile(filepath.Join(dir, name), content, 0o666); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := Open(vfs.OS{}, dir); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("got %v, want %q", err, tc.want)
		}
	}
}

func FuzzParseConfig(f *testing.F) {
	for _, name := range []string{"gpt2", "llama", "llama_regex"} {
		text, err := os.ReadFile(filepath.Join("testdata", name, ConfigFile))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	for _, text := range []string{"", "{}", `{"peft_type":"LORA","r":1,"target_modules":".*q"}`, `{"r":1e99}`,
		`{"peft_type":"LORA","r":1,"lora_alpha":-1}`, `{"peft_type":"LORA","r":1,"target_modules":["\ud800"],"use_rslora":true}`,
		`{"peft_type":"LORA","r":1,"modules_to_save":["lm_head"],"rank_pattern":{"q":2}}`,
		`{"peft_type":"LORA","init_lora_weights":"pissa_niter_4"}`, `{"peft_type":"LORA","target_modules":"(?P<x>a|b)*","exclude_modules":["c"],"layers_to_transform":3,"layers_pattern":["h","("]}`,
		`{"peft_type":"LORA","target_modules":[],"layers_to_transform":[],"layers_pattern":"","init_lora_weights":false}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c, _, err := ParseConfig(ConfigFile, text)
		if err != nil {
			return
		}
		written, err := c.JSON()
		if err != nil {
			t.Fatalf("%q reads as %+v, which cannot be written: %v", text, c, err)
		}
		if again, _, err := ParseConfig(ConfigFile, written); err != nil || !reflect.DeepEqual(again, c) {
			t.Fatalf("%q reads as %+v, written and read again as %+v, %v", text, c, again, err)
		}
	})
}
