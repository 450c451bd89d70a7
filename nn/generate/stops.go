package generate

import "bytes"

// Stops finds the strings that end a text in its pieces, each of which may hold parts of
// one. Make it with NewStops.
type Stops struct {
	stops [][]byte
	held  []byte // the end of the text so far, which may begin a stop
}

// NewStops returns what looks for stops. Empty ones never end a text.
func NewStops(stops []string) *Stops {
	s := &Stops{}
	for _, stop := range stops {
		if stop != "" {
			s.stops = append(s.stops, []byte(stop))
		}
	}
	return s
}

// Next takes the next piece of the text and returns what certainly belongs to it, valid
// until the next call, and whether a stop follows there. The first that is complete
// counts, of several the longest.
func (s *Stops) Next(piece []byte) (text []byte, stopped bool) {
	known := len(s.held)
	held := append(s.held, piece...)
	for end := known + 1; end <= len(held); end++ {
		longest := 0
		for _, stop := range s.stops {
			if bytes.HasSuffix(held[:end], stop) {
				longest = max(longest, len(stop))
			}
		}
		if longest > 0 {
			s.held = nil
			return held[:end-longest], true
		}
	}
	keep := 0
	for _, stop := range s.stops {
		for n := min(len(stop)-1, len(held)); n > keep; n-- {
			if bytes.HasSuffix(held, stop[:n]) {
				keep = n
			}
		}
	}
	s.held = bytes.Clone(held[len(held)-keep:])
	return held[:len(held)-keep], false
}

// Rest returns what was held back, when the text ends without a stop.
func (s *Stops) Rest() []byte { return s.held }
