package synth

import (
	"iter"
	"math/rand/v2"
)

// Preference is a question with an answer that people prefer and one that they do not.
type Preference struct {
	Prompt   string `json:"prompt"`
	Chosen   string `json:"chosen"`
	Rejected string `json:"rejected"`
}

// What questions and answers of Preferences are made of.
var (
	verbs  = []string{"open", "clean", "paint", "repair", "carry", "hide", "sell", "measure", "draw", "find", "fold", "move", "lift", "copy", "turn", "weigh"}
	nouns  = []string{"door", "lamp", "boat", "prism", "lens", "wheel", "table", "clock", "bottle", "letter", "coin", "mirror", "rope", "stone", "wall", "chair"}
	colors = []string{"red", "blue", "green", "old", "new", "small", "large", "round", "heavy", "broken"}
	kind   = []string{"Gladly. ", "Of course. ", "With pleasure. ", "Good question. ", "Happy to help. "}
	rude   = []string{"Who cares. ", "Not my job. ", "Find out yourself. ", "What a bore. ", "Leave me alone. "}
	advice = []string{"Take your time with the ", "Begin with one side of the ", "Ask a friend to hold the ", "Use both hands for the ", "Read a book about the "}
)

// Preferences makes n questions with a friendly and an unfriendly answer, which say the same
// behind their first words: a rule that a small model can learn. The same seed and number
// give the same ones.
func Preferences(n int, seed uint64) iter.Seq[Preference] {
	return func(yield func(Preference) bool) {
		draw := rand.New(rand.NewPCG(seed, 0x707265666572))
		one := func(words []string) string { return words[draw.IntN(len(words))] }
		for range n {
			thing := one(colors) + " " + one(nouns)
			said := one(advice) + thing + "."
			p := Preference{"How do I " + one(verbs) + " the " + thing + "?", one(kind) + said, one(rude) + said}
			if !yield(p) {
				return
			}
		}
	}
}
