package bootstrap

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
)

// What prompts of SelfInstruct show.
const (
	shownSeeds, shownMade = 6, 2 // tasks in a prompt for more; without records all are seeds
	newTasks              = 8    // that a prompt asks for
	examples              = 3    // of answers
	mostInstances         = 2    // of a task, that are kept
)

// SelfInstruct makes tasks like those of the seeds (Wang et al. 2023): a list of eight tasks,
// six of them seeds and two made ones, is to be continued; then each new task is told to be one
// of choosing a label or not; then examples of it are made: input first, or, where a label is
// chosen, the label first, so that not all inputs lead to the likeliest one. Prompts are shorter
// than the paper's, which show up to 31 examples.
type SelfInstruct struct {
	MaxTokens int // of an answer; a list of tasks gets as many
}

// Name is that of the method.
func (SelfInstruct) Name() string { return "self-instruct" }

// NeedsSeeds is true.
func (SelfInstruct) NeedsSeeds() bool { return true }

// Begin shows tasks.
func (s SelfInstruct) Begin(draw *rand.Rand, pool *Pool) Draft {
	made := min(shownMade, len(pool.Made))
	shown := choose(draw, pool.Seeds, shownSeeds+shownMade-made)
	shown = append(shown, choose(draw, pool.Made, made)...)
	draw.Shuffle(len(shown), func(i, k int) { shown[i], shown[k] = shown[k], shown[i] })
	var b strings.Builder
	fmt.Fprintf(&b, "Here are the first %d of a list of %d different tasks. Each is one instruction to a writer who only reads and writes text.\n\n", len(shown), len(shown)+newTasks)
	d := Draft{}
	for i, t := range shown {
		fmt.Fprintf(&b, "Task %d: %s\n", i+1, oneLine(t.Instruction))
		d.Metadata.Parents = append(d.Metadata.Parents, t.ID)
	}
	fmt.Fprintf(&b, "\nWrite the other tasks, %d to %d, each on a line. They are of other kinds than these, and of subjects that are not in the list.", len(shown)+1, len(shown)+newTasks)
	d.tells, d.begin = b.String(), fmt.Sprintf("Task %d:", len(shown)+1)
	d.answers(draw, pool)
	return d
}

// answers chooses the examples of answers that later prompts of the draft show.
func (d *Draft) answers(draw *rand.Rand, pool *Pool) {
	for _, class := range []bool{false, true} {
		var fit []Task
		for _, t := range pool.Seeds {
			if t.Output != "" && (t.Class != nil && *t.Class) == class {
				fit = append(fit, t)
			}
		}
		d.shown[b2i(class)] = choose(draw, fit, examples)
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Stages are the list, the kind of a task, and its examples.
func (s SelfInstruct) Stages() []Stage {
	return []Stage{
		{"tasks", func(d *Draft) Prompt { return Prompt{Text: d.tells, Begin: d.begin, MaxTokens: s.MaxTokens} }, readTasks},
		{"kind", askKind, func(d Draft, a Answer) []Draft {
			d.class = strings.HasPrefix(strings.ToLower(strings.TrimLeft(a.Text, " \n*\"'")), "yes")
			return []Draft{d}
		}},
		{"examples", func(d *Draft) Prompt { return d.askExamples(s.MaxTokens) }, readExamples},
	}
}

// numbered is the number before a task of a list.
var numbered = regexp.MustCompile(`(?m)^[ \t*#>-]*(?:Task[ \t]*)?\d{1,3}[ \t]*[.:)][ \t*]*`)

// readTasks finds the tasks of an answer, which goes on behind a number.
func readTasks(d Draft, a Answer) []Draft {
	parts := numbered.Split(a.Text, -1)
	if !a.Ended && len(parts) > 1 {
		parts = parts[:len(parts)-1] // the last one has no end
	}
	var drafts []Draft
	for _, part := range parts {
		text, _, _ := strings.Cut(strings.TrimSpace(part), "\n\n")
		next := d
		next.Instruction = oneLine(strings.Trim(text, "* \n"))
		if next.Instruction == "" || strings.Contains(d.tells, ": "+next.Instruction+"\n") { // the list is said again
			continue
		}
		drafts = append(drafts, next)
		if len(drafts) == newTasks {
			break
		}
	}
	if len(drafts) == 0 {
		d.reject(Malformed, "no task in %.80q", a.Text)
		drafts = []Draft{d}
	}
	return drafts
}

// askKind asks whether the answer to a task is one of a few labels, unless no seed shows such a task.
func askKind(d *Draft) Prompt {
	if len(d.shown[1]) == 0 || len(d.shown[0]) == 0 {
		return Prompt{}
	}
	var b strings.Builder
	b.WriteString("Tell for each task whether its answer is one of a few labels to choose from. Say Yes or No.\n\n")
	for i := range max(len(d.shown[0]), len(d.shown[1])) {
		for kind, answer := range []string{"No", "Yes"} {
			if i < len(d.shown[kind]) {
				fmt.Fprintf(&b, "Task: %s\nLabels: %s\n\n", oneLine(d.shown[kind][i].Instruction), answer)
			}
		}
	}
	fmt.Fprintf(&b, "Task: %s", d.Instruction)
	return Prompt{Text: b.String(), Begin: "Labels:", MaxTokens: 4, Stop: []string{"\n"}}
}

// askExamples asks for examples of a task.
func (d *Draft) askExamples(maxTokens int) Prompt {
	var b strings.Builder
	if d.class {
		b.WriteString("For each task write an answer it may have, then an input that has this answer.\n\n")
	} else {
		b.WriteString("For each task write an input, if it needs one, and the answer. Write \"none\" for an input that is not needed.\n\n")
	}
	for _, t := range d.shown[b2i(d.class)] {
		if input := orNone(t.Input); d.class {
			fmt.Fprintf(&b, "Task: %s\nOutput: %s\nInput: %s\n\n", oneLine(t.Instruction), t.Output, input)
		} else {
			fmt.Fprintf(&b, "Task: %s\nInput: %s\nOutput: %s\n\n", oneLine(t.Instruction), input, t.Output)
		}
	}
	first := "Input"
	if d.class {
		first = "Output"
	}
	fmt.Fprintf(&b, "Task: %s", d.Instruction)
	return Prompt{Text: b.String(), Begin: first + ":", MaxTokens: maxTokens, Stop: []string{"\nTask:"}}
}

func orNone(input string) string {
	if input == "" {
		return "none"
	}
	return input
}

// field begins a part of an example.
var field = regexp.MustCompile(`(?m)^[ \t*]*(Input|Output)[ \t]*(?:\d+[ \t]*)?:\**[ \t]*`)

// readExamples finds the examples of an answer, which goes on behind the name of its first part.
func readExamples(d Draft, a Answer) []Draft {
	first, second := "Input", "Output"
	if d.class {
		first, second = second, first
	}
	text := a.Text
	if at := field.FindStringIndex(strings.TrimLeft(text, " \n")); at == nil || at[0] > 0 {
		text = first + ": " + strings.TrimLeft(text, " ")
	}
	marks := field.FindAllStringSubmatchIndex(text, -1)
	var drafts []Draft
	for i := 0; i+1 < len(marks) && len(drafts) < mostInstances; i++ {
		name := func(m []int) string { return text[m[2]:m[3]] }
		if name(marks[i]) != first || name(marks[i+1]) != second {
			continue
		}
		end := len(text)
		if i+2 < len(marks) {
			end = marks[i+2][0]
		} else if !a.Ended {
			d.cut = true
		}
		parts := map[string]string{first: strings.TrimSpace(text[marks[i][1]:marks[i+1][0]]), second: strings.TrimSpace(text[marks[i+1][1]:end])}
		next := d
		input := unlessNone(parts["Input"])
		next.Input, next.Output = &input, unlessNone(parts["Output"])
		drafts = append(drafts, next)
	}
	if len(drafts) == 0 {
		if !a.Ended {
			d.reject(Unfinished, "the example")
		} else {
			d.reject(Malformed, "no %s and %s in %.80q", first, second, a.Text)
		}
		drafts = []Draft{d}
	}
	return drafts
}

// unlessNone is a part of an example, "" for words that say that there is none.
func unlessNone(part string) string {
	if slices.Contains([]string{"none", "none.", "(none)", "n/a", "<noinput>"}, strings.ToLower(part)) {
		return ""
	}
	return part
}

// choose draws n of tasks, or all there are, in the order drawn.
func choose(draw *rand.Rand, tasks []Task, n int) []Task {
	order := draw.Perm(len(tasks))
	var some []Task
	for _, i := range order[:min(n, len(order))] {
		some = append(some, tasks[i])
	}
	return some
}

// oneLine is a text without line ends.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
