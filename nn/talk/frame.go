package talk

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"example.com/gotrain/data"
	"example.com/gotrain/data/chat"
	"example.com/gotrain/data/hf"
	"example.com/gotrain/data/instruct"
)

// ErrNoTemplate says that a model was not fine-tuned on conversations: name one of the
// shipped chat templates.
var ErrNoTemplate = errors.New("no chat template")

// ErrNoEnd says that an answer would not end by itself: use another chat template.
var ErrNoEnd = errors.New("a token that ends a turn")

// OpenTemplate returns the shipped template called name or, without a name, that of the
// model in dir, and what the template may name: the special tokens of that model, and
// the time of now. Without a dir there are none.
func OpenTemplate(name, dir string, now time.Time) (*chat.Template, chat.Vars, error) {
	vars := chat.Vars{Now: now}
	var roles hf.Roles
	if dir != "" {
		var err error
		if roles, err = hf.ReadRoles(dir); err != nil {
			return nil, vars, err
		}
		vars = instruct.Variables(roles, vars.Now)
	}
	var t *chat.Template
	var err error
	switch {
	case name != "":
		t, err = chat.Named(name)
	case roles.ChatTemplate == "":
		err = fmt.Errorf("%s has %w: it was not fine-tuned on conversations", dir, ErrNoTemplate)
	default:
		t, err = chat.Parse("of "+dir, roles.ChatTemplate)
	}
	return t, vars, err
}

// Frame is how conversations become tokens, and where answers end. It is immutable and
// safe for concurrent use.
type Frame struct {
	encoder *instruct.Encoder
	stop    []int32
}

// NewFrame returns the frame of a tokenizer and a template with its variables. An answer
// ends at the tokens ends, which end a text, and at special tokens that end the
// template's turns.
func NewFrame(tokens data.Tokenizer, template *chat.Template, vars chat.Vars, ends []int32) (*Frame, error) {
	f := &Frame{encoder: instruct.NewEncoder(tokens, template, vars), stop: slices.Clone(ends)}
	sample, err := f.encoder.Example(chat.Conversation{Source: "chat template " + template.Name(), Messages: []chat.Message{
		{Role: chat.User, Content: "Hello."}, {Role: chat.Assistant, Content: "Hello."},
	}}, instruct.LossAssistant)
	if err != nil {
		return nil, err
	}
	special := func(id int32) bool {
		return slices.ContainsFunc(tokens.Specials(), func(a hf.AddedToken) bool { return a.ID == id })
	}
	for _, id := range sample.Ends {
		if special(id) && !slices.Contains(f.stop, id) {
			f.stop = append(f.stop, id)
		}
	}
	if len(f.stop) == 0 {
		return nil, fmt.Errorf("neither the model nor the chat template %s has %w", template.Name(), ErrNoEnd)
	}
	return f, nil
}

// Prompt returns the tokens after which the assistant answers messages.
func (f *Frame) Prompt(messages ...chat.Message) ([]int32, error) { return f.encoder.Prompt(messages) }

// Pair is Prompt with the tokens of what the assistant then says first, as they are in
// the text of both.
func (f *Frame) Pair(answer string, messages ...chat.Message) (prompt, said []int32, err error) {
	return f.encoder.PromptAnd(messages, answer)
}

// Stop are the tokens that end an answer; the caller does not modify them.
func (f *Frame) Stop() []int32 { return f.stop }
