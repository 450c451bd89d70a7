package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"example.com/gotrain/data/instruct"
	"example.com/gotrain/data/synth/bootstrap"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/generate"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/nn/talk"
	"example.com/gotrain/train/eval"
)

// author opens what writes, and the text before what a user says where the method asks for it.
func (f *synthFlags) author() (a bootstrap.Author, prefix string, closing func() error, err error) {
	none := func() error { return nil }
	magpie := f.method == (bootstrap.Magpie{}).Name()
	if f.server.URL == "" {
		return f.local(magpie)
	}
	f.server.Pause, f.server.Temperature, f.server.TopP = time.Second, f.sampling.Temperature, f.sampling.TopP
	if err := f.server.Validate(); err != nil {
		return nil, "", none, usageError{err}
	}
	if f.tokenFile != "" {
		token, err := os.ReadFile(f.tokenFile)
		if err != nil {
			return nil, "", none, usagef("--token-file: %w", err)
		}
		f.server.Token = strings.TrimSpace(string(token))
	}
	if magpie {
		if f.template == "" {
			return nil, "", none, usagef("--method magpie continues the chat template of the server's model; name it with --template")
		}
		prefix, err = f.prefix("")
	}
	return &f.server, prefix, none, err
}

// prefix is the text of the template before what a user says.
func (f *synthFlags) prefix(dir string) (string, error) {
	template, vars, err := f.openTemplate(dir)
	if err != nil {
		return "", err
	}
	prefix, err := bootstrap.UserPrefix(template, vars)
	if err != nil {
		return "", usageError{err}
	}
	return prefix, nil
}

// local is a model of ours.
func (f *synthFlags) local(magpie bool) (a bootstrap.Author, prefix string, closing func() error, err error) {
	m, err := f.openLanguage()
	if err != nil {
		return nil, "", nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, m.Close())
		}
	}()
	hash, err := hub.Fingerprint(m.Dir)
	if err != nil {
		return nil, "", nil, err
	}
	author := &talk.Author{Tokens: m.Tokenizer, Plain: m.prompts(), Ends: m.EndTokens(), Sampling: f.sampling, Model: bootstrap.About{Model: m.Dir, Hash: fmt.Sprintf("%016x", uint64(hash))}}
	if f.adapter != "" {
		author.Model.Model += " + " + f.adapter
	}
	author.Frame, err = m.frame(f.templateFlags)
	if errors.Is(err, talk.ErrNoTemplate) && !magpie {
		err = nil // the model continues texts
	}
	if err == nil && magpie {
		prefix, err = f.prefix(m.TokenizerDir())
	}
	if err == nil {
		cfg := generate.Config{Context: min(f.length, m.Language.Context()), Compute: m.config.Compute()}
		author.Batch, err = generate.NewBatch(m.Language, m.Store, generate.BatchConfig{Config: cfg, Rows: f.rows})
	}
	return author, prefix, m.Close, err
}

// rewarder is the reward model.
func (f *synthFlags) rewarder() (reward func(context.Context, *bootstrap.Record) (float64, error), closing func() error, err error) {
	flags := f.modelFlags
	flags.model, flags.adapter = f.rewardModel, ""
	m, err := flags.open()
	if err != nil {
		return nil, nil, fmt.Errorf("--reward-model: %w", err)
	}
	scored, ok := m.Model.(*nn.Scored)
	if !ok {
		return nil, nil, errors.Join(usagef("--reward-model: %s is no reward model", f.rewardModel), m.Close())
	}
	template, vars, err := templateFlags{date: f.date}.openTemplate(m.TokenizerDir())
	if err != nil {
		return nil, nil, errors.Join(err, m.Close())
	}
	r := eval.Rewarder{Model: scored, Store: m.Store, Encoder: instruct.NewEncoder(m.Tokenizer, template, vars), Compute: m.config.Compute()}
	return func(_ context.Context, record *bootstrap.Record) (float64, error) {
		got, err := r.Reward(eval.Question{Prompt: record.Question(), Completion: record.Output + record.Text})
		return got.Reward, err
	}, m.Close, nil
}
