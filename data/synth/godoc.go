// Package synth makes training data from what is at hand.
//
// [WriteGodoc] makes an instruction set of the Go documentation on this machine, which
// it finds with [GoRoot]; [Godoc] is the same for any tree of packages and any writer.
package synth

import (
	"bufio"
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
	"strings"
)

// GoRoot is where the Go installation lies.
func GoRoot() (string, error) {
	if dir := os.Getenv("GOROOT"); dir != "" {
		return dir, nil
	}
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return "", fmt.Errorf("GOROOT is not set and `go env GOROOT` failed: %w (set GOROOT, or put go into PATH)", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// WriteGodoc writes Godoc's conversations to a file and returns their number. The file is
// there whole or not at all.
func WriteGodoc(out, root, pattern string) (count int, err error) {
	file, err := os.CreateTemp(filepath.Dir(out), ".tmp-godoc-")
	if err != nil {
		return 0, err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	if count, err = Godoc(file, root, pattern); err != nil {
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

// Godoc writes conversations about the Go packages below root/src whose import path
// matches pattern, as path.Match does (empty: all), and returns their number. A line is a
// JSON object of messages: a question about a package or a symbol, in several phrasings,
// and its documentation as the answer. Phrasings of a question share their answer, and so
// fall on one side of data.validation.
func Godoc(out io.Writer, root, pattern string) (count int, err error) {
	w := bufio.NewWriter(out)
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
		if ok, err := path.Match(pattern, importPath); err != nil || pattern != "" && !ok {
			return err
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
	return count, w.Flush()
}

// writePackage writes the conversations about the package in dir.
func writePackage(w io.Writer, dir, importPath string) (int, error) {
	list, err := os.ReadDir(dir)
	if err != nil {
		return 0, err
	}
	fset := token.NewFileSet()
	var files []*ast.File
	for _, e := range list {
		if filepath.Ext(e.Name()) != ".go" || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(fset, filepath.Join(dir, e.Name()), nil, parser.ParseComments)
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
