package train

import (
	"encoding/json"
	"io"
	"path/filepath"

	"gotrain/nn"
	"gotrain/nn/hub"
	"gotrain/nn/hub/peft"
	"gotrain/optim"
	"gotrain/train/checkpoint"
	"gotrain/train/config"
)

// Files of a checkpoint beside manifest.json.
const (
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

// filesBeside are the files of a checkpoint other than its weights and the
// optimizer's state.
func (r *run) filesBeside(from hub.States) ([]checkpoint.File, error) {
	resolved, err := config.Encode(r.cfg)
	if err != nil {
		return nil, err
	}
	state := r.state
	state.Config = string(resolved)
	files := []checkpoint.File{jsonFile(StateFile, state)}
	own, err := hub.Files(r.model, r.tokenizer, r.identity)
	if err != nil {
		return nil, err
	}
	if r.cfg.LoRA.Rank > 0 {
		adapter, err := hub.AdapterFiles(from, r.model, r.cfg.Base)
		if err != nil {
			return nil, err
		}
		files = append(files, adapter...)
	}
	return append(files, own...), nil
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
	var wanted []hub.Tensor
	for _, name := range store.Names() {
		if optim.IsState(name) {
			wanted = append(wanted, hub.Tensor{Name: name, State: name})
		}
	}
	files, err := hub.OpenTensors(dir, OptimizerFile)
	if err != nil {
		return err
	}
	defer files.Close()
	return hub.LoadStates(store, filepath.Join(dir, OptimizerFile), files.Tensor, wanted,
		"the optimizer of the checkpoint is another one; keep optimizer.kind, momentum and ema, train.freeze and lora as they were")
}

// restoreParams loads the parameters from the checkpoint in dir: with an adapter,
// which it holds, to the base that the adapter was trained on.
func (r *run) restoreParams(dir string) error {
	if r.cfg.LoRA.Rank == 0 {
		return hub.LoadParams(r.engine.Store(), dir, r.model.Params())
	}
	if err := r.checkBase(); err != nil {
		return err
	}
	if err := hub.LoadParams(r.engine.Store(), r.cfg.Base, nn.Base(r.model.Params())); err != nil {
		return err
	}
	return hub.LoadAdapter(r.engine.Store(), r.deps.FS, filepath.Join(dir, peft.Dir), r.model.Params(),
		"the checkpoint has another adapter; keep the lora section as it was")
}
