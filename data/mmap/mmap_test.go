package mmap

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	for _, content := range []string{"", "some bytes"} {
		path := filepath.Join(dir, "file")
		if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
		data, unmap, err := Open(path)
		if err != nil || string(data) != content {
			t.Errorf("%q, %v, want %q", data, err, content)
		}
		if err := unmap(); err != nil {
			t.Error(err)
		}
	}
	if _, _, err := Open(dir); !errors.Is(err, ErrIrregular) {
		t.Errorf("a directory: %v", err)
	}
	if _, _, err := Open(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}
