package chat

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// goldenCase is one rendering of transformers, see scripts/golden/chat.py.
type goldenCase struct {
	Template string
	Messages []Message
	Prompt   bool
	Text     *string // nil where the template refuses
	Spans    [][2]int
}

func readGolden(t *testing.T) []goldenCase {
	t.Helper()
	raw, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []goldenCase
	if err := json.Unmarshal(raw, &cases); err != nil {
		t.Fatal(err)
	}
	return cases
}

// load returns a shipped template or one of testdata.
func load(t *testing.T, name string) *Template {
	t.Helper()
	tmpl, err := Named(name)
	if err != nil {
		source, readErr := os.ReadFile(filepath.Join("testdata", name+".jinja"))
		if readErr != nil {
			t.Fatal(readErr)
		}
		tmpl, err = Parse(name, string(source))
	}
	if err != nil {
		t.Fatal(err)
	}
	return tmpl
}

var testVars = Vars{BOS: "<s>", EOS: "</s>"}

func TestRenderAsTransformersDoes(t *testing.T) {
	for _, c := range readGolden(t) {
		v := testVars
		v.Prompt = c.Prompt
		got, err := load(t, c.Template).Render(c.Messages, v)
		switch {
		case c.Text == nil && err == nil:
			t.Errorf("%s: %v: transformers refuses it, gotrain renders %q", c.Template, c.Messages, got)
		case c.Text != nil && err != nil:
			t.Errorf("%s: %v: %v", c.Template, c.Messages, err)
		case c.Text != nil && got != *c.Text:
			t.Errorf("%s: %v prompt %t:\n got %q\nwant %q", c.Template, c.Messages, c.Prompt, got, *c.Text)
		}
	}
}
