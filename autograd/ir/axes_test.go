package ir

import "testing"

// TestRuns checks how the axes of reductions and broadcasts are merged.
func TestRuns(t *testing.T) {
	for _, c := range []struct {
		shape  []int
		marked []bool
		want   []AxisRun
	}{
		{nil, nil, []AxisRun{{1, false}}},
		{[]int{1, 1}, []bool{true, false}, []AxisRun{{1, false}}},
		{[]int{2, 3, 4}, []bool{true, true, false}, []AxisRun{{6, true}, {4, false}}},
		{[]int{2, 1, 3, 4}, []bool{true, false, true, true}, []AxisRun{{24, true}}},
		{[]int{2, 3, 1, 4}, []bool{true, false, true, true}, []AxisRun{{2, true}, {3, false}, {4, true}}},
	} {
		got := Shape(c.shape).Runs(func(axis int) bool { return c.marked[axis] })
		if len(got) != len(c.want) {
			t.Errorf("%v %v: got %v, want %v", c.shape, c.marked, got, c.want)
			continue
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("%v %v: got %v, want %v", c.shape, c.marked, got, c.want)
			}
		}
	}
}
