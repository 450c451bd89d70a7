package pipeline

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/data"
	"example.com/gotrain/data/hf"
	"example.com/gotrain/data/tokenizers"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/clip"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/nn/hub/manifest"
	"example.com/gotrain/nn/hub/peft"
	"example.com/gotrain/nn/hub/safetensors"
	"example.com/gotrain/nn/unet"
	"example.com/gotrain/nn/vae"
	"example.com/gotrain/optim"
)

// Files of a pipeline.
const (
	configFile    = "config.json"
	scheduleFile  = "scheduler_config.json"
	indexFile     = "model_index.json"
	optimizerFile = "optimizer.safetensors"
	weightsFile   = safetensors.DiffusersName
)

// Locate finds the pipeline that path names: a directory, or a run or its folder of checkpoints,
// for the newest. ok tells whether there is one.
func Locate(path string) (dir string, ok bool) {
	for _, dir := range []string{path, filepath.Join(path, "checkpoints", "latest"), filepath.Join(path, "latest")} {
		if there(dir, Denoiser) && there(dir, Text) {
			dir, err := filepath.EvalSymlinks(dir)
			return dir, err == nil
		}
	}
	return "", false
}

// there tells whether dir has a model of a role, or an adapter to one.
func there(dir, role string) bool {
	return exists(dir, role, configFile) || exists(dir, role, peft.ConfigFile)
}

func exists(parts ...string) bool {
	_, err := os.Stat(filepath.Join(parts...))
	return err == nil
}

// Options say how a pipeline is opened.
type Options struct {
	Average bool   // with the running averages of a checkpoint that has some in place of its parameters
	LoRA    string // file of low-rank adapters that are put on, diffusers' or kohya's; "" is none
}

// Open reads the pipeline in dir, whose weights go into store. averaged tells whether they are
// averages.
func Open(fsys vfs.FS, dir string, store *exec.Store, o Options) (p *Pipeline, averaged bool, err error) {
	if exists(dir, manifest.Name) {
		if _, err := manifest.Verify(fsys, dir); err != nil {
			return nil, false, fmt.Errorf("%w; use another checkpoint of the run", err)
		}
	}
	if p, err = Describe(dir, func(role string) nn.Tuning { return nn.Tuning{Role: role} }); err != nil {
		return nil, false, err
	}
	adapters, err := p.openAdapters(fsys, dir, o.LoRA)
	if err != nil {
		return nil, false, err
	}
	defer adapters.Close()
	if len(adapters) > 0 {
		if p, err = Describe(dir, func(role string) nn.Tuning { return nn.Tuning{Role: role, Adapter: adapters[role].adapter} }); err != nil {
			return nil, false, err
		}
	}
	averages, err := openAverages(dir, o.Average)
	if err != nil {
		return nil, false, err
	}
	defer averages.Close()
	for _, m := range p.models() {
		folder, err := weightsOf(dir, m.Tuning().Role)
		if err != nil {
			return nil, false, err
		}
		taken, err := load(store, folder, m, averages)
		if err == nil {
			err = adapters.load(store, m)
		}
		if err != nil {
			return nil, false, err
		}
		averaged = averaged || taken
	}
	return p, averaged, nil
}

// Describe reads the pipeline in dir without its weights. The models are tuned by their roles.
func Describe(dir string, tune func(role string) nn.Tuning) (*Pipeline, error) {
	p := &Pipeline{}
	err := errors.Join(p.openText(dir, tune(Text)), p.openDenoiser(dir, tune(Denoiser)), p.openAutoencoder(dir, tune(Autoencoder)), p.openTokens(dir))
	if err == nil {
		err = p.openControl(dir, tune(Control))
	}
	return p, err
}

// models are those that there are.
func (p *Pipeline) models() []nn.Model {
	models := []nn.Model{p.Text, p.Denoiser}
	if p.Autoencoder != nil {
		models = append(models, p.Autoencoder)
	}
	if p.Control != nil {
		models = append(models, p.Control)
	}
	return models
}

// weightsOf is the folder of config.json and weights of a role: where dir holds an adapter, that of
// its base.
func weightsOf(dir, role string) (string, error) {
	place, err := hub.PlaceOf(filepath.Join(dir, role))
	return place.Base, err
}

// inConfig reads the config.json of a role.
func inConfig(dir, role string, parse func(text []byte) error) error {
	folder, err := weightsOf(dir, role)
	if err != nil {
		return err
	}
	return inFile(parse, folder, configFile)
}

// inFile reads a file of dir and tells of it in errors.
func inFile(parse func(text []byte) error, parts ...string) error {
	file := filepath.Join(parts...)
	text, err := hub.ReadText(file)
	if err != nil {
		return err
	}
	if err := parse(text); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

func (p *Pipeline) openText(dir string, t nn.Tuning) error {
	return inConfig(dir, Text, func(text []byte) error {
		c, err := clip.Parse(text)
		if err != nil {
			return err
		}
		p.Text, err = clip.New(c, t)
		return err
	})
}

func (p *Pipeline) openDenoiser(dir string, t nn.Tuning) error {
	schedule := filepath.Join(dir, Denoiser, scheduleFile)
	if exists(dir, "scheduler", scheduleFile) {
		schedule = filepath.Join(dir, "scheduler", scheduleFile)
	}
	return errors.Join(inConfig(dir, Denoiser, func(text []byte) error {
		c, side, err := unet.Parse(text)
		if err != nil {
			return err
		}
		p.Side = side
		p.Denoiser, err = unet.New(c, t)
		return err
	}), inFile(func(text []byte) (err error) {
		p.Process, err = parseProcess(text)
		return err
	}, schedule))
}

func (p *Pipeline) openAutoencoder(dir string, t nn.Tuning) error {
	p.Scale = 1
	if !exists(dir, Autoencoder, configFile) {
		return nil
	}
	return inFile(func(text []byte) error {
		c, scale, err := vae.Parse(text)
		if err != nil {
			return err
		}
		if c.Output == "" && exists(dir, indexFile) {
			c.SetLogits(false)
		}
		if _, err := c.Logits(); err != nil {
			return err
		}
		_, _, factor := c.Picture()
		p.Side, p.Scale = p.Side*factor, scale
		p.Autoencoder, err = vae.New(c, t)
		return err
	}, dir, Autoencoder, configFile)
}

func (p *Pipeline) openControl(dir string, t nn.Tuning) error {
	if !exists(dir, Control, configFile) {
		return nil
	}
	return inFile(func(text []byte) error {
		c, err := unet.ParseControl(text)
		if err != nil {
			return err
		}
		if _, _, factor := p.Latents(); c.Factor() != factor {
			return fmt.Errorf("it reads conditions of %d times the side of what is denoised, and pictures have %d times that", c.Factor(), factor)
		}
		p.Control, err = unet.NewControl(c, t)
		return err
	}, dir, Control, configFile)
}

// openTokens reads the tokenizer: tokenizer.json, or vocab.json and merges.txt.
func (p *Pipeline) openTokens(dir string) error {
	place := filepath.Join(dir, "tokenizer")
	if !exists(place) {
		place = filepath.Join(dir, Text)
	}
	if !exists(place, tokenizers.File) {
		return p.openVocabulary(place)
	}
	o, err := tokenizers.Open(place)
	if err != nil {
		return err
	}
	p.setTokens(o.Tokenizer, o.Roles)
	return nil
}

func (p *Pipeline) openVocabulary(place string) error {
	vocab := map[string]int64{}
	if err := inFile(func(text []byte) error { return json.Unmarshal(text, &vocab) }, place, "vocab.json"); err != nil {
		return err
	}
	text, err := hub.ReadText(filepath.Join(place, "merges.txt"))
	if err != nil {
		return err
	}
	var merges []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimRight(line, "\r\n"); line != "" && !strings.HasPrefix(line, "#version") {
			merges = append(merges, line)
		}
	}
	t, err := tokenizers.CLIP(vocab, merges)
	if err != nil {
		return fmt.Errorf("%s: %w", place, err)
	}
	c, err := hf.ReadConfig(place)
	p.setTokens(t, c.Roles)
	return err
}

// setTokens keeps a tokenizer. Captions are filled up with its padding token, else with that which
// ends them.
func (p *Pipeline) setTokens(t data.Tokenizer, roles hf.Roles) {
	p.Tokens = t
	if after := t.Frame().After; len(after) > 0 {
		p.Pad = after[0]
	}
	if id, ok := t.ID([]byte(roles.Pad)); ok && roles.Pad != "" {
		p.Pad = id
	}
}

// openAverages opens the optimizer of a checkpoint, nothing where none is wanted or there.
func openAverages(dir string, wanted bool) (hub.Shards, error) {
	if !wanted || exists(dir, indexFile) {
		return nil, nil
	}
	files, err := hub.OpenTensors(dir, optimizerFile)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return files, err
}

// load fills the parameters of m from its folder, or from averages where they have all of them.
func load(store *exec.Store, folder string, m nn.Model, averages hub.Shards) (averaged bool, err error) {
	params := nn.Base(m.Params())
	var wanted, average []hub.Tensor
	for _, p := range params {
		if _, err := store.Ensure(p.State(), p.DType, p.Shape); err != nil {
			return false, err
		}
		wanted = append(wanted, hub.Tensor{Name: p.Name, State: p.State(), Shape: p.Shape})
		name := optim.AverageOf(p.State())
		if _, ok := averages.Tensor(name); ok {
			average = append(average, hub.Tensor{Name: name, State: p.State(), Shape: p.Shape})
		}
	}
	const cure = "the file does not belong to the configuration beside it"
	if len(average) == len(params) {
		return true, hub.LoadStates(store, optimizerFile, averages.Tensor, average, cure)
	}
	if !exists(folder, weightsFile) {
		return false, hub.LoadParams(store, folder, params)
	}
	files, err := hub.OpenTensors(folder, weightsFile)
	if err != nil {
		return false, err
	}
	defer files.Close()
	find := func(name string) (safetensors.Tensor, bool) {
		t, ok := files.Tensor(name)
		if !ok {
			t, ok = files.Tensor(older.Replace(name))
		}
		return t, ok
	}
	return false, hub.LoadStates(store, filepath.Join(folder, weightsFile), find, wanted, cure)
}

// older turns names of an autoencoder's attention into those of weights before diffusers 0.18.
var older = strings.NewReplacer(".to_q.", ".query.", ".to_k.", ".key.", ".to_v.", ".value.", ".to_out.0.", ".proj_attn.")
