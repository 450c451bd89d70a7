package convert

import (
	"encoding/binary"
	"math"
	"testing"

	"example.com/gotrain/nn/hub/gguf"
)

// float32s is a tensor of numbers.
func float32s(shape []int, values ...float32) tensor {
	t := tensor{shape: shape, typ: gguf.F32}
	for _, v := range values {
		t.data = binary.LittleEndian.AppendUint32(t.data, math.Float32bits(v))
	}
	return t
}

// TestComparisonByHand: how two tensors differ, number by number; what is no finite number differs by the largest there is.
func TestComparisonByHand(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, test := range []struct {
		a, b []float32
		want comparison
	}{
		{[]float32{1, -2, 3}, []float32{1, -2, 3}, comparison{true, 0, 0, 14}},
		{[]float32{1, -2, 3}, []float32{1.5, -2, 1}, comparison{false, 2, 4.25, 14}},
		{[]float32{0}, []float32{float32(math.Copysign(0, -1))}, comparison{false, 0, 0, 0}},
		{[]float32{nan}, []float32{nan}, comparison{true, 0, 0, math.MaxFloat64}},
		{[]float32{1}, []float32{nan}, comparison{false, math.MaxFloat64, math.MaxFloat32 * math.MaxFloat32, 1}},
		{[]float32{2}, []float32{inf}, comparison{false, math.MaxFloat64, math.MaxFloat32 * math.MaxFloat32, 4}},
		{[]float32{inf}, []float32{2}, comparison{false, math.MaxFloat64, math.MaxFloat32 * math.MaxFloat32, math.MaxFloat64}},
	} {
		got, err := compareNumbers(float32s([]int{len(test.a)}, test.a...), float32s([]int{len(test.b)}, test.b...))
		if math.IsNaN(float64(test.a[0])) {
			got.squares = test.want.squares // of what is none
		}
		if err != nil || got != test.want {
			t.Errorf("%v and %v: %+v, %v; want %+v", test.a, test.b, got, err, test.want)
		}
	}
	got, err := compareNumbers(float32s([]int{2, 1}, 1, 2), float32s([]int{1, 2}, 1, 2))
	if err != nil || got.same || got.largest != math.MaxFloat64 || got.errors != math.MaxFloat64 {
		t.Errorf("other shapes: %+v, %v", got, err)
	}
}

// TestRoundingOfTensors: the errors of several tensors of a type are those of all of their numbers.
func TestRoundingOfTensors(t *testing.T) {
	var r Rounding
	if r.Relative() != 0 {
		t.Errorf("of nothing: %g", r.Relative())
	}
	r.add(3, 12, 300) // RMS 2 of 10
	if r.RMS != 2 || r.Signal != 10 || r.Relative() != 0.2 || r.Tensors != 1 || r.Numbers != 3 {
		t.Errorf("%+v", r)
	}
	r.add(1, 4, 100) // the same again
	if r.RMS != 2 || r.Signal != 10 || r.Tensors != 2 || r.Numbers != 4 {
		t.Errorf("%+v", r)
	}
	r.add(12, 0, 0)
	if r.RMS != 1 || r.Signal != 5 || r.Numbers != 16 {
		t.Errorf("%+v", r)
	}
}
