package main

import "time"

// budget is the time that a loan of the machine leaves; the zero one has no end.
type budget struct {
	now func() time.Time
	end time.Time
	// last tells that nothing comes behind the part that runs, so that it may have all.
	last bool
}

// Bounds of what a command may take of a budget.
const (
	// ending is kept for the table, and for killing what has not ended.
	ending = 3 * time.Second
	// least is what a command needs to say anything.
	least = 5 * time.Second
)

// limit is what a command may take that needs at most so long: half of what is left, so
// that one that hangs does not cost the others everything. cut tells that it may be too
// little; ok that it is worth a try.
func (b budget) limit(most time.Duration) (limit time.Duration, cut, ok bool) {
	if b.end.IsZero() {
		return most, false, true
	}
	left := b.end.Sub(b.now()) - ending
	if !b.last {
		left /= 2
	}
	if left >= most {
		return most, false, true
	}
	return left, true, left >= least
}

// over tells whether there is nothing left to begin a part with.
func (b budget) over() bool {
	_, _, ok := b.limit(time.Hour)
	return !ok
}
