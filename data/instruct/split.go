package instruct

import (
	"iter"

	"github.com/zeebo/xxh3"

	"gotrain/data/chat"
)

// HeldOut says whether a conversation belongs to the held-out side, of fraction in [0, 1]: by the hash of what the assistant
// says, so that questions that differ only in their words, with the same answer, are on one side.
func HeldOut(c chat.Conversation, fraction float64) bool {
	hash := xxh3.New()
	for _, m := range c.Messages {
		if m.Role == chat.Assistant {
			hash.WriteString(m.Content)
			hash.Write([]byte{0})
		}
	}
	return float64(hash.Sum64()) < fraction*(1<<64)
}

// Side yields the conversations of one side, the held-out one or the other.
func Side(conversations iter.Seq2[chat.Conversation, error], fraction float64, heldOut bool) iter.Seq2[chat.Conversation, error] {
	return func(yield func(chat.Conversation, error) bool) {
		for c, err := range conversations {
			if err == nil && HeldOut(c, fraction) != heldOut {
				continue
			}
			if !yield(c, err) {
				return
			}
		}
	}
}
