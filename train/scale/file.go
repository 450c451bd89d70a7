package scale

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"example.com/gotrain/data/vfs"
)

// FileName is the file of a folder of runs that has the laws fitted to them.
const FileName = "scale.json"

// maxFile bounds a file of laws.
const maxFile = 64 << 20

// Write writes the laws into a file, whole or not at all.
func (r *Report) Write(fsys vfs.FS, file string) error {
	return vfs.WriteFile(fsys, file, func(w io.Writer) error {
		return json.NewEncoder(w).Encode(r)
	})
}

// Read reads what Write wrote.
func Read(fsys vfs.FS, file string) (*Report, error) {
	text, err := vfs.ReadFile(fsys, file, maxFile)
	if err != nil {
		return nil, err
	}
	r := &Report{}
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("%s holds no fitted laws: %w; gotrain scale fit writes them", file, err)
	}
	if !r.Parametric.Law().usable() || !(r.Band > 0 && r.Band < 1) {
		return nil, fmt.Errorf("%s holds no fitted law; gotrain scale fit writes one", file)
	}
	for _, s := range r.Resamples {
		if !s.law().usable() {
			return nil, fmt.Errorf("%s holds a resample that is no law; gotrain scale fit writes it anew", file)
		}
	}
	return r, nil
}

// OfFolder reads the laws of a folder of runs, nil where it has none.
func OfFolder(fsys vfs.FS, dir string) (*Report, error) {
	r, err := Read(fsys, filepath.Join(dir, FileName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return r, err
}
