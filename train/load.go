package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"gotrain/autograd/exec"
	"gotrain/autograd/ir"
	"gotrain/data"
	"gotrain/data/vfs"
	"gotrain/nn"
	"gotrain/nn/hub/peft"
	"gotrain/nn/hub/safetensors"
	"gotrain/train/checkpoint"
	"gotrain/train/config"
)

// ErrNoModel says that a path leads to no checkpoint.
var ErrNoModel = errors.New("no model")

// Loaded is a trained model that is ready to run.
type Loaded struct {
	Dir       string // of the checkpoint, links resolved
	Model     nn.LanguageModel
	Store     *exec.Store // holds the parameters, and nothing else yet
	Tokenizer data.Tokenizer
	Special   nn.SpecialTokens
	// State is where training stood, the zero State in a directory that was not
	// written by training; Config is then the default with the model's section.
	State  State
	Config Config
}

// FindCheckpoint returns the directory of the checkpoint that path names: a
// checkpoint or a link to one, or a run or its folder of checkpoints, for the
// newest. Errors wrap ErrNoModel.
func FindCheckpoint(path string) (string, error) {
	if info, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("%w: %w", ErrNoModel, err)
	} else if !info.IsDir() {
		return "", fmt.Errorf("%w: %s is a file; name the directory of a checkpoint or of a run", ErrNoModel, path)
	}
	for _, dir := range []string{path, checkpoint.LatestLink(path), filepath.Join(path, "latest")} {
		for _, weights := range []string{ModelFile, safetensors.IndexName} {
			if _, err := os.Stat(filepath.Join(dir, weights)); err == nil {
				return filepath.EvalSymlinks(dir)
			}
		}
	}
	if _, err := os.Stat(filepath.Join(path, peft.ConfigFile)); err == nil {
		return "", fmt.Errorf("%w: %s is an adapter: name the model that it was trained on, and the adapter with --adapter", ErrNoModel, path)
	}
	if _, err := os.Stat(filepath.Join(path, "config.yaml")); err == nil {
		return "", fmt.Errorf("%w: the run %s has saved no checkpoint yet", ErrNoModel, path)
	}
	return "", fmt.Errorf("%w: %s holds no %s and no %s; name the directory of a checkpoint or of a run", ErrNoModel, path, ModelFile, safetensors.IndexName)
}

// Load verifies the checkpoint that path names, as in FindCheckpoint, and loads
// its model and tokenizer on b; with the adapter that another path names, as in
// FindAdapter, unless that is empty.
func Load(path, adapter string, b exec.Backend, fsys vfs.FS, families nn.Families) (*Loaded, error) {
	dir, err := FindCheckpoint(path)
	if err != nil {
		return nil, err
	}
	l := &Loaded{Dir: dir, Store: exec.NewStore(b), Config: DefaultConfig(families)}
	if _, err := os.Stat(filepath.Join(dir, "manifest.json")); err == nil {
		if _, err := checkpoint.Verify(fsys, dir); err != nil {
			return nil, fmt.Errorf("%w; use another checkpoint of the run", err)
		}
	}
	if err := l.readState(); err != nil {
		return nil, err
	}
	if err := l.buildModel(families); err != nil {
		return nil, err
	}
	if adapter != "" {
		if adapter, err = l.addAdapter(adapter, fsys, families); err != nil {
			return nil, fmt.Errorf("adapter: %w", err)
		}
	}
	if err := l.loadParams(adapter, fsys); err != nil {
		return nil, err
	}
	l.Tokenizer, err = LoadTokenizer(dir)
	if err != nil {
		return nil, err
	}
	if v, m := l.Tokenizer.Vocab(), l.Model.Vocab(); v > m {
		return nil, fmt.Errorf("%s: the tokenizer has %d tokens, the model %d; they do not belong together", dir, v, m)
	}
	return l, nil
}

// ReadState reads trainer_state.json of a checkpoint. The error is
// os.ErrNotExist's in a directory that training did not write.
func ReadState(dir string) (*State, error) {
	file := filepath.Join(dir, StateFile)
	raw, err := readText(file)
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

// maxText bounds the JSON files of a checkpoint, in bytes.
const maxText = 256 << 20

// readText reads a JSON file of a checkpoint.
func readText(file string) ([]byte, error) { return vfs.ReadFile(vfs.OS{}, file, maxText) }

// readState takes what trainer_state.json tells, if it is there.
func (l *Loaded) readState() error {
	s, err := ReadState(l.Dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	l.State = *s
	return config.Decode(filepath.Join(l.Dir, StateFile), []byte(s.Config), &l.Config)
}

func (l *Loaded) buildModel(families nn.Families) error {
	file := filepath.Join(l.Dir, "config.json")
	text, err := readText(file)
	if err != nil {
		return err
	}
	spec, err := families.Parse(text)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if err := l.Config.Model.Set(spec.Family, spec.Config); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if l.Special, err = nn.ParseSpecialTokens(text); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	m, err := families.New(spec, nn.Tuning{})
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	l.Model, err = nn.AsLanguageModel(m)
	return err
}

// addAdapter rebuilds the model with the adapter that path names and returns its
// directory.
func (l *Loaded) addAdapter(path string, fsys vfs.FS, families nn.Families) (string, error) {
	dir, err := FindAdapter(path)
	if err != nil {
		return "", err
	}
	a, lora, err := openAdapter(fsys, dir, l.Dir, l.Model.Params())
	if err != nil {
		return "", err
	}
	l.Config.LoRA = lora
	m, err := families.New(nn.SpecOf(l.Model), nn.Tuning{Adapter: lora})
	if err != nil {
		return "", errors.Join(err, a.Close())
	}
	l.Model, err = nn.AsLanguageModel(m)
	return dir, errors.Join(err, a.Close())
}

// loadParams loads the checkpoint, and the adapter in a directory if there is one.
func (l *Loaded) loadParams(adapter string, fsys vfs.FS) error {
	params := l.Model.Params()
	for _, p := range params {
		if _, err := l.Store.Ensure(p.Name, ir.F32, p.Shape); err != nil {
			return err
		}
	}
	if err := LoadParams(l.Store, l.Dir, nn.Base(params)); err != nil || adapter == "" {
		return err
	}
	return loadAdapter(l.Store, fsys, adapter, params, "the adapter changed while it was read; try again")
}

// EndTokens are the tokens that end a text.
func (l *Loaded) EndTokens() []int32 {
	var ends []int32
	for _, id := range l.Special.EOS {
		ends = append(ends, int32(id))
	}
	if e, err := NewEncoder(l.Tokenizer); err == nil && len(ends) == 0 {
		ends = append(ends, e.end)
	}
	return ends
}

// SaveTokenizer writes a tokenizer as Hugging Face reads it, tokenizer.json and
// tokenizer_config.json, into dir. context is the longest sequence in tokens, 0
// for no limit.
func SaveTokenizer(fsys vfs.FS, dir string, t data.Tokenizer, context int) error {
	files, err := tokenizerFiles(t, freshIdentity(t, context).roles)
	if err != nil {
		return err
	}
	if err := vfs.MkdirAll(fsys, dir); err != nil {
		return err
	}
	for _, f := range files {
		if err := vfs.WriteFile(fsys, filepath.Join(dir, f.Name), f.Write); err != nil {
			return err
		}
	}
	return nil
}
