package safetensors_test

import (
	"math"
	"testing"

	"example.com/gotrain/nn/hub/safetensors"
)

func TestStatistics(t *testing.T) {
	values := []float32{3, -4, float32(math.NaN()), 0, float32(math.Inf(1)), 0}
	s, err := safetensors.Tensor{Name: "w", DType: safetensors.F32, Shape: []int{2, 3}, Data: safetensors.Bytes(values)}.Statistics()
	if err != nil {
		t.Fatal(err)
	}
	if s.Norm != 5 || s.RMS != 2.5 || s.Max != 4 || s.Bad != 2 || s.Elements() != 6 || s.DType != "F32" {
		t.Errorf("got %+v", s)
	}
	if s, err := (safetensors.Tensor{DType: safetensors.F32, Data: safetensors.Bytes([]float32{-2})}).Statistics(); err != nil || s.Norm != 2 || s.Elements() != 1 || s.Shape == nil {
		t.Errorf("of a scalar: %+v, %v", s, err)
	}
}
