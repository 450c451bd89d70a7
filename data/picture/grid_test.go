package picture_test

import (
	"bytes"
	"testing"

	"example.com/gotrain/data/picture"
)

// TestGrid puts pictures in lines, and leaves out what is none.
func TestGrid(t *testing.T) {
	one, grey := bytes.Repeat([]byte{10, 20, 30}, 4), bytes.Repeat([]byte{7}, 4)
	g := picture.Grid([][]byte{one, one, grey, nil}, 2, 2)
	if b := g.Bounds(); b.Dx() != 5 || b.Dy() != 5 {
		t.Error(b)
	}
	if c := g.RGBAAt(4, 1); c.R != 10 || c.B != 30 {
		t.Error(c)
	}
	if c := g.RGBAAt(1, 4); c.R != 7 || c.B != 7 || c.A != 255 {
		t.Error(c)
	}
	if c := g.RGBAAt(3, 4); c.A != 0 {
		t.Error(c)
	}
}

// TestBytes: elements in [-1, 1], and logits.
func TestBytes(t *testing.T) {
	if got := picture.Bytes([]float32{-1.5, -1, 0, 0.5, 1}, false); !bytes.Equal(got, []byte{0, 0, 128, 191, 255}) {
		t.Error(got)
	}
	if got := picture.Bytes([]float32{-100, 0, 1, 100}, true); !bytes.Equal(got, []byte{0, 128, 186, 255}) {
		t.Error(got)
	}
}
