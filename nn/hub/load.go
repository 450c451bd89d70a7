package hub

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/data"
	"example.com/gotrain/data/mmap"
	"example.com/gotrain/data/tokenizers"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/hub/peft"
	"example.com/gotrain/nn/hub/safetensors"
)

// Loaded is a model that is ready to run.
type Loaded struct {
	Dir   string      // of the model, links resolved
	Model nn.Model    // with its adapter, unmerged
	Store *exec.Store // holds the parameters, and nothing else yet
	// Tokenizer is nil in a model of something else than text.
	Tokenizer data.Tokenizer
	Identity           // of a model of text
	Notes     []string // what a user should know of the files
	place     Place
}

// Load verifies the model that path names, as in Locate, and loads it with its tokenizer
// on b; with the adapter that another path names, as in FindAdapter, unless that is
// empty.
func Load(path, adapter string, b exec.Backend, fsys vfs.FS, families nn.Families) (*Loaded, error) {
	place, err := Locate(path)
	if err != nil {
		return nil, err
	}
	if place.Adapter && adapter != "" {
		return nil, fmt.Errorf("%s is an adapter itself, to %s: merge it first with gotrain export, or put %s on %s", place.Dir, place.Base, adapter, place.Base)
	}
	l := &Loaded{Dir: place.Dir, place: place, Store: exec.NewStore(b)}
	if err := place.Verify(fsys); err != nil {
		return nil, err
	}
	d, err := Describe(place.Dir, families)
	if err != nil {
		return nil, err
	}
	l.Special, l.Notes = d.Special, d.Notes
	if l.Model, err = families.New(d.Spec, nn.Tuning{}); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(place.Base, ConfigFile), err)
	}
	if place.Adapter {
		adapter = place.Dir
	}
	if adapter != "" {
		if adapter, err = l.addAdapter(adapter, fsys, families); err != nil {
			return nil, fmt.Errorf("adapter: %w", err)
		}
	}
	if err := l.loadParams(adapter, fsys); err != nil {
		return nil, err
	}
	return l, l.loadTokenizer()
}

// SetContext rebuilds the model for texts of that many tokens in place of the context that
// it was trained with, on the same weights. It refuses where these tell of each position.
func (l *Loaded) SetContext(tokens int, families nn.Families) error {
	spec := nn.SpecOf(l.Model)
	config, ok := spec.Config.(nn.TextConfig)
	if !ok {
		return fmt.Errorf("a model of family %s reads no text", spec.Family)
	}
	text := config.Text()
	trained := text.Context
	text.Context = tokens
	config.SetText(text)
	m, err := families.New(spec, l.Model.Tuning())
	if err != nil {
		return err
	}
	for i, p := range l.Model.Params() {
		if now := m.Params()[i]; !now.Shape.Equal(p.Shape) {
			return fmt.Errorf("parameter %s %s holds a row for each of %d positions, none for more: train with model.positions alibi, or with rope", p.Name, p.Shape, trained)
		}
	}
	l.Model = m
	return nil
}

// addAdapter rebuilds the model with the adapter that path names and returns its
// directory.
func (l *Loaded) addAdapter(path string, fsys vfs.FS, families nn.Families) (string, error) {
	dir, err := FindAdapter(path)
	if err != nil {
		return "", err
	}
	check := CheckNamed
	if l.place.Adapter {
		check = l.place.CheckOwn
	}
	a, lora, err := openAdapter(fsys, dir, l.place.Base, l.Model.Params(), check)
	if err != nil {
		return "", err
	}
	l.Notes = append(l.Notes, a.Notes...)
	l.Model, err = families.New(nn.SpecOf(l.Model), nn.Tuning{Adapter: lora})
	return dir, errors.Join(err, a.Close())
}

// loadParams loads the model, and the adapter in a directory if there is one.
func (l *Loaded) loadParams(adapter string, fsys vfs.FS) error {
	params := l.Model.Params()
	for _, p := range params {
		if _, err := l.Store.Ensure(p.State(), p.DType, p.Shape); err != nil {
			return err
		}
	}
	notes, err := loadParams(l.Store, l.place.Base, nn.Base(params))
	l.Notes = append(l.Notes, notes...)
	if err != nil || adapter == "" {
		return err
	}
	return LoadAdapter(l.Store, fsys, adapter, params, "the adapter changed while it was read; try again")
}

// loadTokenizer loads the tokenizer of a model of text.
func (l *Loaded) loadTokenizer() error {
	text, ok := l.Model.Config().(nn.TextConfig)
	if !ok {
		return nil
	}
	dir := l.place.TokenizerDir()
	if err := checkPointers(dir, "tokenizer.json", "tokenizer_config.json", "tokenizer.model"); err != nil {
		return err
	}
	o, err := tokenizers.Open(dir)
	if err != nil {
		return err
	}
	l.Tokenizer, l.Roles = o.Tokenizer, o.Roles
	for _, note := range o.Notes {
		l.Notes = append(l.Notes, filepath.Join(dir, note))
	}
	if v, m := l.Tokenizer.Vocab(), text.Text().Vocab; v > m {
		return fmt.Errorf("%s: the tokenizer has %d tokens, the model %d; they do not belong together", dir, v, m)
	}
	return nil
}

// checkPointers refuses pointers of Git LFS in the place of files in dir.
func checkPointers(dir string, names ...string) error {
	for _, name := range names {
		file := filepath.Join(dir, name)
		info, err := os.Stat(file)
		if err != nil || info.Size() > vfs.MaxPointer {
			continue
		}
		if _, err := ReadText(file); errors.Is(err, vfs.ErrPointer) {
			return err
		}
	}
	return nil
}

// TokenizerDir is the directory that the tokenizer and the chat template lie in.
func (l *Loaded) TokenizerDir() string { return l.place.TokenizerDir() }

// EndTokens are the tokens that end a text.
func (l *Loaded) EndTokens() []int32 { return l.Ends(l.Tokenizer) }

// LoadParams fills parameters in store from the weights in dir, one safetensors
// file or several, as MatchTensors pairs them.
func LoadParams(store *exec.Store, dir string, params []nn.Param) error {
	_, err := loadParams(store, dir, params)
	return err
}

func loadParams(store *exec.Store, dir string, params []nn.Param) (notes []string, err error) {
	weights, err := safetensors.OpenDir(dir)
	if err != nil {
		return nil, err
	}
	defer weights.Close()
	m, err := MatchTensors(weights, params)
	if err != nil {
		return nil, err
	}
	find := func(param string) (safetensors.Tensor, bool) { return weights.Tensor(m.Tensors[param]) }
	return m.Notes, LoadStates(store, dir, find, ParamTensors(params), otherModel)
}

// LoadTrained fills parameters in store that are trained whole beside an adapter from the merged
// weights in dir.
func LoadTrained(store *exec.Store, dir string, params []nn.Param) error {
	weights, err := safetensors.OpenDir(dir)
	if err != nil {
		return err
	}
	defer weights.Close()
	return LoadStates(store, dir, weights.Tensor, ParamTensors(params), otherModel)
}

// CopyParams fills those parameters in store that the weights in dir, of another model, have of
// the same name and shape. There has to be one.
func CopyParams(store *exec.Store, dir string, params []nn.Param) error {
	weights, err := safetensors.OpenDir(dir)
	if err != nil {
		return err
	}
	defer weights.Close()
	there := slices.DeleteFunc(slices.Clone(params), func(p nn.Param) bool {
		t, ok := weights.Tensor(p.Name)
		return !ok || !p.Shape.Equal(t.Shape)
	})
	if len(there) == 0 {
		return fmt.Errorf("%s has none of the parameters: %s", weights.Path(), otherModel)
	}
	return LoadStates(store, dir, weights.Tensor, ParamTensors(there), otherModel)
}

// otherModel ends errors about weights that are no model's of a configuration.
const otherModel = "the weights are of another model; keep the model section as it was"

// OpenAdapter opens the adapter in dir and fits it to the model of params, whose
// checkpoint is base. Where it was trained on other weights, a note says so.
func OpenAdapter(fsys vfs.FS, dir, base string, params []nn.Param) (*peft.Adapter, nn.Adapter, error) {
	return openAdapter(fsys, dir, base, params, CheckNamed)
}

func openAdapter(fsys vfs.FS, dir, base string, params []nn.Param, check func(*peft.Adapter, string) error) (*peft.Adapter, nn.Adapter, error) {
	a, err := peft.Open(fsys, dir)
	if err != nil {
		return nil, nn.Adapter{}, err
	}
	lora, err := a.Fit(params)
	if err == nil {
		err = errors.Join(a.CheckApart(fsys, base), check(a, base))
	}
	if err != nil {
		return nil, nn.Adapter{}, errors.Join(err, a.Close())
	}
	return a, lora, nil
}

// LoadAdapter fills the parameters of an adapter among params from the adapter in
// dir, which fits them; cure ends the error where it does not.
func LoadAdapter(store *exec.Store, fsys vfs.FS, dir string, params []nn.Param, cure string) error {
	a, err := peft.Open(fsys, dir)
	if err != nil {
		return err
	}
	defer a.Close()
	if _, err := a.Fit(params); err != nil {
		return err
	}
	return LoadStates(store, dir, func(name string) (safetensors.Tensor, bool) {
		t, ok := a.Tensors[name]
		return t, ok
	}, ParamTensors(nn.Adapters(params)), cure)
}

// LoadStates reads the states of tensors from those of a file, which find looks up by
// name. All of them must be there with the shapes that the store has; cure ends the
// error otherwise.
func LoadStates(store *exec.Store, file string, find func(name string) (safetensors.Tensor, bool), tensors []Tensor, cure string) error {
	buf := make([]float32, StreamElements)
	sorted := slices.SortedFunc(slices.Values(tensors), func(a, b Tensor) int { return cmp.Compare(a.Name, b.Name) })
	for _, want := range sorted {
		t, ok := find(want.Name)
		if !ok {
			return fmt.Errorf("%s: there is no tensor %q: %s", file, want.Name, cure)
		}
		st := store.Get(want.State)
		if !st.Shape.Equal(t.Shape) {
			return fmt.Errorf("%s: tensor %q has shape %v, the model wants %s: %s", file, want.Name, t.Shape, st.Shape, cure)
		}
		if st.DType != ir.F32 {
			err := store.Encode(want.State, func(values []float32, off int) error { return readPart(file, t, values, off) })
			if err != nil {
				return err
			}
			continue
		}
		size := st.Shape.Size()
		for off := 0; off < size; off += len(buf) {
			values := buf[:min(len(buf), size-off)]
			if err := readPart(file, t, values, off); err != nil {
				return err
			}
			if err := store.WriteAt(want.State, off, values); err != nil {
				return err
			}
		}
	}
	return nil
}

// readPart reads elements of a tensor of a mapped file from an offset on, which then need
// not be in memory any more.
func readPart(file string, t safetensors.Tensor, values []float32, off int) error {
	width := t.DType.Size()
	t.Shape, t.Data = []int{len(values)}, t.Data[off*width:(off+len(values))*width]
	if err := t.CopyFloat32(values); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	mmap.Release(t.Data)
	return nil
}
