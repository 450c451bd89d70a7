package ranks

import (
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
