package tokenizers

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestNamed compares the tokenizers that the program carries with tiktoken's ids; see
// scripts/golden/published.py.
func TestNamed(t *testing.T) {
	var golden struct {
		Texts []string
		IDs   map[string][][]int32
	}
	raw, err := os.ReadFile("testdata/published.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &golden); err != nil {
		t.Fatal(err)
	}
	vocab := map[string]int{"gpt2": 50257, "cl100k": 100277, "o200k": 200019}
	for _, name := range Names() {
		tok, err := Load(name)
		if err != nil {
			t.Fatal(err)
		}
		if tok.Vocab() != vocab[name] {
			t.Errorf("%s has %d tokens, want %d", name, tok.Vocab(), vocab[name])
		}
		for i, text := range golden.Texts {
			if got := tok.AppendEncode(nil, []byte(text)); !slices.Equal(got, golden.IDs[name][i]) {
				t.Errorf("%s: %q: %v, want %v", name, text, got, golden.IDs[name][i])
			}
		}
	}
	if _, err := Named("gpt3"); err == nil || !strings.Contains(err.Error(), "use one of gpt2, cl100k, o200k") {
		t.Errorf("an unknown name: %v", err)
	}
	t.Chdir(t.TempDir())
	if err := os.WriteFile("gpt2", []byte("{}"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Load("gpt2"); err == nil {
		t.Error("a file called gpt2 was not read")
	}
}
