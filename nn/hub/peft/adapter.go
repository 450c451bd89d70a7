package peft

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/hub/safetensors"
)

// Dir is the folder of a checkpoint with the adapter that was trained.
const Dir = "adapter"

// prefix is what peft puts before the names of the model that it wraps.
const prefix = "base_model.model."

// What torch.compile and DistributedDataParallel put into names.
const (
	compiled = "_orig_mod."
	parallel = "module."
)

// suffixes of what any layer has, the two matrices.
var suffixes = []string{nn.LoRAA, nn.LoRAB}

// Parts are the suffixes of the parameters that a layer has.
func (c Config) Parts() []string {
	if c.DoRA {
		return append(slices.Clone(suffixes), nn.DoRAM)
	}
	return suffixes
}

// TensorName returns peft's name of a parameter, such as
// model.layers.0.self_attn.q_proj.lora_A.weight.
func TensorName(param string) string { return prefix + param }

// ParamName returns the parameter's name of a tensor, or ok = false for a tensor
// of something else than the LoRA or DoRA of a linear layer. Files of old versions of
// peft have the name of the adapter, "default", in it; those of compiled models and of
// models on several GPUs parts that are left out.
func ParamName(tensor string) (param string, ok bool) {
	tensor = strings.TrimPrefix(strings.ReplaceAll(tensor, compiled, ""), parallel)
	param, ok = strings.CutPrefix(tensor, prefix)
	for _, which := range []string{".lora_A", ".lora_B"} {
		param = strings.Replace(param, which+".default.weight", which+".weight", 1)
	}
	for _, end := range []string{".default.weight", ".default"} {
		if rest, found := strings.CutSuffix(param, nn.DoRAM+end); found {
			param = rest + nn.DoRAM
		}
	}
	return param, ok && slices.ContainsFunc(Config{DoRA: true}.Parts(), func(s string) bool { return strings.HasSuffix(param, s) })
}

// Adapter is an adapter on disk. Tensors are named as the parameters are, and
// gone after Close.
type Adapter struct {
	Config
	// Trained is the fingerprint of the weights that the adapter was trained on, "" where
	// its file does not tell.
	Trained string
	// Stored is how they lay in memory then, "" where its file does not tell.
	Stored  nn.Storage
	Notes   []string // what a user should know
	Tensors map[string]safetensors.Tensor
	fitted  nn.Adapter // of the model, as Fit gives it
	dir     string
	file    *safetensors.File
}

// Open reads the adapter in dir. Every layer has both matrices, of the rank that
// the configuration tells, and with DoRA its lengths.
func Open(fsys vfs.FS, dir string) (*Adapter, error) {
	a := &Adapter{dir: dir, Tensors: map[string]safetensors.Tensor{}}
	var err error
	if a.Config, a.Notes, err = ReadConfig(fsys, dir); err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(dir, PickleFile)); err == nil {
		if _, err := os.Stat(filepath.Join(dir, WeightsFile)); errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("adapter: %s holds no %s; %s is a pickle, which can run any program: save the adapter again with peft's save_pretrained", dir, WeightsFile, PickleFile)
		}
	}
	if a.file, err = safetensors.Open(filepath.Join(dir, WeightsFile)); err != nil {
		return nil, fmt.Errorf("adapter: %w", err)
	}
	a.Trained, a.Stored = a.file.Metadata()[trainedKey], nn.Storage(a.file.Metadata()[storedKey])
	if err := a.Stored.Validate(); err != nil {
		a.Close()
		return nil, fmt.Errorf("%s: %s %w", filepath.Join(dir, WeightsFile), storedKey, err)
	}
	if err := a.index(); err != nil {
		a.Close()
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, WeightsFile), err)
	}
	return a, nil
}

func (a *Adapter) index() error {
	for _, t := range a.file.Tensors() {
		param, ok := ParamName(t.Name)
		if !ok {
			return fmt.Errorf("tensor %q is not part of a LoRA or DoRA of a linear layer: %s", t.Name, cureMerge)
		}
		if other, twice := a.Tensors[param]; twice {
			return fmt.Errorf("the tensors %q and %q are both %q", other.Name, t.Name, param)
		}
		a.Tensors[param] = t
	}
	layers := a.Layers()
	if len(layers) == 0 {
		return fmt.Errorf("there is no tensor")
	}
	for _, layer := range layers {
		for _, suffix := range a.Parts() {
			if _, ok := a.Tensors[layer+suffix]; !ok {
				return fmt.Errorf("layer %s lacks %s", layer, suffix[1:])
			}
		}
		if t, ok := a.Tensors[layer+nn.DoRAM]; ok && !a.DoRA {
			return fmt.Errorf("tensor %q belongs to an adapter with use_dora, which %s denies", t.Name, ConfigFile)
		}
		for i, suffix := range suffixes {
			t := a.Tensors[layer+suffix]
			if rank := a.rankOf(layer); len(t.Shape) != 2 || t.Shape[i] != rank {
				return fmt.Errorf("tensor %q has shape %v; its axis %d is the rank, %d", t.Name, t.Shape, i, rank)
			}
		}
	}
	return nil
}

// Layers returns the names of the adapted layers, sorted.
func (a *Adapter) Layers() []string {
	var layers []string
	for param := range a.Tensors {
		for _, suffix := range append(suffixes[:2:2], nn.DoRAM) {
			if layer, ok := strings.CutSuffix(param, suffix); ok {
				layers = append(layers, layer)
			}
		}
	}
	slices.Sort(layers)
	return slices.Compact(layers)
}

// Close ends the mapping of the weights.
func (a *Adapter) Close() error { return a.file.Close() }

// trainedKey and storedKey are the texts in the metadata of the weights that
// Adapter.Trained and Stored are.
const (
	trainedKey = "base_fingerprint"
	storedKey  = "base_storage"
)

// Metadata are the texts beside the tensors of adapter_model.safetensors: its format,
// the fingerprint of the weights that the adapter was trained on, "" for none, and how they
// lay in memory then, where that was not float32.
func Metadata(trained string, stored nn.Storage) map[string]string {
	texts := map[string]string{"format": "pt"}
	if trained != "" {
		texts[trainedKey] = trained
	}
	if stored != "" && stored != nn.Float32 {
		texts[storedKey] = string(stored)
	}
	return texts
}

// Tensors returns the tensors of adapter_model.safetensors for those of
// parameters, which it does not modify.
func Tensors(params []safetensors.Tensor) []safetensors.Tensor {
	tensors := slices.Clone(params)
	for i := range tensors {
		tensors[i].Name = TensorName(tensors[i].Name)
	}
	return tensors
}
