package bootstrap

import (
	"math/rand/v2"
	"strings"
)

// Evolve makes tasks that are harder or rarer than one that is there, which is a seed or was
// made (evol-instruct, Xu et al. 2024), and answers them.
type Evolve struct{ MaxTokens int }

// deeper are the ways to make a task harder, rarer that to find another one.
var (
	deeper = []string{
		"Add one more condition or requirement to it.",
		"Ask for more depth and breadth: for what lies behind it, or follows from it.",
		"Put particular cases in place of what is general in it.",
		"If a few simple thoughts solve it, change it so that several steps of reasoning are needed.",
		"Add material that the answer has to use, such as a table, a list, a piece of code or a passage.",
	}
	rarer = "Write a new task of the same field that is less usual than it, of about its length and difficulty."
)

// breadth is the share of rarer tasks: each way is as likely as any other.
const breadth = 1.0 / 6

// Name is that of the method.
func (Evolve) Name() string { return "evol-instruct" }

// NeedsSeeds is true.
func (Evolve) NeedsSeeds() bool { return true }

// Begin shows a task and how it is to change.
func (e Evolve) Begin(draw *rand.Rand, pool *Pool) Draft {
	parent := pool.at(draw.IntN(len(pool.Seeds) + len(pool.Made)))
	task := parent.Instruction
	if parent.Input != "" {
		task += "\n\n" + parent.Input
	}
	var b strings.Builder
	if draw.Float64() < breadth {
		b.WriteString("Read this task:\n\n<<<\n" + task + "\n>>>\n\n" + rarer)
	} else {
		b.WriteString("Rewrite this task so that it is harder to solve, yet still makes sense to a person and can be answered in text:\n\n<<<\n" + task + "\n>>>\n\n")
		b.WriteString(deeper[draw.IntN(len(deeper))] + " Add no more than 20 words. Keep what it quotes.")
	}
	b.WriteString(" Write the new task alone, without an answer and without any remark.")
	d := Draft{tells: b.String()}
	d.Metadata.Parents = []string{parent.ID}
	return d
}

// Stages are the new task and its answer.
func (e Evolve) Stages() []Stage {
	return []Stage{{"evolve", func(d *Draft) Prompt {
		return Prompt{Text: d.tells, Begin: "New task:", MaxTokens: e.MaxTokens, Stop: []string{"<<<", ">>>"}}
	}, readEvolved}, answerStage(e.MaxTokens)}
}

// readEvolved takes an answer for a task.
func readEvolved(d Draft, a Answer) []Draft {
	text := strings.TrimSpace(a.Text)
	for _, label := range []string{"New task:", "**New task:**", "Rewritten task:", "Task:"} {
		text = strings.TrimSpace(strings.TrimPrefix(text, label))
	}
	if !a.Ended {
		d.reject(Unfinished, "the task")
	}
	lower := strings.ToLower(text)
	for _, of := range []string{"rewritten task", "new task", "given task", "this task:"} {
		if strings.Contains(lower, of) {
			d.reject(Malformed, "it speaks of the %s", of) // which the paper eliminates, too
		}
	}
	d.Instruction = text
	return []Draft{d}
}

// answerStage asks for the answer to a task.
func answerStage(maxTokens int) Stage {
	return Stage{"answer", func(d *Draft) Prompt { return Prompt{Text: d.Instruction, MaxTokens: maxTokens} }, func(d Draft, a Answer) []Draft {
		input := ""
		d.Input, d.Output, d.cut = &input, strings.TrimSpace(a.Text), !a.Ended
		return []Draft{d}
	}}
}
