package picture

import "testing"

// TestRecognise reads colour, form and place of drawn shapes, and finds nothing on white or in
// noise.
func TestRecognise(t *testing.T) {
	c := Default()
	right, n := 0, 600
	for i := range n {
		want := NewShape(3, uint64(i))
		got, fit := Recognise(c, want.Draw(c))
		if got.Colour == want.Colour && got.Form == want.Form && fit > 0.8 {
			right++
		}
		if colour, form, ok := ReadCaption(want.Caption(i%2 == 0)); !ok || colour != want.Colour || form != want.Form {
			t.Errorf("%q is read as %d, %d", want.Caption(true), colour, form)
		}
	}
	if right < n*99/100 {
		t.Errorf("of %d shapes %d are recognised", n, right)
	}
	white, noise := make([]byte, c.Bytes()), make([]byte, c.Bytes())
	for i := range white {
		white[i], noise[i] = 255, byte(i*7919%251)
	}
	if _, fit := Recognise(c, white); fit != 0 {
		t.Errorf("white fits by %g", fit)
	}
	if _, fit := Recognise(c, noise); fit > 0.8 {
		t.Errorf("noise fits by %g", fit)
	}
	if _, _, ok := ReadCaption("red heart"); ok {
		t.Error("a heart is no form")
	}
	if got := (Shape{Colour: 2, Form: 1, X: 0.5, Y: 0.9}).Caption(true); got != "blue square at the bottom" {
		t.Error(got)
	}
}
