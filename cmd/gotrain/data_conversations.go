package main

import (
	"fmt"
	"strconv"
	"strings"

	"example.com/gotrain/nn"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/nn/zoo"
	"example.com/gotrain/train/config"
)

// byteContext is the context without a model, where tokens are bytes.
const byteContext = 4096

// conversations is a configuration that reads files as the model of the flags
// would.
func (f *dataInspectFlags) conversations(files []string) (config.Config, error) {
	return conversations(files, f.model, f.template, fmt.Sprintf("data.encoding=%q", f.encoding))
}

// conversations is a configuration that reads files as a model would, through its chat
// template or another; further settings go over it.
func conversations(files []string, model, template string, set ...string) (config.Config, error) {
	cfg, err := config.Assemble(tables(), append([]string{"data.format=instruct", fmt.Sprintf("data.train=%s", quoteAll(files)),
		fmt.Sprintf("data.instruct.template=%q", template), "train.document_mask=true", "tokenizer.kind=bytes"}, set...)...)
	if err != nil {
		return cfg, usageError{err}
	}
	cfg.Run.Dir = "" // no run has frozen a tokenizer
	if err := cfg.SetText(nn.Text{Context: byteContext}); err != nil {
		return cfg, err
	}
	if model == "" {
		if template == "" {
			return cfg, usagef("name the model that reads %v with --model, or a chat template with --template", files)
		}
		return cfg, nil
	}
	place, err := hub.Locate(model)
	if err != nil {
		return cfg, usagef("--model: %w", err)
	}
	d, err := hub.Describe(place.Dir, zoo.Families())
	if err == nil {
		err = cfg.Model.Set(d.Spec.Family, d.Spec.Config)
	}
	if err != nil {
		return cfg, fmt.Errorf("--model: %w", err)
	}
	cfg.Base, cfg.Tokenizer = place.Dir, config.TokenizerConfig{Path: place.TokenizerDir()}
	return cfg, nil
}

// quoteAll writes texts as a list of YAML.
func quoteAll(texts []string) string {
	quoted := make([]string, len(texts))
	for i, t := range texts {
		quoted[i] = strconv.Quote(t)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}
