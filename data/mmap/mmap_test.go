package mmap

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// What is released is read again when it is touched.
func TestRelease(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	content := bytes.Repeat([]byte("0123456789abcdef"), 4096)
	if err := os.WriteFile(path, content, 0o666); err != nil {
		t.Fatal(err)
	}
	data, unmap, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer unmap()
	for _, part := range [][]byte{data, data[:100], data[100:50000], data[4096:8192], nil} {
		if Release(part); !bytes.Equal(data, content) {
			t.Fatalf("other bytes after the release of %d", len(part))
		}
	}
}

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
