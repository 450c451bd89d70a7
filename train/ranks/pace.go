package ranks

import (
	"slices"
	"sync"
	"time"
)

// PacedGroup is a Group that notes how long a rank computes in a step before it
// needs the others: up to its first sum of gradients. Later it waits for them, and
// all take equally long.
type PacedGroup struct {
	Group
	now func() time.Time

	mu    sync.Mutex
	began time.Time
	took  time.Duration // 0 until the first sum
}

// Paced returns group with a clock.
func Paced(group Group, now func() time.Time) *PacedGroup {
	return &PacedGroup{Group: group, now: now}
}

// SetStep tells the step to a group that wants to know, as ranks.Watched does.
func (p *PacedGroup) SetStep(step int) {
	if g, ok := p.Group.(interface{ SetStep(int) }); ok {
		g.SetStep(step)
	}
}

// AllReduce is the group's.
func (p *PacedGroup) AllReduce(x []float32) error {
	p.sums(0)
	return p.Group.AllReduce(x)
}

// Reduce is the group's.
func (p *PacedGroup) Reduce(x []float32, root int) error {
	p.sums(0)
	return p.Group.Reduce(x, root)
}

// Wait calls wait, which returns when sums are done that a device has begun by itself,
// and how long it computed before the first. Where the group is watched, wait is.
func (p *PacedGroup) Wait(wait func() (computed time.Duration, err error)) error {
	launched := p.now()
	done := func() error {
		computed, err := wait()
		p.sums(computed - p.now().Sub(launched))
		return err
	}
	if g, ok := p.Group.(interface {
		Wait(collective string, wait func() error) error
	}); ok {
		return g.Wait("sums of gradients", done)
	}
	return done()
}

// sums notes the time of the first sum, which is later than now.
func (p *PacedGroup) sums(later time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.took == 0 && !p.began.IsZero() {
		p.took = p.now().Sub(p.began) + later
	}
}

// Begin starts a step.
func (p *PacedGroup) Begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.began, p.took = p.now(), 0
}

// Seconds is the time from Begin to the first sum.
func (p *PacedGroup) Seconds() float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.took.Seconds()
}

// Pace finds ranks that are slower than the others.
type Pace struct {
	steps   int
	seconds []float64 // computed by each rank before its first sum, since the window began
}

const (
	paceWindow = 20  // steps over which the pace of ranks is compared
	paceLimit  = 1.5 // times the median that make a rank a straggler
)

// Straggler is a rank that the others wait for.
type Straggler struct {
	Step    int
	Rank    int
	Seconds float64 // it computes before the first sum of a step, on average over the last steps
	Median  float64 // of all ranks
}

// Observe adds a step. At the end of a window it returns the stragglers.
func (p *Pace) Observe(step int, notices []Notice) []Straggler {
	if p.seconds == nil {
		p.seconds = make([]float64, len(notices))
	}
	for rank, r := range notices {
		p.seconds[rank] += r.Seconds
	}
	if p.steps++; p.steps < paceWindow {
		return nil
	}
	sorted := slices.Sorted(slices.Values(p.seconds))
	median := sorted[(len(sorted)-1)/2]
	var slow []Straggler
	for rank, s := range p.seconds {
		if s > paceLimit*median {
			slow = append(slow, Straggler{step, rank, s / paceWindow, median / paceWindow})
		}
	}
	p.steps, p.seconds = 0, nil
	return slow
}
