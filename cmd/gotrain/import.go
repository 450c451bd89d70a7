package main

import (
	"context"
	"errors"
	"os"

	"github.com/spf13/cobra"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/nn/hub/convert"
	"example.com/gotrain/nn/zoo"
	"example.com/gotrain/train/device"
)

// convertFlags are those that import and export share.
type convertFlags struct {
	tokenizer string
	adapter   string
	unmerge   bool // of export alone
	verify    bool
	json      bool
}

func (f *convertFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.tokenizer, "tokenizer", "", "`DIR` to take tokenizer.json from, in place of the model's own")
	c.Flags().StringVar(&f.adapter, "adapter", "", "low-rank adapter `DIR` to merge into the model: of peft's format, or a checkpoint or run that has one")
	complete(c, "adapter", directories)
	c.Flags().BoolVar(&f.verify, "verify", true, "compute logits and 32 greedy tokens before and after, and write parity.json")
	c.Flags().BoolVar(&f.json, "json", false, "print one JSON object")
}

func newImport() *cobra.Command {
	var f convertFlags
	c := &cobra.Command{
		Use:   "import SRC DST",
		Short: "Turn a Hugging Face directory or a GGUF file into a checkpoint",
		Long: `Import reads a model of the families gpt2, llama (Llama, Mistral, Qwen, SmolLM2)
and gemma3 (its text) and writes a checkpoint DST, which finetune, sample, chat and eval take and
transformers loads.

SRC is a Hugging Face directory (model.safetensors or its shards, config.json,
tokenizer.json) or a GGUF file of llama.cpp, whose quantised tensors become
float32; other types stay. DST must not exist; after a failure nothing is left
of it. parity.json in it tells how far logits and greedy text are from those of
SRC.

SRC may be an adapter of peft whose base is on this machine, or a run that was
trained with lora: then both are merged.`,
		Example: `  gotrain import SmolLM2-135M-Instruct.Q4_1.gguf models/smollm2
  gotrain import ~/models/Qwen3-0.6B models/qwen3
  gotrain import ~/models/Qwen3-0.6B models/qwen3-tuned --adapter ~/adapters/tuned
  gotrain sample --model models/smollm2 --prompt "Gravity is"`,
		Args: twoArgs("SRC and DST"),
		RunE: func(c *cobra.Command, args []string) error {
			return f.convert(c, args[0], args[1], convert.Options{Format: convert.HuggingFace, Own: true})
		},
	}
	f.add(c)
	return c
}

// convert runs a conversion and prints its report.
func (f *convertFlags) convert(c *cobra.Command, src, dst string, opt convert.Options) error {
	if _, err := os.Stat(src); err != nil {
		return usageError{err}
	}
	opt.Tokenizer, opt.Unmerge, opt.Verify = f.tokenizer, f.unmerge, f.verify
	if f.adapter != "" {
		var err error
		if opt.Adapter, err = hub.FindAdapter(f.adapter); err != nil {
			return usagef("--adapter: %w", err)
		}
	}
	r, err := convert.Convert(c.Context(), src, dst, opt, convertDeps())
	return f.report(c, r, err)
}

// report prints how a conversion went.
func (f *convertFlags) report(c *cobra.Command, r convert.Report, err error) error {
	if errors.Is(err, convert.ErrExists) {
		return usageError{err}
	}
	if errors.Is(err, context.Canceled) {
		return errors.New("interrupted; nothing was written")
	}
	if err != nil {
		return err
	}
	if f.json {
		return writeJSON(c.OutOrStdout(), r)
	}
	return printConversion(c.OutOrStdout(), r)
}

// convertDeps are the families and the CPU.
func convertDeps() convert.Deps {
	return convert.Deps{
		FS:       vfs.OS{},
		Families: zoo.Families(),
		Backend: func() (exec.Backend, error) {
			backend, _, err := device.Open("cpu", 0, device.Collectives{})
			return backend, err
		},
	}
}
