// Package ways keeps what back ends have chosen by timing (exec.Chooser) from run to run,
// in a file: by library and card, and there by what is computed.
package ways

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/data/vfs"
)

// File is where ways are kept; the zero one keeps none.
type File struct {
	FS   vfs.FS
	Path string
}

// Usual is the file in the user's cache folder: gotrain/ways.json.
func Usual() (File, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return File{}, fmt.Errorf("no place for what is chosen by timing: %w", err)
	}
	return File{vfs.OS{}, filepath.Join(dir, "gotrain", "ways.json")}, nil
}

// maxBytes bounds the file.
const maxBytes = 64 << 20

// all reads the file; one that is not there is empty.
func (f File) all() (map[string]exec.Ways, error) {
	kept := map[string]exec.Ways{}
	if f.Path == "" {
		return kept, nil
	}
	raw, err := vfs.ReadFile(f.FS, f.Path, maxBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return kept, nil
	}
	if err == nil {
		err = json.Unmarshal(raw, &kept)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w; remove it, it only spares time", f.Path, err)
	}
	return kept, nil
}

// Of are the ways that were chosen for a library and card, as exec.Chooser.Where names
// them.
func (f File) Of(where string) (exec.Ways, error) {
	kept, err := f.all()
	return kept[where], err
}

// Card counts the ways of a card, over all libraries.
func (f File) Card(name string) (int, error) {
	kept, err := f.all()
	n := 0
	for where, ways := range kept {
		if strings.Contains(where, ", "+name+" with ") {
			n += len(ways)
		}
	}
	return n, err
}

// Add keeps ways in one step. Those that are there already stay, so that runs which begin
// at the same time agree from then on.
func (f File) Add(where string, ways exec.Ways) error {
	if f.Path == "" || len(ways) == 0 {
		return nil
	}
	kept, err := f.all()
	if err != nil {
		return err
	}
	merged := maps.Clone(ways)
	maps.Copy(merged, kept[where])
	if maps.Equal(merged, kept[where]) {
		return nil
	}
	kept[where] = merged
	if err := vfs.MkdirAll(f.FS, filepath.Dir(f.Path)); err != nil {
		return err
	}
	return vfs.WriteFile(f.FS, f.Path, func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		e.SetIndent("", "\t")
		return e.Encode(kept)
	})
}
