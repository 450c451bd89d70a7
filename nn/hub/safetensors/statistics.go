package safetensors

import "math"

// Statistics are what the values of a tensor look like.
type Statistics struct {
	Name  string  `json:"name"`
	DType string  `json:"dtype"`
	Shape []int   `json:"shape"`
	Norm  float64 `json:"norm"` // √Σ x²
	RMS   float64 `json:"rms"`
	Max   float64 `json:"max_abs"`
	Bad   int     `json:"not_finite"` // NaN and infinities, left out of the others
}

// Elements is the number of values.
func (s Statistics) Elements() int64 {
	n := int64(1)
	for _, dim := range s.Shape {
		n *= int64(dim)
	}
	return n
}

// Statistics reads the whole tensor, of a type that CopyFloat32 converts.
func (t Tensor) Statistics() (Statistics, error) {
	s := Statistics{Name: t.Name, DType: t.DType.String(), Shape: append([]int{}, t.Shape...)}
	values := make([]float32, s.Elements())
	if err := t.CopyFloat32(values); err != nil {
		return s, err
	}
	var sum float64
	for _, v := range values {
		x := float64(v)
		if math.IsNaN(x) || math.IsInf(x, 0) {
			s.Bad++
			continue
		}
		sum += x * x
		s.Max = math.Max(s.Max, math.Abs(x))
	}
	s.Norm, s.RMS = math.Sqrt(sum), math.Sqrt(sum/math.Max(1, float64(len(values)-s.Bad)))
	return s, nil
}
