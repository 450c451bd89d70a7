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
		if _, ok := d.Tensor("extra"); ok && want != "extra" {
			t.Error("a tensor is there that the index does not list")
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
	read("h.0 h.1 wte")
	writeFile(t, filepath.Join(dir, SingleName), "extra")
	read("extra")
}

func TestOpenDirFaults(t *testing.T) {
	for want, index := range map[string]string{
		"unexpected end of JSON":               `{"weight_map": {`,
		"weight_map is missing or empty":       `{}`,
		`"../a.safetensors" is no name`:        `{"weight_map": {"wte": "../a.safetensors"}}`,
		`weight_map["wte"]: "" is no name`:     `{"weight_map": {"wte": ""}}`,
		"no such file":                         `{"weight_map": {"wte": "b.safetensors"}}`,
		`a.safetensors: tensor "h.0": is miss`: `{"weight_map": {"wte": "a.safetensors", "h.0": "a.safetensors"}}`,
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
