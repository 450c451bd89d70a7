package hub_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/nn/hub/peft"
	"example.com/gotrain/nn/zoo"
)

// TestPlacesOfAdapters: where the base of an adapter is looked for, and errors that name the
// adapter, the base and what to do.
func TestPlacesOfAdapters(t *testing.T) {
	root := t.TempDir()
	t.Chdir(root)
	write := func(name, text string) {
		t.Helper()
		file := filepath.Join(root, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o777), os.WriteFile(file, []byte(text), 0o666)); err != nil {
			t.Fatal(err)
		}
	}
	adapter := func(dir, base string) {
		write(filepath.Join(dir, peft.ConfigFile), `{"peft_type": "LORA", "base_model_name_or_path": "`+base+`"}`)
	}
	for _, base := range []string{"base", "a/near"} {
		write(base+"/config.json", "{}")
		write(base+"/model.safetensors", "")
	}
	adapter("a", "base")   // of the working directory
	adapter("b", "../a")   // of its own
	adapter("d", "a/near") // of the working directory
	adapter("e", "")
	adapter("f", filepath.Join(root, "gone"))
	adapter("g", "base\\u0000") // no path at all
	write("h/"+peft.ConfigFile, `{"peft_type": "IA3"}`)
	write("tokenized/"+peft.ConfigFile, `{"peft_type": "LORA", "base_model_name_or_path": "base"}`)
	write("tokenized/tokenizer.model", "")
	if _, _, err := hub.Whole("a", zoo.Families()); err == nil || err.Error() != "a is an adapter to base: merge it with gotrain export, and name the result" {
		t.Errorf("an adapter as a whole model: %v", err)
	}
	for _, c := range []struct{ dir, base, tokens, fault string }{
		{"base", "base", "base", ""},
		{"a", "base", "base", ""},
		{"d", "a/near", "a/near", ""},
		{"tokenized", "base", "tokenized", ""},
		{"b", "", "", "the base of the adapter b, a, is an adapter too: merge that first with gotrain export"},
		{"e", "", "", "e is an adapter and does not tell to which model: name that, and the adapter with --adapter"},
		{"f", "", "", "f is an adapter to " + filepath.Join(root, "gone") + ", and there is no such directory: put the model there, or name where it lies, and the adapter with --adapter"},
		{"g", "", "", "the base of the adapter g: "},
		{"h", "", "", "h/adapter_config.json: peft_type: \"IA3\" is not supported, only LORA"},
	} {
		place, err := hub.PlaceOf(c.dir)
		if c.fault != "" {
			if text := fmt.Sprint(err); !strings.Contains(text, c.fault) {
				t.Errorf("%s: %v, want %s", c.dir, err, c.fault)
			}
			if !errors.Is(err, hub.ErrNoModel) {
				t.Errorf("%s: %v is not ErrNoModel", c.dir, err)
			}
			continue
		}
		if err != nil || place.Dir != c.dir || filepath.Clean(place.Base) != c.base || place.Adapter != (c.dir != c.base) || filepath.Clean(place.TokenizerDir()) != c.tokens {
			t.Errorf("%s: %+v, tokenizer of %s, %v; want %+v", c.dir, place, place.TokenizerDir(), err, c)
		}
		if file := place.File("config.json"); filepath.Clean(file) != filepath.Join(c.base, "config.json") {
			t.Errorf("%s: its configuration is %s", c.dir, file)
		}
		if file, own := place.File(peft.ConfigFile), place.Adapter; own && file != filepath.Join(c.dir, peft.ConfigFile) {
			t.Errorf("%s: its adapter is %s", c.dir, file)
		}
	}
	if _, err := hub.Load("a", "base", newBackend(t), vfs.OS{}, zoo.Families()); err == nil ||
		!strings.HasSuffix(err.Error(), "a is an adapter itself, to base: merge it first with gotrain export, or put base on base") {
		t.Error(err)
	}
}
