//go:build gpu

package backend

import (
	"math"

	"gotrain/cuda"
)

// bindDropout keeps element e where word e mod 4 of its block of Philox is at
// least P·2³².
func bindDropout(c *call) func() {
	threshold := uint32(math.Round(float64(c.P) * (1 << 32)))
	return c.mapElements("dropout", []cuda.Ptr{c.in(0), c.in(1), c.out(0)}, int32(threshold), 1/(1-c.P), int32(c.Site))
}
