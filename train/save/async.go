package save

import "errors"

// An asynchronous save writes from an exec.Snapshot on a goroutine of its own.
// Collectives may not run while those of the steps do, so it comes to its
// agreements through the loop: each rank tells at every step whether its save
// waits for the others ([Saver.Requests]), and once all do, they exchange there
// ([Saver.Reply]). At most one save is in flight; who needs its end exchanges with
// the others until then ([Saver.Await]).

// flight is a save in flight.
type flight struct {
	step     int
	requests chan request  // from the save
	replies  chan reply    // to the save
	done     chan Done     // its end, buffered
	gone     chan struct{} // closed when nobody replies any more
	pending  *request      // that waits for the other ranks
}

type request struct {
	text   string
	failed error
}

type reply struct {
	texts []string
	err   error
}

// Begin copies the state and begins to write it. No other save is in flight.
func (s *Saver) Begin(p Point) {
	taken := s.snapshot.Take()
	w := s.prepare(p, s.snapshot)
	w.refused = errors.Join(w.refused, taken)
	f := &flight{step: w.step, requests: make(chan request), replies: make(chan reply), done: make(chan Done, 1), gone: make(chan struct{})}
	agree := f.ask
	if w.rank.Alone() {
		agree = s.cfg.Ranks.ExchangeTexts // there is nobody to wait for
	} else {
		w.ended = f.gone // the others wait for this process to end
	}
	go func() {
		saved, err := w.write(agree)
		f.done <- Done{f.step, saved, err}
	}()
	s.flight = f
}

// ask is the agreement of a save in flight.
func (f *flight) ask(text string, failed error) ([]string, error) {
	select {
	case f.requests <- request{text, failed}:
	case <-f.gone:
		return nil, errors.Join(failed, ErrRunEnds)
	}
	r := <-f.replies
	return r.texts, r.err
}

// Requests tells whether this rank's save in flight waits for the other ranks.
func (s *Saver) Requests() bool {
	f := s.flight
	if f != nil && f.pending == nil {
		select {
		case r := <-f.requests:
			f.pending = &r
		default:
		}
	}
	return f != nil && f.pending != nil
}

// Reply has the ranks agree on what the saves of all of them request.
func (s *Saver) Reply() {
	f := s.flight
	texts, err := s.cfg.Ranks.ExchangeTexts(f.pending.text, f.pending.failed)
	f.pending = nil
	f.replies <- reply{texts, err}
}

// InFlight tells whether a save is in flight.
func (s *Saver) InFlight() bool { return s.flight != nil }

// Ended returns the end of the save in flight, nil when it has not come.
func (s *Saver) Ended() *Done {
	if s.flight == nil {
		return nil
	}
	select {
	case d := <-s.flight.done:
		s.flight = nil
		return &d
	default:
		return nil
	}
}

// Await waits for the save in flight and returns its end, nil when there is none.
// All ranks have to call it.
func (s *Saver) Await() *Done {
	if d := s.Ended(); d != nil || s.flight == nil {
		return d
	}
	f := s.flight
	for {
		if f.pending == nil {
			select {
			case r := <-f.requests:
				f.pending = &r
			case d := <-f.done:
				s.flight = nil
				return &d
			}
		}
		s.Reply()
	}
}

// Drop ends the save in flight of a run that fails, without the other ranks, and
// returns its end, nil when there is none. A process that is alone still saves.
// Nobody may wait for this rank any more: abort the group first.
func (s *Saver) Drop() *Done {
	f := s.flight
	if f == nil {
		return nil
	}
	close(f.gone)
	if f.pending != nil {
		f.replies <- reply{err: errors.Join(f.pending.failed, ErrRunEnds)}
	}
	d := <-f.done
	s.flight = nil
	return &d
}
