package zoo

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"example.com/gotrain/nn"
)

// TestTablesOfKeys compares the keys of the files of Hugging Face that are known, and what becomes of each, with
// testdata/keys.txt; -update writes it.
func TestTablesOfKeys(t *testing.T) {
	var got strings.Builder
	list := func(table string, keys nn.Keys) {
		for _, k := range keys {
			fmt.Fprintf(&got, "%s %s: %s", table, k.Name, map[nn.Use]string{nn.Used: "used", nn.Harmless: "harmless", nn.Refused: "refused"}[k.Use])
			if len(k.Types) > 0 {
				fmt.Fprintf(&got, ", of %s", strings.Join(k.Types, " "))
			}
			if len(k.Off)+len(k.On) > 0 {
				fmt.Fprintf(&got, ", off %s, on %s", strings.Join(k.Off, " "), strings.Join(k.On, " "))
			}
			fmt.Fprintf(&got, "; %s\n", k.Why)
		}
	}
	list("config.json", nn.CommonKeys)
	list("generation_config.json", nn.GenerationKeys)
	list("sampling", nn.SamplingKeys)
	for _, f := range Families() {
		if f.Hub != nil {
			fmt.Fprintf(&got, "%s reads %q\n", f.Name, f.Hub.ModelTypes)
			list(f.Name, f.Hub.Keys)
		}
	}
	if _, err := Families().Find("voodoo"); err == nil || !strings.HasPrefix(err.Error(), `model.family: "voodoo" is not one of ["gpt2" "llama" `) {
		t.Error(err)
	}
	const file = "testdata/keys.txt"
	if *update {
		if err := os.WriteFile(file, []byte(got.String()), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		want[line] = true
	}
	for line := range strings.Lines(got.String()) {
		if !want[line] {
			t.Errorf("%s has not: %s", file, line)
		}
		delete(want, line)
	}
	for line := range want {
		t.Errorf("lacks: %s", line)
	}
}
