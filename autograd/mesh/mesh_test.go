package mesh

import (
	"fmt"
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

// TestShareOfDividedStates: the samples are divided along both axes of data, the states'
// varying fastest; no other axis has a share of its own.
func TestShareOfDividedStates(t *testing.T) {
	sizes := map[Axis]int{PP: 2, DP: 3, FSDP: 2, TP: 2}
	for i := range 24 {
		r, err := New(i, sizes)
		if err != nil {
			t.Fatal(err)
		}
		if want := i / 2 % 6; r.Share() != want || r.Shares() != 6 {
			t.Errorf("%s has share %d of %d, want %d of 6", r, r.Share(), r.Shares(), want)
		}
		if r.At(PP) != i/12 || r.At(DP) != i/4%3 || r.At(FSDP) != i/2%2 || r.At(CP) != 0 || r.At(TP) != i%2 || r.Index() != i {
			t.Errorf("%s stands at %d %d %d %d", r, r.At(PP), r.At(DP), r.At(FSDP), r.At(TP))
		}
	}
}

// TestBalance deals out the largest first, by bytes, and the rank with the most is the
// first.
func TestBalance(t *testing.T) {
	type item struct {
		name  string
		bytes int64
	}
	for _, c := range []struct {
		items []item
		ranks int
		want  string
	}{
		{[]item{{"a", 1}, {"b", 8}, {"c", 3}, {"d", 4}, {"e", 2}}, 2, "[[{b 8} {a 1}] [{d 4} {c 3} {e 2}]]"},
		{[]item{{"a", 1}, {"b", 1}, {"c", 1}, {"d", 7}}, 2, "[[{d 7}] [{a 1} {b 1} {c 1}]]"},
		{[]item{{"a", 2}, {"b", 2}, {"c", 2}}, 2, "[[{a 2} {c 2}] [{b 2}]]"},
		{[]item{{"a", 5}, {"b", 4}, {"c", 3}, {"d", 3}, {"e", 3}}, 3, "[[{b 4} {e 3}] [{c 3} {d 3}] [{a 5}]]"},
		{[]item{{"a", 2}}, 3, "[[{a 2}] [] []]"},
	} {
		before := fmt.Sprint(c.items)
		if got := fmt.Sprint(Balance(c.items, c.ranks, func(i item) int64 { return i.bytes })); got != c.want {
			t.Errorf("%v among %d: %s, want %s", c.items, c.ranks, got, c.want)
		}
		if fmt.Sprint(c.items) != before {
			t.Errorf("the items %s are %v behind it", before, c.items)
		}
	}
}
