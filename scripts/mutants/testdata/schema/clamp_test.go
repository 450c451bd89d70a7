package schema

import "testing"

func TestClamp(t *testing.T) {
	for _, c := range [][3]int{{3, 5, 3}, {9, 5, 5}, {-1, 5, 0}, {5, 5, 5}} {
		if got, err := Clamp(c[0], c[1]); err != nil || got != c[2] {
			t.Error(c, got, err)
		}
	}
}

func TestSpread(t *testing.T) {
	if d := Spread(2, 5); d != 3 {
		t.Error(d)
	}
}

func TestWait(*testing.T) { Wait(2) }

func TestFailsAlways(t *testing.T) { t.Error("without a fault too") }
