package gguf

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// writePart writes part n of 3, from 0, with a tensor for each name.
func writePart(t *testing.T, dir string, n int, change func(Metadata) Metadata, names ...string) {
	t.Helper()
	m := Metadata{{splitNumber, uint16(n)}, {splitCount, uint16(3)}, {splitTensors, int32(3)}}
	if n == 0 {
		m = append(Metadata{{"general.architecture", "llama"}}, m...)
	}
	if change != nil {
		m = change(m)
	}
	var tensors []Tensor
	for _, name := range names {
		tensors = append(tensors, Tensor{Name: name, Type: F32, Shape: []int{1}, Data: []byte(name + "   ")[:4]})
	}
	var file bytes.Buffer
	if err := Write(&file, m, tensors); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, part("m", n+1, "00003")), file.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
}

// TestSplit opens a model in three files, the first without tensors, by any of them and
// by the folder.
func TestSplit(t *testing.T) {
	dir := t.TempDir()
	writePart(t, dir, 0, nil)
	writePart(t, dir, 1, nil, "a", "b")
	writePart(t, dir, 2, nil, "c")
	first, err := Find(dir)
	if err != nil || filepath.Base(first) != "m-00001-of-00003.gguf" {
		t.Fatalf("%s, %v", first, err)
	}
	for n := range 3 {
		f, err := Open(filepath.Join(dir, part("m", n+1, "00003")))
		if err != nil {
			t.Fatal(err)
		}
		var got string
		for _, tensor := range f.Tensors() {
			again, ok := f.Tensor(tensor.Name)
			got += tensor.Name + string(again.Data) + fmt.Sprint(ok)
		}
		if want := "aa   trueb" + "b   truec" + "c   true"; got != want {
			t.Errorf("part %d: tensors %q, want %q", n, got, want)
		}
		if name, _, err := f.Metadata().String("general.architecture"); name != "llama" {
			t.Errorf("part %d: metadata %v, %v", n, f.Metadata(), err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestSplitFaults(t *testing.T) {
	other := func(key string, value any) func(Metadata) Metadata {
		return func(m Metadata) Metadata {
			for i := range m {
				if m[i].Key == key {
					m[i].Value = value
				}
			}
			return m
		}
	}
	for want, damage := range map[string]func(t *testing.T, dir string){
		"m-00001-of-00003.gguf: is part 1 of 3, and m-00002-of-00003.gguf is not there; put all parts beside it as NAME-00001-of-00003.gguf …, or merge them with llama-gguf-split --merge": func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, "m-00002-of-00003.gguf")); err != nil {
				t.Fatal(err)
			}
		},
		"m-00003-of-00003.gguf: says that it is part 2 of 3, its name part 3 of 3": func(t *testing.T, dir string) { writePart(t, dir, 2, other(splitNumber, uint16(1)), "c") },
		`m-00003-of-00003.gguf: key "split.no": is of type string`:                 func(t *testing.T, dir string) { writePart(t, dir, 2, other(splitNumber, "x"), "c") },
		`key "split.no": part 5 of 3 is none`:                                      func(t *testing.T, dir string) { writePart(t, dir, 0, other(splitNumber, uint16(5))) },
		`key "split.count": is of type string`:                                     func(t *testing.T, dir string) { writePart(t, dir, 0, other(splitCount, "x")) },
		`key "split.tensors.count": the parts have 2 tensors, 3 are announced`:     func(t *testing.T, dir string) { writePart(t, dir, 2, nil) },
		`tensor "a": is in two parts`:                                              func(t *testing.T, dir string) { writePart(t, dir, 2, nil, "a") },
		"m-00003-of-00003.gguf: 3 bytes are too few": func(t *testing.T, dir string) {
			if err := os.WriteFile(filepath.Join(dir, "m-00003-of-00003.gguf"), []byte("GGU"), 0o666); err != nil {
				t.Fatal(err)
			}
		},
	} {
		dir := t.TempDir()
		writePart(t, dir, 0, nil)
		writePart(t, dir, 1, nil, "a", "b")
		writePart(t, dir, 2, nil, "c")
		damage(t, dir)
		if _, err := Open(filepath.Join(dir, "m-00001-of-00003.gguf")); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v, want %s", err, want)
		}
	}
	dir := t.TempDir()
	writePart(t, dir, 0, nil)
	renamed := filepath.Join(dir, "renamed.gguf")
	if err := os.Rename(filepath.Join(dir, "m-00001-of-00003.gguf"), renamed); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(renamed); err == nil || !strings.Contains(err.Error(), "renamed.gguf: is part 1 of 3, but is not named so") {
		t.Errorf("a part of another name: %v", err)
	}
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	if _, err := Find(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an empty directory: %v", err)
	}
	for _, name := range []string{"a [x].gguf", "mmproj.gguf"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o666); err != nil {
			t.Fatal(err)
		}
		got, err := Find(dir)
		if name == "a [x].gguf" && (err != nil || got != filepath.Join(dir, name)) || name != "a [x].gguf" && (err == nil || !strings.Contains(err.Error(), "holds 2 models")) {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
}

// TestPointer names a pointer of Git LFS, and a format before GGUF.
func TestPointer(t *testing.T) {
	for text, want := range map[string]string{
		"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n": "x.gguf: it is a pointer of Git LFS, not the file itself: run `git lfs install` and `git lfs pull`",
		"tjgg" + strings.Repeat("\x00", 40):                                         "older format of llama.cpp",
		"<html>" + strings.Repeat(" ", 40):                                          "name a GGUF file, or the directory of a Hugging Face model",
	} {
		if _, err := Parse("x.gguf", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: %v, want %s", text, err, want)
		}
	}
}
