// Package peft reads and writes low-rank adapters as Hugging Face's peft keeps
// them, so that PeftModel.from_pretrained loads what gotrain trained, and the
// other way round.
//
//	adapter_config.json        [Config]
//	adapter_model.safetensors  base_model.model.LAYER.lora_A.weight (r, in), … .lora_B.weight (out, r),
//	                           of DoRA … .lora_magnitude_vector (out)
//
// [Config.JSON], [Tensors] and [Metadata] give the content of the two files, [Open] reads a
// directory that holds them, [Adapter.Fit] finds the layers of a model that it
// changes, and [Adapter.Delta] is the change. Only LoRA and DoRA are understood: a key
// that asks for something else is an error that names it, never ignored.
package peft

import (
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"slices"

	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn"
)

// Files of an adapter.
const (
	ConfigFile  = "adapter_config.json"
	WeightsFile = "adapter_model.safetensors"
	PickleFile  = "adapter_model.bin" // of old versions of peft, which is not read
)

// maxConfig bounds an adapter_config.json, in bytes.
const maxConfig = 1 << 20

// Numbers of peft's own where a file has none.
const (
	defaultRank  = 8
	defaultAlpha = 8
)

// cureMerge is what to do with an adapter that is no plain LoRA.
const cureMerge = "merge it with peft's merge_and_unload, save the model, and run gotrain import on that"

// Config is what an adapter_config.json says of a LoRA.
type Config struct {
	Base        string // base_model_name_or_path
	Rank        int
	Alpha       float64
	Dropout     float64
	Targets     Modules
	Exclude     Modules  // of Targets
	Indices     []int    // of the blocks whose Targets are meant; none are all
	IndexNames  []string // expressions of what stands before such an index
	RSLoRA      bool
	DoRA        bool
	Ranks       Pattern // of layers whose rank is another
	Alphas      Pattern
	FanInFanOut bool // the weights of the layers are stored (in, out), as GPT-2's
	// Pairs tells that the model has an encoder; it is written, and nothing reads it.
	Pairs bool
	// Wordless tells that the model neither reads nor writes tokens one by one, so that there is no
	// task; it is written, and nothing reads it.
	Wordless bool
	// Random tells that layers without weights in the file would be random numbers.
	Random bool
}

// JSON returns the content of adapter_config.json.
func (c Config) JSON() ([]byte, error) {
	var task any = "CAUSAL_LM"
	switch {
	case c.Pairs:
		task = "SEQ_2_SEQ_LM"
	case c.Wordless:
		task = nil
	}
	keys := map[string]any{
		"peft_type": "LORA", "task_type": task, "base_model_name_or_path": c.Base, "inference_mode": true,
		"r": c.Rank, "lora_alpha": c.Alpha, "lora_dropout": c.Dropout, "target_modules": c.Targets,
		"use_rslora": c.RSLoRA, "fan_in_fan_out": c.FanInFanOut, "bias": "none", "init_lora_weights": !c.Random, "use_dora": c.DoRA,
		"rank_pattern": c.Ranks, "alpha_pattern": c.Alphas, "modules_to_save": nil,
	}
	if !c.Exclude.empty() {
		keys["exclude_modules"] = c.Exclude
	}
	if c.Indices != nil {
		keys["layers_to_transform"] = c.Indices
	}
	if c.IndexNames != nil {
		keys["layers_pattern"] = c.IndexNames
	}
	text, err := json.MarshalIndent(keys, "", "  ")
	return append(text, '\n'), err
}

// ReadConfig reads the adapter_config.json in dir, as ParseConfig does.
func ReadConfig(fsys vfs.FS, dir string) (Config, []string, error) {
	file := filepath.Join(dir, ConfigFile)
	text, err := vfs.ReadFile(fsys, file, maxConfig)
	if err == nil && vfs.IsPointer(text) {
		err = fmt.Errorf("%s: %w", file, vfs.ErrPointer)
	}
	if err != nil {
		return Config{}, nil, fmt.Errorf("adapter: %w", err)
	}
	return ParseConfig(file, text)
}

// ParseConfig reads the content of an adapter_config.json, whose name is file. It
// returns all faults at once, and notes about keys that nobody knows.
func ParseConfig(file string, text []byte) (Config, []string, error) {
	raw, err := nn.ParseHF(file, text)
	if err != nil {
		return Config{}, nil, err
	}
	c := Config{
		Base: raw.String("base_model_name_or_path", ""), Rank: raw.Int("r", defaultRank), Alpha: raw.Float("lora_alpha", defaultAlpha), Dropout: raw.Float("lora_dropout", 0),
		RSLoRA: raw.Bool("use_rslora", false), DoRA: raw.Bool("use_dora", false), FanInFanOut: raw.Bool("fan_in_fan_out", false),
	}
	if kind := raw.String("peft_type", ""); kind != "LORA" {
		raw.Fault("peft_type", "%q is not supported, only LORA: %s", kind, cureMerge)
		return c, nil, raw.Err()
	}
	raw.Value("target_modules", &c.Targets)
	raw.Value("exclude_modules", &c.Exclude)
	raw.Value("layers_to_transform", (*ints)(&c.Indices))
	raw.Value("layers_pattern", (*texts)(&c.IndexNames))
	raw.Value("rank_pattern", &c.Ranks)
	raw.Value("alpha_pattern", &c.Alphas)
	c.Random = raw.Is("init_lora_weights", "false")
	raw.CheckStrictly(keys, plain)
	fault := func(ok bool, key, format string, args ...any) {
		if !ok {
			raw.Fault(key, format, args...)
		}
	}
	fault(c.Rank > 0 && c.Rank <= nn.MaxRank, "r", "%d is not 1 to %d", c.Rank, nn.MaxRank)
	fault(c.Alpha > 0, "lora_alpha", "%g is not above 0", c.Alpha)
	fault(c.Dropout >= 0 && c.Dropout < 1, "lora_dropout", "%g is not in [0, 1)", c.Dropout)
	if err := c.Ranks.check(nn.MaxRank, true); err != nil {
		raw.Fault("rank_pattern", "%v: %s", err, cureMerge)
	}
	if err := c.Alphas.check(math.MaxFloat64, false); err != nil {
		raw.Fault("alpha_pattern", "%v: %s", err, cureMerge)
	}
	c.expressions(func(key string, err error) { raw.Fault(key, "%v: %s", err, cureMerge) })
	return c, raw.Notes(), raw.Err()
}

// ints are a list of whole numbers, or one.
type ints []int

// UnmarshalJSON reads either spelling; an empty list is none.
func (l *ints) UnmarshalJSON(text []byte) error { return oneOrMore(text, (*[]int)(l)) }

// texts are a list of texts, or one.
type texts []string

// UnmarshalJSON reads either spelling; an empty list or text is none.
func (l *texts) UnmarshalJSON(text []byte) error {
	err := oneOrMore(text, (*[]string)(l))
	*l = slices.DeleteFunc(*l, func(s string) bool { return s == "" })
	if len(*l) == 0 {
		*l = nil
	}
	return err
}

func oneOrMore[T any](text []byte, into *[]T) error {
	var one T
	if json.Unmarshal(text, &one) == nil {
		*into = []T{one}
		return nil
	}
	err := json.Unmarshal(text, into)
	if len(*into) == 0 {
		*into = nil
	}
	return err
}
