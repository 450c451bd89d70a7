package text

import (
	"os"
	"path/filepath"
	"testing"

	"example.com/gotrain/data/chat"
)

// TestFindTemplate: a file or a name wins over the model's own template.
func TestFindTemplate(t *testing.T) {
	file := filepath.Join(t.TempDir(), "mine.jinja")
	if err := os.WriteFile(file, []byte("mine {{ messages[0].content }}"), 0o666); err != nil {
		t.Fatal(err)
	}
	const own = "own {{ messages[0].content }}"
	for _, tc := range []struct{ name, own, want string }{
		{"", own, "own Q"}, {"chatml", own, "<|im_start|>user\nQ<|im_end|>\n"}, {file, own, "mine Q"}, {"chatml", "", "<|im_start|>user\nQ<|im_end|>\n"},
	} {
		template, err := findTemplate(tc.name, tc.own)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := template.Render([]chat.Message{{Role: chat.User, Content: "Q"}}, chat.Vars{}); err != nil || got != tc.want {
			t.Errorf("%q beside %q: %q, %v; want %q", tc.name, tc.own, got, err, tc.want)
		}
	}
	if _, err := findTemplate("", ""); err == nil {
		t.Error("without any there is a template")
	}
}
