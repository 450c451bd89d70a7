package safetensors

import (
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
	// DiffusersName is that of a model of diffusers.
	DiffusersName = "diffusion_pytorch_model.safetensors"
)

// Dir is the weights of a Hugging Face directory: SingleName or DiffusersName, or the shards that
// IndexName lists. It may be used from several goroutines.
type Dir struct {
	path    string
	absent  map[string]string // files of tensors that the index lists and the files lack
	tensors []Tensor          // in the order of files, then of their data
	index   map[string]int
	files   []*File
}

// OpenDir maps the weights in dir into memory, as Open does. Where both are there
// SingleName is taken, as transformers does. The error is os.ErrNotExist's where
// none is.
func OpenDir(dir string) (*Dir, error) {
	for _, name := range []string{SingleName, DiffusersName} {
		single := filepath.Join(dir, name)
		if _, err := os.Stat(single); err != nil {
			continue
		}
		f, err := Open(single)
		if err != nil {
			return nil, err
		}
		return &Dir{path: single, tensors: f.tensors, index: f.index, files: []*File{f}}, nil
	}
	index := filepath.Join(dir, IndexName)
	shards, err := readIndex(index)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s holds neither %s nor %s%s: %w", dir, SingleName, IndexName, otherWeights(dir), os.ErrNotExist)
	}
	if err != nil {
		return nil, err
	}
	d := &Dir{path: index, index: map[string]int{}, absent: map[string]string{}}
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
	if shards, err := filepath.Glob(filepath.Join(escape.Replace(dir), "*-of-*.safetensors")); err == nil && len(shards) > 0 {
		return fmt.Sprintf(" (there are parts such as %s: fetch %s too, which lists them)", filepath.Base(shards[0]), IndexName)
	}
	return ""
}

// escape makes a path a pattern that matches it alone.
var escape = strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`)

// openShards maps the files. All their tensors count, as in transformers, those that the
// index does not list too; where several files have one of a name, the index decides.
func (d *Dir) openShards(dir, index string, shards map[string][]string) error {
	for _, name := range slices.Sorted(maps.Keys(shards)) {
		f, err := Open(filepath.Join(dir, name))
		if err != nil {
			return fmt.Errorf("%s: %w", index, err)
		}
		d.files = append(d.files, f)
		for _, tensor := range shards[name] {
			if _, ok := f.Tensor(tensor); !ok {
				d.absent[tensor] = name
			}
		}
	}
	files := map[string]string{} // of each tensor
	for name, tensors := range shards {
		for _, tensor := range tensors {
			files[tensor] = name
		}
	}
	for i, name := range slices.Sorted(maps.Keys(shards)) {
		for _, t := range d.files[i].tensors {
			listed, ok := files[t.Name]
			_, gone := d.absent[t.Name]
			if ok && listed != name && !gone {
				continue // the other file has it
			}
			if _, twice := d.index[t.Name]; twice {
				return &FormatError{File: filepath.Join(dir, name), Tensor: t.Name, Problem: "is in another file too, and " + IndexName + " does not tell which counts", Cure: cureWrite}
			}
			d.index[t.Name] = len(d.tensors)
			d.tensors = append(d.tensors, t)
		}
	}
	for tensor := range d.absent {
		if _, there := d.index[tensor]; there {
			delete(d.absent, tensor)
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

// Path is the file of the weights, or the index of several.
func (d *Dir) Path() string { return d.path }

// Promised names the file in which the index says that a tensor is which no file has.
func (d *Dir) Promised(tensor string) (file string, ok bool) {
	file, ok = d.absent[tensor]
	return file, ok
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
