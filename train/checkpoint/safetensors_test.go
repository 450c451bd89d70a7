package checkpoint_test

import (
	"io"
	"path/filepath"
	"slices"
	"testing"

	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn/hub/safetensors"
	"example.com/gotrain/train/checkpoint"
)

// weights gives a checkpoint of one float32 tensor, written from its own memory.
func weights(step int64, v []float32) checkpoint.Checkpoint {
	return checkpoint.Checkpoint{Step: step, Keep: 1, Files: []checkpoint.File{{
		Name: "model.safetensors",
		Write: func(w io.Writer) error {
			return safetensors.Write(w, []safetensors.Tensor{
				{Name: "wte.weight", DType: safetensors.F32, Shape: []int{len(v)}, Data: safetensors.Bytes(v)},
			}, map[string]string{"format": "pt"})
		},
	}}}
}

func TestWeightsComeBack(t *testing.T) {
	want := make([]float32, 1<<20+3)
	for i := range want {
		want[i] = float32(i) / 3
	}
	runDir := t.TempDir()
	if _, err := checkpoint.Save(vfs.OS{}, runDir, weights(1000, want)); err != nil {
		t.Fatal(err)
	}
	found, _, err := checkpoint.Latest(vfs.OS{}, runDir)
	if err != nil {
		t.Fatal(err)
	}
	f, err := safetensors.Open(filepath.Join(found.Path, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	tensor, ok := f.Tensor("wte.weight")
	got := make([]float32, len(want))
	if err := tensor.CopyFloat32(got); err != nil || !ok || !slices.Equal(got, want) {
		t.Fatalf("tensor %v came back wrong: %v, %v", tensor.Shape, ok, err)
	}
}

// BenchmarkSave saves 256 MiB of float32, synced, to the directory for temporary
// files.
func BenchmarkSave(b *testing.B) {
	v := make([]float32, 64<<20)
	for i := range v {
		v[i] = float32(i)
	}
	runDir := b.TempDir()
	b.SetBytes(int64(len(v)) * 4)
	for step := int64(0); b.Loop(); step++ {
		if _, err := checkpoint.Save(vfs.OS{}, runDir, weights(step, v)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkVerify reads 256 MiB back from the page cache.
func BenchmarkVerify(b *testing.B) {
	v := make([]float32, 64<<20)
	s, err := checkpoint.Save(vfs.OS{}, b.TempDir(), weights(0, v))
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(v)) * 4)
	for b.Loop() {
		if _, err := checkpoint.Verify(vfs.OS{}, s.Path); err != nil {
			b.Fatal(err)
		}
	}
}
