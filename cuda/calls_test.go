package cuda

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestCallsInTable compares the calls that README.md's table of rules lists with those
// that the sources make: of C, of cgo, and those of gorgonia.org/cu by the name that
// their errors carry. The tests that the page names are there.
func TestCallsInTable(t *testing.T) {
	made := map[string]bool{}
	called := regexp.MustCompile(`\b(cu[A-Z]\w*|cublasLt[A-Z]\w*|nccl[A-Z]\w*)\(`)
	named := regexp.MustCompile(`(?:do|driverError)\("(cu\w+)"`)
	files, err := filepath.Glob("*.[gc]*")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range called.FindAllStringSubmatch(string(text), -1) {
			made[m[1]] = true
		}
		for _, m := range named.FindAllStringSubmatch(string(text), -1) {
			made[m[1]] = true
		}
	}
	for _, own := range []string{"ncclError", "ncclType"} { // functions of this package
		delete(made, own)
	}
	readme, err := os.ReadFile("README.md")
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("the sources are not here: this binary was packed")
	}
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for line := range strings.Lines(string(readme)) {
		if cells := strings.Split(line, "|"); len(cells) == 6 {
			for _, name := range regexp.MustCompile("`((?:cu|nccl)[A-Za-z]\\w*)`").FindAllStringSubmatch(cells[1], -1) {
				listed[name[1]] = true
			}
		}
	}
	tests := map[string]bool{}
	for _, folder := range []string{".", "backend", "kernels", "../cmd/gotrain"} {
		sources, err := filepath.Glob(folder + "/*_test.go")
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range sources {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range regexp.MustCompile(`func (Test\w+)\(`).FindAllStringSubmatch(string(text), -1) {
				tests[m[1]] = true
			}
		}
	}
	if len(made) < 60 {
		t.Errorf("the sources make %d calls only: the patterns are wrong", len(made))
	}
	for name := range made {
		if !listed[name] {
			t.Errorf("README.md has no rule for %s", name)
		}
	}
	for name := range listed {
		if !made[name] {
			t.Errorf("README.md lists %s, which nothing calls", name)
		}
	}
	for _, name := range regexp.MustCompile(`\bTest[A-Z]\w+`).FindAllString(string(readme), -1) {
		if !tests[name] {
			t.Errorf("README.md names %s, which is no test", name)
		}
	}
}
