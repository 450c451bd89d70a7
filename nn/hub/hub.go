// Package hub is a model on disk: a directory as Hugging Face lays it out, which is
// what a checkpoint of a run is too.
//
//	config.json            the family and its configuration; nn.Families reads it
//	model.safetensors      the weights, or shards of them with an index
//	tokenizer.json, …      the tokenizer, the roles of its tokens, the chat template
//	manifest.json          sizes and checksums, where a run has written the model
//	adapter_config.json, adapter_model.safetensors
//	                       in place of the first two in a checkpoint of LoRA: the adapter, as
//	                       peft keeps it, to a base that lies elsewhere ([Place])
//	adapter/               where the weights have an adapter merged: that adapter
//
// [Load] opens a model that is ready to run, [Save] writes one. [Locate] and
// [FindAdapter] turn what a user names into such a directory. The parts serve
// whoever has a store of his own: [LoadParams], [OpenAdapter] and [LoadAdapter]
// fill it, [ModelTensors] and [AdapterFiles] are what is written of it, [Identity]
// is what other programs must know beside the weights.
//
// Nothing that is read is trusted: names, shapes and types are compared with the
// model, sizes with limits. Errors name file and tensor, and the cure.
package hub

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn/hub/peft"
	"example.com/gotrain/nn/hub/safetensors"
)

// ModelFile holds the weights.
const ModelFile = safetensors.SingleName

// Files beside the weights: the configuration, and how the model's texts begin and end.
const (
	ConfigFile     = "config.json"
	GenerationFile = "generation_config.json"
)

// ErrNoModel says that a path leads to no model.
var ErrNoModel = errors.New("no model")

// ErrNoAdapter says that a path leads to no adapter.
var ErrNoAdapter = errors.New("no adapter")

// answering are the folders of a checkpoint of several models whose model is meant by the
// name of the whole, the first that is there.
var answering = []string{"average", "generator", "policy"}

// FindCheckpoint returns the directory of the model that path names: the directory
// or a link to one, or a run or its folder of checkpoints, for the newest. It may hold
// an adapter alone, whose base [PlaceOf] finds. Errors wrap ErrNoModel.
func FindCheckpoint(path string) (string, error) {
	if info, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("%w: %w", ErrNoModel, err)
	} else if !info.IsDir() {
		if strings.HasSuffix(path, ".gguf") {
			return "", fmt.Errorf("%w: %s is a GGUF file; make a checkpoint of it with gotrain import FILE DIR and name DIR", ErrNoModel, path)
		}
		return "", fmt.Errorf("%w: %s is a file; name the directory of a checkpoint or of a run", ErrNoModel, path)
	}
	for _, dir := range []string{path, filepath.Join(path, "checkpoints", "latest"), filepath.Join(path, "latest")} {
		if hasWeights(dir) || exists(dir, peft.ConfigFile) {
			return filepath.EvalSymlinks(dir)
		}
		for _, part := range answering {
			if of := filepath.Join(dir, part); hasWeights(of) || exists(of, peft.ConfigFile) {
				return filepath.EvalSymlinks(of)
			}
		}
	}
	if _, err := os.Stat(filepath.Join(path, "config.yaml")); err == nil {
		return "", fmt.Errorf("%w: the run %s has saved no checkpoint yet", ErrNoModel, path)
	}
	if _, err := os.Stat(filepath.Join(path, ConfigFile)); err == nil {
		if _, err := safetensors.OpenDir(path); err != nil {
			return "", fmt.Errorf("%w: %w", ErrNoModel, err)
		}
	}
	return "", fmt.Errorf("%w: %s holds no %s and no %s; name the directory of a checkpoint or of a run", ErrNoModel, path, ModelFile, safetensors.IndexName)
}

// FindAdapter returns the directory of the adapter that path names: one with an
// adapter_config.json, or a checkpoint or a run, whose adapter is taken. Errors
// wrap ErrNoAdapter.
func FindAdapter(path string) (string, error) {
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("%w: %w", ErrNoAdapter, err)
	}
	if _, err := os.Stat(filepath.Join(path, peft.ConfigFile)); err == nil {
		return filepath.EvalSymlinks(path)
	}
	dir, err := FindCheckpoint(path)
	if err != nil {
		return "", fmt.Errorf("%w: %s holds no %s, as peft saves it, and is no checkpoint or run of gotrain", ErrNoAdapter, path, peft.ConfigFile)
	}
	if exists(dir, peft.ConfigFile) {
		return dir, nil
	}
	dir = filepath.Join(dir, peft.Dir)
	if !exists(dir, peft.ConfigFile) {
		return "", fmt.Errorf("%w: %s was trained without one: it holds no %s/%s", ErrNoAdapter, path, peft.Dir, peft.ConfigFile)
	}
	return dir, nil
}

// maxText bounds the JSON files of a model, in bytes.
const maxText = 256 << 20

// ReadText reads a JSON file of a model.
func ReadText(file string) ([]byte, error) {
	text, err := vfs.ReadFile(vfs.OS{}, file, maxText)
	if err == nil && vfs.IsPointer(text) {
		return nil, fmt.Errorf("%s: %w", file, vfs.ErrPointer)
	}
	return text, err
}
