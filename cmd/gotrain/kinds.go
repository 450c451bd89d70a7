package main

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"example.com/gotrain/nn"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/nn/talk"
	"example.com/gotrain/nn/zoo"
	"example.com/gotrain/train/eval"
)

// kind is a kind of model, and what the commands do with it. A nil function is of a
// command that does not take such models.
type kind struct {
	plural string // in errors, such as "language models"
	has    func(nn.Model) bool
	sample func(*sampleFlags, *cobra.Command) error
	// eval scores what --data names.
	eval func(*evalFlags, *cobra.Command) error
	// asked answers the questions of a task, batch at a time; through a chat template if
	// there is a frame.
	asked func(m *opened, frame *talk.Frame, batch int) (eval.Model, error)
	score func(*opened) (completions, error)
	// rewards gives the rewards of completions in place of their likelihoods.
	rewards func(f *scoreFlags, c *cobra.Command, m *opened, questions []eval.Question) error
	// chats tells that asked takes a frame.
	chats bool
	// unprompted tells that sample takes no prompt.
	unprompted bool
	// embeds tells that the model gives embeddings of texts.
	embeds bool
}

// completions gives log-likelihoods of completions; *eval.Scorer is that of language
// models.
type completions interface {
	Score(eval.Question) (eval.Likelihood, error)
}

// kinds are the kinds of models; the first that has a model counts.
func kinds() []kind {
	return []kind{{
		plural: "language models",
		has:    func(m nn.Model) bool { _, ok := m.(nn.LanguageModel); return ok },
		chats:  true,
		sample: (*sampleFlags).runText,
		eval:   (*evalFlags).runText,
		asked: func(m *opened, frame *talk.Frame, batch int) (eval.Model, error) {
			return eval.NewLanguage(m.subject(), frame, batch), nil
		},
		score: func(m *opened) (completions, error) { return eval.NewScorer(m.subject()) },
	}, pairKind(), encoderKind(), rewardKind(), noiseKind()}
}

// kindOf is the kind of m, for a command that takes those which can says. The error
// names these.
func kindOf(m nn.Model, command string, can func(kind) bool) (kind, error) {
	var taken []string
	for _, k := range kinds() {
		if !can(k) {
			continue
		}
		if k.has(m) {
			return k, nil
		}
		taken = append(taken, k.plural)
	}
	return kind{}, usagef("--model: %s takes %s; a model of family %s is none of these", command, strings.Join(taken, ", "), m.Family())
}

// kind is that of the model which the flags name, whose weights it does not read. A
// model that cannot be read is taken for one of the first kind, whose function tells
// what is wrong after it has looked at its flags.
func (f *modelFlags) kind(can func(kind) bool) (kind, error) {
	m, err := f.describe()
	if err != nil {
		return kinds()[0], nil
	}
	return kindOf(m, f.command.CommandPath(), can)
}

// describe is the model that the flags name, without its weights and its adapter.
func (f *modelFlags) describe() (nn.Model, error) {
	place, err := hub.Locate(f.model)
	if err != nil {
		return nil, err
	}
	d, err := hub.Describe(place.Dir, zoo.Families())
	if err != nil {
		return nil, err
	}
	return zoo.Families().New(d.Spec, nn.Tuning{})
}

// asked is the model as it answers the questions of a task; with chat through its chat
// template.
func (f *evalFlags) asked(m *opened, chat bool) (eval.Model, error) {
	k, err := kindOf(m.Model, f.command.CommandPath()+" --task", func(k kind) bool { return k.asked != nil })
	if err != nil {
		return nil, err
	}
	var frame *talk.Frame
	if chat {
		if !k.chats {
			return nil, usagef("--chat goes with language models; a model of family %s is none", m.Model.Family())
		}
		if frame, err = m.frame(f.templateFlags); err != nil {
			return nil, err
		}
	}
	return k.asked(m, frame, f.batch)
}

// openLanguage is open for commands that take language models alone.
func (f *modelFlags) openLanguage() (*opened, error) {
	m, err := f.open()
	if err != nil || m.Language != nil {
		return m, err
	}
	return nil, errors.Join(usagef("--model: %s takes language models; a model of family %s is none", f.command.CommandPath(), m.Model.Family()), m.Close())
}
