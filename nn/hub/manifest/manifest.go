// Package manifest tells whether a directory holds what was written into it: the
// file manifest.json lists the size and checksum of every other file.
//
// [Verify] compares a directory with its manifest; [Parse] and [Manifest.Encode] are
// the two ways of the file. Package checkpoint writes manifests, whoever loads a
// model reads them.
package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/zeebo/xxh3"

	"example.com/gotrain/data/vfs"
)

// Name is the file's.
const Name = "manifest.json"

// Version is that of the format which this package writes and the only one that it
// reads.
const Version = 1

// MaxSize bounds what is read of a manifest, in bytes: some 100,000 files.
const MaxSize = 16 << 20

// Sum is the 64-bit xxh3 checksum of a file, 16 hexadecimal digits in JSON.
type Sum uint64

// SumOf is the checksum of content.
func SumOf(content []byte) Sum { return Sum(xxh3.Hash(content)) }

func (s Sum) String() string { return fmt.Sprintf("%016x", uint64(s)) }

// MarshalText writes 16 hexadecimal digits.
func (s Sum) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads 16 hexadecimal digits.
func (s *Sum) UnmarshalText(text []byte) error {
	v, err := strconv.ParseUint(string(text), 16, 64)
	if err != nil || len(text) != 16 {
		return fmt.Errorf("%q is no checksum: want 16 hexadecimal digits", text)
	}
	*s = Sum(v)
	return nil
}

// Entry is a file as the manifest knows it.
type Entry struct {
	Name string `json:"name"`
	Size int64  `json:"size"` // bytes
	XXH3 Sum    `json:"xxh3"`
}

// Manifest is the content of manifest.json.
type Manifest struct {
	Format int     `json:"format"`
	Step   int64   `json:"step"`
	Files  []Entry `json:"files"`
}

// Encode gives the only accepted bytes of a manifest.
func (m Manifest) Encode() ([]byte, error) {
	data, err := json.MarshalIndent(m, "", "  ")
	return append(data, '\n'), err
}

// Parse reads manifest.json. Because a manifest cannot hold its own
// checksum, only the exact bytes that this package would write for what was read
// are accepted; what a flipped bit can still change (a step, a name, a size, a
// sum) then contradicts the directory.
func Parse(data []byte) (Manifest, error) {
	var m Manifest
	if len(data) > MaxSize {
		return m, fmt.Errorf("longer than %d bytes", MaxSize)
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return m, fmt.Errorf("not a manifest: %w", err)
	}
	if m.Format != Version {
		return m, fmt.Errorf("format version is %d, this program reads %d", m.Format, Version)
	}
	if m.Step < 0 {
		return m, fmt.Errorf("step is %d", m.Step)
	}
	seen := map[string]bool{}
	for _, f := range m.Files {
		if err := CheckName(f.Name); err != nil {
			return m, err
		}
		if f.Size < 0 {
			return m, fmt.Errorf("size of %s is %d", f.Name, f.Size)
		}
		if seen[f.Name] {
			return m, fmt.Errorf("%s is listed twice", f.Name)
		}
		seen[f.Name] = true
	}
	canonical, err := m.Encode()
	if err != nil {
		return m, err
	}
	if !bytes.Equal(canonical, data) {
		return m, errors.New("its bytes are not what was written")
	}
	return m, nil
}

// DamageError says how a checkpoint differs from what was saved.
type DamageError struct {
	Path    string // the checkpoint's directory
	File    string // the file in it
	Problem string
}

func (e *DamageError) Error() string {
	return fmt.Sprintf("%s is damaged: %s: %s", e.Path, e.File, e.Problem)
}

// Verify compares the directory with its manifest: every file's presence, size and
// checksum, and that there are no others (names with a leading dot, which some
// systems scatter, are ignored). Damage is a *DamageError; other errors mean that
// the check could not be made.
func Verify(fsys vfs.FS, dir string) (Manifest, error) {
	m, err := Read(fsys, dir)
	if err != nil {
		return m, err
	}
	return m, m.Check(fsys, dir)
}

// Damage is a *DamageError.
func Damage(dir, file, format string, args ...any) error {
	return &DamageError{Path: dir, File: file, Problem: fmt.Sprintf(format, args...)}
}

// Read reads the manifest of a directory; errors are those of Verify.
func Read(fsys vfs.FS, dir string) (Manifest, error) {
	if _, err := fsys.ReadDir(dir); err != nil {
		return Manifest{}, asDamage(err, dir, ".")
	}
	info, err := fsys.Stat(filepath.Join(dir, Name))
	if errors.Is(err, fs.ErrNotExist) {
		return Manifest{}, Damage(dir, Name, "missing")
	}
	if err != nil {
		return Manifest{}, asDamage(err, dir, Name)
	}
	if !info.Mode().IsRegular() || info.Size() > MaxSize {
		return Manifest{}, Damage(dir, Name, "not a regular file of at most %d bytes", MaxSize)
	}
	data, err := vfs.ReadFile(fsys, filepath.Join(dir, Name), MaxSize)
	if err != nil {
		return Manifest{}, asDamage(err, dir, Name)
	}
	m, err := Parse(data)
	if err != nil {
		return m, Damage(dir, Name, "%v", err)
	}
	return m, nil
}

// Check compares a directory with the manifest; errors are those of Verify.
func (m Manifest) Check(fsys vfs.FS, dir string) error {
	present, err := filesIn(fsys, dir)
	if err != nil {
		return asDamage(err, dir, ".")
	}
	delete(present, Name)
	// Sizes before sums: a truncated checkpoint is found without reading the rest.
	for _, f := range m.Files {
		if !present[f.Name] {
			return Damage(dir, f.Name, "missing")
		}
		delete(present, f.Name)
		info, err := fsys.Stat(filepath.Join(dir, f.Name))
		if err != nil {
			return asDamage(err, dir, f.Name)
		}
		if !info.Mode().IsRegular() {
			return Damage(dir, f.Name, "not a regular file")
		}
		if info.Size() != f.Size {
			return Damage(dir, f.Name, "%d bytes, want %d", info.Size(), f.Size)
		}
	}
	if extra := slices.Sorted(maps.Keys(present)); len(extra) > 0 {
		return Damage(dir, extra[0], "not in the manifest")
	}
	buf := make([]byte, Chunk)
	for _, f := range m.Files {
		size, sum, err := checksum(fsys, filepath.Join(dir, f.Name), buf)
		if err != nil {
			return asDamage(err, dir, f.Name)
		}
		if size != f.Size || sum != f.XXH3 {
			return Damage(dir, f.Name, "checksum %v over %d bytes, want %v over %d", sum, size, f.XXH3, f.Size)
		}
	}
	return nil
}

// CheckName refuses names of files that would leave the directory, hide in it or lie
// deeper than one folder.
func CheckName(name string) error {
	if name == "" {
		return errors.New("a file has no name")
	}
	parts := strings.Split(name, "/")
	for _, part := range parts {
		if part == "" || strings.HasPrefix(part, ".") || strings.ContainsAny(part, "\\\x00") || part == Name || len(parts) > 2 {
			return fmt.Errorf("%q is no usable file name: want a plain name or FOLDER/NAME, without leading dots, other than %s", name, Name)
		}
	}
	return nil
}

// Chunk is the size in bytes of a read while a file is hashed: a part that the
// processor's cache holds.
const Chunk = 256 << 10

// filesIn returns the names of the files in a checkpoint and its folders, those
// with a leading dot left out. An empty folder stands for itself.
func filesIn(fsys vfs.FS, dir string) (map[string]bool, error) {
	names := map[string]bool{}
	entries, err := fsys.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		inside := []fs.DirEntry{}
		if e.IsDir() {
			if inside, err = fsys.ReadDir(filepath.Join(dir, e.Name())); err != nil {
				return nil, err
			}
		}
		if len(inside) == 0 {
			names[e.Name()] = true
		}
		for _, f := range inside {
			if !strings.HasPrefix(f.Name(), ".") {
				names[e.Name()+"/"+f.Name()] = true
			}
		}
	}
	return names, nil
}

// asDamage turns errors that come from the medium, a vanished file or a file in
// place of a directory into damage, and leaves those that say nothing about it (permission, open files, memory).
func asDamage(err error, dir, file string) error {
	if IsMediumError(err) || errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return &DamageError{Path: dir, File: file, Problem: err.Error()}
	}
	return err
}

func checksum(fsys vfs.FS, name string, buf []byte) (size int64, sum Sum, err error) {
	f, err := fsys.Open(name)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	h := xxh3.New()
	// The struct hides any ReadFrom or WriteTo, so that reads have this size.
	size, err = io.CopyBuffer(struct{ io.Writer }{h}, struct{ io.Reader }{f}, buf)
	return size, Sum(h.Sum64()), err
}

// IsMediumError reports errors of the disk itself.
func IsMediumError(err error) bool { return errors.Is(err, syscall.EIO) }
