package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"gotrain/autograd/exec"
	"gotrain/data/chat"
	"gotrain/data/vfs"
	"gotrain/nn"
	"gotrain/nn/hub"
	"gotrain/nn/talk"
	"gotrain/nn/zoo"
	"gotrain/train/config"
	"gotrain/train/device"
	"gotrain/train/eval"
	"gotrain/train/save"
)

// modelFlags are the flags of every command that uses a trained model.
type modelFlags struct {
	model, adapter, device, precision string
	json                              bool
	command                           *cobra.Command // whose standard error gets notes
}

// precisions are the values of --precision.
var precisions = []string{"float32", "tf32", "bfloat16"}

func (f *modelFlags) add(c *cobra.Command) {
	f.command = c
	c.Flags().StringVar(&f.model, "model", "", "checkpoint or run `DIR`; of a run the newest checkpoint")
	c.Flags().StringVar(&f.adapter, "adapter", "", "low-rank adapter `DIR` on top of the model: of peft's format, or a checkpoint or run that has one")
	c.Flags().StringVar(&f.device, "device", "auto", "device `NAME`: auto, cpu, cuda or cuda:N")
	c.Flags().StringVar(&f.precision, "precision", "", "of arithmetic, `NAME` is float32, tf32 or bfloat16 (default: as trained)")
	c.Flags().BoolVar(&f.json, "json", false, "print one JSON object")
	complete(c, "model", models)
	complete(c, "adapter", directories)
	complete(c, "device", devices)
	complete(c, "precision", fixed(precisions...))
}

// opened is a loaded model on its device.
type opened struct {
	*hub.Loaded
	Language nn.LanguageModel // Loaded.Model
	config   config.Config    // that it was trained with
	state    *save.State      // where training stood, nil in a directory that training did not write
	device   exec.Backend
}

func (o *opened) Close() error { return o.device.Close() }

// open loads the model that the flags name.
func (f *modelFlags) open() (*opened, error) {
	if f.precision != "" && !slices.Contains(precisions, f.precision) {
		return nil, usagef("--precision is %q; use float32, tf32 or bfloat16", f.precision)
	}
	if f.adapter != "" {
		if _, err := hub.FindAdapter(f.adapter); err != nil {
			return nil, usagef("--adapter: %w", err)
		}
	}
	device, _, err := device.Open(f.device, 0, device.Collectives{})
	if err != nil {
		return nil, err
	}
	loaded, err := hub.Load(f.model, f.adapter, device, vfs.OS{}, zoo.Families())
	o := &opened{Loaded: loaded, device: device}
	if err == nil {
		o.Language, err = nn.AsLanguageModel(loaded.Model)
	}
	if err == nil {
		o.config, o.state, err = save.ConfigOf(loaded.Dir, tables())
	}
	if err == nil {
		err = o.config.Model.Set(loaded.Model.Family(), loaded.Model.Config())
	}
	if err != nil {
		err = errors.Join(fmt.Errorf("--model: %w", err), device.Close())
		if errors.Is(err, hub.ErrNoModel) {
			return nil, usageError{err}
		}
		return nil, err
	}
	if f.precision != "" {
		o.config.Precision = f.precision
	}
	for _, note := range loaded.Notes {
		fmt.Fprintf(f.command.ErrOrStderr(), "note: %s\n", note)
	}
	return o, nil
}

// step is that of training which the model stands at, 0 where training did not write
// it.
func (o *opened) step() int {
	if o.state == nil {
		return 0
	}
	return o.state.Step
}

// subject is the model as it is scored.
func (o *opened) subject() eval.Subject {
	return eval.Subject{Model: o.Language, Store: o.Store, Tokens: o.Tokenizer, Ends: o.EndTokens(), Compute: o.config.Compute()}
}

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
