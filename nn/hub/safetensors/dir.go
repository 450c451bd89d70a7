package safetensors

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Names of the weights in a Hugging Face directory.
const (
	SingleName = "model.safetensors"
	IndexName  = "model.safetensors.index.json"
)

// Dir is the weights of a Hugging Face directory: SingleName, or the shards that
// IndexName lists. It may be used from several goroutines.
type Dir struct {
	tensors []Tensor // in the order of files, then of their data
	index   map[string]int
	files   []*File
}

// OpenDir maps the weights in dir into memory, as Open does. Where both are there
// SingleName is taken, as transformers does. The error is os.ErrNotExist's where
// none is.
func OpenDir(dir string) (*Dir, error) {
	single := filepath.Join(dir, SingleName)
	if _, err := os.Stat(single); err == nil {
		f, err := Open(single)
		if err != nil {
			return nil, err
		}
		return &Dir{tensors: f.tensors, index: f.index, files: []*File{f}}, nil
	}
	index := filepath.Join(dir, IndexName)
	shards, err := readIndex(index)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s holds neither %s nor %s%s: %w", dir, SingleName, IndexName, otherWeights(dir), os.ErrNotExist)
	}
	if err != nil {
		return nil, err
	}
	d := &Dir{index: map[string]int{}}
	if err := d.openShards(dir, index, shards); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// otherWeights tells of weights in another format.
func otherWeights(dir string) string {
	for _, name := range []string{"pytorch_model.bin", "pytorch_model.bin.index.json"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return fmt.Sprintf(" (%s is a pickle, which can run any program: save the model again with transformers' save_pretrained)", name)
		}
	}
	return ""
}

func (d *Dir) openShards(dir, index string, shards map[string][]string) error {
	for _, name := range slices.Sorted(maps.Keys(shards)) {
		f, err := Open(filepath.Join(dir, name))
		if err != nil {
			return fmt.Errorf("%s: %w", index, err)
		}
		d.files = append(d.files, f)
		var tensors []Tensor
		for _, tensor := range shards[name] {
			t, ok := f.Tensor(tensor)
			if !ok {
				return &FormatError{File: filepath.Join(dir, name), Tensor: tensor, Problem: "is missing, though " + IndexName + " says it is here", Cure: cureFetch}
			}
			tensors = append(tensors, t)
		}
		slices.SortFunc(tensors, func(a, b Tensor) int { return cmp.Compare(f.index[a.Name], f.index[b.Name]) })
		for _, t := range tensors {
			d.index[t.Name] = len(d.tensors)
			d.tensors = append(d.tensors, t)
		}
	}
	return nil
}

// readIndex reads IndexName: the names of the tensors in each file.
func readIndex(path string) (map[string][]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, MaxHeader+1))
	if err != nil {
		return nil, err
	}
	if len(text) > MaxHeader {
		return nil, &FormatError{File: path, Problem: fmt.Sprintf("longer than %d bytes", MaxHeader), Cure: cureWrite}
	}
	shards, err := parseIndex(text)
	if err != nil {
		return nil, &FormatError{File: path, Problem: err.Error(), Cure: cureWrite}
	}
	return shards, nil
}

func parseIndex(text []byte) (map[string][]string, error) {
	var index struct {
		WeightMap map[string]string `json:"weight_map"`
	}
	if err := json.Unmarshal(text, &index); err != nil {
		return nil, err
	}
	if len(index.WeightMap) == 0 {
		return nil, errors.New("weight_map is missing or empty")
	}
	if len(index.WeightMap) > MaxTensors {
		return nil, fmt.Errorf("weight_map has %d tensors, at most %d are allowed", len(index.WeightMap), MaxTensors)
	}
	shards := map[string][]string{}
	for tensor, file := range index.WeightMap {
		if file == "" || strings.ContainsAny(file, "/\\\x00") || !filepath.IsLocal(file) {
			return nil, fmt.Errorf("weight_map[%q]: %q is no name of a file beside it", tensor, file)
		}
		shards[file] = append(shards[file], tensor)
	}
	return shards, nil
}

// Tensors gives all tensors, in the order of files and of their data. The caller
// must not change the slice.
func (d *Dir) Tensors() []Tensor { return d.tensors }

// Tensor finds a tensor by name.
func (d *Dir) Tensor(name string) (Tensor, bool) {
	i, ok := d.index[name]
	if !ok {
		return Tensor{}, false
	}
	return d.tensors[i], true
}

// Close unmaps all files; the Data of their tensors must not be touched after it.
func (d *Dir) Close() error {
	var errs []error
	for _, f := range d.files {
		errs = append(errs, f.Close())
	}
	d.files, d.tensors, d.index = nil, nil, nil
	return errors.Join(errs...)
}
