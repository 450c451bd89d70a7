package hub

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"example.com/gotrain/nn/hub/safetensors"
)

// ShardName is the file of part i of n: model.safetensors becomes
// model-00001-of-00004.safetensors, Hugging Face's format of large models; the one
// part of one is file itself.
func ShardName(file string, i, n int) string {
	if n == 1 {
		return file
	}
	const ext = ".safetensors"
	return fmt.Sprintf("%s-%05d-of-%05d%s", strings.TrimSuffix(file, ext), i+1, n, ext)
}

// Shards are safetensors files that together hold one set of tensors.
type Shards []*safetensors.File

// OpenTensors opens file in dir or, where there is none, its shards.
func OpenTensors(dir, file string) (Shards, error) {
	paths, err := filepath.Glob(filepath.Join(escapeGlob(dir), strings.TrimSuffix(file, ".safetensors")+"-*-of-*.safetensors"))
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		paths = []string{filepath.Join(dir, file)}
	} else if want := filepath.Join(dir, ShardName(file, len(paths)-1, len(paths))); !slices.Contains(paths, want) {
		return nil, fmt.Errorf("%s: %d shards of %s are not all; use another checkpoint of the run", dir, len(paths), file)
	}
	var shards Shards
	for _, path := range paths {
		f, err := safetensors.Open(path)
		if err != nil {
			return nil, errors.Join(err, shards.Close())
		}
		shards = append(shards, f)
	}
	return shards, nil
}

// escapeGlob makes a pattern that matches path alone.
func escapeGlob(path string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(path)
}

// Tensor finds a tensor by name.
func (s Shards) Tensor(name string) (safetensors.Tensor, bool) {
	for _, f := range s {
		if t, ok := f.Tensor(name); ok {
			return t, true
		}
	}
	return safetensors.Tensor{}, false
}

// Close closes all files.
func (s Shards) Close() error {
	var errs []error
	for _, f := range s {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}
