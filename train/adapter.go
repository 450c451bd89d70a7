package train

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
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
)

// AdapterDir is the folder of a checkpoint with the adapter, as peft keeps it.
// The model beside it is the merged one.
const AdapterDir = "adapter"

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
		bytesFile(AdapterDir+"/"+peft.ConfigFile, text),
		{Name: AdapterDir + "/" + peft.WeightsFile, Write: func(w io.Writer) error {
			return safetensors.Write(w, peft.Tensors(tensors), map[string]string{"format": "pt"})
		}},
	}, nil
}

// loadAdapter fills the adapter's parameters from the checkpoint in dir.
func (r *run) loadAdapter(dir string) error {
	dir = filepath.Join(dir, AdapterDir)
	a, err := peft.Open(r.deps.FS, dir)
	if err != nil {
		return err
	}
	defer a.Close()
	const cure = "the checkpoint has another adapter; keep the lora section as it was"
	return loadStates(r.engine.Store(), dir, func(name string) (safetensors.Tensor, bool) {
		t, ok := a.Tensors[name]
		return t, ok
	}, names(nn.Adapters(r.model.Params())), cure)
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
