package chat

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"unicode/utf8"

	"example.com/gotrain/data/chat/jinja"
)

// goldenCase is one rendering of transformers, see scripts/golden/chat.py.
type goldenCase struct {
	Template string
	Messages []json.RawMessage
	Prompt   bool
	Vars     json.RawMessage
	Text     *string // nil where the template refuses
	Spans    [][2]int
}

// role returns the role of a message.
func (c goldenCase) role(t *testing.T, i int) string {
	t.Helper()
	role, _ := fields(t, c.Messages[i]).Get("role")
	return role.(string)
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

func fields(t *testing.T, raw []byte) *jinja.Dict {
	t.Helper()
	v, err := jinja.FromJSON(raw)
	if err != nil {
		t.Fatal(err)
	}
	return v.(*jinja.Dict)
}

var testVars = Vars{BOS: "<s>", EOS: "</s>"}

func TestRenderAsTransformersDoes(t *testing.T) {
	for _, c := range readGolden(t) {
		v := testVars
		v.Prompt = c.Prompt
		v.More = map[string]jinja.Value{}
		if c.Vars != nil {
			more := fields(t, c.Vars)
			for _, key := range more.Keys() {
				v.More[key.(string)], _ = more.Get(key.(string))
			}
		}
		messages := make([]Message, len(c.Messages))
		for i, raw := range c.Messages {
			m := fields(t, raw)
			content, _ := m.Get("content")
			if isParts(content) {
				messages[i].Role = c.role(t, i)
				jinja.EachText(content, func(s string) {
					if s != "text" {
						messages[i].Content += s
					}
				})
			} else if err := json.Unmarshal(raw, &messages[i]); err != nil {
				t.Fatal(err)
			}
			if m.Len() > 2 || isParts(content) {
				messages[i].Fields = m
			}
		}
		tmpl := load(t, c.Template)
		got, err := tmpl.Render(messages, v)
		switch {
		case c.Text == nil && err == nil:
			t.Errorf("%s: %s: transformers refuses it, gotrain renders %q", c.Template, c.Messages, got)
		case c.Text != nil && err != nil:
			t.Errorf("%s: %s: %v", c.Template, c.Messages, err)
		case c.Text != nil && got != *c.Text:
			t.Errorf("%s: %s prompt %t:\n got %q\nwant %q", c.Template, c.Messages, c.Prompt, got, *c.Text)
		}
		if c.Spans == nil {
			continue
		}
		text, spans, err := tmpl.Spans(messages, v)
		var inCharacters [][2]int
		for _, s := range spans {
			begin := utf8.RuneCountInString(text[:s.Begin])
			inCharacters = append(inCharacters, [2]int{begin, begin + utf8.RuneCountInString(text[s.Begin:s.End])})
		}
		if err != nil || !slices.Equal(inCharacters, c.Spans) {
			t.Errorf("%s: %s: spans %v %v, want %v", c.Template, c.Messages, inCharacters, err, c.Spans)
		}
	}
}
