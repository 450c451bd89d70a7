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
	"gotrain/train"
	"gotrain/train/device"
	"gotrain/train/eval"
)

// modelFlags are the flags of every command that uses a trained model.
type modelFlags struct {
	model, adapter, device, precision string
	json                              bool
}

// precisions are the values of --precision.
var precisions = []string{"float32", "tf32", "bfloat16"}

func (f *modelFlags) add(c *cobra.Command) {
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
	Model  nn.LanguageModel
	State  train.State  // of its training
	Config train.Config // with which it was trained
	device exec.Backend
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
	o := &opened{device: device}
	if err := f.load(o); err != nil {
		err = errors.Join(fmt.Errorf("--model: %w", err), device.Close())
		if errors.Is(err, hub.ErrNoModel) {
			return nil, usageError{err}
		}
		return nil, err
	}
	if f.precision != "" {
		o.Config.Precision = f.precision
	}
	return o, nil
}

// load loads the model on the device of o.
func (f *modelFlags) load(o *opened) (err error) {
	if o.Loaded, err = hub.Load(f.model, f.adapter, o.device, vfs.OS{}, zoo.Families()); err != nil {
		return err
	}
	if o.Model, err = nn.AsLanguageModel(o.Loaded.Model); err != nil {
		return err
	}
	o.State, o.Config, err = train.ReadTrained(o.Dir, zoo.Families())
	return err
}

// subject is the model as it is scored.
func (o *opened) subject() eval.Subject {
	return eval.Subject{Model: o.Model, Store: o.Store, Tokens: o.Tokenizer, Ends: o.EndTokens(), Compute: o.Config.Compute()}
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
