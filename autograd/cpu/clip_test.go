package cpu

import (
	"math"
	"testing"
)

// TestClipOf: a step without a factor is made with 1, one whose factor is no number is not made.
func TestClipOf(t *testing.T) {
	if factor, apply := clipOf(nil); factor != 1 || !apply {
		t.Errorf("without a factor: %g, %t", factor, apply)
	}
	for factor, apply := range map[float32]bool{0.5: true, 0: true, 1: true, float32(math.Inf(1)): true} {
		if f, ok := clipOf([]float32{factor}); f != factor || ok != apply {
			t.Errorf("%g: %g, %t", factor, f, ok)
		}
	}
	if _, apply := clipOf([]float32{float32(math.NaN())}); apply {
		t.Error("a step is made whose gradients are no numbers")
	}
}
