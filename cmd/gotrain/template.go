package main

import (
	"errors"

	"gotrain/data/chat"
	"gotrain/nn/talk"
)

// frame is how conversations become the model's tokens, by the chat template called
// name or, without a name, the model's own.
func (o *opened) frame(name string) (*talk.Frame, error) {
	template, vars, err := openTemplate(name, o.Dir)
	if err != nil {
		return nil, err
	}
	frame, err := talk.NewFrame(o.Tokenizer, template, vars, o.EndTokens())
	if errors.Is(err, talk.ErrNoEnd) {
		return nil, usagef("%w; use another --template", err)
	}
	return frame, err
}

// openTemplate is talk.OpenTemplate for values of --template.
func openTemplate(name, dir string) (*chat.Template, chat.Vars, error) {
	template, vars, err := talk.OpenTemplate(name, dir)
	switch {
	case errors.Is(err, talk.ErrNoTemplate):
		err = usagef("%w; name one with --template", err)
	case err != nil && name != "":
		err = usagef("--template: %w", err)
	}
	return template, vars, err
}
