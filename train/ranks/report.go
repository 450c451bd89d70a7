package ranks

import (
	"fmt"
	"strings"
	"time"
)

// Report says why a collective takes too long, as one rank sees it.
type Report struct {
	// Rank, Host, Step, Collective and Sequence are of the rank that reports.
	Rank       int
	Host       string
	Step       int
	Collective string
	Sequence   int
	Inside     bool          // the collective has not returned
	Waited     time.Duration // since the collective began
	// Ranks has the state of each rank; nil when the store does not answer.
	Ranks []RankState
	// StoreErr is why the store does not answer, StoreHost where it is served.
	StoreErr  error
	StoreHost string
}

// RankState is the newest heartbeat of a rank.
type RankState struct {
	Rank       int
	Host       string
	Step       int
	Collective string // the newest, "" before the first
	Sequence   int    // its number, from 1
	Inside     bool   // it has not returned
	Started    bool   // the rank has written a heartbeat
	Silent     bool   // it wrote none while the report was made
	// Age of the newest heartbeat by the clocks of both machines, which may differ.
	Age time.Duration
}

// Hanging returns the ranks that the others wait for: the silent ones; else those
// whose newest collective is behind the others'. None means that all are inside the
// same collective, so that the network or the engine is at fault.
func (r Report) Hanging() []RankState {
	var silent, behind []RankState
	newest := 0
	for _, s := range r.Ranks {
		newest = max(newest, s.Sequence)
	}
	for _, s := range r.Ranks {
		if s.Silent {
			silent = append(silent, s)
		}
		if s.Sequence < newest || !s.Inside {
			behind = append(behind, s)
		}
	}
	if len(silent) > 0 {
		return silent
	}
	return behind
}

// String is the report for a person, in a few lines.
func (r Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "rank %d on %s has waited in %s (collective %d) for %v at step %d\n", r.Rank, r.Host, r.Collective, r.Sequence, r.Waited.Round(100*time.Millisecond), r.Step)
	if r.StoreErr != nil {
		fmt.Fprintf(&b, "the store on %s does not answer either, so the machine of rank 0 or the way to it is down: %v\n", r.StoreHost, r.StoreErr)
		return b.String()
	}
	hanging := r.Hanging()
	for i, s := range hanging {
		if i == 10 {
			fmt.Fprintf(&b, "and %d more ranks\n", len(hanging)-i)
			break
		}
		fmt.Fprintln(&b, s)
	}
	if len(hanging) == 0 {
		fmt.Fprintln(&b, "all ranks are alive and inside the same collective: the network between them or the engine stands still")
	}
	return b.String()
}

// String is the state for a person, in one line.
func (s RankState) String() string {
	if !s.Started {
		return fmt.Sprintf("rank %d hangs: it never sent a heartbeat", s.Rank)
	}
	what := "before its first collective"
	switch {
	case s.Inside:
		what = fmt.Sprintf("in %s (collective %d)", s.Collective, s.Sequence)
	case s.Sequence > 0:
		what = fmt.Sprintf("after %s (collective %d)", s.Collective, s.Sequence)
	}
	age := s.Age.Round(100 * time.Millisecond)
	if s.Silent {
		return fmt.Sprintf("rank %d on %s hangs: no heartbeat for %v, since step %d, %s; its process has stopped or its machine cannot be reached",
			s.Rank, s.Host, age, s.Step, what)
	}
	return fmt.Sprintf("rank %d on %s hangs at step %d, %s; its process is alive, its last heartbeat %v old", s.Rank, s.Host, s.Step, what, age)
}
