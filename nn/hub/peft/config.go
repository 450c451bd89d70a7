// Package peft reads and writes low-rank adapters as Hugging Face's peft keeps
// them, so that PeftModel.from_pretrained loads what gotrain trained, and the
// other way round.
//
//	adapter_config.json        [Config]
//	adapter_model.safetensors  base_model.model.LAYER.lora_A.weight (r, in), … .lora_B.weight (out, r)
//
// [Config.JSON] and [Tensors] give the content of the two files, [Open] reads a
// directory that holds them, [Adapter.Fit] finds the layers of a model that it
// changes, and [Adapter.Delta] is the change. Only plain LoRA is understood: a key
// that asks for something else is an error that names it, never ignored.
package peft

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"gotrain/nn"
)

// Files of an adapter.
const (
	ConfigFile  = "adapter_config.json"
	WeightsFile = "adapter_model.safetensors"
)

// maxConfig bounds an adapter_config.json, in bytes.
const maxConfig = 1 << 20

// defaultAlpha is peft's own where a file has no lora_alpha.
const defaultAlpha = 8

// cureMerge is what to do with an adapter that is no plain LoRA.
const cureMerge = "merge it with peft's merge_and_unload, save the model, and run gotrain import on that"

// Config is what an adapter_config.json says of a LoRA.
type Config struct {
	Base        string // base_model_name_or_path
	Rank        int
	Alpha       float64
	Dropout     float64
	Targets     []string // last parts of the names of layers
	RSLoRA      bool
	FanInFanOut bool // the weights of the layers are stored (in, out), as GPT-2's
}

// JSON returns the content of adapter_config.json.
func (c Config) JSON() ([]byte, error) {
	text, err := json.MarshalIndent(map[string]any{
		"peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": c.Base, "inference_mode": true,
		"r": c.Rank, "lora_alpha": c.Alpha, "lora_dropout": c.Dropout, "target_modules": c.Targets,
		"use_rslora": c.RSLoRA, "fan_in_fan_out": c.FanInFanOut, "bias": "none", "init_lora_weights": true, "use_dora": false,
		"rank_pattern": map[string]int{}, "alpha_pattern": map[string]float64{}, "modules_to_save": nil,
	}, "", "  ")
	return append(text, '\n'), err
}

// harmless are the keys that change nothing once an adapter is trained: where it
// comes from, how it began, and which layers it was put into, which the weights
// tell.
var harmless = []string{
	"auto_mapping", "revision", "peft_version", "inference_mode", "task_type", "init_lora_weights", "megatron_core", "megatron_config",
	"loftq_config", "eva_config", "corda_config", "lora_ga_config", "exclude_modules", "layers_to_transform", "layers_pattern",
	"qalora_group_size", "ensure_weight_tying", "runtime_config", "base_model_name_or_path",
}

// ParseConfig reads the content of an adapter_config.json. It returns all faults
// at once.
func ParseConfig(text []byte) (Config, error) {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(text, &keys); err != nil {
		return Config{}, fmt.Errorf("%s: %w", ConfigFile, err)
	}
	c := Config{Alpha: defaultAlpha}
	var kind, bias string
	var targets json.RawMessage
	var errs []error
	read := func(key string, into any) {
		raw, ok := keys[key]
		delete(keys, key)
		if !ok || string(raw) == "null" {
			return
		}
		if err := json.Unmarshal(raw, into); err != nil {
			errs = append(errs, fmt.Errorf("%s: %s does not fit: %w", ConfigFile, key, err))
		}
	}
	read("base_model_name_or_path", &c.Base)
	read("peft_type", &kind)
	read("r", &c.Rank)
	read("lora_alpha", &c.Alpha)
	read("lora_dropout", &c.Dropout)
	read("target_modules", &targets)
	read("use_rslora", &c.RSLoRA)
	read("fan_in_fan_out", &c.FanInFanOut)
	read("bias", &bias)
	for _, key := range harmless {
		delete(keys, key)
	}
	fault := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(ConfigFile+": "+format, args...))
		}
	}
	fault(kind == "LORA", "peft_type is %q; only LORA is supported: "+cureMerge, kind)
	fault(bias == "" || bias == "none", "bias is %q; only none is supported: "+cureMerge, bias)
	fault(c.Rank > 0 && c.Rank <= nn.MaxRank, "r is %d; it is 1 to %d", c.Rank, nn.MaxRank)
	fault(c.Alpha > 0, "lora_alpha is %g; it is above 0", c.Alpha)
	fault(c.Dropout >= 0 && c.Dropout < 1, "lora_dropout is %g; it is in [0, 1)", c.Dropout)
	c.Targets = parseTargets(targets)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		fault(isEmpty(keys[key]), "%s is %.80s; only plain LoRA is supported: "+cureMerge, key, keys[key])
	}
	return c, errors.Join(errs...)
}

// parseTargets reads a list of names, or one text, which peft takes for a
// regular expression.
func parseTargets(raw json.RawMessage) []string {
	var list []string
	if json.Unmarshal(raw, &list) == nil {
		return list
	}
	var text string
	if json.Unmarshal(raw, &text) == nil && text != "" {
		return []string{text}
	}
	return nil
}

// isEmpty tells whether a value asks for nothing.
func isEmpty(raw json.RawMessage) bool {
	return slices.Contains([]string{"null", "false", "{}", "[]", `""`, "0"}, strings.TrimSpace(string(raw)))
}
