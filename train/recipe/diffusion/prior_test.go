package diffusion

import (
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/gotrain/data/picture"
)

// TestPrior: pictures of a class stand behind those of training, which are repeated until there are
// as many; they have their caption, and the weight of their loss.
func TestPrior(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		f, err := os.Create(filepath.Join(dir, name+".png"))
		if err != nil {
			t.Fatal(err)
		}
		if err := png.Encode(f, image.NewGray(image.Rect(0, 0, 8, 8))); err != nil || f.Close() != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "a.txt"), []byte("a black square"), 0o666); err != nil {
		t.Fatal(err)
	}
	j := open4(t, "data.shapes=3", "data.validation=0", "recipe.dropout=0", "recipe.shown=0", "recipe.min_snr=0",
		"recipe.prior={train: ["+dir+"/*.png], caption: a square, weight: 0.25}")
	l := j.Train.(*loader)
	if len(l.Set) != 8 || l.prior != 3 || l.Set[3].Caption != "a black square" || l.Set[4].Caption != "a square" {
		t.Fatalf("%d pictures, the prior from %d on, %q", len(l.Set), l.prior, l.Set[3].Caption)
	}
	b := l.NewBatch()
	for position := uint64(0); position < 8; position += 4 {
		if err := l.Fill(b, position); err != nil {
			t.Fatal(err)
		}
		for row := range 4 {
			at, _, _ := l.Pick(position + uint64(row))
			want := float32(1)
			if at >= 3 {
				want = 0.25
			}
			if got := b.Floats[levelsField][(row+1)*levelWidth-1]; got != want {
				t.Errorf("picture %d weighs %g, not %g", at, got, want)
			}
		}
	}
	set := &picture.Set{Train: make([]picture.Picture, 2)}
	if first, err := (Prior{Paths: []string{dir + "/*.png"}}).add(j.Config, set); err != nil || first != 4 || len(set.Train) != 9 {
		t.Errorf("the prior is from %d on, of %d: %v", first, len(set.Train), err)
	}
	for want, p := range map[string]Prior{"weight": {}, "caption": {Weight: 1, Caption: "a dog"}} {
		if err := p.validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", p, err)
		}
	}
}
