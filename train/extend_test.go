package train

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/nn/hub/safetensors"
	"example.com/gotrain/nn/llama"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/recipe"
)

// llamaBase pretrains a tiny Llama with a context of 16 and returns its configuration.
func llamaBase(t *testing.T, more func(*llama.Config)) Config {
	t.Helper()
	pre := tinyConfig(t)
	pre.Train.Sample, pre.Train.Steps, pre.Optimizer.EMA = "", 4, 0
	c := &llama.Config{Layers: 2, Heads: 2, Width: 16, Context: 16}
	if more != nil {
		more(c)
	}
	if err := pre.Model.Set(llama.Name, c); err != nil {
		t.Fatal(err)
	}
	mustTrain(t, pre, deps(t, 2))
	return pre
}

// extended is a configuration that begins from the run of pre, with assignments.
func extended(t *testing.T, pre Config, assignments ...string) (Config, error) {
	t.Helper()
	texts, _ := pre.Texts()
	text := strings.Join([]string{
		"run: {dir: " + pre.Run.Dir + "-tuned}",
		"data: {train: [" + texts.Paths[0] + "], validation: 0.1, cache_dir: " + texts.CacheDir + "}",
		"train: {steps: 4, batch: 4, save_every: 2, eval_every: 4, eval_batches: 2, sample: \"\"}",
		"optimizer: {lr: 0.01, warmup: 2}",
	}, "\n")
	file := filepath.Join(t.TempDir(), "finetune.yaml")
	if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return config.LoadFinetune(file, assignments, pre.Run.Dir, tables)
}

// TestLongerContext trains a base on sequences longer than its context: the checkpoint says
// so to transformers, and a run that goes on has it from its own configuration.
func TestLongerContext(t *testing.T) {
	pre := llamaBase(t, nil)
	cfg, err := extended(t, pre, "model.context=32", "model.rope_scaling={type: yarn, truncate: false}")
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Length() != 32 {
		t.Fatalf("sequences of %d tokens", cfg.Length())
	}
	var told []string
	d := deps(t, 2)
	d.Listener.Phase = func(p recipe.Prepared) { told = append(told, fmt.Sprint(p)) }
	r := mustTrain(t, cfg, d)
	if !slices.ContainsFunc(told, func(s string) bool { return strings.Contains(s, "32 tokens, where the base has 16") }) {
		t.Errorf("told %q", told)
	}
	text, err := os.ReadFile(filepath.Join(r.Checkpoint, hub.ConfigFile))
	if err != nil {
		t.Fatal(err)
	}
	var keys struct {
		Context int            `json:"max_position_embeddings"`
		Rope    map[string]any `json:"rope_parameters"`
		Old     map[string]any `json:"rope_scaling"`
	}
	if err := json.Unmarshal(text, &keys); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"rope_type": "yarn", "rope_theta": 10000., "factor": 2., "original_max_position_embeddings": 16., "beta_fast": 32., "beta_slow": 1.,
		"truncate": false, "attention_factor": 1.0693147180559945}
	if keys.Context != 32 || !reflect.DeepEqual(keys.Rope, want) || !reflect.DeepEqual(keys.Old, want) {
		t.Errorf("config.json says\n%s", text)
	}
	l, err := hub.Load(r.Checkpoint, "", backend(t, 1), vfs.OS{}, tables.Families)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := l.Model.Config(), cfg.Model.Filled(); got.(*llama.Config).Context != 32 || !reflect.DeepEqual(got.(*llama.Config).RopeScaling, want.(*llama.Config).RopeScaling) {
		t.Errorf("loaded as %+v", got)
	}
	saved, err := os.ReadFile(config.Path(cfg.Run.Dir))
	if err != nil {
		t.Fatal(err)
	}
	again, err := config.Parse("config.yaml", saved, tables)
	if err != nil {
		t.Fatal(err)
	}
	again.Train.Steps = 6
	if r := mustTrain(t, again, deps(t, 2)); r.Steps != 2 {
		t.Errorf("the run went on for %d steps", r.Steps)
	}
	if _, err := extended(t, pre, "model.context=8"); err == nil || !strings.Contains(err.Error(), "set train.context for shorter sequences") {
		t.Errorf("a shorter context: %v", err)
	}
}

// TestAddedTokens adds special tokens to a base: its tables grow by rows that are the mean of
// the others, with the head tied or of its own, and what is saved loads with the same ids.
func TestAddedTokens(t *testing.T) {
	for _, tied := range []bool{true, false} {
		pre := llamaBase(t, func(c *llama.Config) { c.Tied = nn.Bool(tied) })
		cfg, err := extended(t, pre, "tokenizer.add_special_tokens=['<|im_start|>', '<|endoftext|>', '<|im_end|>']", "tokenizer.pad_to_multiple_of=16")
		if err != nil {
			t.Fatal(err)
		}
		job, err := designed(t, cfg)
		if err != nil || job.Config.Text().Vocab != 304 {
			t.Fatalf("planned with %d tokens, %v", job.Config.Text().Vocab, err)
		}
		store := exec.NewStore(backend(t, 1))
		m, err := job.Config.NewModel(tables.Families)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range m.Params() {
			if _, err := store.Ensure(p.State(), ir.F32, p.Shape); err != nil {
				t.Fatal(err)
			}
		}
		if err := hub.LoadBase(store, cfg.Base, m); err != nil {
			t.Fatal(err)
		}
		checkGrown(t, store, m, tensors(t, filepath.Join(cfg.Base, safetensors.SingleName)), 300)

		r := mustTrain(t, cfg, deps(t, 2))
		l, err := hub.Load(r.Checkpoint, "", backend(t, 1), vfs.OS{}, tables.Families)
		if err != nil {
			t.Fatal(err)
		}
		if got := l.Model.Config().(*llama.Config); got.Vocab != 304 || nn.IsSet(got.Tied) != tied {
			t.Errorf("loaded as %+v", got)
		}
		for token, want := range map[string]int32{"<|im_start|>": 300, "<|im_end|>": 301, "<|endoftext|>": 0} {
			if id, ok := l.Tokenizer.Special(token); !ok || id != want {
				t.Errorf("%s is %d, want %d", token, id, want)
			}
		}
		if l.Tokenizer.Vocab() != 302 {
			t.Errorf("%d tokens", l.Tokenizer.Vocab())
		}
		again, err := extended(t, pre, "tokenizer.add_special_tokens=['<|im_start|>', '<|endoftext|>', '<|im_end|>']", "tokenizer.pad_to_multiple_of=16", "train.steps=6")
		if err != nil {
			t.Fatal(err)
		}
		if r := mustTrain(t, again, deps(t, 2)); r.Steps != 2 {
			t.Errorf("the run went on for %d steps", r.Steps)
		}
		other, err := extended(t, pre, "tokenizer.add_special_tokens=['<|im_start|>']", "train.steps=8")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Train(t.Context(), other, deps(t, 2)); err == nil || !strings.Contains(err.Error(), "tokenizer.add_special_tokens") {
			t.Errorf("other tokens: %v", err)
		}
	}
}

// designed is the job of a configuration without its data.
func designed(t *testing.T, cfg Config) (*recipe.Job, error) {
	t.Helper()
	return table.Design(t.Context(), recipe.Env{Config: cfg, FS: vfs.OS{}})
}

// checkGrown compares the states of m with the tensors that they begin from: their first
// rows, and the mean of those behind.
func checkGrown(t *testing.T, store *exec.Store, m nn.Model, base map[string][]byte, rows int) {
	t.Helper()
	tables := 0
	for _, p := range m.Params() {
		got := make([]float32, p.Shape.Size())
		if err := store.Read(p.State(), got); err != nil {
			t.Fatal(err)
		}
		was := base[p.Name]
		if !bytes.Equal(safetensors.Bytes(got)[:len(was)], was) {
			t.Errorf("%s begins otherwise", p.Name)
		}
		if len(was) == 4*len(got) {
			continue
		}
		tables++
		cols := p.Shape[1]
		for i := range got[rows*cols:] {
			var sum float64
			for row := range rows {
				sum += float64(got[row*cols+i%cols])
			}
			if want := float32(sum / float64(rows)); got[rows*cols+i] != want {
				t.Fatalf("%s: element %d behind is %g, want %g", p.Name, i, got[rows*cols+i], want)
			}
		}
	}
	if want := map[bool]int{true: 1, false: 2}[nn.IsSet(m.Config().(*llama.Config).Tied)]; tables != want {
		t.Errorf("%d tables have grown, want %d", tables, want)
	}
}

// TestAddedTokensWithAnAdapter: an adapter does not train the rows of new tokens.
func TestAddedTokensWithAnAdapter(t *testing.T) {
	pre := llamaBase(t, nil)
	cfg, err := extended(t, pre, "tokenizer.add_special_tokens=['<a>']", "lora.rank=2")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Train(t.Context(), cfg, deps(t, 2)); err == nil || !strings.Contains(err.Error(), `"<a>" is new to the base`) {
		t.Errorf("a new token: %v", err)
	}
	if cfg, err = extended(t, pre, "tokenizer.add_special_tokens=['<|endoftext|>']", "lora.rank=2"); err != nil {
		t.Fatal(err)
	}
	mustTrain(t, cfg, deps(t, 2))
	if _, err := extended(t, pre, "tokenizer.pad_to_multiple_of=64", "lora.rank=2"); err == nil || !strings.Contains(err.Error(), "which an adapter leaves as they are") {
		t.Errorf("padding: %v", err)
	}
}

// TestAddedTokensInSpareRows: a table that has room does not grow.
func TestAddedTokensInSpareRows(t *testing.T) {
	pre := llamaBase(t, func(c *llama.Config) { c.Vocab = 310 })
	cfg, err := extended(t, pre, "tokenizer.add_special_tokens=['<a>']")
	if err != nil {
		t.Fatal(err)
	}
	r := mustTrain(t, cfg, deps(t, 2))
	l, err := hub.Load(r.Checkpoint, "", backend(t, 1), vfs.OS{}, tables.Families)
	if err != nil {
		t.Fatal(err)
	}
	if id, _ := l.Tokenizer.Special("<a>"); id != 300 || l.Model.Config().(*llama.Config).Vocab != 310 {
		t.Errorf("the token is %d of %+v", id, l.Model.Config())
	}
}
