package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gotrain/nn/hub"
	"gotrain/nn/talk"
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

// openTask reads the task file with the flags applied.
func (f *evalFlags) openTask(c *cobra.Command) (*eval.Task, error) {
	cfg, err := eval.Load(f.task)
	if err != nil {
		return nil, usageError{err}
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
	if (f.template != "" || f.date != "") && !cfg.Chat {
		return nil, usagef("--template and --date go with --chat")
	}
	if cfg.Shots > 0 && cfg.ShotsData == "" {
		return nil, usagef("--shots is %d, but %s names no shots_data", cfg.Shots, f.task)
	}
	return eval.Open(cfg)
}

// runTask asks the model every question of a task file.
func (f *evalFlags) runTask(c *cobra.Command) error {
	t, err := f.openTask(c)
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
	var frame *talk.Frame
	if t.Chat {
		if frame, err = m.frame(f.templateFlags); err != nil {
			return err
		}
	}
	asked, err := eval.NewLanguage(m.subject(), frame)
	if err != nil {
		return err
	}
	r := taskReport{Model: m.Dir, Task: t.Config}
	start := time.Now()
	r.Results, err = t.AskAll(c.Context(), asked)
	if errors.Is(err, context.Canceled) || c.Context().Err() != nil {
		return errors.New("interrupted")
	}
	if err != nil {
		return err
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
	render := func(prompt string) (string, error) { return prompt, nil }
	if t.Chat {
		var dir string
		switch {
		case f.model != "":
			place, err := hub.Locate(f.model)
			if err != nil {
				return usageError{err}
			}
			dir = place.TokenizerDir()
		case f.template == "":
			return usagef("--chat: name the chat template with --template, or the model that has one with --model")
		}
		template, vars, err := f.openTemplate(dir)
		if err != nil {
			return err
		}
		vars.Prompt = true
		render = func(prompt string) (string, error) { return template.Render(eval.UserSays(prompt), vars) }
	}
	for i := range t.Len() {
		prompt, err := t.Prompt(i)
		if err == nil {
			prompt, err = render(prompt)
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
