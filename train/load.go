package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"gotrain/nn"
	"gotrain/nn/hub"
	"gotrain/train/config"
)

// ReadState reads trainer_state.json of a checkpoint. The error is
// os.ErrNotExist's in a directory that training did not write.
func ReadState(dir string) (*State, error) {
	file := filepath.Join(dir, StateFile)
	raw, err := hub.ReadText(file)
	if err != nil {
		return nil, err
	}
	var s State
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if s.Applied < 0 || s.Applied > s.Step || s.Samples < 0 || s.Tokens < 0 {
		return nil, fmt.Errorf("%s: step %d, %d applied, %d samples and %d tokens are not where a run stands; use another checkpoint", file, s.Step, s.Applied, s.Samples, s.Tokens)
	}
	return &s, nil
}

// ReadTrained returns where the training of the model in dir stood and the
// configuration that it had: in a directory that training did not write the zero
// State and the defaults. The section model is that of config.json.
func ReadTrained(dir string, families nn.Families) (State, Config, error) {
	cfg := DefaultConfig(families)
	s, err := ReadState(dir)
	if errors.Is(err, os.ErrNotExist) {
		s, err = &State{}, nil
	} else if err == nil {
		err = config.Decode(filepath.Join(dir, StateFile), []byte(s.Config), &cfg)
	}
	if err != nil {
		return State{}, cfg, err
	}
	spec, _, err := hub.ReadConfig(dir, families)
	if err == nil {
		err = cfg.Model.Set(spec.Family, spec.Config)
	}
	return *s, cfg, err
}
