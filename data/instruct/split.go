package instruct

import (
	"iter"

	"github.com/zeebo/xxh3"

	"example.com/gotrain/data"
	"example.com/gotrain/data/chat"
)

// Sides says which conversations are held out: by the hash of what the assistant says, so that questions that differ only in
// their words, with the same answer, are on one side. By chance few conversations would all be on one: then those of the
// least hash are held out, or those of the greatest are not. What a run that goes on knows already stays on its side. The
// zero Sides holds out none.
type Sides struct {
	known    *data.Ledger
	ledger   *data.Ledger // of the conversations that are read
	fraction float64
	forced   bool // hash is held out or not, whatever the fraction
	hash     uint64
	heldOut  bool
}

// Split reads conversations until it has seen some of both sides, which the first few have as a rule, and returns the sides
// for a fraction in [0, 1] held out. known is what the run has trained on and holds out already, nil for nothing.
func Split(conversations iter.Seq2[chat.Conversation, error], fraction float64, known *data.Ledger) (Sides, error) {
	s := Sides{known: known, ledger: data.NewLedger(), fraction: fraction}
	if fraction <= 0 || fraction >= 1 {
		return s, nil
	}
	var seen [2]bool
	decided := false // known has decided some
	least, most := ^uint64(0), uint64(0)
	for c, err := range conversations {
		if err != nil {
			return s, err
		}
		if !learns(c) {
			continue
		}
		hash := hashAnswers(c)
		if _, ok := known.Side(hash); ok {
			decided = true
		} else {
			least, most = min(least, hash), max(most, hash)
		}
		if s.HeldOut(c) {
			seen[1] = true
		} else {
			seen[0] = true
		}
		if seen[0] && seen[1] {
			return s, nil
		}
	}
	if least < most || decided && least == most {
		s.forced, s.hash, s.heldOut = true, least, true
		if seen[1] {
			s.hash, s.heldOut = most, false
		}
	}
	return s, nil
}

// HeldOut says whether a conversation is held out.
func (s Sides) HeldOut(c chat.Conversation) bool { return s.side(hashAnswers(c)) == data.Validation }

func (s Sides) side(hash uint64) data.Split {
	if side, ok := s.known.Side(hash); ok && s.fraction > 0 {
		return side
	}
	return s.rule(hash)
}

// rule is the side that nobody knows better.
func (s Sides) rule(hash uint64) data.Split {
	heldOut := float64(hash) < s.fraction*(1<<64)
	if s.forced && hash == s.hash {
		heldOut = s.heldOut
	}
	if heldOut {
		return data.Validation
	}
	return data.Train
}

func hashAnswers(c chat.Conversation) uint64 {
	hash := xxh3.New()
	for _, m := range c.Messages {
		if m.Role == chat.Assistant {
			m.Said(func(s string) {
				hash.WriteString(s)
				hash.Write([]byte{0})
			})
		}
	}
	return hash.Sum64()
}

// Side yields the conversations of one side, the held-out one or the other.
func (s Sides) Side(conversations iter.Seq2[chat.Conversation, error], heldOut bool) iter.Seq2[chat.Conversation, error] {
	return func(yield func(chat.Conversation, error) bool) {
		for c, err := range conversations {
			if err == nil {
				hash := hashAnswers(c)
				side := s.side(hash)
				if (side == data.Validation) != heldOut {
					continue
				}
				if learns(c) {
					s.ledger.Note(s.known, hash, side, s.rule(hash), false)
				}
			}
			if !yield(c, err) {
				return
			}
		}
	}
}

// Given yields conversations that are held out whatever they are.
func (s Sides) Given(conversations iter.Seq2[chat.Conversation, error]) iter.Seq2[chat.Conversation, error] {
	return func(yield func(chat.Conversation, error) bool) {
		for c, err := range conversations {
			if err == nil && learns(c) {
				s.ledger.Note(s.known, hashAnswers(c), data.Validation, data.Validation, true)
			}
			if !yield(c, err) {
				return
			}
		}
	}
}

// Ledger is the sides of the conversations that Side and Given have yielded.
func (s Sides) Ledger() *data.Ledger {
	s.ledger.Seal()
	return s.ledger
}
