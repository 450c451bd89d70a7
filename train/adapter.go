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
	"gotrain/nn"
	"gotrain/train/checkpoint"
	"gotrain/train/peft"
	"gotrain/train/safetensors"
	"gotrain/train/vfs"
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

// mergedTensors lists the base with the adapter of m merged into it, which is
// computed as the tensors are written.
func mergedTensors(store *exec.Store, m nn.Model) ([]safetensors.Tensor, error) {
	tensors, err := stateTensors(store, nn.Base(m.Params()))
	if err != nil {
		return nil, err
	}
	for i, p := range nn.Base(m.Params()) {
		layer, weight := strings.CutSuffix(p.Name, ".weight")
		if weight && store.Get(layer+nn.LoRAA) != nil {
			tensors[i].From = mergedReader{stateReader{store, p.Name, p.Shape.Size()}, m.Config().Adapter, p.Layout, layer}
		}
	}
	return tensors, nil
}

// mergedReader streams a weight with its adapter merged into it.
type mergedReader struct {
	stateReader
	adapter nn.Adapter
	layout  autograd.WeightLayout
	layer   string
}

// WriteTo writes the weight's elements, little endian.
func (r mergedReader) WriteTo(w io.Writer) (int64, error) {
	a, err := readState(r.store, r.layer+nn.LoRAA)
	if err != nil {
		return 0, err
	}
	b, err := readState(r.store, r.layer+nn.LoRAB)
	if err != nil {
		return 0, err
	}
	return r.stream(w, nn.NewDelta(r.layout, a, b, r.adapter.Rank, r.adapter.Scale()).Merge)
}

// readState returns a whole state.
func readState(store *exec.Store, name string) ([]float32, error) {
	st := store.Get(name)
	if st == nil {
		return nil, fmt.Errorf("the model has no state %q", name)
	}
	values := make([]float32, st.Shape.Size())
	return values, store.Read(name, values)
}

// adapterFiles are the files of an adapter in peft's format.
func adapterFiles(store *exec.Store, m nn.Model, base string) ([]checkpoint.File, error) {
	params := nn.Adapters(m.Params())
	tensors, err := stateTensors(store, params)
	if err != nil {
		return nil, err
	}
	a := m.Config().Adapter
	c := peft.Config{Base: base, Rank: a.Rank, Alpha: a.Alpha, Dropout: a.Dropout, RSLoRA: a.RSLoRA}
	for _, p := range m.Params() {
		layer, weight := strings.CutSuffix(p.Name, ".weight")
		if weight && store.Get(layer+nn.LoRAA) != nil {
			c.Targets = append(c.Targets, layer)
			c.FanInFanOut = p.Layout == autograd.InOut
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
