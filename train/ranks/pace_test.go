package ranks

import (
	"slices"
	"testing"
	"time"
)

func TestPace(t *testing.T) {
	var p Pace
	for step := 1; step <= paceWindow; step++ {
		slow := p.Observe(step, []Notice{{Seconds: 1}, {Seconds: 1.6}, {Seconds: 1}})
		if step < paceWindow && slow != nil {
			t.Fatalf("step %d: %v before the window is over", step, slow)
		}
		if step == paceWindow && (len(slow) != 1 || slow[0].Rank != 1 || slow[0].Median != 1) {
			t.Errorf("stragglers %+v, want rank 1 against a median of 1", slow)
		}
	}
}

// TestPaceOfReduce: a rank that owns parameters has computed up to its first sum to
// an owner.
func TestPaceOfReduce(t *testing.T) {
	now := time.Unix(0, 0)
	p := Paced(Local{}, func() time.Time { return now })
	p.Begin()
	for _, sum := range []func() error{func() error { return p.Reduce([]float32{1}, 0) }, func() error { return p.AllReduce([]float32{1}) }} {
		now = now.Add(2 * time.Second)
		if err := sum(); err != nil {
			t.Fatal(err)
		}
	}
	if p.Seconds() != 2 {
		t.Errorf("%g seconds up to the first sum, want 2", p.Seconds())
	}
}

// TestPaceOfDevice: of the time of a launch that has the sums counts what the device
// computed before the first.
func TestPaceOfDevice(t *testing.T) {
	now := time.Unix(0, 0)
	p := Paced(Local{}, func() time.Time { return now })
	p.Begin()
	now = now.Add(2 * time.Second) // on the host
	for range 2 {
		if err := p.Wait(func() (time.Duration, error) {
			now = now.Add(9 * time.Second)
			return 4 * time.Second, nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	if p.Seconds() != 6 {
		t.Errorf("%g seconds up to the first sum, want 2 of the host and 4 of the device", p.Seconds())
	}
}

// TestPaceOfWindows: stragglers are those whose average over a window is more than half
// as much again as the lower median's; windows know nothing of each other.
func TestPaceOfWindows(t *testing.T) {
	var p Pace
	for window, c := range []struct {
		seconds func(step, rank int) float64
		ranks   int
		want    []Straggler
	}{
		// The last step alone is slow: its average is not.
		{func(step, rank int) float64 {
			if rank == 1 && step == paceWindow {
				return 8
			}
			return 1
		}, 3, nil},
		// Slow in the first half, on average 2.
		{func(step, rank int) float64 {
			if rank == 2 && step <= paceWindow/2 {
				return 3
			}
			return 1
		}, 3, []Straggler{{2 * paceWindow, 2, 2, 1}}},
		// Of four the lower of the two in the middle counts.
		{func(_, rank int) float64 { return []float64{4, 0.5, 1, 2}[rank] }, 4, []Straggler{{3 * paceWindow, 0, 4, 1}, {3 * paceWindow, 3, 2, 1}}},
		{func(_, rank int) float64 { return []float64{1, 1.5}[rank] }, 2, nil},
	} {
		for step := 1; step <= paceWindow; step++ {
			notices := make([]Notice, c.ranks)
			for rank := range notices {
				notices[rank].Seconds = c.seconds(step, rank)
			}
			got := p.Observe(window*paceWindow+step, notices)
			var want []Straggler
			if step == paceWindow {
				want = c.want
			}
			if !slices.Equal(got, want) {
				t.Errorf("window %d, step %d: %+v, want %+v", window, step, got, want)
			}
		}
	}
}

// TestPaceOfSteps: a step has the time up to its own first sum, and none before one.
func TestPaceOfSteps(t *testing.T) {
	now := time.Unix(0, 0)
	p := Paced(Local{}, func() time.Time { return now })
	if err := p.AllReduce([]float32{1}); err != nil || p.Seconds() != 0 {
		t.Errorf("%g seconds before the first step, %v", p.Seconds(), err)
	}
	for _, want := range []float64{3, 1} {
		p.Begin()
		if p.Seconds() != 0 {
			t.Errorf("%g seconds before the first sum", p.Seconds())
		}
		for range 2 {
			now = now.Add(time.Duration(want) * time.Second)
			if err := p.AllReduce([]float32{1}); err != nil {
				t.Fatal(err)
			}
		}
		if p.Seconds() != want {
			t.Errorf("%g seconds, want %g", p.Seconds(), want)
		}
	}
}

// TestStates: each rank is compared with itself.
func TestStates(t *testing.T) {
	now := time.Unix(100, 0)
	before := []heartbeat{{Count: 5}, {Count: 3}, {}, {Count: 9}}
	after := []heartbeat{
		{Count: 6, Host: "a", Step: 2, Collective: "Barrier", Sequence: 4, Inside: true, Time: now.Add(-time.Second)},
		{Count: 4, Host: "b", Step: 3, Collective: "Reduce", Sequence: 5, Time: now.Add(time.Hour)},
		{},
		{Count: 9, Host: "d", Time: now.Add(-time.Minute)},
	}
	want := []RankState{
		{Rank: 0, Host: "a", Step: 2, Collective: "Barrier", Sequence: 4, Inside: true, Started: true, Age: time.Second},
		{Rank: 1, Host: "b", Step: 3, Collective: "Reduce", Sequence: 5, Started: true},
		{Rank: 2, Silent: true},
		{Rank: 3, Host: "d", Started: true, Silent: true, Age: time.Minute},
	}
	if got := states(before, after, now); !slices.Equal(got, want) {
		t.Errorf("%+v\nwant %+v", got, want)
	}
}
