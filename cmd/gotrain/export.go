package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"gotrain/train"
	"gotrain/train/convert"
	"gotrain/train/gguf"
)

// exportTypes are the values of --type in the format hf; gguf has all.
var exportTypes = []string{"f32", "f16", "bf16", "q8_0"}

// ggufTypes are what they stand for.
var ggufTypes = map[string]gguf.Type{"f32": gguf.F32, "f16": gguf.F16, "bf16": gguf.BF16, "q8_0": gguf.Q8_0}

func newExport() *cobra.Command {
	var f convertFlags
	var format, kind string
	c := &cobra.Command{
		Use:   "export SRC DST",
		Short: "Turn a checkpoint into a Hugging Face directory or a GGUF file",
		Long: `Export writes a model for other programs: --format hf is a directory that
transformers and vLLM load, --format gguf a file that llama.cpp loads, with the
tokenizer and its chat template.

SRC is a checkpoint, or a run, whose newest checkpoint is taken. DST must not
exist; after a failure nothing is left of it. parity.json in it, or beside the
file, tells how far logits and greedy text are from those of SRC: 0 unless
--type rounds.`,
		Example: `  gotrain export runs/chat models/chat-hf --type bf16
  gotrain export runs/chat chat.gguf --type q8_0
  gotrain export runs/chat/checkpoints/step-00001000 chat.gguf --type f16 --verify=false`,
		Args: twoArgs("SRC and DST"),
		RunE: func(c *cobra.Command, args []string) error {
			opt, err := exportOptions(args[1], format, kind)
			if err != nil {
				return usageError{err}
			}
			src, err := train.FindCheckpoint(args[0])
			if err != nil {
				return usageError{err}
			}
			return f.convert(c, src, args[1], opt)
		},
	}
	c.Flags().StringVar(&format, "format", "", "`NAME` is hf or gguf (default: gguf where DST ends in .gguf, else hf)")
	c.Flags().StringVar(&kind, "type", "", "of the numbers, `NAME` is f32, f16, bf16 or, in gguf, q8_0 (default: as in SRC)")
	complete(c, "format", fixed("hf", "gguf"))
	complete(c, "type", fixed(exportTypes...))
	f.add(c)
	return c
}

// exportOptions reads --format and --type.
func exportOptions(dst, format, kind string) (convert.Options, error) {
	opt := convert.Options{Format: convert.Format(format)}
	if format == "" {
		opt.Format = convert.HuggingFace
		if strings.HasSuffix(dst, ".gguf") {
			opt.Format = convert.GGUF
		}
	}
	if opt.Format != convert.HuggingFace && opt.Format != convert.GGUF {
		return opt, fmt.Errorf("--format is %q; use hf or gguf", format)
	}
	if kind == "" {
		return opt, nil
	}
	if !slices.Contains(exportTypes, kind) {
		return opt, fmt.Errorf("--type is %q; use %s", kind, strings.Join(exportTypes, ", "))
	}
	t := ggufTypes[kind]
	if t == gguf.Q8_0 && opt.Format == convert.HuggingFace {
		return opt, fmt.Errorf("--type q8_0 goes with --format gguf; use f32, f16 or bf16")
	}
	opt.Type = &t
	return opt, nil
}
