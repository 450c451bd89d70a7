package forecast

import (
	"fmt"
	"strings"
	"testing"

	"example.com/gotrain/train/config"
)

// TestSplits: a step of 24 sequences in other micro-batches, up to eight times larger and smaller, down to one where
// it does not fit, each with and without recomputation.
func TestSplits(t *testing.T) {
	for _, c := range []struct {
		batch, accumulate int
		fits              bool
		want              string
	}{
		{8, 3, true, "1×24 2×12 4×6 8×3"}, {12, 2, true, "1×24 3×8 6×4 12×2 24×1"}, {3, 8, true, "1×24 3×8 6×4 12×2 24×1"}, {32, 1, true, "4×8 8×4 16×2 32×1"},
		{32, 1, false, "1×32 2×16 4×8 8×4 16×2 32×1"}, {1, 24, false, "1×24 2×12 4×6 8×3"},
	} {
		var cfg config.Config
		cfg.Train.Batch, cfg.Train.Accumulate = c.batch, c.accumulate
		var got [2][]string
		for _, s := range splits(cfg, c.fits) {
			side := 0
			if s.Train.Recompute {
				side = 1
			}
			got[side] = append(got[side], fmt.Sprintf("%d×%d", s.Train.Batch, s.Train.Accumulate))
		}
		if plain, again := strings.Join(got[0], " "), strings.Join(got[1], " "); plain != c.want || again != c.want {
			t.Errorf("%d×%d, fits %t: %s, recomputed %s; want %s", c.batch, c.accumulate, c.fits, plain, again, c.want)
		}
	}
}
