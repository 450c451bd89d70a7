package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/gotrain/nn/hub"
)

const tinyLlama = `{"model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": 30, "hidden_size": 16, "intermediate_size": 24,
	"num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2, "max_position_embeddings": 32, "rms_norm_eps": 1e-5, "tie_word_embeddings": true}`

// noTensors is a file of safetensors without any.
const noTensors = "\x08\x00\x00\x00\x00\x00\x00\x00{}      "

// TestLoadFinetune: a configuration beside its base takes the base's model and tokenizer, and is
// refused with the place and the cure where it says otherwise or the base is none.
func TestLoadFinetune(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		file := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o777), os.WriteFile(file, []byte(text), 0o666)); err != nil {
			t.Fatal(err)
		}
		return file
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, base := range []string{"base", "other"} {
		write(base+"/config.json", tinyLlama)
		write(base+"/model.safetensors", noTensors)
	}
	write("strange/config.json", `{"model_type": "abacus"}`)
	write("strange/model.safetensors", noTensors)
	write("adapter/adapter_config.json", `{"peft_type": "LORA"}`)
	file := write("run.yaml", "data: {train: [a.txt]}\n")
	c, err := LoadFinetune(file, nil, at("base"), changeTables())
	if err != nil || c.Base != at("base") || c.Tokenizer.Path != at("base") || c.Model.Name() != "llama" || c.Text().Vocab != 30 || c.Text().Context != 32 || c.Adapter != "" || c.LoRA.Merge {
		t.Fatalf("%+v, %v", c, err)
	}
	// What the configuration names counts where no argument does, and an argument before it.
	for argument, want := range map[string]string{"": at("base"), at("other"): at("other")} {
		if c, err := LoadFinetune(file, []string{"base=" + at("base")}, argument, changeTables()); err != nil || c.Base != want || c.Tokenizer.Path != want {
			t.Errorf("base %q: %+v, %v", argument, c.Base, err)
		}
	}
	for set, want := range map[string]string{
		"model.layers=1":                   "<nil>",
		"model.dropout=0.5":                "<nil>",
		"tokenizer.add_special_tokens=[a]": "<nil>",
		"tokenizer.pad_to_multiple_of=8":   "<nil>",
		"model.layers=2":                   "FILE:\nmodel.layers is 2, but the base has 1",
		"tokenizer.kind=bytes":             "FILE:\ntokenizer: fine-tuning keeps the tokenizer of the base: leave all keys out but add_special_tokens and pad_to_multiple_of",
		"adapter=" + at("gone"):            "adapter: ",
		"train.stepz=3":                    "train.stepz",
		"train.batch=-1":                   "train.batch",
	} {
		_, err := LoadFinetune(file, []string{set}, at("base"), changeTables())
		if got := strings.ReplaceAll(fmt.Sprint(err), file, "FILE"); want == "<nil>" && got != want || !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %s", set, got, want)
		}
	}
	for base, want := range map[string]string{
		"":            file + ": no model: name the model to begin from with --base DIR, or in the configuration as base",
		file:          "base: no model: " + file + " is a file; turn it into a checkpoint with gotrain import " + file + " DIR and name DIR",
		at("adapter"): "base: no model: " + at("adapter") + " is an adapter: name the model that it was trained on, and the adapter with --adapter, to go on with it; or merge both with gotrain export " + at("adapter") + " DIR and name DIR",
	} {
		if _, err := LoadFinetune(file, nil, base, changeTables()); !errors.Is(err, hub.ErrNoModel) || err.Error() != want {
			t.Errorf("%s: %v, want %s", base, err, want)
		}
		if base != "" {
			if _, err := FindBase(base, "", changeTables()); !errors.Is(err, hub.ErrNoModel) || err.Error() != want {
				t.Errorf("%s: %v, want %s", base, err, want)
			}
		}
	}
	if _, err := LoadFinetune(file, nil, at("gone"), changeTables()); !errors.Is(err, hub.ErrNoModel) || !strings.HasPrefix(err.Error(), "base: ") || !strings.HasSuffix(err.Error(), "; gotrain import turns a Hugging Face directory or a GGUF file into a checkpoint") {
		t.Errorf("a base that is not there: %v", err)
	}
	if _, err := LoadFinetune(file, nil, at("strange"), changeTables()); err == nil || !strings.HasPrefix(err.Error(), "base: ") || !strings.Contains(err.Error(), "abacus") {
		t.Errorf("a family that nobody knows: %v", err)
	}
	if _, err := LoadFinetune(at("gone.yaml"), nil, at("base"), changeTables()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	t.Chdir(dir)
	if found, err := FindBase("base", "", changeTables()); err != nil || found != at("base") {
		t.Errorf("%s, %v", found, err)
	}
	if c, err := LoadFinetune("run.yaml", nil, "base", changeTables()); err != nil || c.Base != at("base") {
		t.Errorf("by a path of the working directory: %s, %v", c.Base, err)
	}
}

// TestConflictsToTheLetter: what is said of each key that differs from the adapter's, with the
// command that mends it.
func TestConflictsToTheLetter(t *testing.T) {
	c := assembled(t, "model.layers=1", "model.width=16", "model.heads=2", "model.context=8", "model.vocab=30")
	m, err := c.NewModel(changeTables().Families)
	if err != nil {
		t.Fatal(err)
	}
	was := c.LoRA
	was.Rank, was.Alpha = 4, 8
	was = was.WithDefaults()
	was.Targets = []string{"c_attn", "c_proj"}
	now := was
	now.Rank, now.Alpha, now.RSLoRA, now.Targets = 5, 9, !was.RSLoRA, []string{"c_attn"}
	want := fmt.Sprintf("lora.rank is 5, but the adapter has 4: leave it out, or use --set lora.rank=4\n"+
		"lora.alpha is 9, but the adapter has 8: leave it out, or use --set lora.alpha=8\n"+
		"lora.rslora is %t, but the adapter has %t: leave it out, or use --set lora.rslora=%[2]t\n"+
		"lora.targets is [c_attn], but the adapter has [c_attn, c_proj]: leave it out, or use --set \"lora.targets=[c_attn, c_proj]\"", now.RSLoRA, was.RSLoRA)
	if err := adapterConflicts(was, now, m.Params()); fmt.Sprint(err) != want {
		t.Errorf("%v, want %s", err, want)
	}
	now.Rank = 0
	if err := adapterConflicts(was, now, m.Params()); fmt.Sprint(err) != "lora.rank is 0, but the adapter has 4: leave it out, or use --set lora.rank=4" {
		t.Error(err)
	}
}

// TestChangesOfSections: a key that only one of two sections has, beside nothing on the other side.
func TestChangesOfSections(t *testing.T) {
	was, now := assembled(t), assembled(t, "model.family=llama")
	changes, err := was.Changes(now)
	if err != nil {
		t.Fatal(err)
	}
	sides := map[string]int{}
	for _, c := range changes {
		switch {
		case c.Was == c.Is:
			t.Errorf("%+v is none", c)
		case c.Was == "–":
			sides["gained"]++
		case c.Is == "–":
			sides["lost"]++
		}
	}
	if sides["gained"] == 0 || changes[0] != (Change{"model.family", "gpt2", "llama"}) {
		t.Errorf("%+v", changes)
	}
	back, err := now.Changes(was)
	if err != nil || len(back) != len(changes) {
		t.Fatalf("%+v, %v", back, err)
	}
	for _, c := range changes {
		found := false
		for _, b := range back {
			found = found || b == Change{c.Key, c.Is, c.Was}
		}
		if !found {
			t.Errorf("%+v is not among those back", c)
		}
	}
	// What an optimizer keeps decides whether its keys may change.
	for _, c := range []struct {
		was, now []string
		want     string
	}{
		{[]string{"optimizer.kind=sgd"}, []string{"optimizer.kind=sgd", "optimizer.momentum=0"}, "[{optimizer.momentum 0.95 0.0}]"},
		{[]string{"optimizer.kind=sgd", "optimizer.momentum=0"}, []string{"optimizer.kind=sgd"}, "[{optimizer.momentum 0.0 0.95}]"},
		{[]string{"optimizer.kind=sgd"}, []string{"optimizer.kind=sgd", "optimizer.momentum=0.5"}, "[]"},
		{nil, []string{"optimizer.momentum=0"}, "[]"},
		{[]string{"optimizer.ema=0.5"}, nil, "[{optimizer.ema 0.5 0.0}]"},
		{[]string{"optimizer.ema=0.5"}, []string{"optimizer.ema=0.25"}, "[]"},
		{nil, []string{"model.family=llama"}, "[{model.family gpt2 llama}"},
	} {
		if got, err := assembled(t, c.was...).Fixed(assembled(t, c.now...), false); err != nil || !strings.HasPrefix(fmt.Sprint(got), c.want) {
			t.Errorf("%q to %q: %v, %v, want %s", c.was, c.now, got, err, c.want)
		}
	}
}
