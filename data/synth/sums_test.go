package synth

import (
	"fmt"
	"slices"
	"testing"
)

func TestSums(t *testing.T) {
	draw := func(right float64, seed uint64) []Sum {
		sums, err := Sums(500, 2, right, seed)
		if err != nil {
			t.Fatal(err)
		}
		return slices.Collect(sums)
	}
	a, b, other := draw(0.2, 1), draw(0.2, 1), draw(0.2, 2)
	if !slices.Equal(a, b) || slices.Equal(a, other) || len(a) != 500 {
		t.Errorf("%d sums; the same seed gives the same: %t, another others: %t", len(a), slices.Equal(a, b), !slices.Equal(a, other))
	}
	right := 0
	for _, s := range a {
		var x, y int
		if _, err := fmt.Sscanf(s.Prompt, "%d+%d=", &x, &y); err != nil || s.Answer != fmt.Sprint(x+y) || x < 10 || x > 99 || y < 10 || y > 99 {
			t.Errorf("%+v", s)
		}
		if s.Text == s.Prompt+s.Answer {
			right++
		}
	}
	if right < 70 || right > 140 {
		t.Errorf("%d of 500 are right, want a fifth", right)
	}
	for _, s := range draw(1, 1) {
		if s.Text != s.Prompt+s.Answer {
			t.Errorf("%+v is wrong", s)
		}
	}
	if _, err := Sums(1, 2, 2, 1); err == nil {
		t.Error("two of one are right")
	}
}
