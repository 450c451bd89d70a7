package train

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"gotrain/train/checkpoint"
	"gotrain/train/safetensors"
)

// A checkpoint of several ranks holds, in place of ModelFile and OptimizerFile,
// a shard of each from every rank and safetensors.IndexName, which says where a
// weight is: Hugging Face's own format of large models. Which rank writes a
// tensor is of no consequence to those who read, so a run goes on with any
// number of ranks.

// shardName is the file of a rank's part: model.safetensors becomes
// model-00001-of-00004.safetensors.
func shardName(file string, p Place) string {
	stem, ext := strings.TrimSuffix(file, ".safetensors"), ".safetensors"
	return fmt.Sprintf("%s-%05d-of-%05d%s", stem, p.Rank+1, p.size(), ext)
}

// balance gives each item to a rank, the largest first and always to the rank
// with the fewest bytes. All ranks come to the same result.
func balance[T any](items []T, ranks int, bytes func(T) int64) [][]T {
	sorted := slices.Clone(items)
	slices.SortStableFunc(sorted, func(a, b T) int { return cmp.Compare(bytes(b), bytes(a)) })
	parts, sums := make([][]T, ranks), make([]int64, ranks)
	for _, item := range sorted {
		least := 0
		for rank := range sums {
			if sums[rank] < sums[least] {
				least = rank
			}
		}
		parts[least] = append(parts[least], item)
		sums[least] += bytes(item)
	}
	return parts
}

func tensorBytes(t safetensors.Tensor) int64 {
	n := int64(t.DType.Size())
	for _, dim := range t.Shape {
		n *= int64(dim)
	}
	return n
}

// indexFile is safetensors.IndexName over the parts of the ranks.
func indexFile(parts [][]safetensors.Tensor) checkpoint.File {
	var index struct {
		Metadata struct {
			TotalSize int64 `json:"total_size"` // bytes of all tensors
		} `json:"metadata"`
		WeightMap map[string]string `json:"weight_map"`
	}
	index.WeightMap = map[string]string{}
	for rank, part := range parts {
		for _, t := range part {
			index.Metadata.TotalSize += tensorBytes(t)
			index.WeightMap[t.Name] = shardName(ModelFile, Place{rank, len(parts)})
		}
	}
	return jsonFile(safetensors.IndexName, index)
}

func tensorsFile(name string, tensors []safetensors.Tensor, metadata map[string]string) checkpoint.File {
	return checkpoint.File{Name: name, Write: func(w io.Writer) error {
		return safetensors.Write(w, tensors, metadata)
	}}
}

// writeShards has every rank write its own files and rank 0 those of all, and
// commits them once all have succeeded. It returns the directory, on all ranks;
// an error, on all ranks, leaves the older checkpoints as they were.
func (r *run) writeShards(own, ofAll []checkpoint.File) (string, error) {
	fsys, dir, step := r.deps.FS, r.cfg.Run.Dir, int64(r.state.Step)
	var w *checkpoint.Writer
	if _, err := r.ranks.byFirst(func() (_ string, err error) {
		w, err = checkpoint.Begin(fsys, dir, step)
		return "", err
	}); err != nil {
		return "", err
	}
	if w == nil {
		w = checkpoint.Join(fsys, dir, step)
	} else {
		own = slices.Concat(own, ofAll)
	}
	entries, err := r.gatherEntries(w, own)
	if err != nil {
		if r.cfg.Place.first() {
			err = errors.Join(err, w.Abort())
		}
		return "", err
	}
	return r.ranks.byFirst(func() (string, error) {
		w.NameBest(r.bestStep())
		saved, err := w.Commit(r.cfg.Train.Keep, entries...)
		if err == nil {
			r.announce(saved)
		}
		return saved.Path, err
	})
}

// gatherEntries writes files and returns the entries of those that the other
// ranks have written.
func (r *run) gatherEntries(w *checkpoint.Writer, files []checkpoint.File) ([]checkpoint.Entry, error) {
	var mine []checkpoint.Entry
	var failed error
	for _, f := range files {
		e, err := w.Write(f)
		if err != nil {
			failed = err
			break
		}
		mine = append(mine, e)
	}
	if err := r.ranks.together(failed); err != nil {
		return nil, err
	}
	text, err := json.Marshal(mine)
	if err != nil {
		return nil, err
	}
	texts, err := r.ranks.texts(string(text))
	if err != nil {
		return nil, err
	}
	var others []checkpoint.Entry
	for rank, text := range texts {
		if rank == r.cfg.Place.Rank {
			continue
		}
		var entries []checkpoint.Entry
		if err := json.Unmarshal([]byte(text), &entries); err != nil {
			return nil, fmt.Errorf("entries of rank %d: %w", rank, err)
		}
		others = append(others, entries...)
	}
	return others, nil
}

// tensorFiles are safetensors files that together hold one set of tensors.
type tensorFiles []*safetensors.File

// openTensors opens file in dir or, where there is none, its shards.
func openTensors(dir, file string) (tensorFiles, error) {
	paths, err := filepath.Glob(filepath.Join(escapeGlob(dir), strings.TrimSuffix(file, ".safetensors")+"-*-of-*.safetensors"))
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		paths = []string{filepath.Join(dir, file)}
	} else if want := filepath.Join(dir, shardName(file, Place{len(paths) - 1, len(paths)})); !slices.Contains(paths, want) {
		return nil, fmt.Errorf("%s: %d shards of %s are not all; use another checkpoint of the run", dir, len(paths), file)
	}
	var files tensorFiles
	for _, path := range paths {
		f, err := safetensors.Open(path)
		if err != nil {
			return nil, errors.Join(err, files.Close())
		}
		files = append(files, f)
	}
	return files, nil
}

// escapeGlob makes a pattern that matches path alone.
func escapeGlob(path string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(path)
}

// Tensor finds a tensor by name.
func (files tensorFiles) Tensor(name string) (safetensors.Tensor, bool) {
	for _, f := range files {
		if t, ok := f.Tensor(name); ok {
			return t, true
		}
	}
	return safetensors.Tensor{}, false
}

// Close closes all files.
func (files tensorFiles) Close() error {
	var errs []error
	for _, f := range files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}
