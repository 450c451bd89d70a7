package ways_test

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/train/ways"
)

// TestFile keeps ways by library and card; what came first stays.
func TestFile(t *testing.T) {
	f := ways.File{FS: vfs.OS{}, Path: filepath.Join(t.TempDir(), "cache", "ways.json")}
	const here, there = "cuBLASLt 13.1.0, NVIDIA H200 with 132 multiprocessors", "cuBLASLt 13.1.0, NVIDIA H100 with 132 multiprocessors"
	if got, err := f.Of(here); err != nil || len(got) != 0 {
		t.Errorf("a file that is not there has %v, %v", got, err)
	}
	first := exec.Ways{"a": {Name: "x", MS: 1, FirstMS: 2}, "b": {Name: "y"}}
	for where, w := range map[string]exec.Ways{here: first, there: {"a": {Name: "z"}}} {
		if err := f.Add(where, w); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Add(here, exec.Ways{"a": {Name: "other"}, "c": {Name: "w"}}); err != nil {
		t.Fatal(err)
	}
	want := exec.Ways{"a": {Name: "x", MS: 1, FirstMS: 2}, "b": {Name: "y"}, "c": {Name: "w"}}
	if got, err := f.Of(here); err != nil || !maps.Equal(got, want) {
		t.Errorf("kept are %v, %v, want %v", got, err, want)
	}
	if n, err := f.Card("NVIDIA H200"); err != nil || n != 3 {
		t.Errorf("%d ways are kept for the card, %v, want 3", n, err)
	}
	if n, err := f.Card("NVIDIA"); err != nil || n != 0 {
		t.Errorf("a beginning of a card's name has %d, %v", n, err)
	}
	if err := f.Add("rocBLAS, NVIDIA H200 with 1 <unit>", exec.Ways{"a": {Name: "r"}}); err != nil {
		t.Fatal(err)
	}
	if n, err := f.Card("NVIDIA H200"); err != nil || n != 4 {
		t.Errorf("%d ways are kept for the card of two libraries, %v, want 4", n, err)
	}
	// People read it: indented, and without escapes.
	if text, err := os.ReadFile(f.Path); err != nil || !strings.Contains(string(text), "{\n\t\"") || !strings.Contains(string(text), "<unit>") {
		t.Errorf("%s, %v", text, err)
	}
	// What changes nothing writes nothing.
	before, err := os.Stat(f.Path)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Add(here, exec.Ways{"a": {Name: "other"}}); err != nil {
		t.Fatal(err)
	}
	if after, err := os.Stat(f.Path); err != nil || !os.SameFile(before, after) {
		t.Errorf("a file was written anew for nothing: %v", err)
	}
	left, err := os.ReadDir(filepath.Dir(f.Path))
	if err != nil || len(left) != 1 {
		t.Errorf("beside the file lie %v, %v", left, err)
	}
}

// TestDamagedFile says which file, and is not overwritten.
func TestDamagedFile(t *testing.T) {
	f := ways.File{FS: vfs.OS{}, Path: filepath.Join(t.TempDir(), "ways.json")}
	if err := os.WriteFile(f.Path, []byte("{"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Of("here"); err == nil || err.Error() != f.Path+": unexpected end of JSON input; remove it, it only spares time" {
		t.Errorf("a damaged file: %v", err)
	}
	if err := f.Add("here", exec.Ways{"a": {Name: "x"}}); err == nil {
		t.Error("a damaged file is overwritten")
	}
	if n, err := f.Card("x"); n != 0 || err == nil {
		t.Errorf("a damaged file has %d ways, %v", n, err)
	}
	// A directory in the way, and a file where a directory should be.
	for _, bad := range []string{filepath.Dir(f.Path), filepath.Join(f.Path, "ways.json")} {
		f := ways.File{FS: vfs.OS{}, Path: bad}
		if err := f.Add("here", exec.Ways{"a": {Name: "x"}}); err == nil {
			t.Errorf("%s was written", bad)
		}
	}
	large := ways.File{FS: vfs.OS{}, Path: filepath.Join(t.TempDir(), "large.json")}
	for size, taken := range map[int64]bool{64 << 20: true, 64<<20 + 1: false} {
		if err := errors.Join(os.WriteFile(large.Path, []byte("{}"), 0o666), os.Truncate(large.Path, size)); err != nil {
			t.Fatal(err)
		}
		// Within the bound it is read, and is no JSON.
		if _, err := large.Of("here"); err == nil || strings.Contains(err.Error(), "invalid character") != taken {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

// TestNoFile keeps nothing.
func TestNoFile(t *testing.T) {
	var f ways.File
	if err := f.Add("here", exec.Ways{"a": {Name: "x"}}); err != nil {
		t.Error(err)
	}
	if got, err := f.Of("here"); err != nil || len(got) != 0 {
		t.Errorf("nothing keeps %v, %v", got, err)
	}
}

// TestUsual is in the user's cache folder.
func TestUsual(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", dir)
	if f, err := ways.Usual(); err != nil || f.Path != filepath.Join(dir, "gotrain", "ways.json") {
		t.Errorf("%+v, %v", f, err)
	}
	t.Setenv("XDG_CACHE_HOME", "")
	t.Setenv("HOME", "")
	if f, err := ways.Usual(); err == nil || f != (ways.File{}) || !strings.HasPrefix(err.Error(), "no place for what is chosen by timing: ") {
		t.Errorf("without a home: %+v, %v", f, err)
	}
}
