package main

import (
	"bytes"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPictures trains a small autoencoder of drawn shapes, looks at its sheet, and goes on from
// a checkpoint to the same bits. What such a model cannot do has one clear error.
func TestPictures(t *testing.T) {
	dir := t.TempDir()
	config := write(t, filepath.Join(dir, "c.yaml"), strings.ReplaceAll(`
run: {dir: DIR/run}
recipe: {kind: vae, shown: 3}
model: {family: vae, widths: [4, 8], latent: 2}
data: {format: pictures, shapes: 40, size: 8, validation: 0.2, flip: true}
train: {steps: 4, batch: 2, accumulate: 2, eval_every: 2, save_every: 2}
`, "DIR", dir))
	run := filepath.Join(dir, "run")
	if o := gotrain(t, "", "pretrain", "--config", config, "--device", "cpu"); o.code != 0 || !strings.Contains(o.out+o.errOut, "sheet-00000004.png") {
		t.Fatal(o.out, o.errOut)
	}
	file, err := os.ReadFile(filepath.Join(run, "samples", "sheet-00000004.png"))
	if err != nil {
		t.Fatal(err)
	}
	if sheet, err := png.Decode(bytes.NewReader(file)); err != nil || sheet.Bounds().Dx() != 26 || sheet.Bounds().Dy() != 26 {
		t.Errorf("the sheet has %v, %v", sheet.Bounds(), err)
	}
	last := filepath.Join(run, "checkpoints", "step-00000004")
	weights := func() string {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(last, "model.safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	want := weights()
	if err := os.RemoveAll(last); err != nil {
		t.Fatal(err)
	}
	if o := gotrain(t, "", "resume", run, "--device", "cpu"); o.code != 0 || weights() != want {
		t.Errorf("from step 2 on the weights are others: %s", o.errOut)
	}
	for _, c := range []struct {
		args  []string
		fault string
	}{
		{[]string{"sample", "--prompt", "a circle"}, "family vae is none of these"},
		{[]string{"eval", "--data", config}, "family vae is none of these"},
		{[]string{"chat"}, "family vae is none"},
	} {
		if o := gotrain(t, "", append(c.args, "--model", run, "--device", "cpu")...); o.code != 2 || !strings.Contains(o.errOut, c.fault) {
			t.Errorf("%v: status %d, %s", c.args, o.code, o.errOut)
		}
	}
	o := gotrain(t, "", "plan", "--config", config, "--device", "cpu")
	if o.code != 0 || strings.Contains(o.out, "vocabulary") || strings.Contains(o.out, "scaling law") || !strings.Contains(o.out, "FLOPs an image") || !strings.Contains(o.out, "4 steps × 2 images × 2") {
		t.Errorf("plan: %d\n%s%s", o.code, o.out, o.errOut)
	}
}
