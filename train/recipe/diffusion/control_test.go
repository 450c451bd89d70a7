package diffusion

import (
	"image"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/data"
	"example.com/gotrain/data/picture"
	"example.com/gotrain/train/recipe"
)

// TestConditions: contours are of the row as it is, depths of the shape, pictures of files of the
// same name; with what is mirrored they are too.
func TestConditions(t *testing.T) {
	cfg, err := assemble(t)
	if err != nil {
		t.Fatal(err)
	}
	m := &model{config: *defaults(), data: picture.Config{Size: 8, Shapes: 1}, job: &recipe.Job{Config: cfg}}
	shape := picture.NewShape(cfg.Run.Seed, 5)
	p := picture.Picture{Pixels: shape.Draw(m.data), Origin: data.Origin{File: "folder/[a].png", Offset: 5}}
	under := func(kind string, mirrored bool) []byte {
		m.config.Control.Kind = kind
		pixels, to := slices.Clone(p.Pixels), make([]byte, 8*8*3)
		if mirrored {
			picture.Mirror(pixels, 8, 3)
		}
		m.condition(p, pixels, mirrored, to)
		return to
	}
	dir := t.TempDir()
	file, err := os.Create(filepath.Join(dir, "[a].png"))
	if err != nil {
		t.Fatal(err)
	}
	drawn := image.NewGray(image.Rect(0, 0, 8, 8))
	drawn.Pix[1] = 200
	if err := png.Encode(file, drawn); err != nil || file.Close() != nil {
		t.Fatal(err)
	}
	m.config.Control.Kind, m.config.Control.From = files, dir
	set := &picture.Set{Train: []picture.Picture{p}}
	if err := m.readConditions(set); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{contour, depth, files} {
		plain, turned := under(kind, false), under(kind, true)
		if slices.Max(plain) == 0 || slices.Equal(plain, turned) {
			t.Errorf("%s: %v, mirrored %v", kind, plain, turned)
		}
		if picture.Mirror(turned, 8, 3); kind != contour && !slices.Equal(plain, turned) {
			t.Errorf("%s: the condition of the mirrored picture is not its mirror image", kind)
		}
	}
	m.config.Control.Kind, m.config.Control.From = files, t.TempDir()
	if err := m.readConditions(set); err == nil || !strings.Contains(err.Error(), "has 0 pictures called [a]") {
		t.Error(err)
	}
	if err := m.readConditions(&picture.Set{Train: []picture.Picture{p, p}, Held: nil}); err == nil {
		t.Error("a condition of two pictures is taken")
	}
}

// TestOverlap: pixels in both over those in either.
func TestOverlap(t *testing.T) {
	if o := overlap([]byte{255, 255, 0, 0}, []byte{255, 0, 255, 0}); o != 1./3 {
		t.Error(o)
	}
	if o := overlap(make([]byte, 2), make([]byte, 2)); o != 1 {
		t.Error(o)
	}
}

// TestControlRefusals: one clear error for each fault.
func TestControlRefusals(t *testing.T) {
	for want, set := range map[string][]string{
		"recipe.control.kind is":       {"recipe.control.kind=edges"},
		"use gotrain finetune":         {"recipe.control.kind=contour"},
		"recipe.control.from":          {"recipe.control.kind=files", "base=x"},
		"recipe.control.kind: depth":   {"recipe.control.kind=depth", "data={shapes: 0, train: [x.png], captions: true}", "base=x"},
		"recipe.control.canny":         {"recipe.control={kind: contour, canny: {low: 3, high: 2}}", "base=x"},
		"leave recipe.prompts out":     {"recipe.control.kind=contour", "recipe.prompts=[a]", "base=x"},
		"recipe.vae is that of the ba": {"recipe.vae=x", "base=x"},
	} {
		cfg, err := assemble(t, set...)
		if err == nil {
			err = cfg.Validate(table().Config())
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v", set, err)
		}
	}
}
