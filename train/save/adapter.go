package save

import (
	"errors"
	"fmt"
	"io/fs"
	"path"

	"gotrain/nn/hub"
	"gotrain/nn/hub/peft"
	"gotrain/train/checkpoint"
)

// adapterFiles are the files of a model's adapter in peft's format.
func (m modelShare) adapterFiles(from hub.States) ([]checkpoint.File, error) {
	files, err := hub.AdapterFiles(from, m.Model.Model, m.Base)
	for i := range files {
		files[i].Name = path.Join(adapterDir(m.Model), path.Base(files[i].Name))
	}
	return files, err
}

// adapterDir is the folder of a model's adapter in a checkpoint.
func adapterDir(m Model) string {
	if m.role() == "" {
		return peft.Dir
	}
	return m.role() + "-" + peft.Dir
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

// checkBase refuses to go on from a checkpoint whose adapter was trained on
// other weights than the base of m has now.
func checkBase(s *State, m Model) error {
	was, ok := s.Bases[m.role()]
	if !ok {
		return errors.New("the checkpoint was trained without an adapter; take the lora section out, or begin anew with --resume none")
	}
	now, err := hub.Fingerprint(m.Base)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the base of the adapter is gone: %w; put it back at %s", err, was.Dir)
	}
	if err != nil {
		return err
	}
	if now != was.Fingerprint {
		return fmt.Errorf("the weights in %s are others than those that the adapter was trained on (%s then); put those back, or begin anew with --resume none", m.Base, was.Dir)
	}
	return nil
}
