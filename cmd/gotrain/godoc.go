package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"gotrain/data/chat"
)

func newDataGodoc() *cobra.Command {
	var out, packages string
	c := &cobra.Command{
		Use:   "godoc",
		Short: "Write an instruction set made of the Go documentation on this machine",
		Long: `Godoc reads the standard library in GOROOT/src and writes JSON Lines of messages: a
question about a package or a symbol, in several phrasings, and its documentation as
the answer. Phrasings of a question share their answer, and so fall on one side of
data.validation.`,
		Example: `  gotrain data godoc --out godoc.jsonl
  gotrain data godoc --out net.jsonl --packages 'net/*'`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := require(c, "out"); err != nil {
				return usageError{err}
			}
			if _, err := path.Match(packages, ""); err != nil {
				return usagef("--packages %q: %v", packages, err)
			}
			count, err := writeGodoc(out, packages)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%d conversations in %s\n", count, out)
			return err
		},
	}
	c.Flags().StringVar(&out, "out", "", "`FILE` to write (JSON Lines)")
	c.Flags().StringVar(&packages, "packages", "", "`PATTERN` of import paths, such as net/* (default: all)")
	complete(c, "out", filesWith("jsonl"))
	return c
}

// goroot is where the Go installation lies.
func goroot() (string, error) {
	if dir := os.Getenv("GOROOT"); dir != "" {
		return dir, nil
	}
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return "", fmt.Errorf("GOROOT is not set and `go env GOROOT` failed: %w (set GOROOT, or put go into PATH)", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// writeGodoc writes the conversations about the packages that match pattern and returns their number. The file is there
// whole or not at all.
func writeGodoc(out, pattern string) (count int, err error) {
	root, err := goroot()
	if err != nil {
		return 0, err
	}
	file, err := os.CreateTemp(filepath.Dir(out), ".tmp-godoc-")
	if err != nil {
		return 0, err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	w := bufio.NewWriter(file)
	src := filepath.Join(root, "src")
	err = filepath.WalkDir(src, func(dir string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		if name := entry.Name(); name == "testdata" || name == "vendor" || name == "internal" || name == "cmd" || strings.HasPrefix(name, "_") {
			return fs.SkipDir
		}
		importPath, err := filepath.Rel(src, dir)
		if err != nil || importPath == "." {
			return err
		}
		importPath = filepath.ToSlash(importPath)
		if ok, _ := path.Match(pattern, importPath); pattern != "" && !ok {
			return nil
		}
		n, err := writePackage(w, dir, importPath)
		count += n
		return err
	})
	if err != nil {
		return 0, err
	}
	if count == 0 {
		return 0, fmt.Errorf("no documented package in %s matches %q", src, pattern)
	}
	if err := w.Flush(); err != nil {
		return 0, err
	}
	if err := file.Close(); err != nil {
		return 0, err
	}
	if err := os.Chmod(file.Name(), 0o644); err != nil {
		return 0, err
	}
	return count, os.Rename(file.Name(), out)
}

// writePackage writes the conversations about the package in dir.
func writePackage(w io.Writer, dir, importPath string) (int, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return 0, err
	}
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(fset, name, nil, parser.ParseComments)
		if err != nil {
			return 0, err
		}
		// Files of other packages, such as generators, stand beside it.
		if parsed.Name.Name == path.Base(importPath) {
			files = append(files, parsed)
		}
	}
	if len(files) == 0 {
		return 0, nil
	}
	p, err := doc.NewFromFiles(fset, files, importPath)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", dir, err)
	}
	count := 0
	for _, e := range entries(p) {
		n, err := e.write(w)
		if err != nil {
			return 0, err
		}
		count += n
	}
	return count, nil
}

// entry is one documented thing.
type entry struct {
	name, text string
	questions  []string // with one %s, the name
}

// The phrasings of questions.
var (
	askPackage = []string{"What is the Go package %s for?", "Describe the Go package %s.", "What does package %s provide?"}
	askFunc    = []string{"What does %s do in Go?", "Explain the Go function %s.", "How does %s work?"}
	askType    = []string{"What is %s in Go?", "Explain the Go type %s.", "What is a %s?"}
)

// minAnswer is the bytes below which a comment is no answer.
const minAnswer = 20

// entries lists what p documents, in order of names.
func entries(p *doc.Package) []entry {
	var all []entry
	add := func(name, comment string, questions []string) {
		if text := strings.TrimSpace(string(p.Text(comment))); len(text) >= minAnswer {
			all = append(all, entry{name, text, questions})
		}
	}
	add(p.ImportPath, p.Doc, askPackage)
	functions := func(list []*doc.Func, prefix string) {
		for _, f := range list {
			add(prefix+f.Name, f.Doc, askFunc)
		}
	}
	functions(p.Funcs, p.Name+".")
	for _, t := range p.Types {
		add(p.Name+"."+t.Name, t.Doc, askType)
		functions(t.Funcs, p.Name+".")
		functions(t.Methods, p.Name+"."+t.Name+".")
	}
	slices.SortStableFunc(all, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	return all
}

func (e entry) write(w io.Writer) (int, error) {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	for _, question := range e.questions {
		record := struct {
			Messages []chat.Message `json:"messages"`
		}{[]chat.Message{{Role: chat.User, Content: fmt.Sprintf(question, e.name)}, {Role: chat.Assistant, Content: e.text}}}
		if err := encoder.Encode(record); err != nil {
			return 0, err
		}
	}
	return len(e.questions), nil
}
