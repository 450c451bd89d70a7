package bootstrap

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// Textbook makes passages that teach something about a seed, its topic, as the texts of phi-1
// (Gunasekar et al. 2023). Readers and forms are drawn so that passages differ.
type Textbook struct{ MaxTokens int }

// What a passage is drawn of.
var (
	readers = []string{"a curious child", "a pupil who begins with the subject", "a student in the first year", "an engineer who needs it at work", "a reader who knows the field well"}
	forms   = []string{
		"an explanation with a worked example", "a definition, what follows from it, and a common mistake", "a short lesson with an exercise and its solution",
		"a comparison of two ways, with what speaks for each", "a story that shows the idea at work", "questions and answers that lead from simple to hard",
	}
)

// Name is that of the method.
func (Textbook) Name() string { return "textbook" }

// NeedsSeeds is true.
func (Textbook) NeedsSeeds() bool { return true }

// Begin shows a topic.
func (t Textbook) Begin(draw *rand.Rand, pool *Pool) Draft {
	seed := pool.Seeds[draw.IntN(len(pool.Seeds))]
	reader, form := readers[draw.IntN(len(readers))], forms[draw.IntN(len(forms))]
	d := Draft{tells: fmt.Sprintf("Write a passage of a textbook for %s. It has to be clear, correct and complete in itself: %s. Write the passage alone.\n\nTopic: %s", reader, form, seed.Instruction)}
	d.Metadata.Parents = []string{seed.ID}
	return d
}

// Stages is the passage.
func (t Textbook) Stages() []Stage {
	return []Stage{{"passage", func(d *Draft) Prompt {
		return Prompt{Text: d.tells, Begin: "Passage:", MaxTokens: t.MaxTokens, Stop: []string{"\nTopic:"}}
	}, func(d Draft, a Answer) []Draft {
		d.Text, d.cut = strings.TrimSpace(a.Text), !a.Ended
		return []Draft{d}
	}}}
}
