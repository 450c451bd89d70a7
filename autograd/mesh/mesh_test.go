package mesh

import (
	"strings"
	"testing"
)

func TestZeroRankIsAlone(t *testing.T) {
	var r Rank
	if !r.Alone() || !r.First() || r.Count() != 1 || r.Shares() != 1 || r.Share() != 0 || r != Of(0, 1) {
		t.Errorf("%+v", r)
	}
}

// TestEveryPlaceOnce walks a mesh: each combination of places belongs to one rank,
// and the last axis varies fastest.
func TestEveryPlaceOnce(t *testing.T) {
	sizes := map[Axis]int{PP: 2, DP: 3, TP: 2}
	seen := map[[3]int]int{}
	for i := range 12 {
		r, err := New(i, sizes)
		if err != nil {
			t.Fatal(err)
		}
		seen[[3]int{r.At(PP), r.At(DP), r.At(TP)}]++
		if r.At(TP) != i%2 || r.Count() != 12 || r.Shares() != 3 || r.Share() != r.At(DP) {
			t.Errorf("%s: %+v", r, r)
		}
	}
	if len(seen) != 12 {
		t.Errorf("%d places of 12: %v", len(seen), seen)
	}
}

func TestFaults(t *testing.T) {
	for _, c := range []struct {
		index int
		sizes map[Axis]int
		want  string
	}{
		{2, map[Axis]int{DP: 2}, "rank 2 is outside a mesh of 2"},
		{-1, nil, "outside a mesh of 1"},
		{0, map[Axis]int{TP: 0}, "axis tp has size 0"},
		{0, map[Axis]int{axes: 1}, "axis invalid"},
	} {
		if _, err := New(c.index, c.sizes); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%d of %v: %v, want %q", c.index, c.sizes, err, c.want)
		}
	}
}
