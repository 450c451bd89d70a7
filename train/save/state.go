package save

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn/hub/manifest"
	"example.com/gotrain/train/config"
)

// Files of a checkpoint beside those of its models.
const (
	OptimizerFile = "optimizer.safetensors"
	StateFile     = "trainer_state.json"
)

// State is trainer_state.json: where a run stands, apart from its tensors.
type State struct {
	Step    int          // optimizer steps done, skipped ones included
	Samples int64        // consumed: the position in the order of the data
	Units   int64        // of them, such as tokens
	Phases  []PhaseState // of a step
	Config  string       // the resolved configuration, YAML
	Split   string       // the record of which texts were trained on and which held out; "" for none
	// Bases are the checkpoints that constant weights come from, by the role of
	// their model: those under an adapter.
	Bases map[string]BaseState
	// Best is the best evaluation so far, nil without early stopping.
	Best *Best
	// Sound is the newest step whose evaluation alarmed nobody, 0 for none.
	Sound int
	// Ways are those in which the back end computes, nil where it chose none by timing.
	Ways *Ways
}

// Ways are how a back end computed what it has several ways for, and where.
type Ways struct {
	Where string    `json:"where"` // the library and the card
	Ways  exec.Ways `json:"ways"`
}

// PhaseState is where a phase stands.
type PhaseState struct {
	Applied int   `json:"applied"` // updates made
	Guard   Guard `json:"guard"`
}

// Guard counts the updates of a phase that were skipped; package train decides.
type Guard struct {
	// Mean is the running mean of accepted gradient norms, Seen how many went into it.
	Mean float64 `json:"mean"`
	Seen int     `json:"seen"`
	// Skipped counts all skipped steps, InARow the latest without an accepted
	// one between them.
	Skipped int `json:"skipped"`
	InARow  int `json:"in_a_row"`
}

// BaseState identifies the weights that an adapter was trained on: merging
// rounds, so a run can only go on from the very same ones.
type BaseState struct {
	Dir         string       `json:"dir"`
	Fingerprint manifest.Sum `json:"fingerprint"` // of the names, shapes and bytes of its tensors
}

// Best is the state of early stopping. It is part of a checkpoint, so that a run
// that was stopped judges as one that was not.
type Best struct {
	Step  int     `json:"step"`  // of the best evaluation; its checkpoint is kept
	Value float64 `json:"nll"`   // of the metric that a run is judged by
	Worse int     `json:"worse"` // evaluations since without improvement
}

// stateFile is a State as it is written. A run of one phase and one model has no
// lists.
type stateFile struct {
	Step    int    `json:"step"`
	Applied int    `json:"applied"`
	Samples int64  `json:"samples"`
	Units   int64  `json:"tokens"`
	Guard   Guard  `json:"guard"`
	Config  string `json:"config"`
	Split   string `json:"split,omitempty"`

	Phases []PhaseState         `json:"further_phases,omitempty"`
	Base   *BaseState           `json:"base,omitempty"`
	Bases  map[string]BaseState `json:"bases,omitempty"`
	Best   *Best                `json:"best,omitempty"`
	Sound  int                  `json:"sound,omitempty"`
	Ways   *Ways                `json:"ways,omitempty"`
}

// MarshalJSON writes the state.
func (s State) MarshalJSON() ([]byte, error) {
	f := stateFile{Step: s.Step, Samples: s.Samples, Units: s.Units, Config: s.Config, Split: s.Split, Best: s.Best, Sound: s.Sound, Ways: s.Ways}
	if len(s.Phases) > 0 {
		f.Applied, f.Guard, f.Phases = s.Phases[0].Applied, s.Phases[0].Guard, s.Phases[1:]
	}
	for role, base := range s.Bases {
		if role == "" {
			f.Base = &base
			continue
		}
		if f.Bases == nil {
			f.Bases = map[string]BaseState{}
		}
		f.Bases[role] = base
	}
	return json.Marshal(f)
}

// UnmarshalJSON reads a state.
func (s *State) UnmarshalJSON(text []byte) error {
	var f stateFile
	if err := json.Unmarshal(text, &f); err != nil {
		return err
	}
	*s = State{Step: f.Step, Samples: f.Samples, Units: f.Units, Config: f.Config, Split: f.Split, Best: f.Best, Sound: f.Sound, Ways: f.Ways, Bases: f.Bases}
	s.Phases = append([]PhaseState{{f.Applied, f.Guard}}, f.Phases...)
	if f.Base != nil {
		if s.Bases == nil {
			s.Bases = map[string]BaseState{}
		}
		s.Bases[""] = *f.Base
	}
	return nil
}

// ConfigOf is the configuration that the checkpoint in dir was trained with, and the
// state there: the default and nil in a directory that training did not write.
func ConfigOf(dir string, t config.Tables) (config.Config, *State, error) {
	s, err := ReadState(dir)
	if errors.Is(err, os.ErrNotExist) {
		return config.Default(t), nil, nil
	}
	if err != nil {
		return config.Config{}, nil, err
	}
	c, err := config.Parse(filepath.Join(dir, StateFile), []byte(s.Config), t)
	return c, s, err
}

// maxText bounds the JSON files of a checkpoint, in bytes.
const maxText = 256 << 20

// ReadState reads trainer_state.json of a checkpoint. The error is
// os.ErrNotExist's in a directory that training did not write.
func ReadState(dir string) (*State, error) {
	file := filepath.Join(dir, StateFile)
	raw, err := vfs.ReadFile(vfs.OS{}, file, maxText)
	if err != nil {
		return nil, err
	}
	var s State
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	bad := s.Samples < 0 || s.Units < 0
	for _, p := range s.Phases {
		bad = bad || p.Applied < 0 || p.Applied > s.Step
	}
	if bad {
		return nil, fmt.Errorf("%s: step %d, %+v, %d samples and %d units are not where a run stands; use another checkpoint", file, s.Step, s.Phases, s.Samples, s.Units)
	}
	return &s, nil
}
