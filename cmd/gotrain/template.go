package main

import (
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"example.com/gotrain/data/chat"
	"example.com/gotrain/data/instruct"
	"example.com/gotrain/nn/talk"
)

// templateFlags say by which chat template conversations become tokens.
type templateFlags struct{ template, date string }

// addTemplate declares the flags; when says which other flag they go with, as "with --chat, ".
func (f *templateFlags) addTemplate(c *cobra.Command, when string) {
	c.Flags().StringVar(&f.template, "template", "", when+"chat template `NAME`: "+strings.Join(chat.Names(), ", ")+" (default: the model's own)")
	c.Flags().StringVar(&f.date, "date", "", when+"`DATE` that the template may write, as 2026-11-30 (default: today)")
	complete(c, "template", fixed(chat.Names()...))
}

// frame is how conversations become the model's tokens.
func (o *opened) frame(f templateFlags) (*talk.Frame, error) {
	template, vars, err := f.openTemplate(o.TokenizerDir())
	if err != nil {
		return nil, err
	}
	frame, err := talk.NewFrame(o.Tokenizer, template, vars, o.EndTokens())
	if errors.Is(err, talk.ErrNoEnd) {
		return nil, usagef("%w; use another --template", err)
	}
	return frame, err
}

// openTemplate opens the template, by default that of the model in dir.
func (f templateFlags) openTemplate(dir string) (*chat.Template, chat.Vars, error) {
	now, err := instruct.ParseDate(f.date)
	if err != nil {
		return nil, chat.Vars{}, usagef("--date: %w", err)
	}
	if f.date == "" {
		now = time.Now()
	}
	template, vars, err := talk.OpenTemplate(f.template, dir, now)
	switch {
	case errors.Is(err, talk.ErrNoTemplate):
		err = usagef("%w; name one with --template", err)
	case err != nil && f.template != "":
		err = usagef("--template: %w", err)
	}
	return template, vars, err
}
