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
	sheet := filepath.Join(dir, "contact.png")
	if o := gotrain(t, "", "data", "inspect", "--config", config, "--split", "validation", "--out", sheet); o.code != 0 || !strings.Contains(o.out, "held out, 0 damaged files") || !strings.Contains(o.out, "drawn shapes") {
		t.Errorf("inspect: %d %s %s", o.code, o.out, o.errOut)
	}
	if file, err := os.ReadFile(sheet); err != nil || !bytes.HasPrefix(file, []byte("\x89PNG")) {
		t.Errorf("the contact sheet: %v", err)
	}
	if o := gotrain(t, "", "data", "inspect", "--config", config, "--split", "validation", "--sample", "999"); o.code != 2 || !strings.Contains(o.errOut, "there is no number 999") {
		t.Errorf("inspect beyond the end: %d %s", o.code, o.errOut)
	}
	draws(t, dir, run, 8, "--count", "3")
	draws(t, dir, run, 8, "--image", filepath.Join(run, "samples", "sheet-00000004.png"))
	for _, c := range []struct {
		args  []string
		fault string
	}{
		{[]string{"sample", "--prompt", "a circle"}, "--prompt is for models that take a prompt"},
		{[]string{"sample"}, "--out is missing"},
		{[]string{"sample", "--out", filepath.Join(dir, "x.png"), "--count", "0"}, "--count is 0"},
		{[]string{"sample", "--out", filepath.Join(dir, "x.png"), "--image", config}, "this is no PNG"},
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

// draws looks at the picture that sample writes: pictures of size pixels beside each other, the
// same each time.
func draws(t *testing.T, dir, run string, size int, flags ...string) {
	t.Helper()
	var first []byte
	for i := range 2 {
		out := filepath.Join(dir, "drawn.png")
		o := gotrain(t, "", append([]string{"sample", "--model", run, "--device", "cpu", "--out", out}, flags...)...)
		if o.code != 0 {
			t.Fatal(o.out, o.errOut)
		}
		file, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		drawn, err := png.Decode(bytes.NewReader(file))
		if err != nil || drawn.Bounds().Dy() != size || (drawn.Bounds().Dx()+1)%(size+1) != 0 {
			t.Errorf("%v: %v, %v", flags, drawn.Bounds(), err)
		}
		if first == nil {
			first = file
		} else if !bytes.Equal(file, first) {
			t.Errorf("%v: time %d is another picture", flags, i)
		}
	}
}

// TestGAN trains small GANs of both families, goes on from a checkpoint to the same bits of all
// three models, and draws.
func TestGAN(t *testing.T) {
	for family, more := range map[string]string{"dcgan": "", "residual-gan": "r1: 0.5, loss: wasserstein"} {
		dir := t.TempDir()
		config := write(t, filepath.Join(dir, "c.yaml"), strings.NewReplacer("DIR", dir, "FAMILY", family, "MORE", more).Replace(`
run: {dir: DIR/run}
recipe: {kind: gan, shown: 2, average: 0.9, MORE}
model: {family: FAMILY, width: 4, latent: 6, spectral: true}
data: {format: pictures, shapes: 40, size: 8, validation: 0.2}
train: {steps: 4, batch: 4, accumulate: 2, eval_every: 2, save_every: 2}
`))
		run := filepath.Join(dir, "run")
		if o := gotrain(t, "", "pretrain", "--config", config, "--device", "cpu"); o.code != 0 || !strings.Contains(o.out+o.errOut, "drawn-00000004.png") || !strings.Contains(o.out+o.errOut, "spread_drawn") || !strings.Contains(o.out+o.errOut, "shapes_kinds") {
			t.Fatal(o.out, o.errOut)
		}
		last := filepath.Join(run, "checkpoints", "step-00000004")
		weights := func() (all string) {
			t.Helper()
			for _, part := range []string{"generator", "discriminator", "average"} {
				b, err := os.ReadFile(filepath.Join(last, part, "model.safetensors"))
				if err != nil {
					t.Fatal(err)
				}
				all += string(b)
			}
			return all
		}
		want := weights()
		if err := os.RemoveAll(last); err != nil {
			t.Fatal(err)
		}
		if o := gotrain(t, "", "resume", run, "--device", "cpu"); o.code != 0 || weights() != want {
			t.Errorf("%s: from step 2 on the weights are others: %s", family, o.errOut)
		}
		draws(t, dir, run, 8, "--count", "5", "--seed", "3")
		if o := gotrain(t, "", "sample", "--model", run, "--out", filepath.Join(dir, "x.png"), "--image", config); o.code != 2 || !strings.Contains(o.errOut, "--image is for autoencoders") {
			t.Errorf("%s: %d %s", family, o.code, o.errOut)
		}
	}
}
