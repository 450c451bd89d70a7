package peft

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/hub/safetensors"
)

// text is that of an error.
func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// TestFaultsOfConfig has the whole text of what is wrong with an adapter_config.json.
func TestFaultsOfConfig(t *testing.T) {
	for _, tc := range []struct{ config, want string }{
		{`{"peft_type":"LORA","r":0}`, "c.json: r: 0 is not 1 to 16384"},
		{`{"peft_type":"LORA","r":-3,"lora_alpha":0,"lora_dropout":1}`, "c.json: r: -3 is not 1 to 16384\nc.json: lora_alpha: 0 is not above 0\nc.json: lora_dropout: 1 is not in [0, 1)"},
		{`{"peft_type":"LORA","lora_dropout":-0.1}`, "c.json: lora_dropout: -0.1 is not in [0, 1)"},
		{`{"peft_type":"LORA","r":1000000}`, "c.json: r: 1000000 is not 1 to 16384"},
		{`{"peft_type":"IA3"}`, `c.json: peft_type: "IA3" is not supported, only LORA: merge it with peft's merge_and_unload, save the model, and run gotrain import on that`},
		{`{}`, `c.json: peft_type: "" is not supported, only LORA: merge it with peft's merge_and_unload, save the model, and run gotrain import on that`},
		{`{"peft_type":"LORA","bias":"all"}`, `c.json: bias: "all" is not supported: biases of the base were trained too; only LoRA and DoRA are supported: merge it with peft's merge_and_unload, save the model, and run gotrain import on that`},
		{`{"peft_type":"LORA","init_lora_weights":"pissa"}`, `c.json: init_lora_weights: "pissa" is not supported: peft takes the first values of such an adapter from the weights of the base, which it changes as it loads: save the adapter with path_initial_model_for_weight_conversion, or merge it with peft's merge_and_unload, save the model, and run gotrain import on that`},
		{`{"peft_type":"LORA","modules_to_save":["lm_head"],"rank_pattern":{"q":2},"lora_bias":true}`, "c.json: lora_bias: true is not supported: only LoRA and DoRA are supported: merge it with peft's merge_and_unload, save the model, and run gotrain import on that\nc.json: modules_to_save: [\"lm_head\"] is not supported: parts of the base were trained whole; only LoRA and DoRA are supported: merge it with peft's merge_and_unload, save the model, and run gotrain import on that"},
		{`{"peft_type":"LORA","rank_pattern":{"q":0.5},"alpha_pattern":{"(":1}}`, "c.json: rank_pattern: 0.5 for \"q\" is out of range: merge it with peft's merge_and_unload, save the model, and run gotrain import on that\nc.json: alpha_pattern: the expression \"(\" is not understood: the regular expression \"\\\\A(?:()\\\\z\", at byte 2: a group without end: merge it with peft's merge_and_unload, save the model, and run gotrain import on that"},
		{`{"peft_type":"LORA","target_modules":"("}`, `c.json: target_modules: the expression "(" is not understood: the regular expression "\\A(?:()\\z", at byte 2: a group without end: merge it with peft's merge_and_unload, save the model, and run gotrain import on that`},
		{`{"peft_type":"LORA","target_modules":["q"],"exclude_modules":"[","layers_pattern":["h","("]}`, "c.json: exclude_modules: the expression \"[\" is not understood: the regular expression \"\\\\A(?:[)\\\\z\", at byte 7: \\z in a class is not supported: merge it with peft's merge_and_unload, save the model, and run gotrain import on that\nc.json: layers_pattern: the expression \"(\" is not understood: the regular expression \"\\\\A(?:()\\\\z\", at byte 2: a group without end: merge it with peft's merge_and_unload, save the model, and run gotrain import on that"},
		{`{"peft_type":"LORA","target_modules":3}`, "c.json: target_modules: 3 does not fit: json: cannot unmarshal number into Go value of type []string"},
		{`{"peft_type":"LORA","exclude_modules":{}}`, "c.json: exclude_modules: {} does not fit: json: cannot unmarshal object into Go value of type []string"},
		{`{"peft_type":"LORA","layers_to_transform":"x"}`, `c.json: layers_to_transform: "x" does not fit: json: cannot unmarshal string into Go value of type []int`},
		{`{"peft_type":"LORA","layers_pattern":[1]}`, "c.json: layers_pattern: [1] does not fit: json: cannot unmarshal number into Go value of type string"},
		{`[`, "c.json: unexpected end of JSON input"},
	} {
		if _, _, err := ParseConfig("c.json", []byte(tc.config)); text(err) != tc.want {
			t.Errorf("%s: got %q, want %q", tc.config, text(err), tc.want)
		}
	}
	for _, config := range []string{`{"peft_type":"LORA","r":1,"lora_alpha":1e-9}`, `{"peft_type":"LORA","lora_dropout":0.999,"bias":"none","rank_pattern":{}}`,
		`{"peft_type":"LORA","init_lora_weights":"gaussian","target_modules":"all-LINEAR","layers_pattern":""}`} {
		if _, notes, err := ParseConfig("c.json", []byte(config)); err != nil || len(notes) > 0 {
			t.Error(config, notes, err)
		}
	}
}

// folder holds an adapter of the tensors.
func folder(t *testing.T, config string, metadata map[string]string, tensors ...safetensors.Tensor) string {
	t.Helper()
	dir := t.TempDir()
	var file bytes.Buffer
	if err := safetensors.Write(&file, tensors, metadata); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{ConfigFile: []byte(config), WeightsFile: file.Bytes()} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func zeros(name string, shape ...int) safetensors.Tensor {
	return safetensors.Tensor{Name: prefix + name, DType: safetensors.F32, Shape: shape, Data: make([]byte, 4*shape[0]*shape[1])}
}

const rank2 = `{"peft_type":"LORA","r":2,"base_model_name_or_path":"org/base"}`

// TestFaultsOfFiles has the whole text of what is wrong with the files of an adapter.
func TestFaultsOfFiles(t *testing.T) {
	pickle := folder(t, rank2, nil)
	if err := os.Rename(filepath.Join(pickle, WeightsFile), filepath.Join(pickle, PickleFile)); err != nil {
		t.Fatal(err)
	}
	bare := folder(t, rank2, nil)
	if err := os.Remove(filepath.Join(bare, WeightsFile)); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ name, dir, want string }{
		{"no folder", filepath.Join(bare, "none"), "adapter: open DIR/adapter_config.json: no such file or directory"},
		{"pickle", pickle, "adapter: DIR holds no adapter_model.safetensors; adapter_model.bin is a pickle, which can run any program: save the adapter again with peft's save_pretrained"},
		{"no weights", bare, "adapter: open DIR/adapter_model.safetensors: no such file or directory"},
		{"a pointer", folder(t, "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", nil), "adapter: DIR/adapter_config.json: it is a pointer of Git LFS, not the file itself: run `git lfs install` and `git lfs pull` in its folder, or download the file"},
		{"empty", folder(t, rank2, nil), "DIR/adapter_model.safetensors: there is no tensor"},
		{"storage", folder(t, rank2, map[string]string{storedKey: "int3"}, zeros("q.lora_A.weight", 2, 3), zeros("q.lora_B.weight", 3, 2)), `DIR/adapter_model.safetensors: base_storage is "int3"; use one of bfloat16, float32, int8, nf4, nf4-double`},
		{"other tensor", folder(t, rank2, nil, zeros("q.weight", 2, 3)), `DIR/adapter_model.safetensors: tensor "base_model.model.q.weight" is not part of a LoRA or DoRA of a linear layer: merge it with peft's merge_and_unload, save the model, and run gotrain import on that`},
		{"twice", folder(t, rank2, nil, zeros("q.lora_A.weight", 2, 3), zeros("q.lora_A.default.weight", 2, 3)), `DIR/adapter_model.safetensors: the tensors "base_model.model.q.lora_A.default.weight" and "base_model.model.q.lora_A.weight" are both "q.lora_A.weight"`},
		{"half", folder(t, rank2, nil, zeros("q.lora_B.weight", 3, 2)), "DIR/adapter_model.safetensors: layer q lacks lora_A.weight"},
		{"rank of B", folder(t, rank2, nil, zeros("q.lora_A.weight", 2, 3), zeros("q.lora_B.weight", 2, 3)), `DIR/adapter_model.safetensors: tensor "base_model.model.q.lora_B.weight" has shape [2 3]; its axis 1 is the rank, 2`},
		{"axes", folder(t, rank2, nil, safetensors.Tensor{Name: prefix + "q.lora_A.weight", DType: safetensors.F32, Shape: []int{2, 1, 1}, Data: make([]byte, 8)}, zeros("q.lora_B.weight", 3, 2)),
			`DIR/adapter_model.safetensors: tensor "base_model.model.q.lora_A.weight" has shape [2 1 1]; its axis 0 is the rank, 2`},
	} {
		_, err := Open(vfs.OS{}, tc.dir)
		if got := strings.ReplaceAll(text(err), tc.dir, "DIR"); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, got, tc.want)
		}
	}
	long := strings.Repeat(" ", maxConfig-len(rank2))
	for spaces, want := range map[string]string{long: "there is no tensor", long + " ": "adapter_config.json: longer than 1048576 bytes"} {
		if _, err := Open(vfs.OS{}, folder(t, rank2+spaces, nil)); !strings.HasSuffix(text(err), want) {
			t.Errorf("%d spaces: %v", len(spaces), err)
		}
	}
	both := folder(t, rank2, Metadata("f00d", nn.Int8), zeros("q.lora_A.weight", 2, 3), zeros("q.lora_B.weight", 3, 2))
	if err := os.WriteFile(filepath.Join(both, PickleFile), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	a, err := Open(vfs.OS{}, both)
	if err != nil || a.Trained != "f00d" || a.Stored != nn.Int8 || len(a.Tensors) != 2 {
		t.Fatal(a, err)
	}
	a.Close()
}

// TestFaultsOfFit has the whole text of why an adapter does not belong to a model.
func TestFaultsOfFit(t *testing.T) {
	gpt2, llama := readGolden(t, "gpt2"), readGolden(t, "llama")
	for _, tc := range []struct {
		name   string
		model  golden
		change func(*Adapter)
		want   string
	}{
		{"llama", gpt2, nil, `testdata/llama: it does not belong to the model: no linear layer that can be adapted is called "model.layers.0.self_attn.q_proj"; the nearest are transformer.h.0.attn.c_proj, transformer.h.1.attn.c_proj, transformer.h.0.mlp.c_proj; name the base that it was trained on, or merge it with peft's merge_and_unload, save the model, and run gotrain import on that`},
		{"llama", gpt2, func(a *Adapter) { a.Base = "org/base" }, `testdata/llama: it does not belong to the model: no linear layer that can be adapted is called "model.layers.0.self_attn.q_proj"; the nearest are transformer.h.0.attn.c_proj, transformer.h.1.attn.c_proj, transformer.h.0.mlp.c_proj; name the base that it was trained on (org/base), or merge it with peft's merge_and_unload, save the model, and run gotrain import on that`},
		{"llama", llama, func(a *Adapter) { a.Rank, a.Base = 3, "org/base" }, `testdata/llama: tensor "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight" has shape [2 24], the model wants [3 24]: name the base that the adapter was trained on (org/base)`},
		{"llama", llama, func(a *Adapter) { a.Targets.Names = []string{"k_proj"} }, "testdata/llama: there are weights for the layer model.layers.0.self_attn.q_proj, into which adapter_config.json puts no adapter: peft would leave them out; correct target_modules, or take the tensors out"},
		{"llama", llama, func(a *Adapter) { a.Random, a.Targets.Names = true, append(a.Targets.Names, "k_proj") }, "testdata/llama: adapter_config.json puts an adapter into the layer model.layers.0.self_attn.k_proj with init_lora_weights false, and there are no weights for it: peft would take random numbers"},
		{"llama", llama, func(a *Adapter) { a.Random = true }, ""},
		{"llama", llama, func(a *Adapter) { a.Random, a.Targets = true, Modules{} }, ""},
		{"llama", llama, func(a *Adapter) { a.Targets.Names = append(a.Targets.Names, "k_proj") }, ""},
		{"llama", llama, rename("model.layers.0.self_attn.q_proj", "layers.1.self_attn.q_proj"), "testdata/llama: the layer model.layers.1.self_attn.q_proj has two adapters"},
	} {
		a := openGolden(t, tc.name)
		if tc.change != nil {
			tc.change(a)
		}
		if _, err := a.Fit(model(t, tc.model, nn.Adapter{}).Params()); text(err) != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, text(err), tc.want)
		}
	}
}

// TestFaultsOfApart has the whole text of what CheckApart refuses.
func TestFaultsOfApart(t *testing.T) {
	merged, broken := t.TempDir(), t.TempDir()
	if err := os.CopyFS(filepath.Join(merged, Dir), os.DirFS(filepath.Join("testdata", "llama"))); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(broken, Dir), os.DirFS(folder(t, rank2, nil))); err != nil {
		t.Fatal(err)
	}
	a := openGolden(t, "llama")
	a.Base = "org/base"
	for _, tc := range []struct{ dir, want string }{{merged, "testdata/llama: the adapter is merged into the weights of DIR already: leave the adapter out, or name the base that it was trained on (org/base)"}, {broken, "DIR/adapter/adapter_model.safetensors: there is no tensor"}} {
		if got := strings.ReplaceAll(text(a.CheckApart(vfs.OS{}, tc.dir)), tc.dir, "DIR"); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.dir, got, tc.want)
		}
	}
}
