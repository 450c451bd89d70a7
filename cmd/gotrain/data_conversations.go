package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"gotrain/data"
	"gotrain/data/instruct"
	"gotrain/nn"
	"gotrain/nn/hub"
	"gotrain/nn/zoo"
	"gotrain/train"
	"gotrain/train/console"
)

// byteContext is the context without a model, where tokens are bytes.
const byteContext = 4096

// conversations is a configuration that reads files as the model of the flags
// would.
func (f *dataInspectFlags) conversations(files []string) (train.Config, error) {
	cfg := train.DefaultConfig(zoo.Families())
	cfg.Data.Format, cfg.Data.Paths, cfg.Data.Validation = train.FormatInstruct, files, 0
	cfg.Data.Instruct.Template, cfg.Train.DocumentMask = f.template, true
	cfg.Tokenizer = train.TokenizerConfig{Kind: "bytes"}
	if err := cfg.SetText(nn.Text{Context: byteContext}); err != nil {
		return cfg, err
	}
	if f.model == "" {
		if f.template == "" {
			return cfg, usagef("name the model that reads %v with --model, or a chat template with --template", files)
		}
		return cfg, nil
	}
	dir, err := hub.FindCheckpoint(f.model)
	if err != nil {
		return cfg, usagef("--model: %w", err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		return cfg, err
	}
	spec, err := zoo.Families().Parse(text)
	if err == nil {
		err = cfg.Model.Set(spec.Family, spec.Config)
	}
	if err != nil {
		return cfg, fmt.Errorf("%s: %w", dir, err)
	}
	cfg.Base, cfg.Tokenizer = dir, train.TokenizerConfig{Path: dir}
	return cfg, nil
}

// inspectInstructions shows example number f.sample of the conversations of cfg.
func inspectInstructions(c *cobra.Command, cfg train.Config, f *dataInspectFlags) error {
	if err := checkPaths(cfg); err != nil {
		return err
	}
	tokens, err := f.tokenizer(c, cfg)
	if err != nil {
		return err
	}
	in, err := train.OpenInstructions(c.Context(), cfg, tokens, cfg.Base)
	if err != nil {
		return err
	}
	set := in.Train
	if f.split == "validation" {
		if set = in.Validation; set == nil {
			return usagef("--split validation: the configuration holds no conversations out; set data.validation or data.validation_paths")
		}
	}
	if f.sample >= uint64(set.Examples()) {
		return usagef("--sample is %d; there are examples 0 to %d", f.sample, set.Examples()-1)
	}
	loader, err := instruct.NewLoader(set, data.LoaderConfig{Sequences: cfg.Sequences(1), Seed: cfg.Run.Seed}, cfg.Data.Instruct.Packing, in.Pad)
	if err != nil {
		return err
	}
	x := set.Example(int(f.sample))
	r := &exampleReport{
		Split: f.split, Sample: f.sample, Source: x.Source, Template: in.Encoder.Template().Name(), Stats: set.Stats(),
		Rows: loader.Epoch(), Density: loader.Density(), Tokens: x.Tokens, Counted: x.Counted,
	}
	for _, id := range x.Tokens {
		r.Texts = append(r.Texts, string(tokens.TokenBytes(id)))
	}
	switch out := c.OutOrStdout(); {
	case f.json:
		return writeJSON(out, r)
	case console.Terminal(out):
		return r.print(out, r.colours())
	default:
		return r.print(out, r.lines())
	}
}

// tokenizer is the run's where there is a configuration, else the model's.
func (f *dataInspectFlags) tokenizer(c *cobra.Command, cfg train.Config) (data.Tokenizer, error) {
	p := console.New(c.ErrOrStderr())
	if f.config == "" {
		return train.MakeTokenizer(c.Context(), cfg, p.Listener().Phase)
	}
	return runTokenizer(c.Context(), cfg, p)
}
