package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/data/tokenizers"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/nn/zoo"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/device"
	"example.com/gotrain/train/eval"
	"example.com/gotrain/train/recipe/text"
	"example.com/gotrain/train/save"
)

// modelFlags are the flags of every command that uses a trained model.
type modelFlags struct {
	model, adapter, device, precision string
	json, noBOS                       bool
	context                           int            // tokens; 0 takes those that the model was trained with
	command                           *cobra.Command // whose standard error gets notes
}

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

// addBOS declares --no-bos, of commands that read plain text.
func (f *modelFlags) addBOS(c *cobra.Command) {
	c.Flags().BoolVar(&f.noBOS, "no-bos", false, "leave out what the tokenizer puts before a text, as BOS")
}

// addContext declares --context, of commands that read texts.
func (f *modelFlags) addContext(c *cobra.Command) {
	c.Flags().IntVar(&f.context, "context", 0, "read up to `N` tokens at a time, on weights that do not fix how many: positions alibi, rope or sinusoidal (default: as trained)")
}

// opened is a loaded model on its device.
type opened struct {
	*hub.Loaded
	Language nn.LanguageModel // Loaded.Model, nil for a model of another kind
	config   config.Config    // that it was trained with
	state    *save.State      // where training stood, nil in a directory that training did not write
	device   exec.Backend
	noBOS    bool
}

// Close gives back the device and forgets the model; a second time it does nothing.
func (o *opened) Close() error {
	if o.device == nil {
		return nil
	}
	device := o.device
	*o = opened{}
	return device.Close()
}

// open loads the model that the flags name, and tells what its files say that nothing
// reads.
func (f *modelFlags) open() (*opened, error) {
	if err := checkPrecision(f.precision); err != nil {
		return nil, err
	}
	if f.adapter != "" {
		if _, err := hub.FindAdapter(f.adapter); err != nil {
			return nil, usagef("--adapter: %w", err)
		}
	}
	if f.context < 0 {
		return nil, usagef("--context is %d; use 1 or more", f.context)
	}
	device, _, err := device.Open(f.device, 0, device.Collectives{})
	if err != nil {
		return nil, err
	}
	loaded, err := hub.Load(f.model, f.adapter, device, vfs.OS{}, zoo.Families())
	o := &opened{Loaded: loaded, device: device, noBOS: f.noBOS}
	if err == nil && f.context > 0 {
		if err := loaded.SetContext(f.context, zoo.Families()); err != nil {
			return nil, errors.Join(usagef("--context %d: %w", f.context, err), device.Close())
		}
	}
	if err == nil {
		o.Language, _ = loaded.Model.(nn.LanguageModel)
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

// bos says whether texts begin with what the tokenizer puts before them: unless
// --no-bos is given, or the model was trained without.
func (o *opened) bos() bool { return !o.noBOS && text.BOS(o.config) }

// prompts is how prompts become the model's tokens.
func (o *opened) prompts() tokenizers.Prompts { return o.Prompts(o.Tokenizer, o.bos()) }

// subject is the model as it is scored.
func (o *opened) subject() eval.Subject {
	return eval.Subject{Model: o.Language, Store: o.Store, Tokens: o.Tokenizer, Prompts: o.prompts(), Ends: o.EndTokens(), Compute: o.config.Compute()}
}
