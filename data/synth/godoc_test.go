package synth_test

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"example.com/gotrain/data/synth"
)

// tea writes a small GOROOT into dir.
func tea(dir string) error {
	for name, text := range map[string]string{
		"src/tea/tea.go":          "// Package tea brews tea, as its name says.\npackage tea\n\n// Brew makes a pot of tea for everyone <&>.\nfunc Brew() {}\n\n// No.\nfunc Short() {}\n",
		"src/tea/tea_test.go":     "package tea\n\n// Tested is not documentation for anyone.\nfunc Tested() {}\n",
		"src/tea/internal/x/x.go": "// Package x is nobody's business but tea's.\npackage x\n",
		"src/cup/cup.go":          "// Package cup holds what package tea brews.\npackage cup\n",
	} {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
			return err
		}
		if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
			return err
		}
	}
	return nil
}

func Example() {
	root, err := os.MkdirTemp("", "goroot") // synth.GoRoot()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(root)
	if err := tea(root); err != nil {
		fmt.Println(err)
		return
	}
	var out strings.Builder
	n, err := synth.Godoc(&out, root, "t*")
	fmt.Println(n, err)
	fmt.Print(strings.SplitAfter(out.String(), "\n")[0])
	// Output:
	// 6 <nil>
	// {"messages":[{"role":"user","content":"What is the Go package tea for?"},{"role":"assistant","content":"Package tea brews tea, as its name says."}]}
}

func TestFaults(t *testing.T) {
	root := t.TempDir()
	if err := tea(root); err != nil {
		t.Fatal(err)
	}
	for pattern, want := range map[string]string{"milk": `matches "milk"`, "[": path.ErrBadPattern.Error()} {
		if _, err := synth.Godoc(&strings.Builder{}, root, pattern); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", pattern, err, want)
		}
	}
	out := filepath.Join(t.TempDir(), "godoc.jsonl")
	if _, err := synth.WriteGodoc(out, root, "milk"); err == nil {
		t.Error("there is no package about milk")
	}
	if left, err := os.ReadDir(filepath.Dir(out)); err != nil || len(left) > 0 {
		t.Errorf("a failure leaves %v, %v", left, err)
	}
}
