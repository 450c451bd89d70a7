package main

import "testing"

// TestPaper: no step takes longer by paper than it may.
func TestPaper(t *testing.T) {
	for _, w := range workloads {
		s, err := stepOf(w)
		if err != nil {
			t.Fatal(err)
		}
		if ms := 1e3 * s.total(); w.ms > 0 && ms > w.ms {
			t.Errorf("%s: %.1f ms by paper, at most %g: %v", w.name, ms, w.ms, s.seconds)
		}
		if mfu := s.mfu(); mfu < w.mfu {
			t.Errorf("%s: MFU %.3f by paper, at least %.3f: %v", w.name, mfu, w.mfu, s.seconds)
		}
	}
}
