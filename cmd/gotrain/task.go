package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gotrain/data/chat"
	"gotrain/data/hf"
	"gotrain/data/instruct"
	"gotrain/nn/generate"
	"gotrain/train"
	"gotrain/train/eval"
	"gotrain/train/units"
)

// taskReport is what eval --task prints.
type taskReport struct {
	Model   string        `json:"model"`
	Task    eval.Config   `json:"task"`
	Scores  []eval.Score  `json:"scores"` // of all questions, then of each group
	Results []eval.Result `json:"results"`
	Seconds float64       `json:"seconds"`
}

// runTask asks the model every question of a task file.
func (f *evalFlags) runTask(c *cobra.Command) error {
	cfg, err := eval.Load(f.task)
	if err != nil {
		return usageError{err}
	}
	if c.Flags().Changed("shots") {
		cfg.Shots = f.shots
	}
	if c.Flags().Changed("limit") {
		cfg.Limit = f.limit
	}
	if c.Flags().Changed("chat") {
		cfg.Chat = f.chat
	}
	if f.template != "" && !cfg.Chat {
		return usagef("--template goes with --chat")
	}
	if cfg.Shots > 0 && cfg.ShotsData == "" {
		return usagef("--shots is %d, but %s names no shots_data", cfg.Shots, f.task)
	}
	t, err := eval.Open(cfg)
	if err != nil {
		return err
	}
	if f.prompts {
		return f.printPrompts(c.OutOrStdout(), t)
	}
	m, err := f.open()
	if err != nil {
		return err
	}
	defer m.Close()
	asked, err := newTaskModel(m)
	if err != nil {
		return err
	}
	if cfg.Chat {
		if asked.chat, asked.stop, err = chatEncoder(m, f.template); err != nil {
			return err
		}
	}
	r := taskReport{Model: m.Dir, Task: cfg, Results: []eval.Result{}}
	start := time.Now()
	for i := range t.Len() {
		result, err := t.Ask(c.Context(), asked, i)
		if errors.Is(err, context.Canceled) || c.Context().Err() != nil {
			return errors.New("interrupted")
		}
		if err != nil {
			return err
		}
		r.Results = append(r.Results, result)
	}
	r.Seconds, r.Scores = time.Since(start).Seconds(), eval.Summarize(r.Results)
	if f.json {
		return writeJSON(c.OutOrStdout(), r)
	}
	return r.print(c.OutOrStdout())
}

// printPrompts shows what the model would see, without one; of a task that asks
// through a chat template --model may name its owner.
func (f *evalFlags) printPrompts(w io.Writer, t *eval.Task) error {
	rendered, err := f.renderer(t.Chat)
	if err != nil {
		return err
	}
	for i := range t.Len() {
		prompt, err := t.Prompt(i)
		if err == nil {
			prompt, err = rendered(prompt)
		}
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(w, "──── %d of %d\n%s\n", i+1, t.Len(), prompt); err != nil {
			return err
		}
	}
	return nil
}

// renderer returns what makes the model's input of a prompt.
func (f *evalFlags) renderer(chats bool) (func(prompt string) (string, error), error) {
	if !chats {
		return func(prompt string) (string, error) { return prompt, nil }, nil
	}
	if f.model == "" && f.template == "" {
		return nil, usagef("--chat: name the chat template with --template, or the model that has one with --model")
	}
	var dir string
	var roles hf.Roles
	if f.model != "" {
		var err error
		if dir, err = train.FindCheckpoint(f.model); err != nil {
			return nil, usageError{err}
		}
		if roles, err = hf.ReadRoles(dir); err != nil {
			return nil, err
		}
	}
	template, err := chatTemplate(f.template, dir, roles)
	if err != nil {
		return nil, err
	}
	vars := chatVars(roles)
	vars.Prompt = true
	return func(prompt string) (string, error) { return template.Render(userSays(prompt), vars) }, nil
}

// userSays is the conversation that a question opens.
func userSays(prompt string) []chat.Message {
	return []chat.Message{{Role: chat.User, Content: prompt}}
}

func (r *taskReport) print(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %d shots, %d questions in %s\n\n%-32s %9s %9s %9s %11s\n", r.Task.Name, r.Task.Shots, len(r.Results), units.Seconds(r.Seconds),
		"", "questions", "accuracy", "± stderr", "normalized")
	for _, s := range r.Scores {
		name := s.Group
		if name == "" {
			name = "all"
		}
		fmt.Fprintf(&b, "%-32s %9d %8.1f%% %8.1f%% %10.1f%%\n", name, s.Questions, 100*s.Accuracy, 100*s.StdErr, 100*s.Normalized)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// taskModel answers the questions of a task. The choices of a question share its
// prompt, so that is read once.
type taskModel struct {
	*scorer
	prompt []int32   // that the generator holds
	first  []float32 // log-probabilities of the token after it

	chat *instruct.Encoder // nil for prompts that are plain text
	stop []int32           // the tokens that end an answer
}

func newTaskModel(m *opened) (*taskModel, error) {
	s, err := newScorer(m)
	return &taskModel{scorer: s, stop: m.EndTokens()}, err
}

// encode returns the tokens of a prompt and a completion.
func (t *taskModel) encode(prompt, completion string) (promptIDs, completionIDs []int32, err error) {
	if t.chat == nil {
		promptIDs, completionIDs, _ = t.scorer.encode(prompt, completion)
		return promptIDs, completionIDs, nil
	}
	completionIDs = t.model.Tokenizer.AppendEncode(nil, []byte(completion))
	promptIDs, err = t.chat.Prompt(userSays(prompt))
	return lastOf(promptIDs, t.model.Config.Model.Context+1-len(completionIDs)), completionIDs, err
}

// lastOf returns the last n ids, at least one.
func lastOf(ids []int32, n int) []int32 {
	return ids[max(0, len(ids)-max(1, n)):]
}

// LogLikelihood scores a completion. A prompt that is too long loses its
// beginning.
func (t *taskModel) LogLikelihood(prompt, completion string) (float64, int, error) {
	ids, completionIDs, err := t.encode(prompt, completion)
	if err != nil {
		return 0, 0, err
	}
	g := t.generator
	if !slices.Equal(ids, t.prompt) {
		g.Truncate(0)
		t.prompt = nil
		if err := g.Append(ids...); err != nil {
			return 0, 0, err
		}
		t.prompt, t.first = ids, append(t.first[:0], g.Logits()...)
		logSoftmax(t.first)
	}
	g.Truncate(len(ids))
	sum := float64(t.first[completionIDs[0]])
	var logs []float32
	for i, id := range completionIDs[1:] {
		if err := g.Append(completionIDs[i]); err != nil {
			return 0, 0, err
		}
		logs = append(logs[:0], g.Logits()...)
		logSoftmax(logs)
		sum += float64(logs[id])
	}
	return sum, len(completionIDs), nil
}

// logSoftmax replaces logits by log-probabilities.
func logSoftmax(logits []float32) {
	most := float64(slices.Max(logits))
	var sum float64
	for _, x := range logits {
		sum += math.Exp(float64(x) - most)
	}
	norm := most + math.Log(sum)
	for i, x := range logits {
		logits[i] = float32(float64(x) - norm)
	}
}

// Generate continues prompt greedily. A prompt that is too long loses its
// beginning.
func (t *taskModel) Generate(ctx context.Context, prompt, stop string, maxTokens int) (string, error) {
	tokenizer := t.model.Tokenizer
	ids := tokenizer.AppendEncode(nil, []byte(prompt))
	if t.chat != nil {
		var err error
		if ids, err = t.chat.Prompt(userSays(prompt)); err != nil {
			return "", err
		}
	}
	ids = lastOf(ids, t.model.Config.Model.Context-maxTokens)
	var text []byte
	t.prompt = nil
	_, err := t.generator.Generate(ctx, ids, generate.Options{MaxTokens: maxTokens, Stop: t.stop, Reuse: true}, func(token int32) error {
		text = append(text, tokenizer.TokenBytes(token)...)
		if stop != "" && strings.Contains(string(text), stop) {
			return generate.ErrStop
		}
		return nil
	})
	return string(text), err
}
