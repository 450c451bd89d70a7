package device

import "testing"

// More cannot be busy than there are.
func TestBusyCores(t *testing.T) {
	for load, want := range map[string]float64{"7.50": 2, "0.75": 0.75, "2.00": 2, "": 0, "busy": 0} {
		if got := busyCores(load, 2); got != want {
			t.Errorf("a load of %q keeps %g of 2 cores busy, want %g", load, got, want)
		}
	}
}
