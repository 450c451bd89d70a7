package hub_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/cpu"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/data/bpe"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/gpt2"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/nn/hub/manifest"
	"example.com/gotrain/nn/zoo"
)

func newBackend(t *testing.T) exec.Backend {
	t.Helper()
	b, err := cpu.New(cpu.Config{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// begun returns a store with values for the parameters of m, those of an adapter
// too.
func begun(t *testing.T, m nn.Model) *exec.Store {
	t.Helper()
	store := exec.NewStore(newBackend(t))
	params := slices.Clone(m.Params())
	for i, p := range params {
		if _, err := store.Ensure(p.State(), ir.F32, p.Shape); err != nil {
			t.Fatal(err)
		}
		params[i].Init.Std = 0.1
	}
	if err := nn.Initialize(params, 1, store.WriteAt); err != nil {
		t.Fatal(err)
	}
	return store
}

func values(t *testing.T, store *exec.Store, p nn.Param) []float32 {
	t.Helper()
	v := make([]float32, p.Shape.Size())
	if err := store.Read(p.State(), v); err != nil {
		t.Fatal(err)
	}
	return v
}

func newGPT2(t *testing.T, tuning nn.Tuning) *gpt2.Model {
	t.Helper()
	m, err := gpt2.New(gpt2.Config{Layers: 1, Heads: 2, Width: 8, Context: 16, Vocab: 257, Bias: nn.Bool(false)}, tuning)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestSaveAndLoad saves a model that has a role in its store and an adapter: the
// files know neither, and the weights are the merged ones.
func TestSaveAndLoad(t *testing.T) {
	tokens, err := bpe.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	m := newGPT2(t, nn.Tuning{Role: "policy", Adapter: nn.Adapter{Rank: 2, Targets: []string{"c_fc"}}})
	store := begun(t, m)
	dir := filepath.Join(t.TempDir(), "some", "model")
	if err := hub.Save(vfs.OS{}, dir, m, store, tokens); err != nil {
		t.Fatal(err)
	}
	if err := hub.Save(vfs.OS{}, dir, m, store, tokens); err == nil || !strings.Contains(err.Error(), "exists already") {
		t.Errorf("saved over another model: %v", err)
	}
	l, err := hub.Load(dir, "", newBackend(t), vfs.OS{}, zoo.Families())
	if err != nil {
		t.Fatal(err)
	}
	if l.Model.Family() != gpt2.Name || l.Tokenizer.Vocab() != 257 || !slices.Equal(l.EndTokens(), []int32{256}) {
		t.Errorf("loaded %s, %d tokens, ends %v", l.Model.Family(), l.Tokenizer.Vocab(), l.EndTokens())
	}
	state := map[string][]float32{}
	for _, p := range m.Params() {
		state[p.Name] = values(t, store, p)
	}
	for _, p := range l.Model.Params() {
		want := state[p.Name]
		if a, ok := state[p.Layer()+nn.LoRAA]; ok {
			nn.NewDelta(autograd.InOut, a, state[p.Layer()+nn.LoRAB], 2, 1).Merge(want, 0)
		}
		if !slices.Equal(values(t, l.Store, p), want) {
			t.Errorf("%s is another one", p.Name)
		}
	}
}

// TestLoadPointers names a file that Git LFS has not fetched.
func TestLoadPointers(t *testing.T) {
	tokens, err := bpe.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	m := newGPT2(t, nn.Tuning{})
	for _, name := range []string{hub.ModelFile, hub.ConfigFile, hub.GenerationFile, "tokenizer.json", "tokenizer_config.json"} {
		dir := filepath.Join(t.TempDir(), "model")
		if err := hub.Save(vfs.OS{}, dir, m, begun(t, m), tokens); err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(dir, name), "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n")
		if _, err := hub.Load(dir, "", newBackend(t), vfs.OS{}, zoo.Families()); err == nil || !strings.HasPrefix(err.Error(), filepath.Join(dir, name)+": it is a pointer of Git LFS") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := hub.FindCheckpoint("some.gguf"); err == nil {
		t.Error("a file that is not there is a model")
	}
	file := filepath.Join(t.TempDir(), "some.gguf")
	writeFile(t, file, "GGUF")
	if _, err := hub.FindCheckpoint(file); !errors.Is(err, hub.ErrNoModel) || !strings.Contains(err.Error(), "is a GGUF file; make a checkpoint of it with gotrain import") {
		t.Errorf("a GGUF file: %v", err)
	}
}

// TestLoadVerifies finds a flipped bit by the manifest, whatever the directory is
// called.
func TestLoadVerifies(t *testing.T) {
	tokens, err := bpe.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	m := newGPT2(t, nn.Tuning{})
	dir := filepath.Join(t.TempDir(), "copied")
	if err := hub.Save(vfs.OS{}, dir, m, begun(t, m), tokens); err != nil {
		t.Fatal(err)
	}
	writeManifest(t, dir)
	if _, err := hub.Load(dir, "", newBackend(t), vfs.OS{}, zoo.Families()); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, hub.ModelFile)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text[len(text)-1] ^= 1
	if err := os.WriteFile(file, text, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := hub.Load(dir, "", newBackend(t), vfs.OS{}, zoo.Families()); err == nil || !strings.Contains(err.Error(), "model.safetensors: checksum") {
		t.Errorf("a flipped bit: %v", err)
	}
}

// writeManifest writes that of the files in dir.
func writeManifest(t *testing.T, dir string) {
	t.Helper()
	m := manifest.Manifest{Format: manifest.Version, Step: 1}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		m.Files = append(m.Files, manifest.Entry{Name: e.Name(), Size: int64(len(text)), XXH3: manifest.SumOf(text)})
	}
	text, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, manifest.Name), text, 0o666); err != nil {
		t.Fatal(err)
	}
}

// painter is a model of pictures: it knows nothing of text.
type painter struct {
	nn.Core
	config painterConfig
}

type painterConfig struct {
	Channels int `yaml:"channels" json:"channels"`
}

func newPainter(c painterConfig, t nn.Tuning) (*painter, error) {
	m := &painter{config: c}
	var err error
	m.Core, err = nn.NewCore("painter", t, nn.Style{InitStd: 1}, func(b *nn.Builder) {
		b.Linear("mix", b.Graph.Floats("image", 4, c.Channels), c.Channels)
	})
	return m, err
}

func (m *painter) Config() any                          { return &m.config }
func (m *painter) HuggingFace() (map[string]any, error) { return nil, nn.ErrNoCounterpart }

// TestModelWithoutText saves and loads a model of a family that no package knows.
func TestModelWithoutText(t *testing.T) {
	families := append(zoo.Families(), nn.NewFamily("painter", painterConfig{Channels: 1}, newPainter, nil))
	m, err := families.New(nn.Spec{Family: "painter", Config: &painterConfig{Channels: 3}}, nn.Tuning{})
	if err != nil {
		t.Fatal(err)
	}
	store := begun(t, m)
	dir := filepath.Join(t.TempDir(), "painter")
	if err := hub.Save(vfs.OS{}, dir, m, store, nil); err != nil {
		t.Fatal(err)
	}
	l, err := hub.Load(dir, "", newBackend(t), vfs.OS{}, families)
	if err != nil {
		t.Fatal(err)
	}
	if l.Tokenizer != nil || l.EndTokens() != nil || l.Model.Config().(*painterConfig).Channels != 3 {
		t.Errorf("loaded %+v with tokenizer %v", l.Model.Config(), l.Tokenizer)
	}
	if p := m.Params()[0]; !slices.Equal(values(t, l.Store, p), values(t, store, p)) {
		t.Error("the weights are other ones")
	}
	if _, err := nn.AsLanguageModel(l.Model); err == nil || !strings.Contains(err.Error(), "painter is no language model") {
		t.Errorf("a painter that speaks: %v", err)
	}
	if _, err := hub.Load(dir, "", newBackend(t), vfs.OS{}, zoo.Families()); err == nil || !strings.Contains(err.Error(), `"painter" is not one of ["gpt2" "llama"`) {
		t.Errorf("an unknown family: %v", err)
	}
	// Only its configuration and weights were written.
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("the directory holds %v, %v", entries, err)
	}
	var config struct{ Gotrain json.RawMessage }
	if text, err := os.ReadFile(filepath.Join(dir, hub.ConfigFile)); err != nil || json.Unmarshal(text, &config) != nil {
		t.Errorf("%s, %v", text, err)
	}
}
