package main

import (
	"errors"
	"fmt"

	"example.com/gotrain/nn/hub"
	"example.com/gotrain/train/config"

	"github.com/spf13/cobra"
)

func newFinetune() *cobra.Command {
	var f runFlags
	var base, adapter string
	c := &cobra.Command{
		Use:   "finetune",
		Short: "Go on training a model on other data, whole or by low-rank adapters",
		Long: `Finetune begins from a model (a checkpoint, a run, or what gotrain import made of
a Hugging Face directory or a GGUF file), whose architecture, tokenizer and chat
template it keeps, and trains as pretrain does. With lora.rank it trains low-rank
adapters to the linear layers. A checkpoint then holds the adapter as peft keeps
it, and no copy of the base: sample, chat, eval, export and transformers find that
where it was and put the adapter on it. With lora.merge a checkpoint holds the
merged model, and the adapter in adapter/. --adapter goes on training one: of
peft, or of an earlier run; rank, alpha, rslora and targets are then the adapter's,
and a lora section that says otherwise is an error.

With train.patience the run ends when the held-out loss no longer falls;
checkpoints/best is then the best checkpoint. Interrupts and exit codes are those
of pretrain.`,
		Example: `  gotrain finetune --config configs/finetune-instruct.yaml --base runs/go-source
  gotrain finetune --config configs/finetune-instruct.yaml --base models/smollm2 --set lora.rank=0 --set optimizer.lr=1e-5
  gotrain finetune --config configs/finetune-lora.yaml --base models/smollm2 --adapter runs/finetune-lora --run runs/more`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if adapter != "" {
				f.set = append(f.set, fmt.Sprintf("adapter=%q", adapter))
			}
			cfg, err := f.loadFinetune(c, base)
			if err != nil {
				return err
			}
			return f.run(c, cfg)
		},
	}
	f.add(c)
	c.Flags().StringVar(&base, "base", "", "checkpoint or run `DIR` to begin from (default: the configuration's base)")
	c.Flags().StringVar(&adapter, "adapter", "", "low-rank adapter `DIR` to go on training: of peft's format, or a checkpoint or run that has one")
	complete(c, "base", models)
	complete(c, "adapter", directories)
	return c
}

// loadFinetune reads the configuration and the model section of the base.
func (f *runFlags) loadFinetune(c *cobra.Command, base string) (config.Config, error) {
	if err := require(c, "config"); err != nil {
		return config.Config{}, usageError{err}
	}
	cfg, err := config.LoadFinetune(f.config, f.assignments(), base, tables())
	if err != nil {
		return cfg, usageError{err}
	}
	return cfg, nil
}

// loadConfig reads any configuration: one with a base takes its model section
// from there.
func loadConfig(file string, assignments []string) (config.Config, error) {
	cfg, err := config.LoadFinetune(file, assignments, "", tables())
	if errors.Is(err, hub.ErrNoModel) && cfg.Base == "" {
		cfg, err = config.Load(file, assignments, tables())
	}
	if err != nil {
		return cfg, usageError{err}
	}
	return cfg, nil
}
