package train

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"testing"

	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/nn/hub/peft"
	"example.com/gotrain/nn/hub/safetensors"
	"example.com/gotrain/train/events"
)

// narrowBase rounds the weights of a base to bfloat16, in its place.
func narrowBase(t *testing.T, dir string) {
	t.Helper()
	file := filepath.Join(dir, hub.ModelFile)
	f, err := safetensors.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var narrow []safetensors.Tensor
	for _, tensor := range f.Tensors() {
		wide := make([]float32, len(tensor.Data)/4)
		if err := tensor.CopyFloat32(wide); err != nil {
			t.Fatal(err)
		}
		tensor.DType, tensor.Data = safetensors.BF16, safetensors.Bytes(rounded(wide))
		narrow = append(narrow, tensor)
	}
	var out bytes.Buffer
	if err := safetensors.Write(&out, narrow, nil); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "manifest.json")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, out.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
}

// rounded are the numbers in bfloat16, the nearest, of two the even one.
func rounded(wide []float32) []uint16 {
	all := make([]uint16, len(wide))
	for i, x := range wide {
		down := uint16(math.Float32bits(x) >> 16)
		low := math.Float32frombits(uint32(down) << 16)
		high := math.Float32frombits(uint32(down+1) << 16)
		a, b := math.Abs(float64(x)-float64(low)), math.Abs(float64(high)-float64(x))
		if all[i] = down; b < a || a == b && down%2 == 1 {
			all[i] = down + 1
		}
	}
	return all
}

// TestMergedAsTheBaseIsStored: on a base in bfloat16 lora.merge gives checkpoints in
// bfloat16, each sum rounded once, and half as large.
func TestMergedAsTheBaseIsStored(t *testing.T) {
	cfg := finetuneConfig(t, mergedSection)
	narrowBase(t, cfg.Base)
	base := tensors(t, filepath.Join(cfg.Base, hub.ModelFile))
	r := mustTrain(t, cfg, deps(t, 2))
	checkBytes(t, r)

	weights, err := safetensors.OpenDir(r.Checkpoint)
	if err != nil {
		t.Fatal(err)
	}
	defer weights.Close()
	l, err := hub.Load(r.Checkpoint, "", backend(t, 1), vfs.OS{}, table.Families)
	if err != nil {
		t.Fatal(err)
	}
	a, err := peft.Open(vfs.OS{}, filepath.Join(r.Checkpoint, peft.Dir))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if _, err := a.Fit(l.Model.Params()); err != nil {
		t.Fatal(err)
	}
	changed := 0
	for _, p := range l.Model.Params() {
		got, _ := weights.Tensor(p.Name)
		if got.DType != safetensors.BF16 {
			t.Fatalf("%s is stored as %v", p.Name, got.DType)
		}
		want := safetensors.Tensor{DType: safetensors.BF16, Shape: p.Shape, Data: base[p.Name]}
		d, err := a.Delta(p, nil)
		if err != nil {
			t.Fatal(err)
		}
		if d != nil {
			changed++
			wide := make([]float32, p.Shape.Size())
			if err := want.CopyFloat32(wide); err != nil {
				t.Fatal(err)
			}
			d.Merge(wide, 0)
			want.Data = safetensors.Bytes(rounded(wide))
		}
		if !bytes.Equal(got.Data, want.Data) {
			t.Errorf("%s is not the sum rounded once", p.Name)
		}
	}
	if changed != 4 {
		t.Errorf("%d weights are changed", changed)
	}
	text, err := os.ReadFile(filepath.Join(r.Checkpoint, hub.ConfigFile))
	if err != nil {
		t.Fatal(err)
	}
	var keys struct {
		DType string `json:"dtype"`
		Model string `json:"model_type"`
	}
	if err := json.Unmarshal(text, &keys); err != nil || keys.DType != "bfloat16" || keys.Model != "gpt2" {
		t.Errorf("config.json says %+v, %v", keys, err)
	}
	// A run that goes on takes base and adapter, not what was rounded.
	parts := cfg
	parts.Run.Dir += "-parts"
	ctx, stop := context.WithCancel(t.Context())
	d := deps(t, 1)
	d.Listener.Step = func(e events.Step) {
		if e.Record.Step == 4 {
			stop()
		}
	}
	if _, err := Train(ctx, parts, d); !errors.Is(err, ErrStopped) {
		t.Fatal(err)
	}
	mustTrain(t, parts, deps(t, 1))
	if !bytes.Equal(bits(t, parts.Run.Dir), bits(t, cfg.Run.Dir)) {
		t.Error("a run in two parts ends with other bits")
	}
}
