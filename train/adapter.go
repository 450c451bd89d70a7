package train

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/zeebo/xxh3"

	"gotrain/autograd"
	"gotrain/autograd/exec"
	"gotrain/data/vfs"
	"gotrain/nn"
	"gotrain/nn/hub/peft"
	"gotrain/nn/hub/safetensors"
	"gotrain/train/checkpoint"
)

// BaseState identifies the weights that an adapter was trained on: merging
// rounds, so a run can only go on from the very same ones.
type BaseState struct {
	Dir         string         `json:"dir"`
	Fingerprint checkpoint.Sum `json:"fingerprint"` // of the names, shapes and bytes of its tensors
}

// fingerprint hashes the weights in dir.
func fingerprint(dir string) (checkpoint.Sum, error) {
	weights, err := safetensors.OpenDir(dir)
	if err != nil {
		return 0, err
	}
	defer weights.Close()
	tensors := slices.Clone(weights.Tensors())
	slices.SortFunc(tensors, func(a, b safetensors.Tensor) int { return strings.Compare(a.Name, b.Name) })
	h := xxh3.New()
	for _, t := range tensors {
		fmt.Fprintf(h, "%q %v %v\n", t.Name, t.DType, t.Shape)
		h.Write(t.Data)
	}
	return checkpoint.Sum(h.Sum64()), nil
}

// merge is what is added to a weight as it is written.
type merge struct {
	adapter nn.Adapter
	layout  autograd.WeightLayout
	a, b    savedTensor // (r, in), (out, r)
}

// modelTensors lists the base with the adapter of m merged into it.
func modelTensors(m nn.Model) []savedTensor {
	adapters := map[string]savedTensor{}
	for _, t := range paramTensors(nn.Adapters(m.Params())) {
		adapters[t.name] = t
	}
	base := nn.Base(m.Params())
	tensors := paramTensors(base)
	for i, p := range base {
		layer, weight := strings.CutSuffix(p.Name, ".weight")
		if a, ok := adapters[layer+nn.LoRAA]; weight && ok {
			tensors[i].frozen = false
			tensors[i].merge = &merge{m.Tuning().Adapter, p.Layout, a, adapters[layer+nn.LoRAB]}
		}
	}
	return tensors
}

// mergedReader streams a weight with its adapter merged into it, which is
// computed on the way.
type mergedReader struct {
	stateReader
	merge
}

// WriteTo writes the weight's elements, little endian.
func (r mergedReader) WriteTo(w io.Writer) (int64, error) {
	a, err := r.a.whole(r.from)
	if err != nil {
		return 0, err
	}
	b, err := r.b.whole(r.from)
	if err != nil {
		return 0, err
	}
	return r.stream(w, nn.NewDelta(r.layout, a, b, r.adapter.Rank, r.adapter.Scale()).Merge)
}

// whole returns all elements of a state, not to be changed.
func (s savedTensor) whole(from states) ([]float32, error) {
	if view := from.View(s.name); view != nil {
		return view, nil
	}
	values := make([]float32, s.shape.Size())
	return values, from.ReadAt(s.name, 0, values)
}

// adapterFiles are the files of an adapter in peft's format.
func adapterFiles(from states, m nn.Model, base string) ([]checkpoint.File, error) {
	tensors := contents(paramTensors(nn.Adapters(m.Params())), from)
	a := m.Tuning().Adapter
	c := peft.Config{Base: base, Rank: a.Rank, Alpha: a.Alpha, Dropout: a.Dropout, RSLoRA: a.RSLoRA}
	for _, t := range modelTensors(m) {
		if t.merge != nil {
			c.Targets = append(c.Targets, strings.TrimSuffix(t.name, ".weight"))
			c.FanInFanOut = t.merge.layout == autograd.InOut
		}
	}
	text, err := c.JSON()
	if err != nil {
		return nil, err
	}
	return []checkpoint.File{
		bytesFile(peft.Dir+"/"+peft.ConfigFile, text),
		{Name: peft.Dir + "/" + peft.WeightsFile, Write: func(w io.Writer) error {
			return safetensors.Write(w, peft.Tensors(tensors), map[string]string{"format": "pt"})
		}},
	}, nil
}

// ErrNoAdapter says that a path leads to no adapter.
var ErrNoAdapter = errors.New("no adapter")

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
	dir = filepath.Join(dir, peft.Dir)
	if _, err := os.Stat(filepath.Join(dir, peft.ConfigFile)); err != nil {
		return "", fmt.Errorf("%w: %s was trained without one: it holds no %s/%s", ErrNoAdapter, path, peft.Dir, peft.ConfigFile)
	}
	return dir, nil
}

// openAdapter opens the adapter in dir and fits it to the model of params, whose
// checkpoint is base.
func openAdapter(fsys vfs.FS, dir, base string, params []nn.Param) (*peft.Adapter, nn.Adapter, error) {
	a, err := peft.Open(fsys, dir)
	if err != nil {
		return nil, nn.Adapter{}, err
	}
	lora, err := a.Fit(params)
	if err == nil {
		err = a.CheckApart(fsys, base)
	}
	if err != nil {
		return nil, nn.Adapter{}, errors.Join(err, a.Close())
	}
	return a, lora, nil
}

// loadAdapter fills the parameters of an adapter among params from the adapter in
// dir, which fits them.
func loadAdapter(store *exec.Store, fsys vfs.FS, dir string, params []nn.Param, cure string) error {
	a, err := peft.Open(fsys, dir)
	if err != nil {
		return err
	}
	defer a.Close()
	if _, err := a.Fit(params); err != nil {
		return err
	}
	return loadStates(store, dir, func(name string) (safetensors.Tensor, bool) {
		t, ok := a.Tensors[name]
		return t, ok
	}, names(nn.Adapters(params)), cure)
}

// checkBase refuses to go on from a checkpoint whose adapter was trained on
// other weights than the base has now.
func (r *run) checkBase() error {
	was := r.state.Base
	if was == nil {
		return fmt.Errorf("the checkpoint was trained without an adapter; take the lora section out, or begin anew with --resume none")
	}
	now, err := fingerprint(r.cfg.Base)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the base of the adapter is gone: %w; put it back at %s", err, was.Dir)
	}
	if err != nil {
		return err
	}
	if now != was.Fingerprint {
		return fmt.Errorf("the weights in %s are others than those that the adapter was trained on (%s then); put those back, or begin anew with --resume none", r.cfg.Base, was.Dir)
	}
	return nil
}
