package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"example.com/gotrain/nn/hub"
	"example.com/gotrain/train/console"
	"example.com/gotrain/train/eval"
)

// openTask reads the task file with the flags applied, and tells what nothing reads.
func (f *evalFlags) openTask(c *cobra.Command) (*eval.Task, error) {
	cfg, err := eval.Load(f.task)
	if err != nil {
		return nil, usageError{err}
	}
	changed := c.Flags().Changed
	if changed("shots") {
		cfg.Shots = f.shots
	}
	if changed("shots-data") {
		cfg.ShotsData = f.shotsData
	}
	if changed("limit") {
		cfg.Limit = f.limit
	}
	if changed("chat") {
		cfg.Chat = f.chat
	}
	if changed("format") {
		cfg.Format = f.format
	}
	if changed("filter") {
		cfg.Filters, cfg.Pattern, cfg.Match = f.filters, "", ""
	}
	if (f.template != "" || f.date != "") && !cfg.Chat {
		return nil, usagef("--template and --date go with --chat")
	}
	if cfg.Shots > 0 && cfg.ShotsData == "" {
		return nil, usagef("--shots is %d, but %s names no shots_data; name the file with --shots-data", cfg.Shots, f.task)
	}
	t, err := eval.Open(cfg)
	var wrong *eval.ConfigError
	if errors.As(err, &wrong) {
		return nil, usagef("%s: %w", f.task, err)
	}
	if err == nil && len(t.Unread) > 0 {
		fmt.Fprintf(c.ErrOrStderr(), "note: keys of %s that %s does not read: %s\n", cfg.Data, t.Format, strings.Join(t.Unread, ", "))
	}
	return t, err
}

// runTask asks the model every question of a task. What was asked when it is interrupted is
// printed, as part of the whole; as JSON there are whole results alone.
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
	asked, err := f.asked(m, t.Chat)
	if err != nil {
		return err
	}
	p, start := console.New(c.ErrOrStderr()), time.Now()
	results, err := t.AskAll(c.Context(), asked, func(now eval.Progress) {
		p.Count("question", now.Done, now.Total, func() string { return now.Score().Brief() })
	})
	p.Clear()
	r := eval.NewReport(m.Dir, t, results, time.Since(start))
	if errors.Is(err, context.Canceled) || c.Context().Err() != nil {
		out := c.OutOrStdout()
		if f.json {
			out = c.ErrOrStderr()
		}
		if len(results) > 0 {
			err = r.Print(out)
		}
		return errors.Join(errors.New("interrupted"), err)
	}
	if err != nil {
		return notFinite(err)
	}
	if f.json {
		return writeJSON(c.OutOrStdout(), r)
	}
	return r.Print(c.OutOrStdout())
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
