package save

import (
	"errors"
	"fmt"
	"path"
	"path/filepath"

	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/nn/hub/peft"
	"example.com/gotrain/train/checkpoint"
)

// adapterFiles are the files of a model's adapter in peft's format; base is what it was
// trained on.
func (m modelShare) adapterFiles(from hub.States, base BaseState) ([]checkpoint.File, error) {
	trained := ""
	if base.Dir != "" {
		trained = base.Fingerprint.String()
	}
	files, err := hub.AdapterFiles(from, m.Model.Model, m.Base, trained)
	for i := range files {
		files[i].Name = path.Join(m.adapterDir(), files[i].Name)
	}
	return files, err
}

// whole tells whether checkpoints hold the weights of the model, with its adapter merged
// if it has one; else they hold the adapter alone, beside a base that stays as it is.
func (m Model) whole() bool { return !m.adapted() || m.Base == "" || m.Tuning().Adapter.Merge }

// tensors are the weights of the model as checkpoints hold them: merged ones in the types
// of the base.
func (m Model) tensors() []hub.Tensor {
	tensors := hub.ModelTensors(m.Model)
	if !m.adapted() || m.Base == "" {
		return tensors
	}
	if err := hub.AsStored(tensors, m.Base, m.Model); err != nil {
		return hub.ModelTensors(m.Model) // whoever loads the base tells
	}
	return tensors
}

// adapterDir is the folder of the model's adapter in a checkpoint: the model's own, or
// one beside the merged weights.
func (m Model) adapterDir() string {
	switch {
	case !m.whole():
		return m.role()
	case m.role() == "":
		return peft.Dir
	}
	return m.role() + "-" + peft.Dir
}

// findAdapter is the folder of the model's adapter in a checkpoint that may have been
// written with lora.merge or without.
func (m Model) findAdapter(dir string) string {
	if own := filepath.Join(dir, m.role()); hub.IsAdapter(own) {
		return own
	}
	merged := Model{Model: m.Model}
	return filepath.Join(dir, merged.adapterDir())
}

// ModelBytes is the size of the tensors of models in a checkpoint.
func ModelBytes(models []Model) int64 {
	var n int64
	for _, m := range models {
		tensors := hub.ParamTensors(nn.Adapters(m.Params()))
		if m.whole() {
			tensors = append(tensors, m.tensors()...)
		}
		for _, t := range tensors {
			n += t.Bytes()
		}
	}
	return n
}

// BasesOf identifies the bases of the models that have an adapter, by their roles.
func BasesOf(models []Model) (map[string]BaseState, error) {
	var bases map[string]BaseState
	for _, m := range models {
		if !m.adapted() || m.Base == "" {
			continue
		}
		sum, err := hub.Fingerprint(m.Base)
		if err != nil {
			return nil, err
		}
		if bases == nil {
			bases = map[string]BaseState{}
		}
		bases[m.role()] = BaseState{Dir: m.Base, Fingerprint: sum}
	}
	return bases, nil
}

// KeepBases keeps the bases of models that have an adapter from being retired by the runs
// whose checkpoints they are.
func KeepBases(fsys vfs.FS, runDir string, models []Model) []checkpoint.Event {
	name := filepath.Base(runDir)
	if full, err := filepath.Abs(runDir); err == nil {
		name = filepath.Base(full)
	}
	var events []checkpoint.Event
	for _, m := range models {
		if m.adapted() && m.Base != "" {
			events = append(events, checkpoint.KeepBase(fsys, m.Base, name)...)
		}
	}
	return events
}

// checkBase refuses to go on from a checkpoint whose adapter was trained on
// other weights than the base of m has now.
func checkBase(s *State, m Model) error {
	was, ok := s.Bases[m.role()]
	if !ok {
		return errors.New("the checkpoint was trained without an adapter; take the lora section out, or begin anew with --resume none")
	}
	now, err := hub.Fingerprint(m.Base)
	if err != nil {
		return err
	}
	if now != was.Fingerprint {
		return fmt.Errorf("the weights in %s are others than those that the adapter was trained on (%s then); put those back, or begin anew with --resume none", m.Base, was.Dir)
	}
	return nil
}
