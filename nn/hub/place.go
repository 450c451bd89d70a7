package hub

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/hub/manifest"
	"example.com/gotrain/nn/hub/peft"
	"example.com/gotrain/nn/hub/safetensors"
)

// Place is where the files of a model lie: in one directory or, of an adapter, in its
// own and that of its base.
type Place struct {
	Dir     string // of the tokenizer and, in a checkpoint of a run, of the state
	Base    string // of config.json and the weights: Dir, or the base of the adapter
	Adapter bool   // Dir holds an adapter to Base, and no weights of the model
}

// Locate finds the model that path names, as FindCheckpoint does, and the base of an
// adapter. Errors wrap ErrNoModel.
func Locate(path string) (Place, error) {
	dir, err := FindCheckpoint(path)
	if err != nil {
		return Place{}, err
	}
	return PlaceOf(dir)
}

// Whole finds and describes the model that path names, which has weights of its own: an adapter
// alone is an error, since whoever reads Base leaves it out.
func Whole(path string, families nn.Families) (Place, Description, error) {
	place, err := Locate(path)
	if err != nil {
		return place, Description{}, err
	}
	if place.Adapter {
		return place, Description{}, fmt.Errorf("%s is an adapter to %s: merge it with gotrain export, and name the result", path, place.Base)
	}
	d, err := Describe(place.Dir, families)
	return place, d, err
}

// PlaceOf is where the files of the model in dir lie. Errors wrap ErrNoModel.
func PlaceOf(dir string) (Place, error) {
	if !IsAdapter(dir) {
		return Place{Dir: dir, Base: dir}, nil
	}
	base, err := baseOf(dir)
	return Place{Dir: dir, Base: base, Adapter: true}, err
}

// IsAdapter tells whether dir holds an adapter and no weights of a model.
func IsAdapter(dir string) bool { return exists(dir, peft.ConfigFile) && !hasWeights(dir) }

func hasWeights(dir string) bool {
	return exists(dir, ModelFile) || exists(dir, safetensors.DiffusersName) || exists(dir, safetensors.IndexName)
}

func exists(dir, name string) bool {
	_, err := os.Stat(filepath.Join(dir, name))
	return err == nil
}

// File is the path of a file of the model: in Dir, or where it is not there in Base.
func (p Place) File(name string) string {
	if exists(p.Dir, name) {
		return filepath.Join(p.Dir, name)
	}
	return filepath.Join(p.Base, name)
}

// TokenizerDir is the directory of the tokenizer: Dir, or Base where Dir has none.
func (p Place) TokenizerDir() string {
	for _, name := range []string{"tokenizer.json", "tokenizer.model"} {
		if exists(p.Dir, name) {
			return p.Dir
		}
	}
	return p.Base
}

// dirs are the directories, each once.
func (p Place) dirs() []string {
	if p.Base == p.Dir {
		return []string{p.Dir}
	}
	return []string{p.Dir, p.Base}
}

// Verify compares files that a manifest lists with their checksums.
func (p Place) Verify(fsys vfs.FS) error {
	for _, dir := range p.dirs() {
		if !exists(dir, manifest.Name) {
			continue
		}
		if _, err := manifest.Verify(fsys, dir); err != nil {
			return fmt.Errorf("%w; use another checkpoint of the run", err)
		}
	}
	return nil
}

// baseOf finds the model that the adapter in dir was trained on, by the name that peft
// keeps: a path, of the working directory as peft reads it, else of dir.
func baseOf(dir string) (string, error) {
	c, _, err := peft.ReadConfig(vfs.OS{}, dir)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrNoModel, err)
	}
	if c.Base == "" {
		return "", fmt.Errorf("%w: %s is an adapter and does not tell to which model: name that, and the adapter with --adapter", ErrNoModel, dir)
	}
	paths := []string{c.Base}
	if !filepath.IsAbs(c.Base) {
		paths = append(paths, filepath.Join(dir, c.Base))
	}
	for _, path := range paths {
		base, err := FindCheckpoint(path)
		switch {
		case err == nil && IsAdapter(base):
			return "", fmt.Errorf("%w: the base of the adapter %s, %s, is an adapter too: merge that first with gotrain export", ErrNoModel, dir, base)
		case err == nil:
			return base, nil
		case !errors.Is(err, os.ErrNotExist):
			return "", fmt.Errorf("the base of the adapter %s: %w", dir, err)
		}
	}
	return "", fmt.Errorf("%w: %s is an adapter to %s, and there is no such directory: put the model there, or name where it lies, and the adapter with --adapter", ErrNoModel, dir, c.Base)
}

// ErrOtherBase says that an adapter was trained on other weights.
var ErrOtherBase = errors.New("other weights than the adapter was trained on")

// CheckBase compares the weights in base with those that a was trained on, which
// gotrain's adapters tell. The error is ErrOtherBase's where they are others.
func CheckBase(a *peft.Adapter, base string) error {
	if a.Trained == "" {
		return nil
	}
	sum, err := Fingerprint(base)
	if err == nil && sum.String() != a.Trained {
		err = fmt.Errorf("%s has %w", base, ErrOtherBase)
	}
	return err
}

// CheckNamed is CheckBase of a base that a user has named: that it has other weights is
// a note then.
func CheckNamed(a *peft.Adapter, base string) error {
	err := CheckBase(a, base)
	if errors.Is(err, ErrOtherBase) {
		a.Notes = append(a.Notes, err.Error())
		return nil
	}
	return err
}

// CheckOwn is CheckBase of the base that the adapter in p was found to have.
func (p Place) CheckOwn(a *peft.Adapter, base string) error {
	err := CheckBase(a, base)
	if errors.Is(err, ErrOtherBase) {
		return fmt.Errorf("%s: its base %w: put those back; or name the model and, with --adapter, %s, to use it on these", p.Dir, err, p.Dir)
	}
	return err
}

// AdapterState is an adapter and whether it can be used.
type AdapterState struct {
	Base   string  `json:"base"` // as the adapter names it
	Rank   int     `json:"rank"`
	Scale  float64 `json:"scale"` // of B·A
	Layers int     `json:"layers"`
	// Fault tells that the base is not there, or has other weights than the adapter was
	// trained on; "" for neither.
	Fault string `json:"fault,omitempty"`
}

// InspectAdapter tells of the adapter in dir, nil where that holds none, or the weights
// of a model.
func InspectAdapter(fsys vfs.FS, dir string) (*AdapterState, error) {
	if !IsAdapter(dir) {
		return nil, nil
	}
	a, err := peft.Open(fsys, dir)
	if err != nil {
		return nil, err
	}
	defer a.Close()
	state := &AdapterState{Base: a.Base, Rank: a.Rank, Scale: a.LoRA().Scale(), Layers: len(a.Layers())}
	base, err := baseOf(dir)
	if err == nil {
		err = CheckBase(a, base)
	}
	if err != nil {
		state.Fault = err.Error()
	}
	return state, nil
}

// OpenWeights opens the tensors of the model in dir, or of the adapter that is there in
// place of one. They are gone after the function that it returns.
func OpenWeights(dir string) ([]safetensors.Tensor, func() error, error) {
	if IsAdapter(dir) {
		f, err := safetensors.Open(filepath.Join(dir, peft.WeightsFile))
		if err != nil {
			return nil, nil, err
		}
		return f.Tensors(), f.Close, nil
	}
	d, err := safetensors.OpenDir(dir)
	if err != nil {
		return nil, nil, err
	}
	return d.Tensors(), d.Close, nil
}
