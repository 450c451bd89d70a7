package safetensors

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// writeFile writes one tensor of a float32 a name into a file.
func writeFile(t *testing.T, path string, names ...string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	var tensors []Tensor
	for i, name := range names {
		tensors = append(tensors, Tensor{Name: name, DType: F32, Shape: []int{1}, Data: Bytes([]float32{float32(i)})})
	}
	if err := errors.Join(Write(f, tensors, nil), f.Close()); err != nil {
		t.Fatal(err)
	}
}

func writeText(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

func TestOpenDir(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "b.safetensors"), "wte", "extra")
	writeFile(t, filepath.Join(dir, "a.safetensors"), "h.1", "h.0", "wte")
	writeText(t, filepath.Join(dir, IndexName), `{"metadata": {"total_size": 12},
		"weight_map": {"wte": "b.safetensors", "h.0": "a.safetensors", "h.1": "a.safetensors"}}`)
	read := func(want string) {
		t.Helper()
		d, err := OpenDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, tensor := range d.Tensors() {
			names = append(names, tensor.Name)
			if found, ok := d.Tensor(tensor.Name); !ok || found.Name != tensor.Name {
				t.Errorf("Tensor(%q) finds %q", tensor.Name, found.Name)
			}
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("tensors %s, want %s", got, want)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
	// All tensors of the files count, those that the index lists as it does.
	read("h.0 h.1 extra wte")
	writeFile(t, filepath.Join(dir, SingleName), "extra")
	read("extra")
}

func TestOpenDirFaults(t *testing.T) {
	for want, index := range map[string]string{
		"unexpected end of JSON":           `{"weight_map": {`,
		"weight_map is missing or empty":   `{}`,
		`"../a.safetensors" is no name`:    `{"weight_map": {"wte": "../a.safetensors"}}`,
		`weight_map["wte"]: "" is no name`: `{"weight_map": {"wte": ""}}`,
		"no such file":                     `{"weight_map": {"wte": "b.safetensors"}}`,
	} {
		dir := t.TempDir()
		writeFile(t, filepath.Join(dir, "a.safetensors"), "wte")
		writeText(t, filepath.Join(dir, IndexName), index)
		if _, err := OpenDir(dir); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), dir) {
			t.Errorf("index %s\nerror %v, want %s", index, err, want)
		}
	}
	dir := t.TempDir()
	if _, err := OpenDir(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an empty directory: %v", err)
	}
	writeText(t, filepath.Join(dir, "pytorch_model.bin"), "")
	if _, err := OpenDir(dir); err == nil || !strings.Contains(err.Error(), "is a pickle") {
		t.Errorf("a directory of PyTorch: %v", err)
	}
	dir = filepath.Join(t.TempDir(), "my [v2] model")
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "model-00001-of-00002.safetensors"), "wte")
	if _, err := OpenDir(dir); err == nil || !strings.Contains(err.Error(), "there are parts such as model-00001-of-00002.safetensors: fetch model.safetensors.index.json too") {
		t.Errorf("parts without index: %v", err)
	}
}

// TestPromised opens what an index lists and no file has: whoever needs it can say so.
func TestPromised(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "a.safetensors"), "wte", "twice")
	writeFile(t, filepath.Join(dir, "b.safetensors"), "moved", "more")
	index := filepath.Join(dir, IndexName)
	writeText(t, index, `{"weight_map": {"wte": "a.safetensors", "h.0": "a.safetensors", "moved": "a.safetensors", "more": "b.safetensors"}}`)
	d, err := OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if file, ok := d.Promised("h.0"); !ok || file != "a.safetensors" || d.Path() != index {
		t.Errorf("h.0 is promised in %q, %v, by %s", file, ok, d.Path())
	}
	for _, name := range []string{"wte", "twice", "moved", "more"} {
		_, there := d.Tensor(name)
		if _, promised := d.Promised(name); !there || promised {
			t.Errorf("%s: there %v, promised %v", name, there, promised)
		}
	}
	writeFile(t, filepath.Join(dir, "b.safetensors"), "twice", "more")
	if _, err := OpenDir(dir); err == nil || !strings.Contains(err.Error(), `b.safetensors: tensor "twice": is in another file too`) {
		t.Errorf("a tensor in two files: %v", err)
	}
}

// TestOtherFiles names what is in the place of weights.
func TestOtherFiles(t *testing.T) {
	for text, want := range map[string]string{
		"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n": "pointer of Git LFS, not the file itself: run `git lfs install` and `git lfs pull`",
		"<!DOCTYPE html><html><head><title>Log in</title>":                          "web page",
		"PK\x03\x04\x00\x00\x08\x08\x00\x00archive/data.pkl":                        "pickle of torch.save",
	} {
		path := filepath.Join(t.TempDir(), SingleName)
		writeText(t, path, text)
		var fault *FormatError
		if _, err := Open(path); !errors.As(err, &fault) || !strings.Contains(err.Error(), path+": ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	// The length of a header may begin with these bytes.
	header := `{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`
	header += strings.Repeat(" ", '<'-len(header))
	if _, err := Parse("x", []byte("<\x00\x00\x00\x00\x00\x00\x00"+header+"abcd")); err != nil {
		t.Error(err)
	}
}

func FuzzParseIndex(f *testing.F) {
	for _, s := range []string{`{"weight_map": {"a": "b.safetensors"}}`, `{"weight_map": {"a": "../b"}}`, `{"weight_map": {"a": 3}}`, `[]`, ``} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		shards, err := parseIndex(text)
		if err == nil && len(shards) == 0 {
			t.Error("an index without files is accepted")
		}
		for file := range shards {
			if filepath.Base(file) != file {
				t.Errorf("%q leaves the directory", file)
			}
		}
	})
}
