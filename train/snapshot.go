package train

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"sort"

	"gotrain/autograd/exec"
	"gotrain/autograd/ir"
	"gotrain/nn"
	"gotrain/nn/hub/peft"
	"gotrain/nn/hub/safetensors"
	"gotrain/optim"
	"gotrain/train/checkpoint"
	"gotrain/train/config"
)

// Files of a checkpoint beside manifest.json.
const (
	ModelFile     = "model.safetensors"
	OptimizerFile = "optimizer.safetensors"
	StateFile     = "trainer_state.json"
)

// State is trainer_state.json: where a run stands, apart from its tensors.
type State struct {
	Step    int    `json:"step"`    // optimizer steps done, skipped ones included
	Applied int    `json:"applied"` // updates made
	Samples int64  `json:"samples"` // sequences consumed: the position in the data order
	Tokens  int64  `json:"tokens"`  // positions trained on
	Guard   Guard  `json:"guard"`
	Config  string `json:"config"` // the resolved configuration, YAML
	// Base is what an adapter was trained on, nil without one.
	Base *BaseState `json:"base,omitempty"`
	// Best is the best evaluation so far, nil without early stopping.
	Best *Best `json:"best,omitempty"`
}

// streamElements is the buffer through which a state passes: memory does not grow
// with the model while it is saved or loaded.
const streamElements = 1 << 20

// states is where the tensors of a checkpoint come from: an exec.Store or an
// exec.Snapshot of one.
type states interface {
	// View returns the elements of a state where they lie, nil if that is not in
	// memory of the process.
	View(name string) []float32
	ReadAt(name string, offset int, dst []float32) error
}

// savedTensor is a tensor of a checkpoint: a state or, with an adapter, a weight with
// the adapter merged into it.
type savedTensor struct {
	name   string
	shape  ir.Shape
	frozen bool // no step changes it
	merge  *merge
}

func (s savedTensor) bytes() int64 { return int64(s.shape.Size()) * int64(safetensors.F32.Size()) }

// reads names the states that the tensor is made from.
func (s savedTensor) reads() []string {
	if s.merge == nil {
		return []string{s.name}
	}
	return []string{s.name, s.merge.a.name, s.merge.b.name}
}

// tensor gives the tensor's content.
func (s savedTensor) tensor(from states) safetensors.Tensor {
	t := safetensors.Tensor{Name: s.name, DType: safetensors.F32, Shape: s.shape}
	switch view := from.View(s.name); {
	case s.merge != nil:
		t.From = mergedReader{stateReader{from, s.name, s.shape.Size()}, *s.merge}
	case view != nil:
		t.Data = safetensors.Bytes(view)
	default:
		t.From = stateReader{from, s.name, s.shape.Size()}
	}
	return t
}

// paramTensors are parameters as they are, under their Hugging Face names.
func paramTensors(params []nn.Param) []savedTensor {
	tensors := make([]savedTensor, len(params))
	for i, p := range params {
		tensors[i] = savedTensor{name: p.Name, shape: p.Shape, frozen: p.Frozen}
	}
	return tensors
}

func contents(tensors []savedTensor, from states) []safetensors.Tensor {
	all := make([]safetensors.Tensor, len(tensors))
	for i, t := range tensors {
		all[i] = t.tensor(from)
	}
	return all
}

// stateReader streams one state.
type stateReader struct {
	from states
	name string
	size int
}

// WriteTo writes the state's elements, little endian.
func (r stateReader) WriteTo(w io.Writer) (int64, error) { return r.stream(w, nil) }

// stream writes the elements as change leaves them, which gets a part and its
// offset; nil changes nothing.
func (r stateReader) stream(w io.Writer, change func(part []float32, offset int)) (int64, error) {
	buf := make([]float32, min(streamElements, r.size))
	var written int64
	for off := 0; off < r.size; off += len(buf) {
		part := buf[:min(len(buf), r.size-off)]
		if err := r.from.ReadAt(r.name, off, part); err != nil {
			return written, err
		}
		if change != nil {
			change(part, off)
		}
		n, err := w.Write(safetensors.Bytes(part))
		written += int64(n)
		if err != nil {
			return written, err
		}
	}
	return written, nil
}

// modelMetadata tells transformers what wrote the weights.
func modelMetadata() map[string]string { return map[string]string{"format": "pt"} }

// filesBeside are the files of a checkpoint other than its weights and the
// optimizer's state.
func (r *run) filesBeside(from states) ([]checkpoint.File, error) {
	resolved, err := config.Encode(r.cfg)
	if err != nil {
		return nil, err
	}
	state := r.state
	state.Config = string(resolved)
	files := []checkpoint.File{jsonFile(StateFile, state)}
	hub, err := r.hubFiles()
	if err != nil {
		return nil, err
	}
	if r.cfg.LoRA.Rank > 0 {
		adapter, err := adapterFiles(from, r.model, r.cfg.Base)
		if err != nil {
			return nil, err
		}
		files = append(files, adapter...)
	}
	return append(files, hub...), nil
}

// hubFiles are what transformers and other programs read beside the weights.
func (r *run) hubFiles() ([]checkpoint.File, error) {
	config, err := nn.ConfigJSON(r.model, r.identity.special)
	if err != nil {
		return nil, err
	}
	generation, err := nn.GenerationJSON(r.identity.special)
	if err != nil {
		return nil, err
	}
	files, err := tokenizerFiles(r.tokenizer, r.identity.roles)
	return append(files, bytesFile("config.json", config), bytesFile("generation_config.json", generation)), err
}

func bytesFile(name string, content []byte) checkpoint.File {
	return checkpoint.File{Name: name, Write: func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	}}
}

func jsonFile(name string, v any) checkpoint.File {
	return checkpoint.File{Name: name, Write: func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		return e.Encode(v)
	}}
}

// restore loads the checkpoint in dir into the engine.
func (r *run) restore(dir string) error {
	state, err := ReadState(dir)
	if err != nil {
		return err
	}
	r.state = *state
	if err := r.restoreParams(dir); err != nil {
		return err
	}
	store := r.engine.Store()
	var wanted []string
	for _, name := range store.Names() {
		if optim.IsState(name) {
			wanted = append(wanted, name)
		}
	}
	files, err := openTensors(dir, OptimizerFile)
	if err != nil {
		return err
	}
	defer files.Close()
	return loadStates(store, filepath.Join(dir, OptimizerFile), files.Tensor, wanted,
		"the optimizer of the checkpoint is another one; keep optimizer.kind, momentum and ema, train.freeze and lora as they were")
}

// restoreParams loads the parameters from the checkpoint in dir: with an adapter,
// which it holds, to the base that the adapter was trained on.
func (r *run) restoreParams(dir string) error {
	if r.cfg.LoRA.Rank == 0 {
		return LoadParams(r.engine.Store(), dir, r.model.Params())
	}
	if err := r.checkBase(); err != nil {
		return err
	}
	if err := LoadParams(r.engine.Store(), r.cfg.Base, nn.Base(r.model.Params())); err != nil {
		return err
	}
	return loadAdapter(r.engine.Store(), r.deps.FS, filepath.Join(dir, peft.Dir), r.model.Params(),
		"the checkpoint has another adapter; keep the lora section as it was")
}

// LoadParams fills parameters in store from the weights in dir, one safetensors
// file or several.
func LoadParams(store *exec.Store, dir string, params []nn.Param) error {
	weights, err := safetensors.OpenDir(dir)
	if err != nil {
		return err
	}
	defer weights.Close()
	return loadStates(store, dir, weights.Tensor, names(params), "the weights are of another model; keep the model section as it was")
}

func names(params []nn.Param) []string {
	names := make([]string, len(params))
	for i, p := range params {
		names[i] = p.Name
	}
	return names
}

// loadStates reads the named states from the tensors of a file. All of them must
// be there with their shapes; cure ends the error otherwise.
func loadStates(store *exec.Store, file string, tensor func(name string) (safetensors.Tensor, bool), names []string, cure string) error {
	sort.Strings(names)
	buf := make([]float32, streamElements)
	for _, name := range names {
		t, ok := tensor(name)
		if !ok {
			return fmt.Errorf("%s: there is no tensor %q: %s", file, name, cure)
		}
		st := store.Get(name)
		if !st.Shape.Equal(t.Shape) {
			return fmt.Errorf("%s: tensor %q has shape %v, the model wants %s: %s", file, name, t.Shape, st.Shape, cure)
		}
		size, width := st.Shape.Size(), t.DType.Size()
		for off := 0; off < size; off += len(buf) {
			values := buf[:min(len(buf), size-off)]
			part := t
			part.Shape, part.Data = []int{len(values)}, t.Data[off*width:(off+len(values))*width]
			if err := part.CopyFloat32(values); err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
			if err := store.WriteAt(name, off, values); err != nil {
				return err
			}
		}
	}
	return nil
}
