package exec

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"example.com/gotrain/autograd/ir"
)

// Marker is a Recorder that tells when the device came by a place among the launches that
// it recorded.
type Marker interface {
	// NewMarks makes n marks that are nowhere yet. They live as long as the back end.
	NewMarks(n int) (Marks, error)
}

// Marks are places among recorded launches.
type Marks interface {
	// Set puts mark i behind the launches that are recorded so far.
	Set(i int)
	// Since is the time from mark i-1 to mark i in the last run of the launches, which
	// has ended.
	Since(i int) (time.Duration, error)
}

// Group is launches that follow each other, of instructions of one kind and shape.
type Group struct {
	Instrs   []*ir.Instr
	Launches int
	Time     time.Duration // of all of them, the shortest of several runs
}

// Key names what the instructions of a group are: their kind and the types and shapes of
// inputs and outputs; of launches of many, as of updates, the kind alone.
func (g Group) Key() string { return keyOf(g.Instrs[:len(g.Instrs)/g.Launches]) }

func keyOf(launch []*ir.Instr) string {
	in := launch[0]
	if len(launch) > 1 {
		return in.Kind.String()
	}
	return fmt.Sprintf("%s %s → %s", in.Kind, shapes(in.In), shapes(in.Out))
}

func shapes(values []*ir.Value) string {
	var all []string
	for _, v := range values {
		if v != nil {
			all = append(all, fmt.Sprintf("%s%v", v.DType, v.Shape))
		}
	}
	return strings.Join(all, " ")
}

// groups are the launches of the plan, those that are alike and follow each other
// together.
func (s *Session) groups() []Group {
	var all []Group
	last := ""
	for i := range s.launch {
		instrs := s.Plan.Instrs(i)
		key := keyOf(instrs)
		if n := len(all); n > 0 && key == last && len(instrs) == 1 {
			all[n-1].Instrs, all[n-1].Launches = append(slices.Clip(all[n-1].Instrs), instrs...), all[n-1].Launches+1
		} else {
			all = append(all, Group{Instrs: instrs, Launches: 1})
		}
		last = key
	}
	return all
}

// Profile runs the plan so many times, like Run, and tells how long its groups of launches
// took: on a Marker by the clock of the device between marks in what it records, else by
// that of the machine, which waits for each group.
func (s *Session) Profile(rounds int) ([]Group, error) {
	groups := s.groups()
	measure, err := s.profiler(groups)
	if err != nil {
		return nil, err
	}
	s.renewCopies()
	for round := range rounds {
		times, err := measure()
		if err != nil {
			return nil, err
		}
		s.spoilCopies()
		for i, t := range times {
			if round == 0 || t < groups[i].Time {
				groups[i].Time = t
			}
		}
	}
	return groups, nil
}

// profiler returns what runs the plan once and gives the time of each group.
func (s *Session) profiler(groups []Group) (func() ([]time.Duration, error), error) {
	times := make([]time.Duration, len(groups))
	marker, marks := s.backend.(Marker)
	recorder, records := s.backend.(Recorder)
	if !marks || !records {
		return func() ([]time.Duration, error) {
			err := s.inGroups(groups, func(i int, launch func()) error {
				start := time.Now()
				launch()
				err := s.backend.Sync()
				times[i] = time.Since(start)
				return err
			})
			return times, err
		}, nil
	}
	places, err := marker.NewMarks(len(groups) + 1)
	if err != nil {
		return nil, err
	}
	whole, err := recorder.Record(func() {
		places.Set(0)
		_ = s.inGroups(groups, func(i int, launch func()) error { // which does not fail
			launch()
			places.Set(i + 1)
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	return func() ([]time.Duration, error) {
		whole()
		if err := s.backend.Sync(); err != nil {
			return nil, err
		}
		for i := range times {
			var err error
			if times[i], err = places.Since(i + 1); err != nil {
				return nil, err
			}
		}
		return times, nil
	}, nil
}

// inGroups calls f with each group's launches, in order, until it fails.
func (s *Session) inGroups(groups []Group, f func(i int, launch func()) error) error {
	next := 0
	for i, g := range groups {
		launches := s.launch[next : next+g.Launches]
		next += g.Launches
		err := f(i, func() {
			for _, launch := range launches {
				launch()
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}
