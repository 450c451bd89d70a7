package gguf

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Keys of a file that is one of several parts. The first has the metadata of the model.
const (
	splitNumber  = "split.no"
	splitCount   = "split.count"
	splitTensors = "split.tensors.count"
)

// maxParts bounds split.count.
const maxParts = 99999

// partName is the name of a part: model-00001-of-00003.gguf.
var partName = regexp.MustCompile(`^(.*)-(\d{5})-of-(\d{5})\.gguf$`)

// Find returns the GGUF file in a directory that has one model of this format: the file
// or the first of its parts. The error is os.ErrNotExist's where there is none.
func Find(dir string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	var found []string
	for _, e := range entries {
		name := e.Name()
		if e.IsDir() || !strings.HasSuffix(name, ".gguf") {
			continue
		}
		if m := partName.FindStringSubmatch(name); m != nil {
			name = part(m[1], 1, m[3])
		}
		if !slices.Contains(found, name) {
			found = append(found, name)
		}
	}
	switch len(found) {
	case 0:
		return "", fmt.Errorf("%s holds no GGUF file: %w", dir, fs.ErrNotExist)
	case 1:
		return filepath.Join(dir, found[0]), nil
	}
	return "", fmt.Errorf("%s holds %d models, such as %s and %s: name one of the files", dir, len(found), found[0], found[1])
}

// part is the name of part number n, from 1, of so many.
func part(base string, n int, count string) string {
	return fmt.Sprintf("%s-%05d-of-%s.gguf", base, n, count)
}

// join adds the other parts to f, which was read from path and may be any of them.
func (f *File) join(path string) error {
	count, _, err := f.metadata.Int(splitCount)
	if err != nil || count <= 1 {
		return inFile(err, path)
	}
	number, ok, err := f.metadata.Int(splitNumber)
	if err != nil {
		return inFile(err, path)
	}
	if !ok || number < 0 || number >= count || count > maxParts {
		return &FormatError{File: path, Key: splitNumber, Problem: fmt.Sprintf("part %d of %d is none", number, count), Cure: cureDamaged}
	}
	cure := fmt.Sprintf("put all parts beside it as NAME-%05d-of-%05d.gguf …, or merge them with llama-gguf-split --merge", 1, count)
	name := partName.FindStringSubmatch(filepath.Base(path))
	if name == nil || name[2] != fmt.Sprintf("%05d", number+1) || name[3] != fmt.Sprintf("%05d", count) {
		return &FormatError{File: path, Problem: fmt.Sprintf("is part %d of %d, but is not named so", number+1, count), Cure: cure}
	}
	parts := make([]*File, count)
	parts[number] = f
	for i := range parts {
		if i == number {
			continue
		}
		other := filepath.Join(filepath.Dir(path), part(name[1], i+1, name[3]))
		p, err := openOne(other)
		if errors.Is(err, fs.ErrNotExist) {
			err = &FormatError{File: path, Problem: fmt.Sprintf("is part %d of %d, and %s is not there", number+1, count, filepath.Base(other)), Cure: cure}
		}
		if err == nil {
			parts[i] = p
			err = p.isPart(other, i, count)
		}
		if err != nil {
			return errors.Join(err, closeAll(parts, f))
		}
	}
	return f.take(path, parts)
}

// isPart wants f to be part number i, from 0, of so many.
func (f *File) isPart(path string, i, count int) error {
	number, _, err := f.metadata.Int(splitNumber)
	if err != nil {
		return inFile(err, path)
	}
	n, _, err := f.metadata.Int(splitCount)
	if err != nil {
		return inFile(err, path)
	}
	if number != i || n != count {
		return &FormatError{File: path, Problem: fmt.Sprintf("says that it is part %d of %d, its name part %d of %d", number+1, n, i+1, count), Cure: cureFetch}
	}
	return nil
}

// take makes f all parts: the metadata of the first and the tensors of each.
func (f *File) take(path string, parts []*File) error {
	all := &File{Version: parts[0].Version, metadata: parts[0].metadata, index: map[string]int{}}
	var unmap []func() error
	for _, p := range parts {
		unmap = append(unmap, p.unmap)
		for _, t := range p.tensors {
			if _, twice := all.index[t.Name]; twice {
				return errors.Join(&FormatError{File: path, Tensor: t.Name, Problem: "is in two parts", Cure: cureDamaged}, closeAll(parts, f))
			}
			all.index[t.Name] = len(all.tensors)
			all.tensors = append(all.tensors, t)
		}
	}
	want, ok, err := all.metadata.Int(splitTensors)
	if err == nil && ok && want != len(all.tensors) {
		err = &FormatError{Key: splitTensors, Problem: fmt.Sprintf("the parts have %d tensors, %d are announced", len(all.tensors), want), Cure: cureFetch}
	}
	if err != nil {
		return errors.Join(inFile(err, path), closeAll(parts, f))
	}
	all.unmap = func() error {
		var errs []error
		for _, u := range unmap {
			errs = append(errs, u())
		}
		return errors.Join(errs...)
	}
	*f = *all
	return nil
}

// closeAll closes the parts but one, which its opener closes.
func closeAll(parts []*File, but *File) error {
	var errs []error
	for _, p := range parts {
		if p != nil && p != but {
			errs = append(errs, p.Close())
		}
	}
	return errors.Join(errs...)
}

// inFile names the file in an error about its metadata.
func inFile(err error, path string) error {
	var fault *FormatError
	if errors.As(err, &fault) && fault.File == "" {
		fault.File = path
	}
	return err
}
