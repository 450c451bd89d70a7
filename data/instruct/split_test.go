package instruct

import (
	"fmt"
	"testing"

	"example.com/gotrain/data"
	"example.com/gotrain/data/chat"
)

// talks are conversations with the answers from to to-1.
func talks(from, to int) []chat.Conversation {
	var all []chat.Conversation
	for i := from; i < to; i++ {
		all = append(all, chat.Conversation{Messages: []chat.Message{{Role: chat.User, Content: "Q"}, {Role: chat.Assistant, Content: fmt.Sprint("answer ", i)}}})
	}
	return all
}

// heldOut tells of each answer whether it is held out, and keeps the ledger.
func heldOut(t *testing.T, all []chat.Conversation, fraction float64, known *data.Ledger) (map[string]bool, *data.Ledger) {
	t.Helper()
	sides, err := Split(sequence(all), fraction, known)
	if err != nil {
		t.Fatal(err)
	}
	held := map[string]bool{}
	for _, side := range []bool{false, true} {
		for c := range sides.Side(sequence(all), side) {
			held[c.Messages[1].Content] = side
		}
	}
	return held, sides.Ledger()
}

// A conversation that a run has trained on stays in training, one that it held out stays held out; new ones go by the rule.
func TestSplitKeepsSides(t *testing.T) {
	before, known := heldOut(t, talks(0, 200), 0.1, nil)
	for _, fraction := range []float64{0.02, 0.5} {
		after, ledger := heldOut(t, talks(100, 400), fraction, known)
		rule, _ := heldOut(t, talks(100, 400), fraction, nil)
		moved := 0
		for answer, held := range after {
			want, old := before[answer]
			if !old {
				want = rule[answer]
			} else if want != rule[answer] {
				moved++
			}
			if held != want {
				t.Errorf("fraction %v: %s is held out: %t", fraction, answer, held)
			}
		}
		if k := ledger.Kept; k.Known != 100 || k.New != 200 || k.Trained+k.HeldOut != moved || moved == 0 || (k.Trained > 0) != (fraction == 0.5) {
			t.Errorf("fraction %v: %+v, %d moved", fraction, k, moved)
		}
	}
	if _, same := heldOut(t, talks(0, 200), 0.1, known); same.Plain != known.Plain {
		t.Error("the same conversations are others")
	}
	// Of texts that were all trained on none is held out, and one new one is.
	_, trained := heldOut(t, talks(0, 20), 0, nil)
	if held, _ := heldOut(t, talks(0, 21), 0.001, trained); !held["answer 20"] || held["answer 19"] {
		t.Errorf("held out: %v", held)
	}
	sides, err := Split(sequence(talks(30, 40)), 0, trained)
	if err != nil {
		t.Fatal(err)
	}
	for range sides.Given(sequence(talks(18, 23))) {
	}
	if k := sides.Ledger().Kept; k.Leaked != 2 || k.New != 3 {
		t.Errorf("%+v", k)
	}
}
