package train

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"gotrain/autograd/mesh"
	"gotrain/nn"
	"gotrain/nn/hub/safetensors"
	"gotrain/train/checkpoint"
)

// A checkpoint of several ranks holds, in place of ModelFile and OptimizerFile,
// a shard of each from every rank and safetensors.IndexName, which says where a
// weight is: Hugging Face's own format of large models. Which rank writes a
// tensor is of no consequence to those who read, so a run goes on with any
// number of ranks.

// shardName is the file of a rank's part: model.safetensors becomes
// model-00001-of-00004.safetensors; a process that is alone writes file itself.
func shardName(file string, p mesh.Rank) string {
	if p.Alone() {
		return file
	}
	stem, ext := strings.TrimSuffix(file, ".safetensors"), ".safetensors"
	return fmt.Sprintf("%s-%05d-of-%05d%s", stem, p.Index()+1, p.Count(), ext)
}

// share is what a rank writes of a checkpoint.
type share struct {
	weights   [][]savedTensor // of the model, by the rank that writes them
	optimizer []savedTensor
	adapter   []savedTensor
}

// shareOf tells which tensors this rank writes, rank 0 those of an adapter.
func shareOf(cfg Config, m nn.Model, programs *Programs) share {
	p := cfg.Rank
	var trained, frozen []savedTensor
	for _, t := range modelTensors(m) {
		if t.frozen {
			frozen = append(frozen, t)
		} else {
			trained = append(trained, t)
		}
	}
	// Balanced apart, since saves beside the steps copy what is trained only.
	s := share{weights: mesh.Balance(trained, p.Count(), savedTensor.bytes), optimizer: programs.optimizerTensors()}
	for rank, part := range mesh.Balance(frozen, p.Count(), savedTensor.bytes) {
		s.weights[rank] = append(s.weights[rank], part...)
	}
	if cfg.Cluster.Zero == 0 { // else it is this rank's alone
		s.optimizer = mesh.Balance(s.optimizer, p.Count(), savedTensor.bytes)[p.Index()]
	}
	if p.First() {
		s.adapter = paramTensors(nn.Adapters(m.Params()))
	}
	return s
}

// reads lists the states that the rank reads as it saves, each once, sorted.
func (s share) reads(p mesh.Rank) []string {
	var names []string
	for _, t := range slices.Concat(s.weights[p.Index()], s.optimizer, s.adapter) {
		names = append(names, t.reads()...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// files are those that the rank writes of the share, and that of the index, which
// rank 0 does.
func (s share) files(p mesh.Rank, from states) []checkpoint.File {
	files := []checkpoint.File{
		tensorsFile(shardName(ModelFile, p), contents(s.weights[p.Index()], from), modelMetadata()),
		tensorsFile(shardName(OptimizerFile, p), contents(s.optimizer, from), nil),
	}
	if !p.Alone() && p.First() {
		files = append(files, indexFile(s.weights))
	}
	return files
}

// indexFile is safetensors.IndexName over the parts of the ranks.
func indexFile(parts [][]savedTensor) checkpoint.File {
	var index struct {
		Metadata struct {
			TotalSize int64 `json:"total_size"` // bytes of all tensors
		} `json:"metadata"`
		WeightMap map[string]string `json:"weight_map"`
	}
	index.WeightMap = map[string]string{}
	for rank, part := range parts {
		for _, t := range part {
			index.Metadata.TotalSize += t.bytes()
			index.WeightMap[t.name] = shardName(ModelFile, mesh.Of(rank, len(parts)))
		}
	}
	return jsonFile(safetensors.IndexName, index)
}

func tensorsFile(name string, tensors []safetensors.Tensor, metadata map[string]string) checkpoint.File {
	return checkpoint.File{Name: name, Write: func(w io.Writer) error {
		return safetensors.Write(w, tensors, metadata)
	}}
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
	} else if want := filepath.Join(dir, shardName(file, mesh.Of(len(paths)-1, len(paths)))); !slices.Contains(paths, want) {
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
