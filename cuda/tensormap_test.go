//go:build gpu

package cuda_test

import (
	"errors"
	"testing"

	"example.com/gotrain/cuda"
)

// TestTensorMap describes a tensor, and breaks each rule of the description.
func TestTensorMap(t *testing.T) {
	p := alloc(t, open(t, 0), 64*192*2)
	right := cuda.Tiles{Base: p, Dims: [4]int{64, 3, 64, 1}, Strides: [3]int{128, 384, 64 * 384}, Box: [4]int{64, 1, 64, 1}}
	words, err := right.Map()
	if err != nil || words == [16]uint64{} {
		t.Fatalf("%v: %v", words, err)
	}
	for what, change := range map[string]func(*cuda.Tiles){
		"misaligned":  func(t *cuda.Tiles) { t.Base += 8 },
		"odd stride":  func(t *cuda.Tiles) { t.Strides[1] = 200 },
		"no element":  func(t *cuda.Tiles) { t.Dims[3] = 0 },
		"wide box":    func(t *cuda.Tiles) { t.Box[0] = 128 },
		"high box":    func(t *cuda.Tiles) { t.Box[2] = 257 },
		"box of none": func(t *cuda.Tiles) { t.Box[1] = 0 },
	} {
		wrong := right
		change(&wrong)
		if _, err := wrong.Map(); !errors.As(err, new(*cuda.Error)) {
			t.Errorf("%s: %v, want an error of the driver", what, err)
		}
	}
}
