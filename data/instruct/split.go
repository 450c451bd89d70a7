package instruct

import (
	"iter"

	"github.com/zeebo/xxh3"

	"gotrain/data/chat"
)

// Sides says which conversations are held out: by the hash of what the assistant says, so that questions that differ only in
// their words, with the same answer, are on one side. By chance few conversations would all be on one: then those of the
// least hash are held out, or those of the greatest are not. The zero Sides holds out none.
type Sides struct {
	fraction float64
	forced   bool // hash is held out or not, whatever the fraction
	hash     uint64
	heldOut  bool
}

// Split reads conversations until it has seen some of both sides, which the first few have as a rule, and returns the sides
// for a fraction in [0, 1] held out.
func Split(conversations iter.Seq2[chat.Conversation, error], fraction float64) (Sides, error) {
	s := Sides{fraction: fraction}
	if fraction <= 0 || fraction >= 1 {
		return s, nil
	}
	var seen [2]bool
	least, most := ^uint64(0), uint64(0)
	for c, err := range conversations {
		if err != nil {
			return s, err
		}
		if !learns(c) {
			continue
		}
		hash := hashAnswers(c)
		least, most = min(least, hash), max(most, hash)
		if s.HeldOut(c) {
			seen[1] = true
		} else {
			seen[0] = true
		}
		if seen[0] && seen[1] {
			return s, nil
		}
	}
	if least < most {
		s.forced, s.hash, s.heldOut = true, least, true
		if seen[1] {
			s.hash, s.heldOut = most, false
		}
	}
	return s, nil
}

// HeldOut says whether a conversation is held out.
func (s Sides) HeldOut(c chat.Conversation) bool {
	hash := hashAnswers(c)
	if s.forced && hash == s.hash {
		return s.heldOut
	}
	return float64(hash) < s.fraction*(1<<64)
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
			if err == nil && s.HeldOut(c) != heldOut {
				continue
			}
			if !yield(c, err) {
				return
			}
		}
	}
}
