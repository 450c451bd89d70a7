package picture

import (
	"compress/gzip"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestContours compares contours with OpenCV's (scripts/golden/canny.py): every pixel where nothing
// is blurred; behind a Gaussian, which OpenCV computes in fixed point, 98% of them.
func TestContours(t *testing.T) {
	f, err := os.Open("testdata/canny.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Canny
		Height, Width, Channels int
		Picture, Contours       []byte
	}
	if err := json.NewDecoder(z).Decode(&cases); err != nil || len(cases) < 60 {
		t.Fatal(len(cases), err)
	}
	blurred, off := 0, 0
	for i, c := range cases {
		got := c.Canny.Contours(c.Picture, c.Height, c.Width, c.Channels)
		differ := 0
		for k, v := range c.Contours {
			if got[k] != v {
				differ++
			}
		}
		if c.Blur > 0 {
			blurred += len(got)
			off += differ
		} else if differ > 0 {
			t.Errorf("case %d, %+v, %d × %d: %d pixels differ", i, c.Canny, c.Height, c.Width, differ)
		}
	}
	if off*50 > blurred {
		t.Errorf("behind a Gaussian %d of %d pixels differ", off, blurred)
	}
}

// TestCanny: one clear error for each fault.
func TestCanny(t *testing.T) {
	for want, c := range map[string]Canny{"blur": {Blur: -1, High: 1}, "low and high": {Low: 3, High: 2}} {
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if err := (Canny{Low: 100, High: 200}).Validate(); err != nil {
		t.Error(err)
	}
}

// TestDepth: the wall is far, the middle of a ball nearest, a box is flat.
func TestDepth(t *testing.T) {
	c := Config{Size: 32}
	at := func(depth []byte, x, y int) int { return int(depth[y*32+x]) }
	for form, name := range Forms {
		d := Shape{Form: form, X: 0.5, Y: 0.5, Radius: 0.35}.Depth(c)
		if at(d, 0, 0) != 0 || at(d, 16, 17) < 120 || int(slices.Max(d)) < 200 {
			t.Errorf("%s: %d at the wall, %d in the middle, at most %d", name, at(d, 0, 0), at(d, 16, 17), slices.Max(d))
		}
		if flat := at(d, 10, 17) == at(d, 16, 17); flat != (name == "square") {
			t.Errorf("%s: %d beside the middle, %d there", name, at(d, 10, 17), at(d, 16, 17))
		}
	}
}
