package main

import "testing"

// TestPaper: no step takes longer by paper than before the kernels that the audit asked for.
func TestPaper(t *testing.T) {
	for _, w := range workloads {
		s, err := stepOf(w)
		if err != nil {
			t.Fatal(err)
		}
		if ms := 1e3 * s.total(); w.ms > 0 && ms > w.ms {
			t.Errorf("%s: %.1f ms by paper, at most %.0f: %v", w.name, ms, w.ms, s.seconds)
		}
		if mfu := s.mfu(); mfu < w.mfu {
			t.Errorf("%s: MFU %.3f by paper, at least %.3f: %v", w.name, mfu, w.mfu, s.seconds)
		}
	}
}
